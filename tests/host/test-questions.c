/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/questions.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"

#define DIRECTORY "run/systemd/ask-password"
#define QUIET     (USEC_PER_SEC / 2)

/* As if nobody had asked for a while. */
static void set_age(const Host *host, time_t seconds)
{
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };

        ASSERT_OK(clock_gettime(CLOCK_REALTIME, &times[1]));
        times[1].tv_sec -= seconds;
        ASSERT_OK(utimensat(host->root, DIRECTORY, times, 0));
}

static uint64_t await(const Host *host)
{
        uint64_t begin = now_monotonic();

        ASSERT_OK(questions_await(host, QUIET));
        return now_monotonic() - begin;
}

static void test_nobody_asked(const Host *host, FakeSysfs *fake)
{
        ASSERT_TRUE(await(host) < QUIET);
        fake_sysfs_add(fake, "dir " DIRECTORY "\n");
        set_age(host, 100);
        ASSERT_TRUE(await(host) < QUIET);
}

/* The time from the answer until the wait has begun counts. */
static void test_answered_before(const Host *host)
{
        uint64_t took;

        set_age(host, 0);
        took = await(host);
        ASSERT_TRUE(took >= QUIET / 2);
        /* a clock that was set back does not make it wait for ever */
        set_age(host, -1000000);
        ASSERT_TRUE(await(host) >= QUIET);
}

static void test_open_question(const Host *host, FakeSysfs *fake)
{
        uint64_t took;
        pid_t pid;

        fake_sysfs_write(fake, DIRECTORY "/sck.1", "");
        fake_sysfs_write(fake, DIRECTORY "/ask.1", "");
        set_age(host, 100);
        pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0) {
                /* the first answer is wrong, so it is put again */
                (void) usleep(QUIET);
                (void) unlinkat(host->root, DIRECTORY "/ask.1", 0);
                (void) usleep(QUIET / 4);
                (void) openat(host->root, DIRECTORY "/ask.2", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
                (void) usleep(QUIET);
                (void) unlinkat(host->root, DIRECTORY "/ask.2", 0);
                _exit(0);
        }
        took = await(host);
        ASSERT_TRUE(took >= QUIET * 3);
        ASSERT_EQ(waitpid(pid, NULL, WNOHANG), pid);
}

/* A file that looks like none is none. */
static void test_other_files(const Host *host, FakeSysfs *fake)
{
        fake_sysfs_write(fake, DIRECTORY "/tmp.ask.1", "");
        set_age(host, 100);
        ASSERT_TRUE(await(host) < QUIET);
}

int main(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = { .root = -1 };

        (void) alarm(120); /* whatever hangs */
        ASSERT_OK(host_open(fake->root, &host));
        test_nobody_asked(&host, fake);
        test_answered_before(&host);
        test_open_question(&host, fake);
        test_other_files(&host, fake);
        return 0;
}
