/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/system-state.h"

#include <errno.h>

#include "log/log.h"
#include "util/strings.h"

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE "org.freedesktop.systemd1.Manager"
#define ANSWER_USEC       (10 * USEC_PER_SEC)

/* "stopping" is said from the moment that a job to start shutdown.target is queued, before anything
 * is stopped. In "maintenance" little of the host runs. */
SystemState system_state_from_string(const char *text)
{
        if (streq(text, "running") || streq(text, "degraded"))
                return SYSTEM_UP;
        if (streq(text, "stopping"))
                return SYSTEM_STOPPING;
        return SYSTEM_UNKNOWN;
}

static int on_answer(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        SystemQuery *query = userdata;
        const char *text = "";

        if (failure)
                log_debug("The service manager does not tell how the system is: %s",
                        failure->message ?: failure->name);
        else if (sd_bus_message_enter_container(reply, 'v', "s") <= 0 ||
                 sd_bus_message_read(reply, "s", &text) <= 0)
                text = "";
        query->slot = sd_bus_slot_unref(query->slot);
        manager_take_system_state(query->manager, system_state_from_string(text));
        return 0;
}

int system_query_send(SystemQuery *query, sd_bus *connection)
{
        sd_bus_message *call = NULL;
        int r;

        if (query->slot)
                return 0; /* one answer is enough */
        r = sd_bus_message_new_method_call(connection, &call, SYSTEMD_NAME, SYSTEMD_PATH,
                "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", SYSTEMD_INTERFACE, "SystemState");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_call_async(connection, &query->slot, call, on_answer, query,
                        ANSWER_USEC);
        sd_bus_message_unref(call);
        return r < 0 ? r : 0;
}
