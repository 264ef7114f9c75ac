/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/plan.h"

/* The only place where anything is decided. Pure: the same snapshot, configuration and request
 * give the same plan, and planning again after a plan was carried out gives an empty one. */

typedef struct PlanRequest {
        Stage stage;
        bool may_unbind; /* early passes, apply, bind: host drivers may be unbound */
        /* functions that may be unbound though may_unbind is false: they were hot-plugged or
         * created just now */
        const PciAddress *hotplugged;
        size_t n_hotplugged;
        /* host drivers are still being offered what is there: that a function has none says nothing
         * yet, and only those above and what may_unbind asks for are taken */
        bool awaits_drivers;
        /* udev itself asks, which does not wait for what it does besides: that counts as use */
        bool in_udev_event;
        /* what a request or an earlier decision began: neither a failed attempt nor what another
         * program did meanwhile keeps from taking what has no driver (may_unbind implies it) */
        bool retry;
        bool prune; /* release what no claim selects any more */
        /* if not NULL: work is planned only for groups with a function of these claims */
        char *const *only_claims;
        /* if not NULL: work is planned only for the group of this function */
        const PciAddress *only_function;
        /* A request by hand for the whole group of *manual_function: MANUAL_BOUND binds it, with
         * `manual_settings` in place of the claim's or [Defaults]; MANUAL_RELEASED gives it
         * back. */
        Manual manual;
        const PciAddress *manual_function;
        const ClaimSettings *manual_settings; /* MANUAL_BOUND; must outlive the plan */
        unsigned manual_allow_in_use;         /* bits 1 << InUse */
} PlanRequest;

/* Returns 0, -ENOMEM. Refusals are data in the plan. */
int planner_plan(const Snapshot *snapshot, const Config *config, const PlanRequest *request,
        Plan **ret) _must_check_;

/* What the early pass of the next boot would do, were the hardware as it is now and no driver bound
 * but those that the host needs. The snapshot is as before when this returns; the plan shows it as
 * it is now. Returns 0, -ENOMEM. */
int planner_plan_next_boot(Snapshot *snapshot, const Config *config, bool prune, Plan **ret)
        _must_check_;

/* How each claim's lines answer for one function, for Explain. */
typedef struct Explanation {
        const Claim *claim;
        const Match *match;
        const Term *term; /* NULL: the line as a whole */
        Answer answer;
        bool is_exclude;
} Explanation;

int planner_explain(const Snapshot *snapshot, const Config *config, Stage stage,
        const Device *device, Explanation **ret, size_t *ret_n) _must_check_;
