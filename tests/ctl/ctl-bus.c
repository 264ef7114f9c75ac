/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/ctl-bus.h"

#include <unistd.h>

#include "util/strings.h"

static const char *policy;

void ctl_bus_set_policy(const char *path)
{
        policy = path;
}

static void on_changed(void *userdata, View *old, View *new)
{
        bus_view_changed(userdata, old, new);
}

static void remember_request(CtlBus *f, const FakeApply *apply)
{
        string_list_free(f->claims_asked);
        f->claims_asked = NULL;
        ASSERT_OK(string_list_copy(apply->claims, &f->claims_asked));
        f->prune_asked = apply->prune;
        f->manual_asked = apply->manual;
        if (apply->has_function && f->n_asked < ELEMENTSOF(f->functions_asked))
                f->functions_asked[f->n_asked] = apply->function;
        f->n_asked++;
}

/* Runs whenever the loop did anything else: answers what is pending. */
static int answer(_unused_ sd_event_source *source, void *userdata)
{
        CtlBus *f = userdata;

        if (!f->manager.pending)
                return 0;
        remember_request(f, f->manager.pending);
        if (f->vanish) {
                f->bus = bus_free(f->bus);
                manager_set_listener(&f->manager, &(ManagerListener){});
                return 0;
        }
        if (f->machine_after)
                ctl_bus_publish(f, f->machine_after);
        fake_manager_finish(&f->manager, f->error, f->state, f->reason);
        return 0;
}

void ctl_bus_init_bus(CtlBus *f)
{
        *f = (CtlBus){};
        message_bus_init(&f->message_bus, policy);
        ASSERT_TRUE(sd_event_new(&f->event) >= 0);
        fake_manager_init(&f->manager, f->event);
        (void) snprintf(f->address, sizeof(f->address), "DBUS_SYSTEM_BUS_ADDRESS=%s",
                f->message_bus.address);
        f->environment[0] = f->address;
        f->environment[1] = "NO_COLOR=1";
        f->options = (CtlRunOptions){ .event = f->event, .environment = f->environment };
}

void ctl_bus_begin_to_serve(CtlBus *f, uid_t trusted)
{
        BusOptions options = { .address = f->message_bus.address,
                               .bouncer = { .trusted_uid = trusted } };

        ASSERT_OK(bus_new(f->event, &f->manager, &options, &f->bus));
        manager_set_listener(&f->manager, &(ManagerListener){ on_changed, f->bus });
        ASSERT_OK(bus_start(f->bus));
}

void ctl_bus_serve(CtlBus *f, uid_t trusted)
{
        ctl_bus_begin_to_serve(f, trusted);
        if (!f->client)
                f->client = message_bus_client(&f->message_bus, f->event);
        message_bus_wait_for_name(f->event, f->client, BUS_NAME, true);
        if (!f->source)
                ASSERT_TRUE(sd_event_add_post(f->event, &f->source, answer, f) >= 0);
}

void ctl_bus_init(CtlBus *f, const char *config, const char *machine)
{
        ctl_bus_init_bus(f);
        f->config = config;
        message_bus_start(&f->message_bus);
        ctl_bus_publish(f, machine);
        ctl_bus_serve(f, getuid());
}

void ctl_bus_done(CtlBus *f)
{
        sd_event_source_unref(f->source);
        fake_polkit_done(&f->polkit);
        bus_free(f->bus);
        sd_bus_close_unref(f->client);
        sd_bus_close_unref(f->polkit_connection);
        fake_manager_done(&f->manager);
        sd_event_unref(f->event);
        message_bus_done(&f->message_bus);
        string_list_free(f->claims_asked);
}

void ctl_bus_publish(CtlBus *f, const char *machine)
{
        fake_manager_publish(&f->manager, fake_view_new(f->config, machine));
}

void ctl_expect(CtlRun run, int code, const char *out, const char *err)
{
        if (run.code != code)
                fprintf(stderr, "%s%s", run.out, run.err);
        ASSERT_EQ(run.code, code);
        ASSERT_STREQ(run.out, out);
        ASSERT_STREQ(run.err, err);
        ctl_run_done(&run);
}
