/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/log-control.h"

#include "bus/names.h"
#include "log/log.h"
#include "util/strings.h"

static const char *const levels[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info",
        "debug" };

/* The words of systemd for what the log can do. */
static const struct {
        const char *word;
        LogTarget target;
} targets[] = {
        { "auto", LOG_TARGET_AUTO },
        { "console", LOG_TARGET_STDERR },
        { "null", LOG_TARGET_NULL },
};

static int get_level(_unused_ sd_bus *connection, _unused_ const char *path,
        _unused_ const char *interface, _unused_ const char *name, sd_bus_message *reply,
        _unused_ void *userdata, _unused_ sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", levels[log_get_max_level() & 7]);
}

static int set_level(_unused_ sd_bus *connection, _unused_ const char *path,
        _unused_ const char *interface, _unused_ const char *name, sd_bus_message *value,
        _unused_ void *userdata, sd_bus_error *error)
{
        const char *word;
        int r = sd_bus_message_read(value, "s", &word);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(levels); i++)
                if (streq(levels[i], word)) {
                        log_set_max_level((int) i);
                        return 0;
                }
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "No such log level");
}

static int get_target(_unused_ sd_bus *connection, _unused_ const char *path,
        _unused_ const char *interface, _unused_ const char *name, sd_bus_message *reply,
        _unused_ void *userdata, _unused_ sd_bus_error *error)
{
        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                if (targets[i].target == log_get_target())
                        return sd_bus_message_append(reply, "s", targets[i].word);
        return sd_bus_message_append(reply, "s", targets[0].word);
}

static int set_target(_unused_ sd_bus *connection, _unused_ const char *path,
        _unused_ const char *interface, _unused_ const char *name, sd_bus_message *value,
        _unused_ void *userdata, sd_bus_error *error)
{
        const char *word;
        int r = sd_bus_message_read(value, "s", &word);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                if (streq(targets[i].word, word)) {
                        log_set_target(targets[i].target);
                        return 0;
                }
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                "The log target is one of auto, console, null");
}

static int get_identifier(_unused_ sd_bus *connection, _unused_ const char *path,
        _unused_ const char *interface, _unused_ const char *name, sd_bus_message *reply,
        _unused_ void *userdata, _unused_ sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", "vfio-bindd");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0, 0),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0, 0),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

int log_control_register(sd_bus *connection)
{
        int r = sd_bus_add_object_vtable(connection, NULL, LOG_CONTROL_PATH,
                LOG_CONTROL_INTERFACE, vtable, NULL);

        return r < 0 ? r : 0;
}
