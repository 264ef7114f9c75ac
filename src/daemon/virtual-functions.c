/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/manager-internal.h"
#include "host/scan.h"
#include "host/watching.h"
#include "log/log.h"
#include "util/io.h"

/* The VFs of a PF whose automatic probing is off stay without a driver until somebody acts. The
 * kernel says by a `change` event of the PF that all are there (sriov_enable() in
 * drivers/pci/iov.c), and then they are done together, from a scan of the PF's neighbourhood alone
 * and without waiting for udevd. Everything else is left to the next turn of the loop, which looks
 * at the whole machine, and waits while VFs are being made: each has a `change` event of its own
 * (pci_iov_sysfs_link()), and what is seen then is out of date soon. The helper does the same where
 * no daemon says that it watches (the lock of each group keeps the two apart); one that hangs is
 * ended by its watchdog, and the next one finds the functions at its start. */

#define FINISH_USEC (5 * USEC_PER_SEC)
/* After that long without an event the kernel has made its last one, or given up. */
#define COMING_USEC (500 * USEC_PER_MSEC)

/* Nothing in it can be in use, or needs the rest of the machine to be decided. */
static bool is_simple(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];

                if (member->action != ACTION_NONE &&
                    (!member->untouched || match_has_term(member->match, TERM_PATH)))
                        return false;
        }
        return true;
}

static void keep_simple_groups(Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++)
                if (plan->groups[i].has_work && !is_simple(&plan->groups[i]))
                        work_drop_group(&plan->groups[i]);
        for (size_t i = 0; i < plan->n_physical_functions; i++) {
                PhysicalFunctionPlan *pf = &plan->physical_functions[i];

                pf->autoprobe_off = pf->autoprobe_restore = pf->set_num_vfs = false;
        }
}

static const Device *find_physical_function(const Manager *manager, const PciAddress *address)
{
        const Device *device = manager->view ? snapshot_find(manager->view->snapshot, address)
                                             : NULL;

        return device && device->sriov_total_vfs > 0 ? device : NULL;
}

bool virtual_functions_are_coming(const Manager *manager)
{
        return now_monotonic() < manager->coming_until_usec;
}

/* Whose they are is looked up for the first one alone. */
static int note_coming(Manager *manager, const PciAddress *address)
{
        int r;

        if (!virtual_functions_are_coming(manager)) {
                const Device *pf;
                PciAddress of;

                r = scan_find_physical_function(manager->host, address, &of);
                if (r < 0)
                        return r == -ENOENT ? 0 : r;
                pf = find_physical_function(manager, &of);
                if (!pf || pf->sriov_autoprobe != 0 || !manager_acts_by_itself(manager))
                        return 0;
        }
        manager->coming_until_usec = now_monotonic() + COMING_USEC;
        return 0;
}

static int bind_all(Manager *manager, const PciAddress *pf)
{
        _cleanup_(view_unrefp) View *view = NULL;
        const PlanRequest request = { .stage = STAGE_RUNTIME };
        _cleanup_plan_ Plan *plan = NULL;
        int r;

        manager_read_switch(manager);
        if (!manager_acts_by_itself(manager))
                return 0;
        r = view_new(manager->config, &view);
        if (r < 0)
                return r;
        r = scan_neighbourhood(manager->host, pf, config_needed_facts(view->config),
                manager->view->snapshot, &view->snapshot);
        if (r < 0)
                return r;
        r = planner_plan(view->snapshot, view->config, &request, &plan);
        if (r < 0)
                return r;
        keep_simple_groups(plan);
        if (!work_filter(manager, plan, false))
                return 0;
        if (manager->watcher)
                watcher_rest(manager->watcher);
        return work_start(manager, view, TAKE_POINTER(plan), NULL, 0);
}

int virtual_functions_changed(Manager *manager, const PciAddress *address)
{
        if (!find_physical_function(manager, address))
                return note_coming(manager, address);
        manager->coming_until_usec = 0;
        return bind_all(manager, address);
}

void virtual_functions_watch(Manager *manager)
{
        int fd;

        if (!manager_acts_by_itself(manager)) {
                close_descriptor(&manager->watching);
                manager->watching = -1;
                return;
        }
        if (manager->watching >= 0)
                return;
        fd = watching_begin(manager->host);
        if (fd < 0)
                log_debug("Cannot tell the helper that this daemon watches, ignoring: %s",
                        strerror(-fd));
        else
                manager->watching = fd;
}

void manager_finish(Manager *manager)
{
        bool has_watched = manager->watching >= 0;
        int r;

        close_descriptor(&manager->watching);
        manager->watching = -1;
        if (!has_watched || !manager->executor)
                return;
        /* what the helper left to us until now */
        if (manager->watcher)
                watcher_drain(manager->watcher);
        r = executor_run(manager->executor, FINISH_USEC, NULL);
        if (r < 0)
                log_warning("Cannot finish what was begun: %s", strerror(-r));
}
