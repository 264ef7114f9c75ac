/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus-fixture.h"
#include "bus/names.h"
#include "bus/turns.h"

/* Who asks for everything, again and again, does not keep others waiting. */

#define N_CONNECTIONS 4

typedef struct Flood {
        Fixture fixture;
        TestReply replies[N_CONNECTIONS][TURNS_SENDER_MAX];
        TestReply once_more;
} Flood;

static sd_bus_message *from(sd_bus_message *call, unsigned sender)
{
        char name[16];

        snprintf(name, sizeof(name), ":1.%u", sender);
        ASSERT_TRUE(sd_bus_message_set_sender(call, name) >= 0);
        return call;
}

static void send_call(Flood *flood, unsigned sender, const char *interface, const char *member,
        TestReply *reply)
{
        sd_bus *client = flood->fixture.client;

        test_send(client,
                from(test_call_new(client, NULL, BUS_ROOT, interface, member, NULL), sender), reply);
}

static void send_all(Flood *flood, unsigned sender, TestReply *reply)
{
        send_call(flood, sender, OBJECT_MANAGER, "GetManagedObjects", reply);
}

static void send_list(Flood *flood, unsigned sender, TestReply *reply)
{
        send_call(flood, sender, BUS_INTERFACE_MANAGER, "ListDevices", reply);
}

static unsigned count_answered(const Flood *flood)
{
        unsigned n = 0;

        for (unsigned i = 0; i < N_CONNECTIONS; i++)
                for (unsigned j = 0; j < TURNS_SENDER_MAX; j++)
                        n += flood->replies[i][j].message != NULL;
        return n;
}

static void begin(Flood *flood)
{
        *flood = (Flood){};
        fixture_init(&flood->fixture, view_new(fixture_machine));
        for (unsigned i = 0; i < N_CONNECTIONS; i++)
                for (unsigned j = 0; j < TURNS_SENDER_MAX; j++)
                        send_all(flood, 1000 + i, &flood->replies[i][j]);
}

static bool all_are_answered(void *userdata)
{
        return count_answered(userdata) == N_CONNECTIONS * TURNS_SENDER_MAX;
}

static void finish(Flood *flood)
{
        test_run_until(flood->fixture.event, all_are_answered, flood);
        for (unsigned i = 0; i < N_CONNECTIONS; i++)
                for (unsigned j = 0; j < TURNS_SENDER_MAX; j++) {
                        test_expect_return(flood->replies[i][j].message);
                        test_cancel(&flood->replies[i][j]);
                }
        fixture_done(&flood->fixture);
}

static void test_others_are_answered(void)
{
        Flood flood;

        begin(&flood);
        _cleanup_message_ sd_bus_message *reply = test_call(flood.fixture.event,
                flood.fixture.client,
                from(test_call_new(flood.fixture.client, NULL, BUS_ROOT, PROPERTIES, "GetAll", "s",
                             BUS_INTERFACE_MANAGER),
                        1));
        test_expect_return(reply);
        /* two at the most: the one whose turn it was, and one that followed */
        ASSERT_TRUE(count_answered(&flood) <= 2);
        finish(&flood);
}

/* Somebody else's first comes before anybody's second. */
static void test_by_turns(void)
{
        Flood flood;

        begin(&flood);
        send_all(&flood, 1, &flood.once_more);
        _cleanup_message_ sd_bus_message *reply = test_wait(flood.fixture.event, &flood.once_more);
        test_expect_return(reply);
        ASSERT_TRUE(count_answered(&flood) <= N_CONNECTIONS + 2);
        finish(&flood);
}

/* ListDevices counts with the others. */
static void test_bounded(void)
{
        TestReply more[3];
        Flood flood;

        begin(&flood);
        for (unsigned i = 0; i < ELEMENTSOF(more); i++)
                send_list(&flood, 1000, &more[i]);
        _cleanup_message_ sd_bus_message *first = test_wait(flood.fixture.event, &more[0]);
        _cleanup_message_ sd_bus_message *last = test_wait(flood.fixture.event, &more[2]);
        ASSERT_TRUE(!sd_bus_message_is_method_error(first, NULL) ||
                sd_bus_message_is_method_error(first, SD_BUS_ERROR_LIMITS_EXCEEDED));
        test_expect_error(last, SD_BUS_ERROR_LIMITS_EXCEEDED, "ListDevices");
        test_cancel(&more[1]);
        finish(&flood);
}

/* The connection ends while some wait. */
static void test_end(void)
{
        Flood flood;

        begin(&flood);
        while (count_answered(&flood) == 0)
                ASSERT_TRUE(sd_event_run(flood.fixture.event, USEC_PER_SEC) >= 0);
        for (unsigned i = 0; i < N_CONNECTIONS; i++)
                for (unsigned j = 0; j < TURNS_SENDER_MAX; j++)
                        test_cancel(&flood.replies[i][j]);
        fixture_done(&flood.fixture);
}

int main(void)
{
        test_others_are_answered();
        test_by_turns();
        test_bounded();
        test_end();
        return 0;
}
