/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/names.h"
#include "ctl/client-internal.h"
#include "util/array.h"

/* Objects of the daemon as a model. */

typedef struct Reading {
        Model *model;
        char **claim_order; /* object paths, as in the configuration */
        char **claim_paths; /* of model->claims, before they are sorted */
} Reading;

static const char *label_of(const char *path, const char *prefix)
{
        const char *rest = startswith(path, prefix);

        return rest && *rest == '/' && rest[1] ? rest + 1 : NULL;
}

int client_parse_device(const char *path, PciAddress *ret)
{
        const char *label = label_of(path, BUS_PREFIX_DEVICE);

        return label ? pci_address_parse(label, ret) : -EINVAL;
}

static size_t find_name(const char *name, const char *const *names, size_t n_names)
{
        size_t i = 0;

        while (i < n_names && !streq(names[i], name))
                i++;
        return i;
}

/* Enters the variant if it has this type. Returns 1; 0 after having passed over another one. */
static int enter_value(sd_bus_message *message, const char *signature)
{
        const char *contents;
        int r = sd_bus_message_peek_type(message, NULL, &contents);

        if (r < 0)
                return r;
        if (r == 0 || !streq(contents, signature)) {
                r = sd_bus_message_skip(message, "v");
                return r < 0 ? r : 0;
        }
        r = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, signature);
        return r < 0 ? r : 1;
}

static int leave_value(sd_bus_message *message, int r)
{
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* Of type "s" or "o". */
static int read_text(sd_bus_message *message, char type, char **target)
{
        const char signature[] = { type, 0 };
        const char *value;
        int r = enter_value(message, signature);

        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(message, type, &value);
        if (r >= 0)
                r = model_set(target, value);
        return leave_value(message, r);
}

/* Of type "as" or "ao". */
static int read_list(sd_bus_message *message, char type, char ***target)
{
        const char signature[] = { 'a', type, 0 };
        const char *value;
        int r = enter_value(message, signature);

        if (r <= 0)
                return r;
        *target = string_list_free(*target);
        r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, signature + 1);
        while (r >= 0 && (r = sd_bus_message_read_basic(message, type, &value)) > 0)
                r = string_list_append(target, value);
        return leave_value(message, leave_value(message, r));
}

static int read_group(sd_bus_message *message, int64_t *target)
{
        uint32_t value;
        int r = enter_value(message, "u");

        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(message, 'u', &value);
        if (r >= 0)
                *target = value == UINT32_MAX ? -1 : (int64_t) value;
        return leave_value(message, r);
}

static int read_source(sd_bus_message *message, ModelClaim *claim)
{
        const char *file;
        uint32_t line;
        int r = enter_value(message, "(su)");

        if (r <= 0)
                return r;
        r = sd_bus_message_read(message, "(su)", &file, &line);
        if (r >= 0) {
                claim->line = line;
                r = model_set(&claim->file, file);
        }
        return leave_value(message, r);
}

static int read_errors(sd_bus_message *message, Model *model)
{
        const char *file, *text;
        uint32_t line, column;
        int r = enter_value(message, "a(suus)");

        if (r <= 0)
                return r;
        r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "(suus)");
        while (r >= 0 &&
               (r = sd_bus_message_read(message, "(suus)", &file, &line, &column, &text)) > 0) {
                ModelError *error;

                r = model_add_error(model, &error);
                if (r < 0)
                        break;
                error->line = line;
                error->column = column;
                r = model_set(&error->file, file);
                if (r >= 0)
                        r = model_set(&error->message, text);
        }
        return leave_value(message, leave_value(message, r));
}

static int read_device_property(sd_bus_message *message, const char *name, void *userdata,
        _unused_ Reading *reading)
{
        ModelDevice *device = userdata;
        size_t i = find_name(name, device_text_names, _DEVICE_TEXT_MAX);

        if (i < _DEVICE_TEXT_MAX)
                return read_text(message, 's', &device->text[i]);
        if (streq(name, "GroupNumber"))
                return read_group(message, &device->group);
        if (streq(name, "Claim"))
                return read_text(message, 'o', &device->claim);
        return sd_bus_message_skip(message, "v");
}

static int read_claim_property(sd_bus_message *message, const char *name, void *userdata,
        _unused_ Reading *reading)
{
        ModelClaim *claim = userdata;
        size_t i = find_name(name, claim_text_names, _CLAIM_TEXT_MAX);

        if (i < _CLAIM_TEXT_MAX)
                return read_text(message, 's', &claim->text[i]);
        i = find_name(name, claim_list_names, _CLAIM_LIST_MAX);
        if (i < _CLAIM_LIST_MAX)
                return read_list(message, 's', &claim->lists[i]);
        if (streq(name, "Source"))
                return read_source(message, claim);
        return sd_bus_message_skip(message, "v");
}

static int read_manager_property(sd_bus_message *message, const char *name,
        _unused_ void *userdata, Reading *reading)
{
        if (streq(name, "State"))
                return read_text(message, 's', &reading->model->state);
        if (streq(name, "Claims"))
                return read_list(message, 'o', &reading->claim_order);
        if (streq(name, "ConfigurationErrors"))
                return read_errors(message, reading->model);
        return sd_bus_message_skip(message, "v");
}

typedef int (*PropertyReader)(sd_bus_message *message, const char *name, void *userdata,
        Reading *reading);

static int read_properties(sd_bus_message *message, PropertyReader reader, void *userdata,
        Reading *reading)
{
        const char *name;
        int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}");

        while (r >= 0 &&
               (r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = sd_bus_message_read_basic(message, 's', &name);
                if (r >= 0)
                        r = reader(message, name, userdata, reading);
                r = leave_value(message, r);
        }
        return leave_value(message, r);
}

static int read_device(sd_bus_message *message, const char *path, Reading *reading)
{
        ModelDevice *device;
        PciAddress address;
        int r;

        if (client_parse_device(path, &address) < 0)
                return sd_bus_message_skip(message, "a{sv}");
        r = model_add_device(reading->model, &device);
        if (r < 0)
                return r;
        device->address = address;
        return read_properties(message, read_device_property, device, reading);
}

static int read_claim(sd_bus_message *message, const char *path, Reading *reading)
{
        ModelClaim *claim;
        int r;

        if (!label_of(path, BUS_PREFIX_CLAIM))
                return sd_bus_message_skip(message, "a{sv}");
        r = model_add_claim(reading->model, &claim);
        if (r >= 0)
                r = string_list_append(&reading->claim_paths, path);
        return r < 0 ? r : read_properties(message, read_claim_property, claim, reading);
}

static int read_interface(sd_bus_message *message, const char *path, Reading *reading)
{
        const char *interface;
        int r = sd_bus_message_read_basic(message, 's', &interface);

        if (r < 0)
                return r;
        if (streq(interface, BUS_INTERFACE_DEVICE))
                return read_device(message, path, reading);
        if (streq(interface, BUS_INTERFACE_CLAIM))
                return read_claim(message, path, reading);
        return sd_bus_message_skip(message, "a{sv}");
}

static int read_object(sd_bus_message *message, Reading *reading)
{
        const char *path;
        int r = sd_bus_message_read_basic(message, 'o', &path);

        if (r >= 0)
                r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sa{sv}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY,
                                  "sa{sv}")) > 0)
                r = leave_value(message, read_interface(message, path, reading));
        return leave_value(message, r);
}

static size_t position(char *const *list, const char *text)
{
        size_t i = 0;

        while (list && list[i] && !streq(list[i], text))
                i++;
        return i;
}

/* Claims are referred to by path; people know them by name. */
static int resolve_claims(Reading *reading)
{
        Model *model = reading->model;

        for (size_t i = 0; i < model->n_devices; i++) {
                ModelDevice *device = &model->devices[i];
                size_t n = device->claim ? position(reading->claim_paths, device->claim)
                                         : model->n_claims;
                int r = model_set(&device->claim,
                        n < model->n_claims ? model->claims[n].text[CLAIM_NAME] : NULL);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < model->n_claims; i++)
                model->claims[i].order = position(reading->claim_order, reading->claim_paths[i]);
        return 0;
}

static int read_objects(sd_bus_message *reply, Reading *reading)
{
        int r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "{oa{sa{sv}}}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_DICT_ENTRY,
                                  "oa{sa{sv}}")) > 0)
                r = leave_value(reply, read_object(reply, reading));
        return r < 0 ? r : resolve_claims(reading);
}

int client_read_model(sd_bus_message *manager, sd_bus_message *objects, Model **ret)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        Reading reading = { .model = model };
        int r;

        if (!model)
                return -ENOMEM;
        r = read_properties(manager, read_manager_property, NULL, &reading);
        if (r >= 0)
                r = read_objects(objects, &reading);
        string_list_free(reading.claim_order);
        string_list_free(reading.claim_paths);
        if (r < 0)
                return r;
        if (!model->state) {
                r = model_set(&model->state, "unknown");
                if (r < 0)
                        return r;
        }
        model_finish(model);
        *ret = TAKE_POINTER(model);
        return 0;
}
