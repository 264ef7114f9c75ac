/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/object.h"

#include <errno.h>
#include <string.h>

#include "util/strings.h"

const BusInterface *const bus_interfaces[BUS_N_INTERFACES] = {
        &bus_group_interface,
        &bus_device_interface,
        &bus_claim_interface,
        &bus_physical_function_interface,
        &bus_manager_interface,
};

/* sd-bus asks find() for an object and right away calls getters or a handler on it, so one cursor
 * per interface holds what was found. It hands each of them the address found plus the offset of
 * the member in the table: the cell of that member, which spares a search by name. */
typedef struct Cursor Cursor;

typedef struct Cell {
        Cursor *cursor;
        const BusProperty *property;
        const BusMethod *method;
} Cell;

struct Cursor {
        ObjectTree *tree;
        const BusInterface *interface;
        const Entry *entry;
        Cell *cells;
        sd_bus_vtable *vtable;
};

struct ObjectTree {
        Bus *bus;
        Manager *manager;
        ViewIndex *const *index;
        Cursor cursors[BUS_N_INTERFACES];
        sd_bus_slot *slots[2 * BUS_N_INTERFACES + 1]; /* on the present connection */
        size_t n_slots;
};

int sink_devices(Sink *sink, DeviceEntry *const *devices, size_t n)
{
        int r = sink_open_array(sink, "o");

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sink_device_path(sink, &devices[i]->device->address);
        return r < 0 ? r : sink_close(sink);
}

int sink_location(Sink *sink, const Location *location)
{
        int r = sink_open_struct(sink, "su");

        if (r >= 0)
                r = sink_string(sink, location->file);
        if (r >= 0)
                r = sink_unsigned(sink, location->line);
        return r < 0 ? r : sink_close(sink);
}

size_t bus_count(const BusInterface *interface, const ViewIndex *index)
{
        if (!interface->prefix)
                return 1;
        return *(const size_t *) ((const char *) index + interface->n_entries);
}

Entry *bus_at(const BusInterface *interface, const ViewIndex *index, size_t i)
{
        if (!interface->prefix)
                return (Entry *) &index->manager;
        char *first = *(char *const *) ((const char *) index + interface->entries);
        return (Entry *) (first + i * interface->entry_size);
}

Entry *bus_counterpart(const BusInterface *interface, const ViewIndex *index, const Entry *entry)
{
        char path[BUS_PATH_MAX];

        if (!interface->prefix)
                return (Entry *) &index->manager;
        const char *label = path_label(interface->path(entry, path), interface->prefix);
        return label ? interface->find(index, label) : NULL;
}

static int list_one(const BusInterface *interface, const ViewIndex *index, const Entry *entry,
        const char *contents, Sink *sink)
{
        int r = sink_open_struct(sink, contents);

        for (size_t i = 0; r >= 0 && i < interface->n_properties; i++)
                if (interface->properties[i].flags & PROPERTY_LISTED)
                        r = interface->properties[i].get(sink, index, entry);
        return r < 0 ? r : sink_close(sink);
}

int bus_list(const BusInterface *interface, const ViewIndex *index, const char *contents,
        Sink *sink)
{
        size_t n = bus_count(interface, index);
        _cleanup_free_ char *structure = NULL;
        int r = format_string(&structure, "(%s)", contents);

        if (r >= 0)
                r = sink_open_array(sink, structure);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = list_one(interface, index, bus_at(interface, index, i), contents, sink);
        return r < 0 ? r : sink_close(sink);
}

static const Entry *cursor_entry(const Cursor *cursor)
{
        return cursor->interface->prefix ? cursor->entry : &(*cursor->tree->index)->manager;
}

static int get_property(_unused_ sd_bus *connection, _unused_ const char *path,
        _unused_ const char *interface, _unused_ const char *name, sd_bus_message *reply,
        void *userdata, _unused_ sd_bus_error *error)
{
        const Cell *cell = userdata;
        Sink sink = SINK_MESSAGE(reply);

        return cell->property->get(&sink, *cell->cursor->tree->index,
                cursor_entry(cell->cursor));
}

static int handle_method(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        const Cell *cell = userdata;
        ObjectTree *tree = cell->cursor->tree;

        return cell->method->handle(&(BusCall){
                .bus = tree->bus,
                .manager = tree->manager,
                .index = *tree->index,
                .entry = cursor_entry(cell->cursor),
                .message = message,
                .error = error,
        });
}

static int find_object(_unused_ sd_bus *connection, const char *path,
        _unused_ const char *interface, void *userdata, void **ret_found,
        _unused_ sd_bus_error *error)
{
        Cursor *cursor = userdata;
        const char *label = path_label(path, cursor->interface->prefix);
        const Entry *entry =
                label ? cursor->interface->find(*cursor->tree->index, label) : NULL;

        if (!entry)
                return 0;
        cursor->entry = entry;
        *ret_found = cursor->cells;
        return 1;
}

static int enumerate_objects(_unused_ sd_bus *connection, _unused_ const char *prefix,
        void *userdata, char ***ret_paths, _unused_ sd_bus_error *error)
{
        const Cursor *cursor = userdata;
        const ViewIndex *index = *cursor->tree->index;
        size_t n = bus_count(cursor->interface, index);
        _cleanup_string_list_ char **paths = calloc(n + 1, sizeof(*paths));

        if (!paths)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                char path[BUS_PATH_MAX];

                cursor->interface->path(bus_at(cursor->interface, index, i), path);
                paths[i] = strdup(path);
                if (!paths[i])
                        return -ENOMEM;
        }
        *ret_paths = TAKE_POINTER(paths);
        return 0;
}

/* The tables of sd-bus must be zero where nothing is written, hence calloc and assignments. */
static void fill_vtable(Cursor *cursor)
{
        const BusInterface *interface = cursor->interface;
        sd_bus_vtable *item = cursor->vtable;
        Cell *cell = cursor->cells;

        item->type = _SD_BUS_VTABLE_START;
        item->x.start.element_size = sizeof(sd_bus_vtable);
        item->x.start.features = _SD_BUS_VTABLE_PARAM_NAMES;
        item->x.start.vtable_format_reference = &sd_bus_object_vtable_format;
        item++;
        for (size_t i = 0; i < interface->n_methods; i++, item++, cell++) {
                *cell = (Cell){ .cursor = cursor, .method = &interface->methods[i] };
                item->type = _SD_BUS_VTABLE_METHOD;
                item->flags = SD_BUS_VTABLE_UNPRIVILEGED; /* the bouncer decides */
                item->x.method.member = interface->methods[i].name;
                item->x.method.signature = interface->methods[i].in;
                item->x.method.result = interface->methods[i].out;
                item->x.method.handler = handle_method;
                item->x.method.offset = (size_t) ((char *) cell - (char *) cursor->cells);
                item->x.method.names = interface->methods[i].arguments;
        }
        for (size_t i = 0; i < interface->n_properties; i++, item++, cell++) {
                *cell = (Cell){ .cursor = cursor, .property = &interface->properties[i] };
                item->type = _SD_BUS_VTABLE_PROPERTY;
                item->flags = interface->properties[i].flags & PROPERTY_CONSTANT
                        ? SD_BUS_VTABLE_PROPERTY_CONST
                        : SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
                item->x.property.member = interface->properties[i].name;
                item->x.property.signature = interface->properties[i].signature;
                item->x.property.get = get_property;
                item->x.property.offset = (size_t) ((char *) cell - (char *) cursor->cells);
        }
        item->type = _SD_BUS_VTABLE_END;
}

int object_tree_new(Bus *bus, Manager *manager, ViewIndex *const *index, ObjectTree **ret)
{
        _cleanup_(object_tree_freep) ObjectTree *tree = calloc(1, sizeof(*tree));

        if (!tree)
                return -ENOMEM;
        tree->bus = bus;
        tree->manager = manager;
        tree->index = index;
        for (size_t i = 0; i < BUS_N_INTERFACES; i++) {
                Cursor *cursor = &tree->cursors[i];
                size_t n = bus_interfaces[i]->n_methods + bus_interfaces[i]->n_properties;

                cursor->tree = tree;
                cursor->interface = bus_interfaces[i];
                cursor->cells = calloc(n, sizeof(*cursor->cells));
                cursor->vtable = calloc(n + 2, sizeof(*cursor->vtable));
                if (!cursor->cells || !cursor->vtable)
                        return -ENOMEM;
                fill_vtable(cursor);
        }
        *ret = TAKE_POINTER(tree);
        return 0;
}

ObjectTree *object_tree_free(ObjectTree *tree)
{
        if (!tree)
                return NULL;
        object_tree_unregister(tree);
        for (size_t i = 0; i < BUS_N_INTERFACES; i++) {
                free(tree->cursors[i].cells);
                free(tree->cursors[i].vtable);
        }
        free(tree);
        return NULL;
}

static sd_bus_slot **next_slot(ObjectTree *tree)
{
        return &tree->slots[tree->n_slots++];
}

static int register_interface(Cursor *cursor, sd_bus *connection)
{
        const BusInterface *interface = cursor->interface;
        ObjectTree *tree = cursor->tree;
        int r;

        if (!interface->prefix)
                return sd_bus_add_object_vtable(connection, next_slot(tree), BUS_ROOT,
                        interface->name, cursor->vtable, cursor->cells);
        r = sd_bus_add_fallback_vtable(connection, next_slot(tree), interface->prefix,
                interface->name, cursor->vtable, find_object, cursor);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(connection, next_slot(tree), interface->prefix,
                enumerate_objects, cursor);
}

int object_tree_register(ObjectTree *tree, sd_bus *connection)
{
        int r;

        object_tree_unregister(tree);
        r = sd_bus_add_object_manager(connection, next_slot(tree), BUS_ROOT);
        for (size_t i = 0; r >= 0 && i < BUS_N_INTERFACES; i++)
                r = register_interface(&tree->cursors[i], connection);
        if (r < 0)
                object_tree_unregister(tree);
        return r < 0 ? r : 0;
}

void object_tree_unregister(ObjectTree *tree)
{
        for (size_t i = 0; i < tree->n_slots; i++)
                tree->slots[i] = sd_bus_slot_unref(tree->slots[i]);
        tree->n_slots = 0;
}
