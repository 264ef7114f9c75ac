/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus-fixture.h"

/* Objects and properties as a client sees them. */

static void test_device(Fixture *f)
{
        static const Wanted gpu[] = {
                { "Address", "0000:01:00.0" },
                { "Path", "0000:00:01.0/00.0" },
                { "VendorId", "10de" },
                { "DeviceId", "2482" },
                { "SubsystemVendorId", "1043" },
                { "SubsystemDeviceId", "8769" },
                { "Class", "030000" },
                { "Revision", "a1" },
                { "VendorName", "NVIDIA" },
                { "DeviceName", "GA104" },
                { "PhysicalSlot", "Slot 2" },
                { "Serial", "00a1b2ffffc3d4e5" },
                { "Driver", "vfio-pci" },
                { "TargetDriver", "vfio-pci" },
                { "HostDriver", "nouveau,nvidia" },
                { "DriverOverride", "vfio-pci" },
                { "Role", "selected" },
                { "State", "bound" },
                { "Reason", "-" },
                { "ReasonText", "-" },
                { "Provenance", "taken" },
                { "TakenFrom", "nouveau" },
                { "ClaimedStage", "boot" },
                { "DeviceNode", "/dev/vfio/devices/vfio3" },
                { "NetworkInterface", "-" },
                { "Group", BUS_PREFIX_GROUP "/14" },
                { "Claim", BUS_PREFIX_CLAIM "/gaming_2dgpu" },
                { "PhysicalFunction", "/" },
                { "GroupNumber", "14" },
                { "SriovTotalVFs", "0" },
                { "DriftCount", "2" },
                { "VfIndex", "-1" },
                { "NumaNode", "1" },
                { "IsBridge", "no" },
                { "ResetMethods", "[flr bus]" },
                { "BoundTimestamp", "1700000000000000" },
        };
        static const Wanted nic[] = {
                { "NetworkInterface", "eno1,eno2" },
                { "Claim", BUS_PREFIX_CLAIM "/lab_2enic" },
                { "Provenance", "-" },
                { "ClaimedStage", "-" },
                { "TakenFrom", "-" },
                { "State", "refused" },
                { "Reason", "in-use-network" },
                { "DeviceNode", "-" },
        };
        static const Wanted function[] = {
                { "PhysicalFunction", BUS_PREFIX_DEVICE "/pci_0000_06_00_0" },
                { "VfIndex", "1" },
                { "Claim", "/" },
        };
        static const Wanted virtio[] = {
                { "Group", "/" },
                { "GroupNumber", "4294967295" },
                { "State", "unclaimed" },
                { "Role", "none" },
        };

        expect_properties(f, GPU, BUS_INTERFACE_DEVICE, gpu, ELEMENTSOF(gpu));
        expect_properties(f, BUS_PREFIX_DEVICE "/pci_0000_02_00_0", BUS_INTERFACE_DEVICE, nic,
                ELEMENTSOF(nic));
        expect_properties(f, BUS_PREFIX_DEVICE "/pci_0000_06_10_2", BUS_INTERFACE_DEVICE, function,
                ELEMENTSOF(function));
        expect_properties(f, BUS_PREFIX_DEVICE "/pci_0000_09_00_0", BUS_INTERFACE_DEVICE, virtio,
                ELEMENTSOF(virtio));
        expect_property(f, BUS_PREFIX_DEVICE "/pci_0000_00_01_0", BUS_INTERFACE_DEVICE, "IsBridge",
                "yes");
}

static void test_others(Fixture *f)
{
        static const Wanted group[] = {
                { "Number", "14" },
                { "Devices", "[" GPU " " BUS_PREFIX_DEVICE "/pci_0000_01_00_1]" },
                { "Viable", "yes" },
                { "State", "bound" },
                { "Claims", "[" BUS_PREFIX_CLAIM "/gaming_2dgpu]" },
                { "Node", "/dev/vfio/14" },
                { "NodeUser", "0" },
                { "NodeGroup", "78" },
                { "NodeMode", "432" },
        };
        static const Wanted host_group[] = {
                { "Viable", "no" },
                { "Node", "-" },
                { "NodeUser", "4294967295" },
                { "NodeMode", "0" },
        };
        static const Wanted claim[] = {
                { "Name", "gaming-gpu" },
                { "Source", "/etc/vfio-bind.conf 1" },
                { "Selectors", "[0000:01:00.0]" },
                { "Missing", "[]" },
                { "Driver", "vfio-pci" },
                { "Companions", "slot" },
                { "AllowInUse", "[]" },
                { "State", "bound" },
                { "Reason", "-" },
                { "ReasonText", "-" },
                { "Devices", "[" GPU " " BUS_PREFIX_DEVICE "/pci_0000_01_00_1]" },
                { "Groups", "[" BUS_PREFIX_GROUP "/14]" },
        };
        static const Wanted gone[] = {
                { "State", "absent" },
                { "Missing", "[0000:7f:00.0]" },
                { "Devices", "[]" },
        };
        static const Wanted nic0[] = {
                { "Name", "nic0" },
                { "Source", "/etc/vfio-bind.conf 4" },
                { "Device", BUS_PREFIX_DEVICE "/pci_0000_06_00_0" },
                { "Requested", "4" },
                { "TotalVFs", "7" },
                { "NumVFs", "2" },
                { "VirtualFunctions", "[" BUS_PREFIX_DEVICE "/pci_0000_06_10_0 " BUS_PREFIX_DEVICE
                                      "/pci_0000_06_10_2]" },
        };
        static const Wanted manager[] = {
                { "State", "degraded" },
                { "Settled", "no" },
                { "Iommu", "active" },
                { "InterruptRemapping", "yes" },
                { "InitramfsState", "unknown" },
                { "BootedInitramfsState", "unknown" },
                { "ConfigurationErrors", "[/etc/vfio-bind.conf.d/10-x.conf 14 7 no such key]" },
                { "Claims", "[" BUS_PREFIX_CLAIM "/gaming_2dgpu " BUS_PREFIX_CLAIM
                            "/lab_2enic " BUS_PREFIX_CLAIM "/gone]" },
                { "PhysicalFunctions", "[" BUS_PREFIX_PHYSICAL_FUNCTION "/nic0]" },
                { "Pending", "0" },
                { "NBound", "1" },
                { "NRefused", "1" },
                { "NFailed", "0" },
                { "NStuck", "0" },
                { "NAbsent", "1" },
        };

        expect_properties(f, BUS_PREFIX_GROUP "/14", BUS_INTERFACE_GROUP, group, ELEMENTSOF(group));
        expect_properties(f, BUS_PREFIX_GROUP "/75", BUS_INTERFACE_GROUP, host_group,
                ELEMENTSOF(host_group));
        expect_properties(f, BUS_PREFIX_CLAIM "/gaming_2dgpu", BUS_INTERFACE_CLAIM, claim,
                ELEMENTSOF(claim));
        expect_properties(f, BUS_PREFIX_CLAIM "/gone", BUS_INTERFACE_CLAIM, gone, ELEMENTSOF(gone));
        expect_properties(f, BUS_PREFIX_PHYSICAL_FUNCTION "/nic0", BUS_INTERFACE_PHYSICAL_FUNCTION,
                nic0, ELEMENTSOF(nic0));
        expect_properties(f, BUS_ROOT, BUS_INTERFACE_MANAGER, manager, ELEMENTSOF(manager));
}

/* Every object once, each with all properties of its interface. */
static void test_managed_objects(Fixture *f)
{
        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client,
                test_call_new(f->client, NULL, BUS_ROOT, OBJECT_MANAGER, "GetManagedObjects",
                        NULL));
        size_t n_interfaces[BUS_N_INTERFACES] = {};
        const char *path, *interface;

        test_expect_return(reply);
        ASSERT_TRUE(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") > 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                ASSERT_TRUE(sd_bus_message_read(reply, "o", &path) > 0);
                ASSERT_TRUE(sd_bus_message_enter_container(reply, 'a', "{sa{sv}}") > 0);
                while (sd_bus_message_enter_container(reply, 'e', "sa{sv}") > 0) {
                        size_t n = 0;

                        ASSERT_TRUE(sd_bus_message_read(reply, "s", &interface) > 0);
                        ASSERT_TRUE(sd_bus_message_enter_container(reply, 'a', "{sv}") > 0);
                        for (; sd_bus_message_skip(reply, "{sv}") > 0; n++)
                                ;
                        ASSERT_TRUE(sd_bus_message_exit_container(reply) >= 0);
                        ASSERT_TRUE(sd_bus_message_exit_container(reply) >= 0);
                        for (size_t i = 0; i < BUS_N_INTERFACES; i++)
                                if (streq(bus_interfaces[i]->name, interface)) {
                                        n_interfaces[i]++;
                                        ASSERT_EQ(n, bus_interfaces[i]->n_properties);
                                }
                }
                ASSERT_TRUE(sd_bus_message_exit_container(reply) >= 0);
                ASSERT_TRUE(sd_bus_message_exit_container(reply) >= 0);
        }
        ASSERT_EQ(n_interfaces[0], 6); /* groups */
        ASSERT_EQ(n_interfaces[1], 8); /* functions */
        ASSERT_EQ(n_interfaces[2], 3); /* claims */
        ASSERT_EQ(n_interfaces[3], 1); /* physical functions */
}

/* Each structure has the values of the listed properties, as Get returns them. */
static void test_list(Fixture *f, const char *member, const BusInterface *interface,
        const char *const *paths)
{
        _cleanup_free_ char *wanted = NULL;
        Buffer out = {};

        buffer_append(&out, "[");
        for (; *paths; paths++)
                for (size_t i = 0; i < interface->n_properties; i++) {
                        if (!(interface->properties[i].flags & PROPERTY_LISTED))
                                continue;
                        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client,
                                test_call_new(f->client, NULL, *paths, PROPERTIES, "Get", "ss",
                                        interface->name, interface->properties[i].name));

                        test_expect_return(reply);
                        print_value(reply, &out);
                }
        buffer_append(&out, "]");
        ASSERT_OK(buffer_finish(&out, &wanted));
        expect_call_text(f, manager_call(f, member), wanted);
}

static void test_lists(Fixture *f)
{
#define PCI(label) BUS_PREFIX_DEVICE "/pci_0000_" label
        static const char *const devices[] = { PCI("00_01_0"), PCI("01_00_0"), PCI("01_00_1"),
                PCI("02_00_0"), PCI("06_00_0"), PCI("06_10_0"), PCI("06_10_2"), PCI("09_00_0"),
                NULL };
        static const char *const claims[] = { BUS_PREFIX_CLAIM "/gaming_2dgpu",
                BUS_PREFIX_CLAIM "/lab_2enic", BUS_PREFIX_CLAIM "/gone", NULL };

        test_list(f, "ListDevices", &bus_device_interface, devices);
        test_list(f, "ListClaims", &bus_claim_interface, claims);
}

/* No object under these paths, not even under another spelling of a good one. */
static void test_unknown_objects(Fixture *f)
{
        static const char *const paths[] = { BUS_PREFIX_DEVICE, BUS_PREFIX_DEVICE "/x",
                BUS_PREFIX_DEVICE "/pci_0000_7f_00_0", BUS_PREFIX_DEVICE "/pci_0000_01_00_0/x",
                BUS_PREFIX_DEVICE "/pci_00000_01_00_0", BUS_PREFIX_GROUP "/9",
                BUS_PREFIX_GROUP "/014", BUS_PREFIX_CLAIM "/_67aming_2dgpu",
                BUS_PREFIX_CLAIM "/_00", BUS_PREFIX_PHYSICAL_FUNCTION "/nic1" };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                for (size_t j = 0; j < BUS_N_INTERFACES; j++) {
                        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client,
                                test_call_new(f->client, NULL, paths[i], PROPERTIES, "GetAll", "s",
                                        bus_interfaces[j]->name));

                        const sd_bus_error *error = sd_bus_message_get_error(reply);

                        ASSERT_TRUE(error);
                        ASSERT_TRUE(streq(error->name, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
                                streq(error->name, SD_BUS_ERROR_UNKNOWN_INTERFACE));
                }
}

/* One bad string must not take the whole reply down. */
static void test_foreign_text(void)
{
        View *view = view_new(fixture_machine);
        Device *device = device_of(view, "0000:01:00.0");
        Fixture f;

        ASSERT_OK(replace_string(&device->vendor_name.text, "N\xff\xfeV \xc0\xaf \xed\xa0\x80."));
        ASSERT_OK(replace_string(&device->device_name.text, "\xf0\x9f\x98\x80 \xe2\x82"));
        ASSERT_OK(replace_string(&device->driver, "\xef\xbf\xbf"));
        fixture_init(&f, view);
        expect_property(&f, GPU, BUS_INTERFACE_DEVICE, "VendorName", "N?" "?V ?" "? ?" "?" "?.");
        expect_property(&f, GPU, BUS_INTERFACE_DEVICE, "DeviceName", "\xf0\x9f\x98\x80 ??");
        expect_property(&f, GPU, BUS_INTERFACE_DEVICE, "Driver", "???");
        test_managed_objects(&f);
        fixture_done(&f);
}

static void test_log_control(Fixture *f)
{
        expect_property(f, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE, "LogLevel", "info");
        expect_property(f, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE, "SyslogIdentifier",
                "vfio-bindd");
}

int main(void)
{
        Fixture f;

        fixture_init(&f, view_new(fixture_machine));
        test_device(&f);
        test_others(&f);
        test_managed_objects(&f);
        test_lists(&f);
        test_unknown_objects(&f);
        test_log_control(&f);
        fixture_done(&f);

        test_foreign_text();
        return 0;
}
