/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/udev-queue.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "util/io.h"

#define QUEUE UDEV_DIRECTORY "/queue"

bool udev_queue_is_busy(const Host *host)
{
        return faccessat(host->root, QUEUE, F_OK, 0) == 0;
}

/* -1: it cannot be watched, which poll(2) takes for nothing to look at. */
static int watch(const Host *host)
{
        char path[64];

        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d/" UDEV_DIRECTORY, host->root);
        if (fd < 0 ||
            inotify_add_watch(fd, path, IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0)
                return -1;
        return TAKE_FD(fd);
}

void udev_queue_wait(const Host *host, uint64_t usec)
{
        uint64_t deadline = now_monotonic() + usec;
        bool was_busy = udev_queue_is_busy(host);

        _cleanup_close_ int fd = watch(host);
        for (;;) {
                struct pollfd entry = { .fd = fd, .events = POLLIN };
                char events[4096] __attribute__((aligned(8)));
                uint64_t now = now_monotonic();

                if (now >= deadline || (was_busy && !udev_queue_is_busy(host)))
                        return;
                if (poll(&entry, 1, (int) ((deadline - now) / USEC_PER_MSEC) + 1) > 0)
                        (void) !read(fd, events, sizeof(events));
        }
}
