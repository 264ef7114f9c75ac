/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/model.h"

#include <errno.h>

#include "util/array.h"

const char *const device_text_names[_DEVICE_TEXT_MAX] = {
        [DEVICE_ADDRESS] = "Address",
        [DEVICE_PATH] = "Path",
        [DEVICE_VENDOR_ID] = "VendorId",
        [DEVICE_DEVICE_ID] = "DeviceId",
        [DEVICE_SUBSYSTEM_VENDOR_ID] = "SubsystemVendorId",
        [DEVICE_SUBSYSTEM_DEVICE_ID] = "SubsystemDeviceId",
        [DEVICE_CLASS] = "Class",
        [DEVICE_VENDOR_NAME] = "VendorName",
        [DEVICE_DEVICE_NAME] = "DeviceName",
        [DEVICE_DRIVER] = "Driver",
        [DEVICE_TARGET_DRIVER] = "TargetDriver",
        [DEVICE_HOST_DRIVER] = "HostDriver",
        [DEVICE_ROLE] = "Role",
        [DEVICE_STATE] = "State",
        [DEVICE_REASON] = "Reason",
        [DEVICE_REASON_TEXT] = "ReasonText",
        [DEVICE_PROVENANCE] = "Provenance",
        [DEVICE_TAKEN_FROM] = "TakenFrom",
        [DEVICE_CLAIMED_STAGE] = "ClaimedStage",
        [DEVICE_NETWORK_INTERFACE] = "NetworkInterface",
        [DEVICE_REVISION] = "Revision",
        [DEVICE_PHYSICAL_SLOT] = "PhysicalSlot",
        [DEVICE_SERIAL] = "Serial",
        [DEVICE_MODALIAS] = "Modalias",
        [DEVICE_DRIVER_OVERRIDE] = "DriverOverride",
        [DEVICE_DEVICE_NODE] = "DeviceNode",
};

const char *const device_number_names[_DEVICE_NUMBER_MAX] = {
        [DEVICE_SRIOV_TOTAL_VFS] = "SriovTotalVFs",
        [DEVICE_DRIFT_COUNT] = "DriftCount",
        [DEVICE_VF_INDEX] = "VfIndex",
        [DEVICE_NUMA_NODE] = "NumaNode",
        [DEVICE_BOUND_TIMESTAMP] = "BoundTimestamp",
};

const char *const manager_text_names[_MANAGER_TEXT_MAX] = {
        [MANAGER_VERSION] = "Version",
        [MANAGER_IOMMU] = "Iommu",
        [MANAGER_INTERRUPT_REMAPPING] = "InterruptRemapping",
        [MANAGER_INITRAMFS_STATE] = "InitramfsState",
        [MANAGER_BOOTED_INITRAMFS_STATE] = "BootedInitramfsState",
        [MANAGER_CONFIGURATION_STATE] = "ConfigurationState",
};

const char *const claim_text_names[_CLAIM_TEXT_MAX] = {
        [CLAIM_NAME] = "Name",
        [CLAIM_DRIVER] = "Driver",
        [CLAIM_COMPANIONS] = "Companions",
        [CLAIM_STATE] = "State",
        [CLAIM_REASON] = "Reason",
        [CLAIM_REASON_TEXT] = "ReasonText",
};

const char *const claim_list_names[_CLAIM_LIST_MAX] = {
        [CLAIM_SELECTORS] = "Selectors",
        [CLAIM_MISSING] = "Missing",
        [CLAIM_ALLOW_IN_USE] = "AllowInUse",
};

int model_add_device(Model *model, ModelDevice **ret)
{
        int r = ARRAY_GROW(model->devices, model->n_devices);

        if (r < 0)
                return r;
        *ret = &model->devices[model->n_devices++];
        **ret = (ModelDevice){ .group = -1 };
        for (size_t i = 0; i < _DEVICE_NUMBER_MAX; i++)
                (*ret)->numbers[i] = -1;
        return 0;
}

int model_add_claim(Model *model, ModelClaim **ret)
{
        int r = ARRAY_GROW(model->claims, model->n_claims);

        if (r < 0)
                return r;
        *ret = &model->claims[model->n_claims];
        **ret = (ModelClaim){ .order = model->n_claims++ };
        return 0;
}

int model_add_group(Model *model, ModelGroup **ret)
{
        int r = ARRAY_GROW(model->groups, model->n_groups);

        if (r < 0)
                return r;
        *ret = &model->groups[model->n_groups++];
        **ret = (ModelGroup){ .number = -1, .node_user = -1, .node_group = -1, .node_mode = -1 };
        return 0;
}

int model_add_physical_function(ModelPhysicalFunctions *functions, ModelPhysicalFunction **ret)
{
        int r = ARRAY_GROW(functions->items, functions->n_items);

        if (r < 0)
                return r;
        *ret = &functions->items[functions->n_items++];
        **ret = (ModelPhysicalFunction){ .total_vfs = -1, .num_vfs = -1, .set_num_vfs = -1 };
        return 0;
}

void model_physical_functions_done(ModelPhysicalFunctions *functions)
{
        for (size_t i = 0; i < functions->n_items; i++) {
                ModelPhysicalFunction *function = &functions->items[i];

                free(function->name);
                free(function->file);
                free(function->device);
                free(function->requested);
                free(function->state);
                free(function->reason);
                free(function->text);
                free(function->probing);
        }
        free(functions->items);
        *functions = (ModelPhysicalFunctions){};
}

int model_add_error(Model *model, ModelError **ret)
{
        int r = ARRAY_GROW(model->errors, model->n_errors);

        if (r < 0)
                return r;
        *ret = &model->errors[model->n_errors++];
        **ret = (ModelError){};
        return 0;
}

int model_add_step(ModelSteps *steps, ModelStep **ret)
{
        int r = ARRAY_GROW(steps->items, steps->n_items);

        if (r < 0)
                return r;
        *ret = &steps->items[steps->n_items++];
        **ret = (ModelStep){ .group = -1 };
        return 0;
}

int model_set(char **target, const char *text)
{
        return replace_string(target, isempty(text) ? NULL : text);
}

static void device_clear(ModelDevice *device)
{
        free(device->claim);
        free(device->physical_function);
        string_list_free(device->reset_methods);
        for (size_t i = 0; i < _DEVICE_TEXT_MAX; i++)
                free(device->text[i]);
}

static void claim_clear(ModelClaim *claim)
{
        free(claim->file);
        for (size_t i = 0; i < _CLAIM_TEXT_MAX; i++)
                free(claim->text[i]);
        for (size_t i = 0; i < _CLAIM_LIST_MAX; i++)
                string_list_free(claim->lists[i]);
}

static void group_clear(ModelGroup *group)
{
        free(group->state);
        free(group->node);
}

static int compare_devices(const void *a, const void *b)
{
        return pci_address_compare(&((const ModelDevice *) a)->address,
                &((const ModelDevice *) b)->address);
}

static int compare_claims(const void *a, const void *b)
{
        const ModelClaim *x = a, *y = b;

        if (x->order != y->order)
                return x->order < y->order ? -1 : 1;
        return strcmp(x->text[CLAIM_NAME], y->text[CLAIM_NAME]);
}

static int compare_groups(const void *a, const void *b)
{
        const ModelGroup *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

static void finish_devices(Model *model)
{
        size_t n = 0;

        for (size_t i = 0; i < model->n_devices; i++)
                if (model->devices[i].text[DEVICE_ADDRESS])
                        model->devices[n++] = model->devices[i];
                else
                        device_clear(&model->devices[i]);
        if (n > 0)
                qsort(model->devices, n, sizeof(ModelDevice), compare_devices);
        model->n_devices = n > 0 ? 1 : 0;
        for (size_t i = 1; i < n; i++)
                if (compare_devices(&model->devices[model->n_devices - 1], &model->devices[i]) == 0)
                        device_clear(&model->devices[i]);
                else
                        model->devices[model->n_devices++] = model->devices[i];
}

static size_t position(char *const *list, const char *text)
{
        size_t i = 0;

        while (list[i] && !streq(list[i], text))
                i++;
        return i;
}

static void finish_claims(Model *model)
{
        size_t n = model->n_claims;

        model->n_claims = 0;
        for (size_t i = 0; i < n; i++) {
                ModelClaim *claim = &model->claims[i];

                if (!claim->text[CLAIM_NAME] || model_find_claim(model, claim->text[CLAIM_NAME]))
                        claim_clear(claim);
                else
                        model->claims[model->n_claims++] = *claim;
        }
        for (size_t i = 0; model->claim_order && i < model->n_claims; i++)
                model->claims[i].order =
                        position(model->claim_order, model->claims[i].text[CLAIM_NAME]);
        if (model->n_claims > 0)
                qsort(model->claims, model->n_claims, sizeof(ModelClaim), compare_claims);
}

static void finish_groups(Model *model)
{
        size_t n = model->n_groups;

        if (n > 0)
                qsort(model->groups, n, sizeof(ModelGroup), compare_groups);
        model->n_groups = n > 0 ? 1 : 0;
        for (size_t i = 1; i < n; i++)
                if (model->groups[model->n_groups - 1].number == model->groups[i].number)
                        group_clear(&model->groups[i]);
                else
                        model->groups[model->n_groups++] = model->groups[i];
}

void model_finish(Model *model)
{
        finish_devices(model);
        finish_groups(model);
        finish_claims(model);
}

ModelDevice *model_find_device(const Model *model, const PciAddress *address)
{
        ModelDevice key = { .address = *address };

        if (model->n_devices == 0)
                return NULL;
        return bsearch(&key, model->devices, model->n_devices, sizeof(ModelDevice),
                compare_devices);
}

ModelClaim *model_find_claim(const Model *model, const char *name)
{
        for (size_t i = 0; i < model->n_claims; i++)
                if (streq(model->claims[i].text[CLAIM_NAME], name))
                        return &model->claims[i];
        return NULL;
}

ModelGroup *model_find_group(const Model *model, int64_t number)
{
        ModelGroup key = { .number = number };

        if (model->n_groups == 0)
                return NULL;
        return bsearch(&key, model->groups, model->n_groups, sizeof(ModelGroup), compare_groups);
}

void model_remove_device(Model *model, ModelDevice *device)
{
        device_clear(device);
        model->n_devices--;
        memmove(device, device + 1,
                (size_t) (model->devices + model->n_devices - device) * sizeof(ModelDevice));
}

void model_remove_claim(Model *model, ModelClaim *claim)
{
        claim_clear(claim);
        model->n_claims--;
        memmove(claim, claim + 1,
                (size_t) (model->claims + model->n_claims - claim) * sizeof(ModelClaim));
}

void model_remove_group(Model *model, ModelGroup *group)
{
        group_clear(group);
        model->n_groups--;
        memmove(group, group + 1,
                (size_t) (model->groups + model->n_groups - group) * sizeof(ModelGroup));
}

void model_clear_errors(Model *model)
{
        for (size_t i = 0; i < model->n_errors; i++) {
                free(model->errors[i].file);
                free(model->errors[i].message);
        }
        free(model->errors);
        model->errors = NULL;
        model->n_errors = 0;
}

Model *model_free(Model *model)
{
        if (!model)
                return NULL;
        for (size_t i = 0; i < model->n_devices; i++)
                device_clear(&model->devices[i]);
        for (size_t i = 0; i < model->n_claims; i++)
                claim_clear(&model->claims[i]);
        for (size_t i = 0; i < model->n_groups; i++)
                group_clear(&model->groups[i]);
        for (size_t i = 0; i < _MANAGER_TEXT_MAX; i++)
                free(model->text[i]);
        model_clear_errors(model);
        model_physical_functions_done(&model->physical_functions);
        string_list_free(model->claim_order);
        free(model->devices);
        free(model->claims);
        free(model->groups);
        free(model->state);
        free(model);
        return NULL;
}

static void step_clear(ModelStep *step)
{
        free(step->action);
        free(step->from);
        free(step->to);
        free(step->reason);
        free(step->text);
}

void model_keep_steps(ModelSteps *steps, const bool *keep)
{
        size_t n = 0;

        for (size_t i = 0; i < steps->n_items; i++)
                if (keep[i])
                        steps->items[n++] = steps->items[i];
                else
                        step_clear(&steps->items[i]);
        steps->n_items = n;
}

void model_steps_done(ModelSteps *steps)
{
        for (size_t i = 0; i < steps->n_items; i++)
                step_clear(&steps->items[i]);
        free(steps->items);
        model_physical_functions_done(&steps->physical_functions);
        *steps = (ModelSteps){};
}
