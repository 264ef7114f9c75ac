/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "daemon/manager.h"

typedef enum OptionSet {
        OPTION_DRIVER       = 1U << 0,
        OPTION_COMPANIONS   = 1U << 1,
        OPTION_ALLOW_IN_USE = 1U << 2,
        OPTION_PRUNE        = 1U << 3,
        OPTION_NO_PROBE     = 1U << 4,
        OPTION_NEXT_BOOT    = 1U << 5,
} OptionSet;

/* Reads a{sv} into the request, whose other fields stay. An option outside `allowed`, one that
 * stands twice, and a value of another type or meaning give InvalidArgs, which names it. Strings
 * in the request belong to the message. Returns 0, or a negative errno with the error set. */
int options_read(sd_bus_message *message, unsigned allowed, ApplyRequest *request,
        sd_bus_error *error) _must_check_;
