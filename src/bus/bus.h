/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "bus/bouncer.h"
#include "bus/object.h"
#include "bus/request.h"

/* The daemon on the system bus. It never waits for the bus and lives without one: a bus that is
 * not there yet is watched for, one that goes away is looked for again. */

typedef struct BusOptions {
        const char *address; /* NULL: DBUS_SYSTEM_BUS_ADDRESS, else the system's */
        BouncerOptions bouncer;
} BusOptions;

/* `event` and `manager` must outlive the bus. Shows the view that the manager has now, if any.
 * Returns 0, -ENOMEM. */
int bus_new(sd_event *event, Manager *manager, const BusOptions *options, Bus **ret) _must_check_;
/* Closes the connection; requests that the manager works on go on without a reply. */
Bus *bus_free(Bus *bus);
DEFINE_CLEANUP(Bus, bus_free)

/* Begins to connect, and goes on trying for the life of the bus: every failure after this is
 * logged and tried again. Returns 0, or a negative errno of the event loop. */
int bus_start(Bus *bus) _must_check_;

/* Serves on a connection that somebody else made, which may be no message bus (then everything
 * that needs authorization is denied). Instead of bus_start(). Returns 0 or a negative errno. */
int bus_serve(Bus *bus, sd_bus *connection) _must_check_;

/* For ManagerListener.changed: shows the new view from now on and announces what changed. */
void bus_view_changed(Bus *bus, View *old, View *new);

/* For ManagerListener.ask_system_state. Returns 0, -ENOTCONN, or another negative errno. */
int bus_ask_system_state(Bus *bus) _must_check_;

/* For handlers, which run only while there is a connection. */
Bouncer *bus_bouncer(Bus *bus);
RequestList *bus_requests(Bus *bus);
