/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <errno.h>

#include "bus/bus-fixture.h"
#include "bus/names.h"
#include "fuzz/bus-values.h"
#include "util/io.h"

/* Any bytes as what happens on the bus: calls of every method and property of every object, with
 * the right arguments or with others, from callers with and without rights, some of which leave;
 * new views; answers of polkit, of the message bus and of the manager. The client plays the message
 * bus and polkit itself, so that nothing depends on another process. */

const char *const fuzz_dictionary[] = {
        "\x01\x01\x01", "\x02\x02", "\xff\xff", "\x10\x20\x30", "\x40\x41", NULL};

#define CALLS_MAX 256
#define STEPS_MAX 512

typedef enum PolkitAnswer {
        SAY_YES,
        SAY_NO,
        SAY_CHALLENGE,
        SAY_ERROR,
        SAY_NONSENSE,
        SAY_NOTHING,
        _SAY_MAX,
} PolkitAnswer;

#define N_SENDERS 6
static const char *const senders[N_SENDERS] = {":1.1", ":1.2", ":1.3", ":1.4", ":1.5", NULL};
/* root, twice the same user, another, and one that the bus does not know any more */
static const int64_t users[N_SENDERS] = {0, 1000, 1000, 1001, -1, -1};

typedef struct Call {
        struct Scene *scene;
        sd_bus_slot *slot;
        const BusMethod *method; /* NULL: of nobody's table */
        unsigned sender;
        bool is_answered;
} Call;

typedef struct Scene {
        Fixture fixture;
        Bytes bytes;
        PolkitAnswer answer;
        sd_bus_message *held[CALLS_MAX];
        size_t n_held;
        Call calls[CALLS_MAX];
        size_t n_calls;
        bool is_gone[N_SENDERS];
} Scene;

static const char gone_machine[] =
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3 net=eno1\n"
        "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=0\n";

/* The error's name is one that somebody can expect; the last two are what the manager said. */
static void check_error(const sd_bus_error *error)
{
        ASSERT_TRUE(startswith(error->name, "org.freedesktop.DBus.Error.") ||
                startswith(error->name, BUS_ERROR_PREFIX) ||
                streq(error->name, "System.Error.EROFS") || streq(error->name, "System.Error.EIO"));
        ASSERT_TRUE(error->message && strlen(error->message) < 1024);
}

static int on_reply(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Call *call = userdata;

        ASSERT_TRUE(!call->is_answered);
        call->is_answered = true;
        if (sd_bus_message_is_method_error(reply, NULL)) {
                check_error(sd_bus_message_get_error(reply));
                return 0;
        }
        if (call->method)
                ASSERT_STREQ(sd_bus_message_get_signature(reply, true), call->method->out);
        while (sd_bus_message_skip(reply, NULL) > 0)
                ;
        ASSERT_TRUE(sd_bus_message_at_end(reply, true));
        return 0;
}

static void send_call(Scene *scene, sd_bus_message *message, const BusMethod *method)
{
        unsigned sender = bytes_pick(&scene->bytes, N_SENDERS);
        unsigned flags = bytes_pick(&scene->bytes, 8);
        Call *call = &scene->calls[scene->n_calls];

        if (senders[sender])
                ASSERT_TRUE(sd_bus_message_set_sender(message, senders[sender]) >= 0);
        if (flags & 1)
                ASSERT_TRUE(sd_bus_message_set_allow_interactive_authorization(message, true) >= 0);
        if (flags == 7) {
                ASSERT_TRUE(sd_bus_message_set_expect_reply(message, false) >= 0);
                ASSERT_TRUE(sd_bus_send(scene->fixture.client, message, NULL) >= 0);
        } else {
                *call = (Call){.scene = scene, .method = method, .sender = sender};
                ASSERT_TRUE(sd_bus_call_async(scene->fixture.client, &call->slot, message, on_reply,
                                    call, UINT64_MAX) >= 0);
                scene->n_calls++;
        }
        sd_bus_message_unref(message);
}

/* The path of some object of the interface, or one where none is. */
static const char *pick_path(Scene *scene, const BusInterface *interface, char *path)
{
        static const char *const others[] = {"/", BUS_ROOT, BUS_PREFIX_DEVICE,
                BUS_PREFIX_DEVICE "/pci_0000_01_00_9", BUS_PREFIX_DEVICE "/pci_0000_7f_00_0",
                BUS_PREFIX_DEVICE "/pci_0000_01_00_0/x", BUS_PREFIX_GROUP "/014",
                BUS_PREFIX_GROUP "/99999999999999999999", BUS_PREFIX_CLAIM "/_zz",
                BUS_PREFIX_CLAIM "/lab_2enic", BUS_PREFIX_CLAIM "/lab_2Enic",
                BUS_PREFIX_PHYSICAL_FUNCTION "/_", LOG_CONTROL_PATH, DBUS_PATH};
        _cleanup_(view_index_freep) ViewIndex *index = NULL;
        unsigned pick = bytes_pick(&scene->bytes, 64);

        if (pick < ELEMENTSOF(others))
                return others[pick];
        ASSERT_OK(view_index_new(scene->fixture.manager.view, &index));
        size_t n = bus_count(interface, index);
        return n > 0 ? interface->path(bus_at(interface, index, pick % n), path) : BUS_ROOT;
}

static sd_bus_message *new_call(
        Scene *scene, const char *path, const char *interface, const char *member)
{
        sd_bus_message *message = NULL;

        ASSERT_TRUE(sd_bus_message_new_method_call(scene->fixture.client, &message, NULL, path,
                            interface, member) >= 0);
        return message;
}

/* Every so often with other arguments than the right ones. */
static void append_arguments(Scene *scene, sd_bus_message *message, const char *signature)
{
        char other[SIGNATURE_MAX];

        if (bytes_pick(&scene->bytes, 4) == 0)
                signature = bytes_signature(&scene->bytes, other);
        append_values(&scene->bytes, message, signature);
}

static void call_method(Scene *scene)
{
        const BusInterface *interface =
                bus_interfaces[bytes_pick(&scene->bytes, BUS_N_INTERFACES)];
        char path[BUS_PATH_MAX];

        if (interface->n_methods == 0)
                interface = &bus_manager_interface;
        const BusMethod *method =
                &interface->methods[bytes_pick(&scene->bytes, interface->n_methods)];
        sd_bus_message *message = new_call(
                scene, pick_path(scene, interface, path), interface->name, method->name);

        append_arguments(scene, message, method->in);
        send_call(scene, message, method);
}

static void call_property(Scene *scene)
{
        static const BusMethod get = {.out = "v"}, set = {.out = ""}, get_all = {.out = "a{sv}"};
        const BusInterface *interface =
                bus_interfaces[bytes_pick(&scene->bytes, BUS_N_INTERFACES)];
        const BusProperty *property =
                &interface->properties[bytes_pick(&scene->bytes, interface->n_properties)];
        char buffer[BUS_PATH_MAX];
        const char *path = pick_path(scene, interface, buffer);
        sd_bus_message *message;

        switch (bytes_pick(&scene->bytes, 4)) {
        case 0:
                message = new_call(scene, path, PROPERTIES, "GetAll");
                ASSERT_TRUE(sd_bus_message_append(message, "s", interface->name) >= 0);
                send_call(scene, message, &get_all);
                break;
        case 1:
                message = new_call(scene, path, PROPERTIES, "Set");
                ASSERT_TRUE(sd_bus_message_append(message, "ss", interface->name,
                                    property->name) >= 0);
                append_values(&scene->bytes, message, "v");
                send_call(scene, message, &set);
                break;
        case 2:
                message = new_call(scene, path, PROPERTIES, "Get");
                append_arguments(scene, message, "ss");
                send_call(scene, message, &get);
                break;
        default:
                message = new_call(scene, path, PROPERTIES, "Get");
                ASSERT_TRUE(sd_bus_message_append(message, "ss", interface->name,
                                    property->name) >= 0);
                send_call(scene, message, &get);
        }
}

static void call_other(Scene *scene)
{
        static const struct {
                const char *interface, *member, *signature;
        } others[] = {
                {OBJECT_MANAGER, "GetManagedObjects", ""},
                {BUS_INTERFACE_MANAGER, "ListDevices", ""},
                {BUS_INTERFACE_MANAGER, "ListClaims", ""},
                {"org.freedesktop.DBus.Introspectable", "Introspect", ""},
                {"org.freedesktop.DBus.Peer", "Ping", ""},
                {LOG_CONTROL_INTERFACE, "LogLevel", "s"},
                {PROPERTIES, "GetAll", "s"},
                {PROPERTIES, "Set", "ssv"},
                {BUS_INTERFACE_MANAGER, "Nonsense", "a{sv}"},
                {NULL, "Bind", "a{sv}"},
                {NULL, "Apply", "asa{sv}"},
        };
        unsigned i = bytes_pick(&scene->bytes, ELEMENTSOF(others));
        char path[BUS_PATH_MAX];
        sd_bus_message *message = new_call(scene, pick_path(scene, &bus_device_interface, path),
                others[i].interface, others[i].member);

        append_arguments(scene, message, others[i].signature);
        send_call(scene, message, NULL);
}

static void publish(Scene *scene)
{
        View *view;

        switch (bytes_pick(&scene->bytes, 4)) {
        case 0:
                view = view_new(gone_machine);
                break;
        case 1:
                view = view_new("");
                break;
        case 2: /* another card in the same place */
                view = view_new(fixture_machine);
                view->snapshot->devices[1].inode = 77;
                break;
        default:
                view = view_new(fixture_machine);
        }
        fake_manager_publish(&scene->fixture.manager, view);
}

static void finish_one(Scene *scene)
{
        static const Holder holders[] = {{4711, "qemu", "a.scope", "win\xff"}, {1, "", "", ""}};
        static const int errors[] = {0, 0, 0, -EBUSY, -ENOENT, -ENODATA, -EIO};
        Manager *manager = &scene->fixture.manager;
        int error = errors[bytes_pick(&scene->bytes, ELEMENTSOF(errors))];

        if (!manager->pending)
                return;
        if (manager->pending->holders_done)
                fake_manager_finish_holders(
                        manager, error, holders, bytes_pick(&scene->bytes, 3));
        else
                fake_manager_finish(manager, error, bytes_pick(&scene->bytes, _STATE_MAX),
                        bytes_pick(&scene->bytes, _REASON_MAX));
}

static int say(sd_bus_message *call, PolkitAnswer answer)
{
        switch (answer) {
        case SAY_ERROR:
                return sd_bus_reply_method_errorf(call, POLKIT_NAME ".Error.Failed", "Broken");
        case SAY_NONSENSE:
                return sd_bus_reply_method_return(call, "(sb)", "yes", true);
        default:
                return sd_bus_reply_method_return(
                        call, "(bba{ss})", answer == SAY_YES, answer == SAY_CHALLENGE, 0);
        }
}

/* Not in a table: sd-bus would let no reply of another type through. */
static int on_polkit(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error)
{
        Scene *scene = userdata;

        if (!sd_bus_message_is_method_call(call, POLKIT_INTERFACE, "CheckAuthorization"))
                return sd_bus_reply_method_return(call, NULL);
        if (scene->answer != SAY_NOTHING)
                return say(call, scene->answer);
        ASSERT_TRUE(scene->n_held < CALLS_MAX);
        scene->held[scene->n_held++] = sd_bus_message_ref(call);
        return 1;
}

static int on_user(sd_bus_message *call, _unused_ void *userdata, sd_bus_error *error)
{
        const char *name;

        ASSERT_TRUE(sd_bus_message_read(call, "s", &name) > 0);
        for (unsigned i = 0; senders[i]; i++)
                if (streq(senders[i], name) && users[i] >= 0)
                        return sd_bus_reply_method_return(call, "u", (uint32_t) users[i]);
        return sd_bus_error_set(error, DBUS_NAME ".Error.NameHasNoOwner", "Nobody");
}

static const sd_bus_vtable message_bus[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("GetConnectionUnixUser", "s", "u", on_user, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void answer_held(Scene *scene, PolkitAnswer answer)
{
        for (size_t i = 0; i < scene->n_held; i++) {
                ASSERT_TRUE(say(scene->held[i], answer) >= 0);
                sd_bus_message_unref(scene->held[i]);
        }
        scene->n_held = 0;
}

static void leave(Scene *scene)
{
        unsigned sender = bytes_pick(&scene->bytes, N_SENDERS - 1);
        sd_bus_message *signal = NULL;

        scene->is_gone[sender] = true;
        ASSERT_TRUE(sd_bus_message_new_signal(scene->fixture.client, &signal, DBUS_PATH,
                            DBUS_INTERFACE, "NameOwnerChanged") >= 0);
        ASSERT_TRUE(sd_bus_message_set_sender(signal, DBUS_NAME) >= 0);
        ASSERT_TRUE(sd_bus_message_append(signal, "sss", senders[sender], senders[sender], "") >=
                0);
        ASSERT_TRUE(sd_bus_send(scene->fixture.client, signal, NULL) >= 0);
        sd_bus_message_unref(signal);
}

static void run_loop(Scene *scene)
{
        while (sd_event_run(scene->fixture.event, 0) > 0)
                ;
}

static void step(Scene *scene)
{
        static const int64_t results[] = {0, 0, 0, -EBUSY, -ENOENT, -ENOMEM, -EROFS, -EBADMSG};
        Manager *manager = &scene->fixture.manager;

        switch (bytes_pick(&scene->bytes, 16)) {
        case 0 ... 4:
                call_method(scene);
                break;
        case 5 ... 6:
                call_property(scene);
                break;
        case 7:
                call_other(scene);
                break;
        case 8:
                publish(scene);
                break;
        case 9 ... 10:
                run_loop(scene);
                finish_one(scene);
                break;
        case 11:
                scene->answer = bytes_pick(&scene->bytes, _SAY_MAX);
                break;
        case 12:
                run_loop(scene);
                answer_held(scene, bytes_pick(&scene->bytes, SAY_NOTHING));
                break;
        case 13:
                leave(scene);
                break;
        case 14:
                manager->apply_result = results[bytes_pick(&scene->bytes, ELEMENTSOF(results))];
                manager->reload_result =
                        (int) results[bytes_pick(&scene->bytes, ELEMENTSOF(results))];
                break;
        default:
                run_loop(scene);
        }
}

static bool settle(Scene *scene)
{
        run_loop(scene);
        scene->answer = SAY_YES;
        if (scene->n_held == 0 && !scene->fixture.manager.pending)
                return false;
        answer_held(scene, SAY_YES);
        finish_one(scene);
        return true;
}

static void scene_init(Scene *scene)
{
        /* before the first scan there is no view */
        fixture_init(&scene->fixture,
                bytes_pick(&scene->bytes, 8) == 0 ? NULL : view_new(fixture_machine));
        ASSERT_TRUE(sd_bus_add_object(scene->fixture.client, NULL, POLKIT_PATH, on_polkit,
                            scene) >= 0);
        ASSERT_TRUE(sd_bus_add_object_vtable(scene->fixture.client, NULL, DBUS_PATH, DBUS_INTERFACE,
                            message_bus, scene) >= 0);
        run_loop(scene);
}

static bool may_stay_unanswered(const Scene *scene, const Call *call)
{
        return senders[call->sender] && (scene->is_gone[call->sender] || users[call->sender] < 0);
}

/* GetManagedObjects takes its turns. */
static bool somebody_waits(const Scene *scene)
{
        for (size_t i = 0; i < scene->n_calls; i++)
                if (!scene->calls[i].is_answered &&
                    !may_stay_unanswered(scene, &scene->calls[i]))
                        return true;
        return false;
}

/* Every caller that is still there has its answer, and nothing is left over. */
static void scene_done(Scene *scene)
{
        uint64_t deadline = now_monotonic() + 10 * USEC_PER_SEC;

        do
                while (settle(scene))
                        ;
        while (somebody_waits(scene) && now_monotonic() < deadline &&
                sd_event_run(scene->fixture.event, USEC_PER_SEC) >= 0);
        ASSERT_EQ(bouncer_n_pending(bus_bouncer(scene->fixture.bus)), 0);
        for (size_t i = 0; i < scene->n_calls; i++) {
                Call *call = &scene->calls[i];

                ASSERT_TRUE(call->is_answered || may_stay_unanswered(scene, call));
                sd_bus_slot_unref(call->slot);
        }
        fixture_done(&scene->fixture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static Scene scene;

        scene = (Scene){.bytes = {data, size}};
        scene_init(&scene);
        for (unsigned i = 0; i < STEPS_MAX && scene.bytes.size > 0; i++)
                if (scene.n_calls < CALLS_MAX)
                        step(&scene);
        scene_done(&scene);
        return 0;
}
