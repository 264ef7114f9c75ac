/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Tells when owner and mode of what is in a directory became what they are: a shell that looked
 * would see only the last change, and udev touches nodes once more after their owner was set.
 *
 *     watch-nodes DIRECTORY
 *
 * prints "ready", and then for each change, until it is killed, "NAME MICROSECONDS UID:GID MODE":
 * the last change of the inode as the kernel has it (CLOCK_REALTIME). */

static void fail(const char *step) __attribute__((noreturn));

static void fail(const char *step)
{
        fprintf(stderr, "watch-nodes: %s: %s\n", step, strerror(errno));
        exit(1);
}

static void tell(const char *name)
{
        struct stat status;

        if (lstat(name, &status) < 0)
                return; /* gone already */
        printf("%s %" PRIu64 " %u:%u %o\n", name,
                (uint64_t) status.st_ctim.tv_sec * 1000000 +
                        (uint64_t) status.st_ctim.tv_nsec / 1000,
                status.st_uid, status.st_gid, status.st_mode & 07777U);
        fflush(stdout);
}

int main(int argc, char **argv)
{
        char buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)]
                __attribute__((aligned(__alignof__(struct inotify_event))));
        int fd;

        if (argc != 2) {
                fprintf(stderr, "usage: watch-nodes DIRECTORY\n");
                return 2;
        }
        if (chdir(argv[1]) < 0)
                fail(argv[1]);
        fd = inotify_init1(IN_CLOEXEC);
        if (fd < 0 || inotify_add_watch(fd, ".", IN_CREATE | IN_ATTRIB) < 0)
                fail("inotify");
        puts("ready");
        fflush(stdout);
        for (;;) {
                ssize_t n = read(fd, buffer, sizeof(buffer));

                if (n <= 0)
                        fail("read");
                for (char *p = buffer; p < buffer + n;) {
                        const struct inotify_event *event = (const struct inotify_event *) p;

                        if (event->len > 0)
                                tell(event->name);
                        p += sizeof(*event) + event->len;
                }
        }
}
