/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/manager-internal.h"
#include "exec/intent.h"
#include "host/store.h"
#include "log/log.h"
#include "util/io.h"
#include "util/strings.h"

/* Groups whose transaction was cut off: by a crash, a kill of the worker and of the one that took
 * up its work, a lost race with shutdown, or because it was stuck until it was given up. An intent
 * file is left of it, of this daemon's work as well as of the helper's and of a daemon before this
 * one. It says what was asked for:
 *
 *   release   is finished, as it was asked for;
 *   bind      is planned anew, with leave to unbind host drivers if it was decided with that, and
 *             finished if it is still wanted and allowed; otherwise what was taken is given back.
 *
 * How often that was tried stands in the file before it is tried: a daemon that it brings down, and
 * that is started again, does not try it for ever.
 *
 * One that took too long is taken up once, when its worker has ended; the next one only gives back
 * what was taken, and there is no third. Then it is over: an intent that stayed would be carried
 * out when the daemon is started the next time, long after whoever asked for it was told no.
 *
 * While the boot service is not enabled, nothing is taken: what was cut off goes back to the host,
 * for half a group on VFIO is of use to nobody. While a worker still holds the group's lock, it is
 * not cut off at all. One that was killed holds it a moment longer than its end can be seen, and
 * nothing announces that it let go: it is looked at again after events, and in pauses that grow. */

/* Whatever kills one worker after another is not given them for ever. */
#define TRIES_MAX    3
#define TIMEOUTS_MAX 2
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

typedef struct Resumption {
        Plan *plan;
        ClaimSettings *settings; /* of a bind by hand, NULL: none */
} Resumption;

static void resumption_done(Resumption *resumption)
{
        plan_free(resumption->plan);
        settings_free(resumption->settings);
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

static int plan_resume(const Manager *manager, const View *view, const GroupPlan *shown,
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

        group = find_group(resumption.plan, shown->number);
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

/* Of a function that is gone, whatever stands in its place by now: nothing was asked of that. */
static void drop_gone(const View *view, IntentEntry *entries, size_t *n)
{
        size_t n_left = 0;

        for (size_t i = 0; i < *n; i++) {
                const Device *device = snapshot_find(view->snapshot, &entries[i].address);

                if (entries[i].inode == 0 || (device && device->inode == entries[i].inode))
                        entries[n_left++] = entries[i];
        }
        *n = n_left;
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

/* judge.c says so when the worker has ended. */
static bool has_timed_out(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const DeviceRecord *record = group->members[i].device->record;

                if (record && record->state == STATE_FAILED &&
                    record->reason == REASON_WORKER_TIMEOUT)
                        return true;
        }
        return false;
}

static void give_up(Manager *manager, const Intent *intent)
{
        LogFields fields = LOG_FIELDS_NONE;

        fields.group = intent->group;
        fields.reason = REASON_WORKER_TIMEOUT;
        log_full(LOG_ERR, &fields,
                "What was to be done to group %lld is given up, it is left as it is. See "
                "\"vfio-bindctl status\", then ask for it again.",
                (long long) intent->group);
        end_intent(manager, intent->group);
}

static unsigned more_of(unsigned a, unsigned b)
{
        return a > b ? a : b;
}

/* What the file says, where it could be written the last time: another intent may have taken its
 * place. */
static ResumeCount count_try(const Intent *intent, const GroupPlan *shown, const char *text)
{
        ResumeCount count = intent_parse_count(text);

        if (intent->is_uncounted) {
                count.n_tries = more_of(count.n_tries, intent->count.n_tries);
                count.n_timeouts = more_of(count.n_timeouts, intent->count.n_timeouts);
        }
        count.n_tries++;
        count.n_timeouts += has_timed_out(shown);
        return count;
}

static int write_count(const Manager *manager, Intent *intent, const char *text)
{
        _cleanup_free_ char *counted = NULL;
        int r;

        r = intent_set_count(text, intent->count, &counted);
        if (r < 0)
                return r;
        r = store_begin_intent(manager->host, intent->group, counted);
        intent->is_uncounted = r < 0;
        if (r < 0)
                log_warning("Cannot note that work on group %lld is taken up, ignoring: %s",
                        (long long) intent->group, strerror(-r));
        return 0;
}

/* Under the group's lock, so that nobody finishes it meanwhile. One that cannot be read says
 * nothing: the group is brought to where it is wanted, or back. Returns 1, 0: there is nothing to
 * be done, or a negative errno. */
static int take_up(Manager *manager, const GroupPlan *shown, Intent *intent, char **ret)
{
        _cleanup_close_ int lock = store_lock_group(manager->host, intent->group, false);
        _cleanup_free_ char *text = NULL;
        int r;

        if (lock == -EWOULDBLOCK) {
                look_again(intent);
                return 0;
        }
        intent->look_usec = intent->pause_usec = 0;
        if (!shown) {
                end_intent(manager, intent->group);
                return 0;
        }
        /* its worker may have come back since it was looked at: judge.c says so */
        if (shown->state == STATE_STUCK)
                return 0;
        r = store_read_intent(manager->host, intent->group, &text);
        if (r == -ENOENT) /* it came to its end since it was listed */
                return 0;
        if (r < 0 && r != -ENOMEM)
                r = replace_string(&text, "");
        if (r < 0)
                return r;
        intent->count = count_try(intent, shown, text);
        if (intent->count.n_tries > TRIES_MAX || intent->count.n_timeouts > TIMEOUTS_MAX) {
                give_up(manager, intent);
                return 0;
        }
        r = write_count(manager, intent, text);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(text);
        return 1;
}

/* Entries that are left to be heeded; none: the intent says nothing. Returns 1, 0: all it speaks of
 * is gone, or a negative errno. */
static int read_entries(const View *view, const char *text, IntentEntry **ret, size_t *ret_n)
{
        _cleanup_free_ IntentEntry *entries = NULL;
        size_t n, n_left;
        int r;

        r = intent_parse(text, &entries, &n);
        if (r < 0)
                return r;
        n_left = n;
        drop_gone(view, entries, &n_left);
        if (n > 0 && n_left == 0)
                return 0;
        *ret = TAKE_POINTER(entries);
        *ret_n = n_left;
        return 1;
}

static int start_resumption(Manager *manager, View *view, Intent *intent, Resumption *resumption)
{
        GroupPlan *group = find_group(resumption->plan, intent->group);
        LogFields fields = LOG_FIELDS_NONE;

        if (group)
                group->resumed = intent->count;
        fields.group = intent->group;
        log_full(LOG_NOTICE, &fields,
                "Work on group %lld was cut off, finishing or undoing it.",
                (long long) intent->group);
        return work_start(manager, view, TAKE_POINTER(resumption->plan),
                TAKE_POINTER(resumption->settings), 0);
}

static int resume_group(Manager *manager, View *view, Intent *intent)
{
        _cleanup_(resumption_done) Resumption resumption = {};
        _cleanup_free_ IntentEntry *entries = NULL;
        _cleanup_free_ char *text = NULL;
        const GroupPlan *shown = plan_find_group(view->plan, intent->group);
        GroupKey key = { .number = intent->group };
        bool only_undo;
        size_t n = 0;
        int r;

        if (work_find_group(manager, &key))
                return 0;
        r = take_up(manager, shown, intent, &text);
        if (r <= 0)
                return r;
        r = read_entries(view, text, &entries, &n);
        if (r == 0)
                end_intent(manager, intent->group);
        if (r <= 0)
                return r;
        only_undo = intent->count.n_timeouts == TIMEOUTS_MAX;
        r = plan_resume(manager, view, shown, entries, n, only_undo, &resumption);
        if (r < 0)
                return r;
        if (work_filter(manager, resumption.plan, true))
                return start_resumption(manager, view, intent, &resumption);
        if (only_undo)
                give_up(manager, intent);
        else
                end_intent(manager, intent->group);
        return 0;
}

int recover_resume(Manager *manager, View *view)
{
        int r;

        if (!manager_may_execute(manager))
                return 0;
        r = list_intents(manager);
        for (size_t i = 0; r >= 0 && i < manager->n_intents; i++)
                r = resume_group(manager, view, &manager->intents[i]);
        return r;
}
