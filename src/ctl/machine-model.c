/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "ctl/machine-internal.h"
#include "ctl/physical-functions.h"
#include "host/interrupt-remapping.h"
#include "host/nodes.h"
#include "util/buffer.h"

/* Scan and plan under the names of the D-Bus properties: each value is what the daemon would
 * answer for the same machine. */

static int set_hex(char **target, unsigned value, int digits)
{
        free(*target);
        *target = NULL;
        return format_string(target, "%0*x", digits, value);
}

static int set_joined(char **target, char *const *list)
{
        _cleanup_buffer_ Buffer buffer = {};
        _cleanup_free_ char *text = NULL;
        int r;

        for (size_t i = 0; list && list[i]; i++) {
                buffer_append(&buffer, i > 0 ? "," : "");
                buffer_append(&buffer, list[i]);
        }
        r = buffer_finish(&buffer, &text);
        return r < 0 ? r : model_set(target, text);
}

static int set_identity(ModelDevice *shown, const Device *device)
{
        int r;

        r = model_set(&shown->text[DEVICE_ADDRESS], PCI_ADDRESS_TEXT(&device->address));
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_PATH], device->path);
        if (r >= 0)
                r = set_hex(&shown->text[DEVICE_VENDOR_ID], device->vendor, 4);
        if (r >= 0)
                r = set_hex(&shown->text[DEVICE_DEVICE_ID], device->device, 4);
        if (r >= 0)
                r = set_hex(&shown->text[DEVICE_SUBSYSTEM_VENDOR_ID], device->subsystem_vendor, 4);
        if (r >= 0)
                r = set_hex(&shown->text[DEVICE_SUBSYSTEM_DEVICE_ID], device->subsystem_device, 4);
        if (r >= 0)
                r = set_hex(&shown->text[DEVICE_CLASS], device->class_code, 6);
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_VENDOR_NAME], device->vendor_name.text);
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_DEVICE_NAME], device->device_name.text);
        if (r >= 0)
                r = set_joined(&shown->text[DEVICE_NETWORK_INTERFACE], device->interfaces.list);
        if (r >= 0)
                r = set_joined(&shown->text[DEVICE_HOST_DRIVER], device->host_drivers.list);
        return r < 0 ? r : model_set(&shown->text[DEVICE_DRIVER], device->driver);
}

static const char *target_driver(const MemberPlan *member, const DeviceRecord *record)
{
        bool is_wanted = member->role == ROLE_SELECTED || member->role == ROLE_COMPANION ||
                (record && record->manual == MANUAL_BOUND);

        if (member->action == ACTION_NONE && is_wanted)
                return record ? record->target_driver : NULL;
        return member->target;
}

static int set_judgement(ModelDevice *shown, const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;
        const char *text = member->text;
        int r;

        if (!text && member->reason != REASON_NONE && record && record->reason == member->reason)
                text = record->reason_text;
        r = model_set(&shown->text[DEVICE_TARGET_DRIVER], target_driver(member, record));
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_ROLE], role_to_string(member->role));
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_STATE], state_to_string(member->state));
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_REASON], reason_to_string(member->reason));
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_REASON_TEXT], text);
        if (r >= 0 && member->claim)
                r = model_set(&shown->claim, member->claim->name);
        return r;
}

static int set_history(ModelDevice *shown, const DeviceRecord *record)
{
        int r;

        if (!record || record->provenance == PROVENANCE_NONE)
                return 0;
        r = model_set(&shown->text[DEVICE_PROVENANCE], provenance_to_string(record->provenance));
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_CLAIMED_STAGE], stage_to_string(record->stage));
        if (r >= 0 && record->provenance == PROVENANCE_TAKEN)
                r = model_set(&shown->text[DEVICE_TAKEN_FROM], record->original_driver);
        return r;
}

/* What we wrote or, before that, found. */
static const char *driver_override(const DeviceRecord *record)
{
        if (!record)
                return NULL;
        switch (record->state) {
        case STATE_BOUND:
                return record->target_driver;
        case STATE_DETACHED:
                return DETACHED_OVERRIDE;
        default:
                return record->original_override;
        }
}

static int set_details(ModelDevice *shown, const Device *device)
{
        const DeviceRecord *record = device->record;
        int r;

        shown->is_bridge = device->is_bridge;
        shown->numbers[DEVICE_SRIOV_TOTAL_VFS] = device->sriov_total_vfs;
        shown->numbers[DEVICE_VF_INDEX] = device->vf_index;
        shown->numbers[DEVICE_DRIFT_COUNT] = record ? record->drift_count : 0;
        if (record && record->bound_usec > 0 && record->bound_usec <= INT64_MAX)
                shown->numbers[DEVICE_BOUND_TIMESTAMP] = (int64_t) record->bound_usec;
        r = model_set(&shown->text[DEVICE_MODALIAS], device->modalias);
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_PHYSICAL_SLOT], device->physical_slot.text);
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_SERIAL], device->serial.text);
        if (r >= 0)
                r = model_set(&shown->text[DEVICE_DRIVER_OVERRIDE], driver_override(record));
        if (r >= 0 && device->is_virtual_function)
                r = model_set(&shown->physical_function,
                        PCI_ADDRESS_TEXT(&device->physical_function));
        if (r < 0 || !device->has_details)
                return r;
        shown->numbers[DEVICE_NUMA_NODE] = device->numa_node;
        r = set_hex(&shown->text[DEVICE_REVISION], device->revision, 2);
        if (r >= 0 && device->vfio_device >= 0)
                r = format_string(&shown->text[DEVICE_DEVICE_NODE],
                        "/dev/vfio/devices/vfio%" PRIi64, device->vfio_device);
        return r < 0 ? r : string_list_copy(device->reset_methods, &shown->reset_methods);
}

static int add_device(const MemberPlan *member, Model *model)
{
        ModelDevice *shown;
        int r;

        r = model_add_device(model, &shown);
        if (r < 0)
                return r;
        shown->address = member->device->address;
        shown->group = member->device->group;
        r = set_identity(shown, member->device);
        if (r >= 0)
                r = set_judgement(shown, member);
        if (r >= 0)
                r = set_history(shown, member->device->record);
        return r < 0 ? r : set_details(shown, member->device);
}

static int add_group(const Host *host, const GroupPlan *plan, Model *model)
{
        NodeStatus node = {};
        ModelGroup *shown;
        int r;

        if (plan->number < 0)
                return 0;
        r = model_add_group(model, &shown);
        if (r < 0)
                return r;
        shown->number = plan->number;
        shown->is_viable = true;
        for (size_t i = 0; i < plan->n_members; i++)
                if (!driver_is_harmless(plan->members[i].device->driver))
                        shown->is_viable = false;
        r = model_set(&shown->state, state_to_string(plan->state));
        if (r < 0 || node_status(host, plan->number, &node) < 0 || !node.exists)
                return r;
        shown->node_user = node.uid;
        shown->node_group = node.gid;
        shown->node_mode = node.mode & 07777;
        return format_string(&shown->node, "/dev/vfio/%" PRIi64, plan->number);
}

static int add_members(const Host *host, const GroupPlan *plan, Model *model)
{
        int r = add_group(host, plan, model);

        for (size_t j = 0; r >= 0 && j < plan->n_members; j++)
                r = add_device(&plan->members[j], model);
        return r;
}

static int set_lines(ModelClaim *shown, const ClaimPlan *plan)
{
        const Claim *claim = plan->claim;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < claim->n_matches; i++) {
                r = string_list_append(&shown->lists[CLAIM_SELECTORS], claim->matches[i]->text);
                if (r >= 0 && plan->missing[i])
                        r = string_list_append(&shown->lists[CLAIM_MISSING],
                                claim->matches[i]->text);
        }
        for (InUse use = 0; r >= 0 && use < _IN_USE_MAX; use++)
                if (claim->allow_in_use & (1U << use))
                        r = string_list_append(&shown->lists[CLAIM_ALLOW_IN_USE],
                                in_use_to_string(use));
        return r;
}

static int add_claim(const ClaimPlan *plan, Model *model)
{
        const Claim *claim = plan->claim;
        ModelClaim *shown;
        int r;

        r = model_add_claim(model, &shown);
        if (r < 0)
                return r;
        shown->line = claim->location.line;
        r = model_set(&shown->file, claim->location.file);
        if (r >= 0)
                r = model_set(&shown->text[CLAIM_NAME], claim->name);
        if (r >= 0)
                r = model_set(&shown->text[CLAIM_DRIVER], claim->settings.driver);
        if (r >= 0)
                r = model_set(&shown->text[CLAIM_COMPANIONS],
                        companion_policy_to_string(claim->settings.companions));
        if (r >= 0)
                r = model_set(&shown->text[CLAIM_STATE], claim_plan_state(plan));
        if (r >= 0)
                r = model_set(&shown->text[CLAIM_REASON], reason_to_string(plan->reason));
        if (r >= 0)
                r = model_set(&shown->text[CLAIM_REASON_TEXT], plan->text);
        return r < 0 ? r : set_lines(shown, plan);
}

static int add_error(const Diagnostic *diagnostic, Model *model)
{
        ModelError *shown;
        int r;

        r = model_add_error(model, &shown);
        if (r < 0)
                return r;
        shown->line = diagnostic->location.line;
        shown->column = diagnostic->location.column;
        r = model_set(&shown->file, diagnostic->location.file);
        return r < 0 ? r : model_set(&shown->message, diagnostic->message);
}

static int set_manager(const Machine *machine, Model *model)
{
        int remaps = host_remaps_interrupts(&machine->host);
        int r;

        r = model_set(&model->text[MANAGER_IOMMU], machine->snapshot->has_iommu ? "active"
                        : model->n_groups > 0                                   ? "noiommu"
                                                                                : "none");
        return r < 0 ? r
                     : model_set(&model->text[MANAGER_INTERRUPT_REMAPPING],
                               remaps < 0 ? "unknown" : remaps > 0 ? "yes" : "no");
}

int machine_model(const Machine *machine, Model **ret)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        const Plan *plan = machine->plan;
        const DiagnosticList *diagnostics = &machine->config->diagnostics;
        int r = 0;

        if (!model || diagnostics->failed)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < plan->n_groups; i++)
                r = add_members(&machine->host, &plan->groups[i], model);
        for (size_t i = 0; r >= 0 && i < plan->n_claims; i++)
                r = add_claim(&plan->claims[i], model);
        if (r >= 0)
                r = physical_functions_of_plan(machine->config, machine->snapshot, plan,
                        &model->physical_functions);
        for (size_t i = 0; r >= 0 && i < diagnostics->n_items; i++)
                if (diagnostics->items[i].is_error)
                        r = add_error(&diagnostics->items[i], model);
        if (r >= 0)
                r = set_manager(machine, model);
        if (r < 0)
                return r;
        model_finish(model);
        *ret = TAKE_POINTER(model);
        return 0;
}
