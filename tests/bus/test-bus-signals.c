/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus-fixture.h"

/* What is announced when one view follows another, and in which order. */

static int on_signal(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Fixture *f = userdata;
        const char *path, *interface;

        if (sd_bus_message_is_signal(message, PROPERTIES, "PropertiesChanged")) {
                ASSERT_TRUE(sd_bus_message_read(message, "s", &interface) > 0);
                path = sd_bus_message_get_path(message);
                buffer_append(&f->signals, strrchr(path, '/') + 1);
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
                test_call_new(f->client, NULL, BUS_ROOT, "org.freedesktop.DBus.Peer", "Ping",
                        NULL));
        test_expect_return(reply);
        ASSERT_OK(buffer_finish(&f->signals, &text));
        return text;
}

static void test_signals(void)
{
        Fixture f;
        View *view;
        char *text;

        fixture_init(&f, view_new(fixture_machine));
        ASSERT_TRUE(sd_bus_match_signal(f.client, NULL, NULL, NULL, PROPERTIES, NULL, on_signal,
                            &f) >= 0);
        ASSERT_TRUE(sd_bus_match_signal(f.client, NULL, NULL, NULL, OBJECT_MANAGER, NULL, on_signal,
                            &f) >= 0);

        /* what looks the same is not announced */
        text = publish(&f, view_new(fixture_machine));
        ASSERT_STREQ(text, "");
        free(text);

        /* group, device, claim, manager, with values; two groups and nothing else of them */
        view = view_new(fixture_machine);
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
        ASSERT_OK(format_string(&more, "%s0000:7f:00.0 id=10de:1 group=30\n", fixture_machine));
        text = publish(&f, view_new(more));
        ASSERT_TRUE(startswith(text, "InterfacesAdded 30\nInterfacesAdded pci_0000_7f_00_0\n"));
        ASSERT_CONTAINS(text, "\ngone Missing [] State pending");
        ASSERT_TRUE(strstr(text, "14 NodeGroup 78") < strstr(text, "\npci_0000_01_00_0"));
        ASSERT_TRUE(strstr(text, "\ngone Missing") < strstr(text, "\nBind1 Settled no NBound 1\n"));
        free(text);

        /* it goes: removed when nothing refers to it any more */
        text = publish(&f, view_new(fixture_machine));
        ASSERT_TRUE(startswith(text, "gone Missing [0000:7f:00.0] State absent Reason absent "));
        ASSERT_STREQ(strchr(text, '\n'),
                "\nInterfacesRemoved 30\nInterfacesRemoved pci_0000_7f_00_0\n");
        free(text);

        /* another card at the same address is another object */
        view = view_new(fixture_machine);
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
        text = publish(&f, view_new(fixture_machine));
        ASSERT_TRUE(startswith(text, "InterfacesAdded 1\n"));
        ASSERT_CONTAINS(text, "InterfacesAdded nic0\n");
        free(text);
        fixture_done(&f);
}

int main(void)
{
        test_signals();
        test_before_first_view();
        return 0;
}
