/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Inside a guest of tests/bench/run-vm: how long it takes from the write of a PF's sriov_numvfs
 * until all its VFs are bound to vfio-pci, and how much of that the write itself took, in
 * microseconds on standard output.
 *
 *   vm-bind-clock wait PF N             somebody else binds them
 *   vm-bind-clock wait PF N COMMAND…    the command does, started when the write has returned
 *   vm-bind-clock loop PF N             this program does, with the two writes per function that
 *                                       cannot be left out: the least that binding can cost
 *
 * The end is the `bind` event of the last function, as the kernel sends it: nothing is polled. */

#define DEADLINE_MSEC 60000
#define VFS_MAX       256

typedef struct Clock {
        const char *pf;
        unsigned n_vfs;
        int events;
        uint64_t started_usec, written_usec;
} Clock;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        (void) vfprintf(stderr, format, arguments);
        va_end(arguments);
        (void) fputc('\n', stderr);
        exit(1);
}

static uint64_t now(void)
{
        struct timespec time;

        (void) clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t) time.tv_sec * 1000000 + (uint64_t) time.tv_nsec / 1000;
}

static void write_file(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        size_t length = strlen(text);

        if (fd < 0 || write(fd, text, length) != (ssize_t) length)
                die("%s: %s", path, strerror(errno));
        (void) close(fd);
}

static int open_events(void)
{
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 /* the kernel's */ };
        int fd, size = 16 * 1024 * 1024;

        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
            bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                die("events of the kernel: %s", strerror(errno));
        return fd;
}

/* "bind@/devices/…/0000:01:00.1", then KEY=VALUE, each with its NUL. */
static bool is_binding(const char *event, size_t length)
{
        bool is_pci = false, is_vfio = false;

        if (strncmp(event, "bind@", 5) != 0)
                return false;
        for (const char *entry = event; entry < event + length; entry += strlen(entry) + 1) {
                is_pci = is_pci || strcmp(entry, "SUBSYSTEM=pci") == 0;
                is_vfio = is_vfio || strcmp(entry, "DRIVER=vfio-pci") == 0;
        }
        return is_pci && is_vfio;
}

static void wait_until_bound(const Clock *clock)
{
        uint64_t deadline = clock->started_usec + DEADLINE_MSEC * 1000ULL;
        struct pollfd entry = { .fd = clock->events, .events = POLLIN };
        char event[8192];

        for (unsigned n = 0; n < clock->n_vfs;) {
                uint64_t time = now();
                ssize_t length;

                if (time >= deadline || poll(&entry, 1, (int) ((deadline - time) / 1000) + 1) == 0)
                        die("%u of %u were bound when the time was over", n, clock->n_vfs);
                length = recv(clock->events, event, sizeof(event) - 1, 0);
                if (length < 0)
                        die("events of the kernel: %s", strerror(errno));
                event[length] = '\0';
                n += is_binding(event, (size_t) length);
        }
}

static void start(Clock *clock)
{
        char path[PATH_MAX], number[16];

        clock->events = open_events();
        (void) snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_numvfs", clock->pf);
        (void) snprintf(number, sizeof(number), "%u", clock->n_vfs);
        clock->started_usec = now();
        write_file(path, number);
        clock->written_usec = now();
}

static void bind_all(const Clock *clock)
{
        char path[PATH_MAX], target[PATH_MAX];

        for (unsigned i = 0; i < clock->n_vfs; i++) {
                const char *address;
                ssize_t n;

                (void) snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/virtfn%u", clock->pf,
                        i);
                n = readlink(path, target, sizeof(target) - 1);
                if (n < 0)
                        die("%s: %s", path, strerror(errno));
                target[n] = '\0';
                address = strrchr(target, '/') + 1;
                (void) snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.16s/driver_override",
                        address);
                write_file(path, "vfio-pci");
                write_file("/sys/bus/pci/drivers/vfio-pci/bind", address);
        }
}

static void run(char **command)
{
        pid_t pid = fork();
        int status;

        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                (void) dup2(STDERR_FILENO, STDOUT_FILENO);
                (void) execvp(command[0], command);
                _exit(127);
        }
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                die("%s: status %d", command[0], status);
}

int main(int argc, char **argv)
{
        Clock clock;

        if (argc < 4)
                die("usage: vm-bind-clock wait|loop PF N [COMMAND…]");
        clock = (Clock){ .pf = argv[2], .n_vfs = (unsigned) strtoul(argv[3], NULL, 10) };
        if (clock.n_vfs == 0 || clock.n_vfs > VFS_MAX)
                die("N is 1 to %d", VFS_MAX);

        start(&clock);
        if (strcmp(argv[1], "loop") == 0)
                bind_all(&clock);
        else if (argc > 4)
                run(argv + 4);
        wait_until_bound(&clock);
        printf("%" PRIu64 " %" PRIu64 "\n", now() - clock.started_usec,
                clock.written_usec - clock.started_usec);
        return 0;
}
