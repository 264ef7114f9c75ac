/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus-fixture.h"
#include "bus/names.h"

/* Many callers at once: nobody's calls must not take the room of root's, nor memory without end.
 * The client plays the message bus and polkit; both answer when the test says. */

#define HELD_MAX 512

typedef struct Scene {
        Fixture fixture;
        sd_bus_message *lookups[HELD_MAX], *questions[HELD_MAX];
        size_t n_lookups, n_questions;
} Scene;

static int on_lookup(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error)
{
        Scene *scene = userdata;

        ASSERT_TRUE(scene->n_lookups < HELD_MAX);
        scene->lookups[scene->n_lookups++] = sd_bus_message_ref(call);
        return 1;
}

static int on_polkit(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error)
{
        Scene *scene = userdata;

        if (!sd_bus_message_is_method_call(call, POLKIT_INTERFACE, "CheckAuthorization"))
                return sd_bus_reply_method_return(call, NULL);
        ASSERT_TRUE(scene->n_questions < HELD_MAX);
        scene->questions[scene->n_questions++] = sd_bus_message_ref(call);
        return 1;
}

static const sd_bus_vtable message_bus[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("GetConnectionUnixUser", "s", "u", on_lookup, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void scene_init(Scene *scene)
{
        *scene = (Scene){};
        fixture_init(&scene->fixture, view_new(fixture_machine));
        ASSERT_TRUE(sd_bus_add_object(scene->fixture.client, NULL, POLKIT_PATH, on_polkit,
                            scene) >= 0);
        ASSERT_TRUE(sd_bus_add_object_vtable(scene->fixture.client, NULL, DBUS_PATH, DBUS_INTERFACE,
                            message_bus, scene) >= 0);
}

static void run(Scene *scene)
{
        while (sd_event_run(scene->fixture.event, 0) > 0)
                ;
}

/* ":1.0" is root, ":1.1004" the fifth connection of user 1. */
static void answer_lookups(Scene *scene)
{
        for (size_t i = 0; i < scene->n_lookups; i++) {
                const char *name;

                ASSERT_TRUE(sd_bus_message_read(scene->lookups[i], "s", &name) > 0);
                ASSERT_TRUE(sd_bus_reply_method_return(scene->lookups[i], "u",
                                    (uint32_t) strtoul(name + 3, NULL, 10) / 1000) >= 0);
                sd_bus_message_unref(scene->lookups[i]);
        }
        scene->n_lookups = 0;
        run(scene);
}

static void deny_all(Scene *scene)
{
        for (size_t i = 0; i < scene->n_questions; i++) {
                ASSERT_TRUE(sd_bus_reply_method_return(scene->questions[i], "(bba{ss})", false,
                                    false, 0) >= 0);
                sd_bus_message_unref(scene->questions[i]);
        }
        scene->n_questions = 0;
        run(scene);
}

static sd_bus_message *from(sd_bus_message *call, unsigned sender)
{
        char name[16];

        snprintf(name, sizeof(name), ":1.%u", sender);
        ASSERT_TRUE(sd_bus_message_set_sender(call, name) >= 0);
        return call;
}

static void send_bind(Scene *scene, unsigned sender, TestReply *reply)
{
        test_send(scene->fixture.client,
                from(test_call_new(scene->fixture.client, NULL, GPU, BUS_INTERFACE_DEVICE, "Bind",
                             "a{sv}", 0),
                        sender),
                reply);
}

static void expect_limit(TestReply *reply)
{
        ASSERT_TRUE(reply->message);
        test_expect_error(reply->message, SD_BUS_ERROR_LIMITS_EXCEEDED, NULL);
        test_cancel(reply);
}

static void expect_denied(TestReply *reply)
{
        ASSERT_TRUE(reply->message);
        test_expect_error(reply->message, SD_BUS_ERROR_ACCESS_DENIED, NULL);
        test_cancel(reply);
}

static void expect_root_is_served(Scene *scene)
{
        Manager *manager = &scene->fixture.manager;
        TestReply reply;

        send_bind(scene, 0, &reply);
        run(scene);
        answer_lookups(scene);
        ASSERT_TRUE(!reply.message);
        ASSERT_TRUE(manager->pending);
        fake_manager_finish(manager, 0, STATE_BOUND, REASON_NONE);
        run(scene);
        ASSERT_TRUE(reply.message);
        test_expect_return(reply.message);
        test_cancel(&reply);
}

/* One user on many connections, all before anybody knows who they are. */
static void test_crowd(void)
{
        enum { N_CONNECTIONS = 40 };
        static TestReply replies[N_CONNECTIONS][BOUNCER_PENDING_SENDER_MAX];
        unsigned n_denied = 0, n_refused = 0;
        Scene scene;

        scene_init(&scene);
        for (unsigned i = 0; i < N_CONNECTIONS; i++)
                for (unsigned j = 0; j < BOUNCER_PENDING_SENDER_MAX; j++)
                        send_bind(&scene, 1000 + i, &replies[i][j]);
        run(&scene);
        ASSERT_EQ(scene.n_lookups, N_CONNECTIONS * BOUNCER_PENDING_SENDER_MAX);
        expect_root_is_served(&scene);
        ASSERT_EQ(scene.n_questions, BOUNCER_PENDING_USER_MAX);

        /* as long as polkit hangs, too */
        expect_root_is_served(&scene);
        deny_all(&scene);
        for (unsigned i = 0; i < N_CONNECTIONS; i++)
                for (unsigned j = 0; j < BOUNCER_PENDING_SENDER_MAX; j++) {
                        sd_bus_message *reply = replies[i][j].message;

                        ASSERT_TRUE(reply);
                        if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_ACCESS_DENIED))
                                n_denied++;
                        else
                                n_refused += sd_bus_message_is_method_error(
                                        reply, SD_BUS_ERROR_LIMITS_EXCEEDED) > 0;
                        test_cancel(&replies[i][j]);
                }
        ASSERT_EQ(n_denied, BOUNCER_PENDING_USER_MAX);
        ASSERT_EQ(n_denied + n_refused, N_CONNECTIONS * BOUNCER_PENDING_SENDER_MAX);
        ASSERT_EQ(bouncer_n_pending(bus_bouncer(scene.fixture.bus)), 0);
        fixture_done(&scene.fixture);
}

static void test_one_connection(void)
{
        TestReply replies[BOUNCER_PENDING_SENDER_MAX + 1];
        Scene scene;

        scene_init(&scene);
        for (unsigned i = 0; i < ELEMENTSOF(replies); i++)
                send_bind(&scene, 1000, &replies[i]);
        run(&scene);
        ASSERT_EQ(scene.n_lookups, BOUNCER_PENDING_SENDER_MAX);
        expect_limit(&replies[BOUNCER_PENDING_SENDER_MAX]);
        answer_lookups(&scene);
        deny_all(&scene);
        for (unsigned i = 0; i < BOUNCER_PENDING_SENDER_MAX; i++)
                expect_denied(&replies[i]);
        fixture_done(&scene.fixture);
}

/* Whatever the number of users, polkit is asked a bounded number of questions. */
static void test_many_users(void)
{
        enum { N_USERS = BOUNCER_PENDING_MAX + 1 };
        TestReply replies[N_USERS];
        Scene scene;

        scene_init(&scene);
        for (unsigned i = 0; i < N_USERS; i++) {
                send_bind(&scene, (i + 1) * 1000, &replies[i]);
                run(&scene);
                answer_lookups(&scene);
        }
        ASSERT_EQ(scene.n_questions, BOUNCER_PENDING_MAX);
        expect_limit(&replies[N_USERS - 1]);
        expect_root_is_served(&scene);
        deny_all(&scene);
        for (unsigned i = 0; i < N_USERS - 1; i++)
                expect_denied(&replies[i]);
        fixture_done(&scene.fixture);
}

static void expect_invalid(Scene *scene, sd_bus_message *call)
{
        expect_call_error(&scene->fixture, from(call, 1000), SD_BUS_ERROR_INVALID_ARGS, NULL);
        ASSERT_EQ(scene->n_lookups, 0);
        ASSERT_EQ(bouncer_n_pending(bus_bouncer(scene->fixture.bus)), 0);
}

/* What waits for an answer is kept: only a message of bounded size may wait. */
static void test_long_messages(void)
{
        enum { N = 5000 };
        char **names = NULL;
        sd_bus_message *call;
        Scene scene;

        scene_init(&scene);
        names = calloc(N + 1, sizeof(*names));
        ASSERT_TRUE(names);
        for (size_t i = 0; i < N; i++)
                names[i] = (char *) "gaming-gpu";
        call = test_call_new(scene.fixture.client, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "Apply",
                NULL);
        ASSERT_TRUE(sd_bus_message_append_strv(call, names) >= 0);
        ASSERT_TRUE(sd_bus_message_append(call, "a{sv}", 0) >= 0);
        expect_invalid(&scene, call);

        for (size_t i = 0; i < N; i++)
                names[i] = (char *) "display";
        call = test_call_new(scene.fixture.client, NULL, GPU, BUS_INTERFACE_DEVICE, "Bind", NULL);
        ASSERT_TRUE(sd_bus_message_open_container(call, 'a', "{sv}") >= 0);
        ASSERT_TRUE(sd_bus_message_open_container(call, 'e', "sv") >= 0);
        ASSERT_TRUE(sd_bus_message_append(call, "s", BUS_OPTION_ALLOW_IN_USE) >= 0);
        ASSERT_TRUE(sd_bus_message_open_container(call, 'v', "as") >= 0);
        ASSERT_TRUE(sd_bus_message_append_strv(call, names) >= 0);
        for (unsigned i = 0; i < 3; i++)
                ASSERT_TRUE(sd_bus_message_close_container(call) >= 0);
        expect_invalid(&scene, call);
        free(names);
        fixture_done(&scene.fixture);
}

int main(void)
{
        test_one_connection();
        test_many_users();
        test_long_messages();
        test_crowd();
        return 0;
}
