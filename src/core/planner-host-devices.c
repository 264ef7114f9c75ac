/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "core/planner-internal.h"
#include "util/strings.h"

/* The early stages cannot see what the host is going to need; they go by the record of what it
 * needed before. At runtime everybody sees for himself. */

/* Mass storage; SD and eMMC controllers, USB, Fibre Channel, InfiniBand (SRP, iSER, NVMe). */
static bool may_be_storage(const Device *device)
{
        unsigned sub = device->class_code >> 8;

        return sub >> 8 == 0x01 || sub == 0x0805 || sub == 0x0c03 || sub == 0x0c04 ||
               sub == 0x0c06;
}

/* Without a record the initramfs takes nothing that a host is likely to need: storage, network,
 * the screen of the firmware. A class may be all there is to see: nobody looked for
 * boot_vga. */
static bool may_be_needed(const Device *device)
{
        unsigned base = device->class_code >> 16, sub = device->class_code >> 8;

        if (may_be_storage(device) || base == 0x02)
                return true;
        return device->has_details ? device->boot_vga : sub == 0x0300;
}

static const HostDeviceVerdict deferred = { .state = STATE_PENDING,
                                            .reason = REASON_DEFERRED_TO_NEXT_STAGE };

/* The boot service without a record: the root is there, but not all that /etc/fstab names. */
static int defer_storage(const MemberPlan *member, HostDeviceVerdict *ret)
{
        *ret = deferred;
        return format_string(&ret->text,
                "there is no record yet of what the host needs, and /etc/fstab or /etc/crypttab "
                "waits for something that may be on %s (class %04x). Run \"vfio-bindctl apply\" "
                "once the host runs.",
                PCI_ADDRESS_TEXT(&member->device->address), member->device->class_code >> 8);
}

/* The same for network functions: nothing is configured yet that could tell which of them the host
 * needs, and a claim that names one may be wrong. */
static int defer_network(const MemberPlan *member, const char *location, HostDeviceVerdict *ret)
{
        *ret = deferred;
        return format_string(&ret->text,
                "there is no record yet of what the host needs, and %s (class %04x) may be its "
                "network. Run \"vfio-bindctl apply\" once the host runs; where that is too late, "
                "AllowInUse=network lets a claim have what it selects%s.",
                PCI_ADDRESS_TEXT(&member->device->address), member->device->class_code >> 8,
                location);
}

static int defer(const MemberPlan *member, HostDeviceVerdict *ret)
{
        *ret = deferred;
        return format_string(&ret->text,
                "this initramfs has no record of what the host needs, so %s (class %04x) is left "
                "to the boot service. Make the initramfs anew once the host runs.",
                PCI_ADDRESS_TEXT(&member->device->address), member->device->class_code >> 8);
}

static int judge_without_record(const Planning *planning, const MemberPlan *member,
        const char *location, HostDeviceVerdict *ret)
{
        const Device *device = member->device;

        if (planning->request->stage == STAGE_INITRD)
                return may_be_needed(device) ? defer(member, ret) : 0;
        if (planning->snapshot->awaits_storage && may_be_storage(device))
                return defer_storage(member, ret);
        if (device->class_code >> 16 == 0x02 &&
            !(planner_allowed_uses(member) & 1U << IN_USE_NETWORK))
                return defer_network(member, location, ret);
        return 0;
}

static int defer_platform(const MemberPlan *member, HostDeviceVerdict *ret)
{
        *ret = deferred;
        return format_string(&ret->text,
                "there is no record yet of what the host needs, and %s (class %04x) in its group "
                "may be a part of the platform that it does. The daemon writes that record when it "
                "runs; the boot after goes by it.",
                PCI_ADDRESS_TEXT(&member->device->address), member->device->class_code >> 8);
}

static int refuse_platform(const MemberPlan *member, const HostDevice *item,
        HostDeviceVerdict *ret)
{
        *ret = (HostDeviceVerdict){ .state = STATE_REFUSED,
                                    .reason = REASON_COMPANION_IS_PLATFORM };
        return format_string(&ret->text,
                "%s (class %04x) shares the group and is part of the platform; the host needs it "
                "(when it last ran: %s). Move the card to another slot.",
                PCI_ADDRESS_TEXT(&member->device->address), member->device->class_code >> 8,
                item->what);
}

static int format_identity(const HostDevice *item, char **ret)
{
        return format_string(ret, "%04x:%04x:%04x:%04x%s%s", item->vendor, item->device,
                item->subsystem_vendor, item->subsystem_device, item->serial ? " serial " : "",
                item->serial ?: "");
}

static int refuse_listed(const MemberPlan *member, const HostDevice *item, const char *location,
        HostDeviceVerdict *ret)
{
        *ret = (HostDeviceVerdict){ .state = STATE_REFUSED, .reason = REASON_HOST_DEVICE };
        return format_string(&ret->text,
                "the host needs %s (when it last ran: %s). If that is over, run \"vfio-bindctl "
                "apply\" while it runs, or add Exclude=%s%s.",
                PCI_ADDRESS_TEXT(&member->device->address), item->what,
                PCI_ADDRESS_TEXT(&member->device->address), location);
}

static int refuse_moved(const MemberPlan *member, const HostDevice *item, const char *location,
        HostDeviceVerdict *ret)
{
        _cleanup_free_ char *identity = NULL;
        int r;

        *ret = (HostDeviceVerdict){ .state = STATE_REFUSED, .reason = REASON_HOST_DEVICE_MOVED };
        r = format_identity(item, &identity);
        if (r < 0)
                return r;
        return format_string(&ret->text,
                "%s may be what the host needs: hardware has moved, %s is not at %s (path=%s) any "
                "more (when the host last ran: %s). If it is not, run \"vfio-bindctl apply\" "
                "while the host runs, or add Exclude=%s%s.",
                PCI_ADDRESS_TEXT(&member->device->address), identity,
                PCI_ADDRESS_TEXT(&item->address), item->path, item->what,
                PCI_ADDRESS_TEXT(&member->device->address), location);
}

int planner_judge_host_device(const Planning *planning, const MemberPlan *member,
        const char *location, HostDeviceVerdict *ret)
{
        const HostDevices *devices = planning->snapshot->host_devices;
        const HostDevice *item;
        bool moved;

        *ret = (HostDeviceVerdict){};
        if (planning->request->stage == STAGE_RUNTIME)
                return 0;
        if (!devices)
                return judge_without_record(planning, member, location, ret);
        item = host_devices_match(devices, planning->host_devices_in_place, member->device,
                planner_allowed_uses(member), &moved);
        if (!item)
                return 0;
        return moved ? refuse_moved(member, item, location, ret)
                     : refuse_listed(member, item, location, ret);
}

int planner_judge_platform(const Planning *planning, const MemberPlan *member,
        HostDeviceVerdict *ret)
{
        const HostDevices *devices = planning->snapshot->host_devices;
        const HostDevice *item;

        *ret = (HostDeviceVerdict){};
        if (planning->request->stage == STAGE_RUNTIME)
                return 0;
        if (!devices)
                return planning->request->stage == STAGE_INITRD ? defer(member, ret)
                                                                : defer_platform(member, ret);
        item = host_devices_match_platform(devices, member->device);
        return item ? refuse_platform(member, item, ret) : 0;
}
