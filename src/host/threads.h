/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* The threads of a process, as /proc shows them. Nearly always they have one table of open files
 * and one mount namespace together; but each may have left either (unshare(2)), and then
 * /proc/PID, which is its first thread's, shows nothing of that. */

/* What a thread has that no thread of its process had that was shown before. */
typedef enum ThreadParts {
        THREAD_FILES = 1 << 0,       /* a table of open files */
        THREAD_FILE_SYSTEM = 1 << 1, /* a mount namespace, perhaps: a view of the file systems */
} ThreadParts;

/* What is done with a thread that is shown: its directory in /proc, which is closed afterwards, and
 * a set of ThreadParts. A nonzero value ends it. */
typedef int (*ThreadLook)(int thread, unsigned parts, void *userdata);

/* Shows the first thread of a process that has not ended, then those that have something of their
 * own. `process` is the directory of the process in /proc, `pid` its number. Where the kernel does
 * not tell what threads share (kcmp(2)), each counts as having all of its own, and no more than 16
 * are shown: with all tables of all threads a look would take minutes; in a saved tree
 * without threads every process lives. Returns 0, what `look` returned, -ESRCH: the process has
 * ended, -EMFILE, -ENFILE, -ENOMEM. */
int threads_show(const Host *host, int process, uint32_t pid, ThreadLook look, void *userdata)
        _must_check_;
