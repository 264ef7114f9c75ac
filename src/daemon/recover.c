/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/manager-internal.h"
#include "host/store.h"
#include "log/log.h"
#include "util/io.h"

/* Groups whose transaction was cut off: by a crash, a kill, or a lost race with shutdown. An
 * intent file is left of it. When the daemon starts, such a group is planned anew, with leave to
 * unbind (it was given when the transaction began): what is still wanted and allowed is finished;
 * otherwise the members that had been taken already are given back. While a worker still holds the
 * group's lock, it is not cut off at all; it is looked at again when an event says that something
 * happened to it. */

int recover_prepare(Manager *manager)
{
        int r;

        if (!manager->may_act)
                return 0;
        r = store_list_intents(manager->host, &manager->intents, &manager->n_intents);
        if (r == -ENOENT)
                return 0;
        return r;
}

static bool is_locked(const Manager *manager, int64_t group)
{
        _cleanup_close_ int lock = -1;

        lock = store_lock_group(manager->host, group, false);
        return lock == -EWOULDBLOCK;
}

static GroupPlan *find_group(Plan *plan, int64_t number)
{
        return (GroupPlan *) plan_find_group(plan, number);
}

/* Half taken: an original is recorded, but the record never came to say "bound". */
static bool is_half_taken(const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;

        return record && record->has_original && record->state != STATE_BOUND &&
               record->state != STATE_DETACHED && driver_is_vfio(member->device->driver) &&
               !driver_is_vfio(record->original_driver);
}

static void plan_undo(GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (!is_half_taken(member))
                        continue;
                member->action = ACTION_RELEASE;
                member->target = member->device->record->original_driver;
                group->has_work = true;
        }
}

static int plan_resume(const View *view, const GroupPlan *shown, Plan **ret)
{
        _cleanup_plan_ Plan *plan = NULL;
        GroupPlan *group;
        int r;

        r = planner_plan(view->snapshot, view->config,
                &(PlanRequest){
                        .stage = STAGE_RUNTIME,
                        .may_unbind = true,
                        .only_function = &shown->members[0].device->address,
                },
                &plan);
        if (r < 0)
                return r;
        group = find_group(plan, shown->number);
        if (group && !group->has_work && group->state != STATE_STUCK)
                plan_undo(group);
        *ret = TAKE_POINTER(plan);
        return 0;
}

/* The intent is of no further use where nothing is left to be done. */
static void end_intent(Manager *manager, int64_t group)
{
        int r;

        r = store_end_intent(manager->host, group);
        if (r < 0)
                log_warning("Cannot remove the intent of group %lld, ignoring: %s",
                        (long long) group, strerror(-r));
}

static int resume_group(Manager *manager, View *view, int64_t number, bool *ret_waits)
{
        _cleanup_plan_ Plan *plan = NULL;
        const GroupPlan *shown = plan_find_group(view->plan, number);
        GroupKey key = { .number = number };
        LogFields fields = LOG_FIELDS_NONE;
        int r;

        *ret_waits = false;
        if (work_find_group(manager, &key) || is_locked(manager, number)) {
                *ret_waits = true;
                return 0;
        }
        if (!shown) {
                end_intent(manager, number);
                return 0;
        }
        r = plan_resume(view, shown, &plan);
        if (r < 0)
                return r;
        if (!work_filter(manager, plan, true)) {
                end_intent(manager, number);
                return 0;
        }
        fields.group = number;
        log_full(LOG_NOTICE, &fields,
                "Work on group %lld was cut off, finishing or undoing it.", (long long) number);
        return work_start(manager, view, TAKE_POINTER(plan), NULL, 0);
}

int recover_resume(Manager *manager, View *view)
{
        size_t n = 0;

        if (!manager_acts_by_itself(manager))
                return 0;
        for (size_t i = 0; i < manager->n_intents; i++) {
                bool waits;
                int r;

                r = resume_group(manager, view, manager->intents[i], &waits);
                if (r < 0)
                        return r;
                if (waits)
                        manager->intents[n++] = manager->intents[i];
        }
        manager->n_intents = n;
        return 0;
}
