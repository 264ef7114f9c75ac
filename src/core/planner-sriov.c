/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>

#include "core/planner-internal.h"
#include "util/array.h"
#include "util/strings.h"

/* SR-IOV physical functions: their autoprobe setting and number of VFs. */

/* The address of VF number `index`: routing ID arithmetic of the SR-IOV capability
 * (PCIe Base 6.0, 9.2.1.2: first offset and stride are added to the PF's routing ID). */
static PciAddress virtual_function_address(const Device *pf, unsigned index)
{
        unsigned id = (unsigned) pf->address.bus << 8 | (unsigned) pf->address.device << 3 |
                      pf->address.function;

        id += pf->sriov_offset + pf->sriov_stride * index;
        return (PciAddress){
                .domain = pf->address.domain,
                .bus = (uint8_t) (id >> 8),
                .device = id >> 3 & 0x1f,
                .function = id & 7,
        };
}

/* A VF as it will look when it appears. Strings are borrowed from the PF. */
static Device virtual_function_to_come(const Device *pf, unsigned index)
{
        return (Device){
                .address = virtual_function_address(pf, index),
                .path = (char *) "",
                .modalias = (char *) "",
                .vendor = pf->vendor,
                .device = pf->sriov_vf_device,
                .subsystem_vendor = pf->subsystem_vendor,
                .subsystem_device = pf->subsystem_device,
                .class_code = pf->class_code,
                .group = -1,
                .is_virtual_function = true,
                .physical_function = pf->address,
                .vf_index = (int) index,
        };
}

/* Only vf= and address= tell the VFs of one PF apart. */
static bool line_tells_virtual_functions_apart(const Match *match)
{
        return match_has_term(match, TERM_VF) || match_has_term(match, TERM_ADDRESS);
}

/* Is the line guarded by another identity than that of the VFs? Their subsystem need not be the
 * PF's, and old kernels do not tell their device ID. */
static bool line_expects_others(const Match *match, const Device *vf)
{
        for (size_t i = 0; i < match->n_terms; i++) {
                const Term *term = &match->terms[i];

                if (term->type != TERM_EXPECT)
                        continue;
                if (term->expect.vendor != vf->vendor ||
                    (vf->device != 0 && term->expect.device != vf->device))
                        return true;
        }
        return false;
}

static bool line_covers(const MatchContext *context, const Match *match, const Device *pf)
{
        unsigned n = line_tells_virtual_functions_apart(match) ? pf->sriov_total_vfs : 1;

        for (unsigned i = 0; i < n; i++) {
                Device vf = virtual_function_to_come(pf, i);

                if (match_evaluate(match, context, &vf) == ANSWER_YES &&
                    !line_expects_others(match, &vf))
                        return true;
        }
        return false;
}

static bool claim_covers(const MatchContext *context, const Claim *claim, const Device *pf)
{
        for (size_t i = 0; i < claim->n_matches; i++)
                if (line_covers(context, claim->matches[i], pf))
                        return true;
        return false;
}

static bool claim_takes_part(const Claim *claim)
{
        return claim->enabled && !claim->has_error && !claim->is_skipped;
}

bool planner_covers_virtual_functions(const Planning *planning, const Device *pf)
{
        MatchContext context = planner_match_context(planning);
        Notes *notes = planning_notes(planning, pf);

        if (notes->coverage_known)
                return notes->covered;
        notes->coverage_known = true;
        /* a VF may be claimed by a name gone since */
        notes->covered = notes->has_selected;
        for (size_t i = 0; i < planning->config->n_claims && !notes->covered; i++) {
                const Claim *claim = &planning->config->claims[i];

                notes->covered = claim_takes_part(claim) && claim_covers(&context, claim, pf);
        }
        return notes->covered;
}

bool planner_may_have_bad_section(const Planning *planning, const Device *pf)
{
        const Config *config = planning->config;
        MatchContext context = planner_match_context(planning);

        for (size_t i = 0; i < config->n_physical_functions; i++) {
                const PhysicalFunction *section = &config->physical_functions[i];
                Answer answer = ANSWER_NO;

                if (section->has_error &&
                    config_lookup_physical_function(&context, section->name, pf, &answer) &&
                    answer != ANSWER_NO)
                        return true;
        }
        return false;
}

/* Claims that are out for now, and files that could not be read, may mean its VFs too. */
static bool may_be_covered(const Planning *planning, const Device *pf)
{
        const Config *config = planning->config;
        MatchContext context = planner_match_context(planning);

        if (config->incomplete || planner_covers_virtual_functions(planning, pf))
                return true;
        for (size_t i = 0; i < config->n_claims; i++)
                if (config->claims[i].enabled && !claim_takes_part(&config->claims[i]) &&
                    claim_covers(&context, &config->claims[i], pf))
                        return true;
        return planner_may_have_bad_section(planning, pf);
}

/* The section after number *index that selects this PF. */
static const PhysicalFunction *next_section(const Planning *planning, const Device *pf,
        size_t *index)
{
        const Config *config = planning->config;
        MatchContext context = planner_match_context(planning);

        while (*index < config->n_physical_functions) {
                const PhysicalFunction *section = &config->physical_functions[(*index)++];
                Answer answer = ANSWER_NO;

                if (!section->has_error &&
                    config_lookup_physical_function(&context, section->name, pf, &answer) &&
                    answer == ANSWER_YES)
                        return section;
        }
        return NULL;
}

const PhysicalFunction *planner_find_section(const Planning *planning, const Device *pf)
{
        size_t index = 0;

        return next_section(planning, pf, &index);
}

static int say(PhysicalFunctionPlan *plan, State state, Reason reason, char *text)
{
        plan->state = state;
        plan->reason = reason;
        plan->text = text;
        return 0;
}

#define SAY(plan, state, reason, ...)                                                              \
        ({                                                                                         \
                char *_text = NULL;                                                                \
                int _r = format_string(&_text, __VA_ARGS__);                                       \
                _r < 0 ? _r : say((plan), (state), (reason), _text);                               \
        })

/* Who takes the PF itself, NULL: nobody. Its VFs would be in the way of that claim for ever. */
static const MemberPlan *find_taken(const Planning *planning, const Device *pf)
{
        const GroupPlan *group;
        const MemberPlan *member = plan_find(planning->plan, &pf->address, &group);

        if (!member->claim)
                return NULL;
        if (member->role == ROLE_SELECTED)
                return member;
        return member->role == ROLE_COMPANION && group->state != STATE_REFUSED &&
                               !planner_is_ignorable(pf) ? member : NULL;
}

static int say_taken(PhysicalFunctionPlan *plan, const MemberPlan *taken)
{
        _cleanup_free_ char *claim = NULL, *section = NULL;
        int r;

        r = planner_format_location(&taken->claim->location, &claim);
        if (r >= 0)
                r = planner_format_location(&plan->section->location, &section);
        if (r < 0)
                return r;
        return SAY(plan, STATE_REFUSED, REASON_PF_NOT_BOUND,
                "claim %s%s takes %s itself, whose host driver is needed to make virtual "
                "functions. Take NumVFs=%s out, or let the claim exclude it.", taken->claim->name,
                claim, PCI_ADDRESS_TEXT(&plan->device->address), section);
}

static int say_conflict(PhysicalFunctionPlan *plan, const PhysicalFunction *other)
{
        _cleanup_free_ char *one = NULL, *two = NULL;
        int r;

        r = planner_format_location(&plan->section->location, &one);
        if (r >= 0)
                r = planner_format_location(&other->location, &two);
        if (r < 0)
                return r;
        return SAY(plan, STATE_REFUSED, REASON_CLAIM_CONFLICT,
                "%s is selected by both PhysicalFunction %s%s and %s%s. Take it out of one of "
                "them.", PCI_ADDRESS_TEXT(&plan->device->address), plan->section->name, one,
                other->name, two);
}

/* In the way of another number of VFs; NULL: nothing is. */
static const char *find_use(const Device *vf)
{
        switch (device_recorded_state(vf)) {
        case STATE_STUCK:
        case STATE_BINDING:
        case STATE_RELEASING:
                return "the kernel is busy with it";
        default:
                return vf->n_uses > 0 ? vf->uses[0].what : NULL;
        }
}

/* Only apply changes a number, and only where the guard sees none of them in use. */
static bool may_change_number(const PlanRequest *request)
{
        return request->may_unbind && request->stage == STAGE_RUNTIME &&
               request->manual == MANUAL_NONE && !request->only_function;
}

static int collect_virtual_functions(const Planning *planning, PhysicalFunctionPlan *plan)
{
        for (size_t i = 0; i < planning->snapshot->n_devices; i++) {
                const Device *vf = &planning->snapshot->devices[i];
                int r;

                if (!vf->is_virtual_function ||
                    !pci_address_equal(&vf->physical_function, &plan->device->address))
                        continue;
                r = ARRAY_GROW(plan->virtual_functions, plan->n_virtual_functions);
                if (r < 0)
                        return r;
                plan->virtual_functions[plan->n_virtual_functions++] = vf;
        }
        return 0;
}

static void forget_virtual_functions(PhysicalFunctionPlan *plan)
{
        free(plan->virtual_functions);
        plan->virtual_functions = NULL;
        plan->n_virtual_functions = 0;
}

static int decide_other_number(const Planning *planning, PhysicalFunctionPlan *plan,
        unsigned wanted)
{
        const char *address = PCI_ADDRESS_TEXT(&plan->device->address);
        unsigned present = planning_notes(planning, plan->device)->n_virtual_functions;
        int r;

        if (!may_change_number(planning->request))
                return SAY(plan, STATE_REFUSED, REASON_NUMVFS_DIFFERS,
                        "%s has %u virtual functions, NumVFs=%u is asked for. Stop what uses them "
                        "and run \"vfio-bindctl apply\".", address, present, wanted);
        r = collect_virtual_functions(planning, plan);
        if (r < 0)
                return r;
        for (size_t i = 0; i < plan->n_virtual_functions; i++) {
                const Device *vf = plan->virtual_functions[i];
                const char *use = find_use(vf);

                if (!use)
                        continue;
                forget_virtual_functions(plan);
                return SAY(plan, STATE_REFUSED, REASON_NUMVFS_DIFFERS,
                        "%s has %u virtual functions, NumVFs=%u is asked for, but %s is in use: "
                        "%s. Stop that and run \"vfio-bindctl apply\".", address, present, wanted,
                        PCI_ADDRESS_TEXT(&vf->address), use);
        }
        plan->state = STATE_PENDING;
        plan->reason = REASON_NUMVFS_DIFFERS;
        plan->set_num_vfs = true;
        plan->num_vfs = wanted;
        return 0;
}

/* They are removed: nothing else may be done to them at the same time. */
static void leave_virtual_functions(const Planning *planning, const PhysicalFunctionPlan *pf)
{
        for (size_t i = 0; i < pf->n_virtual_functions; i++) {
                const Device *vf = pf->virtual_functions[i];
                GroupPlan *group = planning->plan->places[vf - planning->snapshot->devices].group;

                for (size_t j = 0; j < group->n_members; j++) {
                        MemberPlan *member = &group->members[j];

                        member->action = ACTION_NONE;
                        if (member->state == STATE_PENDING && member->reason == REASON_NONE)
                                member->reason = REASON_NUMVFS_DIFFERS;
                }
                group->has_work = false;
                if (group->state == STATE_PENDING && group->reason == REASON_NONE)
                        group->reason = REASON_NUMVFS_DIFFERS;
        }
}

/* With a host driver on the PF: that one creates the VFs. */
static int decide_num_vfs(const Planning *planning, PhysicalFunctionPlan *plan)
{
        const Device *pf = plan->device;
        const PhysicalFunction *section = plan->section;
        const char *address = PCI_ADDRESS_TEXT(&pf->address);
        unsigned present = planning_notes(planning, pf)->n_virtual_functions, wanted;
        const MemberPlan *taken;

        if (pf->sriov_total_vfs == 0)
                return SAY(plan, STATE_REFUSED, REASON_SRIOV_UNSUPPORTED,
                        "%s has no SR-IOV capability, or the firmware switched it off", address);

        wanted = section->num_vfs == NUM_VFS_MAX ? pf->sriov_total_vfs : section->number;
        if (present == wanted)
                return 0;
        if (wanted > pf->sriov_total_vfs)
                return SAY(plan, STATE_REFUSED, REASON_VFS_FEWER_THAN_ASKED,
                        "NumVFs=%u is asked of %s, which has %u at most", wanted, address,
                        pf->sriov_total_vfs);
        taken = find_taken(planning, pf);
        if (taken)
                return say_taken(plan, taken);
        if (!pf->driver || driver_is_vfio(pf->driver))
                return SAY(plan, STATE_PENDING, REASON_PF_NOT_BOUND,
                        "%s needs its host driver before virtual functions can be made", address);
        if (present > 0)
                return decide_other_number(planning, plan, wanted);
        if (pf->record && pf->record->state == STATE_FAILED && !planning->request->may_unbind &&
            streq_null(pf->record->config_digest, planning->config->digest)) {
                plan->state = STATE_FAILED;
                plan->reason = pf->record->reason;
                return replace_string(&plan->text, pf->record->reason_text);
        }

        plan->state = STATE_PENDING;
        plan->set_num_vfs = true;
        plan->num_vfs = wanted;
        return 0;
}

bool planner_switched_autoprobe_off(const Device *pf)
{
        return pf->sriov_autoprobe == 0 && pf->record &&
               streq_null(pf->record->original_autoprobe, "1");
}

/* Where nothing speaks of its VFs any more, prune gives the setting back, as it gives back the
 * functions. HostVFs=leave speaks of VFs that no claim takes, too. */
static void decide_autoprobe(const Planning *planning, PhysicalFunctionPlan *plan, bool covers)
{
        const Device *pf = plan->device;
        bool wants_off = covers || (plan->section && plan->section->leave_host_vfs &&
                                           pf->sriov_total_vfs > 0 && !driver_is_vfio(pf->driver));

        if (wants_off && pf->sriov_autoprobe == 1)
                plan->autoprobe_off = true;
        else if (!wants_off && planning->request->prune && planner_switched_autoprobe_off(pf) &&
                 !may_be_covered(planning, pf))
                plan->autoprobe_restore = true;
        if ((plan->autoprobe_off || plan->autoprobe_restore) && plan->state == STATE_BOUND)
                plan->state = STATE_PENDING;
}

static bool is_asked_for(const Planning *planning, const Device *pf)
{
        const PlanRequest *request = planning->request;
        MatchContext context = planner_match_context(planning);
        const Device *function;

        if (request->manual != MANUAL_NONE)
                return false;
        if (request->only_function) {
                function = snapshot_find(planning->snapshot, request->only_function);
                return function && (function == pf ||
                        (function->is_virtual_function &&
                                pci_address_equal(&function->physical_function, &pf->address)));
        }
        if (!request->only_claims)
                return true;
        for (size_t i = 0; i < planning->config->n_claims; i++) {
                const Claim *claim = &planning->config->claims[i];

                if (string_list_contains(request->only_claims, claim->name) &&
                    claim_takes_part(claim) && claim_covers(&context, claim, pf))
                        return true;
        }
        return false;
}

/* Not asked for now: what is pending stays so. */
static void drop_work(PhysicalFunctionPlan *plan)
{
        plan->autoprobe_off = plan->autoprobe_restore = plan->set_num_vfs = false;
        forget_virtual_functions(plan);
        if (plan->state == STATE_PENDING && plan->reason == REASON_NONE)
                plan->reason = REASON_NEEDS_APPLY;
}

static int decide_section(const Planning *planning, PhysicalFunctionPlan *plan)
{
        const PhysicalFunction *other;
        size_t index = 0;

        plan->state = STATE_BOUND;
        if (!plan->section)
                return 0;
        (void) next_section(planning, plan->device, &index);
        other = next_section(planning, plan->device, &index);
        if (other)
                return say_conflict(plan, other);
        return plan->section->num_vfs == NUM_VFS_KEEP ? 0 : decide_num_vfs(planning, plan);
}

static int decide_physical_function(const Planning *planning, const Device *pf)
{
        PhysicalFunctionPlan *plan;
        const PhysicalFunction *section = planner_find_section(planning, pf);
        bool covers;
        int r;

        covers = pf->sriov_total_vfs > 0 && !driver_is_vfio(pf->driver) &&
                 planner_covers_virtual_functions(planning, pf);
        if (!section && !covers && !planner_switched_autoprobe_off(pf))
                return 0;

        r = ARRAY_GROW(planning->plan->physical_functions, planning->plan->n_physical_functions);
        if (r < 0)
                return r;
        plan = &planning->plan->physical_functions[planning->plan->n_physical_functions];
        *plan = (PhysicalFunctionPlan){ .device = pf, .section = section };

        r = decide_section(planning, plan);
        if (r < 0)
                return r;
        decide_autoprobe(planning, plan, covers);
        if (!section && !covers && !plan->autoprobe_restore)
                return 0; /* nothing to do with us any more */
        planning->plan->n_physical_functions++;
        if (!is_asked_for(planning, pf))
                drop_work(plan);
        else
                leave_virtual_functions(planning, plan);
        return 0;
}

int planner_decide_physical_functions(const Planning *planning)
{
        bool have_sections = planning->config->n_physical_functions > 0;

        for (size_t i = 0; i < planning->snapshot->n_devices; i++) {
                const Device *device = &planning->snapshot->devices[i];
                int r;

                if (device->is_bridge || device->is_virtual_function ||
                    (device->sriov_total_vfs == 0 && !have_sections))
                        continue;
                r = decide_physical_function(planning, device);
                if (r < 0)
                        return r;
        }
        return 0;
}
