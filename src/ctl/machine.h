/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/config.h"
#include "core/snapshot.h"
#include "ctl/model.h"
#include "host/host.h"

/* The machine, or a saved tree, seen with our own eyes: configuration, scan and planner, without
 * the daemon. */
typedef struct Machine Machine;

typedef struct MachineOptions {
        const char *root; /* NULL: this machine */
        /* as in ConfigLoadOptions; both NULL: nothing is replaced */
        const char *replace_path, *replace_file;
        unsigned facts; /* SNAPSHOT_FACT_* beyond those that every table shows */
} MachineOptions;

/* The strings belong to the caller, until then. Returns 0 or a negative errno; *ret_what, untouched
 * on success, says what failed. */
int machine_look(const MachineOptions *options, Machine **ret, const char **ret_what)
        _must_check_;
Machine *machine_free(Machine *machine);
DEFINE_CLEANUP(Machine, machine_free)
#define _cleanup_machine_ _cleanup_(machine_freep)

/* Is vfio-bindd enabled there, so that a boot does anything? */
bool machine_is_enabled(const Machine *machine);

const Config *machine_config(const Machine *machine);
const Snapshot *machine_snapshot(const Machine *machine);

/* What is, and what waits. Returns 0, -ENOMEM. */
int machine_model(const Machine *machine, Model **ret) _must_check_;

/* What "apply" would do, or, with `next_boot`, the early pass of the next boot, for every function
 * that is concerned, and about every physical function. Returns 0, -ENOMEM. */
int machine_steps(const Machine *machine, bool prune, bool next_boot, ModelSteps *steps)
        _must_check_;
