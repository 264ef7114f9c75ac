/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/host-devices.h"
#include "core/planner.h"
#include "core/selection.h"

/* What is found out once about a function, because many others ask for it: with thousands of
 * functions nobody may look through all of them for each of them. */
typedef struct Notes {
        bool fresh; /* appeared just now: may be unbound without leave */
        /* of a physical function: */
        unsigned n_virtual_functions; /* that are present */
        bool has_selected;            /* a claim selects one of those */
        bool coverage_known;          /* claims were asked: */
        bool covered;                 /* one covers its VFs, existing or to come */
} Notes;

/* What the parts of the planner share while one plan is made. */
typedef struct Planning {
        const Snapshot *snapshot;
        const Config *config;
        const PlanRequest *request;
        const Selection *selections; /* per device of the snapshot */
        Notes *notes;                /* likewise */
        /* per item of the snapshot's host devices: host_devices_locate(); NULL without those */
        const bool *host_devices_in_place;
        Plan *plan;
} Planning;

static inline const Selection *planning_selection(const Planning *planning, const Device *device)
{
        return &planning->selections[device - planning->snapshot->devices];
}

static inline Notes *planning_notes(const Planning *planning, const Device *device)
{
        return &planning->notes[device - planning->snapshot->devices];
}

static inline State device_recorded_state(const Device *device)
{
        return device->record ? device->record->state : STATE_UNCLAIMED;
}

static inline Manual device_recorded_manual(const Device *device)
{
        return device->record ? device->record->manual : MANUAL_NONE;
}

static inline MatchContext planner_match_context(const Planning *planning)
{
        return (MatchContext){ .snapshot = planning->snapshot, .stage = planning->request->stage,
                               .lookup = config_lookup_physical_function,
                               .userdata = (void *) planning->config };
}

/* planner-group.c: is a function of this group asked for by hand? */
bool planner_is_requested(const Planning *planning, const GroupPlan *group, Manual manual);
/* Decides one group whose members are filled in (device only). */
int planner_decide_group(const Planning *planning, GroupPlan *group) _must_check_;

/* Where the member is to end: a driver's name; NULL: detached. */
const char *planner_target_driver(const Planning *planning, const MemberPlan *member,
        const ClaimSettings *settings);
bool planner_is_stuck(const GroupPlan *group);
int planner_decide_stuck(GroupPlan *group) _must_check_;
/* has_work, and the worst member's state and reason where the group has none of its own. */
void planner_summarize_group(GroupPlan *group);

/* planner-unclaimed.c: what is ours goes back, by request or because no claim wants it. */
int planner_decide_release(const Planning *planning, GroupPlan *group) _must_check_;
int planner_decide_unclaimed(const Planning *planning, GroupPlan *group) _must_check_;
/* Functions that join a group of ours are kept away from host drivers. */
void planner_hold_joined(GroupPlan *group);

/* planner-refusal.c: the first thing that keeps a group with selected members from moving.
 * Fills reason and text of the group and of the member concerned; REASON_NONE if nothing does. */
int planner_refuse_group(const Planning *planning, GroupPlan *group, const ClaimSettings *settings,
        State *ret_state, Reason *ret_reason) _must_check_;
bool planner_is_platform(const Device *device);
/* What may be in use by leave of its claim, a set of 1 << InUse: never what no claim may allow. */
unsigned planner_allowed_uses(const MemberPlan *member);
/* Base classes 05, 06, 08, 0b and 0c05 without a driver that could harm: part of the group, but
 * nobody's business. */
bool planner_is_ignorable(const Device *device);
/* A companion that the claim's Companions= lets in. */
bool planner_lets_in(const GroupPlan *group, const MemberPlan *companion, CompanionPolicy policy);

/* planner-host-devices.c: what the record of the host says about a member that is to be taken at an
 * early stage. reason is REASON_NONE if it may be taken; the caller frees text. */
typedef struct HostDeviceVerdict {
        State state;
        Reason reason;
        char *text;
} HostDeviceVerdict;
int planner_judge_host_device(const Planning *planning, const MemberPlan *member,
        const char *location, HostDeviceVerdict *ret) _must_check_;
/* The same of a part of the platform without a driver in the group of such a member. */
int planner_judge_platform(const Planning *planning, const MemberPlan *member,
        HostDeviceVerdict *ret) _must_check_;

/* planner-sriov.c: SR-IOV physical functions. */
int planner_decide_physical_functions(const Planning *planning) _must_check_;
/* Does a claim cover VFs of this PF, existing or to come? */
bool planner_covers_virtual_functions(const Planning *planning, const Device *pf);
/* It probed its VFs by itself before us. */
bool planner_switched_autoprobe_off(const Device *pf);
/* The [PhysicalFunction] section that selects this PF; NULL: none. */
const PhysicalFunction *planner_find_section(const Planning *planning, const Device *pf);
/* A [PhysicalFunction] section that has an error may select it: what that says is not known. */
bool planner_may_have_bad_section(const Planning *planning, const Device *pf);

/* planner-claims.c: what came of each claim, from the groups. */
int planner_summarize_claims(const Planning *planning) _must_check_;

/* Where what the guards of a line ask for went: "is now at 0000:02:00.0", "is nowhere here". Of
 * several of the kind nobody knows which one it is. */
int planner_format_elsewhere(const Match *match, const Snapshot *snapshot, char **ret) _must_check_;
/* "(/etc/vfio-bind.conf:14)" or "" */
int planner_format_location(const Location *location, char **ret) _must_check_;
