/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/plan.h"
#include "core/report.h"
#include "exec/operations.h"

/* Carries out the plan of one group, or of one physical function, from beginning to end: straight,
 * synchronous code that may block wherever an operation does. Programs run it in a worker process
 * (exec/executor.h); tests run it in-process on a fake kernel.
 *
 * A group moves whole or stays as it was found:
 *
 *   lock → modules → look → guard → who has it open → intent → originals recorded
 *        → override on all → driver read again → unbind each → bind each → every link read back
 *        → node and links → records → intent ended → unlocked
 *
 * and where a step fails, what was touched is put back, last member first. */

typedef struct TransactionOptions {
        Stage stage;
        const char *config_digest; /* stored in the records; may be NULL */
        bool waits_for_udev;       /* for its look at what is to be taken, 10 s at most */
} TransactionOptions;

/* For a single operation, where neither claim nor section says another one. */
#define TRANSACTION_DEFAULT_TIMEOUT_USEC (30 * USEC_PER_SEC)
/* What a single operation may take. */
uint64_t group_timeout(const GroupPlan *group);
uint64_t physical_function_timeout(const PhysicalFunctionPlan *physical_function);

/* Works on the members that have an action. What came of it is in *ret, with one member report for
 * each of them, which group_report_done() frees:
 *   bound, detached, released, unclaimed (given to the host)   done
 *   binding  the kernel finishes it by itself: a `bind` event follows; or the node is not final
 *   pending  the machine is not any more as it was planned for: to be planned again
 *   refused  guard, open group: nothing is changed
 *   failed   tried and put back (members: rolled-back), or rollback-failed, which a member's own
 *            reason says where it is left otherwise than it was found
 * Returns 0, or -ENOMEM with nothing done. */
int transaction_run(const GroupPlan *group, const TransactionOptions *options,
        const Operations *operations, GroupReport *ret) _must_check_;

/* sriov_drivers_autoprobe off or back to the record, then the number of VFs, which is only ever
 * written where there are none. *ret: bound (as wanted), pending, refused or failed. Returns 0. */
int physical_function_run(const PhysicalFunctionPlan *plan, const TransactionOptions *options,
        const Operations *operations, PhysicalFunctionReport *ret) _must_check_;
