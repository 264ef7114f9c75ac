/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/planner.h"
#include "exec/executor.h"
#include "host/host-devices.h"
#include "host/host.h"
#include "host/kernel-command-line.h"

/* What the early pass and the udev helper have in common: the configuration and the machine are
 * read, planned, carried out once, and said. */
typedef struct Pass {
        Host host;
        Stage stage;
        KernelCommandLine command_line;
        Config *config;
        HostDevices *host_devices; /* early stages: the record; NULL: none that is valid */
        bool awaits_storage;       /* boot stage without a record: host_tables_await_storage() */
        Operations operations;
} Pass;

/* Opens the machine (root NULL: this one). The rest of the pass is empty. Returns 0 or a negative
 * errno. */
int pass_open(Pass *pass, const char *root, Stage stage) _must_check_;
/* Reads the kernel command line and, unless that switches everything off, the configuration and, at
 * the early stages, the record of what the host needs. Claims that
 * vfio_bindd.skip= names are marked. Returns 0 or a negative errno. */
int pass_configure(Pass *pass) _must_check_;
void pass_done(Pass *pass);
#define _cleanup_pass_ _cleanup_(pass_done)

/* What a scan must read for the configuration, as far as it can be known without the hwdb and, in
 * the early stages, without final interface names. The guard's view is not in it. */
unsigned pass_facts(const Pass *pass);

/* Plans, and where something is to be taken that the host might use, looks with the guard first
 * and plans again. (Functions that have just appeared and have no driver cannot be in use; the
 * guard reads every process's open files.) Returns 0 or a negative errno. */
int pass_plan(const Pass *pass, Snapshot *snapshot, const PlanRequest *request, Plan **ret)
        _must_check_;

/* NumVFs= is the daemon's: writing it takes the PF driver's own time, longer than a udev event may
 * last, and early in the boot that driver is not even there. Nor is it said, then. */
void pass_leave_num_vfs(Plan *plan);

/* Carries the plan out within `timeout_usec`, logs every outcome. Returns 0 or a negative errno;
 * what came of it is in *ret. */
int pass_execute(Pass *pass, const Plan *plan, uint64_t timeout_usec, Report **ret) _must_check_;

/* The outcome for one function; NULL: it was not worked on. */
const MemberReport *pass_find_report(const Report *report, const PciAddress *address);
