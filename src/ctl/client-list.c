/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/names.h"
#include "ctl/client-internal.h"

/* What Manager.ListDevices and Manager.ListClaims return as a model: rows of bare values, in the
 * order of the interfaces, BUS_LISTED_DEVICE and BUS_LISTED_CLAIM. */

static int read_text(sd_bus_message *reply, char **target)
{
        const char *value;
        int r = sd_bus_message_read_basic(reply, 's', &value);

        return r < 0 ? r : model_set(target, value);
}

static int read_strings(sd_bus_message *reply, char ***target)
{
        const char *value;
        int r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "s");

        while (r >= 0 && (r = sd_bus_message_read_basic(reply, 's', &value)) > 0)
                r = string_list_append(target, value);
        return r < 0 ? r : sd_bus_message_exit_container(reply);
}

static int read_place(sd_bus_message *reply, ModelDevice *device)
{
        const char *claim;
        uint32_t group;
        int r = sd_bus_message_read(reply, "ou", &claim, &group);

        if (r < 0)
                return r;
        device->group = group == UINT32_MAX ? -1 : (int64_t) group;
        return client_set_claim_name(&device->claim, claim);
}

static int read_device(sd_bus_message *reply, Model *model)
{
        ModelDevice *device;
        int r = model_add_device(model, &device);

        for (size_t i = 0; r >= 0 && i < _DEVICE_TEXT_BASIC_MAX; i++)
                r = read_text(reply, &device->text[i]);
        if (r >= 0)
                r = read_place(reply, device);
        /* without one that is an address it is left out in the end */
        if (r >= 0 && device->text[DEVICE_ADDRESS] &&
            pci_address_parse(device->text[DEVICE_ADDRESS], &device->address) < 0)
                r = model_set(&device->text[DEVICE_ADDRESS], NULL);
        return r;
}

static int read_claim(sd_bus_message *reply, Model *model)
{
        const char *file;
        ModelClaim *claim;
        uint32_t line;
        int r = model_add_claim(model, &claim);

        if (r >= 0)
                r = read_text(reply, &claim->text[CLAIM_NAME]);
        if (r >= 0)
                r = sd_bus_message_read(reply, "(su)", &file, &line);
        if (r >= 0) {
                claim->line = line;
                r = model_set(&claim->file, file);
        }
        if (r >= 0)
                r = read_strings(reply, &claim->lists[CLAIM_SELECTORS]);
        if (r >= 0)
                r = read_strings(reply, &claim->lists[CLAIM_MISSING]);
        if (r >= 0)
                r = read_text(reply, &claim->text[CLAIM_DRIVER]);
        if (r >= 0)
                r = read_text(reply, &claim->text[CLAIM_COMPANIONS]);
        if (r >= 0)
                r = read_strings(reply, &claim->lists[CLAIM_ALLOW_IN_USE]);
        for (ClaimText text = CLAIM_STATE; r >= 0 && text <= CLAIM_REASON_TEXT; text++)
                r = read_text(reply, &claim->text[text]);
        return r;
}

/* `row` is the signature of what is in the structures. */
static int read_rows(sd_bus_message *reply, const char *row,
        int (*read_row)(sd_bus_message *reply, Model *model), Model *model)
{
        _cleanup_free_ char *structure = NULL;
        int r = format_string(&structure, "(%s)", row);

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, structure);
        while (r >= 0 &&
               (r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_STRUCT, row)) > 0) {
                r = read_row(reply, model);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

int client_read_list(sd_bus_message *manager, sd_bus_message *claims, sd_bus_message *devices,
        Model **ret)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        int r = model ? client_read_manager(manager, model) : -ENOMEM;

        if (r >= 0)
                r = read_rows(claims, BUS_LISTED_CLAIM, read_claim, model);
        if (r >= 0)
                r = read_rows(devices, BUS_LISTED_DEVICE, read_device, model);
        if (r >= 0)
                r = client_finish_model(model);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(model);
        return 0;
}
