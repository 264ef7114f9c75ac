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

static void json_group(Json *json, int64_t group)
{
        if (group >= 0)
                json_integer(json, "GroupNumber", group);
        else
                json_null(json, "GroupNumber");
}

void json_device(Json *json, const ModelDevice *device)
{
        json_open_object(json, NULL);
        for (size_t i = 0; i < _DEVICE_TEXT_BASIC_MAX; i++)
                json_string(json, device_text_names[i], device->text[i]);
        json_group(json, device->group);
        json_string(json, "Claim", device->claim);
        json_close_object(json);
}

static void json_source(Json *json, const ModelClaim *claim)
{
        if (!claim->file) {
                json_null(json, "Source");
                return;
        }
        json_open_array(json, "Source");
        json_string(json, NULL, claim->file);
        json_integer(json, NULL, claim->line);
        json_close_array(json);
}

void json_claim(Json *json, const Model *model, const ModelClaim *claim)
{
        json_open_object(json, NULL);
        for (size_t i = 0; i < _CLAIM_TEXT_MAX; i++)
                json_string(json, claim_text_names[i], claim->text[i]);
        json_source(json, claim);
        for (size_t i = 0; i < _CLAIM_LIST_MAX; i++)
                json_strings(json, claim_list_names[i], claim->lists[i]);
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

void json_steps(Json *json, const ModelSteps *steps)
{
        json_open_array(json, "Steps");
        for (size_t i = 0; i < steps->n_items; i++) {
                const ModelStep *step = &steps->items[i];

                json_open_object(json, NULL);
                json_group(json, step->group);
                json_string(json, "Address", PCI_ADDRESS_TEXT(&step->address));
                json_string(json, "Action", step->action);
                json_string(json, "From", step->from);
                json_string(json, "To", step->to);
                json_string(json, "Reason", step->reason);
                json_close_object(json);
        }
        json_close_array(json);
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
