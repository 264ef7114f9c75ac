/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/physical-functions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "ctl/sentence.h"
#include "util/buffer.h"
#include "util/parse.h"

static int64_t count_virtual_functions(const Snapshot *snapshot, const Device *pf)
{
        int64_t n = 0;

        for (size_t i = 0; i < snapshot->n_devices; i++)
                n += snapshot->devices[i].is_virtual_function &&
                        pci_address_equal(&snapshot->devices[i].physical_function, &pf->address);
        return n;
}

static int set_requested(ModelPhysicalFunction *shown, const PhysicalFunction *section)
{
        char number[16];

        if (section->num_vfs != NUM_VFS_NUMBER)
                return model_set(&shown->requested,
                        section->num_vfs == NUM_VFS_MAX ? "max" : "keep");
        (void) snprintf(number, sizeof(number), "%u", section->number);
        return model_set(&shown->requested, number);
}

static int set_section(ModelPhysicalFunction *shown, const PhysicalFunction *section)
{
        int r;

        if (!section)
                return 0;
        shown->line = section->location.line;
        r = model_set(&shown->name, section->name);
        if (r >= 0)
                r = model_set(&shown->file, section->location.file);
        return r < 0 ? r : set_requested(shown, section);
}

static int set_outcome(ModelPhysicalFunction *shown, const char *state, Reason reason,
        const char *text)
{
        int r = model_set(&shown->state, state);

        if (r >= 0)
                r = model_set(&shown->reason, reason_to_string(reason));
        return r < 0 ? r : model_set(&shown->text, text);
}

static int add_planned(const Snapshot *snapshot, const PhysicalFunctionPlan *plan,
        ModelPhysicalFunctions *functions)
{
        const Device *device = plan->device;
        ModelPhysicalFunction *shown;
        int r = model_add_physical_function(functions, &shown);

        if (r < 0)
                return r;
        shown->total_vfs = device->sriov_total_vfs;
        shown->num_vfs = count_virtual_functions(snapshot, device);
        if (plan->set_num_vfs)
                shown->set_num_vfs = plan->num_vfs;
        r = set_section(shown, plan->section);
        if (r >= 0)
                r = model_set(&shown->device, PCI_ADDRESS_TEXT(&device->address));
        if (r >= 0)
                r = model_set(&shown->probing, plan->autoprobe_off ? "off"
                                : plan->autoprobe_restore          ? "on"
                                                                   : NULL);
        return r < 0 ? r
                     : set_outcome(shown, state_to_string(plan->state), plan->reason, plan->text);
}

/* A function that a line would select, were it what the line expects; NULL: none. */
static const Device *find_impostor(const Config *config, const Snapshot *snapshot,
        const PhysicalFunction *section, const Match **ret_line)
{
        MatchContext context = { .snapshot = snapshot, .stage = STAGE_RUNTIME,
                                 .lookup = config_lookup_physical_function,
                                 .userdata = (void *) config };

        for (size_t i = 0; i < section->n_matches; i++)
                for (size_t j = 0; j < snapshot->n_devices; j++) {
                        const Device *device = &snapshot->devices[j];

                        if (device->is_bridge || device->is_virtual_function ||
                            match_guard(section->matches[i], device) != GUARD_MISMATCH ||
                            match_evaluate(section->matches[i], &context, device) != ANSWER_YES)
                                continue;
                        *ret_line = section->matches[i];
                        return device;
                }
        return NULL;
}

static int add_unplanned(const Config *config, const Snapshot *snapshot,
        const PhysicalFunction *section, ModelPhysicalFunctions *functions)
{
        _cleanup_free_ char *text = NULL;
        ModelPhysicalFunction *shown;
        const Device *impostor;
        const Match *line;
        int r = model_add_physical_function(functions, &shown);

        if (r >= 0)
                r = set_section(shown, section);
        if (r < 0)
                return r;
        if (section->has_error)
                return set_outcome(shown, "error", REASON_CONFIG_ERROR, NULL);
        impostor = find_impostor(config, snapshot, section, &line);
        if (!impostor)
                return set_outcome(shown, "absent", REASON_NONE, NULL);
        r = format_string(&text, "%s is %04x:%04x:%04x:%04x, not what \"%s\" expects (%s:%u)",
                PCI_ADDRESS_TEXT(&impostor->address), impostor->vendor, impostor->device,
                impostor->subsystem_vendor, impostor->subsystem_device, line->text,
                line->location.file ?: "", line->location.line);
        if (r >= 0)
                r = model_set(&shown->device, PCI_ADDRESS_TEXT(&impostor->address));
        return r < 0 ? r
                     : set_outcome(shown, state_to_string(STATE_REFUSED),
                               REASON_IDENTITY_MISMATCH, text);
}

static bool is_planned(const Plan *plan, const PhysicalFunction *section)
{
        for (size_t i = 0; i < plan->n_physical_functions; i++)
                if (plan->physical_functions[i].section == section)
                        return true;
        return false;
}

int physical_functions_of_plan(const Config *config, const Snapshot *snapshot, const Plan *plan,
        ModelPhysicalFunctions *ret)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < plan->n_physical_functions; i++)
                r = add_planned(snapshot, &plan->physical_functions[i], ret);
        for (size_t i = 0; r >= 0 && i < config->n_physical_functions; i++)
                if (!is_planned(plan, &config->physical_functions[i]))
                        r = add_unplanned(config, snapshot, &config->physical_functions[i], ret);
        return r;
}

/* NumVFs= as a number; false: the number belongs to somebody else. */
static bool read_requested(const ModelPhysicalFunction *function, int64_t *ret)
{
        uint64_t number;

        if (!function->requested || parse_unsigned(function->requested, UINT32_MAX, &number) < 0) {
                *ret = function->total_vfs;
                return streq_null(function->requested, "max") && *ret >= 0;
        }
        *ret = (int64_t) number;
        return true;
}

/* The daemon writes a number that nothing is in the way of by itself, or when it is asked to:
 * another one than there is, too, which it shows as refused until then. */
static int64_t number_to_write(const ModelPhysicalFunction *function, bool next_boot)
{
        const char *reason = function->reason;
        bool differs = !next_boot && streq_null(reason, reason_to_string(REASON_NUMVFS_DIFFERS));
        bool pending = streq_null(function->state, state_to_string(STATE_PENDING)) &&
                (!reason || streq(reason, reason_to_string(REASON_NEEDS_APPLY)));
        int64_t wanted;

        if ((!differs && !pending) || !read_requested(function, &wanted) ||
            wanted == function->num_vfs)
                return -1;
        return wanted;
}

/* As a plan that may do so has it. */
static int plan_number(ModelPhysicalFunction *function, int64_t number)
{
        function->set_num_vfs = number;
        if (!streq_null(function->state, state_to_string(STATE_REFUSED)))
                return 0;
        return set_outcome(function, state_to_string(STATE_PENDING), REASON_NONE, NULL);
}

static int copy(const ModelPhysicalFunction *from, ModelPhysicalFunction *to)
{
        int r = model_set(&to->name, from->name);

        to->line = from->line;
        to->total_vfs = from->total_vfs;
        to->num_vfs = from->num_vfs;
        if (r >= 0)
                r = model_set(&to->file, from->file);
        if (r >= 0)
                r = model_set(&to->device, from->device);
        if (r >= 0)
                r = model_set(&to->requested, from->requested);
        if (r >= 0)
                r = model_set(&to->state, from->state);
        if (r >= 0)
                r = model_set(&to->reason, from->reason);
        return r < 0 ? r : model_set(&to->text, from->text);
}

int physical_functions_of_model(const Model *model, bool next_boot, ModelPhysicalFunctions *ret)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->physical_functions.n_items; i++) {
                const ModelPhysicalFunction *function = &model->physical_functions.items[i];
                int64_t number = number_to_write(function, next_boot);
                ModelPhysicalFunction *shown;

                /* A boot begins without virtual functions, and without what failed. */
                if (next_boot && (!streq_null(function->state, state_to_string(STATE_REFUSED)) ||
                                         streq_null(function->reason,
                                                 reason_to_string(REASON_NUMVFS_DIFFERS))))
                        continue;
                r = model_add_physical_function(ret, &shown);
                if (r >= 0)
                        r = copy(function, shown);
                if (r >= 0 && number >= 0)
                        r = plan_number(shown, number);
        }
        return r;
}

bool physical_function_changes(const ModelPhysicalFunction *function)
{
        return function->set_num_vfs >= 0 || function->probing;
}

bool physical_function_is_refused(const ModelPhysicalFunction *function)
{
        return streq_null(function->state, state_to_string(STATE_REFUSED)) ||
               streq_null(function->state, state_to_string(STATE_FAILED));
}

bool physical_function_says_something(const ModelPhysicalFunction *function)
{
        return physical_function_changes(function) || physical_function_is_refused(function) ||
               (function->reason && function->text);
}

int physical_function_format_name(const ModelPhysicalFunction *function, char **ret)
{
        if (!function->name)
                return format_string(ret, "%s", function->device ?: "");
        if (!function->device)
                return format_string(ret, "PhysicalFunction %s", function->name);
        return format_string(ret, "PhysicalFunction %s (%s)", function->name, function->device);
}

static void describe_changes(const ModelPhysicalFunction *function, Buffer *buffer)
{
        if (function->set_num_vfs >= 0)
                buffer_printf(buffer, "NumVFs=%" PRIi64 " would be written", function->set_num_vfs);
        if (function->set_num_vfs >= 0 && function->num_vfs > 0)
                buffer_printf(buffer, " in place of the %" PRIi64 " that are there, if none is "
                        "in use", function->num_vfs);
        if (function->probing)
                buffer_printf(buffer, "%sautomatic probing of its virtual functions would be "
                        "switched %s", function->set_num_vfs >= 0 ? ", " : "", function->probing);
        buffer_append(buffer, ".");
}

int physical_function_describe(const ModelPhysicalFunction *function, char **ret)
{
        _cleanup_free_ char *name = NULL, *text = NULL;
        _cleanup_buffer_ Buffer buffer = {};
        int r;

        *ret = NULL;
        if (!physical_function_says_something(function))
                return 0;
        r = physical_function_format_name(function, &name);
        if (r < 0)
                return r;
        buffer_printf(&buffer, "%s: ", name);
        if (physical_function_changes(function))
                describe_changes(function, &buffer);
        if (!physical_function_changes(function) || function->text) {
                r = sentence_with_place(function->text ?: "it was not done", function->file,
                        function->line, true, &text);
                if (r < 0)
                        return r;
                buffer_printf(&buffer, "%s%s: %s", physical_function_changes(function) ? " " : "",
                        function->reason ?: function->state ?: "", text);
        }
        return buffer_finish(&buffer, ret);
}
