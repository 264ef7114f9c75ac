/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/plan.h"

#include <inttypes.h>

#include "util/buffer.h"
#include "util/strings.h"

static const char *const action_table[_ACTION_MAX] = {
        [ACTION_NONE] = "none",       [ACTION_BIND] = "bind",        [ACTION_DETACH] = "detach",
        [ACTION_HOLD] = "hold",       [ACTION_RELEASE] = "release",  [ACTION_PROBE_HOST] = "probe",
        [ACTION_ADOPT] = "adopt",
};

const char *action_to_string(Action action)
{
        return action >= 0 && action < _ACTION_MAX ? action_table[action] : "none";
}

Plan *plan_free(Plan *plan)
{
        if (!plan)
                return NULL;

        for (size_t i = 0; i < plan->n_groups; i++) {
                GroupPlan *group = &plan->groups[i];

                for (size_t j = 0; j < group->n_members; j++)
                        free(group->members[j].text);
                free(group->members);
                free(group->text);
        }
        for (size_t i = 0; i < plan->n_physical_functions; i++) {
                free(plan->physical_functions[i].text);
                free(plan->physical_functions[i].virtual_functions);
        }
        for (size_t i = 0; i < plan->n_claims; i++) {
                free(plan->claims[i].text);
                free(plan->claims[i].missing);
        }
        free(plan->groups);
        free(plan->physical_functions);
        free(plan->claims);
        free(plan->places);
        free(plan);
        return NULL;
}

bool plan_is_empty(const Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++)
                if (plan->groups[i].has_work)
                        return false;
        for (size_t i = 0; i < plan->n_physical_functions; i++)
                if (plan->physical_functions[i].autoprobe_off ||
                    plan->physical_functions[i].autoprobe_restore ||
                    plan->physical_functions[i].set_num_vfs)
                        return false;
        return true;
}

const GroupPlan *plan_find_group(const Plan *plan, int64_t number)
{
        size_t low = 0, high = plan->n_groups;

        if (number < 0)
                return NULL;

        /* groups with a number come first, in order */
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int64_t here = plan->groups[middle].number;

                if (here == number)
                        return &plan->groups[middle];
                if (here < 0 || here > number)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

static const PlanPlace *find_place(const Plan *plan, const PciAddress *address)
{
        size_t low = 0, high = plan->n_places;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = pci_address_compare(address,
                        &plan->places[middle].member->device->address);

                if (order == 0)
                        return &plan->places[middle];
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

static const MemberPlan *find_in_group(const GroupPlan *group, const PciAddress *address)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (pci_address_equal(&group->members[i].device->address, address))
                        return &group->members[i];
        return NULL;
}

const MemberPlan *plan_find(const Plan *plan, const PciAddress *address,
        const GroupPlan **ret_group)
{
        if (plan->places) {
                const PlanPlace *place = find_place(plan, address);

                if (place && ret_group)
                        *ret_group = place->group;
                return place ? place->member : NULL;
        }
        for (size_t i = 0; i < plan->n_groups; i++) {
                const MemberPlan *member = find_in_group(&plan->groups[i], address);

                if (!member)
                        continue;
                if (ret_group)
                        *ret_group = &plan->groups[i];
                return member;
        }
        return NULL;
}

const PhysicalFunctionPlan *plan_find_physical_function(const Plan *plan, const PciAddress *pf)
{
        for (size_t i = 0; i < plan->n_physical_functions; i++)
                if (pci_address_equal(&plan->physical_functions[i].device->address, pf))
                        return &plan->physical_functions[i];
        return NULL;
}

static bool group_is_worth_a_line(const GroupPlan *group)
{
        if (group->has_work || group->state != STATE_UNCLAIMED)
                return true;
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].role != ROLE_NONE && group->members[i].role != ROLE_BRIDGE)
                        return true;
        return false;
}

static void format_reason(Buffer *buffer, Reason reason, const char *text)
{
        if (reason != REASON_NONE)
                buffer_printf(buffer, " %s", reason_to_string(reason));
        if (!isempty(text))
                buffer_printf(buffer, ": %s", text);
        buffer_append(buffer, "\n");
}

static void format_member(Buffer *buffer, const MemberPlan *member)
{
        const Device *device = member->device;

        buffer_printf(buffer, "  %s %s %s", PCI_ADDRESS_TEXT(&device->address),
                role_to_string(member->role), state_to_string(member->state));
        if (member->action != ACTION_NONE)
                buffer_printf(buffer, " %s %s -> %s", action_to_string(member->action),
                        device->driver ?: "-", member->target ?: "-");
        if (member->claim)
                buffer_printf(buffer, " [%s]", member->claim->name);
        format_reason(buffer, member->reason, member->text);
}

static void format_physical_function(Buffer *buffer, const PhysicalFunctionPlan *pf)
{
        buffer_printf(buffer, "pf %s %s", PCI_ADDRESS_TEXT(&pf->device->address),
                state_to_string(pf->state));
        if (pf->autoprobe_off)
                buffer_append(buffer, " autoprobe=0");
        if (pf->autoprobe_restore)
                buffer_append(buffer, " autoprobe=restore");
        if (pf->set_num_vfs)
                buffer_printf(buffer, " numvfs=%u", pf->num_vfs);
        if (pf->section)
                buffer_printf(buffer, " [%s]", pf->section->name);
        format_reason(buffer, pf->reason, pf->text);
}

const char *claim_plan_state(const ClaimPlan *claim)
{
        if (claim->claim->has_error)
                return "error";
        if (!claim->claim->enabled || claim->claim->is_skipped)
                return "disabled";
        if (claim->absent)
                return "absent";
        if (claim->partial)
                return "partial";
        switch (claim->state) {
        case STATE_UNCLAIMED: /* of a claim these say no more than that it waits … */
        case STATE_BINDING:
        case STATE_RELEASING:
                return state_to_string(STATE_PENDING);
        case STATE_DETACHED: /* … or has what it wants */
                return state_to_string(STATE_BOUND);
        default:
                return state_to_string(claim->state);
        }
}

int plan_format(const Plan *plan, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        for (size_t i = 0; i < plan->n_physical_functions; i++)
                format_physical_function(&buffer, &plan->physical_functions[i]);

        for (size_t i = 0; i < plan->n_groups; i++) {
                const GroupPlan *group = &plan->groups[i];

                if (!group_is_worth_a_line(group))
                        continue;
                if (group->number >= 0)
                        buffer_printf(&buffer, "group %" PRIi64 " %s", group->number,
                                state_to_string(group->state));
                else
                        buffer_printf(&buffer, "no group %s", state_to_string(group->state));
                format_reason(&buffer, group->reason, group->text);
                for (size_t j = 0; j < group->n_members; j++)
                        format_member(&buffer, &group->members[j]);
        }

        for (size_t i = 0; i < plan->n_claims; i++) {
                buffer_printf(&buffer, "claim %s %s", plan->claims[i].claim->name,
                        claim_plan_state(&plan->claims[i]));
                format_reason(&buffer, plan->claims[i].reason, plan->claims[i].text);
        }
        return buffer_finish(&buffer, ret);
}
