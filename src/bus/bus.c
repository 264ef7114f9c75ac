/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus.h"

#include <errno.h>
#include <string.h>

#include "bus/log-control.h"
#include "bus/system-state.h"
#include "bus/turns.h"
#include "log/log.h"
#include "util/strings.h"

#define DEFAULT_ADDRESS "unix:path=/run/dbus/system_bus_socket"
#define BACKOFF_FIRST   (100 * USEC_PER_MSEC)
#define BACKOFF_LAST    (30 * USEC_PER_SEC)

struct Bus {
        sd_event *event;
        Manager *manager;
        BusOptions options;
        char *address;
        ViewIndex *index; /* never NULL */
        ObjectTree *tree;

        /* of the present connection */
        sd_bus *connection;
        bool is_own; /* we connected, and connect again */
        Bouncer *bouncer;
        RequestList *requests;
        Turns *turns;
        SystemQuery query;

        sd_event_source *retry;
        uint64_t backoff;
};

Bouncer *bus_bouncer(Bus *bus)
{
        return bus->bouncer;
}

RequestList *bus_requests(Bus *bus)
{
        return bus->requests;
}

static void drop_query(Bus *bus)
{
        bus->query.slot = sd_bus_slot_unref(bus->query.slot);
}

static void drop_connection(Bus *bus)
{
        bool was_asked = bus->query.slot;

        drop_query(bus);
        object_tree_unregister(bus->tree);
        bus->turns = turns_free(bus->turns);
        bus->requests = request_list_free(bus->requests);
        bus->bouncer = bouncer_free(bus->bouncer);
        if (bus->connection && bus->is_own)
                sd_bus_close(bus->connection);
        bus->connection = sd_bus_unref(bus->connection);
        if (was_asked)
                manager_take_system_state(bus->manager, SYSTEM_UNKNOWN);
}

int bus_new(sd_event *event, Manager *manager, const BusOptions *options, Bus **ret)
{
        _cleanup_(bus_freep) Bus *bus = calloc(1, sizeof(*bus));
        const char *address = options->address;
        int r;

        if (!bus)
                return -ENOMEM;
        bus->event = sd_event_ref(event);
        bus->manager = bus->query.manager = manager;
        bus->options = *options;
        if (!address)
                address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        r = replace_string(&bus->address, isempty(address) ? DEFAULT_ADDRESS : address);
        if (r >= 0)
                r = view_index_new(manager_view(manager), &bus->index);
        if (r >= 0)
                r = object_tree_new(bus, manager, &bus->index, &bus->tree);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(bus);
        return 0;
}

Bus *bus_free(Bus *bus)
{
        if (!bus)
                return NULL;
        drop_query(bus); /* at the end nobody waits for the answer */
        if (bus->tree)
                drop_connection(bus);
        sd_event_source_disable_unref(bus->retry);
        object_tree_free(bus->tree);
        view_index_free(bus->index);
        sd_event_unref(bus->event);
        free(bus->address);
        free(bus);
        return NULL;
}

int bus_serve(Bus *bus, sd_bus *connection)
{
        int r;

        drop_connection(bus);
        bus->connection = sd_bus_ref(connection);
        bus->is_own = false;
        r = bouncer_new(connection, &bus->options.bouncer, &bus->bouncer);
        if (r >= 0)
                r = request_list_new(bus->manager, &bus->requests);
        if (r >= 0)
                r = turns_new(connection, &bus->turns);
        if (r >= 0)
                r = object_tree_register(bus->tree, connection);
        if (r >= 0)
                r = log_control_register(connection);
        return r;
}

static int on_disconnected(_unused_ sd_bus_message *message, void *userdata,
        _unused_ sd_bus_error *error)
{
        int r;

        log_warning("The connection to the bus is gone, connecting again.");
        r = bus_start(userdata); /* drops the old connection when it is not in use any more */
        if (r < 0)
                log_error("Cannot connect to the bus again: %s", strerror(-r));
        return 0;
}

static int on_name(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        Bus *bus = userdata;
        uint32_t answer;

        /* its policy may not have been read yet after we were installed */
        if (failure) {
                log_error("The bus does not let us have the name " BUS_NAME ", trying again: %s",
                        failure->message ? failure->message : failure->name);
                return bus_start(bus);
        }
        bus->backoff = 0;
        /* 1 = primary owner, 4 = already owner; else we are in the queue behind somebody */
        if (sd_bus_message_read(reply, "u", &answer) < 0 || (answer != 1 && answer != 4)) {
                log_warning("Another process has the name " BUS_NAME ", waiting for it.");
                return 0;
        }
        log_debug("On the bus as " BUS_NAME ".");
        return 0;
}

/* The objects are there before the name is, so nobody who sees the name misses one. */
static int begin_service(Bus *bus, sd_bus *connection)
{
        int r = bus_serve(bus, connection);

        if (r < 0)
                return r;
        bus->is_own = true;
        r = sd_bus_match_signal_async(connection, NULL, DBUS_LOCAL_NAME, DBUS_LOCAL_PATH,
                DBUS_LOCAL_INTERFACE, "Disconnected", on_disconnected, NULL, bus);
        if (r >= 0)
                r = sd_bus_request_name_async(connection, NULL, BUS_NAME, SD_BUS_NAME_QUEUE,
                        on_name, bus);
        if (r >= 0)
                r = sd_bus_attach_event(connection, bus->event, SD_EVENT_PRIORITY_NORMAL);
        return r;
}

static int connect_now(Bus *bus)
{
        sd_bus *connection = NULL;
        int r = sd_bus_new(&connection);

        drop_connection(bus);
        if (r >= 0)
                r = sd_bus_set_description(connection, "system");
        if (r >= 0)
                r = sd_bus_set_address(connection, bus->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(connection, true);
        if (r >= 0)
                r = sd_bus_negotiate_fds(connection, false); /* no method takes any */
        if (r >= 0)
                r = sd_bus_set_watch_bind(connection, true);
        if (r >= 0)
                r = sd_bus_start(connection);
        if (r >= 0)
                r = begin_service(bus, connection);
        if (r < 0)
                drop_connection(bus);
        sd_bus_unref(connection);
        return r < 0 ? r : 0;
}

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Bus *bus = userdata;
        int r;

        bus->retry = sd_event_source_disable_unref(bus->retry);
        r = connect_now(bus);
        if (r < 0)
                log_warning("Cannot connect to the bus at '%s', trying again: %s", bus->address,
                        strerror(-r));
        return r < 0 ? bus_start(bus) : 0;
}

/* The first attempt comes from the event loop too, so that there is one way only. */
int bus_start(Bus *bus)
{
        int r;

        bus->retry = sd_event_source_disable_unref(bus->retry);
        r = sd_event_add_time_relative(bus->event, &bus->retry, CLOCK_MONOTONIC, bus->backoff, 0,
                on_retry, bus);
        bus->backoff = bus->backoff == 0      ? BACKOFF_FIRST
                : bus->backoff < BACKOFF_LAST ? 2 * bus->backoff
                                              : BACKOFF_LAST;
        return r < 0 ? r : 0;
}

int bus_ask_system_state(Bus *bus)
{
        if (!bus->connection || sd_bus_is_ready(bus->connection) <= 0)
                return -ENOTCONN;
        return system_query_send(&bus->query, bus->connection);
}

void bus_view_changed(Bus *bus, _unused_ View *old, View *new)
{
        _cleanup_(view_index_freep) ViewIndex *before = NULL;
        ViewIndex *index;
        int r = view_index_new(new, &index);

        if (r < 0) {
                log_error("Cannot show the new state on the bus: %s", strerror(-r));
                return;
        }
        before = bus->index;
        bus->index = index;
        if (!bus->connection || sd_bus_is_ready(bus->connection) <= 0)
                return; /* nobody has seen anything yet */
        r = bus_emit_changes(bus->connection, before, index);
        if (r < 0)
                log_warning("Cannot announce changes on the bus, ignoring: %s", strerror(-r));
}
