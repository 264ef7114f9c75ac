/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/client.h"
#include "ctl/exit-code.h"

/* What came, or would come, of one function or claim: a line for people and its share of the exit
 * code. */
typedef struct Outcome {
        char *line; /* NULL: nothing worth a line */
        bool is_problem;
        ExitCode code;
} Outcome;

void outcome_done(Outcome *outcome);
#define _cleanup_outcome_ _cleanup_(outcome_done)

/* After "apply"; the models are those of before and after. All return 0, -ENOMEM. */
int outcome_of_item(const Model *before, const Model *after, const ApplyItem *item, Outcome *ret)
        _must_check_;

/* Before "apply": a row of the plan. */
int outcome_of_step(const Model *model, const ModelStep *step, Outcome *ret) _must_check_;

/* Of a claim no function of which says what is wrong with it, or that has none. `is_named`: the
 * user asked for it by name, and wants to know that it is absent or disabled. */
int outcome_of_claim(const ModelClaim *claim, bool is_named, Outcome *ret) _must_check_;
