/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/epoll.h>

#include "daemon/manager-internal.h"
#include "log/log.h"
#include "util/strings.h"

/* Plans in the executor's hands. A group is in one of them at most. */

static bool pf_has_work(const PhysicalFunctionPlan *pf)
{
        return pf->autoprobe_off || pf->autoprobe_restore || pf->set_num_vfs;
}

const Work *work_find(const Manager *manager, const GroupKey *key, size_t *ret_index)
{
        for (const Work *work = manager->works; work; work = work->next) {
                for (size_t i = 0; i < work->plan->n_groups; i++) {
                        GroupKey other = group_plan_key(&work->plan->groups[i]);

                        if (work->group_done[i] || !group_key_equal(key, &other))
                                continue;
                        *ret_index = i;
                        return work;
                }
        }
        return NULL;
}

const GroupPlan *work_find_group(const Manager *manager, const GroupKey *key)
{
        size_t i;
        const Work *work = work_find(manager, key, &i);

        return work ? &work->plan->groups[i] : NULL;
}

static const Work *find_physical_function(const Manager *manager, const PciAddress *address,
        size_t *ret_index)
{
        for (const Work *work = manager->works; work; work = work->next) {
                for (size_t i = 0; i < work->plan->n_physical_functions; i++) {
                        const Device *pf = work->plan->physical_functions[i].device;

                        if (work->pf_done[i] || !pci_address_equal(&pf->address, address))
                                continue;
                        *ret_index = i;
                        return work;
                }
        }
        return NULL;
}

bool work_has_physical_function(const Manager *manager, const PciAddress *address)
{
        size_t i;

        return find_physical_function(manager, address, &i);
}

bool work_has_physical_functions(const Manager *manager)
{
        for (const Work *work = manager->works; work; work = work->next)
                for (size_t i = 0; i < work->plan->n_physical_functions; i++)
                        if (!work->pf_done[i])
                                return true;
        return false;
}

bool work_is_open(const Manager *manager, int64_t request)
{
        for (const Work *work = manager->works; work; work = work->next)
                if (work->request == request && work->n_open > 0)
                        return true;
        return false;
}

void work_drop_group(GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                group->members[i].action = ACTION_NONE;
        group->has_work = false;
}

bool work_filter(Manager *manager, Plan *plan, bool is_request)
{
        bool is_left = false;

        for (size_t i = 0; i < plan->n_groups; i++) {
                GroupPlan *group = &plan->groups[i];
                GroupKey key = group_plan_key(group);

                if (!group->has_work)
                        continue;
                if (work_find_group(manager, &key) ||
                    (!is_request && !attempt_allowed(manager, group)))
                        work_drop_group(group);
                else
                        is_left = true;
        }
        for (size_t i = 0; i < plan->n_physical_functions; i++) {
                PhysicalFunctionPlan *pf = &plan->physical_functions[i];

                if (!pf_has_work(pf))
                        continue;
                if (work_has_physical_function(manager, &pf->device->address) ||
                    (!is_request && !attempt_allowed_pf(manager, pf)))
                        pf->autoprobe_off = pf->autoprobe_restore = pf->set_num_vfs = false;
                else
                        is_left = true;
        }
        return is_left;
}

static Work *work_free(Work *work)
{
        if (!work)
                return NULL;
        plan_free(work->plan);
        settings_free(work->settings);
        free(work->group_done);
        free(work->pf_done);
        view_unref(work->view);
        free(work);
        return NULL;
}
DEFINE_CLEANUP(Work, work_free)

static int work_new(View *view, Plan *plan, ClaimSettings *settings, int64_t request, Work **ret)
{
        _cleanup_(work_freep) Work *work = calloc(1, sizeof(*work));

        if (!work) {
                plan_free(plan);
                settings_free(settings);
                return -ENOMEM;
        }
        work->view = view_ref(view);
        work->plan = plan;
        work->settings = settings;
        work->request = request;
        work->group_done = calloc(plan->n_groups + 1, sizeof(bool));
        work->pf_done = calloc(plan->n_physical_functions + 1, sizeof(bool));
        if (!work->group_done || !work->pf_done)
                return -ENOMEM;
        for (size_t i = 0; i < plan->n_groups; i++) {
                work->group_done[i] = !plan->groups[i].has_work;
                work->n_open += plan->groups[i].has_work;
        }
        for (size_t i = 0; i < plan->n_physical_functions; i++) {
                work->pf_done[i] = !pf_has_work(&plan->physical_functions[i]);
                work->n_open += !work->pf_done[i];
        }
        *ret = TAKE_POINTER(work);
        return 0;
}

static int note_attempts(Manager *manager, const Plan *plan)
{
        int r;

        for (size_t i = 0; i < plan->n_groups; i++) {
                if (!plan->groups[i].has_work)
                        continue;
                r = attempt_note(manager, &plan->groups[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < plan->n_physical_functions; i++) {
                if (!pf_has_work(&plan->physical_functions[i]))
                        continue;
                r = attempt_note_pf(manager, &plan->physical_functions[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

int work_start(Manager *manager, View *view, Plan *plan, ClaimSettings *settings, int64_t request)
{
        _cleanup_(work_freep) Work *work = NULL;
        int r;

        r = work_new(view, plan, settings, request, &work);
        if (r < 0)
                return r;
        r = note_attempts(manager, plan);
        if (r < 0)
                return r;
        r = executor_add(manager->executor, plan);
        if (r < 0)
                return r;
        work->next = manager->works;
        manager->works = TAKE_POINTER(work);
        return 0;
}

/* Of many groups one look is enough, when the last is done. */
static void wake_after_work(Manager *manager)
{
        if (!executor_is_idle(manager->executor) || virtual_functions_are_coming(manager)) {
                manager_wake_after_events(manager);
                return;
        }
        if (manager->watcher)
                watcher_go_on(manager->watcher);
        manager_wake(manager);
}

static void on_group_done(void *userdata, const GroupReport *report)
{
        Manager *manager = userdata;
        GroupKey key = { .number = report->number };
        Work *work;
        size_t i;

        if (report->n_members > 0)
                key.function = report->members[0].address;
        work = (Work *) work_find(manager, &key, &i);
        if (!work)
                return;
        work->group_done[i] = true;
        work->n_open--;
        log_group_report(report, &work->plan->groups[i]);
        attempt_report(manager, &work->plan->groups[i], report);
        applies_group_done(manager, work->request, report);
        nodes_group_done(manager, report);
        wake_after_work(manager);
}

static void on_physical_function_done(void *userdata, const PhysicalFunctionReport *report)
{
        Manager *manager = userdata;
        Work *work;
        size_t i;

        work = (Work *) find_physical_function(manager, &report->address, &i);
        if (!work)
                return;
        work->pf_done[i] = true;
        work->n_open--;
        log_physical_function_report(report);
        attempt_report_pf(manager, report);
        manager_wake(manager);
}

/* Plans may go when nobody points into them any more. */
static void collect_works(Manager *manager)
{
        if (!executor_is_idle(manager->executor))
                return;
        while (manager->works) {
                Work *work = manager->works;

                if (work->n_open > 0)
                        log_warning("%zu groups were given up without a report.", work->n_open);
                manager->works = work->next;
                work_free(work);
        }
}

static int on_executor(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Manager *manager = userdata;
        int r;

        r = executor_dispatch(manager->executor);
        if (r < 0) {
                log_error("Cannot go on carrying out plans: %s", strerror(-r));
                return r;
        }
        if (manager->works && executor_is_idle(manager->executor)) {
                collect_works(manager);
                wake_after_work(manager);
        }
        return 0;
}

/* A worker that had been given up came back, see judge.c. */
static void on_worker_returned(void *userdata)
{
        manager_wake(userdata);
}

int work_prepare(Manager *manager)
{
        ExecutorOptions options = {
                .stage = STAGE_RUNTIME,
                .waits_for_udev = true,
                .config_digest = manager->config_digest,
                .group_done = on_group_done,
                .physical_function_done = on_physical_function_done,
                .worker_returned = on_worker_returned,
                .userdata = manager,
        };
        int r;

        r = executor_new(&manager->operations, &options, &manager->executor);
        if (r < 0)
                return r;
        r = sd_event_add_io(manager->event, &manager->executor_source,
                executor_get_fd(manager->executor), EPOLLIN, on_executor, manager);
        if (r < 0)
                return r;
        /* What is planned is begun before anything else is looked at. */
        r = sd_event_source_set_priority(manager->executor_source,
                SD_EVENT_PRIORITY_IMPORTANT - 1);
        if (r < 0)
                return r;
        return sd_event_source_set_description(manager->executor_source, "executor");
}

void works_free(Manager *manager)
{
        sd_event_source_disable_unref(manager->executor_source);
        manager->executor_source = NULL;
        manager->executor = executor_free(manager->executor);
        while (manager->works) {
                Work *work = manager->works;

                manager->works = work->next;
                work_free(work);
        }
}
