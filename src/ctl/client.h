/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "ctl/answers.h"
#include "ctl/model.h"

/* The daemon, over D-Bus. It is never started by a call. Every function returns 0; -ENOTCONN if no
 * daemon answers to its name; another negative errno, with `error` set where the daemon or the bus
 * said something. */

/* *ret is NULL if there is no bus. Returns 0, -ENOMEM. */
int client_open(sd_bus **ret) _must_check_;

/* The manager and all objects. */
int client_get_model(sd_bus *bus, sd_bus_error *error, Model **ret) _must_check_;

/* The manager, claims and functions, which have no more than their basic texts, group and claim;
 * much cheaper on a large machine. */
int client_get_list(sd_bus *bus, sd_bus_error *error, Model **ret) _must_check_;

/* One function after "apply". */
typedef struct ApplyItem {
        PciAddress address;
        char *state, *reason; /* NULL: none */
} ApplyItem;

typedef struct ApplyItems {
        ApplyItem *items;
        size_t n_items;
} ApplyItems;

void apply_items_done(ApplyItems *items);
#define _cleanup_apply_items_ _cleanup_(apply_items_done)

/* How long client_apply() waits for its reply. */
#define CLIENT_APPLY_MINUTES 15

/* No claims (NULL or empty) means all. `interactive`: a password may be asked for. */
int client_apply(sd_bus *bus, char *const *claims, bool prune, bool interactive,
        sd_bus_error *error, ApplyItems *items) _must_check_;
int client_plan(sd_bus *bus, bool prune, bool next_boot, sd_bus_error *error, ModelSteps *steps)
        _must_check_;

int client_explain(sd_bus *bus, const PciAddress *address, sd_bus_error *error,
        ModelAnswers *answers) _must_check_;

/* Binds the group of a function by hand, or gives it back; *ret, a NULL-terminated list of
 * addresses, is every function concerned. */
int client_bind(sd_bus *bus, const PciAddress *address, bool interactive, sd_bus_error *error,
        char ***ret) _must_check_;
int client_release(sd_bus *bus, const PciAddress *address, bool interactive, sd_bus_error *error,
        char ***ret) _must_check_;

static inline void bus_flush_close(sd_bus **bus)
{
        sd_bus_flush_close_unref(*bus);
}
#define _cleanup_bus_ _cleanup_(bus_flush_close)
#define _cleanup_bus_error_ _cleanup_(sd_bus_error_free)
