/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "exec/offers.h"
#include "exec/progress-board.h"
#include "exec/transaction.h"

/* A worker: a forked process that does one transaction after another, the first as its parent says,
 * the others as the parent offers them (exec/offers.h), tells of them (exec/progress.h), and ends
 * when there is no more, or no parent. It knows what there was when it was forked. It belongs to
 * nobody: it has a session of its own, finishes what it began when its parent is gone, and ends by
 * SIGALRM where a single operation takes longer than it may, by a second to six, and lets itself be
 * interrupted. */

typedef struct WorkerTask {
        const GroupPlan *group;                        /* or */
        const PhysicalFunctionPlan *physical_function; /* one of the two */
        const TransactionOptions *options;
        const Operations *operations;
        uint64_t timeout_usec; /* of a single operation */
} WorkerTask;

/* Called in the worker: what the number stands for. False: there is no such task. */
typedef bool (*WorkerFind)(const void *userdata, uint64_t number, WorkerTask *ret);

typedef struct Worker {
        pid_t pid;
        int pidfd;
        int socket; /* for progress_receive() */
        ProgressBoard *board;
} Worker;

/* Forks; nothing is begun yet. Returns 0, or a negative errno with no process left behind. */
int worker_start(const Operations *operations, WorkerFind find, const void *userdata,
        Offers *offers, Worker *ret) _must_check_;

/* Gives it its first task. What it cannot take it will not tell of, but end. */
void worker_assign(const Worker *worker, uint64_t number);

/* Has it ended? Reaps it then. */
bool worker_has_ended(const Worker *worker);

/* Closes the descriptors, unmaps the board; the process, if it lives, goes on. */
void worker_done(Worker *worker);
