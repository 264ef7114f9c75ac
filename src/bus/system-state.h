/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "daemon/manager.h"

/* Asks the service manager how the system is (org.freedesktop.systemd1(5), SystemState), and tells
 * the manager. Whoever drops the slot before the answer came tells it SYSTEM_UNKNOWN himself; after
 * it came, *slot is NULL. Returns 0 or a negative errno. */
typedef struct SystemQuery {
        sd_bus_slot *slot; /* NULL: nobody was asked */
        Manager *manager;
} SystemQuery;

int system_query_send(SystemQuery *query, sd_bus *connection) _must_check_;

SystemState system_state_from_string(const char *text);
