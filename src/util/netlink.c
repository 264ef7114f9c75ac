/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

ssize_t netlink_receive(int fd, void *buffer, size_t size, int flags)
{
        struct sockaddr_nl sender = {};
        socklen_t sender_size = sizeof(sender);
        ssize_t n = recvfrom(fd, buffer, size, flags, (struct sockaddr *) &sender, &sender_size);

        if (n < 0)
                return -errno;
        return sender.nl_pid == 0 ? n : -EINTR;
}
