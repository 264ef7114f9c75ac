/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "daemon/manager-internal.h"
#include "daemon/service.h"
#include "util/array.h"
#include "util/strings.h"

/* A view shows one moment: the snapshot, what the plan says about it, and what is underway. */

SharedConfig *shared_config_ref(SharedConfig *shared)
{
        shared->references++;
        return shared;
}

SharedConfig *shared_config_unref(SharedConfig *shared)
{
        if (!shared || --shared->references > 0)
                return NULL;
        config_free(shared->config);
        free(shared);
        return NULL;
}

int view_new(SharedConfig *config, View **ret)
{
        View *view = calloc(1, sizeof(*view));

        if (!view)
                return -ENOMEM;
        view->references = 1;
        view->shared_config = shared_config_ref(config);
        view->config = config->config;
        view->state = "starting";
        *ret = view;
        return 0;
}

View *view_ref(View *view)
{
        view->references++;
        return view;
}

View *view_unref(View *view)
{
        if (!view || --view->references > 0)
                return NULL;
        plan_free(view->plan);
        snapshot_free(view->snapshot);
        shared_config_unref(view->shared_config);
        free(view->nodes);
        free(view);
        return NULL;
}

bool group_key_equal(const GroupKey *a, const GroupKey *b)
{
        if (a->number >= 0 || b->number >= 0)
                return a->number == b->number;
        return pci_address_compare(&a->function, &b->function) == 0;
}

/* Groups of a plan come in the order of their numbers, those without one last. */
int view_read_nodes(View *view, const Host *host)
{
        for (size_t i = 0; i < view->plan->n_groups; i++) {
                GroupNode node = { .group = view->plan->groups[i].number };
                int r;

                if (node.group < 0)
                        break;
                if (node_status(host, node.group, &node.status) < 0 || !node.status.exists)
                        continue;
                r = ARRAY_GROW(view->nodes, view->n_nodes);
                if (r < 0)
                        return r;
                view->nodes[view->n_nodes++] = node;
        }
        view->has_device_nodes = faccessat(host->root, "dev/vfio/devices", F_OK, 0) >= 0;
        return 0;
}

GroupPlan *view_find_group(View *view, const GroupKey *key)
{
        for (size_t i = 0; i < view->plan->n_groups; i++) {
                GroupKey other = group_plan_key(&view->plan->groups[i]);

                if (group_key_equal(key, &other))
                        return &view->plan->groups[i];
        }
        return NULL;
}

/* What is recorded as bound stays so while its node is done again. */
static State state_during(const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;

        switch (member->action) {
        case ACTION_ADOPT:
                if (record && record->state == STATE_BOUND)
                        return _STATE_MAX;
                return STATE_BINDING;
        case ACTION_BIND:
        case ACTION_DETACH:
        case ACTION_HOLD:
                return STATE_BINDING;
        case ACTION_RELEASE:
        case ACTION_PROBE_HOST:
                return STATE_RELEASING;
        default:
                return _STATE_MAX;
        }
}

static void set_outcome(State *state, Reason *reason, char **text, State new_state,
        Reason new_reason, const char *new_text)
{
        *state = new_state;
        *reason = new_reason;
        free(*text);
        /* Without memory the reason stands alone. */
        *text = isempty(new_text) ? NULL : strdup(new_text);
}

/* The claims of a group that is being worked on wait for what comes of it. */
static void show_claims_pending(Plan *plan, const GroupPlan *group)
{
        for (size_t i = 0; i < plan->n_claims; i++) {
                ClaimPlan *claim = &plan->claims[i];

                for (size_t j = 0; j < group->n_members; j++) {
                        if (group->members[j].claim != claim->claim)
                                continue;
                        claim->partial = claim->absent = false;
                        set_outcome(&claim->state, &claim->reason, &claim->text, STATE_PENDING,
                                REASON_NONE, NULL);
                        break;
                }
        }
}

static void show_group_at_work(Plan *plan, GroupPlan *group, const GroupPlan *work)
{
        State state = _STATE_MAX;

        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                for (size_t j = 0; j < work->n_members; j++) {
                        State during = state_during(&work->members[j]);

                        if (during == _STATE_MAX ||
                            !pci_address_equal(&member->device->address,
                                    &work->members[j].device->address))
                                continue;
                        state = during;
                        set_outcome(&member->state, &member->reason, &member->text, during,
                                REASON_NONE, NULL);
                }
        }
        if (state == _STATE_MAX)
                return;
        set_outcome(&group->state, &group->reason, &group->text, state, REASON_NONE, NULL);
        show_claims_pending(plan, group);
}

void plan_show_departing(Plan *plan, GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (member->state == STATE_DRIFTED)
                        set_outcome(&member->state, &member->reason, &member->text,
                                STATE_RELEASING, REASON_NONE, NULL);
        }
        set_outcome(&group->state, &group->reason, &group->text, STATE_RELEASING, REASON_NONE,
                NULL);
        show_claims_pending(plan, group);
}

static void show_claim_outcome(Plan *plan, const Claim *claim, State state, Reason reason,
        const char *text)
{
        for (size_t i = 0; i < plan->n_claims; i++) {
                ClaimPlan *shown = &plan->claims[i];

                if (shown->claim == claim)
                        set_outcome(&shown->state, &shown->reason, &shown->text, state, reason,
                                text);
        }
}

void view_show_outcome(View *view, GroupPlan *group, State state, Reason reason, const char *text)
{
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (member->action == ACTION_NONE)
                        continue;
                set_outcome(&member->state, &member->reason, &member->text, state, reason, text);
                if (member->claim)
                        show_claim_outcome(view->plan, member->claim, state, reason, text);
        }
        set_outcome(&group->state, &group->reason, &group->text, state, reason, text);
}

void view_show_pf_outcome(PhysicalFunctionPlan *pf, State state, Reason reason, const char *text)
{
        set_outcome(&pf->state, &pf->reason, &pf->text, state, reason, text);
}

void view_show_work(View *view, Manager *manager)
{
        for (const Work *work = manager->works; work; work = work->next) {
                for (size_t i = 0; i < work->plan->n_groups; i++) {
                        const GroupPlan *at_work = &work->plan->groups[i];
                        GroupKey key = group_plan_key(at_work);
                        GroupPlan *group;

                        if (work->group_done[i])
                                continue;
                        group = view_find_group(view, &key);
                        if (group)
                                show_group_at_work(view->plan, group, at_work);
                }
        }
}

static bool claim_is_degraded(const ClaimPlan *claim)
{
        if (!claim->claim->enabled || claim->claim->is_skipped || claim->absent)
                return false;
        return claim->claim->has_error || claim->partial || claim->state == STATE_REFUSED ||
               claim->state == STATE_FAILED || claim->state == STATE_STUCK ||
               claim->state == STATE_DRIFTED;
}

static unsigned *find_counter(View *view, const ClaimPlan *claim)
{
        const char *state = claim_plan_state(claim);

        if (streq(state, "bound"))
                return &view->n_bound;
        if (streq(state, "refused"))
                return &view->n_refused;
        if (streq(state, "failed"))
                return &view->n_failed;
        if (streq(state, "stuck"))
                return &view->n_stuck;
        if (streq(state, "absent"))
                return &view->n_absent;
        if (streq(state, "pending") || streq(state, "binding"))
                return &view->n_pending;
        return NULL;
}

void view_summarize(View *view)
{
        const DiagnosticList *diagnostics = &view->config->diagnostics;
        bool is_degraded = diagnostics->n_errors > 0 || diagnostics->failed;

        view->n_bound = view->n_refused = view->n_failed = 0;
        view->n_stuck = view->n_absent = view->n_pending = 0;
        for (size_t i = 0; i < view->plan->n_claims; i++) {
                const ClaimPlan *claim = &view->plan->claims[i];
                unsigned *counter = find_counter(view, claim);

                if (counter)
                        (*counter)++;
                if (claim_is_degraded(claim))
                        is_degraded = true;
        }
        view->state = !view->settled ? "starting" : is_degraded ? "degraded" : "running";
}

void manager_publish(Manager *manager, View *view)
{
        View *old = manager->view;

        dry_runs_forget(manager);
        view->generation = ++manager->generation;
        manager->view = view;
        announce_changes(old, view);
        if (manager->listener.changed)
                manager->listener.changed(manager->listener.userdata, old, view);
        service_view_changed(old, view);
        view_unref(old);
        applies_published(manager);
}
