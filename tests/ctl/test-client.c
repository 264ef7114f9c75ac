/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/names.h"
#include "ctl/client-internal.h"
#include "lib/bus-test.h"
#include "lib/test.h"

/* Reading objects that a daemon of another version, or a hostile one, might send. */

static void append_text(sd_bus_message *message, const char *name, const char *value)
{
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", name, "s", value) >= 0);
}

static void open_object(sd_bus_message *message, const char *path, const char *interface)
{
        ASSERT_TRUE(sd_bus_message_open_container(message, 'e', "oa{sa{sv}}") >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "o", path) >= 0);
        ASSERT_TRUE(sd_bus_message_open_container(message, 'a', "{sa{sv}}") >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "{sa{sv}}",
                            "org.freedesktop.DBus.Introspectable", 0) >= 0);
        ASSERT_TRUE(sd_bus_message_open_container(message, 'e', "sa{sv}") >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "s", interface) >= 0);
        ASSERT_TRUE(sd_bus_message_open_container(message, 'a', "{sv}") >= 0);
}

static void close_object(sd_bus_message *message)
{
        for (unsigned i = 0; i < 4; i++)
                ASSERT_TRUE(sd_bus_message_close_container(message) >= 0);
}

static void append_device(sd_bus_message *message, const char *path, const char *address)
{
        open_object(message, path, BUS_INTERFACE_DEVICE);
        append_text(message, "Address", address);
        append_text(message, "Driver", "");
        append_text(message, "FromTheFuture", "x");
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "State", "u", 7) >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "Role", "as", 2, "a", "b") >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "GroupNumber", "s", "14") >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "Claim", "o",
                            BUS_PREFIX_CLAIM "/nowhere") >= 0);
        append_text(message, "Reason", "a-new-reason");
        close_object(message);
}

static void append_objects(sd_bus_message *message)
{
        ASSERT_TRUE(sd_bus_message_open_container(message, 'a', "{oa{sa{sv}}}") >= 0);
        append_device(message, BUS_PREFIX_DEVICE "/pci_0000_02_00_0", "0000:02:00.0");
        append_device(message, BUS_PREFIX_DEVICE "/pci_0000_01_00_0", "0000:01:00.0");
        append_device(message, BUS_PREFIX_DEVICE "/garbage", "0000:03:00.0");
        append_device(message, "/", "0000:04:00.0");
        append_device(message, BUS_PREFIX_DEVICE "/pci_0000_05_00_0", "");
        open_object(message, BUS_PREFIX_CLAIM "/b", BUS_INTERFACE_CLAIM);
        append_text(message, "Name", "b");
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "Source", "(su)", "f", 3) >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "Missing", "as", 2, "x", "y") >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "Selectors", "ao", 1, "/x") >= 0);
        close_object(message);
        open_object(message, BUS_PREFIX_CLAIM "/a", BUS_INTERFACE_CLAIM);
        append_text(message, "Name", "a");
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "Source", "s", "f") >= 0);
        close_object(message);
        open_object(message, BUS_PREFIX_CLAIM "/c", BUS_INTERFACE_CLAIM);
        close_object(message);
        ASSERT_TRUE(sd_bus_message_close_container(message) >= 0);
}

static void append_manager(sd_bus_message *message)
{
        ASSERT_TRUE(sd_bus_message_open_container(message, 'a', "{sv}") >= 0);
        append_text(message, "State", "a-new-state");
        append_text(message, "FromTheFuture", "x");
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "Claims", "ao", 2,
                            BUS_PREFIX_CLAIM "/b", BUS_PREFIX_CLAIM "/c") >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "{sv}", "ConfigurationErrors", "a(suus)", 1,
                            "f", 1, 2, "m") >= 0);
        ASSERT_TRUE(sd_bus_message_close_container(message) >= 0);
}

static sd_bus_message *reply_new(sd_bus *bus)
{
        sd_bus_message *message = NULL;

        ASSERT_TRUE(sd_bus_message_new(bus, &message, SD_BUS_MESSAGE_METHOD_RETURN) >= 0);
        return message;
}

static void test_foreign_objects(sd_bus *bus)
{
        _cleanup_message_ sd_bus_message *objects = reply_new(bus), *manager = reply_new(bus);
        _cleanup_model_ Model *model = NULL;

        append_objects(objects);
        ASSERT_TRUE(sd_bus_message_seal(objects, 1, 0) >= 0);
        append_manager(manager);
        ASSERT_TRUE(sd_bus_message_seal(manager, 2, 0) >= 0);
        ASSERT_OK(client_read_model(manager, objects, &model));

        ASSERT_STREQ(model->state, "a-new-state");
        ASSERT_EQ(model->n_devices, 2);
        ASSERT_STREQ(model->devices[0].text[DEVICE_ADDRESS], "0000:01:00.0");
        ASSERT_STREQ(model->devices[0].text[DEVICE_REASON], "a-new-reason");
        ASSERT_TRUE(!model->devices[0].text[DEVICE_DRIVER]);
        ASSERT_TRUE(!model->devices[0].text[DEVICE_STATE]);
        ASSERT_TRUE(!model->devices[0].text[DEVICE_ROLE]);
        ASSERT_TRUE(!model->devices[0].claim);
        ASSERT_EQ(model->devices[0].group, -1);
        /* in the order of the configuration; one that it does not name comes last */
        ASSERT_EQ(model->n_claims, 2);
        ASSERT_STREQ(model->claims[0].text[CLAIM_NAME], "b");
        ASSERT_STREQ(model->claims[0].file, "f");
        ASSERT_EQ(model->claims[0].line, 3);
        ASSERT_EQ(string_list_length(model->claims[0].lists[CLAIM_MISSING]), 2);
        ASSERT_TRUE(!model->claims[0].lists[CLAIM_SELECTORS]);
        ASSERT_STREQ(model->claims[1].text[CLAIM_NAME], "a");
        ASSERT_TRUE(!model->claims[1].file);
        ASSERT_EQ(model->n_errors, 1);
        ASSERT_STREQ(model->errors[0].message, "m");
}

static void test_other_replies(sd_bus *bus)
{
        _cleanup_message_ sd_bus_message *empty = reply_new(bus), *other = reply_new(bus),
                                         *manager = reply_new(bus);
        Model *model = NULL;

        append_manager(manager);
        ASSERT_TRUE(sd_bus_message_seal(manager, 1, 0) >= 0);
        ASSERT_TRUE(sd_bus_message_seal(empty, 2, 0) >= 0);
        ASSERT_TRUE(client_read_model(manager, empty, &model) < 0);
        ASSERT_TRUE(client_read_model(empty, empty, &model) < 0);
        ASSERT_TRUE(sd_bus_message_append(other, "as", 1, "x") >= 0);
        ASSERT_TRUE(sd_bus_message_seal(other, 3, 0) >= 0);
        ASSERT_TRUE(sd_bus_message_rewind(manager, true) >= 0);
        ASSERT_TRUE(client_read_model(manager, other, &model) < 0);
        ASSERT_TRUE(client_read_model(other, manager, &model) < 0);
        ASSERT_TRUE(!model);
}

static void append_device_row(sd_bus_message *message, const char *address, const char *claim,
        unsigned group)
{
        ASSERT_TRUE(sd_bus_message_open_container(message, 'r', BUS_LISTED_DEVICE) >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "s", address) >= 0);
        for (unsigned i = 1; i < _DEVICE_TEXT_BASIC_MAX; i++)
                ASSERT_TRUE(sd_bus_message_append(message, "s",
                                    i == DEVICE_STATE ? "a-new-state" : "") >= 0);
        ASSERT_TRUE(sd_bus_message_append(message, "ou", claim, group) >= 0);
        ASSERT_TRUE(sd_bus_message_close_container(message) >= 0);
}

static void test_foreign_lists(sd_bus *bus)
{
        _cleanup_message_ sd_bus_message *manager = reply_new(bus), *claims = reply_new(bus),
                                         *devices = reply_new(bus);
        _cleanup_model_ Model *model = NULL;

        append_manager(manager);
        ASSERT_TRUE(sd_bus_message_seal(manager, 1, 0) >= 0);
        ASSERT_TRUE(sd_bus_message_append(claims, "a(" BUS_LISTED_CLAIM ")", 2,
                            "", "f", 1, 0, 0, "", "", 0, "", "", "",
                            "b", "f", 3, 1, "x", 2, "y", "z", "auto", "slot", 1, "display",
                            "absent", "absent", "nothing") >= 0);
        ASSERT_TRUE(sd_bus_message_seal(claims, 2, 0) >= 0);
        ASSERT_TRUE(sd_bus_message_open_container(devices, 'a', "(" BUS_LISTED_DEVICE ")") >= 0);
        append_device_row(devices, "0000:02:00.0", BUS_PREFIX_CLAIM "/b", 7);
        append_device_row(devices, "0000:01:00.0", BUS_PREFIX_CLAIM "/nowhere", UINT32_MAX);
        append_device_row(devices, "garbage", "/", 1);
        append_device_row(devices, "", "/", 1);
        append_device_row(devices, "0000:02:00.0", "/", 1);
        ASSERT_TRUE(sd_bus_message_close_container(devices) >= 0);
        ASSERT_TRUE(sd_bus_message_seal(devices, 3, 0) >= 0);
        ASSERT_OK(client_read_list(manager, claims, devices, &model));

        ASSERT_EQ(model->n_devices, 2);
        ASSERT_STREQ(model->devices[0].text[DEVICE_ADDRESS], "0000:01:00.0");
        ASSERT_EQ(model->devices[0].group, -1);
        ASSERT_TRUE(!model->devices[0].claim);
        ASSERT_TRUE(!model->devices[0].text[DEVICE_DRIVER]);
        ASSERT_STREQ(model->devices[0].text[DEVICE_STATE], "a-new-state");
        ASSERT_EQ(model->devices[1].address.bus, 2);
        ASSERT_EQ(model->n_claims, 1);
        ASSERT_EQ(model->claims[0].line, 3);
        ASSERT_STREQ(model->claims[0].lists[CLAIM_MISSING][1], "z");
        ASSERT_STREQ(model->claims[0].lists[CLAIM_ALLOW_IN_USE][0], "display");
        ASSERT_STREQ(model->claims[0].text[CLAIM_DRIVER], "auto");
        ASSERT_STREQ(model->claims[0].text[CLAIM_REASON_TEXT], "nothing");

        /* rows of another form */
        model = model_free(model);
        ASSERT_TRUE(sd_bus_message_rewind(manager, true) >= 0);
        ASSERT_TRUE(sd_bus_message_rewind(devices, true) >= 0);
        ASSERT_TRUE(client_read_list(manager, devices, devices, &model) < 0);
        ASSERT_TRUE(!model);
}

int main(void)
{
        sd_bus *server, *client;
        sd_event *event = NULL;

        ASSERT_TRUE(sd_event_new(&event) >= 0);
        test_pair(event, &server, &client);
        test_foreign_objects(client);
        test_other_replies(client);
        test_foreign_lists(client);
        sd_bus_close_unref(server);
        sd_bus_close_unref(client);
        sd_event_unref(event);
        return 0;
}
