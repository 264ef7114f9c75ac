/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/client.h"

/* A model that follows the daemon's signals. */
typedef struct Watch {
        sd_bus *bus;  /* the caller's */
        Model *model; /* NULL: there is no daemon just now */
        /* private */
        bool is_changed, is_stale;
        int error;
} Watch;

/* Subscribes, then reads the model. The Watch must stay where it is. Returns 0; -ENOTCONN if no
 * daemon runs; another negative errno, with `error` set where somebody said something. */
int watch_open(Watch *watch, sd_bus *bus, sd_bus_error *error) _must_check_;
void watch_done(Watch *watch);
#define _cleanup_watch_ _cleanup_(watch_done)

/* Waits until the daemon has said all that it had to say of a change, or went away (the model is
 * NULL then), or is there again. Returns 1; 0 at the deadline (CLOCK_MONOTONIC, USEC_INFINITY:
 * none); a negative errno: the bus is gone, or there is no memory. */
int watch_next(Watch *watch, uint64_t deadline_usec) _must_check_;
