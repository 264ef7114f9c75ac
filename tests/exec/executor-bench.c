/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor-bench.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/test.h"
#include "util/io.h"

static int perform(void *userdata, const Operation *operation, char **ret_text)
{
        Shared *shared = userdata;
        Operations operations;

        if (shared->is_special && shared->is_special(operation)) {
                int r;

                shared->worker = getpid();
                (void) sem_post(&shared->begun);
                r = shared->perform(shared, operation, ret_text);
                if (r <= 0)
                        return r;
        }
        fake_kernel_operations(shared->kernel, &operations);
        return operations.perform(operations.userdata, operation, ret_text);
}

void bench_group_done(void *userdata, const GroupReport *report)
{
        Bench *bench = userdata;

        bench->n_done++;
        bench->last = *report;
        bench->last.members = NULL;
        if (report->n_members > 0)
                bench->last_member = report->members[0];
}

void bench_set_up(Bench *bench, const char *scenario, uint64_t timeout_usec)
{
        ExecutorOptions options = {
                .stage = STAGE_RUNTIME,
                .config_digest = "digest",
                .group_done = bench_group_done,
                .userdata = bench,
        };

        stand_set_up(&bench->stand, scenario_find(scenario));
        bench->stand.settings.timeout_usec = timeout_usec;
        bench->groups[0] = bench->stand.group;
        bench->plan = (Plan){ .groups = bench->groups, .n_groups = 1 };
        bench->shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_TRUE(bench->shared != MAP_FAILED);
        bench->shared->kernel = bench->stand.kernel;
        ASSERT_OK(sem_init(&bench->shared->begun, true, 0));
        ASSERT_OK(sem_init(&bench->shared->go_on, true, 0));
        bench->operations = (Operations){ .userdata = bench->shared, .perform = perform };
        ASSERT_OK(executor_new(&bench->operations, &options, &bench->executor));
}

void bench_tear_down(Bench *bench)
{
        bench->executor = executor_free(bench->executor);
        ASSERT_OK(munmap(bench->shared, sizeof(Shared)));
        stand_done(&bench->stand);
}

void bench_dispatch_until_idle(Bench *bench)
{
        uint64_t end = now_monotonic() + 60 * USEC_PER_SEC;

        while (!executor_is_idle(bench->executor)) {
                struct pollfd poll_fd = { .fd = executor_get_fd(bench->executor),
                                          .events = POLLIN };

                ASSERT_TRUE(now_monotonic() < end);
                ASSERT_TRUE(poll(&poll_fd, 1, 1000) >= 0);
                ASSERT_OK(executor_dispatch(bench->executor));
        }
}

void bench_run(Bench *bench)
{
        ASSERT_OK(executor_add(bench->executor, &bench->plan));
        ASSERT_TRUE(executor_works_on(bench->executor, bench->groups[0].number));
        bench_dispatch_until_idle(bench);
        ASSERT_TRUE(!executor_works_on(bench->executor, bench->groups[0].number));
}

unsigned count_descriptors(void)
{
        DIR *directory = opendir("/proc/self/fd");
        unsigned n = 0;

        ASSERT_TRUE(directory);
        while (readdir(directory))
                n++;
        closedir(directory);
        return n;
}

void bench_expect(const Bench *bench, State state, Reason reason, const char *text)
{
        ASSERT_EQ(bench->n_done, 1);
        ASSERT_STREQ(state_to_string(bench->last.state), state_to_string(state));
        ASSERT_STREQ(reason_to_string(bench->last.reason), reason_to_string(reason));
        ASSERT_CONTAINS(bench->last.text, text);
}

bool is_unbind(const Operation *operation)
{
        return operation->type == OPERATION_UNBIND;
}

bool is_guard(const Operation *operation)
{
        return operation->type == OPERATION_GUARD;
}

bool is_bind(const Operation *operation)
{
        return operation->type == OPERATION_BIND;
}

int block(Shared *shared, const Operation *operation, char **ret)
{
        for (;;)
                (void) pause();
        return 1;
}

bool is_lock(const Operation *operation)
{
        return operation->type == OPERATION_LOCK_GROUP;
}

bool lives(pid_t pid)
{
        return kill(pid, 0) >= 0;
}
