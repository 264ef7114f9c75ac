/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/report.h"

/* What a worker tells its parent when it is done with a task, over a SOCK_SEQPACKET pair, a
 * fixed-size message at a time (where it is meanwhile: exec/progress-board.h):
 *
 *   member × n, group                  the report; or
 *   physical-function                  the report
 *
 * The worker may be killed between any two of them, and its memory may be damaged: what does not
 * fit is dropped. */

typedef enum ProgressType {
        PROGRESS_MEMBER,
        PROGRESS_GROUP,
        PROGRESS_PHYSICAL_FUNCTION,
        _PROGRESS_MAX,
} ProgressType;

typedef struct ProgressMessage {
        uint64_t magic;
        uint64_t task; /* the number of the task that it is about */
        ProgressType type;
        uint32_t index; /* PROGRESS_MEMBER: which; PROGRESS_GROUP: how many */
        union {
                MemberReport member;
                GroupReport group; /* `members` means nothing */
                PhysicalFunctionReport physical_function;
        };
} ProgressMessage;

/* Sends; where the parent is gone, the worker goes on without. `task`, `type` and what belongs to
 * it need to be set. */
void progress_send(int fd, ProgressMessage *message);

/* Takes the next message without waiting. Returns 1; 0: there is none now; -EBADMSG: one that was
 * no valid message is dropped; -ENOTCONN: the worker's end is closed; another negative errno. */
int progress_receive(int fd, ProgressMessage *ret) _must_check_;

/* As progress_receive(), but says only which task the next message is about, and leaves it. */
int progress_peek(int fd, uint64_t *ret_task) _must_check_;
