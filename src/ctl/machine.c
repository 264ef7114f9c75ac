/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/machine.h"

#include <errno.h>

#include "config/config-load.h"
#include "ctl/hardware-names.h"
#include "ctl/machine-internal.h"
#include "ctl/physical-functions.h"
#include "host/guard.h"
#include "host/host-devices.h"
#include "host/kernel-command-line.h"
#include "host/scan.h"
#include "host/switch.h"

#define SHOWN_FACTS (SNAPSHOT_FACT_NAMES | SNAPSHOT_FACT_HOST_DRIVERS | SNAPSHOT_FACT_INTERFACES)

static int read_config(Machine *machine, const MachineOptions *options)
{
        ConfigLoadOptions load = { .check_owner = machine->host.is_live,
                                   .replace_path = options->replace_path,
                                   .replace_file = options->replace_file };
        _cleanup_kernel_command_line_ KernelCommandLine line = {};
        int r;

        r = config_load(machine->host.root, &load, &machine->config);
        if (r < 0)
                return r;
        r = kernel_command_line_read(&machine->host, STAGE_RUNTIME, &line);
        if (r < 0)
                return r;
        for (size_t i = 0; i < machine->config->n_claims; i++) {
                Claim *claim = &machine->config->claims[i];

                claim->is_skipped = line.mode == SWITCH_OFF ||
                        string_list_contains(line.skip, claim->name);
        }
        return config_update_digest(machine->config);
}

static int read_snapshot(Machine *machine, unsigned facts)
{
        int r;

        hardware_names_begin();
        r = scan_machine(&machine->host,
                SHOWN_FACTS | facts | config_needed_facts(machine->config), NULL,
                &machine->snapshot);
        hardware_names_end();
        if (r < 0)
                return r;
        return guard_scan(&machine->host, machine->snapshot);
}

static int plan(const Machine *machine, bool may_unbind, bool prune, Plan **ret)
{
        PlanRequest request = { .stage = STAGE_RUNTIME, .may_unbind = may_unbind,
                                .prune = prune };

        return planner_plan(machine->snapshot, machine->config, &request, ret);
}

int machine_look(const MachineOptions *options, Machine **ret, const char **ret_what)
{
        _cleanup_machine_ Machine *machine = calloc(1, sizeof(Machine));
        const char *what = "open the machine's root directory";
        int r;

        if (!machine) {
                *ret_what = what;
                return -ENOMEM;
        }
        machine->host.root = -1;
        r = host_open(options->root, &machine->host);
        if (r >= 0) {
                what = "read the configuration";
                r = read_config(machine, options);
        }
        if (r >= 0) {
                what = "read /sys";
                r = read_snapshot(machine, options->facts);
        }
        if (r >= 0) {
                what = "plan";
                r = plan(machine, false, false, &machine->plan);
        }
        if (r < 0) {
                *ret_what = what;
                return r;
        }
        *ret = TAKE_POINTER(machine);
        return 0;
}

bool machine_is_enabled(const Machine *machine)
{
        return host_is_enabled(&machine->host);
}

Machine *machine_free(Machine *machine)
{
        if (!machine)
                return NULL;
        plan_free(machine->plan);
        snapshot_free(machine->snapshot);
        config_free(machine->config);
        host_close(&machine->host);
        free(machine);
        return NULL;
}

const Config *machine_config(const Machine *machine)
{
        return machine->config;
}

const Snapshot *machine_snapshot(const Machine *machine)
{
        return machine->snapshot;
}

static int add_step(const GroupPlan *group, const MemberPlan *member, bool next_boot,
        ModelSteps *steps)
{
        /* At the next boot, what is worked on has no driver yet. */
        bool has_driver = !next_boot || member->action == ACTION_NONE;
        const char *driver = has_driver ? member->device->driver : NULL;
        ModelStep *step;
        int r;

        r = model_add_step(steps, &step);
        if (r < 0)
                return r;
        step->group = group->number;
        step->address = member->device->address;
        r = model_set(&step->action, action_to_string(member->action));
        if (r >= 0)
                r = model_set(&step->from, driver);
        if (r >= 0)
                r = model_set(&step->to, member->action == ACTION_NONE ? driver : member->target);
        if (r >= 0)
                r = model_set(&step->reason, reason_to_string(member->reason));
        return r < 0 ? r : model_set(&step->text, member->text ?: group->text);
}

/* As the daemon does it: by the record of what the host needs. Without one, or one that may be
 * read, as a boot without it and by what the guard sees now. */
static int plan_next_boot(const Machine *machine, bool prune, Plan **ret)
{
        _cleanup_host_devices_ HostDevices *devices = NULL;
        int r;

        r = host_devices_read(&machine->host, &devices);
        if (r == -ENOMEM)
                return r;
        machine->snapshot->host_devices = devices;
        r = planner_plan_next_boot(machine->snapshot, machine->config, prune, ret);
        machine->snapshot->host_devices = NULL;
        return r;
}

int machine_steps(const Machine *machine, bool prune, bool next_boot, ModelSteps *steps)
{
        _cleanup_plan_ Plan *work = NULL;
        int r;

        if (next_boot)
                r = plan_next_boot(machine, prune, &work);
        else
                r = plan(machine, true, prune, &work);
        for (size_t i = 0; r >= 0 && i < work->n_groups; i++) {
                const GroupPlan *group = &work->groups[i];

                for (size_t j = 0; r >= 0 && j < group->n_members; j++) {
                        const MemberPlan *member = &group->members[j];

                        if (member->action != ACTION_NONE || member->reason != REASON_NONE)
                                r = add_step(group, member, next_boot, steps);
                }
        }
        return r < 0 ? r
                     : physical_functions_of_plan(machine->config, machine->snapshot, work,
                               &steps->physical_functions);
}
