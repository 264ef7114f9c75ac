/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "host/nodes.h"
#include "host/scan.h"
#include "host/store.h"
#include "log/log.h"
#include "stage/udev-internal.h"
#include "util/io.h"

/* The events of a new function, and where the kernel is then (facts of drivers/pci):
 *
 *   add      pci_device_add(): nothing can bind yet; an override written now wins
 *   change   VFs only, pci_iov_sysfs_link(): physfn is there from now on
 *            pci_bus_add_device(): the kernel attaches a driver, ours if the override was in time
 *   bind     a driver has it
 *   change   the PF, sriov_enable(): all its VFs went through the above
 *
 * What is bound while nothing can bind yet stays `binding`, and its `bind` event or that of its PF
 * comes back to it. With automatic probing off nothing happens to a VF by itself, so that the rules
 * leave it to the event of its PF, which does them all at once. */

/* How often the same event is judged anew when the machine changed under the plan. */
#define ROUNDS_MAX 3

typedef struct Judgement {
        Pass *pass;
        const UdevEvent *event;
        bool is_hotplug; /* host drivers may be unbound from it, behind the guard */
        Snapshot *snapshot;
        Plan *plan;
        Report *report;
        const MemberPlan *member; /* of the function */
        const GroupPlan *group;
} Judgement;

static void judgement_clear(Judgement *judgement)
{
        report_free(judgement->report);
        plan_free(judgement->plan);
        snapshot_free(judgement->snapshot);
        judgement->report = NULL;
        judgement->plan = NULL;
        judgement->snapshot = NULL;
        judgement->member = NULL;
        judgement->group = NULL;
}

/* That nobody speaks of a PF's VFs any more cannot be told from a part of the machine. */
static void leave_autoprobe(Plan *plan)
{
        for (size_t i = 0; i < plan->n_physical_functions; i++)
                plan->physical_functions[i].autoprobe_restore = false;
}

static bool appeared_just_now(const UdevEvent *event, const Device *device)
{
        return event->action == UDEV_ADD || event->pending == UDEV_PENDING ||
                (event->pending == UDEV_PENDING_IF_VF && device->is_virtual_function);
}

static int make_plan(Judgement *judgement)
{
        const PciAddress *address = &judgement->event->address;
        const Device *device = snapshot_find(judgement->snapshot, address);
        PlanRequest request = { .stage = judgement->pass->stage, .in_udev_event = true };
        int r;

        if (!device)
                return -ENODEV;
        judgement->is_hotplug = appeared_just_now(judgement->event, device);
        if (judgement->is_hotplug) {
                request.hotplugged = address;
                request.n_hotplugged = 1;
        }
        /* The event of a PF is also that of all its VFs. */
        if (device->sriov_total_vfs == 0)
                request.only_function = address;
        judgement->plan = plan_free(judgement->plan);
        r = pass_plan(judgement->pass, judgement->snapshot, &request, &judgement->plan);
        if (r < 0)
                return r;
        pass_leave_num_vfs(judgement->plan);
        leave_autoprobe(judgement->plan);
        judgement->member = plan_find(judgement->plan, address, &judgement->group);
        return judgement->member ? 0 : -ENODEV;
}

/* Two functions may fit a path=, and another one may have an identity that is missed here. */
static bool needs_whole_machine(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (match_has_term(group->members[i].match, TERM_PATH) ||
                    group->members[i].reason == REASON_IDENTITY_MISMATCH ||
                    group->members[i].reason == REASON_AMBIGUOUS ||
                    group->members[i].reason == REASON_HOST_DEVICE_MOVED)
                        return true;
        return false;
}

static int judge(Judgement *judgement)
{
        const Host *host = &judgement->pass->host;
        unsigned facts = pass_facts(judgement->pass);
        int r;

        judgement_clear(judgement);
        r = scan_neighbourhood(host, &judgement->event->address, facts, NULL, &judgement->snapshot);
        if (r >= 0)
                r = make_plan(judgement);
        if (r < 0 || !needs_whole_machine(judgement->group))
                return r;

        judgement_clear(judgement);
        r = scan_machine(host, facts, NULL, &judgement->snapshot);
        if (r >= 0)
                r = make_plan(judgement);
        return r;
}

static bool is_to_be_remembered(const MemberPlan *member)
{
        return member->fresh && (!member->device->record ||
                                        !member->device->record->hotplug_pending) &&
                (member->action == ACTION_BIND || member->action == ACTION_DETACH ||
                        member->action == ACTION_HOLD ||
                        member->reason == REASON_DEFERRED_TO_NEXT_STAGE);
}

/* The daemon acts on the kernel's own event and may have been faster: what it has recorded since we
 * looked counts. */
static int remember_member(const Judgement *judgement, const Device *device, bool is_locked)
{
        const Host *host = &judgement->pass->host;
        _cleanup_(device_record_freep) DeviceRecord *now = NULL;
        DeviceRecord record = {};
        int r;

        r = store_load(host, &device->address, device->inode, &now);
        if (r < 0 || (now && (!device->record || !is_locked)))
                return r;
        if (now)
                record = *now;
        record.hotplug_pending = true;
        if (!record.config_digest)
                record.config_digest = judgement->pass->config->digest;
        if (now)
                return store_save(host, &device->address, device->inode, &record);
        r = store_create(host, &device->address, device->inode, &record);
        return r == -EEXIST ? 0 : r;
}

/* Until it is judged to the end, whoever looks next (a later event, the daemon) must know that it
 * has just appeared. The executor's final record clears that. Who has the group's lock may hold it
 * for long and is not waited for. */
static int remember_hotplug(const Judgement *judgement)
{
        const GroupPlan *group = judgement->group;
        _cleanup_close_ int lock = -1;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < group->n_members; i++) {
                if (!is_to_be_remembered(&group->members[i]))
                        continue;
                if (lock < 0)
                        lock = store_lock_group(&judgement->pass->host, group->number, false);
                r = remember_member(judgement, group->members[i].device, lock >= 0);
        }
        return r;
}

static int carry_out(Judgement *judgement, uint64_t deadline)
{
        uint64_t now = now_monotonic();
        int r;

        if (plan_is_empty(judgement->plan) && !judgement->is_hotplug)
                return 0;
        r = store_prepare(&judgement->pass->host);
        if (r >= 0)
                r = remember_hotplug(judgement);
        if (r < 0 || plan_is_empty(judgement->plan))
                return r;
        return pass_execute(judgement->pass, judgement->plan, now < deadline ? deadline - now : 1,
                &judgement->report);
}

/* What came of the function, by the report if it was worked on, else by the plan. */
static State outcome(const Judgement *judgement)
{
        const MemberReport *report = judgement->report ?
                pass_find_report(judgement->report, &judgement->event->address) : NULL;

        return report ? report->state : judgement->member->state;
}

static bool was_overtaken(const Judgement *judgement)
{
        const MemberReport *report = judgement->report ?
                pass_find_report(judgement->report, &judgement->event->address) : NULL;

        return report && report->state == STATE_PENDING &&
                judgement->member->action != ACTION_HOLD;
}

/* A VF whose physfn link is not there yet looks like any other function. */
static bool may_be_virtual_function(const Judgement *judgement)
{
        return judgement->member->role == ROLE_NONE &&
                judgement->member->reason == REASON_NONE &&
                judgement->event->action == UDEV_ADD &&
                !judgement->member->device->is_virtual_function;
}

static const char *pending_value(const Judgement *judgement, bool plan_only)
{
        State state = outcome(judgement);

        if (!plan_only && (state == STATE_BINDING || state == STATE_PENDING))
                return "1";
        return may_be_virtual_function(judgement) ? "vf" : "0";
}

static bool is_ours(const Judgement *judgement)
{
        State state = outcome(judgement);

        if (!judgement->group->settings || judgement->member->role == ROLE_BRIDGE)
                return false;
        return state == STATE_BOUND || state == STATE_DETACHED || state == STATE_BINDING ||
                state == STATE_STUCK;
}

static void print_properties(const Judgement *judgement, FILE *output)
{
        fprintf(output, "VFIO_BIND_PENDING=%s\n", pending_value(judgement, false));
        if (judgement->is_hotplug)
                fprintf(output, "VFIO_BIND_CLAIMED=%d\n", is_ours(judgement));
}

static int run(Judgement *judgement, FILE *output)
{
        bool plan_only = judgement->pass->command_line.mode == SWITCH_PLAN;
        uint64_t deadline = now_monotonic() + UDEV_TIMEOUT_USEC;
        int r = 0;

        for (unsigned i = 0; i < ROUNDS_MAX; i++) {
                r = judge(judgement);
                if (r < 0)
                        break;
                if (plan_only) {
                        log_group_plan(judgement->group, true);
                        fprintf(output, "VFIO_BIND_PENDING=%s\n", pending_value(judgement, true));
                        return 0;
                }
                r = carry_out(judgement, deadline);
                if (r < 0 || !was_overtaken(judgement))
                        break;
        }
        if (r == -ENODEV)
                return 0; /* gone meanwhile; its `remove` event follows */
        if (r < 0)
                return r;
        if (judgement->is_hotplug && !judgement->report)
                log_group_plan(judgement->group, false);
        print_properties(judgement, output);
        return 0;
}

int udev_pci(Pass *pass, const UdevEvent *event, FILE *output)
{
        Judgement judgement = {
                .pass = pass,
                .event = event,
        };
        int r;

        r = run(&judgement, output);
        judgement_clear(&judgement);
        return r;
}

int udev_pci_removed(const Host *host, const UdevEvent *event)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        int r, k;

        /* The next function at this address may be there already. */
        r = scan_neighbourhood(host, &event->address, 0, NULL, &snapshot);
        if (r < 0 || snapshot_find(snapshot, &event->address))
                return r;
        r = node_unlink(host, &event->address);
        k = store_remove(host, &event->address);
        return r < 0 ? r : k;
}
