/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/config.h"
#include "core/plan.h"
#include "ctl/model.h"

/* [PhysicalFunction] sections: what is, what would be done, and how that is told. */

/* Every section with each function that it selects, those without any, and the functions of which
 * claims alone speak. Each returns 0, -ENOMEM. */
int physical_functions_of_plan(const Config *config, const Snapshot *snapshot, const Plan *plan,
        ModelPhysicalFunctions *ret) _must_check_;

/* What can be told from the state that the daemon shows: adds what "apply", or the next boot, would
 * do, and what is in the way. */
int physical_functions_of_model(const Model *model, bool next_boot, ModelPhysicalFunctions *ret)
        _must_check_;

bool physical_function_changes(const ModelPhysicalFunction *function);
bool physical_function_is_refused(const ModelPhysicalFunction *function);
bool physical_function_says_something(const ModelPhysicalFunction *function);

/* "PhysicalFunction nic0 (0000:06:00.0)" */
int physical_function_format_name(const ModelPhysicalFunction *function, char **ret) _must_check_;

/* What would be done about it, or why nothing; *ret NULL: all is as wanted, or it is not here. */
int physical_function_describe(const ModelPhysicalFunction *function, char **ret) _must_check_;
