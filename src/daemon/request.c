/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/manager-internal.h"
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

int request_check(const View *view, const ApplyRequest *request)
{
        if (request->manual != MANUAL_NONE && !request->function)
                return -EINVAL;
        if (request->function && !snapshot_find(view->snapshot, request->function))
                return -ENOENT;
        for (char *const *claim = request->claims; claim && *claim; claim++)
                if (!config_find_claim(view->config, *claim))
                        return -ENOENT;
        return 0;
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

int request_plan(const View *view, const ApplyRequest *request,
        const ClaimSettings *settings, Plan **ret)
{
        return planner_plan(view->snapshot, view->config,
                &(PlanRequest){
                        .stage = request->next_boot ? STAGE_BOOT : STAGE_RUNTIME,
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

void request_set_no_probe(Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++)
                for (size_t j = 0; j < plan->groups[i].n_members; j++)
                        plan->groups[i].members[j].no_probe =
                                plan->groups[i].members[j].action == ACTION_RELEASE;
}

/* What keeps a driver from being unbound now makes it a host device at the next boot; all other
 * functions are without a driver then, and without history. */
static bool is_needed_by_host(const Device *device)
{
        for (size_t i = 0; i < device->n_uses; i++)
                if (device->uses[i].use != IN_USE_VFIO)
                        return true;
        return false;
}

typedef struct Past {
        char *driver;
        DeviceRecord *record;
} Past;

static int plan_next_boot(View *view, const ApplyRequest *request, Plan **ret)
{
        Snapshot *snapshot = view->snapshot;
        _cleanup_free_ Past *past = calloc(snapshot->n_devices + 1, sizeof(*past));
        int r;

        if (!past)
                return -ENOMEM;
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                Device *device = &snapshot->devices[i];

                past[i] = (Past){ device->driver, device->record };
                device->record = NULL;
                if (!is_needed_by_host(device))
                        device->driver = NULL;
        }
        r = request_plan(view, request, NULL, ret);
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                snapshot->devices[i].driver = past[i].driver;
                snapshot->devices[i].record = past[i].record;
        }
        return r;
}

int manager_plan(Manager *manager, const ApplyRequest *request, Plan **ret)
{
        int r;

        if (!manager->view)
                return -ENODATA;
        if (request->manual != MANUAL_NONE)
                return -EINVAL;
        r = request_check(manager->view, request);
        if (r < 0)
                return r;
        if (request->next_boot)
                return plan_next_boot(manager->view, request, ret);
        return request_plan(manager->view, request, NULL, ret);
}
