/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/manager-internal.h"
#include "log/log.h"
#include "util/array.h"
#include "util/strings.h"

/* Requests, over D-Bus: plans with leave to unbind.
 *
 *   manager_apply() ─ look ─ groups free? ── no: the daemon's own work ──> WAITING
 *                              │                                             │ published, free
 *                              ├── no: another request's ──> -EBUSY          v
 *                              └── yes ──────────────> start ──────────> WORKING
 *                                                                            │ published, done
 *   ManagerApplyDone <── deferred ── FINISHED <──────────────────────────────┘
 *
 * The callback is always called from the loop, never from within manager_apply(). */

#define CALLS_MAX 256

typedef enum Phase {
        PHASE_WAITING,  /* for work of the daemon itself on the groups concerned */
        PHASE_STARTING, /* they are free: starts from the loop */
        PHASE_WORKING,
        PHASE_FINISHED, /* the callback is due */
} Phase;

/* What the view may not show, because it is not what the daemon itself plans: why the request's
 * own plan, or a worker, refused it, or why it failed. The last word counts. */
typedef struct Outcome {
        PciAddress address;
        State state;
        Reason reason;
        char *text; /* NULL: none */
} Outcome;

struct ApplyCall {
        ApplyCall *next;
        int64_t identifier;
        Phase phase;
        int error;

        ApplyRequest request; /* its pointers point to these: */
        char **claims;
        PciAddress function;
        char *driver;

        ManagerApplyDone done; /* NULL: forgotten */
        void *userdata;

        PciAddress *concerned; /* functions that the reply speaks of */
        size_t n_concerned;
        Outcome *outcomes;
        size_t n_outcomes;
};

static ApplyCall *call_free(ApplyCall *call)
{
        if (!call)
                return NULL;
        string_list_free(call->claims);
        free(call->driver);
        free(call->concerned);
        for (size_t i = 0; i < call->n_outcomes; i++)
                free(call->outcomes[i].text);
        free(call->outcomes);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(ApplyCall, call_free)

static int call_new(const ApplyRequest *request, ManagerApplyDone done, void *userdata,
        ApplyCall **ret)
{
        _cleanup_(call_freep) ApplyCall *call = calloc(1, sizeof(*call));
        int r;

        if (!call)
                return -ENOMEM;
        call->request = *request;
        call->done = done;
        call->userdata = userdata;
        if (request->claims && *request->claims) {
                r = string_list_copy(request->claims, &call->claims);
                if (r < 0)
                        return r;
        }
        call->request.claims = call->claims;
        if (request->function) {
                call->function = *request->function;
                call->request.function = &call->function;
        }
        r = replace_string(&call->driver, request->driver);
        if (r < 0)
                return r;
        call->request.driver = call->driver;
        *ret = TAKE_POINTER(call);
        return 0;
}

static int add_outcome(ApplyCall *call, const PciAddress *address, State state, Reason reason,
        const char *text)
{
        _cleanup_free_ char *copy = NULL;
        int r;

        r = replace_string(&copy, text && *text ? text : NULL);
        if (r >= 0)
                r = ARRAY_GROW(call->outcomes, call->n_outcomes);
        if (r < 0)
                return r;
        call->outcomes[call->n_outcomes++] =
                (Outcome){ *address, state, reason, TAKE_POINTER(copy) };
        return 0;
}

/* What the plan of the request refuses will never be in a worker's report. */
static int add_refusals(ApplyCall *call, const Plan *plan)
{
        for (size_t i = 0; i < call->n_concerned; i++) {
                const MemberPlan *member = plan_find(plan, &call->concerned[i], NULL);
                int r;

                if (!member || (member->state != STATE_REFUSED && member->state != STATE_STUCK))
                        continue;
                r = add_outcome(call, &call->concerned[i], member->state, member->reason,
                        member->text);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool is_asked_for(const ApplyCall *call, const MemberPlan *member)
{
        return call->request.function &&
               pci_address_equal(call->request.function, &member->device->address);
}

static int add_concerned(ApplyCall *call, const Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++) {
                const GroupPlan *group = &plan->groups[i];

                if (!request_concerns(&call->request, group))
                        continue;
                for (size_t j = 0; j < group->n_members; j++) {
                        const MemberPlan *member = &group->members[j];
                        int r;

                        if (member->role != ROLE_SELECTED && member->role != ROLE_COMPANION &&
                            member->action == ACTION_NONE && !is_asked_for(call, member))
                                continue;
                        r = ARRAY_GROW(call->concerned, call->n_concerned);
                        if (r < 0)
                                return r;
                        call->concerned[call->n_concerned++] = member->device->address;
                }
        }
        return 0;
}

/* Switched off: what would be done is answered with the reason why it is not. */
static int refuse_switched_off(ApplyCall *call, const Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++) {
                for (size_t j = 0; j < plan->groups[i].n_members; j++) {
                        const MemberPlan *member = &plan->groups[i].members[j];
                        int r;

                        if (member->action == ACTION_NONE)
                                continue;
                        r = add_outcome(call, &member->device->address, STATE_REFUSED,
                                REASON_DISABLED_BY_KERNEL_COMMAND_LINE, NULL);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int start_work(Manager *manager, ApplyCall *call, View *view)
{
        _cleanup_(settings_freep) ClaimSettings *settings = NULL;
        _cleanup_plan_ Plan *plan = NULL;
        int r;

        if (call->request.manual == MANUAL_BOUND) {
                r = request_make_settings(view, &call->request, &settings);
                if (r < 0)
                        return r;
        }
        r = request_plan(view, &call->request, settings, &plan);
        if (r < 0)
                return r;
        if (call->request.no_probe)
                request_set_no_probe(plan);
        r = add_concerned(call, plan);
        if (r >= 0)
                r = add_refusals(call, plan);
        if (r < 0)
                return r;
        if (!manager_may_execute(manager))
                return refuse_switched_off(call, plan);
        if (call->driver && !request_driver_is_allowed(manager, call->driver))
                return add_outcome(call, call->request.function, STATE_REFUSED,
                        REASON_DRIVER_NOT_VFIO,
                        "That driver is not for user space: its module has no alias vfio_pci:");
        if (!work_filter(manager, plan, true))
                return 0;
        return work_start(manager, view, TAKE_POINTER(plan), TAKE_POINTER(settings),
                call->identifier);
}

static int start(Manager *manager, ApplyCall *call, View *view)
{
        int r;

        call->phase = PHASE_WORKING;
        r = start_work(manager, call, view);
        if (r < 0)
                return r;
        return manager_show(manager, view);
}

/* Who works on a group that the request concerns. */
typedef enum Occupation {
        OCCUPIED_BY_NOBODY,
        OCCUPIED_BY_DAEMON,
        OCCUPIED_BY_REQUEST,
} Occupation;

static Occupation find_occupation(const Manager *manager, const View *view,
        const ApplyRequest *request)
{
        Occupation occupation = OCCUPIED_BY_NOBODY;

        for (size_t i = 0; i < view->plan->n_groups; i++) {
                GroupKey key = group_plan_key(&view->plan->groups[i]);
                const Work *work;
                size_t index;

                if (!request_concerns(request, &view->plan->groups[i]))
                        continue;
                work = work_find(manager, &key, &index);
                if (work && work->request != 0)
                        return OCCUPIED_BY_REQUEST;
                if (work)
                        occupation = OCCUPIED_BY_DAEMON;
        }
        return occupation;
}

static size_t count_calls(const Manager *manager)
{
        size_t n = 0;

        for (const ApplyCall *call = manager->applies; call; call = call->next)
                n++;
        return n;
}

static void remove_call(Manager *manager, const ApplyCall *call)
{
        for (ApplyCall **place = &manager->applies; *place; place = &(*place)->next) {
                if (*place != call)
                        continue;
                *place = call->next;
                return;
        }
}

/* What "auto" means for a function is looked up only where somebody wants to know. */
static int look_for(Manager *manager, const ApplyRequest *request, View **ret)
{
        int r;

        if (streq_null(request->driver, "auto"))
                manager->asked_facts = SNAPSHOT_FACT_VFIO_DRIVERS;
        r = manager_look(manager, ret);
        manager->asked_facts = 0;
        return r;
}

int64_t manager_apply(Manager *manager, const ApplyRequest *request, ManagerApplyDone done,
        void *userdata)
{
        _cleanup_(view_unrefp) View *view = NULL;
        _cleanup_(call_freep) ApplyCall *call = NULL;
        Occupation occupation;
        int64_t identifier;
        int r;

        if (!manager->may_act)
                return -EROFS;
        if (count_calls(manager) >= CALLS_MAX)
                return -EBUSY;
        r = look_for(manager, request, &view);
        if (r < 0)
                return r;
        r = request_check(view, request);
        if (r < 0)
                return r;
        r = call_new(request, done, userdata, &call);
        if (r < 0)
                return r;
        occupation = find_occupation(manager, view, &call->request);
        if (occupation == OCCUPIED_BY_REQUEST)
                return -EBUSY;

        identifier = call->identifier = manager_next_identifier(manager);
        call->next = manager->applies;
        manager->applies = call;
        if (occupation == OCCUPIED_BY_DAEMON) {
                TAKE_POINTER(call);
                return identifier;
        }
        r = start(manager, call, view);
        if (r < 0) {
                remove_call(manager, call);
                return r;
        }
        TAKE_POINTER(call);
        return identifier;
}

void manager_forget_apply(Manager *manager, int64_t identifier)
{
        for (ApplyCall *call = manager->applies; call; call = call->next)
                if (call->identifier == identifier)
                        call->done = NULL;
}

static bool has_outcome(const ApplyCall *call, const PciAddress *address)
{
        for (size_t i = 0; i < call->n_outcomes; i++)
                if (pci_address_equal(&call->outcomes[i].address, address))
                        return true;
        return false;
}

static void forget_outcomes(ApplyCall *call, const PciAddress *address)
{
        for (size_t i = call->n_outcomes; i-- > 0;) {
                if (!pci_address_equal(&call->outcomes[i].address, address))
                        continue;
                free(call->outcomes[i].text);
                call->outcomes[i] = call->outcomes[--call->n_outcomes];
        }
}

/* What a request began and its workers did not finish, the daemon takes up again (recover.c). */
static bool is_of_call(const ApplyCall *call, int64_t request, const PciAddress *address)
{
        if (request != 0)
                return call->identifier == request;
        return call->phase == PHASE_WORKING && has_outcome(call, address);
}

void applies_group_done(Manager *manager, int64_t request, const GroupReport *report)
{
        for (ApplyCall *call = manager->applies; call; call = call->next) {
                for (size_t i = 0; i < report->n_members; i++) {
                        const MemberReport *member = &report->members[i];

                        if (!is_of_call(call, request, &member->address))
                                continue;
                        forget_outcomes(call, &member->address);
                        if (member->state != STATE_REFUSED && member->state != STATE_FAILED &&
                            member->state != STATE_STUCK)
                                continue;
                        if (add_outcome(call, &member->address, member->state, member->reason,
                                    member->text) < 0)
                                call->error = -ENOMEM;
                }
        }
}

/* What is taken up again when its worker has ended may take as long once more: the answer is
 * known. */
static bool is_stuck(const ApplyCall *call)
{
        for (size_t i = 0; i < call->n_outcomes; i++)
                if (call->outcomes[i].state == STATE_STUCK)
                        return true;
        return false;
}

static bool is_done(const Manager *manager, const ApplyCall *call)
{
        if (work_is_open(manager, call->identifier))
                return false;
        return is_stuck(call) ||
               find_occupation(manager, manager->view, &call->request) == OCCUPIED_BY_NOBODY;
}

void applies_published(Manager *manager)
{
        bool is_due = false;

        for (ApplyCall *call = manager->applies; call; call = call->next) {
                if (call->phase == PHASE_WAITING &&
                    find_occupation(manager, manager->view, &call->request) != OCCUPIED_BY_DAEMON)
                        call->phase = PHASE_STARTING;
                else if (call->phase == PHASE_WORKING && is_done(manager, call))
                        call->phase = PHASE_FINISHED;
                if (call->phase == PHASE_STARTING || call->phase == PHASE_FINISHED)
                        is_due = true;
        }
        if (is_due)
                (void) sd_event_source_set_enabled(manager->apply_deferred, SD_EVENT_ONESHOT);
}

static void find_result(const Manager *manager, const ApplyCall *call, const PciAddress *address,
        State *ret_state, Reason *ret_reason, const char **ret_text)
{
        const MemberPlan *member = plan_find(manager->view->plan, address, NULL);

        *ret_state = member ? member->state : STATE_UNCLAIMED;
        *ret_reason = member ? member->reason : REASON_ABSENT;
        *ret_text = member ? member->text : NULL;
        for (size_t i = 0; i < call->n_outcomes; i++) {
                if (!pci_address_equal(&call->outcomes[i].address, address))
                        continue;
                *ret_state = call->outcomes[i].state;
                *ret_reason = call->outcomes[i].reason;
                *ret_text = call->outcomes[i].text;
        }
}

static void deliver(const Manager *manager, const ApplyCall *call)
{
        _cleanup_free_ State *states = calloc(call->n_concerned + 1, sizeof(State));
        _cleanup_free_ Reason *reasons = calloc(call->n_concerned + 1, sizeof(Reason));
        _cleanup_free_ const char **texts = calloc(call->n_concerned + 1, sizeof(char *));
        ApplyResult result = { call->concerned, states, reasons, texts, call->n_concerned };

        if (!call->done)
                return;
        if (call->error < 0 || !states || !reasons || !texts) {
                call->done(call->userdata, call->error < 0 ? call->error : -ENOMEM,
                        &(ApplyResult){});
                return;
        }
        for (size_t i = 0; i < call->n_concerned; i++)
                find_result(manager, call, &call->concerned[i], &states[i], &reasons[i],
                        &texts[i]);
        call->done(call->userdata, 0, &result);
}

static void start_late(Manager *manager, ApplyCall *call)
{
        _cleanup_(view_unrefp) View *view = NULL;
        int r;

        r = look_for(manager, &call->request, &view);
        if (r >= 0)
                r = request_check(view, &call->request);
        if (r >= 0)
                switch (find_occupation(manager, view, &call->request)) {
                case OCCUPIED_BY_DAEMON:
                        call->phase = PHASE_WAITING;
                        return;
                case OCCUPIED_BY_REQUEST:
                        r = -EBUSY;
                        break;
                case OCCUPIED_BY_NOBODY:
                        r = start(manager, call, view);
                        break;
                }
        if (r < 0) {
                call->error = r;
                call->phase = PHASE_FINISHED;
        }
}

static ApplyCall *find_due(const Manager *manager)
{
        for (ApplyCall *call = manager->applies; call; call = call->next)
                if (call->phase == PHASE_STARTING || call->phase == PHASE_FINISHED)
                        return call;
        return NULL;
}

/* Callbacks may make requests of their own: the list is looked through anew each time. */
static int on_apply_deferred(sd_event_source *source, void *userdata)
{
        Manager *manager = userdata;
        ApplyCall *call;

        while ((call = find_due(manager))) {
                if (call->phase == PHASE_STARTING) {
                        start_late(manager, call);
                        continue;
                }
                remove_call(manager, call);
                deliver(manager, call);
                call_free(call);
        }
        return 0;
}

int applies_prepare(Manager *manager)
{
        int r;

        r = sd_event_add_defer(manager->event, &manager->apply_deferred, on_apply_deferred,
                manager);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(manager->apply_deferred, "apply");
        return sd_event_source_set_enabled(manager->apply_deferred, SD_EVENT_OFF);
}

void applies_free(Manager *manager)
{
        sd_event_source_disable_unref(manager->apply_deferred);
        while (manager->applies) {
                ApplyCall *call = manager->applies;

                manager->applies = call->next;
                call_free(call);
        }
}
