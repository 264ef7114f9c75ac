/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/object.h"

/* Change signals, computed from two views. An object whose properties have the same digest is not
 * looked at any further; of the others, every property is compared by its own digest. */

#define PROPERTIES_MAX 64

static int object_digest(const BusInterface *interface, const ViewIndex *index, Entry *entry)
{
        Sink sink = SINK_DIGEST;

        if (entry->digest != 0)
                return 0;
        for (size_t i = 0; i < interface->n_properties; i++) {
                int r = interface->properties[i].get(&sink, index, entry);
                if (r < 0)
                        return r;
        }
        entry->digest = sink.digest ? sink.digest : 1;
        return 0;
}

static bool is_same(const BusInterface *interface, const Entry *old, const Entry *new)
{
        return !interface->same || interface->same(old, new);
}

static int emit_removed(sd_bus *connection, const BusInterface *interface, const Entry *entry)
{
        char path[BUS_PATH_MAX];

        return sd_bus_emit_interfaces_removed(connection, interface->path(entry, path),
                interface->name, NULL);
}

static int emit_added(sd_bus *connection, const BusInterface *interface, const Entry *entry)
{
        char path[BUS_PATH_MAX];

        return sd_bus_emit_interfaces_added(connection, interface->path(entry, path),
                interface->name, NULL);
}

/* What is new; what stands in the place of another thing is removed first. */
static int announce_added(sd_bus *connection, const BusInterface *interface,
        const ViewIndex *old, const ViewIndex *new)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < bus_count(interface, new); i++) {
                const Entry *now = bus_at(interface, new, i);
                const Entry *before = bus_counterpart(interface, old, now);

                if (before && is_same(interface, before, now))
                        continue;
                if (before)
                        r = emit_removed(connection, interface, before);
                if (r >= 0)
                        r = emit_added(connection, interface, now);
        }
        return r;
}

static int announce_removed(sd_bus *connection, const BusInterface *interface,
        const ViewIndex *old, const ViewIndex *new)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < bus_count(interface, old); i++) {
                const Entry *before = bus_at(interface, old, i);

                if (!bus_counterpart(interface, new, before))
                        r = emit_removed(connection, interface, before);
        }
        return r;
}

static int property_changed(const BusProperty *property, const ViewIndex *old,
        const Entry *before, const ViewIndex *new, const Entry *now)
{
        Sink a = SINK_DIGEST, b = SINK_DIGEST;
        int r;

        if (property->flags & PROPERTY_CONSTANT)
                return false;
        r = property->get(&a, old, before);
        if (r >= 0)
                r = property->get(&b, new, now);
        return r < 0 ? r : a.digest != b.digest;
}

static int announce_object(sd_bus *connection, const BusInterface *interface,
        const ViewIndex *old, const Entry *before, const ViewIndex *new, const Entry *now)
{
        const char *names[PROPERTIES_MAX + 1];
        char path[BUS_PATH_MAX];
        size_t n = 0;

        for (size_t i = 0; i < interface->n_properties && n < PROPERTIES_MAX; i++) {
                int r = property_changed(&interface->properties[i], old, before, new, now);
                if (r < 0)
                        return r;
                if (r > 0)
                        names[n++] = interface->properties[i].name;
        }
        if (n == 0)
                return 0;
        names[n] = NULL;
        return sd_bus_emit_properties_changed_strv(connection, interface->path(now, path),
                interface->name, (char **) names);
}

static int announce_changed(sd_bus *connection, const BusInterface *interface,
        const ViewIndex *old, const ViewIndex *new)
{
        for (size_t i = 0; i < bus_count(interface, new); i++) {
                Entry *now = bus_at(interface, new, i);
                Entry *before = bus_counterpart(interface, old, now);
                int r;

                if (!before || !is_same(interface, before, now))
                        continue;
                r = object_digest(interface, new, now);
                if (r >= 0)
                        r = object_digest(interface, old, before);
                if (r >= 0 && before->digest != now->digest)
                        r = announce_object(connection, interface, old, before, new, now);
                if (r < 0)
                        return r;
        }
        return 0;
}

int bus_emit_changes(sd_bus *connection, const ViewIndex *old, const ViewIndex *new)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < BUS_N_INTERFACES; i++)
                r = announce_added(connection, bus_interfaces[i], old, new);
        for (size_t i = 0; r >= 0 && i < BUS_N_INTERFACES; i++)
                r = announce_changed(connection, bus_interfaces[i], old, new);
        for (size_t i = 0; r >= 0 && i < BUS_N_INTERFACES; i++)
                r = announce_removed(connection, bus_interfaces[i], old, new);
        return r < 0 ? r : 0;
}
