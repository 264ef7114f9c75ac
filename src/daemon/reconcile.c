/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <malloc.h>

#include "daemon/manager-internal.h"
#include "daemon/names.h"
#include "host/guard.h"
#include "host/scan.h"
#include "log/log.h"
#include "util/io.h"
#include "util/strings.h"

/* One turn: look at the machine, plan, have done what may be done, publish what is.
 *
 * Whatever happens only marks the view as out of date. The scan is done when the loop has nothing
 * more urgent to do and no more events come, so that a burst of events costs one; but no later than
 * WAKE_LATEST_USEC, so that nobody can put it off by keeping the loop busy. After a scan that took
 * long, the next one keeps a distance, so that scanning never takes more than a fifth of one
 * processor. */

#define WAKE_LATEST_USEC    (500 * USEC_PER_MSEC)
#define WAKE_LATEST_BUSY_USEC (5 * USEC_PER_SEC)
#define EVENTS_QUIET_USEC   (50 * USEC_PER_MSEC)
#define WORK_QUIET_USEC     (300 * USEC_PER_MSEC)
#define SCAN_DISTANCE       4
#define RETRY_USEC          (5 * USEC_PER_SEC)
#define WAKE_ACCURACY_USEC  (10 * USEC_PER_MSEC)
#define SCAN_FACTS                                                                                 \
        (SNAPSHOT_FACT_DETAILS | SNAPSHOT_FACT_NAMES | SNAPSHOT_FACT_HOST_DRIVERS |                \
                SNAPSHOT_FACT_INTERFACES | SNAPSHOT_FACT_SLOTS)

static int scan(Manager *manager, const Config *config, Snapshot **ret)
{
        const Snapshot *previous = manager->view ? manager->view->snapshot : NULL;
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_names_ Names names;
        int r;

        names_begin(&names, previous);
        r = scan_machine(manager->host, SCAN_FACTS | manager->asked_facts |
                config_needed_facts(config), previous, &snapshot);
        if (r < 0)
                return r;
        r = guard_scan(manager->host, snapshot);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(snapshot);
        return 0;
}

static int make_plan(Manager *manager, const View *view, Plan **ret)
{
        _cleanup_plan_ Plan *plan = NULL;
        _cleanup_free_ PciAddress *hotplugged = NULL;
        PlanRequest request = { .stage = STAGE_RUNTIME,
                                .awaits_drivers = !coldplug_is_over(manager) };
        int r;

        r = arrivals_list(manager, &hotplugged, &request.n_hotplugged);
        if (r < 0)
                return r;
        request.hotplugged = hotplugged;
        r = planner_plan(view->snapshot, view->config, &request, &plan);
        if (r < 0)
                return r;
        r = departures_wait(manager, view->snapshot, plan);
        if (r < 0)
                return r;
        accounts_plan(manager, view->snapshot, plan);
        *ret = TAKE_POINTER(plan);
        return 0;
}

static int say_why(Reason reason, char **text, const char *why)
{
        return reason == REASON_DISABLED_BY_KERNEL_COMMAND_LINE ? replace_string(text, why) : 0;
}

/* The planner sees claims that are skipped; that all of them are, and why, is for us to say. */
static int explain_switched_off(const KernelCommandLine *line, Plan *plan)
{
        _cleanup_free_ char *why = NULL;
        int r;

        r = format_string(&why, "switched off for this boot: %s",
                line->why ?: "vfio_bindd=off on the kernel command line");
        for (size_t i = 0; r >= 0 && i < plan->n_groups; i++) {
                GroupPlan *group = &plan->groups[i];

                r = say_why(group->reason, &group->text, why);
                for (size_t j = 0; r >= 0 && j < group->n_members; j++)
                        r = say_why(group->members[j].reason, &group->members[j].text, why);
        }
        for (size_t i = 0; r >= 0 && i < plan->n_claims; i++)
                r = say_why(plan->claims[i].reason, &plan->claims[i].text, why);
        return r;
}

int manager_look(Manager *manager, View **ret)
{
        _cleanup_(view_unrefp) View *view = NULL;
        uint64_t begin = now_monotonic(), took;
        int r;

        r = view_new(manager->config, &view);
        if (r < 0)
                return r;
        view->interrupt_remapping = manager->interrupt_remapping;
        view->initramfs_state = manager->initramfs_state;
        view->booted_initramfs_state = manager->booted_initramfs_state;
        view->configuration_state = manager->configuration_state;
        r = scan(manager, view->config, &view->snapshot);
        if (r < 0)
                return r;
        r = arrivals_update(manager, view->snapshot);
        if (r < 0)
                return r;
        r = waiting_update(manager, view->snapshot);
        if (r < 0)
                return r;
        r = stuck_update(manager, view->snapshot);
        if (r < 0)
                return r;
        r = drift_update(manager, view->snapshot);
        if (r < 0)
                return r;
        r = make_plan(manager, view, &view->plan);
        if (r < 0)
                return r;
        if (manager->command_line.mode == SWITCH_OFF) {
                r = explain_switched_off(&manager->command_line, view->plan);
                if (r < 0)
                        return r;
        }

        took = now_monotonic() - begin;
        manager->next_scan_usec = begin + (SCAN_DISTANCE + 1) * took;
        log_debug("Looked at %zu functions in %u ms.", view->snapshot->n_devices,
                (unsigned) (took / USEC_PER_MSEC));
        *ret = TAKE_POINTER(view);
        return 0;
}

/* The daemon's own work: what needs no leave to unbind, and what was hot-plugged just now. The
 * plan is made once more, because the view shows its own in another light meanwhile. */
static int carry_out(Manager *manager, View *view)
{
        _cleanup_plan_ Plan *work = NULL;
        int r;

        if (manager_acts_by_itself(manager) && !plan_is_empty(view->plan)) {
                r = make_plan(manager, view, &work);
                if (r < 0)
                        return r;
        }
        /* After planning: a count that this drift has used up still lets it be reclaimed. Before
         * the work: its workers write the records anew. */
        r = drift_record(manager, view);
        if (r < 0)
                return r;
        if (!work || !work_filter(manager, work, false))
                return 0;
        r = accounts_note(manager, work);
        if (r < 0)
                return r;
        return work_start(manager, view, TAKE_POINTER(work), NULL, 0);
}

int manager_show(Manager *manager, View *view)
{
        int r;

        nodes_watch(manager);
        r = view_read_nodes(view, manager->host);
        if (r < 0)
                return r;
        if (manager_may_execute(manager))
                links_update(manager, view);
        r = nodes_update(manager, view);
        if (r < 0)
                return r;
        attempts_show(manager, view);
        view_show_work(view, manager);
        r = stuck_show(manager, view);
        if (r < 0)
                return r;
        settle_update(manager, view);
        view_summarize(view);
        manager_publish(manager, view_ref(view));
        return settle_arm(manager);
}

int manager_reconcile(Manager *manager)
{
        _cleanup_(view_unrefp) View *view = NULL;
        int r;

        r = manager_look(manager, &view);
        if (r < 0)
                return r;
        if (!manager->view && manager->command_line.mode == SWITCH_PLAN)
                log_plan(view->plan, true);
        manager_read_switch(manager);
        r = recover_resume(manager, view);
        if (r < 0)
                return r;
        r = carry_out(manager, view);
        if (r < 0)
                return r;
        arrivals_settle(manager, view->plan);
        r = manager_show(manager, view);
        if (r < 0)
                return r;
        virtual_functions_watch(manager);
        return host_needs_update(manager, view);
}

static int wake_up(Manager *manager)
{
        int r;

        (void) sd_event_source_set_enabled(manager->wake_deferred, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(manager->wake_timer, SD_EVENT_OFF);
        manager->wake_usec = manager->events_since_usec = USEC_INFINITY;
        r = manager_reconcile(manager);
        if (r < 0) {
                log_error("Cannot bring the view up to date, trying again: %s", strerror(-r));
                manager->next_scan_usec = now_monotonic() + RETRY_USEC;
                manager_wake(manager);
        }
        /* The view that was replaced is gone: give its memory back. */
        (void) malloc_trim(0);
        return 0;
}

static int on_wake_deferred(sd_event_source *source, void *userdata)
{
        return wake_up(userdata);
}

static int on_wake_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        return wake_up(userdata);
}

int reconcile_prepare(Manager *manager)
{
        int r;

        r = sd_event_add_defer(manager->event, &manager->wake_deferred, on_wake_deferred, manager);
        if (r < 0)
                return r;
        r = sd_event_source_set_priority(manager->wake_deferred, SD_EVENT_PRIORITY_IDLE);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(manager->wake_deferred, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(manager->wake_deferred, "reconcile");

        r = sd_event_add_time(manager->event, &manager->wake_timer, CLOCK_MONOTONIC, 0,
                WAKE_ACCURACY_USEC, on_wake_timer, manager);
        if (r < 0)
                return r;
        r = sd_event_source_set_priority(manager->wake_timer, SD_EVENT_PRIORITY_IMPORTANT);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(manager->wake_timer, "reconcile-latest");
        return sd_event_source_set_enabled(manager->wake_timer, SD_EVENT_OFF);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

/* While groups are being worked on there is more to see with every one, and the last of them asks
 * for a look at once. While VFs are being made, their end is waited for. */
static uint64_t after_events(const Manager *manager, uint64_t now)
{
        uint64_t quiet = now + EVENTS_QUIET_USEC, latest = WAKE_LATEST_USEC;

        if (virtual_functions_are_coming(manager))
                return later(manager->next_scan_usec,
                        manager->events_since_usec + WAKE_LATEST_BUSY_USEC);
        if (manager->executor && !executor_is_idle(manager->executor)) {
                quiet = now + WORK_QUIET_USEC;
                latest = WAKE_LATEST_BUSY_USEC;
        }
        return later(manager->next_scan_usec, earlier(quiet, manager->events_since_usec + latest));
}

static void arm(Manager *manager, uint64_t now)
{
        uint64_t at = manager->wake_usec;

        if (manager->events_since_usec != USEC_INFINITY)
                at = earlier(at, after_events(manager, now));
        (void) sd_event_source_set_time(manager->wake_timer, at);
        (void) sd_event_source_set_enabled(manager->wake_timer, SD_EVENT_ONESHOT);
}

void manager_wake(Manager *manager)
{
        uint64_t now = now_monotonic();

        if (manager->wake_usec != USEC_INFINITY)
                return; /* due already */
        if (manager->next_scan_usec <= now)
                (void) sd_event_source_set_enabled(manager->wake_deferred, SD_EVENT_ONESHOT);
        manager->wake_usec = manager->next_scan_usec > now ? manager->next_scan_usec
                                                           : now + WAKE_LATEST_USEC;
        arm(manager, now);
}

void manager_wake_after_events(Manager *manager)
{
        uint64_t now = now_monotonic();

        manager->events_since_usec = earlier(manager->events_since_usec, now);
        arm(manager, now);
}
