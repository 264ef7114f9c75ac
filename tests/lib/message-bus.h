/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "util/macro.h"

/* A message bus of the test's own, in a directory of its own. Skips the test where there is no
 * dbus-daemon. */
typedef struct MessageBus {
        char directory[64];
        char address[128];
        pid_t process; /* 0: not running */
} MessageBus;

/* Only prepares: clients may watch for it before it runs. Everything is allowed but what `policy`,
 * a file with rules for the bus, denies. */
void message_bus_init(MessageBus *bus, const char *policy);
void message_bus_start(MessageBus *bus);
void message_bus_stop(MessageBus *bus);
void message_bus_done(MessageBus *bus);

/* A client in the loop, which connects as soon as the bus is there. */
sd_bus *message_bus_client(const MessageBus *bus, sd_event *event);

/* Runs the loop until the name has an owner on the bus, or, with owned = false, has none. */
void message_bus_wait_for_name(sd_event *event, sd_bus *client, const char *name, bool owned);
