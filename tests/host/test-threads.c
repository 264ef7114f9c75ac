/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"

#define THREADS 20

static struct {
        int leave; /* for unshare(2) */
        sem_t is_ready, may_end;
} plan;

typedef struct Count {
        unsigned n, n_files, n_file_systems, n_until;
} Count;

static int count(int thread, unsigned parts, void *userdata)
{
        Count *total = userdata;

        ASSERT_OK(faccessat(thread, "fd", F_OK, 0));
        total->n++;
        total->n_files += (parts & THREAD_FILES) != 0;
        total->n_file_systems += (parts & THREAD_FILE_SYSTEM) != 0;
        return total->n == total->n_until;
}

static Count show_self(bool is_live)
{
        _cleanup_close_ int process = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const Host host = {.root = -1, .is_live = is_live};
        Count total = {};

        ASSERT_TRUE(process >= 0);
        ASSERT_OK(threads_show(&host, process, (uint32_t) getpid(), count, &total));
        return total;
}

static void *run(void *unused)
{
        ASSERT_OK(unshare(plan.leave));
        ASSERT_OK(sem_post(&plan.is_ready));
        ASSERT_OK(sem_wait(&plan.may_end));
        return unused;
}

static void start(pthread_t threads[static THREADS], int leave)
{
        plan.leave = leave;
        for (size_t i = 0; i < THREADS; i++)
                ASSERT_EQ(pthread_create(&threads[i], NULL, run, NULL), 0);
        for (size_t i = 0; i < THREADS; i++)
                ASSERT_OK(sem_wait(&plan.is_ready));
}

static void end(pthread_t threads[static THREADS])
{
        for (size_t i = 0; i < THREADS; i++)
                ASSERT_OK(sem_post(&plan.may_end));
        for (size_t i = 0; i < THREADS; i++)
                ASSERT_EQ(pthread_join(threads[i], NULL), 0);
}

/* Thousands of threads that share all cost no look at their files. */
static void test_what_is_shared(void)
{
        pthread_t threads[THREADS];
        Count total = show_self(true);

        ASSERT_EQ(total.n, 1);
        ASSERT_EQ(total.n_files, 1);
        ASSERT_EQ(total.n_file_systems, 1);
        start(threads, 0);
        total = show_self(true);
        ASSERT_EQ(total.n, 1);
        /* where nothing can be compared, each counts */
        total = show_self(false);
        ASSERT_EQ(total.n, 1 + THREADS);
        ASSERT_EQ(total.n_files, 1 + THREADS);
        end(threads);
}

static void test_what_is_not(void)
{
        pthread_t threads[THREADS];
        Count total;

        start(threads, CLONE_FILES);
        total = show_self(true);
        ASSERT_EQ(total.n_files, 1 + THREADS);
        ASSERT_EQ(total.n_file_systems, 1);
        end(threads);
        start(threads, CLONE_FS);
        total = show_self(true);
        ASSERT_EQ(total.n_files, 1);
        ASSERT_EQ(total.n_file_systems, 1 + THREADS);
        end(threads);
}

/* What `look` returns ends it. */
static void test_end(void)
{
        _cleanup_close_ int process = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const Host host = {.root = -1, .is_live = true};
        pthread_t threads[THREADS];
        Count total = {.n_until = 3};

        start(threads, CLONE_FILES);
        ASSERT_EQ(threads_show(&host, process, (uint32_t) getpid(), count, &total), 1);
        ASSERT_EQ(total.n, 3);
        end(threads);
}

/* It waits for its parent only. */
static void test_ended_process(void)
{
        const Host host = {.root = -1, .is_live = true};
        Count total = {};
        siginfo_t status;
        char path[32];

        pid_t pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0)
                _exit(0);
        ASSERT_OK(waitid(P_PID, (id_t) pid, &status, WEXITED | WNOWAIT));
        (void) snprintf(path, sizeof(path), "/proc/%d", (int) pid);
        _cleanup_close_ int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_EQ(threads_show(&host, process, (uint32_t) pid, count, &total), -ESRCH);
        ASSERT_EQ(waitpid(pid, NULL, 0), pid);
        ASSERT_EQ(threads_show(&host, process, (uint32_t) pid, count, &total), -ESRCH);
        ASSERT_EQ(total.n, 0);
}

static void test_saved_tree(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        const Host host = {.root = fake->fd};
        Count total = {};

        fake_sysfs_add(fake, "dir proc/1/fd");
        _cleanup_close_ int process = openat(fake->fd, "proc/1", O_RDONLY | O_DIRECTORY);
        ASSERT_OK(threads_show(&host, process, 1, count, &total));
        ASSERT_EQ(total.n, 1);
}

int main(void)
{
        ASSERT_OK(sem_init(&plan.is_ready, 0, 0));
        ASSERT_OK(sem_init(&plan.may_end, 0, 0));
        test_what_is_shared();
        test_what_is_not();
        test_end();
        test_ended_process();
        test_saved_tree();
        return 0;
}
