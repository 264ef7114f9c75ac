/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/client.h"
#include "ctl/exit-code.h"
#include "ctl/options.h"

/* What "bind" and "release" share: requests by hand for whole groups, and what came of them. */

typedef struct ByHand {
        const Options *options;
        const char *kind; /* of the JSON document */
        int (*call)(sd_bus *bus, const PciAddress *address, bool interactive, sd_bus_error *error,
                char ***ret);
        /* A function of each group concerned, once the model is there; the exit code of what is
         * wrong with the arguments. */
        ExitCode (*choose)(struct ByHand *by_hand, const Model *model);
        PciAddress *targets; /* for choose() to fill with by_hand_add() */
        size_t n_targets;
} ByHand;

/* Adds a function unless its group is there already. Returns 0, -ENOMEM. */
int by_hand_add(ByHand *by_hand, const Model *model, const ModelDevice *device) _must_check_;

ExitCode by_hand_run(ByHand *by_hand);
