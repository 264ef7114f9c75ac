/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "exec/operations.h"

/* One page that a worker shares with its parent and on which it writes what it is about to do, so
 * that it is known where it is stuck. Nobody is woken by it: with many groups to bind, telling the
 * parent of each step would cost more than the steps. */

typedef struct ProgressOperation {
        uint64_t task; /* the number of the task it belongs to, from 1 */
        OperationType type;
        PciAddress address;
        uint64_t started_usec; /* CLOCK_MONOTONIC */
        bool has_written;      /* this one or one before it changes the machine */
} ProgressOperation;

typedef struct ProgressBoard ProgressBoard;

/* Returns 0 or the errno of mmap(2). */
int progress_board_new(ProgressBoard **ret) _must_check_;
/* Unmaps it in this process only. */
ProgressBoard *progress_board_free(ProgressBoard *board);
DEFINE_CLEANUP(ProgressBoard, progress_board_free)

/* Processes forked from now on do not have it: it is between one worker and its parent. */
void progress_board_keep_from_children(const ProgressBoard *board);

/* In the worker. */
void progress_board_write(ProgressBoard *board, const ProgressOperation *operation);

/* In the parent: what the worker wrote last. Returns 1; 0: nothing yet; -EBADMSG: it was killed
 * while it wrote, or its memory is damaged. */
int progress_board_read(const ProgressBoard *board, ProgressOperation *ret) _must_check_;
