/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <sys/types.h>

#include "util/macro.h"

/* Who may do what: one question per method call, answered without ever blocking. root passes,
 * polkit decides about the others, and where there is no polkit they are denied.
 *
 *   method call -> handler -> bouncer_check(): 0, "wait"; the handler returns 1
 *     GetConnectionUnixUser  -> trusted -----------------------------.
 *     CheckAuthorization     -> yes, no, "ask interactively" --------|
 *   the same message is queued again <-------------------------------'
 *     -> handler, which looks everything up and checks it anew
 *          -> bouncer_check(): 1, or an error
 *
 * Nothing that a handler looked up is carried over the wait: devices may have vanished and claims
 * changed while somebody typed a password. If the caller goes away, its questions do too. */

typedef struct Bouncer Bouncer;

typedef struct BouncerOptions {
        uid_t trusted_uid;     /* passes without a question: 0 */
        uint64_t timeout_usec; /* for polkit's answer, and so for a password; 0: two minutes */
} BouncerOptions;

/* What the rules of polkit can see of a request. NULL: not there. */
typedef struct BouncerDetails {
        const char *device, *group, *claim, *driver;
        uint64_t instance; /* not told: which one `device` is, so that it is no other afterwards */
} BouncerDetails;

/* What waits for polkit in all, and for one user on any number of connections. */
#define BOUNCER_PENDING_MAX        64
#define BOUNCER_PENDING_USER_MAX   16
/* What one connection has waiting, for whomever. */
#define BOUNCER_PENDING_SENDER_MAX 8
/* What waits to learn whose it is. The message bus gives a user 256 connections
 * (max_connections_per_user), so that no user alone can take all of this from root. */
#define BOUNCER_UNKNOWN_MAX        4096

/* For one connection, of which it takes a reference. Returns 0, -ENOMEM. */
int bouncer_new(sd_bus *connection, const BouncerOptions *options, Bouncer **ret) _must_check_;
Bouncer *bouncer_free(Bouncer *bouncer);
DEFINE_CLEANUP(Bouncer, bouncer_free)

/* Call once per run of a handler, after all arguments are checked and before anything is changed,
 * and as `if (r <= 0) return r < 0 ? r : 1;`. Returns 1: go on; 0: the handler will run again; or
 * a negative errno with the error set: denied, too many questions, or another question than the
 * one that was answered. */
int bouncer_check(Bouncer *bouncer, sd_bus_message *message, const char *action,
        const BouncerDetails *details, sd_bus_error *error) _must_check_;

/* Questions that wait for their answer. */
size_t bouncer_n_pending(const Bouncer *bouncer);
