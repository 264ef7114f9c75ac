/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/bus.h"
#include "lib/bus-test.h"
#include "lib/fake-manager.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/io.h"
#include "util/strings.h"

#include <fcntl.h>

/* Three descriptions of each interface must agree: the file that is installed, the one that
 * "vfio-bindd --bus-introspect=" prints, and what a client is told.
 * Arguments: the program, the files of conf/dbus. */

/* The tags of one interface, one a line: no comments, no text, no attribute order, no blanks. */
static void append_tag(Buffer *out, const char *tag, size_t length)
{
        static const char *const attributes[] = { "name", "type", "direction", "access", "value" };
        char text[512];

        ASSERT_TRUE(length < sizeof(text));
        memcpy(text, tag, length);
        text[length] = 0;
        buffer_append_length(out, text, strcspn(text, " >"));
        for (size_t i = 0; i < ELEMENTSOF(attributes); i++) {
                char key[32];

                snprintf(key, sizeof(key), " %s=\"", attributes[i]);
                const char *value = strstr(text, key);
                if (value) {
                        value += strlen(key);
                        buffer_append(out, key);
                        buffer_append_length(out, value, strcspn(value, "\""));
                        buffer_append(out, "\"");
                }
        }
        /* an element without content may be written as one tag or two */
        if (text[length - 1] == '/') {
                buffer_append(out, ">\n</");
                buffer_append_length(out, text + 1, strcspn(text, " /") - 1);
        }
        buffer_append(out, ">\n");
}

static char *normalize(const char *xml, const char *interface)
{
        _cleanup_free_ char *begin = NULL;
        Buffer out = {};
        char *result = NULL;
        bool inside = false;

        ASSERT_OK(format_string(&begin, "<interface name=\"%s\"", interface));
        for (const char *c = strchr(xml, '<'); c; c = strchr(c + 1, '<')) {
                if (startswith(c, "<!--")) {
                        c = strstr(c, "-->");
                        ASSERT_TRUE(c);
                        continue;
                }
                if (startswith(c, begin))
                        inside = true;
                if (inside)
                        append_tag(&out, c, strcspn(c, ">"));
                if (startswith(c, "</interface>"))
                        inside = false;
        }
        ASSERT_OK(buffer_finish(&out, &result));
        return result;
}

static char *print(const char *program, const char *interface)
{
        _cleanup_free_ char *command = NULL;
        char buffer[1024], *text = NULL;
        Buffer out = {};
        size_t n;

        ASSERT_OK(format_string(&command, "'%s' --bus-introspect=%s", program, interface));
        FILE *pipe = popen(command, "re");
        ASSERT_TRUE(pipe);
        while ((n = fread(buffer, 1, sizeof(buffer), pipe)) > 0)
                buffer_append_length(&out, buffer, n);
        ASSERT_OK(pclose(pipe));
        ASSERT_OK(buffer_finish(&out, &text));
        return text;
}

static char *read_xml(const char *path)
{
        char *text = NULL;

        ASSERT_OK(read_file_at(AT_FDCWD, path, 1 << 20, &text, NULL));
        return text;
}

static const char *object_of(const char *interface)
{
        if (streq(interface, BUS_INTERFACE_DEVICE))
                return BUS_PREFIX_DEVICE "/pci_0000_01_00_0";
        if (streq(interface, BUS_INTERFACE_GROUP))
                return BUS_PREFIX_GROUP "/14";
        if (streq(interface, BUS_INTERFACE_CLAIM))
                return BUS_PREFIX_CLAIM "/gpu";
        if (streq(interface, BUS_INTERFACE_PHYSICAL_FUNCTION))
                return BUS_PREFIX_PHYSICAL_FUNCTION "/nic0";
        return BUS_ROOT;
}

static void test_interface(sd_event *event, sd_bus *client, const char *program,
        const char *path)
{
        const char *file_name = strrchr(path, '/') + 1;
        _cleanup_free_ char *interface = strndup(file_name, strlen(file_name) - strlen(".xml"));
        _cleanup_free_ char *file = read_xml(path), *printed = print(program, interface);
        _cleanup_free_ char *wanted = normalize(file, interface);
        _cleanup_free_ char *got = normalize(printed, interface);
        _cleanup_free_ char *seen = NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *xml;

        ASSERT_CONTAINS(wanted, "<property");
        ASSERT_STREQ(got, wanted);

        reply = test_call(event, client, test_call_new(client, NULL, object_of(interface),
                "org.freedesktop.DBus.Introspectable", "Introspect", NULL));
        test_expect_return(reply);
        ASSERT_TRUE(sd_bus_message_read(reply, "s", &xml) >= 0);
        seen = normalize(xml, interface);
        ASSERT_STREQ(seen, wanted);
}

int main(int argc, char **argv)
{
        sd_event *event = NULL;
        sd_bus *server, *client;
        Manager manager;
        Bus *bus = NULL;

        ASSERT_EQ(argc - 2, BUS_N_INTERFACES);
        ASSERT_TRUE(sd_event_new(&event) >= 0);
        fake_manager_init(&manager, event);
        fake_manager_publish(&manager,
                fake_view_new("claim gpu 0000:01:00.0\npf nic0 4 0000:06:00.0",
                        "0000:01:00.0 id=10de:2482 group=14\n0000:06:00.0 id=8086:10c9 vfs=7"));
        test_pair(event, &server, &client);
        ASSERT_OK(bus_new(event, &manager, &(BusOptions){}, &bus));
        ASSERT_OK(bus_serve(bus, server));
        for (int i = 2; i < argc; i++)
                test_interface(event, client, argv[1], argv[i]);
        ASSERT_EQ(bus_print_introspection("org.vfio.Bind1.Nothing", stdout), -ENOENT);

        bus_free(bus);
        sd_bus_flush_close_unref(client);
        sd_bus_flush_close_unref(server);
        fake_manager_done(&manager);
        sd_event_unref(event);
        return 0;
}
