/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "exec/progress.h"
#include "exec/worker.h"

/* One group or physical function in the executor's hands, from the queue to its report. */

/* That many messages are taken at once, as much as fits into the socket's buffer: a worker gone mad
 * cannot keep us here. */
#define JOB_MESSAGES_MAX 1024

typedef enum JobState {
        JOB_QUEUED,
        JOB_RUNNING,
        JOB_FINISHED,  /* report ready, worker reaped, at another job or never started */
        JOB_DONE,      /* report ready, its worker takes the next job or ends */
        JOB_RESTING,   /* likewise, and reported */
        JOB_GIVEN_UP,  /* report ready, worker lives */
        JOB_ABANDONED, /* reported; only the worker's end is waited for */
        JOB_GONE,
} JobState;

typedef struct Job Job;
struct Job {
        Job *next;
        JobState state;
        uint64_t number; /* in the order they came, from 1 */
        const GroupPlan *group; /* or */
        const PhysicalFunctionPlan *physical_function; /* both NULL once it is abandoned */
        char *config_digest; /* of the configuration that it was planned from; NULL: none */
        TransactionOptions options;
        uint64_t timeout_usec;
        /* CLOCK_MONOTONIC; of the operation it is at, or to begin with one */
        uint64_t deadline_usec;
        uint64_t look_usec; /* when to look what it is at: nobody is told of each operation */
        Worker worker;
        bool is_offered; /* to the workers; one of them may have it already */
        bool was_given_up;
        bool is_second; /* the first worker was killed */

        bool has_operation;
        ProgressOperation operation; /* the last it told of */
        size_t n_received;           /* member reports, in order */
        bool is_complete;            /* the whole report came */
        GroupReport report;          /* its members are those of the plan that have an action */
        PhysicalFunctionReport physical_function_report;
};

bool physical_function_has_work(const PhysicalFunctionPlan *plan);

/* `options` are copied. NULL: no memory. */
Job *job_new(const GroupPlan *group, const PhysicalFunctionPlan *physical_function,
        const TransactionOptions *options);
Job *job_free(Job *job);

uint64_t job_deadline(const Job *job, uint64_t started_usec);

/* A worker gets it, or has it: it has `start_usec` to come to its first operation. */
void job_begin(Job *job, uint64_t start_usec);

/* Takes what the worker has said of it, up to the end of its report, and what it is at. */
void job_receive(Job *job);

/* Of a job that is done: which task the worker's next message is about, and which one it is at. 0:
 * there is no message; it is at none. */
uint64_t job_peek_task(Job *job);
uint64_t job_board_task(const Job *job);

/* That message is about nothing that the worker could have. */
void job_drop_message(Job *job);

/* The worker has ended: with its report, or without. Where it was killed, a second one is to finish
 * or undo what it left (queued again); there is no third. */
void job_finish_ended(Job *job);

/* No worker was started: error, or -ETIMEDOUT if there was no time for it. */
void job_finish_unstarted(Job *job, int error);

/* The worker of a job that is done has taken another one. */
void job_pass_worker(Job *job, Job *next);

/* Lets go of the plan; the worker is still listened to, for it may take another job. */
void job_rest(Job *job);

/* The worker does not come back: reports stuck, and says so in the record of the function that it
 * is at (operations on records do not block). */
void job_give_up(Job *job, const Operations *operations, bool killed);

/* Lets go of the plan; only the worker's end is of interest any more. */
void job_abandon(Job *job);
