/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/config.h"
#include "core/snapshot.h"

/* What a configuration means for a snapshot: for every function its role, state and reason, and
 * what is to be done, group by group. A plan points into the snapshot and the configuration that
 * it was made from; both must outlive it. */

typedef enum Action {
        ACTION_NONE,
        ACTION_BIND,       /* override, unbind from the present driver, bind to `target` */
        ACTION_DETACH,     /* override DETACHED_OVERRIDE, unbind: stays without a driver */
        ACTION_HOLD,       /* override only: keeps host drivers away until it is judged */
        ACTION_RELEASE,    /* back to what the record says, else to the host's driver */
        ACTION_PROBE_HOST, /* a VF of a PF with autoprobe off that no claim takes */
        ACTION_ADOPT,      /* on its target already: record, node and links only, no /sys write */
        _ACTION_MAX,
} Action;

const char *action_to_string(Action action); /* "none" "bind" "detach" "hold" … */

/* The driver name that nobody answers to. */
#define DETACHED_OVERRIDE "vfio-bindd-detached"

typedef struct MemberPlan {
        const Device *device;
        Role role;
        State state; /* before the plan is carried out: pending where there is work */
        Reason reason;
        char *text; /* NULL, or a sentence: the thing in the way and a safe remedy */
        const Claim *claim; /* NULL: none; a companion has its claim's */
        const Match *match; /* the line that selected it, NULL: none */
        unsigned allow_in_use; /* bits 1 << InUse, for the guard's second look */
        bool is_asked_for; /* the one function that a bind by hand, which is planned, names … */
        unsigned allow_by_hand; /* … and what of allow_in_use it asks for beside the claim's */
        bool fresh; /* appeared just now (hot-plug, VF creation): no driver now means none before */
        bool untouched; /* snapshot_is_untouched(): none before, either */
        /* what is planned anew because it was cut off: the host's driver that it was taken from, to
         * be put back on if it fails; NULL: as it is found, and as its record says */
        const char *found_driver;
        Manual manual; /* what the record is to say when this was carried out */
        bool no_probe; /* ACTION_RELEASE: leave it without a driver */
        Action action;
        const char *target; /* driver after the action; NULL: none or the host's choice */
} MemberPlan;

/* Of a group whose transaction was cut off. */
typedef struct ResumeCount {
        unsigned n_tries;    /* to finish or undo it */
        unsigned n_timeouts; /* workers at it that were given up, and ended */
} ResumeCount;

typedef struct GroupPlan {
        int64_t number; /* IOMMU group; -1: a function without one, alone */
        MemberPlan *members; /* sorted by address, every function of the group, bridges too */
        size_t n_members;
        State state; /* of the group as a whole: the worst of what concerns it */
        Reason reason;
        char *text;
        bool has_work;
        const ClaimSettings *settings; /* of its claims, which agree; NULL: not claimed */
        bool wants_node; /* claimed and all on VFIO, or going to be */
        uint64_t timeout_usec; /* for a group without settings */
        ResumeCount resumed; /* this plan included; for its intent */
} GroupPlan;

typedef struct PhysicalFunctionPlan {
        const Device *device;
        const PhysicalFunction *section; /* NULL: only claims speak of its VFs */
        bool autoprobe_off; /* write 0 to sriov_drivers_autoprobe unless it is 0 already */
        bool autoprobe_restore; /* nothing of ours speaks of its VFs any more: back to the record */
        bool set_num_vfs;
        unsigned num_vfs;
        /* those that go first, because there is another number of them (apply only); none of them
         * was in use; NULL: there are none */
        const Device **virtual_functions;
        size_t n_virtual_functions;
        State state;
        Reason reason;
        char *text;
} PhysicalFunctionPlan;

typedef struct ClaimPlan {
        const Claim *claim;
        State state; /* bound pending refused failed released …; see `partial` */
        bool partial; /* some groups bound, others not */
        bool absent;  /* nothing selected */
        Reason reason;
        char *text;
        bool *missing; /* per Match line: selects nothing */
        size_t n_functions; /* selected */
} ClaimPlan;

/* Where a function stands in the plan. */
typedef struct PlanPlace {
        GroupPlan *group;
        MemberPlan *member;
} PlanPlace;

typedef struct Plan {
        GroupPlan *groups; /* by number, then functions without group by address */
        size_t n_groups;
        PhysicalFunctionPlan *physical_functions; /* by address; those that we have to do with */
        size_t n_physical_functions;
        ClaimPlan *claims; /* as in the configuration */
        size_t n_claims;
        PlanPlace *places; /* of every function, by address; may be missing: for plan_find() */
        size_t n_places;
} Plan;

Plan *plan_free(Plan *plan);
DEFINE_CLEANUP(Plan, plan_free)
#define _cleanup_plan_ _cleanup_(plan_freep)

/* The claim's state as D-Bus and command line name it: bound partial pending refused absent
 * failed disabled error, and stuck, released, drifted where that is what all its functions are. */
const char *claim_plan_state(const ClaimPlan *claim);

bool plan_is_empty(const Plan *plan); /* nothing to do, PFs included */
const MemberPlan *plan_find(const Plan *plan, const PciAddress *address,
        const GroupPlan **ret_group);
const GroupPlan *plan_find_group(const Plan *plan, int64_t number);
const PhysicalFunctionPlan *plan_find_physical_function(const Plan *plan, const PciAddress *pf);

/* Stable text, one line a function, for golden tests and people:
 *   group 14 pending
 *     0000:01:00.0 selected pending bind nvme -> vfio-pci [gaming-gpu]
 *     0000:01:00.1 companion pending bind - -> vfio-pci [gaming-gpu]
 *   group 15 refused in-use-system: /dev/nvme1n1p2 is mounted on /srv. …
 * Groups without any role are left out. Returns 0, -ENOMEM. */
int plan_format(const Plan *plan, char **ret) _must_check_;
