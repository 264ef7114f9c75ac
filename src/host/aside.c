/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/io.h"

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
        int ends[2];

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
        return TAKE_FD(input);
}
