/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/options.h"

#include <errno.h>

#include "bus/names.h"
#include "util/strings.h"

#define DRIVER_NAME_MAX 63

static bool driver_name_is_valid(const char *name)
{
        static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
        size_t length = strlen(name);

        return length > 0 && length <= DRIVER_NAME_MAX && strspn(name, allowed) == length;
}

static int read_driver(sd_bus_message *message, ApplyRequest *request)
{
        const char *name;
        int r = sd_bus_message_read(message, "s", &name);

        if (r < 0)
                return r;
        if (!driver_name_is_valid(name))
                return -EINVAL;
        request->driver = name;
        return 0;
}

static int read_companions(sd_bus_message *message, ApplyRequest *request)
{
        const char *word;
        int r = sd_bus_message_read(message, "s", &word);

        if (r < 0)
                return r;
        r = companion_policy_from_string(word);
        if (r < 0)
                return -EINVAL;
        request->companions = r;
        return 0;
}

static int read_allow_in_use(sd_bus_message *message, ApplyRequest *request)
{
        const char *word;
        int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "s");

        while (r >= 0 && (r = sd_bus_message_read(message, "s", &word)) > 0) {
                int use = in_use_from_string(word);
                if (use < 0 || !(ALLOWABLE_USES & ~request->allow_in_use & (1U << use)))
                        return -EINVAL;
                request->allow_in_use |= 1U << use;
        }
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_flag(sd_bus_message *message, bool *ret)
{
        int value;
        int r = sd_bus_message_read(message, "b", &value);

        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

static int read_prune(sd_bus_message *message, ApplyRequest *request)
{
        return read_flag(message, &request->prune);
}

static int read_no_probe(sd_bus_message *message, ApplyRequest *request)
{
        return read_flag(message, &request->no_probe);
}

static int read_next_boot(sd_bus_message *message, ApplyRequest *request)
{
        return read_flag(message, &request->next_boot);
}

typedef struct Option {
        const char *name;
        const char *signature;
        OptionSet bit;
        int (*read)(sd_bus_message *message, ApplyRequest *request);
} Option;

static const Option options[] = {
        { BUS_OPTION_DRIVER, "s", OPTION_DRIVER, read_driver },
        { BUS_OPTION_COMPANIONS, "s", OPTION_COMPANIONS, read_companions },
        { BUS_OPTION_ALLOW_IN_USE, "as", OPTION_ALLOW_IN_USE, read_allow_in_use },
        { BUS_OPTION_PRUNE, "b", OPTION_PRUNE, read_prune },
        { BUS_OPTION_NO_PROBE, "b", OPTION_NO_PROBE, read_no_probe },
        { BUS_OPTION_NEXT_BOOT, "b", OPTION_NEXT_BOOT, read_next_boot },
};

static const Option *find_option(const char *name, unsigned allowed)
{
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (streq(options[i].name, name))
                        return allowed & options[i].bit ? &options[i] : NULL;
        return NULL;
}

static int refuse_unknown(sd_bus_error *error, const char *name)
{
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                "This method knows no option '%s'", strlen(name) <= 64 ? name : "(long text)");
}

/* One "sv", its dictionary entry entered already. */
static int read_option(sd_bus_message *message, unsigned allowed, unsigned *seen,
        ApplyRequest *request, sd_bus_error *error)
{
        const char *name, *contents;
        int r = sd_bus_message_read(message, "s", &name);

        if (r < 0)
                return r;
        const Option *option = find_option(name, allowed);
        if (!option)
                return refuse_unknown(error, name);
        if (*seen & option->bit)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                        "Option '%s' stands twice", name);
        *seen |= option->bit;

        r = sd_bus_message_peek_type(message, NULL, &contents);
        if (r < 0)
                return r;
        if (!streq(contents, option->signature))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                        "Option '%s' is of type '%s'", name, option->signature);
        r = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, option->signature);
        if (r >= 0)
                r = option->read(message, request);
        if (r == -EINVAL)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                        "The value of option '%s' means nothing", name);
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

int options_read(sd_bus_message *message, unsigned allowed, ApplyRequest *request,
        sd_bus_error *error)
{
        unsigned seen = 0;
        int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_option(message, allowed, &seen, request, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        return r < 0 ? r : 0;
}
