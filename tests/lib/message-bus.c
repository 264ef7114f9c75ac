/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/message-bus.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/bus-test.h"
#include "lib/test.h"
#include "util/io.h"

static const char configuration[] =
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\"\n"
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
        "<busconfig>\n"
        "  <listen>%s</listen>\n"
        "  <auth>EXTERNAL</auth>\n"
        "  <policy context=\"default\">\n"
        "    <allow user=\"*\"/>\n"
        "    <allow own=\"*\"/>\n"
        "    <allow send_destination=\"*\"/>\n"
        "    <allow receive_sender=\"*\"/>\n"
        "  </policy>\n"
        "  <include>%s</include>\n"
        "</busconfig>\n";

void message_bus_init(MessageBus *bus, const char *policy)
{
        _cleanup_free_ char *policy_path = realpath(policy, NULL);
        char path[128];
        FILE *file;

        ASSERT_TRUE(policy_path);
        *bus = (MessageBus){ .directory = "/tmp/message-bus-XXXXXX" };
        ASSERT_TRUE(mkdtemp(bus->directory));
        snprintf(bus->address, sizeof(bus->address), "unix:path=%s/socket", bus->directory);
        snprintf(path, sizeof(path), "%s/configuration", bus->directory);
        file = fopen(path, "we");
        ASSERT_TRUE(file);
        fprintf(file, configuration, bus->address, policy_path);
        ASSERT_OK(fclose(file));
}

static void run_daemon(const MessageBus *bus)
{
        char argument[128];

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(argument, sizeof(argument), "--config-file=%s/configuration", bus->directory);
        execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", argument, NULL);
        _exit(127);
}

void message_bus_start(MessageBus *bus)
{
        ASSERT_EQ(bus->process, 0);
        if (access("/usr/bin/dbus-daemon", X_OK) < 0) {
                message_bus_done(bus);
                TEST_SKIP("there is no dbus-daemon");
        }
        bus->process = fork();
        ASSERT_TRUE(bus->process >= 0);
        if (bus->process == 0)
                run_daemon(bus);
}

void message_bus_stop(MessageBus *bus)
{
        if (bus->process <= 0)
                return;
        ASSERT_OK(kill(bus->process, SIGKILL));
        ASSERT_EQ(waitpid(bus->process, NULL, 0), bus->process);
        bus->process = 0;
}

void message_bus_done(MessageBus *bus)
{
        static const char *const names[] = { "socket", "configuration" };
        char path[128];

        message_bus_stop(bus);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", bus->directory, names[i]);
                (void) unlink(path);
        }
        (void) rmdir(bus->directory);
}

sd_bus *message_bus_client(const MessageBus *bus, sd_event *event)
{
        sd_bus *client = NULL;

        ASSERT_TRUE(sd_bus_new(&client) >= 0);
        ASSERT_TRUE(sd_bus_set_address(client, bus->address) >= 0);
        ASSERT_TRUE(sd_bus_set_bus_client(client, true) >= 0);
        ASSERT_TRUE(sd_bus_set_watch_bind(client, true) >= 0);
        ASSERT_TRUE(sd_bus_start(client) >= 0);
        ASSERT_TRUE(sd_bus_attach_event(client, event, SD_EVENT_PRIORITY_NORMAL) >= 0);
        return client;
}

void message_bus_wait_for_name(sd_event *event, sd_bus *client, const char *name, bool owned)
{
        uint64_t deadline = now_monotonic() + 60 * USEC_PER_SEC;
        int has_owner = !owned;

        while (has_owner != owned) {
                _cleanup_message_ sd_bus_message *reply = test_call(event, client,
                        test_call_new(client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                "org.freedesktop.DBus", "NameHasOwner", "s", name));

                test_expect_return(reply);
                ASSERT_TRUE(sd_bus_message_read(reply, "b", &has_owner) > 0);
                ASSERT_TRUE(now_monotonic() < deadline);
        }
}
