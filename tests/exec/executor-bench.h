/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "exec/executor.h"
#include "scenarios.h"

/* An executor with real workers on a scenario's fake kernel, which lies in shared memory. */

#define MANY 20

/* What a worker and the test tell each other. */
typedef struct Shared {
        FakeKernel *kernel;
        int (*perform)(struct Shared *shared, const Operation *operation, char **ret);
        bool (*is_special)(const Operation *operation);
        volatile pid_t worker; /* that did the special operation last */
        volatile pid_t blocked;
        unsigned n_arrived, n_running, n_most; /* workers at once */
        pthread_barrier_t eight;
        sem_t begun, go_on;
        char seen[512];
} Shared;

typedef struct Bench {
        Stand stand;
        GroupPlan groups[MANY];
        Plan plan;
        Shared *shared;
        Operations operations;
        Executor *executor;
        unsigned n_done;
        GroupReport last; /* members are not kept */
        MemberReport last_member;
} Bench;

void bench_set_up(Bench *bench, const char *scenario, uint64_t timeout_usec);
void bench_tear_down(Bench *bench);

/* The event loop of a program; at most ten seconds. */
void bench_dispatch_until_idle(Bench *bench);

/* For ExecutorOptions.group_done, userdata: the bench. */
void bench_group_done(void *userdata, const GroupReport *report);

/* Adds the plan and waits for its end. */
void bench_run(Bench *bench);

/* One group was reported, and so. */
void bench_expect(const Bench *bench, State state, Reason reason, const char *text);

/* Special operations, and what they do. */
bool is_unbind(const Operation *operation);
bool is_guard(const Operation *operation);
bool is_bind(const Operation *operation);
bool is_lock(const Operation *operation);
int block(Shared *shared, const Operation *operation, char **ret);

/* The process is there, or not reaped. */
bool lives(pid_t pid);

unsigned count_descriptors(void);
