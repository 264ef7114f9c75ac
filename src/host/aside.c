/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/io.h"
#include "util/process-name.h"

#define NAME      "@vfio-bindd-aside"
#define KINDS_MAX 8

/* The last one of each kind. Nobody tells us when it ends, but its pipe does. */
typedef struct Aside {
        void (*look)(int output, void *userdata);
        int input; /* a copy of what its caller has, -1: it has ended */
        uint64_t overdue_usec;
} Aside;

/* A process that is forked has closed the descriptors, or closes them all. */
static struct {
        pid_t owner;
        Aside list[KINDS_MAX];
        size_t n;
} asides;

/* NULL: there are more kinds than that. */
static Aside *find(void (*look)(int output, void *userdata))
{
        if (asides.owner != getpid()) {
                asides.owner = getpid();
                asides.n = 0;
        }
        for (size_t i = 0; i < asides.n; i++)
                if (asides.list[i].look == look)
                        return &asides.list[i];
        if (asides.n == KINDS_MAX)
                return NULL;
        asides.list[asides.n] = (Aside){ .look = look, .input = -1 };
        return &asides.list[asides.n++];
}

static void forget(Aside *aside)
{
        close_descriptor(&aside->input);
        aside->input = -1;
}

/* One that may still end in time, or has answered and is about to end, is in nobody's way. */
static bool hangs(Aside *aside)
{
        struct pollfd entry = { .fd = aside->input };

        if (aside->input < 0)
                return false;
        if (poll(&entry, 1, 0) > 0 && entry.revents & (POLLHUP | POLLERR | POLLNVAL)) {
                forget(aside);
                return false;
        }
        return now_monotonic() >= aside->overdue_usec;
}

/* A bus connection must not outlive its owner. */
static void close_all_but(int first, int second)
{
        int low = first < second ? first : second, high = first < second ? second : first;

        if (low > 3)
                (void) close_range(3, (unsigned) low - 1, 0);
        if (low >= 0 && high > low + 1)
                (void) close_range((unsigned) low + 1, (unsigned) high - 1, 0);
        if (low < 0 && high > 3)
                (void) close_range(3, (unsigned) high - 1, 0);
        (void) close_range((unsigned) high + 1, ~0U, 0);
}

static void prepare(int output, int keep, unsigned seconds)
{
        sigset_t none;

        process_name_set(NAME);
        close_all_but(keep, output);
        (void) sigemptyset(&none);
        (void) signal(SIGALRM, SIG_DFL);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) alarm(seconds);
}

int aside_start(void (*look)(int output, void *userdata), void *userdata, int keep,
        unsigned seconds)
{
        Aside *aside = find(look);
        uint64_t begin = now_monotonic();
        int ends[2];

        if (aside && hangs(aside))
                return -ETIMEDOUT;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        _cleanup_close_ int input = ends[0], output = ends[1];
        pid_t child = fork();
        if (child < 0)
                return -errno;
        if (child == 0) {
                /* A child of init, by way of a child of ours that ends at once. */
                pid_t grandchild = fork();
                if (grandchild == 0) {
                        prepare(output, keep, seconds);
                        look(output, userdata);
                }
                _exit(grandchild < 0 ? 1 : 0);
        }
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
                ;
        if (aside) {
                forget(aside);
                aside->input = fcntl(input, F_DUPFD_CLOEXEC, 3);
                aside->overdue_usec = begin + seconds * USEC_PER_SEC;
        }
        return TAKE_FD(input);
}

int aside_wait(int input, uint64_t deadline)
{
        struct pollfd entry = { .fd = input, .events = POLLIN };

        for (;;) {
                uint64_t now = now_monotonic();

                if (now >= deadline)
                        return 0;
                int r = poll(&entry, 1, (int) ((deadline - now) / USEC_PER_MSEC) + 1);
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r > 0)
                        return 1;
        }
}
