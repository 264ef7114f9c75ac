/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/bus.h"
#include "ctl/ctl-run.h"
#include "lib/bus-test.h"
#include "lib/fake-manager.h"
#include "lib/fake-polkit.h"
#include "lib/message-bus.h"
#include "lib/test.h"

/* The program against the daemon's real D-Bus side, over a private message bus; behind it a manager
 * that answers as the test says. */

typedef struct CtlBus {
        MessageBus message_bus;
        sd_event *event;
        sd_event_source *source;
        Manager manager;
        Bus *bus;
        sd_bus *client, *polkit_connection;
        FakePolkit polkit;
        const char *config; /* of the machines below */
        char address[160];
        const char *environment[4];
        CtlRunOptions options;
        /* what becomes of a request */
        const char *machine_after; /* NULL: nothing changes */
        State state;
        Reason reason;
        int error;
        bool vanish; /* instead of an answer */
        /* the last request */
        char **claims_asked;
        bool prune_asked;
        unsigned n_asked;
        Manual manual_asked;
        PciAddress functions_asked[16];
} CtlBus;

/* conf/dbus/org.vfio.Bind1.conf */
void ctl_bus_set_policy(const char *path);

/* A bus that nobody serves: message_bus_start() and ctl_bus_serve() are up to the test. */
void ctl_bus_init_bus(CtlBus *f);
void ctl_bus_serve(CtlBus *f, uid_t trusted);
/* The same from within the event loop: it has the name somewhat later. */
void ctl_bus_begin_to_serve(CtlBus *f, uid_t trusted);
/* With a machine, served; texts as fake_view_new() takes them. */
void ctl_bus_init(CtlBus *f, const char *config, const char *machine);
void ctl_bus_done(CtlBus *f);
#define _cleanup_ctl_bus_ _cleanup_(ctl_bus_done)

void ctl_bus_publish(CtlBus *f, const char *machine);

/* Compares, and frees the run. */
void ctl_expect(CtlRun run, int code, const char *out, const char *err);
