/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Takes one message off a netlink socket, as recv(2) does with these flags. Whoever administers the
 * network may send to any of them: only what the kernel sent counts (netlink(7): its nl_pid is 0).
 * Returns its size; -EINTR: a signal came, or a message of somebody else, which is dropped: ask
 * again; or another negative errno. */
ssize_t netlink_receive(int fd, void *buffer, size_t size, int flags);
