/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/machine.h"
#include "daemon/manager-internal.h"
#include "lib/test.h"

/* A manager on a fake machine, with the loop in the test's hands. */
typedef struct Fixture {
        Machine machine;
        sd_event *event;
        Manager *manager;
        size_t n_published;
} Fixture;

void fixture_init(Fixture *fixture, const char *tree, const char *config);
void fixture_done(Fixture *fixture);

/* Starts the manager: once for each time the daemon is started. */
void fixture_start(Fixture *fixture);
void fixture_stop(Fixture *fixture);

/* Runs the loop until it has nothing to do at once and no worker runs. */
void fixture_settle(Fixture *fixture);
/* Runs the loop until the condition holds; aborts if nothing happens for ten seconds. */
#define FIXTURE_RUN_UNTIL(fixture, condition)                                                      \
        do {                                                                                       \
                while (!(condition))                                                               \
                        fixture_run_once(fixture, #condition);                                     \
        } while (0)
void fixture_run_once(Fixture *fixture, const char *condition);

/* What a kernel event says: something happened; and, with an address, that it is new. */
void fixture_event(Fixture *fixture, const char *added_address);

/* In the present view. */
const MemberPlan *fixture_member(Fixture *fixture, const char *address);
const char *fixture_state(Fixture *fixture, const char *address);  /* "bound" */
const char *fixture_reason(Fixture *fixture, const char *address); /* "" */
const char *fixture_claim_state(Fixture *fixture, const char *name);

#define ASSERT_DEVICE(fixture, address, state, reason)                                             \
        do {                                                                                       \
                ASSERT_STREQ(fixture_state((fixture), (address)), (state));                        \
                ASSERT_STREQ(fixture_reason((fixture), (address)), (reason));                      \
        } while (0)
#define ASSERT_DRIVER(fixture, address, driver)                                                    \
        do {                                                                                       \
                _cleanup_free_ char *_driver = machine_driver(&(fixture)->machine, (address));     \
                ASSERT_STREQ(_driver, (driver));                                                   \
        } while (0)
