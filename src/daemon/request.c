/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/manager-internal.h"
#include "host/modules.h"
#include "util/strings.h"

/* What a request means: its scope, its settings, its plan. Also the dry runs. */

static bool has_function(const GroupPlan *group, const PciAddress *address)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (pci_address_equal(&group->members[i].device->address, address))
                        return true;
        return false;
}

static bool has_claim(const GroupPlan *group, char *const *claims)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].claim &&
                    string_list_contains(claims, group->members[i].claim->name))
                        return true;
        return false;
}

bool request_concerns(const ApplyRequest *request, const GroupPlan *group)
{
        if (request->function)
                return has_function(group, request->function);
        if (request->claims)
                return has_claim(group, request->claims);
        return group->settings || group->has_work;
}

/* An address is given to the next card, also while a request waits for its turn. */
static bool has_same_function(const View *view, const ApplyRequest *request)
{
        const Device *device = snapshot_find(view->snapshot, request->function);

        return device && (request->inode == 0 || device->inode == request->inode);
}

int request_check(const View *view, const ApplyRequest *request)
{
        if (request->manual != MANUAL_NONE && !request->function)
                return -EINVAL;
        if (request->function && !has_same_function(view, request))
                return -ENOENT;
        for (char *const *claim = request->claims; claim && *claim; claim++)
                if (!config_find_claim(view->config, *claim))
                        return -ENOENT;
        return 0;
}

bool request_driver_is_allowed(const Manager *manager, const char *driver)
{
        return streq(driver, "auto") || streq(driver, "pci-stub") || streq(driver, "vfio-pci") ||
               modules_is_vfio(manager->host, driver);
}

ClaimSettings *settings_free(ClaimSettings *settings)
{
        if (settings)
                claim_settings_done(settings);
        free(settings);
        return NULL;
}

/* Settings for a bind by hand: the claim's or [Defaults], and what the request says instead. */
int request_make_settings(const View *view, const ApplyRequest *request, ClaimSettings **ret)
{
        _cleanup_(settings_freep) ClaimSettings *settings = NULL;
        const MemberPlan *member = plan_find(view->plan, request->function, NULL);
        int r;

        settings = calloc(1, sizeof(*settings));
        if (!settings)
                return -ENOMEM;
        r = claim_settings_copy(member && member->claim ? &member->claim->settings
                                                        : &view->config->defaults,
                settings);
        if (r < 0)
                return r;
        if (request->driver) {
                r = replace_string(&settings->driver, request->driver);
                if (r < 0)
                        return r;
        }
        if (request->companions >= 0)
                settings->companions = (CompanionPolicy) request->companions;
        *ret = TAKE_POINTER(settings);
        return 0;
}

static int plan_for(const View *view, const ApplyRequest *request, const ClaimSettings *settings,
        Stage stage, Plan **ret)
{
        return planner_plan(view->snapshot, view->config,
                &(PlanRequest){
                        .stage = stage,
                        .may_unbind = true,
                        .prune = request->prune,
                        .only_claims = request->claims && *request->claims ? request->claims : NULL,
                        .only_function = request->function,
                        .manual = request->manual,
                        .manual_function =
                                request->manual == MANUAL_NONE ? NULL : request->function,
                        .manual_settings = settings,
                        .manual_allow_in_use = request->allow_in_use,
                },
                ret);
}

int request_plan(const View *view, const ApplyRequest *request, const ClaimSettings *settings,
        Plan **ret)
{
        return plan_for(view, request, settings, STAGE_RUNTIME, ret);
}

void request_set_no_probe(Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++)
                for (size_t j = 0; j < plan->groups[i].n_members; j++)
                        plan->groups[i].members[j].no_probe =
                                plan->groups[i].members[j].action == ACTION_RELEASE;
}

static int plan_next_boot(Manager *manager, bool prune, Plan **ret)
{
        Snapshot *snapshot = manager->view->snapshot;
        int r = 0;

        if (!manager->next_boot_config)
                r = configuration_read_next_boot(manager->host, manager->config_root,
                        &manager->command_line, &manager->next_boot_config);
        if (r < 0)
                return r;
        /* it may be replaced before the snapshot is */
        snapshot->host_devices = host_needs_recorded(manager);
        r = planner_plan_next_boot(snapshot, manager->next_boot_config->config, prune, ret);
        snapshot->host_devices = NULL;
        return r;
}

int manager_plan(Manager *manager, bool prune, bool next_boot, const Plan **ret)
{
        Plan **plan = &manager->dry_runs[2 * prune + next_boot];
        ApplyRequest request = APPLY_REQUEST_ALL;
        int r = 0;

        if (!manager->view)
                return -ENODATA;
        request.prune = prune;
        if (!*plan)
                r = next_boot ? plan_next_boot(manager, prune, plan)
                              : request_plan(manager->view, &request, NULL, plan);
        if (r < 0)
                return r;
        *ret = *plan;
        return 0;
}

void dry_runs_forget_next_boot(Manager *manager)
{
        for (size_t i = 1; i < ELEMENTSOF(manager->dry_runs); i += 2)
                manager->dry_runs[i] = plan_free(manager->dry_runs[i]);
        shared_config_unref(manager->next_boot_config);
        manager->next_boot_config = NULL;
}

void dry_runs_forget(Manager *manager)
{
        for (size_t i = 0; i < ELEMENTSOF(manager->dry_runs); i += 2)
                manager->dry_runs[i] = plan_free(manager->dry_runs[i]);
        dry_runs_forget_next_boot(manager);
}
