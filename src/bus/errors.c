/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/names.h"

char *bus_error_name(Reason reason, char name[static BUS_ERROR_NAME_MAX])
{
        const char *token = reason_to_string(reason);
        size_t n = strlen(BUS_ERROR_PREFIX);
        bool upper = true;

        if (reason == REASON_NONE)
                return strcpy(name, SD_BUS_ERROR_FAILED);
        strcpy(name, BUS_ERROR_PREFIX);
        for (; *token && n + 1 < BUS_ERROR_NAME_MAX; token++) {
                if (*token == '-') {
                        upper = true;
                        continue;
                }
                name[n++] = upper && *token >= 'a' && *token <= 'z'
                        ? (char) (*token - 'a' + 'A')
                        : *token;
                upper = false;
        }
        name[n] = 0;
        return name;
}

int bus_error_outcome(sd_bus_error *error, const char *device, State state, Reason reason,
        const char *text)
{
        char name[BUS_ERROR_NAME_MAX];

        bus_error_name(reason, name);
        if (text && *text)
                return sd_bus_error_setf(error, name, "%s is %s: %s", device,
                        state_to_string(state), text);
        return sd_bus_error_setf(error, name, "%s is %s%s%s", device, state_to_string(state),
                reason == REASON_NONE ? "" : ": ", reason_to_string(reason));
}

int bus_error_manager(sd_bus_error *error, int code)
{
        switch (code) {
        case -EBUSY:
                return sd_bus_error_set(error, BUS_ERROR_BUSY,
                        "A group concerned is being worked on already");
        case -ENOENT:
                return sd_bus_error_set(error, BUS_ERROR_NO_SUCH_DEVICE,
                        "What the request is about does not exist any more");
        case -EBADMSG:
                return sd_bus_error_set(error, BUS_ERROR_INVALID_CONFIGURATION,
                        "The configuration has errors; ConfigurationErrors names them");
        case -ENODATA:
                return sd_bus_error_set(error, SD_BUS_ERROR_FAILED,
                        "The machine has not been looked at yet");
        default:
                return sd_bus_error_set_errno(error, code);
        }
}

/* What stands in a message is valid UTF-8, but may be long. It is quoted whole or not at all:
 * a cut could break a character. */
static const char *quotable(const char *text)
{
        return strlen(text) <= 128 ? text : "(long text)";
}

int bus_error_no_such_device(sd_bus_error *error, const char *what)
{
        return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_DEVICE, "No PCI function '%s'",
                quotable(what));
}

int bus_error_no_such_group(sd_bus_error *error, uint32_t number)
{
        return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_GROUP, "No IOMMU group %u", number);
}

int bus_error_no_such_claim(sd_bus_error *error, const char *name)
{
        return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_CLAIM, "No claim '%s'", quotable(name));
}
