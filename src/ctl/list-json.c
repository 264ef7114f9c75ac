/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/list.h"

/* Keys are the names of the D-Bus properties, except where objects stand in each other instead of
 * referring to each other: "Devices" and "Claims" hold objects. */

void json_begin_document(Json *json, const char *kind)
{
        json_open_object(json, NULL);
        json_integer(json, "SchemaVersion", JSON_SCHEMA_VERSION);
        json_string(json, "Kind", kind);
}

void json_number(Json *json, const char *key, int64_t value)
{
        if (value >= 0)
                json_integer(json, key, value);
        else
                json_null(json, key);
}

static void json_device_texts(Json *json, const ModelDevice *device, size_t from, size_t to)
{
        for (size_t i = from; i < to; i++)
                json_string(json, device_text_names[i], device->text[i]);
}

static void json_device_basics(Json *json, const ModelDevice *device)
{
        json_device_texts(json, device, 0, _DEVICE_TEXT_BASIC_MAX);
        json_number(json, "GroupNumber", device->group);
        json_string(json, "Claim", device->claim);
}

void json_device(Json *json, const ModelDevice *device)
{
        json_open_object(json, NULL);
        json_device_basics(json, device);
        json_close_object(json);
}

void json_device_details(Json *json, const ModelDevice *device)
{
        json_open_object(json, NULL);
        json_device_basics(json, device);
        json_device_texts(json, device, _DEVICE_TEXT_BASIC_MAX, _DEVICE_TEXT_MAX);
        for (size_t i = 0; i < _DEVICE_NUMBER_MAX; i++)
                json_number(json, device_number_names[i], device->numbers[i]);
        json_boolean(json, "IsBridge", device->is_bridge);
        json_string(json, "PhysicalFunction", device->physical_function);
        json_strings(json, "ResetMethods", device->reset_methods);
        json_close_object(json);
}

void json_group_properties(Json *json, const ModelGroup *group)
{
        json_integer(json, "Number", group->number);
        json_string(json, "State", group->state);
        json_boolean(json, "Viable", group->is_viable);
        json_string(json, "Node", group->node);
        /* D-Bus has numbers for "none" */
        json_number(json, "NodeUser", group->node ? group->node_user : -1);
        json_number(json, "NodeGroup", group->node ? group->node_group : -1);
        json_number(json, "NodeMode", group->node ? group->node_mode : -1);
}

void json_manager_texts(Json *json, const Model *model)
{
        json_string(json, "State", model->state);
        for (size_t i = 0; i < _MANAGER_TEXT_MAX; i++)
                json_string(json, manager_text_names[i], model->text[i]);
}

static void json_source(Json *json, const char *file, unsigned line)
{
        if (!file) {
                json_null(json, "Source");
                return;
        }
        json_open_array(json, "Source");
        json_string(json, NULL, file);
        json_integer(json, NULL, line);
        json_close_array(json);
}

static void json_claim_properties(Json *json, const ModelClaim *claim)
{
        for (size_t i = 0; i < _CLAIM_TEXT_MAX; i++)
                json_string(json, claim_text_names[i], claim->text[i]);
        json_source(json, claim->file, claim->line);
        for (size_t i = 0; i < _CLAIM_LIST_MAX; i++)
                json_strings(json, claim_list_names[i], claim->lists[i]);
}

void json_claim_alone(Json *json, const ModelClaim *claim)
{
        json_open_object(json, NULL);
        json_claim_properties(json, claim);
        json_close_object(json);
}

void json_claim(Json *json, const Model *model, const ModelClaim *claim)
{
        json_open_object(json, NULL);
        json_claim_properties(json, claim);
        json_open_array(json, "Devices");
        for (size_t i = 0; i < model->n_devices; i++)
                if (streq_null(model->devices[i].claim, claim->text[CLAIM_NAME]))
                        json_device(json, &model->devices[i]);
        json_close_array(json);
        json_close_object(json);
}

void json_configuration_errors(Json *json, const Model *model)
{
        json_open_array(json, "ConfigurationErrors");
        for (size_t i = 0; i < model->n_errors; i++) {
                const ModelError *error = &model->errors[i];

                json_open_array(json, NULL);
                json_string(json, NULL, error->file);
                json_integer(json, NULL, error->line);
                json_integer(json, NULL, error->column);
                json_string(json, NULL, error->message);
                json_close_array(json);
        }
        json_close_array(json);
}

int list_print_json(const Model *model, bool pretty, FILE *file)
{
        _cleanup_json_ Json json = { .pretty = pretty };

        json_begin_document(&json, "list");
        json_string(&json, "State", model->state);
        json_configuration_errors(&json, model);
        json_open_array(&json, "Claims");
        for (size_t i = 0; i < model->n_claims; i++)
                json_claim(&json, model, &model->claims[i]);
        json_close_array(&json);
        json_open_array(&json, "Devices");
        for (size_t i = 0; i < model->n_devices; i++)
                if (list_shows_unclaimed(&model->devices[i]))
                        json_device(&json, &model->devices[i]);
        json_close_array(&json);
        json_close_object(&json);
        return json_print(&json, file);
}

void json_physical_functions(Json *json, const ModelPhysicalFunctions *functions)
{
        json_open_array(json, "PhysicalFunctions");
        for (size_t i = 0; i < functions->n_items; i++) {
                const ModelPhysicalFunction *function = &functions->items[i];

                json_open_object(json, NULL);
                json_string(json, "Name", function->name);
                json_source(json, function->file, function->line);
                json_string(json, "Device", function->device);
                json_string(json, "Requested", function->requested);
                json_number(json, "TotalVFs", function->total_vfs);
                json_number(json, "NumVFs", function->num_vfs);
                json_string(json, "State", function->state);
                json_string(json, "Reason", function->reason);
                json_string(json, "ReasonText", function->text);
                json_number(json, "SetNumVFs", function->set_num_vfs);
                json_string(json, "SwitchProbing", function->probing);
                json_close_object(json);
        }
        json_close_array(json);
}

void json_steps(Json *json, const ModelSteps *steps)
{
        json_open_array(json, "Steps");
        for (size_t i = 0; i < steps->n_items; i++) {
                const ModelStep *step = &steps->items[i];

                json_open_object(json, NULL);
                json_number(json, "GroupNumber", step->group);
                json_string(json, "Address", PCI_ADDRESS_TEXT(&step->address));
                json_string(json, "Action", step->action);
                json_string(json, "From", step->from);
                json_string(json, "To", step->to);
                json_string(json, "Reason", step->reason);
                json_close_object(json);
        }
        json_close_array(json);
        json_physical_functions(json, &steps->physical_functions);
}

void json_results(Json *json, const Model *after, const ApplyItems *items)
{
        json_open_array(json, "Devices");
        for (size_t i = 0; i < items->n_items; i++) {
                const ApplyItem *item = &items->items[i];
                const ModelDevice *device = model_find_device(after, &item->address);
                char address[PCI_ADDRESS_TEXT_MAX];
                ModelDevice shown = { .group = -1 };

                if (device)
                        shown = *device;
                else
                        shown.text[DEVICE_ADDRESS] = pci_address_format(&item->address, address);
                shown.text[DEVICE_STATE] = item->state;
                shown.text[DEVICE_REASON] = item->reason;
                json_device(json, &shown);
        }
        json_close_array(json);
}
