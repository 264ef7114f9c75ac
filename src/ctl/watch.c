/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/watch.h"

#include <errno.h>

#include "bus/names.h"
#include "ctl/client-internal.h"
#include "util/io.h"

static int on_signal(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Watch *watch = userdata;
        int r;

        if (!watch->model || watch->is_stale)
                return 0;
        r = client_read_signal(message, watch->model);
        watch->is_changed = true;
        /* A signal of another form than ours is none; what it did to the model is read again. */
        if (r == -ENOMEM)
                watch->error = r;
        else if (r < 0)
                watch->is_stale = true;
        return 0;
}

/* The name went to another daemon, or to none. */
static int on_owner_changed(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Watch *watch = userdata;
        const char *name, *old, *new;

        if (sd_bus_message_read(message, "sss", &name, &old, &new) < 0 || !streq(name, BUS_NAME))
                return 0;
        watch->model = model_free(watch->model);
        watch->is_stale = *new;
        watch->is_changed = true;
        return 0;
}

static int subscribe(Watch *watch)
{
        int r;

        r = sd_bus_add_match(watch->bus, NULL,
                "type='signal',sender='" DBUS_NAME "',interface='" DBUS_INTERFACE "',"
                "member='NameOwnerChanged',arg0='" BUS_NAME "'",
                on_owner_changed, watch);
        if (r < 0)
                return r;
        return sd_bus_add_match(watch->bus, NULL,
                "type='signal',sender='" BUS_NAME "',path_namespace='" BUS_ROOT "'", on_signal,
                watch);
}

int watch_open(Watch *watch, sd_bus *bus, sd_bus_error *error)
{
        int r;

        *watch = (Watch){ .bus = bus };
        r = subscribe(watch);
        return r < 0 ? r : client_get_model(bus, error, &watch->model);
}

void watch_done(Watch *watch)
{
        watch->model = model_free(watch->model);
}

/* Another daemon, or signals that were not understood. */
static int read_again(Watch *watch)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        Model *model = NULL;
        int r;

        watch->is_stale = false;
        r = client_get_model(watch->bus, &error, &model);
        if (r < 0 && r != -ENOTCONN)
                return r;
        model_free(watch->model);
        watch->model = model;
        return 0;
}

/* Until there is nothing left to be read. */
static int process(Watch *watch)
{
        int r;

        do
                r = sd_bus_process(watch->bus, NULL);
        while (r > 0);
        if (r >= 0)
                r = watch->error;
        return r >= 0 && watch->is_stale ? read_again(watch) : r;
}

int watch_next(Watch *watch, uint64_t deadline_usec)
{
        for (;;) {
                uint64_t now;
                int r;

                r = process(watch);
                if (r < 0)
                        return r;
                if (watch->is_changed) {
                        watch->is_changed = false;
                        return 1;
                }
                now = now_monotonic();
                if (now >= deadline_usec)
                        return 0;
                r = sd_bus_wait(watch->bus,
                        deadline_usec == USEC_INFINITY ? UINT64_MAX : deadline_usec - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
}
