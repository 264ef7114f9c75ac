/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "scenarios.h"

/* One transaction of a scenario, and what its outcome is to say. Whatever is not as expected aborts
 * the test. */

#define GPU_ADDRESS   "0000:01:00.0"
#define SOUND_ADDRESS "0000:01:00.1"
#define NIC_ADDRESS   "0000:05:00.0"

typedef struct Run {
        Stand stand;
        GroupReport report;
} Run;

void run_prepare(Run *run, const char *scenario);
void run_done(Run *run);
#define _cleanup_run_ _cleanup_(run_done)

/* The fake kernel may find nothing wrong with it. */
void run_carry_out(Run *run);

FakeFunction *run_function(Run *run, const char *address);
/* The driver does not take the function. */
void run_refuse(Run *run, const char *address, const char *driver, int error);

/* The report of the group; `text` is a part of its text. */
void run_expect(const Run *run, State state, Reason reason, const char *text);
void run_expect_member(const Run *run, size_t i, State state, Reason reason);
void run_expect_no_write(const Run *run);
