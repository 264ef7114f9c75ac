/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/planner.h"
#include "ctl/machine.h"

/* Between machine.c, which looks, and machine-model.c, which says what was seen. */
struct Machine {
        Host host;
        Config *config;
        Snapshot *snapshot;
        Plan *plan; /* what needs no leave to unbind, as the daemon shows it */
};
