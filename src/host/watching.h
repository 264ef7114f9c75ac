/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* A lock that a daemon holds while it completes the virtual functions that come into being, so that
 * the udev helper leaves them to it: two at the same work take longer than one. The kernel lets go
 * of it when the daemon ends, however it ends. */

/* Returns the descriptor that holds the lock; -EAGAIN: another process has it; another negative
 * errno. /run/vfio-bindd must be there. Not inherited by what is executed; a forked process has to
 * close it. */
int watching_begin(const Host *host) _must_check_;

/* Takes nothing. Returns 1, 0 or a negative errno. */
int watching_is_on(const Host *host) _must_check_;
