/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/recover-plan.h"
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
        GroupPlan *group = (GroupPlan *) plan_find_group(resumption->plan, intent->group);
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
        r = recover_plan(manager, view, shown, entries, n, only_undo, &resumption);
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
