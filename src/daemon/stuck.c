/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/manager-internal.h"
#include "log/log.h"
#include "log/message-ids.h"
#include "util/io.h"
#include "util/strings.h"

/* Devices that do not come back, and who keeps them.
 *
 * A worker of ours that is stuck is on record. Other programs get stuck as well: who unbinds a vfio
 * device by hand while it is open waits for whoever has it open. Its driver link is gone at once
 * (driver_sysfs_remove() comes before remove() in drivers/base/dd.c), but its group's node stays
 * until the unbind has returned, and so does the lock of the device: a worker would be stuck, too.
 * Where other members of the group are bound, only kernels before 6.6 still show it.
 *
 * Whose fault it is, is looked up in a process of its own (holders.c), at most once for each view.
 * The answer is part of the next view. */

/* An unbind that takes longer than that is stuck. */
#define UNBIND_USEC (1 * USEC_PER_SEC)

struct StuckMemory {
        StuckMemory *next;
        Manager *manager;
        PciAddress address;
        uint64_t inode;
        int64_t group;
        int64_t lookup; /* 0: none underway */
        char *holder;   /* NULL: not known */
};

static StuckMemory *memory_free(StuckMemory *memory)
{
        if (memory->lookup > 0)
                manager_forget_holders(memory->manager, memory->lookup);
        free(memory->holder);
        free(memory);
        return NULL;
}

static bool group_has_vfio(const Snapshot *snapshot, int64_t group)
{
        for (size_t i = 0; i < snapshot->n_devices; i++)
                if (snapshot->devices[i].group == group &&
                    driver_is_vfio(snapshot->devices[i].driver))
                        return true;
        return false;
}

static bool has_group_device(const Manager *manager, int64_t group)
{
        char path[64];

        (void) snprintf(path, sizeof(path), "sys/class/vfio/%" PRIi64, group);
        return faccessat(manager->host->root, path, F_OK, 0) >= 0;
}

static bool is_being_unbound(const Manager *manager, const Snapshot *snapshot,
        const Device *device)
{
        const DeviceRecord *record = device->record;
        GroupKey key = { .number = device->group, .function = device->address };

        if (device->driver || device->group < 0 || !record || record->state != STATE_BOUND ||
            !driver_is_vfio(record->target_driver) || work_find_group(manager, &key))
                return false;
        if (device->vfio_device < 0 && (group_has_vfio(snapshot, device->group) ||
                                               !has_group_device(manager, device->group)))
                return false;
        return !manager_worker_lives(manager, device);
}

static StuckMemory *find_memory(const Manager *manager, const Device *device)
{
        for (StuckMemory *memory = manager->stuck; memory; memory = memory->next)
                if (pci_address_equal(&memory->address, &device->address) &&
                    memory->inode == device->inode)
                        return memory;
        return NULL;
}

/* For this view only: what is on record stays there, for when the unbind has returned. */
static int show_unbinding(const Manager *manager, Device *device)
{
        LogFields fields = LOG_FIELDS_NONE;
        DeviceRecord *record = device->record;
        int r;

        record->state = STATE_STUCK;
        record->reason = REASON_WORKER_TIMEOUT;
        free(TAKE_POINTER(record->reason_text));
        r = format_string(&record->reason_text,
                "Another program unbinds it and does not come back, because it is open. Stop what "
                "has /dev/vfio/%" PRIi64 " open", device->group);
        if (r < 0 || find_memory(manager, device))
                return r;
        fields.message_id = MESSAGE_DEVICE_STUCK;
        fields.device = &device->address;
        fields.group = device->group;
        fields.claim = record->claim;
        fields.reason = REASON_WORKER_TIMEOUT;
        log_full(LOG_ERR, &fields, "%s is stuck: %s.", PCI_ADDRESS_TEXT(&device->address),
                record->reason_text);
        return 0;
}

int stuck_update(Manager *manager, Snapshot *snapshot)
{
        uint64_t now = now_monotonic();

        moments_forget_gone(&manager->unbindings, snapshot);
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                Device *device = &snapshot->devices[i];
                uint64_t since;
                int r;

                if (!is_being_unbound(manager, snapshot, device)) {
                        moments_forget(&manager->unbindings, device);
                        continue;
                }
                r = moments_since(&manager->unbindings, device, now, &since);
                if (r < 0)
                        return r;
                if (now < since + UNBIND_USEC)
                        continue;
                r = show_unbinding(manager, device);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int obtain_memory(Manager *manager, const Device *device, StuckMemory **ret)
{
        StuckMemory *memory = find_memory(manager, device);

        if (!memory) {
                memory = calloc(1, sizeof(*memory));
                if (!memory)
                        return -ENOMEM;
                *memory = (StuckMemory){
                        .next = manager->stuck,
                        .manager = manager,
                        .address = device->address,
                        .inode = device->inode,
                        .group = device->group,
                };
                manager->stuck = memory;
        }
        *ret = memory;
        return 0;
}

/* "/dev/vfio/14 is open in 1234 (qemu-system-x86), unit machine-qemu\x2d1.scope, machine one" */
static int name_holder(const StuckMemory *memory, const Holder *holders, size_t n, char **ret)
{
        char more[48] = "";

        *ret = NULL;
        if (n == 0)
                return 0;
        if (n > 1)
                (void) snprintf(more, sizeof(more), ", and in %zu more", n - 1);
        return format_string(ret, "/dev/vfio/%" PRIi64 " is open in %" PRIu32 " (%s)%s%s%s%s%s",
                memory->group, holders->pid, *holders->command ? holders->command : "?",
                *holders->unit ? ", unit " : "", holders->unit,
                *holders->machine ? ", machine " : "", holders->machine, more);
}

static void on_holders(void *userdata, int error, const Holder *holders, size_t n)
{
        StuckMemory *memory = userdata;
        LogFields fields = LOG_FIELDS_NONE;
        _cleanup_free_ char *holder = NULL;

        memory->lookup = 0;
        if (error < 0 || name_holder(memory, holders, n, &holder) < 0 ||
            streq_null(holder, memory->holder))
                return;
        free(memory->holder);
        memory->holder = TAKE_POINTER(holder);
        manager_wake(memory->manager);
        if (!memory->holder)
                return;
        fields.message_id = MESSAGE_DEVICE_STUCK;
        fields.device = &memory->address;
        fields.group = memory->group;
        fields.reason = REASON_WORKER_TIMEOUT;
        log_full(LOG_ERR, &fields, "%s is stuck: %s.", PCI_ADDRESS_TEXT(&memory->address),
                memory->holder);
}

static void look_for_holders(Manager *manager, StuckMemory *memory)
{
        int64_t identifier;

        if (memory->lookup > 0 || memory->group < 0)
                return;
        identifier = manager_list_holders(manager, memory->group, on_holders, memory);
        if (identifier > 0)
                memory->lookup = identifier;
        else if (!manager->view)
                manager_wake(manager); /* it needs the view that is about to be published */
}

/* What the guard sees below a host driver says it, too. */
static const char *who_has(const StuckMemory *memory, const Device *device)
{
        if (memory->holder)
                return memory->holder;
        return device->n_uses > 0 ? device->uses[0].what : NULL;
}

static int add_holder(char **text, const char *who)
{
        _cleanup_free_ char *before = *text;
        size_t n = strlen(before ?: "");

        *text = NULL;
        while (n > 0 && before[n - 1] == '.')
                before[--n] = '\0';
        return format_string(text, "%s%s%s", before ?: "", n > 0 ? ". " : "", who);
}

static int show_holder(const View *view, GroupPlan *group, MemberPlan *member, const char *who)
{
        int r;

        r = add_holder(&member->text, who);
        if (r >= 0)
                r = replace_string(&group->text, member->text);
        for (size_t i = 0; r >= 0 && i < view->plan->n_claims; i++) {
                ClaimPlan *claim = &view->plan->claims[i];

                if (claim->claim == member->claim && claim->state == STATE_STUCK)
                        r = replace_string(&claim->text, member->text);
        }
        return r;
}

static void forget_returned(Manager *manager, const View *view)
{
        for (StuckMemory **place = &manager->stuck; *place;) {
                StuckMemory *memory = *place;
                const MemberPlan *member = plan_find(view->plan, &memory->address, NULL);

                if (member && member->state == STATE_STUCK &&
                    member->device->inode == memory->inode) {
                        place = &memory->next;
                        continue;
                }
                *place = memory->next;
                memory_free(memory);
        }
}

int stuck_show(Manager *manager, View *view)
{
        forget_returned(manager, view);
        for (size_t i = 0; i < view->plan->n_groups; i++) {
                GroupPlan *group = &view->plan->groups[i];

                for (size_t j = 0; group->state == STATE_STUCK && j < group->n_members; j++) {
                        MemberPlan *member = &group->members[j];
                        StuckMemory *memory;
                        const char *who;
                        int r;

                        if (member->state != STATE_STUCK)
                                continue;
                        r = obtain_memory(manager, member->device, &memory);
                        if (r < 0)
                                return r;
                        if (manager->may_act)
                                look_for_holders(manager, memory);
                        who = who_has(memory, member->device);
                        r = who ? show_holder(view, group, member, who) : 0;
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

void stuck_free(Manager *manager)
{
        while (manager->stuck) {
                StuckMemory *memory = manager->stuck;

                manager->stuck = memory->next;
                memory_free(memory);
        }
        free(manager->unbindings.items);
}
