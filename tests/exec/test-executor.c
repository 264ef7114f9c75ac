/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans in the executor: outcomes, many groups at once, the time of a whole stage. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor-bench.h"
#include "lib/test.h"
#include "util/io.h"

static void test_bound(void)
{
        Bench bench = {};
        FakeFunction *gpu;

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench_run(&bench);
        bench_expect(&bench, STATE_BOUND, REASON_NONE, "");
        gpu = fake_kernel_function(bench.stand.kernel, "0000:01:00.0");
        ASSERT_STREQ(gpu->driver, "vfio-pci");
        ASSERT_STREQ(gpu->record.config_digest, "digest");
        ASSERT_STREQ(bench.last_member.from, "nouveau");
        ASSERT_STREQ(bench.last_member.to, "vfio-pci");
        bench_tear_down(&bench);
}

static void test_refused(void)
{
        Bench bench = {};
        FakeFunction *gpu;

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        gpu = fake_kernel_function(bench.stand.kernel, "0000:01:00.0");
        strcpy(gpu->in_use, "the console is on it");
        gpu->use = IN_USE_DISPLAY;
        bench_run(&bench);
        bench_expect(&bench, STATE_REFUSED, REASON_IN_USE_DISPLAY, "the console is on it");
        bench_tear_down(&bench);
}

/* The first eight of twenty groups wait for each other; fewer at once would never get on. */
static int meet(Shared *shared, const Operation *operation, char **ret)
{
        unsigned n = __atomic_add_fetch(&shared->n_running, 1, __ATOMIC_SEQ_CST);

        if (n > shared->n_most)
                shared->n_most = n;
        if (__atomic_add_fetch(&shared->n_arrived, 1, __ATOMIC_SEQ_CST) <= 8)
                (void) pthread_barrier_wait(&shared->eight);
        (void) __atomic_sub_fetch(&shared->n_running, 1, __ATOMIC_SEQ_CST);
        return -EBUSY;
}

static void make_many(Bench *bench)
{
        for (size_t i = 0; i < MANY; i++) {
                bench->groups[i] = bench->stand.group;
                bench->groups[i].number = (int64_t) (100 + i);
        }
        bench->plan.n_groups = MANY;
}

static void test_many(void)
{
        pthread_barrierattr_t attribute;
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        make_many(&bench);
        bench.shared->is_special = is_lock;
        bench.shared->perform = meet;
        ASSERT_OK(pthread_barrierattr_init(&attribute));
        ASSERT_OK(pthread_barrierattr_setpshared(&attribute, PTHREAD_PROCESS_SHARED));
        ASSERT_OK(pthread_barrier_init(&bench.shared->eight, &attribute, 8));
        bench_run(&bench);
        ASSERT_EQ(bench.n_done, MANY);
        ASSERT_EQ(bench.shared->n_most, 8);
        ASSERT_CONTAINS(bench.last.text, "lock-group");
        bench_tear_down(&bench);
}

static void dispatch_next(Bench *bench)
{
        struct pollfd poll_fd = { .fd = executor_get_fd(bench->executor), .events = POLLIN };

        ASSERT_TRUE(poll(&poll_fd, 1, 1000) >= 0);
        ASSERT_OK(executor_dispatch(bench->executor));
}

static int arrive(Shared *shared, const Operation *operation, char **ret)
{
        (void) __atomic_add_fetch(&shared->n_arrived, 1, __ATOMIC_SEQ_CST);
        return -EBUSY;
}

static unsigned n_arrived(const Bench *bench)
{
        return __atomic_load_n(&bench->shared->n_arrived, __ATOMIC_SEQ_CST);
}

/* The parent has no processor, or is busy: nobody waits to be given the next group. */
static void test_workers_take_the_next(void)
{
        uint64_t end = now_monotonic() + 10 * USEC_PER_SEC;
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        make_many(&bench);
        bench.shared->is_special = is_lock;
        bench.shared->perform = arrive;
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        dispatch_next(&bench);
        while (n_arrived(&bench) < MANY) {
                ASSERT_TRUE(now_monotonic() < end);
                (void) sched_yield();
        }
        ASSERT_TRUE(bench.n_done < MANY);
        bench_dispatch_until_idle(&bench);
        ASSERT_EQ(bench.n_done, MANY);
        ASSERT_EQ(n_arrived(&bench), MANY);
        bench_tear_down(&bench);
}

static int arrive_and_wait(Shared *shared, const Operation *operation, char **ret)
{
        (void) arrive(shared, operation, ret);
        (void) sem_post(&shared->begun);
        while (sem_wait(&shared->go_on) < 0)
                continue;
        return -EBUSY;
}

/* They finish what they have, and take nothing more. */
static void test_parent_is_gone(void)
{
        Bench bench = {};
        unsigned n;
        pid_t pid;

        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        make_many(&bench);
        bench.shared->is_special = is_lock;
        bench.shared->perform = arrive_and_wait;
        pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0) {
                if (executor_add(bench.executor, &bench.plan) < 0 ||
                    executor_dispatch(bench.executor) < 0)
                        _exit(EXIT_FAILURE);
                while (sem_wait(&bench.shared->begun) < 0)
                        continue;
                _exit(EXIT_SUCCESS);
        }
        ASSERT_EQ(waitpid(pid, NULL, 0), pid);
        for (unsigned i = 0; i < MANY; i++)
                ASSERT_OK(sem_post(&bench.shared->go_on));
        for (n = 0; waitpid(-1, NULL, 0) > 0;)
                n++;
        ASSERT_TRUE(n > 0);
        ASSERT_TRUE(n_arrived(&bench) <= n);
        bench_tear_down(&bench);
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 0));
}

static int die_once(Shared *shared, const Operation *operation, char **ret)
{
        if (operation->number == 100 + MANY / 2 && shared->blocked == 0) {
                shared->blocked = getpid();
                (void) raise(SIGKILL);
        }
        return arrive(shared, operation, ret);
}

/* Killed in one that it had taken by itself: another worker does that one, and the rest. */
static void test_taker_is_killed(void)
{
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        make_many(&bench);
        bench.shared->is_special = is_lock;
        bench.shared->perform = die_once;
        bench_run(&bench);
        ASSERT_EQ(bench.n_done, MANY);
        ASSERT_EQ(n_arrived(&bench), MANY);
        ASSERT_TRUE(!lives(bench.shared->blocked));
        ASSERT_CONTAINS(bench.last.text, "lock-group");
        bench_tear_down(&bench);
}

static int block_first(Shared *shared, const Operation *operation, char **ret)
{
        if (operation->number != 100 || shared->blocked != 0)
                return -EBUSY;
        shared->blocked = getpid();
        return block(shared, operation, ret);
}

static void test_one_does_not_delay_others(void)
{
        Bench bench = {};
        uint64_t end = now_monotonic() + 5 * USEC_PER_SEC;

        bench_set_up(&bench, "bind-taken", 30 * USEC_PER_SEC);
        make_many(&bench);
        bench.shared->is_special = is_lock;
        bench.shared->perform = block_first;
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        while (bench.n_done < MANY - 1 || bench.shared->blocked == 0) {
                ASSERT_TRUE(now_monotonic() < end);
                dispatch_next(&bench);
        }
        ASSERT_TRUE(executor_works_on(bench.executor, 100));
        ASSERT_TRUE(!executor_works_on(bench.executor, 101));
        ASSERT_TRUE(lives(bench.shared->blocked));
        ASSERT_OK(kill(bench.shared->blocked, SIGKILL));
        bench_dispatch_until_idle(&bench);
        ASSERT_EQ(bench.n_done, MANY);
        bench_tear_down(&bench);
}

static int wait_and_end(Shared *shared, const Operation *operation, char **ret)
{
        (void) sem_wait(&shared->go_on);
        _exit(0);
}

static void test_total_deadline(void)
{
        Bench bench = {};
        Report *report = NULL;
        uint64_t begin = now_monotonic();
        size_t n_stuck = 0, n_pending = 0;

        bench_set_up(&bench, "bind-taken", 30 * USEC_PER_SEC);
        make_many(&bench);
        bench.shared->is_special = is_guard;
        bench.shared->perform = wait_and_end;
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        for (unsigned i = 0; i < 8; i++)
                while (sem_trywait(&bench.shared->begun) < 0)
                        dispatch_next(&bench);
        ASSERT_OK(executor_run(bench.executor, USEC_PER_SEC / 20, &report));
        ASSERT_TRUE(now_monotonic() - begin < 5 * USEC_PER_SEC);
        ASSERT_TRUE(executor_is_idle(bench.executor));
        ASSERT_EQ(report->n_groups, MANY);
        for (size_t i = 0; i < report->n_groups; i++) {
                ASSERT_EQ(report->groups[i].reason, REASON_WORKER_TIMEOUT);
                ASSERT_EQ(report->groups[i].n_members, 2);
                n_stuck += report->groups[i].state == STATE_STUCK;
                n_pending += report->groups[i].state == STATE_PENDING;
        }
        ASSERT_EQ(n_stuck, 8);
        ASSERT_EQ(n_pending, MANY - 8);
        report_free(report);
        for (size_t i = 0; i < n_stuck; i++)
                ASSERT_OK(sem_post(&bench.shared->go_on));
        bench_tear_down(&bench);
}

static int note_process(Shared *shared, const Operation *operation, char **ret)
{
        if (shared->blocked != getpid())
                shared->n_most++; /* another one than before */
        shared->blocked = getpid();
        return -EBUSY;
}

static void use_one_worker(Bench *bench)
{
        ExecutorOptions options = {
                .stage = STAGE_RUNTIME,
                .max_workers = 1,
                .group_done = bench_group_done,
                .userdata = bench,
        };

        bench->executor = executor_free(bench->executor);
        ASSERT_OK(executor_new(&bench->operations, &options, &bench->executor));
}

/* Groups that are done quickly are done by few workers. */
static void test_workers_go_on(void)
{
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        use_one_worker(&bench);
        make_many(&bench);
        bench.shared->is_special = is_lock;
        bench.shared->perform = note_process;
        bench_run(&bench);
        ASSERT_EQ(bench.n_done, MANY);
        ASSERT_EQ(bench.shared->n_most, 1);

        /* one that was forked before there was this job cannot do it */
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        bench_dispatch_until_idle(&bench);
        ASSERT_EQ(bench.n_done, 2 * MANY);
        ASSERT_EQ(bench.shared->n_most, 2);
        bench_tear_down(&bench);
}

static bool is_announcement(const Operation *operation)
{
        return operation->type == OPERATION_ANNOUNCE_NODE;
}

static int note_announcement(Shared *shared, const Operation *operation, char **ret)
{
        shared->seen[operation->number] = (char) ++shared->n_arrived;
        (void) sem_post(&shared->go_on);
        return 0;
}

/* Nodes are announced when there is nothing else to do, and each of them is. */
static void test_announcements(void)
{
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        use_one_worker(&bench);
        bench.shared->is_special = is_announcement;
        bench.shared->perform = note_announcement;
        bench.groups[0] = bench.groups[1] = bench.groups[2] = bench.stand.group;
        bench.groups[1].number = 101;
        bench.groups[2].number = 102;
        bench.plan.n_groups = 3;
        bench_run(&bench);
        ASSERT_EQ(bench.n_done, 3);
        for (unsigned i = 0; i < 3; i++)
                ASSERT_OK(sem_wait(&bench.shared->go_on));
        ASSERT_TRUE(bench.shared->seen[bench.stand.group.number] > 0);
        ASSERT_TRUE(bench.shared->seen[101] > 0);
        ASSERT_TRUE(bench.shared->seen[102] > 0);
        bench_tear_down(&bench);
}

static bool is_announcement_or_lock(const Operation *operation)
{
        return is_announcement(operation) || is_lock(operation);
}

/* How many were announced when the second group was begun, which never gets further. */
static int announce_then_hang(Shared *shared, const Operation *operation, char **ret)
{
        if (is_announcement(operation))
                return note_announcement(shared, operation, ret);
        if (operation->number != 101)
                return 1;
        shared->n_most = shared->n_arrived;
        return block(shared, operation, ret);
}

static void expect_announced_before(const char *scenario, unsigned n)
{
        Bench bench = {};

        bench_set_up(&bench, scenario, USEC_PER_SEC / 2);
        use_one_worker(&bench);
        bench.shared->is_special = is_announcement_or_lock;
        bench.shared->perform = announce_then_hang;
        bench.groups[0] = bench.groups[1] = bench.stand.group;
        bench.groups[1].number = 101;
        bench.plan.n_groups = 2;
        bench_run(&bench);
        ASSERT_EQ(bench.n_done, 2);
        ASSERT_EQ(bench.last.reason, REASON_WORKER_TIMEOUT);
        ASSERT_EQ(bench.shared->n_most, n);
        bench_tear_down(&bench);
}

/* A worker that hangs in a host's driver is killed, and announces nothing any more. */
static void test_announcement_before_a_hang(void)
{
        expect_announced_before("bind-taken", 1);
        expect_announced_before("bind-clean", 0);
}

static void test_physical_function(void)
{
        PhysicalFunctionPlan pf = { .set_num_vfs = true, .num_vfs = 3 };
        Bench bench = {};
        Report *report = NULL;

        bench_set_up(&bench, "probe-host", 10 * USEC_PER_SEC);
        pf.device = &bench.stand.machine.snapshot->devices[0];
        bench.plan = (Plan){ .physical_functions = &pf, .n_physical_functions = 1 };
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        ASSERT_OK(executor_run(bench.executor, USEC_INFINITY, &report));
        ASSERT_EQ(report->n_physical_functions, 1);
        ASSERT_EQ(report->physical_functions[0].state, STATE_BOUND);
        ASSERT_EQ(fake_kernel_function(bench.stand.kernel, "0000:06:00.0")->num_vfs, 3);
        report_free(report);
        bench_tear_down(&bench);
}

static void test_empty_plan(void)
{
        Bench bench = {};
        Report *report = NULL;

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench.groups[0].has_work = false;
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        ASSERT_TRUE(executor_is_idle(bench.executor));
        ASSERT_OK(executor_run(bench.executor, USEC_INFINITY, &report));
        ASSERT_EQ(report->n_groups, 0);
        report_free(report);
        bench_tear_down(&bench);
}

int main(int argc, char **argv)
{
        unsigned n_open;

        (void) alarm(120); /* whatever hangs */
        executor_setup_process(argc, argv);
        n_open = count_descriptors();

        test_bound();
        test_refused();
        test_many();
        test_workers_take_the_next();
        test_parent_is_gone();
        test_taker_is_killed();
        test_one_does_not_delay_others();
        test_total_deadline();
        test_workers_go_on();
        test_announcements();
        test_announcement_before_a_hang();
        test_physical_function();
        test_empty_plan();

        ASSERT_EQ(count_descriptors(), n_open);
        while (wait(NULL) > 0)
                ; /* abandoned ones end too */
        return 0;
}
