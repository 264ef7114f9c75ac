/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "bus/index.h"
#include "bus/paths.h"
#include "bus/sink.h"

/* One declarative table per interface (bus/bus-*.c). Registration, introspection and change
 * signals are derived from it and from nothing else. */

typedef struct Bus Bus;

typedef enum BusPropertyFlags {
        PROPERTY_CONSTANT = 1 << 0, /* for the object's life; else changes carry the value */
        PROPERTY_LISTED = 1 << 1,   /* stands in what bus_list() says */
} BusPropertyFlags;

typedef struct BusProperty {
        const char *name;
        const char *signature;
        /* Appends the value to the sink: 0 or a negative errno. */
        int (*get)(Sink *sink, const ViewIndex *index, const Entry *entry);
        BusPropertyFlags flags;
} BusProperty;

/* What objects of several kinds have: the devices, as ao, and where it was written, as (su). */
int sink_devices(Sink *sink, DeviceEntry *const *devices, size_t n) _must_check_;
int sink_location(Sink *sink, const Location *location) _must_check_;

/* What a handler may use; the entry is valid until the handler returns, never longer. */
typedef struct BusCall {
        Bus *bus;
        Manager *manager;
        const ViewIndex *index;
        const Entry *entry;
        sd_bus_message *message;
        sd_bus_error *error;
} BusCall;

typedef struct BusMethod {
        const char *name;
        const char *in, *out;  /* signatures */
        const char *arguments; /* names, in and out, each made with SD_BUS_PARAM() */
        /* Replies and returns >= 0, or returns 1 to reply later, or sets the error and returns a
         * negative errno. */
        int (*handle)(const BusCall *call);
} BusMethod;

typedef struct BusInterface {
        const char *name;
        const char *prefix; /* objects stand right below it; NULL: the one object at BUS_ROOT */
        const BusMethod *methods;
        size_t n_methods;
        const BusProperty *properties;
        size_t n_properties;

        /* Where an index has them all, in order: see BUS_ENTRIES(). Not without a prefix. */
        size_t entries, n_entries, entry_size;
        char *(*path)(const Entry *entry, char text[static BUS_PATH_MAX]);
        /* The object with this label, or NULL. NULL where there is no prefix. */
        Entry *(*find)(const ViewIndex *index, const char *label);
        /* Are two objects of the same path, in two views, the same thing? NULL: always. */
        bool (*same)(const Entry *old, const Entry *new);
} BusInterface;

/* Objects that are the array `member` of ViewIndex, which has n_`member` of them. */
#define BUS_ENTRIES(member)                                                                        \
        .entries = offsetof(ViewIndex, member), .n_entries = offsetof(ViewIndex, n_##member),      \
        .entry_size = sizeof(*((ViewIndex *) NULL)->member)

size_t bus_count(const BusInterface *interface, const ViewIndex *index);
Entry *bus_at(const BusInterface *interface, const ViewIndex *index, size_t i);
/* The object that has the same path in another index, or NULL. */
Entry *bus_counterpart(const BusInterface *interface, const ViewIndex *index, const Entry *entry);

/* Appends an array with a structure for each object: the values of its listed properties in the
 * order of the table, whose signatures are `contents`. Returns 0 or a negative errno. */
int bus_list(const BusInterface *interface, const ViewIndex *index, const char *contents,
        Sink *sink) _must_check_;

/* In the order in which changes are announced. */
extern const BusInterface bus_group_interface;
extern const BusInterface bus_device_interface;
extern const BusInterface bus_claim_interface;
extern const BusInterface bus_physical_function_interface;
extern const BusInterface bus_manager_interface;
#define BUS_N_INTERFACES 5
extern const BusInterface *const bus_interfaces[BUS_N_INTERFACES];

/* The tables as sd-bus wants them. */
typedef struct ObjectTree ObjectTree;

/* `index` and `manager` are where the owner keeps them: they are looked up for each call. */
int object_tree_new(Bus *bus, Manager *manager, ViewIndex *const *index, ObjectTree **ret)
        _must_check_;
ObjectTree *object_tree_free(ObjectTree *tree);
DEFINE_CLEANUP(ObjectTree, object_tree_free)

/* Registers everything on this connection, and no more on the one before. Returns 0 or a negative
 * errno. */
int object_tree_register(ObjectTree *tree, sd_bus *connection) _must_check_;
void object_tree_unregister(ObjectTree *tree);

/* Announces what differs between two indexes; `new` must be what the tree serves already.
 * Returns 0 or a negative errno. (bus/signals.c) */
int bus_emit_changes(sd_bus *connection, const ViewIndex *old, const ViewIndex *new) _must_check_;

/* Prints the interface as XML, in the form and order of conf/dbus/. Returns 0, -ENOENT if there
 * is no such interface, or the errno of writing. (bus/introspection.c) */
int bus_print_introspection(const char *interface, FILE *file) _must_check_;
