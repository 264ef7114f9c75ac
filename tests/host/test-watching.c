/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/watching.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"

/* However the daemon ends, the lock ends with it. */
static void test_killed(const Host *host)
{
        int told[2];
        char byte;
        pid_t pid;

        ASSERT_OK(pipe(told));
        pid = fork();
        if (pid == 0) {
                byte = watching_begin(host) >= 0;
                (void) !write(told[1], &byte, 1);
                (void) pause();
        }
        ASSERT_EQ(read(told[0], &byte, 1), 1);
        ASSERT_EQ(byte, 1);
        ASSERT_EQ(watching_is_on(host), 1);
        ASSERT_EQ(watching_begin(host), -EAGAIN);
        ASSERT_OK(kill(pid, SIGKILL));
        ASSERT_EQ(waitpid(pid, NULL, 0), pid);
        ASSERT_EQ(watching_is_on(host), 0);
        close(told[0]);
        close(told[1]);
}

int main(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = { .root = -1 };
        int lock;

        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_EQ(watching_is_on(&host), 0);
        ASSERT_EQ(watching_begin(&host), -ENOENT);
        fake_sysfs_add(fake, "dir run/vfio-bindd");
        ASSERT_EQ(watching_is_on(&host), 0);

        lock = watching_begin(&host);
        ASSERT_TRUE(lock >= 0);
        ASSERT_EQ(watching_is_on(&host), 1);
        /* asking takes nothing */
        ASSERT_EQ(watching_is_on(&host), 1);
        close(lock);
        ASSERT_EQ(watching_is_on(&host), 0);
        test_killed(&host);

        /* a link that somebody left there is not followed */
        fake_sysfs_remove(fake, "run/vfio-bindd/daemon.lock");
        fake_sysfs_link(fake, "run/vfio-bindd/daemon.lock", "elsewhere");
        ASSERT_EQ(watching_begin(&host), -ELOOP);
        return 0;
}
