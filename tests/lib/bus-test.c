/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/bus-test.h"

#include <stdarg.h>
#include <sys/socket.h>

#include "lib/test.h"
#include "util/io.h"

#define DEADLINE_USEC (60 * USEC_PER_SEC)

sd_bus_message *test_call_new(sd_bus *client, const char *destination, const char *path,
        const char *interface, const char *member, const char *types, ...)
{
        sd_bus_message *call = NULL;
        va_list arguments;

        ASSERT_TRUE(sd_bus_message_new_method_call(client, &call, destination, path, interface,
                            member) >= 0);
        if (types && *types) {
                va_start(arguments, types);
                ASSERT_TRUE(sd_bus_message_appendv(call, types, arguments) >= 0);
                va_end(arguments);
        }
        return call;
}

static int on_reply(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        TestReply *reply = userdata;

        reply->message = sd_bus_message_ref(message);
        return 0;
}

void test_send(sd_bus *client, sd_bus_message *call, TestReply *ret)
{
        *ret = (TestReply){};
        ASSERT_TRUE(sd_bus_call_async(client, &ret->slot, call, on_reply, ret, 0) >= 0);
        sd_bus_message_unref(call);
}

void test_run_until(sd_event *event, bool (*condition)(void *userdata), void *userdata)
{
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;

        while (!condition(userdata)) {
                ASSERT_TRUE(sd_event_run(event, USEC_PER_SEC) >= 0);
                ASSERT_TRUE(now_monotonic() < deadline);
        }
}

static bool has_reply(void *userdata)
{
        return ((TestReply *) userdata)->message != NULL;
}

sd_bus_message *test_wait(sd_event *event, TestReply *reply)
{
        test_run_until(event, has_reply, reply);
        sd_bus_slot_unref(reply->slot);
        return TAKE_POINTER(reply->message);
}

void test_cancel(TestReply *reply)
{
        sd_bus_slot_unref(reply->slot);
        sd_bus_message_unref(reply->message);
}

sd_bus_message *test_call(sd_event *event, sd_bus *client, sd_bus_message *call)
{
        TestReply reply;

        test_send(client, call, &reply);
        return test_wait(event, &reply);
}

void test_expect_return(sd_bus_message *reply)
{
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (error)
                fprintf(stderr, "%s: %s\n", error->name, error->message);
        ASSERT_TRUE(!error);
}

void test_expect_error(sd_bus_message *reply, const char *name, const char *part)
{
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        ASSERT_TRUE(error);
        ASSERT_STREQ(error->name, name);
        if (part)
                ASSERT_CONTAINS(error->message, part);
}

void test_pair(sd_event *event, sd_bus **ret_server, sd_bus **ret_client)
{
        sd_id128_t id = SD_ID128_MAKE(10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 1a, 1b, 1c, 1d, 1e,
                1f);
        sd_bus *server = NULL, *client = NULL;
        int fds[2];

        ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
        ASSERT_OK(sd_bus_new(&server));
        ASSERT_OK(sd_bus_set_fd(server, fds[0], fds[0]));
        ASSERT_OK(sd_bus_set_server(server, true, id));
        ASSERT_OK(sd_bus_set_anonymous(server, true));
        ASSERT_OK(sd_bus_new(&client));
        ASSERT_OK(sd_bus_set_fd(client, fds[1], fds[1]));
        ASSERT_OK(sd_bus_set_anonymous(client, true));
        ASSERT_TRUE(sd_bus_start(server) >= 0);
        ASSERT_TRUE(sd_bus_start(client) >= 0);
        ASSERT_TRUE(sd_bus_attach_event(server, event, SD_EVENT_PRIORITY_NORMAL) >= 0);
        ASSERT_TRUE(sd_bus_attach_event(client, event, SD_EVENT_PRIORITY_NORMAL) >= 0);
        *ret_server = server;
        *ret_client = client;
}
