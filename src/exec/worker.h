/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "exec/transaction.h"

/* A worker: a forked process that does one transaction, tells of it (exec/progress.h) and ends. It
 * belongs to nobody: it has a session of its own, finishes what it began when its parent is gone,
 * and ends by SIGALRM where a single operation takes longer than it may and lets itself be
 * interrupted. */

typedef struct WorkerTask {
        const GroupPlan *group;                        /* or */
        const PhysicalFunctionPlan *physical_function; /* one of the two */
        const TransactionOptions *options;
        const Operations *operations;
        uint64_t timeout_usec; /* of a single operation */
} WorkerTask;

typedef struct Worker {
        pid_t pid;
        int pidfd;
        int socket; /* for progress_receive() */
} Worker;

/* See executor_setup_process(). */
void worker_setup_process(int argc, char **argv);

/* Forks. Returns 0, or a negative errno with no process left behind. */
int worker_start(const WorkerTask *task, Worker *ret) _must_check_;

/* Has it ended? Reaps it then. */
bool worker_has_ended(const Worker *worker);

/* Closes the descriptors; the process, if it lives, goes on. */
void worker_done(Worker *worker);
