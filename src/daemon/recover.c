/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/manager-internal.h"
#include "host/store.h"
#include "log/log.h"
#include "util/io.h"
#include "util/strings.h"

/* Groups whose transaction was cut off: by a crash, a kill of the worker and of the one that took
 * up its work, or a lost race with shutdown. An intent file is left of it, of this daemon's work as
 * well as of the helper's and of a daemon before this one. Such a group is planned anew, with leave
 * to unbind (given when the transaction began): what is still wanted and allowed is finished;
 * otherwise the members that had been taken already are given back. While a worker still holds the
 * group's lock, it is not cut off at all. One that was killed holds it a moment longer than its
 * end can be seen, and nothing announces that it let go: after events, and in pauses that grow, it
 * is looked at again. */

/* Whatever kills one worker after another is not given them for ever. */
#define TRIES_MAX 3
#define PAUSE_FIRST_USEC (50 * USEC_PER_MSEC)
/* A worker that lives longer is stuck: then events alone say that it came back. */
#define PAUSE_LAST_USEC  (60 * USEC_PER_SEC)

static Intent *find_intent(const Manager *manager, int64_t group)
{
        for (size_t i = 0; i < manager->n_intents; i++)
                if (manager->intents[i].group == group)
                        return &manager->intents[i];
        return NULL;
}

static int list_intents(Manager *manager)
{
        _cleanup_free_ int64_t *groups = NULL;
        Intent *intents;
        size_t n = 0;
        int r;

        r = store_list_intents(manager->host, &groups, &n);
        if (r < 0)
                return r;
        intents = calloc(n + 1, sizeof(*intents));
        if (!intents)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const Intent *before = find_intent(manager, groups[i]);

                intents[i] = before ? *before : (Intent){ .group = groups[i] };
        }
        free(manager->intents);
        manager->intents = intents;
        manager->n_intents = n;
        return 0;
}

int recover_prepare(Manager *manager)
{
        return manager->may_act ? list_intents(manager) : 0;
}

static bool is_locked(const Manager *manager, int64_t group)
{
        _cleanup_close_ int lock = -1;

        lock = store_lock_group(manager->host, group, false);
        return lock == -EWOULDBLOCK;
}

static void look_again(Intent *intent)
{
        uint64_t now = now_monotonic();

        if (intent->look_usec > now)
                return;
        intent->pause_usec = intent->pause_usec == 0 ? PAUSE_FIRST_USEC : 2 * intent->pause_usec;
        intent->look_usec = intent->pause_usec > PAUSE_LAST_USEC ? USEC_INFINITY
                                                                  : now + intent->pause_usec;
}

uint64_t recover_deadline(const Manager *manager)
{
        uint64_t deadline = USEC_INFINITY;

        for (size_t i = 0; i < manager->n_intents; i++)
                if (manager->intents[i].pause_usec > 0 && manager->intents[i].look_usec < deadline)
                        deadline = manager->intents[i].look_usec;
        return deadline;
}

static GroupPlan *find_group(Plan *plan, int64_t number)
{
        return (GroupPlan *) plan_find_group(plan, number);
}

/* An original is recorded, but no outcome that goes with it: on our driver or without any, or on
 * its own again under an override of ours. */
static bool is_half_taken(const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;
        const char *driver = member->device->driver;

        if (!record || !record->has_original || driver_is_vfio(record->original_driver))
                return false;
        /* what is held joined the group later */
        if (record->state == STATE_BOUND || record->state == STATE_DETACHED ||
            record->state == STATE_PENDING)
                return false;
        return !driver || driver_is_vfio(driver) || streq_null(driver, record->original_driver);
}

/* Unbound, but not given to the host's driver yet. */
static bool is_half_released(const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;

        return record && record->has_original && record->state == STATE_BOUND &&
               record->provenance != PROVENANCE_ADOPTED && !member->device->driver;
}

static void plan_undo(GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (!is_half_taken(member) && !is_half_released(member))
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

static int resume_group(Manager *manager, View *view, Intent *intent)
{
        _cleanup_plan_ Plan *plan = NULL;
        const GroupPlan *shown = plan_find_group(view->plan, intent->group);
        GroupKey key = { .number = intent->group };
        LogFields fields = LOG_FIELDS_NONE;
        int r;

        if (work_find_group(manager, &key))
                return 0;
        if (is_locked(manager, intent->group)) {
                look_again(intent);
                return 0;
        }
        intent->look_usec = intent->pause_usec = 0;
        if (!shown) {
                end_intent(manager, intent->group);
                return 0;
        }
        if (intent->n_tries == TRIES_MAX)
                return 0;
        r = plan_resume(view, shown, &plan);
        if (r < 0)
                return r;
        if (!work_filter(manager, plan, true)) {
                end_intent(manager, intent->group);
                return 0;
        }
        intent->n_tries++;
        fields.group = intent->group;
        log_full(LOG_NOTICE, &fields,
                "Work on group %lld was cut off, finishing or undoing it.",
                (long long) intent->group);
        return work_start(manager, view, TAKE_POINTER(plan), NULL, 0);
}

int recover_resume(Manager *manager, View *view)
{
        int r;

        if (!manager_acts_by_itself(manager))
                return 0;
        r = list_intents(manager);
        for (size_t i = 0; r >= 0 && i < manager->n_intents; i++)
                r = resume_group(manager, view, &manager->intents[i]);
        return r;
}
