/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Workers: what they are, deadlines, deaths, and what they say last. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor-bench.h"
#include "lib/test.h"
#include "util/io.h"

static void wait_for_end(Bench *bench, pid_t pid)
{
        uint64_t end = now_monotonic() + 60 * USEC_PER_SEC;

        while (lives(pid)) {
                struct pollfd poll_fd = { .fd = executor_get_fd(bench->executor),
                                          .events = POLLIN };

                ASSERT_TRUE(now_monotonic() < end);
                ASSERT_TRUE(poll(&poll_fd, 1, 1000) >= 0);
                ASSERT_OK(executor_dispatch(bench->executor));
        }
}

/* Deaf to its own alarm clock: only its parent can end it. */
static int block_deaf(Shared *shared, const Operation *operation, char **ret)
{
        sigset_t mask;

        sigemptyset(&mask);
        sigaddset(&mask, SIGALRM);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        return block(shared, operation, ret);
}

static void test_deadline(void)
{
        Bench bench = {};
        FakeFunction *gpu;

        bench_set_up(&bench, "bind-taken", USEC_PER_SEC);
        bench.shared->is_special = is_unbind;
        bench.shared->perform = block_deaf;
        bench_run(&bench);
        bench_expect(&bench, STATE_STUCK, REASON_WORKER_TIMEOUT, "unbind of 0000:01:00.0");
        ASSERT_CONTAINS(bench.last.text, "nouveau holds it");
        gpu = fake_kernel_function(bench.stand.kernel, "0000:01:00.0");
        ASSERT_EQ(gpu->record.state, STATE_STUCK);
        ASSERT_CONTAINS(gpu->record.reason_text, "unbind");
        /* what was on record stays there */
        ASSERT_TRUE(gpu->record.has_original);
        ASSERT_TRUE(bench.stand.kernel->has_intent[14]);
        wait_for_end(&bench, bench.shared->worker);
        bench_tear_down(&bench);
}

static void test_lock_is_waited_for(void)
{
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", USEC_PER_SEC);
        bench.shared->is_special = is_lock;
        bench.shared->perform = block;
        bench_run(&bench);
        bench_expect(&bench, STATE_PENDING, REASON_WORKER_TIMEOUT, "Another process");
        ASSERT_TRUE(!fake_kernel_function(bench.stand.kernel, "0000:01:00.0")->record.exists);
        bench_tear_down(&bench);
}

static int die(Shared *shared, const Operation *operation, char **ret)
{
        (void) raise(SIGKILL);
        return -EIO;
}

static void test_killed(void)
{
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench.shared->is_special = is_bind;
        bench.shared->perform = die;
        bench_run(&bench);
        bench_expect(&bench, STATE_FAILED, REASON_ROLLBACK_FAILED, "at the step bind");
        ASSERT_TRUE(bench.stand.kernel->has_intent[14]);
        bench_tear_down(&bench);
}

static void test_killed_before_any_write(void)
{
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench.shared->is_special = is_guard;
        bench.shared->perform = die;
        bench_run(&bench);
        bench_expect(&bench, STATE_FAILED, REASON_ROLLED_BACK, "before anything was changed");
        bench_tear_down(&bench);
}

/* The one socket of a worker leads to its parent. */
static int find_socket(void)
{
        for (int fd = 3; fd < 1024; fd++) {
                int type;
                socklen_t length = sizeof(type);

                if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) >= 0)
                        return fd;
        }
        return -1;
}

static int send_garbage(Shared *shared, const Operation *operation, char **ret)
{
        unsigned char noise[2048];
        int fd = find_socket();

        for (unsigned i = 0; i < 64; i++) {
                size_t length = 1 + i * 31 % sizeof(noise);

                for (size_t k = 0; k < length; k++)
                        noise[k] = (unsigned char) (k * 167 + i * 13);
                (void) send(fd, noise, length, MSG_NOSIGNAL);
        }
        return 1;
}

static void test_garbage(void)
{
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench.shared->is_special = is_bind;
        bench.shared->perform = send_garbage;
        bench_run(&bench);
        bench_expect(&bench, STATE_BOUND, REASON_NONE, "");
        bench_tear_down(&bench);
}

static int send_garbage_and_die(Shared *shared, const Operation *operation, char **ret)
{
        (void) send_garbage(shared, operation, ret);
        (void) raise(SIGSEGV);
        return -EIO;
}

static void test_garbage_of_dying(void)
{
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench.shared->is_special = is_unbind;
        bench.shared->perform = send_garbage_and_die;
        bench_run(&bench);
        bench_expect(&bench, STATE_FAILED, REASON_ROLLBACK_FAILED, "unbind");
        bench_tear_down(&bench);
}

static int close_socket(Shared *shared, const Operation *operation, char **ret)
{
        if (!shared->blocked)
                (void) close(find_socket());
        shared->blocked = getpid();
        return 1;
}

static void test_silent(void)
{
        Bench bench = {};

        /* it works on, but nobody hears of it; the second one finds all done */
        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench.shared->is_special = is_bind;
        bench.shared->perform = close_socket;
        bench_run(&bench);
        bench_expect(&bench, STATE_BOUND, REASON_NONE, "");
        ASSERT_STREQ(fake_kernel_function(bench.stand.kernel, "0000:01:00.0")->driver, "vfio-pci");
        bench_tear_down(&bench);
}

static void note_process(Shared *shared)
{
        char command[64] = "";
        unsigned n_open = count_descriptors();
        struct sigaction action;
        sigset_t mask;
        int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

        ASSERT_TRUE(read(fd, command, sizeof(command) - 1) > 0);
        close(fd);
        ASSERT_OK(sigprocmask(SIG_SETMASK, NULL, &mask));
        ASSERT_OK(sigaction(SIGUSR1, NULL, &action));
        (void) snprintf(shared->seen, sizeof(shared->seen), "%s descriptors=%u leader=%d mask=%d "
                "handler=%d", command, n_open, getsid(0) == getpid(), sigismember(&mask, SIGUSR2),
                action.sa_handler != SIG_DFL);
}

static int look_around(Shared *shared, const Operation *operation, char **ret)
{
        note_process(shared);
        return 1;
}

static void ignore_signal(int signal)
{
}

static void test_process(void)
{
        struct sigaction action = { .sa_handler = ignore_signal }, before;
        Bench bench = {};
        sigset_t mask;
        int pipes[2];

        ASSERT_OK(pipe(pipes)); /* without O_CLOEXEC: of no use to a worker either */
        ASSERT_OK(sigaction(SIGUSR1, &action, &before));
        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR2);
        ASSERT_OK(sigprocmask(SIG_BLOCK, &mask, NULL));

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench.shared->is_special = is_guard;
        bench.shared->perform = look_around;
        bench_run(&bench);
        /* ".", "..", three standard streams, the socket, the directory that is read */
        ASSERT_STREQ(bench.shared->seen,
                "@vfio-bindd-worker descriptors=7 leader=1 mask=0 handler=0");
        bench_tear_down(&bench);

        ASSERT_OK(sigprocmask(SIG_UNBLOCK, &mask, NULL));
        ASSERT_OK(sigaction(SIGUSR1, &before, NULL));
        close(pipes[0]);
        close(pipes[1]);
}

static int use_descriptor(Shared *shared, const Operation *operation, char **ret)
{
        (void) snprintf(shared->seen, sizeof(shared->seen), "%d",
                fcntl(900, F_GETFD) >= 0 && fcntl(901, F_GETFD) < 0);
        return 1;
}

static void test_kept_descriptor(void)
{
        static const int kept = 900;
        Bench bench = {};

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        bench.executor = executor_free(bench.executor);
        bench.operations.descriptors = &kept;
        bench.operations.n_descriptors = 1;
        ASSERT_OK(executor_new(&bench.operations,
                &(ExecutorOptions){ .group_done = bench_group_done, .userdata = &bench },
                &bench.executor));
        ASSERT_EQ(dup2(0, 900), 900);
        ASSERT_EQ(dup2(0, 901), 901);
        bench.shared->is_special = is_guard;
        bench.shared->perform = use_descriptor;
        bench_run(&bench);
        ASSERT_STREQ(bench.shared->seen, "1");
        close(900);
        close(901);
        bench_tear_down(&bench);
}

static int be_slow(Shared *shared, const Operation *operation, char **ret)
{
        if (operation->address.function == 0)
                (void) sem_wait(&shared->go_on);
        return 1;
}

/* Abandoned by a program that has no more time, a worker finishes what it began. */
static void test_finishes_alone(void)
{
        Bench bench = {};
        FakeFunction *gpu;
        Report *report = NULL;

        bench_set_up(&bench, "bind-taken", 10 * USEC_PER_SEC);
        gpu = fake_kernel_function(bench.stand.kernel, "0000:01:00.0");
        bench.shared->is_special = is_bind;
        bench.shared->perform = be_slow;
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        ASSERT_OK(executor_dispatch(bench.executor));
        ASSERT_OK(sem_wait(&bench.shared->begun));
        ASSERT_OK(executor_run(bench.executor, USEC_PER_SEC / 20, &report));
        ASSERT_EQ(report->groups[0].state, STATE_STUCK);
        ASSERT_CONTAINS(report->groups[0].text, "goes on by itself");
        report_free(report);
        bench.executor = executor_free(bench.executor);

        ASSERT_OK(sem_post(&bench.shared->go_on));
        ASSERT_EQ(waitpid(bench.shared->worker, NULL, 0), bench.shared->worker);
        ASSERT_STREQ(gpu->driver, "vfio-pci");
        ASSERT_EQ(gpu->record.state, STATE_BOUND);
        ASSERT_TRUE(!bench.stand.kernel->has_intent[14]);
        bench_tear_down(&bench);
}

static bool is_load_module(const Operation *operation)
{
        return operation->type == OPERATION_LOAD_MODULE;
}

/* Given up by a parent without time (the udev helper), then ended by its own deadline, or by udevd,
 * before it came to write its intent: what it was to do is known all the same. */
static void test_given_up_before_its_intent(void)
{
        Bench bench = {};
        Report *report = NULL;

        bench_set_up(&bench, "bind-taken", USEC_PER_SEC / 2);
        bench.shared->is_special = is_load_module;
        bench.shared->perform = block;
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        ASSERT_OK(executor_dispatch(bench.executor));
        ASSERT_OK(sem_wait(&bench.shared->begun));
        ASSERT_OK(executor_run(bench.executor, USEC_PER_SEC / 20, &report));
        ASSERT_EQ(report->groups[0].state, STATE_STUCK);
        report_free(report);
        bench.executor = executor_free(bench.executor);
        ASSERT_EQ(waitpid(bench.shared->worker, NULL, 0), bench.shared->worker);
        ASSERT_EQ(fake_kernel_function(bench.stand.kernel, "0000:01:00.0")->record.state,
                STATE_STUCK);
        ASSERT_TRUE(bench.stand.kernel->has_intent[14]);
        bench_tear_down(&bench);
}

/* Without a parent the worker ends by its own deadline. */
static void test_own_deadline(void)
{
        Bench bench = {};
        int status = 0;

        bench_set_up(&bench, "bind-taken", USEC_PER_SEC / 10);
        bench.shared->is_special = is_unbind;
        bench.shared->perform = block;
        ASSERT_OK(executor_add(bench.executor, &bench.plan));
        ASSERT_OK(executor_dispatch(bench.executor));
        ASSERT_OK(sem_wait(&bench.shared->begun));
        bench.executor = executor_free(bench.executor);
        ASSERT_EQ(waitpid(bench.shared->worker, &status, 0), bench.shared->worker);
        ASSERT_TRUE(WIFSIGNALED(status));
        ASSERT_EQ(WTERMSIG(status), SIGALRM);
        bench_tear_down(&bench);
}

int main(int argc, char **argv)
{
        unsigned n_open;

        (void) alarm(120); /* whatever hangs */
        executor_setup_process(argc, argv);
        n_open = count_descriptors();

        test_deadline();
        test_lock_is_waited_for();
        test_killed();
        test_killed_before_any_write();
        test_garbage();
        test_garbage_of_dying();
        test_silent();
        test_process();
        test_kept_descriptor();
        test_finishes_alone();
        test_given_up_before_its_intent();
        test_own_deadline();

        ASSERT_EQ(count_descriptors(), n_open);
        while (wait(NULL) > 0)
                ; /* abandoned ones end too */
        return 0;
}
