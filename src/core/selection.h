/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/planner.h"

/* Which claim takes which function: the first half of planning. */

typedef enum Verdict {
        VERDICT_NOT_SELECTED,
        VERDICT_SELECTED, /* by `claim`, line `match` (NULL: decided earlier for this instance) */
        VERDICT_EXCLUDED, /* [Defaults] Exclude= takes it out of everybody's hands */
        VERDICT_RESERVED, /* a claim that has an error or is skipped names it: nobody else's */
        VERDICT_CONFLICT, /* `claim` and `other` both select it */
        /* cannot be told at this stage whether `claim` selects it, or whether `exclude` takes it
         * out (`claim` is NULL then if none asks for it) */
        VERDICT_DEFERRED,
} Verdict;

typedef struct Selection {
        Verdict verdict;
        const Claim *claim;
        const Match *match;
        const Claim *other;
        const Match *other_match;
        const Match *exclude;
        bool guard_failed;  /* a line that selects it expects another identity */
        const Match *guard; /* that line */
} Selection;

/* How the lines of a claim answer for a function: Exclude= taken into account. *ret_match is the
 * first line that says yes, *ret_guard the first of those whose identity guard does not hold. */
Answer claim_evaluate(const Claim *claim, const MatchContext *context, const Device *device,
        const Match **ret_match, const Match **ret_guard);

/* Judges every function of the snapshot; the array is as long as snapshot->devices.
 * Returns 0, -ENOMEM. */
int selection_judge(const Snapshot *snapshot, const Config *config, Stage stage, Selection **ret)
        _must_check_;
