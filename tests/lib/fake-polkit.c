/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fake-polkit.h"

#include "bus/names.h"
#include "lib/test.h"

static int reply(sd_bus_message *call, FakeAnswer answer)
{
        if (answer == FAKE_ERROR)
                return sd_bus_reply_method_errorf(call, POLKIT_NAME ".Error.Failed", "Broken");
        return sd_bus_reply_method_return(call, "(bba{ss})", answer == FAKE_ALLOW,
                answer == FAKE_CHALLENGE, 0);
}

static void read_details(FakePolkit *polkit, sd_bus_message *call)
{
        const char *name, *value;
        size_t n = 0;

        polkit->details[0] = 0;
        ASSERT_TRUE(sd_bus_message_enter_container(call, 'a', "{ss}") > 0);
        while (sd_bus_message_read(call, "{ss}", &name, &value) > 0) {
                n += (size_t) snprintf(polkit->details + n, sizeof(polkit->details) - n, "%s%s=%s",
                        n > 0 ? " " : "", name, value);
                ASSERT_TRUE(n < sizeof(polkit->details));
        }
        ASSERT_TRUE(sd_bus_message_exit_container(call) >= 0);
}

static int on_check(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error)
{
        FakePolkit *polkit = userdata;
        const char *kind, *key, *subject, *action, *cancellation;

        ASSERT_TRUE(sd_bus_message_read(call, "(sa{sv})s", &kind, 1, &key, "s", &subject, &action) >
                0);
        ASSERT_STREQ(kind, "system-bus-name");
        ASSERT_STREQ(key, "name");
        read_details(polkit, call);
        ASSERT_TRUE(sd_bus_message_read(call, "us", &polkit->flags, &cancellation) > 0);
        snprintf(polkit->subject, sizeof(polkit->subject), "%s", subject);
        snprintf(polkit->action, sizeof(polkit->action), "%s", action);
        snprintf(polkit->cancellation, sizeof(polkit->cancellation), "%s", cancellation);
        polkit->n_asked++;
        if (polkit->answer != FAKE_HANG)
                return reply(call, polkit->answer);
        ASSERT_TRUE(polkit->n_held < FAKE_HELD_MAX);
        polkit->held[polkit->n_held++] = sd_bus_message_ref(call);
        return 1;
}

static int on_cancel(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error)
{
        FakePolkit *polkit = userdata;
        const char *cancellation;

        ASSERT_TRUE(sd_bus_message_read(call, "s", &cancellation) > 0);
        snprintf(polkit->cancelled, sizeof(polkit->cancelled), "%s", cancellation);
        polkit->n_cancelled++;
        return sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check,
                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("CancelCheckAuthorization", "s", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

void fake_polkit_init(FakePolkit *polkit, sd_bus *connection)
{
        *polkit = (FakePolkit){};
        ASSERT_TRUE(sd_bus_add_object_vtable(connection, NULL, POLKIT_PATH, POLKIT_INTERFACE,
                            vtable, polkit) >= 0);
        ASSERT_TRUE(sd_bus_request_name_async(connection, NULL, POLKIT_NAME, 0, NULL, NULL) >= 0);
}

void fake_polkit_answer(FakePolkit *polkit, FakeAnswer answer)
{
        for (size_t i = 0; i < polkit->n_held; i++) {
                ASSERT_TRUE(reply(polkit->held[i], answer) >= 0);
                sd_bus_message_unref(polkit->held[i]);
        }
        polkit->n_held = 0;
}

void fake_polkit_done(FakePolkit *polkit)
{
        for (size_t i = 0; i < polkit->n_held; i++)
                sd_bus_message_unref(polkit->held[i]);
        polkit->n_held = 0;
}
