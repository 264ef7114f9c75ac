/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/client.h"

#include <errno.h>

#include "bus/names.h"
#include "ctl/client-internal.h"
#include "util/array.h"

int client_open(sd_bus **ret)
{
        sd_bus *bus = NULL;
        int r = sd_bus_open_system_with_description(&bus, "vfio-bindctl");

        if (r == -ENOMEM)
                return r;
        *ret = r < 0 ? NULL : bus;
        return 0;
}

static int new_call(sd_bus *bus, const char *interface, const char *member, sd_bus_message **ret)
{
        sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &message, BUS_NAME, BUS_ROOT, interface, member);
        if (r < 0)
                return r;
        r = sd_bus_message_set_auto_start(message, false);
        if (r < 0) {
                sd_bus_message_unref(message);
                return r;
        }
        *ret = message;
        return 0;
}

/* A bus that hangs up before it knew us, or knows nobody of that name. */
static bool nobody_answers(int r, const sd_bus_error *error)
{
        return sd_bus_error_has_names(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                       SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE;
}

/* Takes over the call. `timeout_usec` 0: as usual. */
static int call(sd_bus *bus, sd_bus_message *message, uint64_t timeout_usec, sd_bus_error *error,
        sd_bus_message **ret)
{
        int r = sd_bus_call(bus, message, timeout_usec, error, ret);

        sd_bus_message_unref(message);
        if (r >= 0)
                return 0;
        if (nobody_answers(r, error)) {
                sd_bus_error_free(error);
                return -ENOTCONN;
        }
        return r;
}

static int get_manager(sd_bus *bus, sd_bus_error *error, sd_bus_message **ret)
{
        sd_bus_message *message;
        int r;

        r = new_call(bus, "org.freedesktop.DBus.Properties", "GetAll", &message);
        if (r < 0)
                return r;
        r = sd_bus_message_append(message, "s", BUS_INTERFACE_MANAGER);
        if (r < 0) {
                sd_bus_message_unref(message);
                return r;
        }
        return call(bus, message, 0, error, ret);
}

/* A call without arguments. */
static int ask(sd_bus *bus, const char *interface, const char *member, sd_bus_error *error,
        sd_bus_message **ret)
{
        sd_bus_message *message;
        int r;

        r = new_call(bus, interface, member, &message);
        return r < 0 ? r : call(bus, message, 0, error, ret);
}

int client_get_model(sd_bus *bus, sd_bus_error *error, Model **ret)
{
        _cleanup_bus_message_ sd_bus_message *manager = NULL, *objects = NULL;
        int r;

        r = get_manager(bus, error, &manager);
        if (r >= 0)
                r = ask(bus, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", error,
                        &objects);
        return r < 0 ? r : client_read_model(manager, objects, ret);
}

static int get_list(sd_bus *bus, sd_bus_error *error, Model **ret)
{
        _cleanup_bus_message_ sd_bus_message *manager = NULL, *claims = NULL, *devices = NULL;
        int r;

        r = get_manager(bus, error, &manager);
        if (r >= 0)
                r = ask(bus, BUS_INTERFACE_MANAGER, "ListClaims", error, &claims);
        if (r >= 0)
                r = ask(bus, BUS_INTERFACE_MANAGER, "ListDevices", error, &devices);
        return r < 0 ? r : client_read_list(manager, claims, devices, ret);
}

int client_get_list(sd_bus *bus, sd_bus_error *error, Model **ret)
{
        int r = get_list(bus, error, ret);

        /* A daemon, or rules of the bus, from before an upgrade know no lists. */
        if (!sd_bus_error_has_names(error, SD_BUS_ERROR_UNKNOWN_METHOD,
                    SD_BUS_ERROR_ACCESS_DENIED))
                return r;
        sd_bus_error_free(error);
        return client_get_model(bus, error, ret);
}

/* What is not asked for is left out: a daemon of another version may not know it. */
static int append_flags(sd_bus_message *message, bool prune, bool next_boot)
{
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");

        if (r >= 0 && prune)
                r = sd_bus_message_append(message, "{sv}", BUS_OPTION_PRUNE, "b", 1);
        if (r >= 0 && next_boot)
                r = sd_bus_message_append(message, "{sv}", BUS_OPTION_NEXT_BOOT, "b", 1);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int read_results(sd_bus_message *reply, ApplyItems *items)
{
        const char *path, *state, *reason;
        int r;

        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(oss)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(oss)", &path, &state, &reason)) > 0) {
                PciAddress address;
                ApplyItem *item;

                if (client_parse_device(path, &address) < 0)
                        continue;
                r = ARRAY_GROW(items->items, items->n_items);
                if (r < 0)
                        return r;
                item = &items->items[items->n_items++];
                *item = (ApplyItem){ .address = address };
                r = model_set(&item->state, state);
                if (r >= 0)
                        r = model_set(&item->reason, reason);
        }
        return r < 0 ? r : 0;
}

int client_apply(sd_bus *bus, char *const *claims, bool prune, bool interactive,
        sd_bus_error *error, ApplyItems *items)
{
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        sd_bus_message *message;
        int r;

        r = new_call(bus, BUS_INTERFACE_MANAGER, "Apply", &message);
        if (r < 0)
                return r;
        r = sd_bus_message_set_allow_interactive_authorization(message, interactive);
        if (r >= 0)
                r = sd_bus_message_append_strv(message, (char **) claims);
        if (r >= 0)
                r = append_flags(message, prune, false);
        if (r < 0) {
                sd_bus_message_unref(message);
                return r;
        }
        r = call(bus, message, CLIENT_APPLY_MINUTES * 60 * USEC_PER_SEC, error, &reply);
        return r < 0 ? r : read_results(reply, items);
}

static int read_steps(sd_bus_message *reply, ModelSteps *steps)
{
        const char *address, *action, *from, *to, *reason;
        int32_t group;
        int r;

        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(isssss)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(isssss)", &group, &address, &action,
                                  &from, &to, &reason)) > 0) {
                ModelStep *step;
                PciAddress parsed;

                if (pci_address_parse(address, &parsed) < 0)
                        continue;
                r = model_add_step(steps, &step);
                if (r < 0)
                        return r;
                step->group = group;
                step->address = parsed;
                r = model_set(&step->action, action);
                if (r >= 0)
                        r = model_set(&step->from, from);
                if (r >= 0)
                        r = model_set(&step->to, to);
                if (r >= 0)
                        r = model_set(&step->reason, reason);
        }
        return r < 0 ? r : 0;
}

int client_plan(sd_bus *bus, bool prune, bool next_boot, sd_bus_error *error, ModelSteps *steps)
{
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        sd_bus_message *message;
        int r;

        r = new_call(bus, BUS_INTERFACE_MANAGER, "Plan", &message);
        if (r < 0)
                return r;
        r = append_flags(message, prune, next_boot);
        if (r < 0) {
                sd_bus_message_unref(message);
                return r;
        }
        r = call(bus, message, 0, error, &reply);
        return r < 0 ? r : read_steps(reply, steps);
}

static int read_answer(sd_bus_message *reply, ModelAnswers *answers)
{
        const char *claim, *file, *term, *answer, *note;
        ModelAnswer *item;
        uint32_t line;
        int r;

        r = sd_bus_message_read(reply, "(ssusss)", &claim, &file, &line, &term, &answer, &note);
        if (r <= 0)
                return r;
        r = answers_add(answers, &item);
        if (r < 0)
                return r;
        item->line = line;
        item->is_exclude = streq(note, "exclude");
        r = model_set(&item->claim, claim);
        if (r >= 0)
                r = model_set(&item->file, file);
        if (r >= 0)
                r = model_set(&item->term, term);
        if (r >= 0)
                r = model_set(&item->answer, answer);
        return r < 0 ? r : 1;
}

int client_explain(sd_bus *bus, const PciAddress *address, sd_bus_error *error,
        ModelAnswers *answers)
{
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        sd_bus_message *message;
        int r;

        r = new_call(bus, BUS_INTERFACE_MANAGER, "Explain", &message);
        if (r < 0)
                return r;
        r = sd_bus_message_append(message, "s", PCI_ADDRESS_TEXT(address));
        if (r < 0) {
                sd_bus_message_unref(message);
                return r;
        }
        r = call(bus, message, 0, error, &reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(ssusss)");
        while (r >= 0 && (r = read_answer(reply, answers)) > 0)
                ;
        return r < 0 ? r : 0;
}

/* The functions in a list of object paths. */
static int read_devices(sd_bus_message *reply, char ***ret)
{
        _cleanup_string_list_ char **list = NULL;
        const char *path;
        int r;

        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "o");
        while (r >= 0 && (r = sd_bus_message_read_basic(reply, 'o', &path)) > 0) {
                PciAddress address;

                if (client_parse_device(path, &address) >= 0)
                        r = string_list_append(&list, PCI_ADDRESS_TEXT(&address));
        }
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(list);
        return 0;
}

static int request(sd_bus *bus, const char *member, const PciAddress *address, bool interactive,
        sd_bus_error *error, char ***ret)
{
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        sd_bus_message *message;
        int r;

        r = new_call(bus, BUS_INTERFACE_MANAGER, member, &message);
        if (r < 0)
                return r;
        r = sd_bus_message_set_allow_interactive_authorization(message, interactive);
        if (r >= 0)
                r = sd_bus_message_append(message, "s", PCI_ADDRESS_TEXT(address));
        if (r >= 0)
                r = append_flags(message, false, false);
        if (r < 0) {
                sd_bus_message_unref(message);
                return r;
        }
        r = call(bus, message, CLIENT_APPLY_MINUTES * 60 * USEC_PER_SEC, error, &reply);
        return r < 0 ? r : read_devices(reply, ret);
}

int client_bind(sd_bus *bus, const PciAddress *address, bool interactive, sd_bus_error *error,
        char ***ret)
{
        return request(bus, "BindDevice", address, interactive, error, ret);
}

int client_release(sd_bus *bus, const PciAddress *address, bool interactive, sd_bus_error *error,
        char ***ret)
{
        return request(bus, "ReleaseDevice", address, interactive, error, ret);
}

void apply_items_done(ApplyItems *items)
{
        for (size_t i = 0; i < items->n_items; i++) {
                free(items->items[i].state);
                free(items->items[i].reason);
        }
        free(items->items);
        *items = (ApplyItems){};
}
