/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager-internal.h"
#include "exec/intent.h"

/* Between recover.c and recover-plan.c. */

typedef struct Resumption {
        Plan *plan;
        ClaimSettings *settings; /* of a bind by hand, which the plan refers to; NULL: none */
} Resumption;

void resumption_done(Resumption *resumption);

/* `shown` is the group as the view's plan has it, `entries` what its intent says (n 0: nothing).
 * only_undo: nothing is tried any more, what was taken is given back. Returns 0, -ENOMEM. */
int recover_plan(const Manager *manager, const View *view, const GroupPlan *shown,
        const IntentEntry *entries, size_t n, bool only_undo, Resumption *ret) _must_check_;
