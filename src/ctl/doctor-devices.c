/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "core/planner-internal.h"
#include "core/vocabulary.h"
#include "ctl/doctor.h"
#include "ctl/tree.h"
#include "util/io.h"
#include "util/strings.h"

/* Claimed functions that a guest will not be happy with. */

#define NESTING_MAX 16

/* Names of the boot framebuffer in /proc/iomem: of efifb, of the generic ones (drivers/firmware/
 * sysfb_simplefb.c), of simpledrm. */
static bool is_framebuffer(const char *name)
{
        static const char *const names[] = {
                "BOOTFB", "efifb", "vesafb", "simplefb", "simpledrm", "simple-framebuffer",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (startswith(name, names[i]))
                        return true;
        return false;
}

static int add_framebuffer(Doctor *doctor, const ModelDevice *device, const char *name)
{
        bool is_bound = doctor_is_bound(device);
        int r;

        r = doctor_find(doctor, is_bound, "boot-framebuffer",
                "The console's framebuffer (%s) lies in the memory of %s: %s", name,
                device->text[DEVICE_ADDRESS],
                is_bound ? "a guest cannot use it (\"BAR 0: can't reserve\")."
                         : "it may keep the device from being taken.");
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Choose another primary display in the firmware setup. If there is "
                               "none, Linux 6.1 and later frees it when the device is bound; "
                               "before that, add video=efifb:off to the kernel command line.");
}

/* "  e0000000-efffffff : 0000:01:00.0", and what lies in it two blanks further right. */
static int examine_framebuffer(Doctor *doctor)
{
        const ModelDevice *stack[NESTING_MAX] = {};
        _cleanup_free_ char *text = NULL;
        char *rest, *line;
        int r;

        r = tree_read(&doctor->host, "/proc/iomem", &text);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        rest = text;
        while ((line = tree_next_line(&rest, NULL))) {
                size_t depth = strspn(line, " ") / 2;
                char *name = strstr(line, " : ");
                PciAddress address;

                if (!name || depth >= NESTING_MAX)
                        continue;
                name += strlen(" : ");
                stack[depth] = depth > 0 ? stack[depth - 1] : NULL;
                if (pci_address_parse(name, &address) >= 0)
                        stack[depth] = doctor_claimed(doctor, &address);
                else if (stack[depth] && is_framebuffer(name))
                        return add_framebuffer(doctor, stack[depth], name);
        }
        return 0;
}

static bool device_attribute_is(const Doctor *doctor, const Device *device, const char *name,
        const char *value)
{
        _cleanup_free_ char *path = NULL;

        return format_string(&path, "sys/bus/pci/devices/%s/%s",
                       PCI_ADDRESS_TEXT(&device->address), name) >= 0 &&
                doctor_attribute_is(doctor, path, value);
}

static int examine_power(Doctor *doctor, const Device *device)
{
        bool has_failed = device_attribute_is(doctor, device, "power/runtime_status", "error");
        const char *address = PCI_ADDRESS_TEXT(&device->address);
        int r;

        if (!has_failed && !device_attribute_is(doctor, device, "power_state", "D3cold"))
                return 0;
        if (has_failed)
                r = doctor_find(doctor, true, "d3cold",
                        "%s did not change its power state when it was asked to.", address);
        else
                r = doctor_find(doctor, false, "d3cold",
                        "%s sleeps without power (D3cold) while nobody uses it. Some devices do "
                        "not wake up from that.", address);
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "If a guest does not find it (\"Unable to change power state from "
                               "D3cold\"), write 0 to /sys/bus/pci/devices/%s/d3cold_allowed, for "
                               "good by \"options vfio-pci disable_idle_d3=1\" in "
                               "/etc/modprobe.d.", address);
}

/* The kernel has reset_method since 5.15, and not for functions that it cannot reset. */
static bool knows_reset_methods(const Snapshot *snapshot)
{
        for (size_t i = 0; i < snapshot->n_devices; i++)
                if (snapshot->devices[i].reset_methods)
                        return true;
        return false;
}

/* A part of the platform, or what Companions= does not let in, stays with the host. */
static bool goes_to_guests(const ModelDevice *shown, const Device *device)
{
        const char *reason = shown->text[DEVICE_REASON];

        if (streq_null(shown->text[DEVICE_ROLE], role_to_string(ROLE_SELECTED)))
                return true;
        return !planner_is_platform(device) &&
               !streq_null(reason, reason_to_string(REASON_COMPANION_NOT_LISTED));
}

static int examine_reset(Doctor *doctor, const ModelDevice *shown, const Device *device)
{
        int r;

        if (device->reset_methods || !knows_reset_methods(doctor->snapshot) ||
            !goes_to_guests(shown, device))
                return 0;
        r = doctor_find(doctor, false, "no-reset",
                "%s cannot be reset: the next guest gets it as the last one left it, its memory "
                "included.", PCI_ADDRESS_TEXT(&device->address));
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Give it to one guest only, and reboot the host before another one "
                               "gets it. \"echo default >/sys/bus/pci/devices/%s/reset_method\" "
                               "restores methods that somebody took away.",
                               PCI_ADDRESS_TEXT(&device->address));
}

static int examine_stuck(Doctor *doctor, const ModelDevice *device)
{
        int r;

        if (!streq_null(device->text[DEVICE_STATE], state_to_string(STATE_STUCK)))
                return 0;
        r = doctor_find(doctor, true, "stuck", "%s is stuck in the kernel%s%s",
                device->text[DEVICE_ADDRESS], device->text[DEVICE_REASON_TEXT] ? ": " : ".",
                device->text[DEVICE_REASON_TEXT] ?: "");
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Stop what uses it. If the driver never returns, only a reboot "
                               "helps, which may hang in the same place: set "
                               "RebootWatchdogSec=2min in /etc/systemd/system.conf and run "
                               "\"systemctl daemon-reexec\" before.");
}

int doctor_examine_devices(Doctor *doctor)
{
        int r;

        r = examine_framebuffer(doctor);
        for (size_t i = 0; r >= 0 && i < doctor->snapshot->n_devices; i++) {
                const Device *device = &doctor->snapshot->devices[i];
                const ModelDevice *shown = doctor_claimed(doctor, &device->address);

                if (!shown)
                        continue;
                r = examine_stuck(doctor, shown);
                if (r >= 0)
                        r = examine_power(doctor, device);
                if (r >= 0)
                        r = examine_reset(doctor, shown, device);
        }
        return r;
}
