/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/model.h"
#include "host/host.h"

/* The machine, or a saved tree, seen with our own eyes: configuration, scan and planner, without
 * the daemon. */
typedef struct Machine Machine;

/* `root` NULL means this machine; the one it was opened with otherwise. Returns 0 or a negative
 * errno; *ret_what, untouched on success, says what failed. */
int machine_look(const char *root, Machine **ret, const char **ret_what) _must_check_;
Machine *machine_free(Machine *machine);
DEFINE_CLEANUP(Machine, machine_free)
#define _cleanup_machine_ _cleanup_(machine_freep)

/* What is, and what waits. Returns 0, -ENOMEM. */
int machine_model(const Machine *machine, Model **ret) _must_check_;

/* What "apply" would do, for every function that is concerned. Returns 0, -ENOMEM. */
int machine_steps(const Machine *machine, bool prune, ModelSteps *steps) _must_check_;
