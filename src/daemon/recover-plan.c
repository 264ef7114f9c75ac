/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/recover-plan.h"

#include <string.h>

#include "util/strings.h"

/* What is to be done for a group whose transaction was cut off, from what its intent asked for and
 * what its records say of how far it came. */

/* An original is recorded, but no outcome that goes with it: on our driver or without any, or on
 * its own again under an override of ours. */
static bool is_half_taken(const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;
        const char *driver = member->device->driver;

        if (!record || !record->has_original || driver_is_vfio(record->original_driver))
                return false;
        if (device_record_is_for_autoprobe_alone(record))
                return false;
        /* what is held joined the group later */
        if (device_record_was_bound(record) || record->state == STATE_DETACHED ||
            record->state == STATE_PENDING)
                return false;
        return !driver || driver_is_vfio(driver) || streq_null(driver, record->original_driver);
}

/* Unbound, but not given to the host's driver yet. */
static bool is_half_released(const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;

        return record && record->has_original && device_record_was_bound(record) &&
               record->provenance != PROVENANCE_ADOPTED && !member->device->driver;
}

static const IntentEntry *find_entry(const IntentEntry *entries, size_t n, const Device *device)
{
        for (size_t i = 0; i < n; i++)
                if (pci_address_equal(&entries[i].address, &device->address))
                        return &entries[i];
        return NULL;
}

/* Does a part of the group stay where an earlier transaction had put it? */
static bool stays_on_vfio(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const Device *device = group->members[i].device;

                if (driver_is_vfio(device->driver) && device->record &&
                    device_record_was_bound(device->record))
                        return true;
        }
        return false;
}

/* It had been bound before, and was unbound to be bound to another driver. */
static void plan_return(GroupPlan *group, MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;

        member->action = ACTION_BIND;
        member->target = record->target_driver;
        member->manual = record->manual;
        group->wants_node = true;
        group->has_work = true;
}

/* What was taken goes back to the host; what had been ours before goes there only if nothing else
 * of its group stays with us: a group is with the host or with us, and not in part. What was not to
 * be touched was unbound by somebody else, and is shown as drifted. */
static void plan_undo(GroupPlan *group, const IntentEntry *entries, size_t n)
{
        bool is_ours = stays_on_vfio(group);

        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];
                bool is_released = is_half_released(member) &&
                                   (n == 0 || find_entry(entries, n, member->device));

                if (!is_half_taken(member) && !is_released)
                        continue;
                if (is_released && is_ours && member->device->record->target_driver) {
                        plan_return(group, member);
                        continue;
                }
                member->action = ACTION_RELEASE;
                member->target = member->device->record->original_driver;
                group->has_work = true;
        }
}

/* What was released to the end has no record any more, or one that says so. */
static void plan_release(GroupPlan *group, const IntentEntry *entries, size_t n)
{
        work_drop_group(group);
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];
                const IntentEntry *entry = find_entry(entries, n, member->device);

                if (!entry || entry->action != ACTION_RELEASE || !member->device->record)
                        continue;
                member->action = ACTION_RELEASE;
                member->target = member->device->record->original_driver;
                member->manual = entry->by_hand ? MANUAL_RELEASED : MANUAL_NONE;
                member->no_probe = entry->no_probe;
                group->has_work = true;
        }
}

static bool has_action(const IntentEntry *entries, size_t n, Action action)
{
        for (size_t i = 0; i < n; i++)
                if (entries[i].action == action)
                        return true;
        return false;
}

/* What only holds a function that joined asks for nothing of the rest of its group. */
static bool asks_to_take(const IntentEntry *entries, size_t n)
{
        return n == 0 || has_action(entries, n, ACTION_BIND) ||
               has_action(entries, n, ACTION_DETACH);
}

/* Leave was given for some of them, and a host driver has another one by now. */
static bool lacks_leave(const GroupPlan *group, const IntentEntry *entries, size_t n)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];
                const IntentEntry *entry = find_entry(entries, n, member->device);

                if ((member->action == ACTION_BIND || member->action == ACTION_DETACH) &&
                    member->device->driver && !driver_is_vfio(member->device->driver) &&
                    !(entry && entry->may_unbind))
                        return true;
        }
        return false;
}

/* A part of it would stay with the host, and the group half taken. */
static bool waits_for_apply(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].reason == REASON_NEEDS_APPLY)
                        return true;
        return false;
}

static bool may_unbind(const IntentEntry *entries, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (entries[i].may_unbind)
                        return true;
        return false;
}

/* A bind by hand: it says for which function it was asked, which speaks for its group. That of an
 * earlier version says at most that it is one; where it does not, nothing else may take what had
 * been released by hand. */
static const IntentEntry *find_bind_by_hand(const View *view, const IntentEntry *entries, size_t n)
{
        const IntentEntry *found = NULL;

        for (size_t i = 0; i < n; i++) {
                const Device *device = snapshot_find(view->snapshot, &entries[i].address);

                if (entries[i].action != ACTION_BIND || !device)
                        continue;
                if (entries[i].is_asked_for)
                        return &entries[i];
                if (!found && (entries[i].by_hand || (device->record && device->record->manual ==
                                                                       MANUAL_RELEASED)))
                        found = &entries[i];
        }
        return found;
}

/* What the host does with it was allowed for that one time, for this instance and on the driver
 * that it was on then: what another one is used for, nobody was asked about. */
static unsigned allowed_again(const View *view, const IntentEntry *entry)
{
        const Device *device = snapshot_find(view->snapshot, &entry->address);

        if (!entry->is_asked_for || entry->inode == 0 || !device || !device->driver ||
            !streq(device->driver, entry->driver))
                return 0;
        return entry->allow_in_use;
}

static int make_settings(const View *view, const IntentEntry *entry, ClaimSettings **ret)
{
        ApplyRequest request = APPLY_REQUEST_ALL;

        request.function = &entry->address;
        request.companions = entry->companions;
        if (entry->is_auto)
                request.driver = "auto";
        else if (entry->target[0])
                request.driver = entry->target;
        return request_make_settings(view, &request, ret);
}

/* What Driver=auto meant when it was decided stands in the intent; it is not looked up at every
 * look at the machine. */
static int recall_drivers(const View *view, const IntentEntry *entries, size_t n)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                Device *device = snapshot_find(view->snapshot, &entries[i].address);

                if (device && entries[i].action == ACTION_BIND && !device->vfio_driver.known)
                        r = replace_string(&device->vfio_driver.text, entries[i].target);
        }
        return r;
}

/* The file may say what nobody is allowed to ask for. */
static bool drivers_are_allowed(const Manager *manager, const IntentEntry *entries, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (entries[i].action == ACTION_BIND && entries[i].target[0] &&
                    !request_driver_is_allowed(manager, entries[i].target))
                        return false;
        return true;
}

static void drop_physical_functions(Plan *plan)
{
        for (size_t i = 0; i < plan->n_physical_functions; i++) {
                PhysicalFunctionPlan *pf = &plan->physical_functions[i];

                pf->autoprobe_off = pf->autoprobe_restore = pf->set_num_vfs = false;
        }
}

/* As the snapshot names it, which lives as long as the plan does; NULL: it is not there now. */
static const char *find_driver(const View *view, const char *name)
{
        for (char *const *driver = view->snapshot->drivers; driver && *driver; driver++)
                if (streq(*driver, name))
                        return *driver;
        return NULL;
}

/* No record says so of what had been ours before, and was reclaimed from the host. */
static void recall_found_drivers(const View *view, GroupPlan *group, const IntentEntry *entries,
        size_t n)
{
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];
                const IntentEntry *entry = find_entry(entries, n, member->device);

                if (entry && entry->driver[0] && !driver_is_harmless(entry->driver))
                        member->found_driver = find_driver(view, entry->driver);
        }
}

/* What is left of it would be taken without leave, or not as it was asked for. */
static bool is_only_undone(const Manager *manager, const GroupPlan *group,
        const IntentEntry *by_hand, const IntentEntry *entries, size_t n)
{
        return !manager_acts_by_itself(manager) || waits_for_apply(group) ||
               lacks_leave(group, entries, n) ||
               (by_hand && !drivers_are_allowed(manager, entries, n));
}

static int request_by_hand(const View *view, const IntentEntry *by_hand,
        const IntentEntry *entries, size_t n, PlanRequest *request, ClaimSettings **ret)
{
        _cleanup_(settings_freep) ClaimSettings *settings = NULL;
        int r;

        r = make_settings(view, by_hand, &settings);
        if (r >= 0 && by_hand->is_auto)
                r = recall_drivers(view, entries, n);
        if (r < 0)
                return r;
        request->manual = MANUAL_BOUND;
        request->manual_function = &by_hand->address;
        request->manual_settings = settings;
        request->manual_allow_in_use = allowed_again(view, by_hand);
        *ret = TAKE_POINTER(settings);
        return 0;
}

int recover_plan(const Manager *manager, const View *view, const GroupPlan *shown,
        const IntentEntry *entries, size_t n, bool only_undo, Resumption *ret)
{
        _cleanup_(resumption_done) Resumption resumption = {};
        bool is_release = has_action(entries, n, ACTION_RELEASE);
        const IntentEntry *by_hand = is_release ? NULL : find_bind_by_hand(view, entries, n);
        PlanRequest request = {
                .stage = STAGE_RUNTIME,
                .may_unbind = may_unbind(entries, n),
                .retry = asks_to_take(entries, n),
                .only_function = &shown->members[0].device->address,
        };
        GroupPlan *group;
        int r = 0;

        if (by_hand)
                r = request_by_hand(view, by_hand, entries, n, &request, &resumption.settings);
        if (r >= 0)
                r = planner_plan(view->snapshot, view->config, &request, &resumption.plan);
        if (r < 0)
                return r;

        group = (GroupPlan *) plan_find_group(resumption.plan, shown->number);
        if (is_release || only_undo || !manager_acts_by_itself(manager))
                drop_physical_functions(resumption.plan);
        if (group) {
                recall_found_drivers(view, group, entries, n);
                if (only_undo ||
                    (!is_release && is_only_undone(manager, group, by_hand, entries, n)))
                        work_drop_group(group);
                else if (is_release)
                        plan_release(group, entries, n);
                if (!group->has_work && !(only_undo && is_release))
                        plan_undo(group, entries, n);
        }
        *ret = resumption;
        resumption = (Resumption){};
        return 0;
}

void resumption_done(Resumption *resumption)
{
        plan_free(resumption->plan);
        settings_free(resumption->settings);
}
