/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fake-manager.h"

#include <errno.h>

#include "lib/snapshot-text.h"
#include "lib/test.h"
#include "util/array.h"
#include "util/strings.h"

void fake_manager_init(Manager *manager, sd_event *event)
{
        *manager = (Manager){ .event = event };
}

static void fake_apply_free(FakeApply *apply)
{
        string_list_free(apply->claims);
        free(apply->driver);
        free(apply);
}

void fake_manager_done(Manager *manager)
{
        while (manager->pending) {
                FakeApply *apply = manager->pending;
                manager->pending = apply->next;
                fake_apply_free(apply);
        }
        manager->dry_run = plan_free(manager->dry_run);
        manager->view = view_unref(manager->view);
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
        config_free(view->config);
        free(view->nodes);
        free(view);
        return NULL;
}

static Match *parse_match(const char *text, unsigned line)
{
        DiagnosticList problems = {};
        Match *match = NULL;

        ASSERT_OK(match_parse(text, (Location){ "/etc/vfio-bind.conf", line, 1 }, NULL, &problems,
                &match));
        diagnostic_list_done(&problems);
        return match;
}

static Match **one_match(const char *text, unsigned line)
{
        Match **list = calloc(1, sizeof(*list));

        ASSERT_TRUE(list);
        list[0] = parse_match(text, line);
        return list;
}

static void add_claim(Config *config, const char *name, const char *terms, unsigned line)
{
        Claim claim = {
                .location = { "/etc/vfio-bind.conf", line, 1 },
                .matches = one_match(terms, line),
                .n_matches = 1,
                .enabled = true,
        };

        ASSERT_OK(replace_string(&claim.name, name));
        ASSERT_OK(claim_settings_copy(&config->defaults, &claim.settings));
        ASSERT_OK(ARRAY_GROW(config->claims, config->n_claims));
        config->claims[config->n_claims++] = claim;
}

static void add_physical_function(Config *config, const char *name, unsigned number,
        const char *terms, unsigned line)
{
        PhysicalFunction function = {
                .location = { "/etc/vfio-bind.conf", line, 1 },
                .matches = one_match(terms, line),
                .n_matches = 1,
                .num_vfs = NUM_VFS_NUMBER,
                .number = number,
        };

        ASSERT_OK(replace_string(&function.name, name));
        ASSERT_OK(ARRAY_GROW(config->physical_functions, config->n_physical_functions));
        config->physical_functions[config->n_physical_functions++] = function;
}

static void add_line(Config *config, const char *text, unsigned line)
{
        char name[64], file[64];
        unsigned a, b;
        int n = 0;

        if (sscanf(text, "claim %63s %n", name, &n) == 1 && n > 0) {
                add_claim(config, name, text + n, line);
        } else if (sscanf(text, "pf %63s %u %n", name, &a, &n) == 2 && n > 0) {
                add_physical_function(config, name, a, text + n, line);
        } else if (sscanf(text, "error %63s %u %u %n", file, &a, &b, &n) == 3 && n > 0) {
                ASSERT_OK(string_list_append(&config->files, file));
                diagnostic_error(&config->diagnostics,
                        (Location){ config->files[string_list_length(config->files) - 1], a, b },
                        NULL, "%s", text + n);
        } else {
                fprintf(stderr, "no line of a configuration: %s\n", text);
                abort();
        }
}

static Config *parse_config(const char *text)
{
        _cleanup_free_ char *copy = strdup(text);
        char *position = NULL;
        Config *config = NULL;
        unsigned n = 0;

        ASSERT_TRUE(copy);
        ASSERT_OK(config_new(&config));
        for (char *line = strtok_r(copy, "\n", &position); line;
                line = strtok_r(NULL, "\n", &position))
                add_line(config, line, ++n);
        return config;
}

View *fake_view_new(const char *config, const char *machine)
{
        _cleanup_text_machine_ TextMachine text = {};
        View *view = calloc(1, sizeof(*view));

        ASSERT_TRUE(view);
        view->references = 1;
        view->config = parse_config(config);
        text_machine_parse(machine, view->config, &text);
        view->snapshot = TAKE_POINTER(text.snapshot);
        text.request.stage = STAGE_RUNTIME;
        ASSERT_OK(planner_plan(view->snapshot, view->config, &text.request, &view->plan));
        view->state = view->config->diagnostics.n_errors > 0 ? "degraded" : "running";
        return view;
}

void fake_view_add_node(View *view, int64_t group, uid_t uid, gid_t gid, mode_t mode)
{
        ASSERT_OK(ARRAY_GROW(view->nodes, view->n_nodes));
        view->nodes[view->n_nodes++] = (GroupNode){
                .group = group,
                .status = { .exists = true, .uid = uid, .gid = gid, .mode = mode },
        };
}

void fake_manager_publish(Manager *manager, View *view)
{
        View *old = manager->view;

        manager->view = view;
        if (manager->listener.changed)
                manager->listener.changed(manager->listener.userdata, old, view);
        view_unref(old);
}

void manager_set_listener(Manager *manager, const ManagerListener *listener)
{
        manager->listener = *listener;
}

View *manager_view(Manager *manager)
{
        return manager->view;
}

int manager_reload(Manager *manager)
{
        manager->n_reloads++;
        return manager->reload_result;
}

static FakeApply *remember(Manager *manager, void *userdata)
{
        FakeApply *apply = calloc(1, sizeof(*apply));

        ASSERT_TRUE(apply);
        apply->identifier = (int64_t) ++manager->n_applies;
        apply->userdata = userdata;
        apply->next = manager->pending;
        manager->pending = apply;
        return apply;
}

int64_t manager_apply(Manager *manager, const ApplyRequest *request, ManagerApplyDone done,
        void *userdata)
{
        FakeApply *apply;

        if (manager->apply_result < 0)
                return manager->apply_result;
        apply = remember(manager, userdata);
        apply->done = done;
        ASSERT_OK(string_list_copy(request->claims, &apply->claims));
        apply->prune = request->prune;
        apply->has_function = request->function;
        if (request->function)
                apply->function = *request->function;
        apply->inode = request->inode;
        apply->manual = request->manual;
        ASSERT_OK(replace_string(&apply->driver, request->driver));
        apply->companions = request->companions;
        apply->allow_in_use = request->allow_in_use;
        apply->no_probe = request->no_probe;
        return apply->identifier;
}

int64_t manager_list_holders(Manager *manager, int64_t group, ManagerHoldersDone done,
        void *userdata)
{
        FakeApply *apply;

        if (manager->apply_result < 0)
                return manager->apply_result;
        apply = remember(manager, userdata);
        apply->holders_done = done;
        return apply->identifier;
}

static void forget(Manager *manager, int64_t identifier)
{
        for (FakeApply **link = &manager->pending; *link; link = &(*link)->next) {
                FakeApply *apply = *link;

                if (apply->identifier != identifier)
                        continue;
                *link = apply->next;
                fake_apply_free(apply);
                manager->n_forgotten++;
                return;
        }
        fprintf(stderr, "no request %lld to forget\n", (long long) identifier);
        abort();
}

void manager_forget_apply(Manager *manager, int64_t identifier)
{
        forget(manager, identifier);
}

void manager_forget_holders(Manager *manager, int64_t identifier)
{
        forget(manager, identifier);
}

void manager_take_system_state(Manager *manager, SystemState state)
{
        manager->system_state = state;
        manager->n_system_states++;
}

int manager_plan(Manager *manager, bool prune, bool next_boot, const Plan **ret)
{
        PlanRequest request = { .stage = STAGE_RUNTIME, .may_unbind = true, .prune = prune };
        int r;

        manager->planned_prune = prune;
        manager->planned_next_boot = next_boot;
        if (!manager->view)
                return -ENODATA;
        manager->dry_run = plan_free(manager->dry_run);
        r = planner_plan(manager->view->snapshot, manager->view->config, &request,
                &manager->dry_run);
        *ret = manager->dry_run;
        return r;
}

static bool is_concerned(const FakeApply *apply, const GroupPlan *group, const MemberPlan *member)
{
        if (!apply->has_function)
                return member->claim != NULL;
        for (size_t i = 0; i < group->n_members; i++)
                if (pci_address_equal(&group->members[i].device->address, &apply->function))
                        return true;
        return false;
}

static FakeApply *take_newest(Manager *manager)
{
        FakeApply *apply = manager->pending;

        ASSERT_TRUE(apply);
        manager->pending = apply->next;
        return apply;
}

void fake_manager_finish(Manager *manager, int error, State state, Reason reason)
{
        FakeApply *apply = take_newest(manager);
        PciAddress addresses[64];
        State states[64];
        Reason reasons[64];
        const char *texts[64];
        ApplyResult result = { addresses, states, reasons, texts, 0 };
        /* a request may come before the first view */
        const Plan *plan = manager->view ? manager->view->plan : NULL;

        for (size_t i = 0; plan && i < plan->n_groups; i++)
                for (size_t j = 0; j < plan->groups[i].n_members; j++) {
                        const MemberPlan *member = &plan->groups[i].members[j];

                        if (!is_concerned(apply, &plan->groups[i], member))
                                continue;
                        if (manager->nothing_to_do || result.n == ELEMENTSOF(states))
                                continue;
                        addresses[result.n] = member->device->address;
                        states[result.n] = state;
                        reasons[result.n] = reason;
                        texts[result.n] = member->reason == reason ? member->text : NULL;
                        result.n++;
                }
        apply->done(apply->userdata, error, error < 0 ? NULL : &result);
        fake_apply_free(apply);
}

void fake_manager_finish_holders(Manager *manager, int error, const Holder *holders, size_t n)
{
        FakeApply *apply = take_newest(manager);

        apply->holders_done(apply->userdata, error, holders, n);
        fake_apply_free(apply);
}
