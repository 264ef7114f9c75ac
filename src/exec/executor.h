/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/plan.h"
#include "core/report.h"
#include "exec/operations.h"

/* Carries out plans in disposable worker processes, one group at a time in each, at most eight side
 * by side, none ever waited for without a deadline. A worker that is done with a group takes
 * the next one; two are started at once, further ones while those are busy (a fork costs more than
 * binding a virtual function). The worker does the group's transaction
 * (exec/transaction.h) and says before every operation what it is about to do, so that when its
 * deadline passes it is known where it is stuck. Each single operation has the claim's Timeout=;
 * when that has passed, the worker is killed and abandoned, its group is reported stuck, and the
 * record of the function it was at says so. A zombie is reaped whenever it comes.
 * A worker that ends without a report was killed: another takes up its transaction, and finishes
 * or undoes it. If that one is killed too, its intent file stays and its group is reported failed.
 *
 * The program must be single-threaded. */

typedef struct Executor Executor;

typedef void (*ExecutorGroupDone)(void *userdata, const GroupReport *report);
typedef void (*ExecutorPfDone)(void *userdata, const PhysicalFunctionReport *report);
typedef void (*ExecutorReturned)(void *userdata);

typedef struct ExecutorOptions {
        Stage stage;
        const char *config_digest; /* stored in the records; as it is when a plan is added */
        bool waits_for_udev;       /* exec/transaction.h; not where udev waits for us */
        unsigned max_workers;      /* 0: 8 */
        ExecutorGroupDone group_done; /* may be NULL */
        ExecutorPfDone physical_function_done; /* may be NULL */
        ExecutorReturned worker_returned; /* one that had been given up has ended; may be NULL */
        void *userdata;
} ExecutorOptions;

/* Call once at the start of main, before threads, with main's argv: workers show up as
 * "@vfio-bindd-worker", and systemd's shutdown does not wait for them (util/process-name.h). */
void executor_setup_process(int argc, char **argv);

int executor_new(const Operations *operations, const ExecutorOptions *options, Executor **ret)
        _must_check_;
/* Abandons what still runs: a worker finishes its transaction by itself, for a group cut off in the
 * middle is worse than one that is ready a little late. */
Executor *executor_free(Executor *executor);
DEFINE_CLEANUP(Executor, executor_free)

/* Queues the work of a plan: physical functions first (their autoprobe must be off before VFs
 * come; NumVFs after that), then all groups that have work. The plan, its snapshot and its
 * configuration must live until executor_is_idle(). Returns 0, -ENOMEM. */
int executor_add(Executor *executor, const Plan *plan) _must_check_;

/* Readable when executor_dispatch() has something to do, a passed deadline included. */
int executor_get_fd(Executor *executor);

/* Does what is due without blocking, calls the callbacks of what ended. Returns 0 or a negative
 * errno (the executor itself cannot go on). */
int executor_dispatch(Executor *executor) _must_check_;

bool executor_is_idle(const Executor *executor);
bool executor_works_on(const Executor *executor, int64_t group);

/* For programs without an event loop: dispatches until idle or until `timeout_usec` has passed
 * in total; what is not done by then is abandoned (not killed, as above) and reported stuck
 * (worker-timeout); what has not begun is reported pending. ret may be NULL.
 * Returns 0 or a negative errno. */
int executor_run(Executor *executor, uint64_t timeout_usec, Report **ret) _must_check_;
