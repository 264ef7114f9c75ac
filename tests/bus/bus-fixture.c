/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus-fixture.h"

static const char config[] =
        "claim gaming-gpu 0000:01:00.0\n"
        "claim lab.nic 0000:02:00.0\n"
        "claim gone 0000:7f:00.0\n"
        "pf nic0 4 0000:06:00.0\n"
        "error /etc/vfio-bind.conf.d/10-x.conf 14 7 no such key";
const char fixture_machine[] =
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

View *view_new(const char *text)
{
        View *view = fake_view_new(config, text);

        fake_view_add_node(view, 14, 0, 78, 0660);
        for (size_t i = 0; i < view->snapshot->n_devices; i++) {
                Device *device = &view->snapshot->devices[i];

                device->has_details = true;
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

void fixture_init(Fixture *f, View *view)
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

void fixture_done(Fixture *f)
{
        bus_free(f->bus);
        sd_bus_flush_close_unref(f->client);
        sd_bus_flush_close_unref(f->server);
        fake_manager_done(&f->manager);
        buffer_done(&f->signals);
        sd_event_unref(f->event);
}

void print_value(sd_bus_message *message, Buffer *out)
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

void expect_property(Fixture *f, const char *path, const char *interface, const char *name,
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

void expect_properties(Fixture *f, const char *path, const char *interface,
        const Wanted *wanted, size_t n)
{
        for (size_t i = 0; i < n; i++)
                expect_property(f, path, interface, wanted[i].name, wanted[i].value);
}

void expect_call_error(Fixture *f, sd_bus_message *call, const char *name, const char *part)
{
        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client, call);

        test_expect_error(reply, name, part);
}

void expect_call_text(Fixture *f, sd_bus_message *call, const char *wanted)
{
        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client, call);
        _cleanup_free_ char *text = NULL;

        test_expect_return(reply);
        text = message_text(reply);
        ASSERT_STREQ(text, wanted);
}

sd_bus_message *manager_call(Fixture *f, const char *member)
{
        return test_call_new(f->client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, member, NULL);
}

sd_bus_message *with_string(sd_bus_message *call, const char *text)
{
        ASSERT_TRUE(sd_bus_message_append(call, "s", text) >= 0);
        return call;
}

Device *device_of(View *view, const char *text)
{
        PciAddress address;

        ASSERT_OK(pci_address_parse(text, &address));
        return snapshot_find(view->snapshot, &address);
}
