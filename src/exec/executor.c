/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/executor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "exec/job.h"
#include "exec/worker.h"
#include "util/array.h"
#include "util/io.h"
#include "util/process-name.h"

#define DEFAULT_MAX_WORKERS 8
/* For a worker to come to its first operation, on a machine that is busy with booting. */
#define START_USEC (10 * USEC_PER_SEC)
/* Workers that are started at once; a further one each time none was done with its group for that
 * long. */
#define WORKERS_AT_ONCE 2
#define STAGGER_USEC    (40 * USEC_PER_MSEC)
/* How soon it is seen what a worker has begun by itself and not told of. */
#define FOLLOW_USEC     (USEC_PER_SEC)

struct Executor {
        Operations operations;
        ExecutorOptions options;
        TransactionOptions transaction_options;
        int epoll, timer;
        Job *jobs; /* in the order they came */
        uint64_t last_number; /* of a job */
        Offers *offers; /* jobs that no worker has */
        uint64_t next_start_usec; /* not before: another worker */
        Report *report; /* of executor_run(), else NULL */
        bool out_of_memory; /* a report could not be kept */
};

void executor_setup_process(int argc, char **argv)
{
        process_name_setup(argc, argv);
}

static int watch(const Executor *executor, int fd)
{
        struct epoll_event event = { .events = EPOLLIN };

        return epoll_ctl(executor->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int executor_new(const Operations *operations, const ExecutorOptions *options, Executor **ret)
{
        _cleanup_(executor_freep) Executor *executor = calloc(1, sizeof(*executor));
        int r;

        if (!executor)
                return -ENOMEM;

        executor->operations = *operations;
        executor->options = *options;
        executor->transaction_options = (TransactionOptions){
                .stage = options->stage,
                .config_digest = options->config_digest,
                .waits_for_udev = options->waits_for_udev,
        };
        if (executor->options.max_workers == 0)
                executor->options.max_workers = DEFAULT_MAX_WORKERS;

        executor->timer = executor->epoll = -1;
        r = offers_new(&executor->offers);
        if (r < 0)
                return r;
        executor->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (executor->epoll < 0)
                return -errno;
        executor->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (executor->timer < 0)
                return -errno;
        r = watch(executor, executor->timer);
        if (r < 0)
                return r;

        *ret = TAKE_POINTER(executor);
        return 0;
}

Executor *executor_free(Executor *executor)
{
        if (!executor)
                return NULL;

        for (Job *job = executor->jobs; job; job = job->next)
                if (job->is_offered)
                        (void) offers_withdraw(executor->offers, job->number);
        while (executor->jobs) {
                Job *job = executor->jobs;

                executor->jobs = job->next;
                if (job->worker.pidfd >= 0)
                        (void) worker_has_ended(&job->worker);
                job_free(job);
        }
        report_free(executor->report);
        offers_free(executor->offers);
        close_descriptor(&executor->timer);
        close_descriptor(&executor->epoll);
        free(executor);
        return NULL;
}

/* Wakes executor_dispatch() at this moment; 0: at once, USEC_INFINITY: not at all. */
static int set_timer(const Executor *executor, uint64_t usec)
{
        struct itimerspec spec = {};

        if (usec != USEC_INFINITY) {
                spec.it_value.tv_sec = (time_t) (usec / USEC_PER_SEC);
                spec.it_value.tv_nsec = (long) (usec % USEC_PER_SEC * 1000);
                if (usec == 0)
                        spec.it_value.tv_nsec = 1;
        }
        return timerfd_settime(executor->timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0 ? -errno : 0;
}

static int append(Job ***end, Job *job)
{
        if (!job)
                return -ENOMEM;
        **end = job;
        *end = &job->next;
        return 0;
}

static int make_jobs(const Plan *plan, const TransactionOptions *options, Job **jobs)
{
        Job **end = jobs;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < plan->n_physical_functions; i++)
                if (physical_function_has_work(&plan->physical_functions[i]))
                        r = append(&end, job_new(NULL, &plan->physical_functions[i], options));
        for (size_t i = 0; r >= 0 && i < plan->n_groups; i++)
                if (plan->groups[i].has_work)
                        r = append(&end, job_new(&plan->groups[i], NULL, options));
        return r;
}

int executor_add(Executor *executor, const Plan *plan)
{
        Job *jobs = NULL, **end = &executor->jobs;
        int r;

        r = make_jobs(plan, &executor->transaction_options, &jobs);
        if (r < 0) {
                while (jobs) {
                        Job *job = jobs;

                        jobs = job->next;
                        job_free(job);
                }
                return r;
        }
        for (Job *job = jobs; job; job = job->next)
                job->number = ++executor->last_number;
        while (*end)
                end = &(*end)->next;
        *end = jobs;
        return jobs ? set_timer(executor, 0) : 0;
}

int executor_get_fd(Executor *executor)
{
        return executor->epoll;
}

static bool job_is_open(const Job *job)
{
        return job->state != JOB_ABANDONED && job->state != JOB_RESTING;
}

bool executor_is_idle(const Executor *executor)
{
        for (const Job *job = executor->jobs; job; job = job->next)
                if (job_is_open(job))
                        return false;
        return true;
}

bool executor_works_on(const Executor *executor, int64_t group)
{
        for (const Job *job = executor->jobs; job; job = job->next)
                if (job_is_open(job) && job->group && job->group->number == group)
                        return true;
        return false;
}

/* In the worker, which has its own copy of what there was when it was forked. */
static bool find_task(const void *userdata, uint64_t number, WorkerTask *ret)
{
        const Executor *executor = userdata;

        for (const Job *job = executor->jobs; job; job = job->next) {
                if (job->number != number)
                        continue;
                *ret = (WorkerTask){
                        .group = job->group,
                        .physical_function = job->physical_function,
                        .options = &job->options,
                        .operations = &executor->operations,
                        .timeout_usec = job->timeout_usec,
                };
                return true;
        }
        return false;
}

static int start(Executor *executor, Job *job)
{
        int r;

        r = worker_start(&executor->operations, find_task, executor, executor->offers,
                &job->worker);
        if (r < 0)
                return r;
        job_begin(job, START_USEC);
        worker_assign(&job->worker, job->number);
        r = watch(executor, job->worker.socket);
        if (r >= 0)
                r = watch(executor, job->worker.pidfd);
        return r;
}

static unsigned count(const Executor *executor, JobState state)
{
        unsigned n = 0;

        for (const Job *job = executor->jobs; job; job = job->next)
                n += job->state == state;
        return n;
}

/* A worker that lives has taken it, and comes to it, or to its end. */
static bool is_taken(const Executor *executor, const Job *job)
{
        pid_t taker = job->is_offered ? offers_taker(executor->offers, job->number) : 0;

        for (const Job *other = executor->jobs; taker > 0 && other; other = other->next)
                if (other->worker.pidfd >= 0 && other->worker.pid == taker)
                        return true;
        return false;
}

static Job *find_queued(const Executor *executor)
{
        for (Job *job = executor->jobs; job; job = job->next)
                if (job->state == JOB_QUEUED && !is_taken(executor, job))
                        return job;
        return NULL;
}

/* From then on nobody takes it, and false: somebody did. What was taken by one that has ended may
 * have been begun: it is like a job whose first worker was killed. */
static bool take_back(Executor *executor, Job *job)
{
        if (job->is_offered && !offers_withdraw(executor->offers, job->number)) {
                if (is_taken(executor, job))
                        return false;
                job->is_second = true;
                offers_forget(executor->offers, job->number);
        }
        job->is_offered = false;
        return true;
}

/* Before workers are started: one that finds nothing when it is done with its first job ends. What
 * was queued since a worker was forked is not in its memory, and not taken by it. */
static void offer_queued(Executor *executor)
{
        for (Job *job = executor->jobs; job; job = job->next)
                if (job->state == JOB_QUEUED && !job->is_offered)
                        job->is_offered = offers_add(executor->offers, job->number);
}

/* Workers that are done take the next job, so that few need to be started. One that cannot be
 * started leaves its group as it was; the others go on. */
static void start_queued(Executor *executor)
{
        for (;;) {
                unsigned n = count(executor, JOB_RUNNING);
                Job *job = find_queued(executor);
                uint64_t now = now_monotonic();
                int r;

                if (!job || n + count(executor, JOB_RESTING) >= executor->options.max_workers ||
                    (n >= WORKERS_AT_ONCE && now < executor->next_start_usec))
                        return;
                if (!take_back(executor, job))
                        continue;
                r = start(executor, job);
                if (r < 0 && job->state == JOB_QUEUED)
                        job_finish_unstarted(job, r);
                executor->next_start_usec = now_monotonic() + STAGGER_USEC;
        }
}

/* Killed, then abandoned: where the kernel does not let go of it, it stays for ever. */
static void pass_deadline(const Executor *executor, Job *job)
{
        (void) kill(job->worker.pid, SIGKILL);
        job_give_up(job, &executor->operations, true);
}

static Job *find_taken(const Executor *executor, uint64_t number, pid_t taker)
{
        for (Job *job = executor->jobs; job; job = job->next)
                if (job->state == JOB_QUEUED && job->is_offered && job->number == number &&
                    offers_taker(executor->offers, number) == taker)
                        return job;
        return NULL;
}

/* By what it says, or what it is at. A worker gone mad cannot keep us here. */
static Job *find_next(const Executor *executor, Job *job)
{
        pid_t pid = job->worker.pid;
        uint64_t number;

        for (unsigned i = 0; i < JOB_MESSAGES_MAX; i++) {
                Job *next;

                number = job_peek_task(job);
                if (number == 0)
                        break;
                next = find_taken(executor, number, pid);
                if (next)
                        return next;
                job_drop_message(job);
        }
        number = job_board_task(job);
        return number > 0 ? find_taken(executor, number, pid) : NULL;
}

/* Its job is done: which one has the worker taken since? */
static void follow(Executor *executor, Job *job)
{
        bool has_ended = worker_has_ended(&job->worker);
        Job *next = find_next(executor, job);

        if (next) {
                offers_forget(executor->offers, next->number);
                next->is_offered = false;
                job_pass_worker(job, next);
                job_begin(next, START_USEC);
        } else if (has_ended) {
                job->state = job->state == JOB_DONE ? JOB_FINISHED : JOB_GONE;
        }
}

static void receive(Executor *executor, Job *job)
{
        job_receive(job);
        if (!job->is_complete)
                return;
        executor->next_start_usec = now_monotonic_coarse() + STAGGER_USEC;
        job->state = JOB_DONE;
        follow(executor, job);
}

static void look_after(Executor *executor, Job *job, uint64_t now)
{
        switch (job->state) {
        case JOB_RUNNING:
                receive(executor, job);
                if (job->state != JOB_RUNNING)
                        break;
                if (worker_has_ended(&job->worker)) {
                        /* what it said before it ended is all there now */
                        receive(executor, job);
                        if (job->state == JOB_RUNNING)
                                job_finish_ended(job);
                } else if (now >= job->deadline_usec) {
                        pass_deadline(executor, job);
                }
                break;
        case JOB_DONE:
        case JOB_RESTING:
                follow(executor, job);
                break;
        case JOB_ABANDONED:
                if (worker_has_ended(&job->worker))
                        job->state = JOB_GONE;
                break;
        default:
                break;
        }
}

static int keep_group_report(Executor *executor, Job *job)
{
        Report *report = executor->report;
        int r;

        r = ARRAY_GROW(report->groups, report->n_groups);
        if (r < 0)
                return r;
        report->groups[report->n_groups++] = job->report;
        job->report = (GroupReport){};
        return 0;
}

static int keep_physical_function_report(Executor *executor, const Job *job)
{
        Report *report = executor->report;
        int r;

        r = ARRAY_GROW(report->physical_functions, report->n_physical_functions);
        if (r < 0)
                return r;
        report->physical_functions[report->n_physical_functions++] = job->physical_function_report;
        return 0;
}

static void announce(Executor *executor, Job *job)
{
        const ExecutorOptions *options = &executor->options;
        int r = 0;

        if (job->group) {
                if (options->group_done)
                        options->group_done(options->userdata, &job->report);
                if (executor->report)
                        r = keep_group_report(executor, job);
        } else {
                if (options->physical_function_done)
                        options->physical_function_done(options->userdata,
                                &job->physical_function_report);
                if (executor->report)
                        r = keep_physical_function_report(executor, job);
        }
        if (r < 0)
                executor->out_of_memory = true;
}

static void keep_worker(Executor *executor, Job *job)
{
        if (job->state == JOB_DONE)
                job_rest(job);
        else
                job_abandon(job);
        job->next = executor->jobs;
        executor->jobs = job;
}

/* Callbacks may add further plans: the list is begun anew after each of them. */
static void announce_finished(Executor *executor)
{
        for (Job **link = &executor->jobs; *link;) {
                Job *job = *link;

                if (job->state == JOB_QUEUED || job->state == JOB_RUNNING ||
                    job->state == JOB_RESTING || job->state == JOB_ABANDONED) {
                        link = &job->next;
                        continue;
                }
                *link = job->next;
                job->next = NULL;
                if (job->state != JOB_GONE)
                        announce(executor, job);
                else if (job->was_given_up && executor->options.worker_returned)
                        executor->options.worker_returned(executor->options.userdata);
                if (job->state == JOB_GIVEN_UP || job->state == JOB_DONE)
                        keep_worker(executor, job);
                else
                        job_free(job);
                link = &executor->jobs;
        }
}

static uint64_t next_deadline(const Executor *executor)
{
        uint64_t next = USEC_INFINITY;

        if (find_queued(executor)) {
                if (count(executor, JOB_RUNNING) + count(executor, JOB_RESTING) <
                    executor->options.max_workers)
                        next = executor->next_start_usec;
        } else if (count(executor, JOB_QUEUED) > 0) {
                next = now_monotonic() + FOLLOW_USEC;
        }
        for (const Job *job = executor->jobs; job; job = job->next)
                if (job->state == JOB_RUNNING && job->look_usec < next)
                        next = job->look_usec;
        return next;
}

int executor_dispatch(Executor *executor)
{
        uint64_t now = now_monotonic(), expirations;

        /* it is read only to make it silent; set_timer() is what counts */
        if (read(executor->timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
                return -errno;

        for (Job *job = executor->jobs; job; job = job->next)
                look_after(executor, job, now);
        announce_finished(executor);
        offer_queued(executor);
        start_queued(executor);
        announce_finished(executor);
        return set_timer(executor, next_deadline(executor));
}

static int wait_for_event(const Executor *executor, uint64_t deadline)
{
        uint64_t now = now_monotonic();
        struct epoll_event event;
        int milliseconds = -1;

        if (deadline != USEC_INFINITY) {
                uint64_t rest = 0;

                if (deadline > now)
                        rest = (deadline - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
                milliseconds = rest > INT32_MAX ? INT32_MAX : (int) rest;
        }
        if (epoll_wait(executor->epoll, &event, 1, milliseconds) < 0 && errno != EINTR)
                return -errno;
        return 0;
}

/* The time is over: workers finish what they have by themselves, but nobody waits for them any
 * longer. */
static void give_up_all(Executor *executor)
{
        for (Job *job = executor->jobs; job; job = job->next)
                if (job->state == JOB_QUEUED && take_back(executor, job))
                        job_finish_unstarted(job, -ETIMEDOUT);
        for (size_t n = count(executor, JOB_QUEUED) + 1; n > 0; n--)
                for (Job *job = executor->jobs; job; job = job->next)
                        look_after(executor, job, 0);
        for (Job *job = executor->jobs; job; job = job->next) {
                if (job->state == JOB_QUEUED)
                        job_finish_unstarted(job, -ETIMEDOUT);
                else if (job->state == JOB_RUNNING)
                        job_give_up(job, &executor->operations, false);
        }
        announce_finished(executor);
}

static int run_until(Executor *executor, uint64_t deadline)
{
        for (;;) {
                int r;

                r = executor_dispatch(executor);
                if (r < 0)
                        return r;
                if (executor_is_idle(executor))
                        return 0;
                if (now_monotonic() >= deadline) {
                        give_up_all(executor);
                        return 0;
                }
                r = wait_for_event(executor, deadline);
                if (r < 0)
                        return r;
        }
}

int executor_run(Executor *executor, uint64_t timeout_usec, Report **ret)
{
        uint64_t now = now_monotonic();
        Report *report;
        int r;

        executor->report = calloc(1, sizeof(Report));
        if (!executor->report)
                return -ENOMEM;

        r = run_until(executor, timeout_usec < USEC_INFINITY - now ? now + timeout_usec
                                                                   : USEC_INFINITY);
        report = TAKE_POINTER(executor->report);
        if (r >= 0 && executor->out_of_memory)
                r = -ENOMEM;
        if (r < 0 || !ret)
                report_free(report);
        else
                *ret = report;
        return r < 0 ? r : 0;
}
