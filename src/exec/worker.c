/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "exec/progress.h"
#include "util/io.h"
#include "util/process-name.h"

#define WORKER_NAME "@vfio-bindd-worker"

/* waitid(2) on a pidfd: since Linux 5.4; glibc names it since 2.36. */
#define WAIT_PIDFD ((idtype_t) 3)

static void reset_signals(void)
{
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int signal = 1; signal < NSIG; signal++)
                (void) sigaction(signal, &action, NULL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_range_inclusive(unsigned first, unsigned last)
{
        if (first > last)
                return;
#ifdef SYS_close_range
        if (syscall(SYS_close_range, first, last, 0) == 0)
                return;
#endif
        /* kernels before 5.9 */
        if (last > 65535)
                last = 65535;
        for (unsigned fd = first; fd <= last; fd++)
                (void) close((int) fd);
}

static bool is_kept(const Operations *operations, int socket, unsigned fd)
{
        if (fd == (unsigned) socket)
                return true;
        for (size_t i = 0; i < operations->n_descriptors; i++)
                if (operations->descriptors[i] >= 0 && fd == (unsigned) operations->descriptors[i])
                        return true;
        return false;
}

/* Listening sockets, locks and pipes of the parent are none of the worker's business, and would
 * live on with one that is stuck. */
static void close_descriptors(const Operations *operations, int socket)
{
        unsigned first = 3, highest = (unsigned) socket;

        for (size_t i = 0; i < operations->n_descriptors; i++)
                if (operations->descriptors[i] > (int) highest)
                        highest = (unsigned) operations->descriptors[i];
        for (unsigned fd = first; fd <= highest; fd++) {
                if (!is_kept(operations, socket, fd))
                        continue;
                if (fd > first)
                        close_range_inclusive(first, fd - 1);
                first = fd + 1;
        }
        close_range_inclusive(first, ~0U);
}

static void redirect_standard_streams(const Operations *operations)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null < 0)
                return;
        for (int fd = 0; fd <= 2; fd++)
                if (!is_kept(operations, -1, (unsigned) fd))
                        (void) dup2(null, fd);
        if (null > 2)
                (void) close(null);
}

/* Setting the alarm clock anew for every operation would cost as much as many of them. */
#define ALARM_SLACK_USEC (5 * USEC_PER_SEC)

/* Each announcement of a node is work for udevd, the service manager and the bus, on processors
 * that binding the next group needs: they are made when there is no next one, or it gets late. */
#define ANNOUNCE_LATEST_USEC (2 * USEC_PER_SEC)

typedef struct Announcements {
        int64_t groups[64];
        size_t n;
        uint64_t since_usec; /* of the first */
} Announcements;

static void announce_all(Announcements *announcements, const Operations *operations)
{
        for (size_t i = 0; i < announcements->n; i++) {
                Operation operation = {
                        .type = OPERATION_ANNOUNCE_NODE,
                        .number = announcements->groups[i],
                };

                (void) operations->perform(operations->userdata, &operation, NULL);
        }
        announcements->n = 0;
}

static void announce_later(Announcements *announcements, const Operations *operations,
        int64_t group, uint64_t now)
{
        if (announcements->n == ELEMENTSOF(announcements->groups))
                announce_all(announcements, operations);
        if (announcements->n == 0)
                announcements->since_usec = now;
        announcements->groups[announcements->n++] = group;
}

/* The operations table of a worker: says what it is about to do, and sets its own deadline. */
typedef struct Reporter {
        const Operations *operations;
        ProgressBoard *board;
        Announcements *announcements;
        uint64_t task;
        uint64_t timeout_usec;
        uint64_t alarm_usec; /* set the last time; 0: not at all */
        bool has_written;
} Reporter;

static void set_alarm(uint64_t usec)
{
        struct itimerval timer = {
                .it_value = {
                        .tv_sec = (time_t) (usec / USEC_PER_SEC),
                        .tv_usec = (suseconds_t) (usec % USEC_PER_SEC),
                },
        };

        (void) setitimer(ITIMER_REAL, &timer, NULL);
}

/* The parent, if there is one, comes first. */
static void watch_over(Reporter *reporter, uint64_t now)
{
        uint64_t timeout = reporter->timeout_usec;
        uint64_t slack = timeout < ALARM_SLACK_USEC ? timeout : ALARM_SLACK_USEC;

        if (timeout >= USEC_INFINITY / 2 ||
            (reporter->alarm_usec > 0 && now - reporter->alarm_usec < slack))
                return;
        set_alarm(timeout + slack + USEC_PER_SEC);
        reporter->alarm_usec = now;
}

static int perform_reported(void *userdata, const Operation *operation, char **ret_text)
{
        Reporter *reporter = userdata;
        uint64_t now = now_monotonic_coarse();

        if (operation->type == OPERATION_ANNOUNCE_NODE) {
                announce_later(reporter->announcements, reporter->operations, operation->number,
                        now);
                return 0;
        }
        /* of a driver that the plan did not know of, too */
        if (operation->type == OPERATION_UNBIND)
                announce_all(reporter->announcements, reporter->operations);
        reporter->has_written = reporter->has_written || operation_is_write(operation->type);
        progress_board_write(reporter->board, &(ProgressOperation){
                .task = reporter->task,
                .type = operation->type,
                .address = operation->address,
                .started_usec = now,
                .has_written = reporter->has_written,
        });
        watch_over(reporter, now);
        return reporter->operations->perform(reporter->operations->userdata, operation, ret_text);
}

static int run_group(const WorkerTask *task, uint64_t number, const Operations *operations,
        int socket)
{
        ProgressMessage message;
        GroupReport report;
        int r;

        r = transaction_run(task->group, task->options, operations, &report);
        if (r < 0)
                return r;

        set_alarm(0);
        for (size_t i = 0; i < report.n_members; i++) {
                message = (ProgressMessage){
                        .task = number,
                        .type = PROGRESS_MEMBER,
                        .index = (uint32_t) i,
                };
                message.member = report.members[i];
                progress_send(socket, &message);
        }
        message = (ProgressMessage){
                .task = number,
                .type = PROGRESS_GROUP,
                .index = (uint32_t) report.n_members,
        };
        message.group = report;
        message.group.members = NULL;
        progress_send(socket, &message);
        group_report_done(&report);
        return 0;
}

static int run_physical_function(const WorkerTask *task, uint64_t number,
        const Operations *operations, int socket)
{
        ProgressMessage message = { .task = number, .type = PROGRESS_PHYSICAL_FUNCTION };
        int r;

        r = physical_function_run(task->physical_function, task->options, operations,
                &message.physical_function);
        if (r < 0)
                return r;
        set_alarm(0);
        progress_send(socket, &message);
        return 0;
}

/* Nothing is begun before the parent can watch over it. */
static bool receive_number(int socket, uint64_t *ret)
{
        ssize_t n;

        do
                n = recv(socket, ret, sizeof(*ret), 0);
        while (n < 0 && errno == EINTR);
        return n == sizeof(*ret);
}

/* In a driver of the host that has it, or gets it back. */
static bool may_hang(const WorkerTask *task)
{
        if (task->physical_function)
                return true;
        for (size_t i = 0; i < task->group->n_members; i++) {
                const MemberPlan *member = &task->group->members[i];

                if (member->action == ACTION_RELEASE || member->action == ACTION_PROBE_HOST)
                        return true;
                if ((member->action == ACTION_BIND || member->action == ACTION_DETACH) &&
                    !driver_is_harmless(member->device->driver))
                        return true;
        }
        return false;
}

static int run_task(const WorkerTask *task, uint64_t number, int socket, ProgressBoard *board,
        Announcements *announcements)
{
        Reporter reporter = {
                .operations = task->operations,
                .board = board,
                .announcements = announcements,
                .task = number,
                .timeout_usec = task->timeout_usec,
        };
        Operations operations = { .userdata = &reporter, .perform = perform_reported };

        /* a worker that hangs is killed, and what was bound before would never be announced */
        if (may_hang(task))
                announce_all(announcements, task->operations);
        return task->group ? run_group(task, number, &operations, socket)
                           : run_physical_function(task, number, &operations, socket);
}

/* What a worker has from its parent. */
typedef struct Instructions {
        const Operations *operations;
        WorkerFind find;
        const void *userdata;
        Offers *offers;
        pid_t parent;
} Instructions;

static bool knows(const void *userdata, uint64_t number)
{
        const Instructions *instructions = userdata;
        WorkerTask task;

        return instructions->find(instructions->userdata, number, &task);
}

/* Nobody watches over what is begun when the parent is gone, or wants it any more. */
static uint64_t take_next(const Instructions *instructions)
{
        if (getppid() != instructions->parent)
                return 0;
        return offers_take(instructions->offers, getpid(), knows, instructions);
}

static void run_tasks(const Instructions *instructions, uint64_t number, int socket,
        ProgressBoard *board)
{
        const Operations *operations = instructions->operations;
        Announcements announcements = {};
        WorkerTask task;

        while (number > 0) {
                if (!instructions->find(instructions->userdata, number, &task) ||
                    run_task(&task, number, socket, board, &announcements) < 0)
                        _exit(EXIT_FAILURE);
                if (now_monotonic_coarse() - announcements.since_usec >= ANNOUNCE_LATEST_USEC)
                        announce_all(&announcements, operations);
                number = take_next(instructions);
                if (number > 0)
                        continue;
                announce_all(&announcements, operations);
                number = take_next(instructions);
        }
}

static _Noreturn void worker_main(const Instructions *instructions, int socket,
        ProgressBoard *board)
{
        const Operations *operations = instructions->operations;
        uint64_t number;

        (void) setsid();
        process_name_set(WORKER_NAME);
        close_descriptors(operations, socket);
        redirect_standard_streams(operations);
        reset_signals();
        if (receive_number(socket, &number))
                run_tasks(instructions, number, socket, board);
        _exit(EXIT_SUCCESS);
}

static int open_pidfd(pid_t pid)
{
        int fd = (int) syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? -errno : fd;
}

/* No handler of the parent may run in the child before the child has made its signals its own. */
static pid_t fork_with_signals_blocked(const Instructions *instructions, int socket,
        ProgressBoard *board)
{
        sigset_t all, before;
        pid_t pid;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_BLOCK, &all, &before);
        pid = fork();
        if (pid == 0)
                worker_main(instructions, socket, board);
        if (pid < 0)
                pid = -errno;
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return pid;
}

int worker_start(const Operations *operations, WorkerFind find, const void *userdata,
        Offers *offers, Worker *ret)
{
        const Instructions instructions = {
                .operations = operations,
                .find = find,
                .userdata = userdata,
                .offers = offers,
                .parent = getpid(),
        };
        _cleanup_(progress_board_freep) ProgressBoard *board = NULL;
        int sockets[2];
        pid_t pid;
        int pidfd, r;

        r = progress_board_new(&board);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return -errno;
        pid = fork_with_signals_blocked(&instructions, sockets[1], board);
        (void) close(sockets[1]);
        if (pid < 0) {
                (void) close(sockets[0]);
                return (int) pid;
        }

        pidfd = open_pidfd(pid);
        if (pidfd < 0) {
                /* it has begun nothing, so it ends at once */
                (void) close(sockets[0]);
                (void) waitpid(pid, NULL, 0);
                return pidfd;
        }
        progress_board_keep_from_children(board);
        *ret = (Worker){
                .pid = pid,
                .pidfd = pidfd,
                .socket = sockets[0],
                .board = TAKE_POINTER(board),
        };
        return 0;
}

void worker_assign(const Worker *worker, uint64_t number)
{
        (void) send(worker->socket, &number, sizeof(number), MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool worker_has_ended(const Worker *worker)
{
        siginfo_t info = {};
        int r;

        do
                r = waitid(WAIT_PIDFD, (id_t) worker->pidfd, &info, WEXITED | WNOHANG);
        while (r < 0 && errno == EINTR);
        /* ECHILD: somebody reaped it already, so it has ended */
        return r < 0 || info.si_pid != 0;
}

void worker_done(Worker *worker)
{
        close_descriptor(&worker->pidfd);
        close_descriptor(&worker->socket);
        worker->pidfd = worker->socket = -1;
        worker->board = progress_board_free(worker->board);
}
