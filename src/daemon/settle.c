/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager-internal.h"
#include "util/io.h"

/* When the boot's claims are settled: nothing more is underway for any of them that its Timeout=
 * grants time to, or BootTimeout= and SETTLE_EXTRA_USEC have passed. What waits for a person, for
 * hardware or for a changed configuration is settled: waiting for it would only keep the machine
 * from booting. Once settled, a daemon stays so. */

#define SETTLE_EXTRA_USEC (30 * USEC_PER_SEC)
/* Below TimeoutStartSec= of vfio-bindd.service, which ends a daemon that is not ready by then. */
#define SETTLE_MAX_USEC (240 * USEC_PER_SEC)
#define DEADLINE_ACCURACY_USEC (100 * USEC_PER_MSEC)

static bool is_underway(const View *view, const Manager *manager, const ClaimPlan *claim)
{
        if (!claim->claim->enabled || claim->claim->is_skipped || claim->claim->has_error)
                return false;
        /* VFs to come may be what it selects. */
        if (work_has_physical_functions(manager))
                return true;
        if (claim->state == STATE_BINDING || claim->state == STATE_RELEASING ||
            claim->reason == REASON_DEFERRED_TO_NEXT_STAGE)
                return true;
        for (size_t i = 0; i < view->plan->n_groups; i++) {
                const GroupPlan *group = &view->plan->groups[i];

                for (size_t j = 0; j < group->n_members; j++)
                        if (group->members[j].claim == claim->claim &&
                            (group->members[j].state == STATE_BINDING ||
                                    group->members[j].state == STATE_RELEASING))
                                return true;
        }
        return false;
}

static uint64_t claim_deadline(const Manager *manager, const Claim *claim)
{
        uint64_t overall = manager->config->config->boot_timeout_usec + SETTLE_EXTRA_USEC;
        uint64_t own = claim->settings.timeout_usec;

        if (overall > SETTLE_MAX_USEC)
                overall = SETTLE_MAX_USEC;
        return manager->started_usec + (own < overall ? own : overall);
}

/* The first moment at which one claim less is waited for; 0: none is. */
static uint64_t settle_deadline(const Manager *manager, const View *view)
{
        uint64_t now = now_monotonic(), next = 0;

        for (size_t i = 0; i < view->plan->n_claims; i++) {
                const ClaimPlan *claim = &view->plan->claims[i];
                uint64_t deadline = claim_deadline(manager, claim->claim);

                if (deadline <= now || !is_underway(view, manager, claim))
                        continue;
                if (next == 0 || deadline < next)
                        next = deadline;
        }
        return next;
}

void settle_update(Manager *manager, View *view)
{
        if (!manager->is_settled)
                manager->is_settled = settle_deadline(manager, view) == 0;
        view->settled = manager->is_settled;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        manager_wake(userdata);
        return 0;
}

int settle_arm(Manager *manager)
{
        uint64_t deadline = waiting_deadline(manager);
        uint64_t recover = recover_deadline(manager);
        int r;

        if (recover < deadline)
                deadline = recover;
        if (!manager->is_settled) {
                uint64_t settled = settle_deadline(manager, manager->view);

                if (settled > 0 && settled < deadline)
                        deadline = settled;
        }
        if (!manager->deadline_timer) {
                if (deadline == USEC_INFINITY)
                        return 0;
                r = sd_event_add_time(manager->event, &manager->deadline_timer, CLOCK_MONOTONIC,
                        deadline, DEADLINE_ACCURACY_USEC, on_deadline, manager);
                if (r < 0)
                        return r;
                return sd_event_source_set_description(manager->deadline_timer, "deadline");
        }
        if (deadline == USEC_INFINITY)
                return sd_event_source_set_enabled(manager->deadline_timer, SD_EVENT_OFF);
        r = sd_event_source_set_time(manager->deadline_timer, deadline);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(manager->deadline_timer, SD_EVENT_ONESHOT);
}
