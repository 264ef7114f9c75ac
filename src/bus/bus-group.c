/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "bus/object.h"
#include "bus/request.h"
#include "util/strings.h"

/* org.vfio.Bind1.Group: an IOMMU group. */

static const GroupEntry *group_of(const Entry *entry)
{
        return (const GroupEntry *) entry;
}

static int get_number(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_unsigned(sink, (uint32_t) group_of(entry)->number);
}

static int get_devices(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_devices(sink, group_of(entry)->members, group_of(entry)->n_members);
}

static int get_viable(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const GroupEntry *group = group_of(entry);

        for (size_t i = 0; i < group->n_members; i++)
                if (!driver_is_harmless(group->members[i]->device->driver))
                        return sink_boolean(sink, false);
        return sink_boolean(sink, true);
}

static int get_state(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const GroupPlan *plan = group_of(entry)->plan;

        return sink_string(sink, state_to_string(plan ? plan->state : STATE_UNCLAIMED));
}

static int get_claims(Sink *sink, const ViewIndex *index, const Entry *entry)
{
        const GroupEntry *group = group_of(entry);
        int r = sink_open_array(sink, "o");

        for (size_t i = 0; r >= 0 && i < group->n_members; i++) {
                const Claim *claim = group_entry_claim(group, i);
                char path[BUS_PATH_MAX];

                if (claim && view_index_claim(index, claim->name))
                        r = sink_path(sink, path_of_name(BUS_PREFIX_CLAIM, claim->name, path));
        }
        return r < 0 ? r : sink_close(sink);
}

static int get_node(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const GroupEntry *group = group_of(entry);
        char text[64] = "";

        if (group->node)
                snprintf(text, sizeof(text), "/dev/vfio/%" PRId64, group->number);
        return sink_string(sink, text);
}

static int get_node_user(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const GroupNode *node = group_of(entry)->node;

        return sink_unsigned(sink, node ? node->status.uid : UINT32_MAX);
}

static int get_node_group(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const GroupNode *node = group_of(entry)->node;

        return sink_unsigned(sink, node ? node->status.gid : UINT32_MAX);
}

static int get_node_mode(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const GroupNode *node = group_of(entry)->node;

        return sink_unsigned(sink, node ? node->status.mode & 07777U : 0);
}

static const BusProperty properties[] = {
        { "Number", "u", get_number, PROPERTY_CONSTANT },
        { "Devices", "ao", get_devices },
        { "Viable", "b", get_viable },
        { "State", "s", get_state },
        { "Claims", "ao", get_claims },
        { "Node", "s", get_node },
        { "NodeUser", "u", get_node_user },
        { "NodeGroup", "u", get_node_group },
        { "NodeMode", "u", get_node_mode },
};

static int handle_list_holders(const BusCall *call)
{
        return request_holders(call, group_of(call->entry));
}

static const BusMethod methods[] = {
        { "ListHolders", "", "a(usss)", SD_BUS_PARAM(holders), handle_list_holders },
};

static char *path(const Entry *entry, char text[static BUS_PATH_MAX])
{
        return path_of_group(group_of(entry)->number, text);
}

static Entry *find(const ViewIndex *index, const char *label)
{
        int64_t number;

        if (path_parse_group(label, &number) < 0)
                return NULL;
        return (Entry *) view_index_group(index, number);
}

const BusInterface bus_group_interface = {
        .name = BUS_INTERFACE_GROUP,
        .prefix = BUS_PREFIX_GROUP,
        .methods = methods,
        .n_methods = ELEMENTSOF(methods),
        .properties = properties,
        .n_properties = ELEMENTSOF(properties),
        BUS_ENTRIES(groups),
        .path = path,
        .find = find,
};
