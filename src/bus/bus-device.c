/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "bus/object.h"
#include "bus/request.h"
#include "util/strings.h"

/* org.vfio.Bind1.Device: a PCI function. */

static const Device *device_of(const Entry *entry)
{
        return ((const DeviceEntry *) entry)->device;
}

static const DeviceRecord *record_of(const Entry *entry)
{
        static const DeviceRecord none = {};
        const DeviceRecord *record = device_of(entry)->record;

        return record ? record : &none;
}

static const MemberPlan *plan_of(const Entry *entry)
{
        static const MemberPlan none = {};
        const MemberPlan *plan = ((const DeviceEntry *) entry)->plan;

        return plan ? plan : &none;
}

static int get_address(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, PCI_ADDRESS_TEXT(&device_of(entry)->address));
}

static int get_path(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, device_of(entry)->path);
}

static int get_vendor_id(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_hex(sink, device_of(entry)->vendor, 4);
}

static int get_device_id(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_hex(sink, device_of(entry)->device, 4);
}

static int get_subsystem_vendor_id(Sink *sink, _unused_ const ViewIndex *index,
        const Entry *entry)
{
        return sink_hex(sink, device_of(entry)->subsystem_vendor, 4);
}

static int get_subsystem_device_id(Sink *sink, _unused_ const ViewIndex *index,
        const Entry *entry)
{
        return sink_hex(sink, device_of(entry)->subsystem_device, 4);
}

static int get_class(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_hex(sink, device_of(entry)->class_code, 6);
}

static int get_revision(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_hex(sink, device_of(entry)->revision, 2);
}

static int get_vendor_name(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, device_of(entry)->vendor_name.text);
}

static int get_device_name(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, device_of(entry)->device_name.text);
}

static int get_physical_slot(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, device_of(entry)->physical_slot.text);
}

static int get_serial(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, device_of(entry)->serial.text);
}

static int get_modalias(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, device_of(entry)->modalias);
}

static int get_driver(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, device_of(entry)->driver);
}

static bool is_wanted(const Entry *entry)
{
        Role role = plan_of(entry)->role;

        return role == ROLE_SELECTED || role == ROLE_COMPANION ||
                record_of(entry)->manual == MANUAL_BOUND;
}

static int get_target_driver(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const MemberPlan *plan = plan_of(entry);

        if (plan->action == ACTION_NONE && is_wanted(entry))
                return sink_string(sink, record_of(entry)->target_driver);
        return sink_string(sink, plan->target);
}

static int get_host_driver(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_joined(sink, device_of(entry)->host_drivers.list);
}

static int get_driver_override(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const DeviceRecord *record = record_of(entry);

        switch (record->state) {
        case STATE_BOUND:
                return sink_string(sink, record->target_driver);
        case STATE_DETACHED:
                return sink_string(sink, DETACHED_OVERRIDE);
        default:
                return sink_string(sink, record->original_override);
        }
}

static int get_role(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, role_to_string(plan_of(entry)->role));
}

static int get_state(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, state_to_string(plan_of(entry)->state));
}

static int get_reason(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, reason_to_string(plan_of(entry)->reason));
}

static int get_reason_text(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const MemberPlan *plan = plan_of(entry);
        const DeviceRecord *record = record_of(entry);

        if (!plan->text && plan->reason != REASON_NONE && record->reason == plan->reason)
                return sink_string(sink, record->reason_text);
        return sink_string(sink, plan->text);
}

static int get_provenance(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_string(sink, provenance_to_string(record_of(entry)->provenance));
}

static int get_taken_from(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const DeviceRecord *record = record_of(entry);

        return sink_string(sink,
                record->provenance == PROVENANCE_TAKEN ? record->original_driver : NULL);
}

static int get_claimed_stage(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const DeviceRecord *record = record_of(entry);

        return sink_string(sink,
                record->provenance != PROVENANCE_NONE ? stage_to_string(record->stage) : NULL);
}

static int get_device_node(Sink *sink, const ViewIndex *index, const Entry *entry)
{
        const Device *device = device_of(entry);
        char text[64] = "";

        if (index->view->has_device_nodes && device->has_details && device->vfio_device >= 0)
                snprintf(text, sizeof(text), "/dev/vfio/devices/vfio%lld",
                        (long long) device->vfio_device);
        return sink_string(sink, text);
}

static int get_network_interface(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_joined(sink, device_of(entry)->interfaces.list);
}

static int get_group(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const GroupEntry *group = ((const DeviceEntry *) entry)->group;

        return sink_group_path(sink, group ? group->number : -1);
}

static int get_claim(Sink *sink, const ViewIndex *index, const Entry *entry)
{
        const Claim *claim = plan_of(entry)->claim;
        char path[BUS_PATH_MAX];

        if (!claim || !view_index_claim(index, claim->name))
                return sink_path(sink, BUS_PATH_NONE);
        return sink_path(sink, path_of_name(BUS_PREFIX_CLAIM, claim->name, path));
}

static int get_physical_function(Sink *sink, const ViewIndex *index, const Entry *entry)
{
        const Device *device = device_of(entry);

        if (!device->is_virtual_function || !view_index_device(index, &device->physical_function))
                return sink_device_path(sink, NULL);
        return sink_device_path(sink, &device->physical_function);
}

static int get_group_number(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        int64_t group = device_of(entry)->group;

        return sink_unsigned(sink, group >= 0 ? (uint32_t) group : UINT32_MAX);
}

static int get_sriov_total_vfs(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_unsigned(sink, device_of(entry)->sriov_total_vfs);
}

static int get_drift_count(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_unsigned(sink, record_of(entry)->drift_count);
}

static int get_vf_index(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_integer(sink, device_of(entry)->vf_index);
}

static int get_numa_node(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        const Device *device = device_of(entry);

        return sink_integer(sink, device->has_details ? device->numa_node : -1);
}

static int get_is_bridge(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_boolean(sink, device_of(entry)->is_bridge);
}

static int get_reset_methods(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_strings(sink, device_of(entry)->reset_methods);
}

static int get_bound_timestamp(Sink *sink, _unused_ const ViewIndex *index, const Entry *entry)
{
        return sink_timestamp(sink, record_of(entry)->bound_usec);
}

static const BusProperty properties[] = {
        { "Address", "s", get_address, PROPERTY_CONSTANT | PROPERTY_LISTED },
        { "Path", "s", get_path, PROPERTY_CONSTANT | PROPERTY_LISTED },
        { "VendorId", "s", get_vendor_id, PROPERTY_CONSTANT | PROPERTY_LISTED },
        { "DeviceId", "s", get_device_id, PROPERTY_CONSTANT | PROPERTY_LISTED },
        { "SubsystemVendorId", "s", get_subsystem_vendor_id, PROPERTY_CONSTANT | PROPERTY_LISTED },
        { "SubsystemDeviceId", "s", get_subsystem_device_id, PROPERTY_CONSTANT | PROPERTY_LISTED },
        { "Class", "s", get_class, PROPERTY_CONSTANT | PROPERTY_LISTED },
        { "Revision", "s", get_revision, PROPERTY_CONSTANT },
        { "VendorName", "s", get_vendor_name, PROPERTY_LISTED },
        { "DeviceName", "s", get_device_name, PROPERTY_LISTED },
        { "PhysicalSlot", "s", get_physical_slot },
        { "Serial", "s", get_serial },
        { "Modalias", "s", get_modalias, PROPERTY_CONSTANT },
        { "Driver", "s", get_driver, PROPERTY_LISTED },
        { "TargetDriver", "s", get_target_driver, PROPERTY_LISTED },
        { "HostDriver", "s", get_host_driver, PROPERTY_LISTED },
        { "DriverOverride", "s", get_driver_override },
        { "Role", "s", get_role, PROPERTY_LISTED },
        { "State", "s", get_state, PROPERTY_LISTED },
        { "Reason", "s", get_reason, PROPERTY_LISTED },
        { "ReasonText", "s", get_reason_text, PROPERTY_LISTED },
        { "Provenance", "s", get_provenance, PROPERTY_LISTED },
        { "TakenFrom", "s", get_taken_from, PROPERTY_LISTED },
        { "ClaimedStage", "s", get_claimed_stage, PROPERTY_LISTED },
        { "DeviceNode", "s", get_device_node },
        { "NetworkInterface", "s", get_network_interface, PROPERTY_LISTED },
        { "Group", "o", get_group },
        { "Claim", "o", get_claim, PROPERTY_LISTED },
        { "PhysicalFunction", "o", get_physical_function },
        { "GroupNumber", "u", get_group_number, PROPERTY_LISTED },
        { "SriovTotalVFs", "u", get_sriov_total_vfs },
        { "DriftCount", "u", get_drift_count },
        { "VfIndex", "i", get_vf_index },
        { "NumaNode", "i", get_numa_node },
        { "IsBridge", "b", get_is_bridge, PROPERTY_CONSTANT },
        { "ResetMethods", "as", get_reset_methods },
        { "BoundTimestamp", "t", get_bound_timestamp },
};

static int handle_bind(const BusCall *call)
{
        return request_bind(call, (const DeviceEntry *) call->entry, REPLY_EMPTY);
}

static int handle_release(const BusCall *call)
{
        return request_release(call, (const DeviceEntry *) call->entry, REPLY_EMPTY);
}

static const BusMethod methods[] = {
        { "Bind", "a{sv}", "", SD_BUS_PARAM(options), handle_bind },
        { "Release", "a{sv}", "", SD_BUS_PARAM(options), handle_release },
};

static char *path(const Entry *entry, char text[static BUS_PATH_MAX])
{
        return path_of_device(&device_of(entry)->address, text);
}

static Entry *find(const ViewIndex *index, const char *label)
{
        PciAddress address;

        if (path_parse_device(label, &address) < 0)
                return NULL;
        return (Entry *) view_index_device(index, &address);
}

/* A card that was replaced between two looks has another sysfs directory. */
static bool same(const Entry *old, const Entry *new)
{
        return device_of(old)->inode == device_of(new)->inode;
}

const BusInterface bus_device_interface = {
        .name = BUS_INTERFACE_DEVICE,
        .prefix = BUS_PREFIX_DEVICE,
        .methods = methods,
        .n_methods = ELEMENTSOF(methods),
        .properties = properties,
        .n_properties = ELEMENTSOF(properties),
        BUS_ENTRIES(devices),
        .path = path,
        .find = find,
        .same = same,
};
