/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/names.h"
#include "ctl/client-internal.h"
#include "util/parse.h"

/* Objects of the daemon as a model. */

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

/* Claims are referred to by path; people know them by name. */
int client_set_claim_name(char **target, const char *path)
{
        _cleanup_free_ char *name = NULL;
        int r = label_of(path, BUS_PREFIX_CLAIM)
                ? sd_bus_path_decode(path, BUS_PREFIX_CLAIM, &name)
                : 0;

        return r < 0 ? r : model_set(target, r > 0 ? name : NULL);
}

static bool parse_group(const char *path, int64_t *ret)
{
        const char *label = label_of(path, BUS_PREFIX_GROUP);
        uint64_t number;

        if (!label || parse_unsigned(label, UINT32_MAX - 1, &number) < 0)
                return false;
        *ret = (int64_t) number;
        return true;
}

static size_t find_name(const char *name, const char *const *names, size_t n_names)
{
        size_t i = 0;

        /* A large machine has a hundred thousand properties. */
        while (i < n_names && (names[i][0] != name[0] || !streq(names[i], name)))
                i++;
        return i;
}

/* Enters the variant if it has this type. Returns 1; 0 after having passed over another one. */
static int enter_value(sd_bus_message *message, const char *signature)
{
        int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, signature);

        if (r == -ENXIO)
                r = sd_bus_message_skip(message, "v");
        else if (r >= 0)
                return 1;
        return r < 0 ? r : 0;
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

static int read_unsigned(sd_bus_message *message, int64_t *target)
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

static int read_signed(sd_bus_message *message, int64_t *target)
{
        int32_t value;
        int r = enter_value(message, "i");

        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(message, 'i', &value);
        if (r >= 0)
                *target = value;
        return leave_value(message, r);
}

static int read_time(sd_bus_message *message, int64_t *target)
{
        uint64_t value;
        int r = enter_value(message, "t");

        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(message, 't', &value);
        if (r >= 0)
                *target = value > 0 && value <= INT64_MAX ? (int64_t) value : -1;
        return leave_value(message, r);
}

static int read_boolean(sd_bus_message *message, bool *target)
{
        int value, r = enter_value(message, "b");

        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(message, 'b', &value);
        if (r >= 0)
                *target = value;
        return leave_value(message, r);
}

static int read_source(sd_bus_message *message, char **target, unsigned *ret_line)
{
        const char *file;
        uint32_t line;
        int r = enter_value(message, "(su)");

        if (r <= 0)
                return r;
        r = sd_bus_message_read(message, "(su)", &file, &line);
        if (r >= 0) {
                *ret_line = line;
                r = model_set(target, file);
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
        model_clear_errors(model);
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

/* Replaces a path by what is meant. */
static int read_path(sd_bus_message *message, int (*set)(char **target, const char *path),
        char **target)
{
        const char *path;
        int r = enter_value(message, "o");

        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(message, 'o', &path);
        if (r >= 0)
                r = set(target, path);
        return leave_value(message, r);
}

static int set_device_address(char **target, const char *path)
{
        PciAddress address;

        return model_set(target,
                client_parse_device(path, &address) < 0 ? NULL : PCI_ADDRESS_TEXT(&address));
}

static int read_device_number(sd_bus_message *message, size_t number, ModelDevice *device)
{
        int64_t *target = &device->numbers[number];

        switch (number) {
        case DEVICE_VF_INDEX:
        case DEVICE_NUMA_NODE:
                return read_signed(message, target);
        case DEVICE_BOUND_TIMESTAMP:
                return read_time(message, target);
        default:
                return read_unsigned(message, target);
        }
}

static int read_device_property(sd_bus_message *message, const char *name, void *object)
{
        ModelDevice *device = object;
        size_t i = find_name(name, device_text_names, _DEVICE_TEXT_MAX);

        if (i < _DEVICE_TEXT_MAX)
                return read_text(message, 's', &device->text[i]);
        i = find_name(name, device_number_names, _DEVICE_NUMBER_MAX);
        if (i < _DEVICE_NUMBER_MAX)
                return read_device_number(message, i, device);
        if (streq(name, "GroupNumber"))
                return read_unsigned(message, &device->group);
        if (streq(name, "IsBridge"))
                return read_boolean(message, &device->is_bridge);
        if (streq(name, "ResetMethods"))
                return read_list(message, 's', &device->reset_methods);
        if (streq(name, "PhysicalFunction"))
                return read_path(message, set_device_address, &device->physical_function);
        if (streq(name, "Claim"))
                return read_path(message, client_set_claim_name, &device->claim);
        return sd_bus_message_skip(message, "v");
}

static int read_claim_property(sd_bus_message *message, const char *name, void *object)
{
        ModelClaim *claim = object;
        size_t i = find_name(name, claim_text_names, _CLAIM_TEXT_MAX);

        if (i < _CLAIM_TEXT_MAX)
                return read_text(message, 's', &claim->text[i]);
        i = find_name(name, claim_list_names, _CLAIM_LIST_MAX);
        if (i < _CLAIM_LIST_MAX)
                return read_list(message, 's', &claim->lists[i]);
        if (streq(name, "Source"))
                return read_source(message, &claim->file, &claim->line);
        return sd_bus_message_skip(message, "v");
}

static int read_group_property(sd_bus_message *message, const char *name, void *object)
{
        ModelGroup *group = object;

        if (streq(name, "State"))
                return read_text(message, 's', &group->state);
        if (streq(name, "Node"))
                return read_text(message, 's', &group->node);
        if (streq(name, "NodeUser"))
                return read_unsigned(message, &group->node_user);
        if (streq(name, "NodeGroup"))
                return read_unsigned(message, &group->node_group);
        if (streq(name, "NodeMode"))
                return read_unsigned(message, &group->node_mode);
        if (streq(name, "Viable"))
                return read_boolean(message, &group->is_viable);
        return sd_bus_message_skip(message, "v");
}

static char **find_physical_function_text(ModelPhysicalFunction *function, const char *name)
{
        const struct {
                const char *name;
                char **target;
        } texts[] = {
                { "Name", &function->name },      { "Requested", &function->requested },
                { "State", &function->state },    { "Reason", &function->reason },
                { "ReasonText", &function->text },
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(texts[i].name, name))
                        return texts[i].target;
        return NULL;
}

static int read_physical_function_property(sd_bus_message *message, const char *name, void *object)
{
        ModelPhysicalFunction *function = object;
        char **text = find_physical_function_text(function, name);

        if (text)
                return read_text(message, 's', text);
        if (streq(name, "Source"))
                return read_source(message, &function->file, &function->line);
        if (streq(name, "Device"))
                return read_path(message, set_device_address, &function->device);
        if (streq(name, "TotalVFs"))
                return read_unsigned(message, &function->total_vfs);
        if (streq(name, "NumVFs"))
                return read_unsigned(message, &function->num_vfs);
        return sd_bus_message_skip(message, "v");
}

static int read_claim_order(sd_bus_message *message, Model *model)
{
        _cleanup_string_list_ char **paths = NULL;
        int r = read_list(message, 'o', &paths);

        model->claim_order = string_list_free(model->claim_order);
        for (char **path = paths; r >= 0 && path && *path; path++) {
                _cleanup_free_ char *name = NULL;

                r = client_set_claim_name(&name, *path);
                if (r >= 0 && name)
                        r = string_list_append(&model->claim_order, name);
        }
        return r;
}

static int read_manager_property(sd_bus_message *message, const char *name, void *object)
{
        Model *model = object;
        size_t i = find_name(name, manager_text_names, _MANAGER_TEXT_MAX);

        if (i < _MANAGER_TEXT_MAX)
                return read_text(message, 's', &model->text[i]);
        if (streq(name, "State"))
                return read_text(message, 's', &model->state);
        if (streq(name, "Settled"))
                return read_boolean(message, &model->settled);
        if (streq(name, "Claims"))
                return read_claim_order(message, model);
        if (streq(name, "ConfigurationErrors"))
                return read_errors(message, model);
        return sd_bus_message_skip(message, "v");
}

typedef int (*PropertyReader)(sd_bus_message *message, const char *name, void *object);

static int read_properties(sd_bus_message *message, PropertyReader reader, void *object)
{
        const char *name;
        int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}");

        while (r >= 0 &&
               (r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = sd_bus_message_read_basic(message, 's', &name);
                if (r >= 0)
                        r = reader(message, name, object);
                r = leave_value(message, r);
        }
        return leave_value(message, r);
}

static int add_device(sd_bus_message *message, const char *path, Model *model)
{
        ModelDevice *device;
        PciAddress address;
        int r;

        if (client_parse_device(path, &address) < 0)
                return sd_bus_message_skip(message, "a{sv}");
        r = model_add_device(model, &device);
        if (r < 0)
                return r;
        device->address = address;
        return read_properties(message, read_device_property, device);
}

static int add_claim(sd_bus_message *message, const char *path, Model *model)
{
        ModelClaim *claim;
        int r;

        if (!label_of(path, BUS_PREFIX_CLAIM))
                return sd_bus_message_skip(message, "a{sv}");
        r = model_add_claim(model, &claim);
        return r < 0 ? r : read_properties(message, read_claim_property, claim);
}

static int add_group(sd_bus_message *message, const char *path, Model *model)
{
        ModelGroup *group;
        int64_t number;
        int r;

        if (!parse_group(path, &number))
                return sd_bus_message_skip(message, "a{sv}");
        r = model_add_group(model, &group);
        if (r < 0)
                return r;
        group->number = number;
        return read_properties(message, read_group_property, group);
}

static int add_physical_function(sd_bus_message *message, Model *model)
{
        ModelPhysicalFunction *function;
        int r = model_add_physical_function(&model->physical_functions, &function);

        return r < 0 ? r : read_properties(message, read_physical_function_property, function);
}

static int add_interface(sd_bus_message *message, const char *path, Model *model)
{
        const char *interface;
        int r = sd_bus_message_read_basic(message, 's', &interface);

        if (r < 0)
                return r;
        if (streq(interface, BUS_INTERFACE_DEVICE))
                return add_device(message, path, model);
        if (streq(interface, BUS_INTERFACE_CLAIM))
                return add_claim(message, path, model);
        if (streq(interface, BUS_INTERFACE_GROUP))
                return add_group(message, path, model);
        if (streq(interface, BUS_INTERFACE_PHYSICAL_FUNCTION))
                return add_physical_function(message, model);
        return sd_bus_message_skip(message, "a{sv}");
}

static int add_object(sd_bus_message *message, Model *model)
{
        const char *path;
        int r = sd_bus_message_read_basic(message, 'o', &path);

        if (r >= 0)
                r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sa{sv}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY,
                                  "sa{sv}")) > 0)
                r = leave_value(message, add_interface(message, path, model));
        return leave_value(message, r);
}

static int read_objects(sd_bus_message *reply, Model *model)
{
        int r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "{oa{sa{sv}}}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_DICT_ENTRY,
                                  "oa{sa{sv}}")) > 0)
                r = leave_value(reply, add_object(reply, model));
        return r;
}

/* Of a claim that is not there, the name is none. */
static int drop_dangling_claims(Model *model)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_devices; i++) {
                ModelDevice *device = &model->devices[i];

                if (device->claim && !model_find_claim(model, device->claim))
                        r = model_set(&device->claim, NULL);
        }
        return r;
}

int client_read_manager(sd_bus_message *manager, Model *model)
{
        return read_properties(manager, read_manager_property, model);
}

int client_finish_model(Model *model)
{
        if (!model->state) {
                int r = model_set(&model->state, BUS_UNKNOWN);

                if (r < 0)
                        return r;
        }
        model_finish(model);
        return drop_dangling_claims(model);
}

int client_read_model(sd_bus_message *manager, sd_bus_message *objects, Model **ret)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        int r = model ? client_read_manager(manager, model) : -ENOMEM;

        if (r >= 0)
                r = read_objects(objects, model);
        if (r >= 0)
                r = client_finish_model(model);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(model);
        return 0;
}

static ModelClaim *find_claim(const Model *model, const char *path)
{
        _cleanup_free_ char *name = NULL;

        if (client_set_claim_name(&name, path) < 0 || !name)
                return NULL;
        return model_find_claim(model, name);
}

static ModelDevice *find_device(const Model *model, const char *path)
{
        PciAddress address;

        return client_parse_device(path, &address) < 0 ? NULL : model_find_device(model, &address);
}

static ModelGroup *find_group(const Model *model, const char *path)
{
        int64_t number;

        return parse_group(path, &number) ? model_find_group(model, number) : NULL;
}

static int read_changed(sd_bus_message *signal, const char *path, Model *model)
{
        const char *interface;
        PropertyReader reader = NULL;
        void *object = NULL;
        int r = sd_bus_message_read_basic(signal, 's', &interface);

        if (r < 0)
                return r;
        if (streq(interface, BUS_INTERFACE_MANAGER)) {
                reader = read_manager_property;
                object = model;
        } else if (streq(interface, BUS_INTERFACE_DEVICE)) {
                reader = read_device_property;
                object = find_device(model, path);
        } else if (streq(interface, BUS_INTERFACE_CLAIM)) {
                reader = read_claim_property;
                object = find_claim(model, path);
        } else if (streq(interface, BUS_INTERFACE_GROUP)) {
                reader = read_group_property;
                object = find_group(model, path);
        }
        if (!object)
                return 0;
        r = read_properties(signal, reader, object);
        if (r >= 0 && object == model) /* the order of the claims may be another one */
                model_finish(model);
        return r < 0 ? r : 0;
}

static void remove_interface(const char *path, const char *interface, Model *model)
{
        ModelDevice *device = find_device(model, path);
        ModelClaim *claim = find_claim(model, path);
        ModelGroup *group = find_group(model, path);

        if (device && streq(interface, BUS_INTERFACE_DEVICE))
                model_remove_device(model, device);
        if (claim && streq(interface, BUS_INTERFACE_CLAIM))
                model_remove_claim(model, claim);
        if (group && streq(interface, BUS_INTERFACE_GROUP))
                model_remove_group(model, group);
}

static int read_removed(sd_bus_message *signal, Model *model)
{
        const char *path, *interface;
        int r = sd_bus_message_read_basic(signal, 'o', &path);

        if (r >= 0)
                r = sd_bus_message_enter_container(signal, SD_BUS_TYPE_ARRAY, "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(signal, 's', &interface)) > 0)
                remove_interface(path, interface, model);
        return r < 0 ? r : 0;
}

int client_read_signal(sd_bus_message *signal, Model *model)
{
        const char *member = sd_bus_message_get_member(signal);
        int r;

        if (streq_null(member, "PropertiesChanged"))
                return read_changed(signal, sd_bus_message_get_path(signal), model);
        if (streq_null(member, "InterfacesRemoved"))
                return read_removed(signal, model);
        if (!streq_null(member, "InterfacesAdded"))
                return 0;
        r = add_object(signal, model);
        model_physical_functions_done(&model->physical_functions); /* nobody follows these */
        if (r >= 0)
                model_finish(model);
        return r < 0 ? r : 0;
}
