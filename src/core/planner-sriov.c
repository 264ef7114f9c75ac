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
        for (size_t i = 0; i < match->n_terms; i++)
                if (match->terms[i].type == TERM_VF || match->terms[i].type == TERM_ADDRESS)
                        return true;
        return false;
}

static bool line_covers(const MatchContext *context, const Match *match, const Device *pf)
{
        unsigned n = line_tells_virtual_functions_apart(match) ? pf->sriov_total_vfs : 1;

        for (unsigned i = 0; i < n; i++) {
                Device vf = virtual_function_to_come(pf, i);

                if (match_evaluate(match, context, &vf) == ANSWER_YES)
                        return true;
        }
        return false;
}

/* A line that could only select VFs by naming this PF can be told at once: most PFs of a large
 * machine are not meant by any claim. */
static bool claim_covers(const MatchContext *context, const Claim *claim, const Device *pf)
{
        if (!claim->enabled || claim->has_error || claim->is_skipped)
                return false;
        for (size_t i = 0; i < claim->n_matches; i++)
                if (line_covers(context, claim->matches[i], pf))
                        return true;
        return false;
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
        for (size_t i = 0; i < planning->config->n_claims && !notes->covered; i++)
                notes->covered = claim_covers(&context, &planning->config->claims[i], pf);
        return notes->covered;
}

const PhysicalFunction *planner_find_section(const Planning *planning, const Device *pf)
{
        const Config *config = planning->config;
        MatchContext context = planner_match_context(planning);

        for (size_t i = 0; i < config->n_physical_functions; i++) {
                const PhysicalFunction *section = &config->physical_functions[i];
                Answer answer = ANSWER_NO;

                if (!section->has_error &&
                    config_lookup_physical_function(&context, section->name, pf, &answer) &&
                    answer == ANSWER_YES)
                        return section;
        }
        return NULL;
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

/* NumVFs is written only from 0 and with a host driver on the PF (the driver creates the VFs). */
static int decide_num_vfs(const Planning *planning, PhysicalFunctionPlan *plan)
{
        const Device *pf = plan->device;
        const PhysicalFunction *section = plan->section;
        const char *address = PCI_ADDRESS_TEXT(&pf->address);
        unsigned present = planning_notes(planning, pf)->n_virtual_functions, wanted;

        plan->state = STATE_BOUND;
        if (!section || section->num_vfs == NUM_VFS_KEEP)
                return 0;
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
        if (present > 0)
                return SAY(plan, STATE_REFUSED, REASON_NUMVFS_DIFFERS,
                        "%s has %u virtual functions, NumVFs=%u is asked for. Stop what uses them, "
                        "write 0 to its sriov_numvfs and run \"vfio-bindctl apply\".",
                        address, present, wanted);
        if (!pf->driver || driver_is_vfio(pf->driver))
                return SAY(plan, STATE_PENDING, REASON_PF_NOT_BOUND,
                        "%s needs its host driver before virtual functions can be made", address);
        if (pf->record && pf->record->state == STATE_FAILED && !planning->request->may_unbind &&
            streq_null(pf->record->config_digest, planning->config->digest)) {
                plan->state = STATE_FAILED;
                plan->reason = pf->record->reason;
                return 0;
        }

        plan->state = STATE_PENDING;
        plan->set_num_vfs = true;
        plan->num_vfs = wanted;
        return 0;
}

/* We switched automatic probing off and nothing speaks of its VFs any more: prune gives the setting
 * back, as it gives back the functions. */
static bool wants_autoprobe_back(const Planning *planning, const Device *pf)
{
        return planning->request->prune && pf->sriov_autoprobe == 0 && pf->record &&
               !isempty(pf->record->original_autoprobe) &&
               !streq(pf->record->original_autoprobe, "0");
}

static int decide_physical_function(const Planning *planning, const Device *pf)
{
        PhysicalFunctionPlan *plan;
        const PhysicalFunction *section = planner_find_section(planning, pf);
        bool covers, restore;
        int r;

        covers = pf->sriov_total_vfs > 0 && !driver_is_vfio(pf->driver) &&
                 planner_covers_virtual_functions(planning, pf);
        restore = !covers && wants_autoprobe_back(planning, pf);
        if (!section && !covers && !restore)
                return 0;

        r = ARRAY_GROW(planning->plan->physical_functions, planning->plan->n_physical_functions);
        if (r < 0)
                return r;
        plan = &planning->plan->physical_functions[planning->plan->n_physical_functions++];
        *plan = (PhysicalFunctionPlan){ .device = pf, .section = section,
                                        .autoprobe_restore = restore };

        r = decide_num_vfs(planning, plan);
        if (r < 0)
                return r;
        plan->autoprobe_off = covers && pf->sriov_autoprobe == 1;
        if ((plan->autoprobe_off || restore) && plan->state == STATE_BOUND)
                plan->state = STATE_PENDING;
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
