/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/bus.h"
#include "lib/bus-test.h"
#include "lib/fake-manager.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/strings.h"

/* A machine with a bit of everything, shown to a client without a message bus. */

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define GPU BUS_PREFIX_DEVICE "/pci_0000_01_00_0"

extern const char fixture_machine[]; /* as in lib/snapshot-text.h */

typedef struct Fixture {
        sd_event *event;
        Manager manager;
        Bus *bus;
        sd_bus *server, *client;
        Buffer signals; /* one line each */
} Fixture;

/* A view of a machine as above. */
View *view_new(const char *machine);
Device *device_of(View *view, const char *address);

/* Takes the view over; NULL: there is none yet. */
void fixture_init(Fixture *f, View *view);
void fixture_done(Fixture *f);

/* What stands in a message from here on, as text: "-" for "", lists in "[ ]", blanks between. */
void print_value(sd_bus_message *message, Buffer *out);

typedef struct Wanted {
        const char *name, *value;
} Wanted;

void expect_property(Fixture *f, const char *path, const char *interface, const char *name,
        const char *wanted);
void expect_properties(Fixture *f, const char *path, const char *interface, const Wanted *wanted,
        size_t n);
/* Consume the call. */
void expect_call_error(Fixture *f, sd_bus_message *call, const char *name, const char *part);
void expect_call_text(Fixture *f, sd_bus_message *call, const char *wanted);

sd_bus_message *manager_call(Fixture *f, const char *member);
sd_bus_message *with_string(sd_bus_message *call, const char *text);
