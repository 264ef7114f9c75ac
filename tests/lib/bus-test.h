/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "util/macro.h"

/* Calls over a bus whose both ends live in one event loop: nothing blocks and nothing waits for a
 * time to pass. */

static inline void message_unref(sd_bus_message **message)
{
        sd_bus_message_unref(*message);
}
#define _cleanup_message_ _cleanup_(message_unref)

/* A method call to `destination` (NULL: the peer), with the arguments of sd_bus_message_append();
 * the result is not sent yet. */
sd_bus_message *test_call_new(sd_bus *client, const char *destination, const char *path,
        const char *interface, const char *member, const char *types, ...);

/* A call that was sent and whose reply is still to come. */
typedef struct TestReply {
        sd_bus_message *message; /* NULL: not there yet */
        sd_bus_slot *slot;
} TestReply;

/* Sends the call, which is consumed. */
void test_send(sd_bus *client, sd_bus_message *call, TestReply *ret);
/* Runs the loop until the reply is there: a return or an error. */
sd_bus_message *test_wait(sd_event *event, TestReply *reply);
void test_cancel(TestReply *reply);
/* All of the above. */
sd_bus_message *test_call(sd_event *event, sd_bus *client, sd_bus_message *call);

/* Runs the loop until condition(userdata) holds; aborts after a minute. */
void test_run_until(sd_event *event, bool (*condition)(void *userdata), void *userdata);

/* Both fail the test if the reply is of the other kind. */
void test_expect_return(sd_bus_message *reply);
void test_expect_error(sd_bus_message *reply, const char *name, const char *part);

/* Two connected ends without a bus between them, attached to the loop. */
void test_pair(sd_event *event, sd_bus **ret_server, sd_bus **ret_client);
