/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* A look at something that may never answer, in a process that nobody waits for: it is nobody's
 * child, keeps nothing of ours open, and ends itself by alarm(2); one that hangs in the kernel
 * costs nothing but its process. There is no second one then: until it comes back, the same `look`
 * gives -ETIMEDOUT. `look` writes what it finds to its output, in pieces of at most PIPE_BUF.
 * `keep` is a descriptor that it needs, -1: none. Returns the end to read from, or a negative
 * errno. */
int aside_start(void (*look)(int output, void *userdata), void *userdata, int keep,
        unsigned seconds) _must_check_;

/* Waits until there is something to read from it, or it has ended, `deadline` in now_monotonic()'s
 * time at most. Returns 1; 0 at the deadline, which comes first where both are so; a negative
 * errno. */
int aside_wait(int input, uint64_t deadline) _must_check_;
