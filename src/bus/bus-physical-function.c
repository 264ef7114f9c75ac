/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "bus/object.h"

/* org.vfio.Bind1.PhysicalFunction: a [PhysicalFunction NAME] section. */

static const PhysicalFunctionEntry *function_of(const Entry *entry)
{
        return (const PhysicalFunctionEntry *) entry;
}

static int get_name(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, function_of(entry)->section->name);
}

static int get_source(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_location(sink, &function_of(entry)->section->location);
}

static int get_device(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const DeviceEntry *device = function_of(entry)->device;

        return sink_device_path(sink, device ? &device->device->address : NULL);
}

static int get_requested(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const PhysicalFunction *section = function_of(entry)->section;
        char text[16];

        switch (section->num_vfs) {
        case NUM_VFS_NUMBER:
                snprintf(text, sizeof(text), "%u", section->number);
                return sink_string(sink, text);
        case NUM_VFS_MAX:
                return sink_string(sink, "max");
        default:
                return sink_string(sink, "keep");
        }
}

static int get_total_vfs(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const DeviceEntry *device = function_of(entry)->device;

        return sink_unsigned(sink, device ? device->device->sriov_total_vfs : 0);
}

static int get_num_vfs(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_unsigned(sink, (uint32_t) function_of(entry)->n_virtual_functions);
}

static int get_virtual_functions(Sink *sink, _unused_ const ViewIndex *index,
        const Entry *entry)
{
        const PhysicalFunctionEntry *function = function_of(entry);

        return sink_devices(sink, function->virtual_functions, function->n_virtual_functions);
}

static int get_state(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const PhysicalFunctionEntry *function = function_of(entry);

        if (function->section->has_error)
                return sink_string(sink, "error");
        if (!function->plan)
                return sink_string(sink, "absent");
        return sink_string(sink, state_to_string(function->plan->state));
}

static int get_reason(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const PhysicalFunctionPlan *plan = function_of(entry)->plan;

        return sink_string(sink, reason_to_string(plan ? plan->reason : REASON_NONE));
}

static int get_reason_text(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const PhysicalFunctionPlan *plan = function_of(entry)->plan;

        return sink_string(sink, plan ? plan->text : NULL);
}

static const BusProperty properties[] = {
        { "Name", "s", get_name, PROPERTY_CONSTANT },
        { "Source", "(su)", get_source },
        { "Device", "o", get_device },
        { "Requested", "s", get_requested },
        { "TotalVFs", "u", get_total_vfs },
        { "NumVFs", "u", get_num_vfs },
        { "VirtualFunctions", "ao", get_virtual_functions },
        { "State", "s", get_state },
        { "Reason", "s", get_reason },
        { "ReasonText", "s", get_reason_text },
};

static char *path(const Entry *entry, char text[static BUS_PATH_MAX])
{
        return path_of_name(BUS_PREFIX_PHYSICAL_FUNCTION, function_of(entry)->section->name,
                text);
}

static Entry *find(const ViewIndex *index, const char *label)
{
        char name[BUS_PATH_MAX];

        if (path_parse_name(label, name) < 0)
                return NULL;
        return (Entry *) view_index_physical_function(index, name);
}

const BusInterface bus_physical_function_interface = {
        .name = BUS_INTERFACE_PHYSICAL_FUNCTION,
        .prefix = BUS_PREFIX_PHYSICAL_FUNCTION,
        .properties = properties,
        .n_properties = ELEMENTSOF(properties),
        BUS_ENTRIES(physical_functions),
        .path = path,
        .find = find,
};
