/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "daemon/manager-internal.h"
#include "log/log.h"
#include "util/array.h"
#include "util/hash.h"
#include "util/strings.h"

/* The daemon by itself tries nothing twice that failed, and nothing for ever that seems to succeed
 * but leaves the same work behind. The planner says so too, from the records; this holds even
 * where a record could not be written. Requests are not limited. */

#define ATTEMPTS_MAX 3

typedef struct AttemptKey {
        bool is_physical_function;
        GroupKey group;
} AttemptKey;

struct Attempt {
        AttemptKey key;
        uint64_t signature; /* of what was to be done, and to which instances */
        unsigned n;         /* times in a row */
        State state;        /* of the last report, where it said that more is to be done; else
                             * STATE_UNCLAIMED */
        Reason reason;
        char *text;
};

static uint64_t mix_text(uint64_t hash, const char *text)
{
        return hash_update(hash, text ?: "", strlen(text ?: "") + 1);
}

/* Only its override is to be put back, perhaps: that is not what was tried before. */
static bool is_half_done(const MemberPlan *member)
{
        return member->action == ACTION_PROBE_HOST && member->device->record &&
               member->device->record->has_original;
}

static uint64_t group_signature(const GroupPlan *group)
{
        uint64_t hash = HASH_START;

        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];
                bool half_done = is_half_done(member);

                hash = mix_text(hash, PCI_ADDRESS_TEXT(&member->device->address));
                hash = hash_update(hash, &member->device->inode, sizeof(member->device->inode));
                hash = hash_update(hash, &member->action, sizeof(member->action));
                hash = hash_update(hash, &half_done, sizeof(half_done));
                hash = mix_text(hash, member->device->driver);
                hash = mix_text(hash, member->target);
                hash = mix_text(hash, member->claim ? member->claim->name : NULL);
        }
        return hash;
}

static uint64_t pf_signature(const PhysicalFunctionPlan *pf)
{
        uint64_t hash = HASH_START;
        unsigned num_vfs = pf->set_num_vfs ? pf->num_vfs : 0;

        hash = hash_update(hash, &pf->device->inode, sizeof(pf->device->inode));
        hash = hash_update(hash, &pf->autoprobe_off, sizeof(pf->autoprobe_off));
        hash = hash_update(hash, &pf->autoprobe_restore, sizeof(pf->autoprobe_restore));
        hash = hash_update(hash, &num_vfs, sizeof(num_vfs));
        return mix_text(hash, pf->device->driver);
}

/* A physical function is a subject of its own beside its group. */
static AttemptKey group_key(const GroupPlan *group)
{
        return (AttemptKey){ .group = group_plan_key(group) };
}

static AttemptKey pf_key(const PciAddress *address)
{
        return (AttemptKey){ .is_physical_function = true,
                .group = { .number = -1, .function = *address } };
}

static Attempt *find_attempt(const Manager *manager, AttemptKey key)
{
        for (size_t i = 0; i < manager->n_attempts; i++)
                if (manager->attempts[i].key.is_physical_function == key.is_physical_function &&
                    group_key_equal(&manager->attempts[i].key.group, &key.group))
                        return &manager->attempts[i];
        return NULL;
}

static bool is_failure(State state)
{
        return state == STATE_FAILED || state == STATE_STUCK || state == STATE_REFUSED;
}

static bool is_allowed(const Attempt *attempt, uint64_t signature)
{
        if (!attempt || attempt->signature != signature)
                return true;
        return !is_failure(attempt->state) && attempt->n < ATTEMPTS_MAX;
}

bool attempt_allowed(const Manager *manager, const GroupPlan *group)
{
        return is_allowed(find_attempt(manager, group_key(group)), group_signature(group));
}

bool attempt_allowed_pf(const Manager *manager, const PhysicalFunctionPlan *pf)
{
        return is_allowed(find_attempt(manager, pf_key(&pf->device->address)), pf_signature(pf));
}

static int note(Manager *manager, AttemptKey key, uint64_t signature)
{
        Attempt *attempt = find_attempt(manager, key);
        int r;

        if (!attempt) {
                r = ARRAY_GROW(manager->attempts, manager->n_attempts);
                if (r < 0)
                        return r;
                attempt = &manager->attempts[manager->n_attempts++];
                *attempt = (Attempt){ .key = key };
        }
        if (attempt->signature != signature)
                attempt->n = 0;
        attempt->signature = signature;
        attempt->state = STATE_UNCLAIMED;
        attempt->n++;
        return 0;
}

int attempt_note(Manager *manager, const GroupPlan *group)
{
        return note(manager, group_key(group), group_signature(group));
}

int attempt_note_pf(Manager *manager, const PhysicalFunctionPlan *pf)
{
        return note(manager, pf_key(&pf->device->address), pf_signature(pf));
}

static void report(Attempt *attempt, State state, Reason reason, const char *text)
{
        if (!attempt || (!is_failure(state) && state != STATE_PENDING && state != STATE_BINDING))
                return;
        attempt->state = state;
        attempt->reason = reason;
        if (replace_string(&attempt->text, text) < 0)
                log_debug("No memory for the reason why something failed.");
}

void attempt_report(Manager *manager, const GroupPlan *group, const GroupReport *group_report)
{
        report(find_attempt(manager, group_key(group)), group_report->state, group_report->reason,
                group_report->text);
}

void attempt_report_pf(Manager *manager, const PhysicalFunctionReport *pf_report)
{
        report(find_attempt(manager, pf_key(&pf_report->address)), pf_report->state,
                pf_report->reason, pf_report->text);
}

static void remove_attempt(Manager *manager, size_t index)
{
        free(manager->attempts[index].text);
        manager->attempts[index] = manager->attempts[--manager->n_attempts];
}

/* What is not tried again: that it was stuck is no longer so when its worker has come back, and
 * what only lacked its last step after all those times has failed. */
static void show_outcome(const Manager *manager, View *view, GroupPlan *group,
        const Attempt *attempt)
{
        if (attempt->state == STATE_STUCK &&
            !manager_worker_lives(manager, group->members[0].device))
                view_show_outcome(view, group, STATE_FAILED, attempt->reason,
                        "its worker came back after the time had passed");
        else if (attempt->state == STATE_BINDING)
                view_show_outcome(view, group, STATE_FAILED,
                        attempt->reason == REASON_NONE ? REASON_PROBE_FAILED : attempt->reason,
                        attempt->text);
        else
                view_show_outcome(view, group, attempt->state, attempt->reason, attempt->text);
}

static bool show_group(Manager *manager, View *view, const Attempt *attempt)
{
        GroupPlan *group = view_find_group(view, &attempt->key.group);

        if (work_find_group(manager, &attempt->key.group))
                return true;
        /* while it is stuck nothing is planned, but it is not over */
        if (!group || !group->has_work)
                return group && group->state == STATE_STUCK;
        if (attempt->state != STATE_UNCLAIMED && !attempt_allowed(manager, group))
                show_outcome(manager, view, group, attempt);
        return true;
}

static bool show_physical_function(Manager *manager, View *view, const Attempt *attempt)
{
        for (size_t i = 0; i < view->plan->n_physical_functions; i++) {
                PhysicalFunctionPlan *pf = &view->plan->physical_functions[i];

                if (!pci_address_equal(&pf->device->address, &attempt->key.group.function))
                        continue;
                if (work_has_physical_function(manager, &pf->device->address))
                        return true;
                if (!pf->autoprobe_off && !pf->autoprobe_restore && !pf->set_num_vfs)
                        return false;
                if (attempt->state != STATE_UNCLAIMED && !attempt_allowed_pf(manager, pf))
                        view_show_pf_outcome(pf, attempt->state, attempt->reason, attempt->text);
                return true;
        }
        return false;
}

/* Shows what is not tried again; forgets what there is nothing left to do for. */
void attempts_show(Manager *manager, View *view)
{
        for (size_t i = manager->n_attempts; i-- > 0;) {
                const Attempt *attempt = &manager->attempts[i];
                bool is_needed = attempt->key.is_physical_function
                                         ? show_physical_function(manager, view, attempt)
                                         : show_group(manager, view, attempt);

                if (!is_needed)
                        remove_attempt(manager, i);
        }
}

void attempts_forget(Manager *manager)
{
        while (manager->n_attempts > 0)
                remove_attempt(manager, manager->n_attempts - 1);
        free(manager->attempts);
        manager->attempts = NULL;
}
