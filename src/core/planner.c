/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/planner.h"

#include <errno.h>

#include "core/planner-internal.h"
#include "util/array.h"
#include "util/strings.h"

typedef const Device *DeviceReference;

/* By group, functions without one last; within a group by address (the snapshot's order). */
static int compare_by_group(const void *a, const void *b)
{
        const Device *x = *(const DeviceReference *) a, *y = *(const DeviceReference *) b;

        if (x->group != y->group) {
                if (x->group < 0)
                        return 1;
                if (y->group < 0)
                        return -1;
                return x->group < y->group ? -1 : 1;
        }
        return pci_address_compare(&x->address, &y->address);
}

static int sort_by_group(const Snapshot *snapshot, DeviceReference **ret)
{
        DeviceReference *list = calloc(snapshot->n_devices + 1, sizeof(DeviceReference));

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < snapshot->n_devices; i++)
                list[i] = &snapshot->devices[i];
        qsort(list, snapshot->n_devices, sizeof(DeviceReference), compare_by_group);
        *ret = list;
        return 0;
}

static size_t group_length(const DeviceReference *devices, size_t n_devices)
{
        size_t n = 1;

        if (devices[0]->group < 0)
                return 1;
        while (n < n_devices && devices[n]->group == devices[0]->group)
                n++;
        return n;
}

static int add_group(const Planning *planning, const DeviceReference *devices, size_t n_devices)
{
        Plan *plan = planning->plan;
        GroupPlan *group;
        int r;

        r = ARRAY_GROW(plan->groups, plan->n_groups);
        if (r < 0)
                return r;

        group = &plan->groups[plan->n_groups++];
        *group = (GroupPlan){ .number = devices[0]->group };
        group->members = calloc(n_devices, sizeof(MemberPlan));
        if (!group->members)
                return -ENOMEM;
        group->n_members = n_devices;
        for (size_t i = 0; i < n_devices; i++)
                group->members[i].device = devices[i];

        return planner_decide_group(planning, group);
}

static int decide_groups(const Planning *planning)
{
        _cleanup_free_ DeviceReference *devices = NULL;
        size_t n_devices = planning->snapshot->n_devices;
        int r;

        r = sort_by_group(planning->snapshot, &devices);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n_devices;) {
                size_t n = group_length(&devices[i], n_devices - i);

                r = add_group(planning, &devices[i], n);
                if (r < 0)
                        return r;
                i += n;
        }
        return 0;
}

static void note_virtual_function(const Planning *planning, const Device *device)
{
        const Device *pf = snapshot_find(planning->snapshot, &device->physical_function);
        Notes *notes;

        if (!pf)
                return;
        notes = planning_notes(planning, pf);
        notes->n_virtual_functions++;
        if (planning_selection(planning, device)->verdict == VERDICT_SELECTED)
                notes->has_selected = true;
}

/* What a configuration since then wants anew has had its time with the host: it waits for apply. */
static bool is_recorded_as_fresh(const Planning *planning, const DeviceRecord *record)
{
        return record && record->hotplug_pending &&
               (isempty(record->config_digest) ||
                       streq(record->config_digest, planning->config->digest));
}

static void take_notes(const Planning *planning)
{
        const Snapshot *snapshot = planning->snapshot;
        const PlanRequest *request = planning->request;

        for (size_t i = 0; i < snapshot->n_devices; i++) {
                const Device *device = &snapshot->devices[i];

                if (is_recorded_as_fresh(planning, device->record))
                        planning->notes[i].fresh = true;
                if (device->is_virtual_function)
                        note_virtual_function(planning, device);
        }
        for (size_t i = 0; i < request->n_hotplugged; i++) {
                const Device *device = snapshot_find(snapshot, &request->hotplugged[i]);

                if (device)
                        planning_notes(planning, device)->fresh = true;
        }
}

static int note_places(const Planning *planning)
{
        const Snapshot *snapshot = planning->snapshot;
        Plan *plan = planning->plan;

        plan->places = calloc(snapshot->n_devices + 1, sizeof(PlanPlace));
        if (!plan->places)
                return -ENOMEM;
        plan->n_places = snapshot->n_devices;
        for (size_t i = 0; i < plan->n_groups; i++)
                for (size_t j = 0; j < plan->groups[i].n_members; j++) {
                        MemberPlan *member = &plan->groups[i].members[j];

                        plan->places[member->device - snapshot->devices] =
                                (PlanPlace){ &plan->groups[i], member };
                }
        return 0;
}

int planner_plan(const Snapshot *snapshot, const Config *config, const PlanRequest *request,
        Plan **ret)
{
        _cleanup_plan_ Plan *plan = NULL;
        _cleanup_free_ Selection *selections = NULL;
        _cleanup_free_ Notes *notes = NULL;
        _cleanup_free_ bool *in_place = NULL;
        Planning planning;
        int r;

        plan = calloc(1, sizeof(Plan));
        notes = calloc(snapshot->n_devices + 1, sizeof(Notes));
        if (!plan || !notes)
                return -ENOMEM;

        r = selection_judge(snapshot, config, request->stage, &selections);
        if (r >= 0 && snapshot->host_devices)
                r = host_devices_locate(snapshot->host_devices, snapshot, &in_place);
        if (r < 0)
                return r;

        planning = (Planning){ .snapshot = snapshot, .config = config, .request = request,
                               .selections = selections, .notes = notes,
                               .host_devices_in_place = in_place, .plan = plan };
        take_notes(&planning);
        r = decide_groups(&planning);
        if (r < 0)
                return r;
        r = note_places(&planning);
        if (r < 0)
                return r;
        r = planner_decide_physical_functions(&planning);
        if (r < 0)
                return r;
        r = planner_summarize_claims(&planning);
        if (r < 0)
                return r;

        *ret = TAKE_POINTER(plan);
        return 0;
}

static int explain_line(const Claim *claim, const Match *line, bool is_exclude,
        const MatchContext *context, const Device *device, Explanation **list, size_t *n)
{
        for (size_t i = 0; i <= line->n_terms; i++) {
                const Term *term = i < line->n_terms ? &line->terms[i] : NULL;
                int r;

                r = ARRAY_GROW(*list, *n);
                if (r < 0)
                        return r;
                (*list)[(*n)++] = (Explanation){
                        .claim = claim,
                        .match = line,
                        .term = term,
                        .is_exclude = is_exclude,
                        .answer = term ? term_evaluate(term, context, device)
                                       : match_evaluate(line, context, device),
                };
        }
        return 0;
}

static int explain_lines(const Claim *claim, Match *const *lines, size_t n_lines, bool is_exclude,
        const MatchContext *context, const Device *device, Explanation **list, size_t *n)
{
        for (size_t i = 0; i < n_lines; i++) {
                int r = explain_line(claim, lines[i], is_exclude, context, device, list, n);

                if (r < 0)
                        return r;
        }
        return 0;
}

int planner_explain(const Snapshot *snapshot, const Config *config, Stage stage,
        const Device *device, Explanation **ret, size_t *ret_n)
{
        MatchContext context = { .snapshot = snapshot, .stage = stage,
                                 .lookup = config_lookup_physical_function,
                                 .userdata = (void *) config };
        _cleanup_free_ Explanation *list = NULL;
        size_t n = 0;
        int r;

        r = explain_lines(NULL, config->excludes, config->n_excludes, true, &context, device, &list,
                &n);
        for (size_t i = 0; r >= 0 && i < config->n_claims; i++) {
                const Claim *claim = &config->claims[i];

                r = explain_lines(claim, claim->matches, claim->n_matches, false, &context, device,
                        &list, &n);
                if (r >= 0)
                        r = explain_lines(claim, claim->excludes, claim->n_excludes, true, &context,
                                device, &list, &n);
        }
        if (r < 0)
                return r;

        *ret = TAKE_POINTER(list);
        *ret_n = n;
        return 0;
}
