/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/bus-fixture.h"
#include "bus/system-state.h"

/* What the service manager says of the system, and what happens if it says nothing. */

static const char *answer; /* NULL: an error */

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return answer ? sd_bus_message_append(reply, "s", answer) : -EACCES;
}

static const sd_bus_vtable service_manager[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("SystemState", "s", get_state, 0, 0),
        SD_BUS_VTABLE_END,
};

static void expect_state(Fixture *f, const char *text, SystemState expected)
{
        unsigned n = f->manager.n_system_states;

        answer = text;
        ASSERT_OK(bus_ask_system_state(f->bus));
        ASSERT_EQ(f->manager.n_system_states, n);
        while (f->manager.n_system_states == n)
                ASSERT_TRUE(sd_event_run(f->event, 60 * USEC_PER_SEC) > 0);
        ASSERT_EQ(f->manager.n_system_states, n + 1);
        ASSERT_EQ(f->manager.system_state, expected);
}

static void init(Fixture *f)
{
        fixture_init(f, NULL);
        while (sd_bus_is_ready(f->server) <= 0)
                ASSERT_TRUE(sd_event_run(f->event, 60 * USEC_PER_SEC) > 0);
}

static void test_answers(void)
{
        Fixture f;

        init(&f);
        expect_state(&f, "running", SYSTEM_UNKNOWN); /* there is no such object */
        ASSERT_TRUE(sd_bus_add_object_vtable(f.client, NULL, "/org/freedesktop/systemd1",
                            "org.freedesktop.systemd1.Manager", service_manager, NULL) >= 0);
        expect_state(&f, "running", SYSTEM_UP);
        expect_state(&f, "degraded", SYSTEM_UP);
        expect_state(&f, "stopping", SYSTEM_STOPPING);
        expect_state(&f, "starting", SYSTEM_UNKNOWN);
        expect_state(&f, "maintenance", SYSTEM_UNKNOWN);
        expect_state(&f, "", SYSTEM_UNKNOWN);
        expect_state(&f, NULL, SYSTEM_UNKNOWN);
        fixture_done(&f);
}

/* Asked twice, answered once; a connection that goes away is an answer too, but not at the end. */
static void test_lost_answer(void)
{
        sd_bus *server, *client;
        Fixture f;

        init(&f);
        test_pair(f.event, &server, &client);
        ASSERT_OK(bus_ask_system_state(f.bus));
        ASSERT_OK(bus_ask_system_state(f.bus));
        ASSERT_OK(bus_serve(f.bus, server));
        ASSERT_EQ(f.manager.n_system_states, 1);
        ASSERT_EQ(f.manager.system_state, SYSTEM_UNKNOWN);
        while (sd_bus_is_ready(server) <= 0)
                ASSERT_TRUE(sd_event_run(f.event, 60 * USEC_PER_SEC) > 0);
        ASSERT_OK(bus_ask_system_state(f.bus));
        f.bus = bus_free(f.bus);
        ASSERT_EQ(f.manager.n_system_states, 1);
        sd_bus_flush_close_unref(client);
        sd_bus_flush_close_unref(server);
        fixture_done(&f);
}

int main(void)
{
        test_answers();
        test_lost_answer();
        return 0;
}
