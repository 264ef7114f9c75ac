/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "bus/bus.h"
#include "lib/bus-test.h"
#include "lib/fake-manager.h"
#include "lib/fake-polkit.h"
#include "lib/message-bus.h"
#include "lib/test.h"
#include "util/strings.h"

/* Methods that change something: who may call them, what the manager is asked, what comes back;
 * over a private message bus with a polkit of our own. */

#define GPU BUS_PREFIX_DEVICE "/pci_0000_01_00_0"
#define AUDIO BUS_PREFIX_DEVICE "/pci_0000_01_00_1"

static const char *policy; /* conf/dbus/org.vfio.Bind1.conf */

static const char config[] = "claim gaming-gpu 0000:01:00.0\n";
static const char machine[] =
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=nouveau\n"
        "0000:01:00.1 id=10de:228b class=040300 group=14 driver=snd_hda_intel\n"
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3\n"
        "use 0000:01:00.0 display it is the boot display\n";
static const char machine_without_gpu[] =
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3\n";

typedef struct Fixture {
        MessageBus message_bus;
        sd_event *event;
        Manager manager;
        Bus *bus;
        sd_bus *client, *polkit_connection;
        FakePolkit polkit;
} Fixture;

static void on_changed(void *userdata, View *old, View *new)
{
        bus_view_changed(userdata, old, new);
}

static void bus_init(Fixture *f, uid_t trusted, uint64_t timeout_usec)
{
        BusOptions options = {
                .address = f->message_bus.address,
                .bouncer = { .trusted_uid = trusted, .timeout_usec = timeout_usec },
        };

        ASSERT_OK(bus_new(f->event, &f->manager, &options, &f->bus));
        manager_set_listener(&f->manager, &(ManagerListener){ on_changed, f->bus });
        ASSERT_OK(bus_start(f->bus));
}

static void fixture_init_with(Fixture *f, uid_t trusted, uint64_t timeout_usec, bool with_polkit)
{
        *f = (Fixture){};
        message_bus_init(&f->message_bus, policy);
        message_bus_start(&f->message_bus);
        ASSERT_TRUE(sd_event_new(&f->event) >= 0);
        fake_manager_init(&f->manager, f->event);
        fake_manager_publish(&f->manager, fake_view_new(config, machine));
        bus_init(f, trusted, timeout_usec);
        f->client = message_bus_client(&f->message_bus, f->event);
        if (with_polkit) {
                f->polkit_connection = message_bus_client(&f->message_bus, f->event);
                fake_polkit_init(&f->polkit, f->polkit_connection);
                message_bus_wait_for_name(f->event, f->client, POLKIT_NAME, true);
        }
        message_bus_wait_for_name(f->event, f->client, BUS_NAME, true);
}

/* Somebody who is not trusted, so that polkit is asked. */
static void fixture_init(Fixture *f)
{
        fixture_init_with(f, getuid() + 1, 0, true);
}

static void fixture_done(Fixture *f)
{
        fake_polkit_done(&f->polkit);
        bus_free(f->bus);
        sd_bus_close_unref(f->client);
        sd_bus_close_unref(f->polkit_connection);
        fake_manager_done(&f->manager);
        sd_event_unref(f->event);
        message_bus_done(&f->message_bus);
}

static sd_bus_message *bind_call(sd_bus *client)
{
        return test_call_new(client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "BindDevice",
                "sa{sv}", "0000:01:00.0", 0);
}

static sd_bus_message *interactive(sd_bus_message *call)
{
        ASSERT_TRUE(sd_bus_message_set_allow_interactive_authorization(call, true) >= 0);
        return call;
}

static void expect_error(Fixture *f, sd_bus_message *call, const char *name, const char *part)
{
        _cleanup_message_ sd_bus_message *reply = test_call(f->event, f->client, call);

        test_expect_error(reply, name, part);
}

static bool has_pending(void *userdata)
{
        return ((Fixture *) userdata)->manager.pending;
}

static bool is_held(void *userdata)
{
        return ((Fixture *) userdata)->polkit.n_held > 0;
}

static bool was_cancelled(void *userdata)
{
        return ((Fixture *) userdata)->polkit.n_cancelled > 0;
}

static bool nothing_waits(void *userdata)
{
        return bouncer_n_pending(bus_bouncer(((Fixture *) userdata)->bus)) == 0;
}

/* Sends a call, lets the manager end it, and gives the reply. */
static sd_bus_message *call_and_finish(Fixture *f, sd_bus_message *call, int error, State state,
        Reason reason)
{
        TestReply reply;

        test_send(f->client, call, &reply);
        test_run_until(f->event, has_pending, f);
        fake_manager_finish(&f->manager, error, state, reason);
        return test_wait(f->event, &reply);
}

static void expect_finish_error(Fixture *f, sd_bus_message *call, int error, State state,
        Reason reason, const char *name, const char *part)
{
        _cleanup_message_ sd_bus_message *reply = call_and_finish(f, call, error, state, reason);

        test_expect_error(reply, name, part);
}

static void expect_paths(sd_bus_message *reply, const char *first, const char *second)
{
        char **paths = NULL;

        test_expect_return(reply);
        ASSERT_TRUE(sd_bus_message_read_strv(reply, &paths) >= 0);
        ASSERT_EQ(string_list_length(paths), 2);
        ASSERT_STREQ(paths[0], first);
        ASSERT_STREQ(paths[1], second);
        string_list_free(paths);
}

static void test_authorized(void)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *sender;
        Fixture f;

        fixture_init(&f);
        f.polkit.answer = FAKE_ALLOW;
        reply = call_and_finish(&f, bind_call(f.client), 0, STATE_BOUND, REASON_NONE);
        expect_paths(reply, GPU, AUDIO);
        ASSERT_EQ(f.polkit.n_asked, 1);
        ASSERT_STREQ(f.polkit.action, BUS_ACTION_BIND);
        ASSERT_STREQ(f.polkit.details,
                "device=0000:01:00.0 group=14 claim=gaming-gpu driver=vfio-pci");
        ASSERT_EQ(f.polkit.flags, 0);
        ASSERT_TRUE(sd_bus_get_unique_name(f.client, &sender) >= 0);
        ASSERT_STREQ(f.polkit.subject, sender);
        fixture_done(&f);
}

/* What is asked of the manager and of polkit, for each kind of request. */
static void test_actions(void)
{
        Fixture f;
        sd_bus_message *reply;

        fixture_init(&f);
        f.polkit.answer = FAKE_HANG;
        TestReply bind, release, apply;

        test_send(f.client,
                test_call_new(f.client, BUS_NAME, GPU, BUS_INTERFACE_DEVICE, "Bind", "a{sv}", 3,
                        "driver", "s", "pci-stub", "companions", "s", "all", "allow-in-use", "as",
                        2, "display", "process"),
                &bind);
        test_run_until(f.event, is_held, &f);
        ASSERT_STREQ(f.polkit.action, BUS_ACTION_OVERRIDE_GUARD);
        ASSERT_CONTAINS(f.polkit.details, "driver=pci-stub");
        fake_polkit_answer(&f.polkit, FAKE_ALLOW);
        test_run_until(f.event, has_pending, &f);
        ASSERT_EQ(f.manager.pending->manual, MANUAL_BOUND);
        ASSERT_STREQ(f.manager.pending->driver, "pci-stub");
        ASSERT_EQ(f.manager.pending->companions, COMPANIONS_ALL);
        ASSERT_EQ(f.manager.pending->allow_in_use, 1U << IN_USE_DISPLAY | 1U << IN_USE_PROCESS);
        ASSERT_EQ(f.manager.pending->function.bus, 1);
        ASSERT_TRUE(f.manager.pending->inode != 0);
        ASSERT_EQ(f.manager.pending->inode, f.manager.view->snapshot->devices[0].inode);
        fake_manager_finish(&f.manager, 0, STATE_BOUND, REASON_NONE);
        reply = test_wait(f.event, &bind);
        test_expect_return(reply);
        ASSERT_STREQ(sd_bus_message_get_signature(reply, true), "");
        sd_bus_message_unref(reply);

        test_send(f.client,
                test_call_new(f.client, BUS_NAME, GPU, BUS_INTERFACE_DEVICE, "Release", "a{sv}", 1,
                        "no-probe", "b", true),
                &release);
        test_run_until(f.event, is_held, &f);
        ASSERT_STREQ(f.polkit.action, BUS_ACTION_RELEASE);
        fake_polkit_answer(&f.polkit, FAKE_ALLOW);
        test_run_until(f.event, has_pending, &f);
        ASSERT_EQ(f.manager.pending->manual, MANUAL_RELEASED);
        ASSERT_EQ(f.manager.pending->inode, f.manager.view->snapshot->devices[0].inode);
        ASSERT_TRUE(f.manager.pending->no_probe);
        ASSERT_EQ(f.manager.pending->companions, -1);
        fake_manager_finish(&f.manager, 0, STATE_RELEASED, REASON_NONE);
        reply = test_wait(f.event, &release);
        test_expect_return(reply);
        sd_bus_message_unref(reply);

        test_send(f.client,
                test_call_new(f.client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "Apply",
                        "asa{sv}", 1, "gaming-gpu", 1, "prune", "b", true),
                &apply);
        test_run_until(f.event, is_held, &f);
        ASSERT_STREQ(f.polkit.action, BUS_ACTION_APPLY);
        ASSERT_STREQ(f.polkit.details, "claim=gaming-gpu");
        fake_polkit_answer(&f.polkit, FAKE_ALLOW);
        test_run_until(f.event, has_pending, &f);
        ASSERT_EQ(f.manager.pending->manual, MANUAL_NONE);
        ASSERT_TRUE(f.manager.pending->prune && !f.manager.pending->has_function);
        ASSERT_STREQ(f.manager.pending->claims[0], "gaming-gpu");
        fake_manager_finish(&f.manager, 0, STATE_REFUSED, REASON_IN_USE_DISPLAY);
        reply = test_wait(f.event, &apply);
        test_expect_return(reply);

        const char *path, *state, *reason;
        ASSERT_TRUE(sd_bus_message_enter_container(reply, 'a', "(oss)") > 0);
        ASSERT_TRUE(sd_bus_message_read(reply, "(oss)", &path, &state, &reason) > 0);
        ASSERT_STREQ(path, GPU);
        ASSERT_STREQ(state, "refused");
        ASSERT_STREQ(reason, "in-use-display");
        sd_bus_message_unref(reply);
        fixture_done(&f);
}

/* Who may have what one claim selects is not asked about that claim alone where the group, which
 * moves whole, has functions of another. */
static void test_claims_of_group(void)
{
        Fixture f;

        fixture_init(&f);
        f.polkit.answer = FAKE_DENY;
        fake_manager_publish(&f.manager,
                fake_view_new("claim gaming-gpu 0000:01:00.0\nclaim sound 0000:01:00.1\n",
                        machine));
        expect_error(&f, bind_call(f.client), SD_BUS_ERROR_ACCESS_DENIED, BUS_ACTION_BIND);
        ASSERT_STREQ(f.polkit.details,
                "device=0000:01:00.0 group=14 claim=gaming-gpu,sound driver=vfio-pci");
        expect_error(&f,
                test_call_new(f.client, BUS_NAME, AUDIO, BUS_INTERFACE_DEVICE, "Release", "a{sv}",
                        0),
                SD_BUS_ERROR_ACCESS_DENIED, BUS_ACTION_RELEASE);
        ASSERT_STREQ(f.polkit.details,
                "device=0000:01:00.1 group=14 claim=gaming-gpu,sound driver=snd_hda_intel");
        fixture_done(&f);
}

static void test_not_authorized(void)
{
        static const struct {
                FakeAnswer answer;
                bool interactive;
                const char *error;
        } cases[] = {
                { FAKE_DENY, false, SD_BUS_ERROR_ACCESS_DENIED },
                { FAKE_DENY, true, SD_BUS_ERROR_ACCESS_DENIED },
                { FAKE_ERROR, false, SD_BUS_ERROR_ACCESS_DENIED },
                { FAKE_CHALLENGE, false, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED },
                { FAKE_CHALLENGE, true, SD_BUS_ERROR_ACCESS_DENIED },
        };
        Fixture f;

        fixture_init(&f);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                sd_bus_message *call = bind_call(f.client);

                f.polkit.answer = cases[i].answer;
                expect_error(&f, cases[i].interactive ? interactive(call) : call, cases[i].error,
                        NULL);
                ASSERT_EQ(f.polkit.flags, cases[i].interactive);
        }
        f.polkit.answer = FAKE_DENY;
        expect_error(&f,
                test_call_new(f.client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "Reload", NULL),
                SD_BUS_ERROR_ACCESS_DENIED, BUS_ACTION_RELOAD);
        expect_error(&f,
                test_call_new(f.client, BUS_NAME, BUS_PREFIX_GROUP "/14", BUS_INTERFACE_GROUP,
                        "ListHolders", NULL),
                SD_BUS_ERROR_ACCESS_DENIED, BUS_ACTION_INSPECT);
        ASSERT_EQ(f.manager.n_applies, 0);
        ASSERT_EQ(f.manager.n_reloads, 0);
        fixture_done(&f);
}

static void test_polkit_absent(void)
{
        Fixture f;

        fixture_init_with(&f, getuid() + 1, 0, false);
        expect_error(&f, bind_call(f.client), SD_BUS_ERROR_ACCESS_DENIED, BUS_ACTION_BIND);
        ASSERT_EQ(f.manager.n_applies, 0);
        fixture_done(&f);
}

static void test_polkit_hangs(void)
{
        Fixture f;

        fixture_init_with(&f, getuid() + 1, 50 * USEC_PER_MSEC, true);
        f.polkit.answer = FAKE_HANG;
        expect_error(&f, bind_call(f.client), SD_BUS_ERROR_ACCESS_DENIED, NULL);
        test_run_until(f.event, was_cancelled, &f);
        ASSERT_STREQ(f.polkit.cancelled, f.polkit.cancellation);
        ASSERT_EQ(f.manager.n_applies, 0);
        fixture_done(&f);
}

/* The trusted user is not asked about, with and without a polkit. */
static void test_trusted(void)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        Fixture f;

        fixture_init_with(&f, getuid(), 0, true);
        f.polkit.answer = FAKE_DENY;
        reply = call_and_finish(&f, bind_call(f.client), 0, STATE_BOUND, REASON_NONE);
        expect_paths(reply, GPU, AUDIO);
        ASSERT_EQ(f.polkit.n_asked, 0);
        fixture_done(&f);
}

static void test_caller_gone(void)
{
        TestReply reply;
        sd_bus *client;
        Fixture f;

        fixture_init(&f);
        client = message_bus_client(&f.message_bus, f.event);
        f.polkit.answer = FAKE_HANG;
        test_send(client, interactive(bind_call(client)), &reply);
        test_run_until(f.event, is_held, &f);
        ASSERT_EQ(bouncer_n_pending(bus_bouncer(f.bus)), 1);

        test_cancel(&reply);
        sd_bus_close_unref(client);
        test_run_until(f.event, was_cancelled, &f);
        ASSERT_STREQ(f.polkit.cancelled, f.polkit.cancellation);
        test_run_until(f.event, nothing_waits, &f);

        /* an answer that comes too late does nothing */
        fake_polkit_answer(&f.polkit, FAKE_ALLOW);
        message_bus_wait_for_name(f.event, f.client, BUS_NAME, true);
        ASSERT_EQ(f.manager.n_applies, 0);
        fixture_done(&f);
}

static bool are_held(Fixture *f, size_t n)
{
        while (f->polkit.n_held < n)
                ASSERT_TRUE(sd_event_run(f->event, USEC_PER_SEC) >= 0);
        return f->polkit.n_held == n;
}

static void test_bounded(void)
{
        enum { N_CLIENTS = BOUNCER_PENDING_USER_MAX / BOUNCER_PENDING_SENDER_MAX };
        TestReply replies[N_CLIENTS][BOUNCER_PENDING_SENDER_MAX];
        sd_bus *clients[N_CLIENTS];
        Fixture f;

        fixture_init(&f);
        f.polkit.answer = FAKE_HANG;
        for (size_t i = 0; i < N_CLIENTS; i++) {
                clients[i] = message_bus_client(&f.message_bus, f.event);
                for (size_t j = 0; j < BOUNCER_PENDING_SENDER_MAX; j++)
                        test_send(clients[i], bind_call(clients[i]), &replies[i][j]);
                ASSERT_TRUE(are_held(&f, (i + 1) * BOUNCER_PENDING_SENDER_MAX));
                if (i > 0)
                        continue;
                /* one more of the same caller */
                _cleanup_message_ sd_bus_message *reply =
                        test_call(f.event, clients[i], bind_call(clients[i]));
                test_expect_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED, NULL);
        }
        /* one more of that user, who leaves room for others; reading goes on */
        ASSERT_TRUE(BOUNCER_PENDING_USER_MAX < BOUNCER_PENDING_MAX);
        expect_error(&f, bind_call(f.client), SD_BUS_ERROR_LIMITS_EXCEEDED, NULL);
        expect_error(&f,
                test_call_new(f.client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "GetClaim", "s",
                        "nobody"),
                BUS_ERROR_NO_SUCH_CLAIM, NULL);

        fake_polkit_answer(&f.polkit, FAKE_DENY);
        for (size_t i = 0; i < N_CLIENTS; i++) {
                for (size_t j = 0; j < BOUNCER_PENDING_SENDER_MAX; j++) {
                        _cleanup_message_ sd_bus_message *reply =
                                test_wait(f.event, &replies[i][j]);
                        test_expect_error(reply, SD_BUS_ERROR_ACCESS_DENIED, NULL);
                }
                sd_bus_close_unref(clients[i]);
        }
        ASSERT_EQ(bouncer_n_pending(bus_bouncer(f.bus)), 0);

        /* and there is room again */
        f.polkit.answer = FAKE_DENY;
        expect_error(&f, bind_call(f.client), SD_BUS_ERROR_ACCESS_DENIED, NULL);
        fixture_done(&f);
}

/* The world may change while somebody types a password. */
static void test_changed_meanwhile(void)
{
        _cleanup_message_ sd_bus_message *gone = NULL, *changed = NULL;
        TestReply reply;
        Fixture f;

        fixture_init(&f);
        f.polkit.answer = FAKE_HANG;
        test_send(f.client, bind_call(f.client), &reply);
        test_run_until(f.event, is_held, &f);
        fake_manager_publish(&f.manager, fake_view_new(config, machine_without_gpu));
        fake_polkit_answer(&f.polkit, FAKE_ALLOW);
        gone = test_wait(f.event, &reply);
        test_expect_error(gone, BUS_ERROR_NO_SUCH_DEVICE, "0000:01:00.0");

        fake_manager_publish(&f.manager, fake_view_new(config, machine));
        test_send(f.client, bind_call(f.client), &reply);
        test_run_until(f.event, is_held, &f);
        fake_manager_publish(&f.manager, fake_view_new("claim other 0000:01:00.0", machine));
        fake_polkit_answer(&f.polkit, FAKE_ALLOW);
        changed = test_wait(f.event, &reply);
        test_expect_error(changed, SD_BUS_ERROR_ACCESS_DENIED, "changed");
        ASSERT_EQ(f.manager.n_applies, 0);
        fixture_done(&f);
}

/* Another card at the same place is not what somebody typed a password for. */
static void test_replaced_meanwhile(void)
{
        static const struct {
                const char *member;
                uint64_t inode;
        } cases[] = { { "Bind", 4712 }, { "Release", 4713 } };
        TestReply reply;
        Fixture f;

        fixture_init(&f);
        f.polkit.answer = FAKE_HANG;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                View *view = fake_view_new(config, machine);

                view->snapshot->devices[0].inode = cases[i].inode;
                test_send(f.client,
                        test_call_new(f.client, BUS_NAME, GPU, BUS_INTERFACE_DEVICE,
                                cases[i].member, "a{sv}", 0),
                        &reply);
                test_run_until(f.event, is_held, &f);
                fake_manager_publish(&f.manager, view);
                fake_polkit_answer(&f.polkit, FAKE_ALLOW);
                _cleanup_message_ sd_bus_message *changed = test_wait(f.event, &reply);
                test_expect_error(changed, SD_BUS_ERROR_ACCESS_DENIED, "changed");
        }
        ASSERT_EQ(f.manager.n_applies, 0);
        fixture_done(&f);
}

static void test_outcomes(void)
{
        Fixture f;

        fixture_init_with(&f, getuid(), 0, false);
        expect_finish_error(&f, bind_call(f.client), 0, STATE_REFUSED, REASON_IN_USE_DISPLAY,
                BUS_ERROR_PREFIX "InUseDisplay", "it is the boot display");
        expect_finish_error(&f, bind_call(f.client), 0, STATE_REFUSED, REASON_NO_IOMMU,
                BUS_ERROR_PREFIX "NoIommu", "0000:01:00.0 is refused: no-iommu");
        expect_finish_error(&f, bind_call(f.client), 0, STATE_PENDING, REASON_NONE,
                SD_BUS_ERROR_FAILED, "0000:01:00.0 is pending");
        expect_finish_error(&f, bind_call(f.client), -EBUSY, STATE_BOUND, REASON_NONE,
                BUS_ERROR_BUSY, NULL);
        f.manager.nothing_to_do = true;
        expect_finish_error(&f, bind_call(f.client), 0, STATE_BOUND, REASON_NONE,
                BUS_ERROR_PREFIX "InUseDisplay", "it is the boot display");
        sd_bus_message *released = call_and_finish(&f,
                test_call_new(f.client, BUS_NAME, BUS_PREFIX_DEVICE "/pci_0000_02_00_0",
                        BUS_INTERFACE_DEVICE, "Release", "a{sv}", 0),
                0, STATE_RELEASED, REASON_NONE);
        test_expect_return(released);
        sd_bus_message_unref(released);

        f.manager.apply_result = -EBUSY;
        expect_error(&f, bind_call(f.client), BUS_ERROR_BUSY, NULL);
        f.manager.apply_result = -ENOENT;
        expect_error(&f, bind_call(f.client), BUS_ERROR_NO_SUCH_DEVICE, NULL);
        f.manager.apply_result = -ENOMEM;
        expect_error(&f, bind_call(f.client), SD_BUS_ERROR_NO_MEMORY, NULL);

        sd_bus_message *reload = test_call_new(f.client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER,
                "Reload", NULL);
        _cleanup_message_ sd_bus_message *reply = test_call(f.event, f.client, reload);
        test_expect_return(reply);
        ASSERT_EQ(f.manager.n_reloads, 1);
        f.manager.reload_result = -EBADMSG;
        expect_error(&f,
                test_call_new(f.client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "Reload", NULL),
                BUS_ERROR_INVALID_CONFIGURATION, NULL);
        fixture_done(&f);
}

static void test_holders(void)
{
        const Holder holders[] = { { 4711, "qemu-system-x86", "machine-qemu.scope", "win\xff" } };
        const char *command, *unit, *name;
        TestReply wait;
        uint32_t pid;
        Fixture f;

        fixture_init(&f);
        f.polkit.answer = FAKE_ALLOW;
        test_send(f.client,
                test_call_new(f.client, BUS_NAME, BUS_PREFIX_GROUP "/14", BUS_INTERFACE_GROUP,
                        "ListHolders", NULL),
                &wait);
        test_run_until(f.event, has_pending, &f);
        ASSERT_STREQ(f.polkit.action, BUS_ACTION_INSPECT);
        ASSERT_STREQ(f.polkit.details, "group=14");
        fake_manager_finish_holders(&f.manager, 0, holders, 1);
        _cleanup_message_ sd_bus_message *reply = test_wait(f.event, &wait);
        test_expect_return(reply);
        ASSERT_TRUE(sd_bus_message_enter_container(reply, 'a', "(usss)") > 0);
        ASSERT_TRUE(sd_bus_message_read(reply, "(usss)", &pid, &command, &unit, &name) > 0);
        ASSERT_EQ(pid, 4711);
        ASSERT_STREQ(command, "qemu-system-x86");
        ASSERT_STREQ(unit, "machine-qemu.scope");
        ASSERT_STREQ(name, "win?");
        fixture_done(&f);
}

/* The daemon starts before the bus, outlives it, and comes back to the next one. */
static void test_bus_comes_and_goes(void)
{
        TestReply lost;
        Fixture f = {};

        message_bus_init(&f.message_bus, policy);
        ASSERT_TRUE(sd_event_new(&f.event) >= 0);
        fake_manager_init(&f.manager, f.event);
        bus_init(&f, getuid(), 0);
        for (int i = 0; i < 10; i++)
                ASSERT_TRUE(sd_event_run(f.event, 0) >= 0);
        fake_manager_publish(&f.manager, fake_view_new(config, machine));

        message_bus_start(&f.message_bus);
        f.client = message_bus_client(&f.message_bus, f.event);
        message_bus_wait_for_name(f.event, f.client, BUS_NAME, true);
        test_send(f.client, bind_call(f.client), &lost);
        test_run_until(f.event, has_pending, &f);

        message_bus_stop(&f.message_bus);
        test_cancel(&lost);
        sd_bus_close_unref(f.client);
        message_bus_start(&f.message_bus);
        f.client = message_bus_client(&f.message_bus, f.event);
        message_bus_wait_for_name(f.event, f.client, BUS_NAME, true);
        ASSERT_EQ(f.manager.n_forgotten, 1);
        expect_error(&f,
                test_call_new(f.client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "GetClaim", "s",
                        "nobody"),
                BUS_ERROR_NO_SUCH_CLAIM, NULL);

        /* what runs when the daemon ends is forgotten too */
        test_send(f.client, bind_call(f.client), &lost);
        test_run_until(f.event, has_pending, &f);
        test_cancel(&lost);
        f.bus = bus_free(f.bus);
        ASSERT_EQ(f.manager.n_forgotten, 2);
        fixture_done(&f);
}

static void write_policy(const char *path, const char *own)
{
        FILE *file = fopen(path, "we");

        ASSERT_TRUE(file);
        fprintf(file, "<busconfig><policy context=\"default\"><%s own=\"" BUS_NAME "\"/>"
                      "</policy></busconfig>\n", own);
        ASSERT_OK(fclose(file));
}

static int on_owner_changed(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        const char *name, *old, *new;

        ASSERT_TRUE(sd_bus_message_read(message, "sss", &name, &old, &new) >= 0);
        *(bool *) userdata = *name == ':' && !*new;
        return 0;
}

static bool is_true(void *userdata)
{
        return *(bool *) userdata;
}

/* Installed and started before the bus has read its policy: the name is asked for again. */
static void test_name_refused(void)
{
        char path[] = "/tmp/policy-XXXXXX";
        bool has_gone = false;
        Fixture f = {};

        close(mkstemp(path));
        write_policy(path, "deny");
        message_bus_init(&f.message_bus, path);
        message_bus_start(&f.message_bus);
        ASSERT_TRUE(sd_event_new(&f.event) >= 0);
        f.client = message_bus_client(&f.message_bus, f.event);
        ASSERT_TRUE(sd_bus_match_signal(f.client, NULL, "org.freedesktop.DBus", NULL,
                            "org.freedesktop.DBus", "NameOwnerChanged", on_owner_changed,
                            &has_gone) >= 0);
        fake_manager_init(&f.manager, f.event);
        fake_manager_publish(&f.manager, fake_view_new(config, machine));
        bus_init(&f, getuid(), 0);
        test_run_until(f.event, is_true, &has_gone); /* refused, and comes again */
        write_policy(path, "allow");
        ASSERT_OK(kill(f.message_bus.process, SIGHUP));
        message_bus_wait_for_name(f.event, f.client, BUS_NAME, true);
        ASSERT_OK(unlink(path));
        fixture_done(&f);
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 2);
        policy = argv[1];
        test_authorized();
        test_actions();
        test_claims_of_group();
        test_not_authorized();
        test_polkit_absent();
        test_polkit_hangs();
        test_trusted();
        test_caller_gone();
        test_bounded();
        test_changed_meanwhile();
        test_replaced_meanwhile();
        test_outcomes();
        test_holders();
        test_bus_comes_and_goes();
        test_name_refused();
        return 0;
}
