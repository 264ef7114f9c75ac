/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/report.h"
#include "exec/operations.h"

/* What a worker tells its parent, over a SOCK_SEQPACKET pair, a fixed-size message at a time:
 *
 *   operation … operation …            before each, so that it is known where the worker is stuck
 *   member × n, group                  the report; or
 *   physical-function                  the report
 *
 * The worker may be killed between any two of them, and its memory may be damaged: what does not
 * fit is dropped. */

typedef enum ProgressType {
        PROGRESS_OPERATION,
        PROGRESS_MEMBER,
        PROGRESS_GROUP,
        PROGRESS_PHYSICAL_FUNCTION,
        _PROGRESS_MAX,
} ProgressType;

typedef struct ProgressOperation {
        OperationType type;
        PciAddress address;
        uint64_t started_usec; /* CLOCK_MONOTONIC */
        bool has_written;      /* this one or one before it changes the machine */
} ProgressOperation;

typedef struct ProgressMessage {
        uint64_t magic;
        ProgressType type;
        uint32_t index; /* PROGRESS_MEMBER: which; PROGRESS_GROUP: how many */
        union {
                ProgressOperation operation;
                MemberReport member;
                GroupReport group; /* `members` means nothing */
                PhysicalFunctionReport physical_function;
        };
} ProgressMessage;

/* Sends; where the parent is gone or does not read, the worker goes on without. may_drop: does not
 * wait for room. Only `type` and what belongs to it need to be set. */
void progress_send(int fd, ProgressMessage *message, bool may_drop);

/* Takes the next message without waiting. Returns 1; 0: there is none now; -EBADMSG: one that was
 * no valid message is dropped; -ENOTCONN: the worker's end is closed; another negative errno. */
int progress_receive(int fd, ProgressMessage *ret) _must_check_;
