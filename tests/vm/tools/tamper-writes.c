/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* For LD_PRELOAD: lets a write(2) of a program, or of a process that it forked, fail or be its last
 * act. /run/tamper says which, and may change at any time:
 *
 *     SERIAL WHEN ERRNO|kill
 *     /sys/PATH             those that count, a line each, as the kernel names them
 *     …
 *
 * Every process counts for itself, anew with every SERIAL; the WHENth of those writes is the one. A
 * tracer does the same, at the price of stopping a program at every system call. */

#define ORDER "/run/tamper"

typedef struct Order {
        char text[4096];
        unsigned serial, when;
        int error;         /* 0: kill */
        const char *paths; /* in text */
} Order;

static bool read_order(Order *order)
{
        char action[16];
        ssize_t n;
        int fd, used = 0;

        fd = open(ORDER, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, order->text, sizeof(order->text) - 1);
        (void) close(fd);
        if (n <= 0)
                return false;
        order->text[n] = '\0';
        if (sscanf(order->text, "%u %u %15s\n%n", &order->serial, &order->when, action, &used) != 3)
                return false;
        order->error = strcmp(action, "kill") == 0 ? 0 : atoi(action);
        order->paths = order->text + used;
        return true;
}

static bool counts(const Order *order, int fd)
{
        char link[40], path[1024];
        size_t length;
        ssize_t n;

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n <= 0)
                return false;
        path[n] = '\0';
        for (const char *line = order->paths; *line; line += length + (line[length] == '\n')) {
                length = strcspn(line, "\n");
                if (length == (size_t) n && memcmp(line, path, length) == 0)
                        return true;
        }
        return false;
}

static bool is_the_one(const Order *order)
{
        static unsigned serial, n_writes;
        static pid_t process;

        if (serial != order->serial || process != getpid()) {
                serial = order->serial;
                process = getpid();
                n_writes = 0;
        }
        return ++n_writes == order->when;
}

ssize_t write(int fd, const void *data, size_t size)
{
        int error = errno;
        Order order;

        if (read_order(&order) && counts(&order, fd) && is_the_one(&order)) {
                if (order.error == 0)
                        (void) raise(SIGKILL);
                errno = order.error;
                return -1;
        }
        errno = error;
        return syscall(SYS_write, fd, data, size);
}
