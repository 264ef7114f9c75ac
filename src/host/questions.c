/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/questions.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/io.h"
#include "util/strings.h"

#define DIRECTORY "run/systemd/ask-password"
#define EVENTS    (IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_ONLYDIR)

static int is_any_open(const Host *host, bool *ret)
{
        _cleanup_directory_ DIR *directory = NULL;
        const struct dirent *entry;

        int r = host_open_directory(host->root, DIRECTORY, &directory);
        if (r < 0)
                return r;
        *ret = false;
        while (!*ret && (entry = readdir(directory)))
                *ret = startswith(entry->d_name, "ask.");
        return 0;
}

/* Whatever came or went in the directory changed it. A clock that was set meanwhile costs no more
 * than one wait. */
static int read_age(int directory, uint64_t *ret)
{
        struct timespec now;
        struct stat status;

        if (fstat(directory, &status) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
                return -errno;
        int64_t age = (now.tv_sec - status.st_mtim.tv_sec) * (int64_t) USEC_PER_SEC +
                (now.tv_nsec - status.st_mtim.tv_nsec) / 1000;
        *ret = age > 0 ? (uint64_t) age : 0;
        return 0;
}

static int start_watch(int directory)
{
        char path[40];

        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fd < 0)
                return -errno;
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", directory);
        return inotify_add_watch(fd, path, EVENTS) < 0 ? -errno : TAKE_FD(fd);
}

/* 1: something came or went, 0: the time is over. */
static int wait_for_change(int watch, uint64_t usec)
{
        struct pollfd entry = { .fd = watch, .events = POLLIN };
        char events[4096] __attribute__((aligned(8)));
        int milliseconds = -1;

        if (usec != USEC_INFINITY)
                milliseconds = usec < INT_MAX ? (int) (usec / USEC_PER_MSEC) + 1 : INT_MAX;
        int r = poll(&entry, 1, milliseconds);
        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        if (r > 0 && read(watch, events, sizeof(events)) < 0 && errno != EAGAIN)
                return -errno;
        return r;
}

static int await(const Host *host, int watch, uint64_t age, uint64_t quiet_usec)
{
        bool is_open = false;

        for (;;) {
                uint64_t begin = now_monotonic();

                int r = is_any_open(host, &is_open);
                if (r < 0)
                        return r;
                if (!is_open && age >= quiet_usec)
                        return 0;
                r = wait_for_change(watch, is_open ? USEC_INFINITY : quiet_usec - age);
                if (r < 0)
                        return r;
                age = is_open || r > 0 ? 0 : age + (now_monotonic() - begin);
        }
}

int questions_await(const Host *host, uint64_t quiet_usec)
{
        uint64_t age = 0;

        _cleanup_close_ int directory =
                openat(host->root, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return errno == ENOENT ? 0 : -errno;
        _cleanup_close_ int watch = start_watch(directory);
        if (watch < 0)
                return watch;
        int r = read_age(directory, &age);
        if (r == 0)
                r = await(host, watch, age, quiet_usec);
        return r == -ENOENT ? 0 : r; /* nobody asks any more */
}
