/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/pass.h"

#include <errno.h>
#include <string.h>

#include "config/config-load.h"
#include "exec/operations-host.h"
#include "host/guard.h"
#include "log/log.h"
#include "util/strings.h"

int pass_open(Pass *pass, const char *root, Stage stage)
{
        *pass = (Pass){ .host = { .root = -1 }, .stage = stage };
        return host_open(root, &pass->host);
}

static void mark_skipped(Pass *pass)
{
        for (size_t i = 0; i < pass->config->n_claims; i++)
                if (string_list_contains(pass->command_line.skip, pass->config->claims[i].name))
                        pass->config->claims[i].is_skipped = true;
}

static void log_unusable(const char *which, int error)
{
        if (error < 0 && error != -ENOENT && error != -ENOMEM)
                log_warning("The record of what the host needs (%s) cannot be used (%s). The "
                            "daemon writes it anew.",
                        which, error == -EBADMSG ? "it is damaged" : strerror(-error));
}

/* An early stage goes on without, as the planner sees fit: the record is no condition of a boot. */
static int read_host_devices(Pass *pass)
{
        int r = host_devices_read(&pass->host, &pass->host_devices);

        log_unusable("/" HOST_DEVICES_FILE, r);
        if (r < 0 && r != -ENOMEM) {
                r = host_devices_read_handed_on(&pass->host, &pass->host_devices);
                log_unusable("what the initramfs left", r);
        }
        if (r == -ENOMEM)
                return r;
        if (r == -ENOENT)
                log_debug("There is no record of what the host needs.");
        if (r == 0 || pass->stage != STAGE_BOOT)
                return 0;
        r = host_tables_await_storage(&pass->host);
        pass->awaits_storage = r > 0;
        return r < 0 ? r : 0;
}

int pass_configure(Pass *pass)
{
        const ConfigLoadOptions options = { .check_owner = pass->host.is_live };
        int r;

        r = kernel_command_line_read(&pass->host, pass->stage, &pass->command_line);
        if (r < 0)
                return r;
        if (pass->command_line.mode == SWITCH_OFF)
                return 0;
        r = config_load(pass->host.root, &options, &pass->config);
        if (r < 0)
                return r;
        mark_skipped(pass);
        return pass->stage == STAGE_RUNTIME ? 0 : read_host_devices(pass);
}

void pass_done(Pass *pass)
{
        config_free(pass->config);
        host_devices_free(pass->host_devices);
        kernel_command_line_done(&pass->command_line);
        if (pass->host.root >= 0)
                host_close(&pass->host);
}

static bool has_serials(const HostDevices *devices)
{
        for (size_t i = 0; devices && i < devices->n_items; i++)
                if (devices->items[i].serial)
                        return true;
        return false;
}

unsigned pass_facts(const Pass *pass)
{
        unsigned facts = config_needed_facts(pass->config);

        facts &= ~(SNAPSHOT_FACT_USES | SNAPSHOT_FACT_NAMES);
        if (pass->stage == STAGE_RUNTIME)
                return facts;
        facts &= ~(unsigned) SNAPSHOT_FACT_INTERFACES;
        if (has_serials(pass->host_devices))
                facts |= SNAPSHOT_FACT_SERIALS;
        if (!pass->host_devices)
                facts |= SNAPSHOT_FACT_DETAILS; /* boot_vga */
        return facts;
}

/* Anything that is taken from somebody, or that was there before we looked. */
static bool needs_guard(const Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++)
                for (size_t j = 0; j < plan->groups[i].n_members; j++) {
                        const MemberPlan *member = &plan->groups[i].members[j];

                        if ((member->action == ACTION_BIND || member->action == ACTION_DETACH) &&
                            (member->device->driver || !(member->fresh || member->untouched)))
                                return true;
                }
        return false;
}

int pass_plan(const Pass *pass, Snapshot *snapshot, const PlanRequest *request, Plan **ret)
{
        _cleanup_plan_ Plan *plan = NULL;
        int r;

        snapshot->host_devices = pass->host_devices;
        snapshot->awaits_storage = pass->awaits_storage;
        r = planner_plan(snapshot, pass->config, request, &plan);
        if (r >= 0 && needs_guard(plan)) {
                plan = plan_free(plan);
                r = guard_scan(&pass->host, snapshot);
                if (r >= 0)
                        r = planner_plan(snapshot, pass->config, request, &plan);
        }
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(plan);
        return 0;
}

void pass_leave_num_vfs(Plan *plan)
{
        for (size_t i = 0; i < plan->n_physical_functions; i++) {
                PhysicalFunctionPlan *pf = &plan->physical_functions[i];

                pf->set_num_vfs = false;
                if (pf->reason == REASON_PF_NOT_BOUND) {
                        pf->reason = REASON_NONE;
                        free(pf->text);
                        pf->text = NULL;
                }
        }
}

static void log_report(const Report *report, const Plan *plan)
{
        for (size_t i = 0; i < report->n_physical_functions; i++)
                log_physical_function_report(&report->physical_functions[i]);
        for (size_t i = 0; i < report->n_groups; i++) {
                const GroupReport *group = &report->groups[i];
                const GroupPlan *group_plan = NULL;

                if (group->n_members > 0)
                        (void) plan_find(plan, &group->members[0].address, &group_plan);
                log_group_report(group, group_plan);
        }
}

int pass_execute(Pass *pass, const Plan *plan, uint64_t timeout_usec, Report **ret)
{
        ExecutorOptions options = {
                .stage = pass->stage,
                .config_digest = pass->config->digest,
        };
        _cleanup_(executor_freep) Executor *executor = NULL;
        Report *report = NULL;
        int r;

        operations_host(&pass->host, &pass->operations);
        r = executor_new(&pass->operations, &options, &executor);
        if (r >= 0)
                r = executor_add(executor, plan);
        if (r >= 0)
                r = executor_run(executor, timeout_usec, &report);
        if (r < 0) {
                log_error("The plan cannot be carried out: %s", strerror(-r));
                return r;
        }
        log_report(report, plan);
        *ret = report;
        return 0;
}

const MemberReport *pass_find_report(const Report *report, const PciAddress *address)
{
        for (size_t i = 0; i < report->n_groups; i++)
                for (size_t j = 0; j < report->groups[i].n_members; j++)
                        if (pci_address_equal(&report->groups[i].members[j].address, address))
                                return &report->groups[i].members[j];
        return NULL;
}
