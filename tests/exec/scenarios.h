/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "exec/transaction.h"
#include "lib/fake-kernel.h"
#include "lib/snapshot-text.h"

/* One plan of one group on one machine, for the golden traces and for the injected failures. */

typedef struct Scenario {
        const char *name;
        const char *machine; /* as in lib/snapshot-text.h */
        /* A line a member: "ADDRESS ACTION [TARGET] [fresh] [companion] [manual=released]
         * [no-probe]"; the other members of the group have no action. */
        const char *plan;
        Stage stage;
        void (*prepare)(FakeKernel *kernel); /* may be NULL */
        bool is_undone; /* it fails by itself */
        /* where the driver of a function may be another one when it was killed after its outcome had
         * been saved, and was tried again: that of the host */
        const char *host_driver;
} Scenario;

extern const Scenario scenarios[];
extern const size_t n_scenarios;

/* Aborts if there is none. */
const Scenario *scenario_find(const char *name);

/* Everything that a run needs; made anew for each. */
typedef struct Stand {
        const Scenario *scenario;
        Config *config;
        TextMachine machine;
        Claim claim;
        ClaimSettings settings;
        GroupPlan group;
        TransactionOptions options;
        FakeKernel *kernel;
        Operations operations;
} Stand;

void stand_set_up(Stand *stand, const Scenario *scenario);
void stand_done(Stand *stand);
#define _cleanup_stand_ _cleanup_(stand_done)

/* Report and machine as text, for comparison and for messages; the caller frees it. */
char *stand_format(const Stand *stand, const GroupReport *report);
