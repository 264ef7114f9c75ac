/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus.h"
#include "lib/bus-test.h"
#include "lib/fake-manager.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/strings.h"

/* Objects, properties and change signals as a client sees them, without a message bus. */

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define GPU BUS_PREFIX_DEVICE "/pci_0000_01_00_0"

static const char config[] =
        "claim gaming-gpu 0000:01:00.0\n"
        "claim lab.nic 0000:02:00.0\n"
        "claim gone 0000:7f:00.0\n"
        "pf nic0 4 0000:06:00.0\n"
        "error /etc/vfio-bind.conf.d/10-x.conf 14 7 no such key";
static const char machine[] =
        "0000:00:01.0 id=8086:1901 class=060400 bridge group=1 driver=pcieport\n"
        "0000:01:00.0 parent=0000:00:01.0 id=10de:2482 subsystem=1043:8769 class=030000 group=14"
        " driver=vfio-pci vendor=NVIDIA model=GA104 slot=Slot_2 serial=00a1b2ffffc3d4e5"
        " host-driver=nouveau host-driver=nvidia\n"
        "0000:01:00.1 id=10de:228b class=040300 group=14 driver=vfio-pci\n"
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3 net=eno1 net=eno2\n"
        "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=0\n"
        "0000:06:10.0 id=8086:10ca class=020000 group=21 driver=igbvf pf=0000:06:00.0 vf=0\n"
        "0000:06:10.2 id=8086:10ca class=020000 group=22 driver=igbvf pf=0000:06:00.0 vf=1\n"
        "0000:09:00.0 id=1af4:1000 class=020000 driver=virtio-pci\n"
        "use 0000:02:00.0 network eno1 carries the default route\n"
        "record 0000:01:00.0 state=bound claim=gaming-gpu provenance=taken from=nouveau drift=2\n"
        "record 0000:01:00.1 state=bound claim=gaming-gpu provenance=clean\n";

typedef struct Fixture {
        sd_event *event;
        Manager manager;
        Bus *bus;
        sd_bus *server, *client;
        Buffer signals; /* one line each */
} Fixture;

static View *view_new(const char *text)
{
        View *view = fake_view_new(config, text);

        fake_view_add_node(view, 14, 0, 78, 0660);
        for (size_t i = 0; i < view->snapshot->n_devices; i++) {
                Device *device = &view->snapshot->devices[i];

                device->has_details = true;
                device->inode = 1000 + i;
                device->numa_node = -1;
                device->vfio_device = -1;
                if (device->address.bus != 1 || device->address.function != 0)
                        continue;
                device->numa_node = 1;
                device->revision = 0xa1;
                device->vfio_device = 3;
                ASSERT_OK(string_list_append(&device->reset_methods, "flr"));
                ASSERT_OK(string_list_append(&device->reset_methods, "bus"));
                if (device->record) {
                        ASSERT_OK(replace_string(&device->record->target_driver, "vfio-pci"));
                        device->record->stage = STAGE_BOOT;
                        device->record->bound_usec = 1700000000000000;
                }
        }
        view->has_device_nodes = true;
        view->interrupt_remapping = "yes";
        view->n_bound = 1;
        view->n_refused = 1;
        view->n_absent = 1;
        return view;
}

static void on_changed(void *userdata, View *old, View *new)
{
        bus_view_changed(((Fixture *) userdata)->bus, old, new);
}

static void fixture_init(Fixture *f, View *view)
{
        *f = (Fixture){};
        ASSERT_TRUE(sd_event_new(&f->event) >= 0);
        fake_manager_init(&f->manager, f->event);
        if (view)
                fake_manager_publish(&f->manager, view);
        test_pair(f->event, &f->server, &f->client);
        ASSERT_OK(bus_new(f->event, &f->manager, &(BusOptions){}, &f->bus));
        ASSERT_OK(bus_serve(f->bus, f->server));
        manager_set_listener(&f->manager, &(ManagerListener){ on_changed, f });
}

static void fixture_done(Fixture *f)
{
        bus_free(f->bus);
        sd_bus_flush_close_unref(f->client);
        sd_bus_flush_close_unref(f->server);
        fake_manager_done(&f->manager);
        buffer_done(&f->signals);
        sd_event_unref(f->event);
}

/* What stands in a message from here on, as text: strings as they are, lists in "[ ]". */
static void print_value(sd_bus_message *message, Buffer *out)
{
        const char *contents;
        char type;
        int r;

        while ((r = sd_bus_message_peek_type(message, &type, &contents)) > 0) {
                union {
                        const char *s;
                        uint32_t u;
                        int32_t i;
                        uint64_t t;
                        int b;
                } value;

                if (out->length > 0 && !strchr("[ ", out->text[out->length - 1]))
                        buffer_append(out, " ");
                if (strchr("arve", type)) {
                        ASSERT_TRUE(sd_bus_message_enter_container(message, type, contents) > 0);
                        buffer_append(out, type == 'a' ? "[" : "");
                        print_value(message, out);
                        buffer_append(out, type == 'a' ? "]" : "");
                        ASSERT_TRUE(sd_bus_message_exit_container(message) >= 0);
                        continue;
                }
                ASSERT_TRUE(sd_bus_message_read_basic(message, type, &value) > 0);
                switch (type) {
                case 's':
                case 'o':
                        buffer_append(out, *value.s ? value.s : "-");
                        break;
                case 'u':
                        buffer_printf(out, "%u", value.u);
                        break;
                case 'i':
                        buffer_printf(out, "%d", value.i);
                        break;
                case 't':
                        buffer_printf(out, "%llu", (unsigned long long) value.t);
                        break;
                default:
                        ASSERT_EQ(type, 'b');
                        buffer_append(out, value.b ? "yes" : "no");
                }
        }
        ASSERT_TRUE(r >= 0);
}

static char *message_text(sd_bus_message *message)
{
        Buffer out = {};
        char *text = NULL;

        print_value(message, &out);
        ASSERT_OK(buffer_finish(&out, &text));
        return text;
}

static void expect_property(Fixture *f, const char *path, const char *interface, const char *name,
        const char *wanted)
{
        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client,
                test_call_new(f->client, NULL, path, PROPERTIES, "Get", "ss", interface, name));
        _cleanup_free_ char *text = NULL;

        test_expect_return(reply);
        text = message_text(reply);
        if (!streq(text, wanted))
                fprintf(stderr, "%s %s:\n", path, name);
        ASSERT_STREQ(text, wanted);
}

typedef struct Wanted {
        const char *name, *value;
} Wanted;

static void expect_properties(Fixture *f, const char *path, const char *interface,
        const Wanted *wanted, size_t n)
{
        for (size_t i = 0; i < n; i++)
                expect_property(f, path, interface, wanted[i].name, wanted[i].value);
}

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
                test_call_new(f->client, NULL, BUS_ROOT, OBJECT_MANAGER, "GetManagedObjects", NULL));
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

static void expect_call_error(Fixture *f, sd_bus_message *call, const char *name, const char *part)
{
        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client, call);

        test_expect_error(reply, name, part);
}

static void expect_call_text(Fixture *f, sd_bus_message *call, const char *wanted)
{
        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client, call);
        _cleanup_free_ char *text = NULL;

        test_expect_return(reply);
        text = message_text(reply);
        ASSERT_STREQ(text, wanted);
}

static sd_bus_message *manager_call(Fixture *f, const char *member)
{
        return test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, member, NULL);
}

static sd_bus_message *with_string(sd_bus_message *call, const char *text)
{
        ASSERT_TRUE(sd_bus_message_append(call, "s", text) >= 0);
        return call;
}

static void test_lookups(Fixture *f)
{
        static const char *const spellings[] = { "0000:01:00.0", "01:00.0", "pci_0000_01_00_0" };
        static const char *const nothing[] = { "", "0000:7f:00.0", "0000:01:00", "01:00.9",
                "\xe2\x82\xac", "../../etc/passwd" };
        char huge[4096];

        for (size_t i = 0; i < ELEMENTSOF(spellings); i++)
                expect_call_text(f, with_string(manager_call(f, "GetDevice"), spellings[i]), GPU);
        for (size_t i = 0; i < ELEMENTSOF(nothing); i++)
                expect_call_error(f, with_string(manager_call(f, "GetDevice"), nothing[i]),
                        BUS_ERROR_NO_SUCH_DEVICE, nothing[i]);
        memset(huge, 'x', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = 0;
        expect_call_error(f, with_string(manager_call(f, "GetDevice"), huge),
                BUS_ERROR_NO_SUCH_DEVICE, "(long text)");
        expect_call_error(f, with_string(manager_call(f, "GetClaim"), huge),
                BUS_ERROR_NO_SUCH_CLAIM, "(long text)");

        expect_call_text(f, with_string(manager_call(f, "GetClaim"), "lab.nic"),
                BUS_PREFIX_CLAIM "/lab_2enic");
        expect_call_error(f, with_string(manager_call(f, "GetClaim"), "nobody"),
                BUS_ERROR_NO_SUCH_CLAIM, "nobody");
        expect_call_text(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "GetGroup", "u",
                        75U),
                BUS_PREFIX_GROUP "/75");
        expect_call_error(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "GetGroup", "u",
                        UINT32_MAX),
                BUS_ERROR_NO_SUCH_GROUP, "4294967295");
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

static sd_bus_message *bind_call(Fixture *f, const char *member, const char *option,
        const char *type, const char *value)
{
        sd_bus_message *call = with_string(manager_call(f, member), "0000:01:00.0");

        ASSERT_TRUE(sd_bus_message_open_container(call, 'a', "{sv}") >= 0);
        if (streq(type, "s"))
                ASSERT_TRUE(sd_bus_message_append(call, "{sv}", option, "s", value) >= 0);
        else if (streq(type, "as"))
                ASSERT_TRUE(sd_bus_message_append(call, "{sv}", option, "as", 1, value) >= 0);
        else if (streq(type, "b"))
                ASSERT_TRUE(sd_bus_message_append(call, "{sv}", option, "b", true) >= 0);
        ASSERT_TRUE(sd_bus_message_close_container(call) >= 0);
        return call;
}

/* Arguments are judged before authorization, which without a bus is always denied. */
static void test_options(Fixture *f)
{
        static const struct {
                const char *member, *option, *type, *value;
                bool good;
        } cases[] = {
                { "BindDevice", "driver", "s", "nvgrace-gpu-vfio-pci", true },
                { "BindDevice", "companions", "s", "all", true },
                { "BindDevice", "allow-in-use", "as", "display", true },
                { "ReleaseDevice", "no-probe", "b", NULL, true },
                { "BindDevice", "no-probe", "b", NULL, false },
                { "BindDevice", "prune", "b", NULL, false },
                { "BindDevice", "next-boot", "b", NULL, false },
                { "ReleaseDevice", "driver", "s", "vfio-pci", false },
                { "BindDevice", "Driver", "s", "vfio-pci", false },
                { "BindDevice", "", "s", "", false },
                { "BindDevice", "driver", "b", NULL, false },
                { "BindDevice", "driver", "s", "", false },
                { "BindDevice", "driver", "s", "../nvme", false },
                { "BindDevice", "driver", "s", "a b", false },
                { "BindDevice", "companions", "s", "some", false },
                { "BindDevice", "allow-in-use", "as", "system", false },
                { "BindDevice", "allow-in-use", "as", "blind", false },
                { "BindDevice", "allow-in-use", "s", "display", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                expect_call_error(f,
                        bind_call(f, cases[i].member, cases[i].option, cases[i].type,
                                cases[i].value),
                        cases[i].good ? SD_BUS_ERROR_ACCESS_DENIED : SD_BUS_ERROR_INVALID_ARGS,
                        cases[i].good ? NULL : cases[i].option);

        sd_bus_message *twice = test_call_new(f->client, NULL, GPU, BUS_INTERFACE_DEVICE, "Bind",
                "a{sv}", 2, "driver", "s", "vfio-pci", "driver", "s", "pci-stub");
        expect_call_error(f, twice, SD_BUS_ERROR_INVALID_ARGS, "twice");
        expect_call_error(f, with_string(manager_call(f, "BindDevice"), "0000:01:00.0"),
                SD_BUS_ERROR_INVALID_ARGS, NULL);
        ASSERT_EQ(f->manager.n_applies, 0);
}

static void test_plan_and_explain(Fixture *f)
{
        expect_call_text(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Plan", "a{sv}", 2,
                        "prune", "b", true, "next-boot", "b", true),
                "[75 0000:02:00.0 none tg3 tg3 in-use-network]");
        ASSERT_TRUE(f->manager.planned_prune && f->manager.planned_next_boot);
        expect_call_error(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Plan", "a{sv}", 1,
                        "driver", "s", "vfio-pci"),
                SD_BUS_ERROR_INVALID_ARGS, "driver");
        expect_call_text(f, with_string(manager_call(f, "Explain"), "01:00.0"),
                "[gaming-gpu /etc/vfio-bind.conf 1 address=0000:01:00.0 yes - "
                "gaming-gpu /etc/vfio-bind.conf 1 - yes - "
                "lab.nic /etc/vfio-bind.conf 2 address=0000:02:00.0 no - "
                "lab.nic /etc/vfio-bind.conf 2 - no - "
                "gone /etc/vfio-bind.conf 3 address=0000:7f:00.0 no - "
                "gone /etc/vfio-bind.conf 3 - no -]");
}

/* Everything that needs authorization is denied to a caller that cannot be told. */
static void test_denied_without_bus(Fixture *f)
{
        static const struct {
                const char *path, *interface, *member, *types;
        } calls[] = {
                { BUS_ROOT, BUS_INTERFACE_MANAGER, "Reload", "" },
                { GPU, BUS_INTERFACE_DEVICE, "Bind", "a{sv}" },
                { GPU, BUS_INTERFACE_DEVICE, "Release", "a{sv}" },
                { BUS_PREFIX_GROUP "/14", BUS_INTERFACE_GROUP, "ListHolders", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                expect_call_error(f,
                        test_call_new(f->client, NULL, calls[i].path, calls[i].interface,
                                calls[i].member, calls[i].types, 0),
                        SD_BUS_ERROR_ACCESS_DENIED, NULL);
        expect_call_error(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Apply", "asa{sv}",
                        0, 0),
                SD_BUS_ERROR_ACCESS_DENIED, NULL);
        expect_call_error(f,
                test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Apply", "asa{sv}",
                        1, "nobody", 0),
                BUS_ERROR_NO_SUCH_CLAIM, "nobody");
        ASSERT_EQ(f->manager.n_reloads, 0);
        ASSERT_EQ(f->manager.n_applies, 0);
}

static int on_signal(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Fixture *f = userdata;
        const char *path, *interface;

        if (sd_bus_message_is_signal(message, PROPERTIES, "PropertiesChanged")) {
                ASSERT_TRUE(sd_bus_message_read(message, "s", &interface) > 0);
                buffer_printf(&f->signals, "%s", strrchr(sd_bus_message_get_path(message), '/') + 1);
                ASSERT_TRUE(sd_bus_message_enter_container(message, 'a', "{sv}") > 0);
                print_value(message, &f->signals);
                buffer_append(&f->signals, "\n");
        } else {
                ASSERT_TRUE(sd_bus_message_read(message, "o", &path) > 0);
                buffer_printf(&f->signals, "%s %s\n", sd_bus_message_get_member(message),
                        strrchr(path, '/') + 1);
        }
        return 0;
}

/* The signals of one change, one a line; a call behind them shows that all have come. */
static char *publish(Fixture *f, View *view)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        char *text = NULL;

        fake_manager_publish(&f->manager, view);
        reply = test_call(f->event, f->client,
                test_call_new(f->client, NULL, BUS_ROOT, "org.freedesktop.DBus.Peer", "Ping", NULL));
        test_expect_return(reply);
        ASSERT_OK(buffer_finish(&f->signals, &text));
        return text;
}

static Device *device_of(View *view, const char *text)
{
        PciAddress address;

        ASSERT_OK(pci_address_parse(text, &address));
        return snapshot_find(view->snapshot, &address);
}

static void test_signals(void)
{
        Fixture f;
        View *view;
        char *text;

        fixture_init(&f, view_new(machine));
        ASSERT_TRUE(sd_bus_match_signal(f.client, NULL, NULL, NULL, PROPERTIES, NULL, on_signal,
                            &f) >= 0);
        ASSERT_TRUE(sd_bus_match_signal(f.client, NULL, NULL, NULL, OBJECT_MANAGER, NULL, on_signal,
                            &f) >= 0);

        /* what looks the same is not announced */
        text = publish(&f, view_new(machine));
        ASSERT_STREQ(text, "");
        free(text);

        /* group, device, claim, manager, with values; two groups and nothing else of them */
        view = view_new(machine);
        view->nodes[0].status.gid = 0;
        view->settled = true;
        view->n_bound = 2;
        device_of(view, "0000:01:00.0")->record->drift_count = 3;
        device_of(view, "0000:01:00.0")->numa_node = 0;
        view->config->claims[1].settings.companions = COMPANIONS_ALL;
        view->config->physical_functions[0].number = 5;
        text = publish(&f, view);
        ASSERT_STREQ(text,
                "14 NodeGroup 0\n"
                "pci_0000_01_00_0 DriftCount 3 NumaNode 0\n"
                "lab_2enic Companions all\n"
                "nic0 Requested 5\n"
                "Bind1 Settled yes NBound 2\n");
        free(text);

        /* back, and a card of its own group more: announced before anything refers to it */
        _cleanup_free_ char *more = NULL;
        ASSERT_OK(format_string(&more, "%s0000:7f:00.0 id=10de:1 group=30\n", machine));
        text = publish(&f, view_new(more));
        ASSERT_TRUE(startswith(text, "InterfacesAdded 30\nInterfacesAdded pci_0000_7f_00_0\n"));
        ASSERT_CONTAINS(text, "\ngone Missing [] State pending");
        ASSERT_TRUE(strstr(text, "14 NodeGroup 78") < strstr(text, "\npci_0000_01_00_0"));
        ASSERT_TRUE(strstr(text, "\ngone Missing") < strstr(text, "\nBind1 Settled no NBound 1\n"));
        free(text);

        /* it goes: removed when nothing refers to it any more */
        text = publish(&f, view_new(machine));
        ASSERT_TRUE(startswith(text, "gone Missing [0000:7f:00.0] State absent Reason absent "));
        ASSERT_STREQ(strchr(text, '\n'),
                "\nInterfacesRemoved 30\nInterfacesRemoved pci_0000_7f_00_0\n");
        free(text);

        /* another card at the same address is another object */
        view = view_new(machine);
        device_of(view, "0000:09:00.0")->inode = 77;
        device_of(view, "0000:09:00.0")->device = 0x1041;
        text = publish(&f, view);
        ASSERT_STREQ(text,
                "InterfacesRemoved pci_0000_09_00_0\n"
                "InterfacesAdded pci_0000_09_00_0\n");
        free(text);
        fixture_done(&f);
}

static void test_before_first_view(void)
{
        static const Wanted wanted[] = {
                { "State", "starting" },
                { "Settled", "no" },
                { "Iommu", "unknown" },
                { "InterruptRemapping", "unknown" },
                { "InitramfsState", "unknown" },
                { "ConfigurationErrors", "[]" },
                { "Claims", "[]" },
                { "PhysicalFunctions", "[]" },
                { "NBound", "0" },
        };
        Fixture f;
        char *text;

        fixture_init(&f, NULL);
        expect_properties(&f, BUS_ROOT, BUS_INTERFACE_MANAGER, wanted, ELEMENTSOF(wanted));
        expect_call_error(&f, with_string(manager_call(&f, "GetDevice"), "01:00.0"),
                BUS_ERROR_NO_SUCH_DEVICE, NULL);
        expect_call_error(&f,
                test_call_new(f.client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Plan", "a{sv}", 0),
                SD_BUS_ERROR_FAILED, NULL);
        ASSERT_TRUE(sd_bus_match_signal(f.client, NULL, NULL, NULL, OBJECT_MANAGER, NULL, on_signal,
                            &f) >= 0);
        text = publish(&f, view_new(machine));
        ASSERT_TRUE(startswith(text, "InterfacesAdded 1\n"));
        ASSERT_CONTAINS(text, "InterfacesAdded nic0\n");
        free(text);
        fixture_done(&f);
}

/* One bad string must not take the whole reply down. */
static void test_foreign_text(void)
{
        View *view = view_new(machine);
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

        fixture_init(&f, view_new(machine));
        test_device(&f);
        test_others(&f);
        test_managed_objects(&f);
        test_lookups(&f);
        test_unknown_objects(&f);
        test_options(&f);
        test_plan_and_explain(&f);
        test_denied_without_bus(&f);
        test_log_control(&f);
        fixture_done(&f);

        test_signals();
        test_before_first_view();
        test_foreign_text();
        return 0;
}
