/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "core/plan.h"
#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/physical-functions.h"
#include "ctl/sentence.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "host/switch.h"

#define MAIN_FILE "/etc/vfio-bind.conf"

enum {
        COLUMN_GROUP,
        COLUMN_DEVICE,
        COLUMN_ACTION,
        COLUMN_FROM,
        COLUMN_TO,
        COLUMN_CLAIM,
        COLUMN_NAME,
};

static const Column columns[] = {
        [COLUMN_GROUP] = { "GROUP", 0 },
        [COLUMN_DEVICE] = { "DEVICE", 0 },
        [COLUMN_ACTION] = { "ACTION", 0 },
        [COLUMN_FROM] = { "FROM", 6 },
        [COLUMN_TO] = { "TO", 6 },
        [COLUMN_CLAIM] = { "CLAIM", 5 },
        [COLUMN_NAME] = { "NAME", 4 },
};

/* One run of the verb. */
typedef struct Planned {
        const Options *options;
        Source source;
        ModelSteps steps;
        size_t n_changes, n_refused, n_waiting;
} Planned;

static void planned_done(Planned *planned)
{
        source_done(&planned->source);
        model_steps_done(&planned->steps);
}

static bool is_change(const ModelStep *step)
{
        return step->action && !streq(step->action, action_to_string(ACTION_NONE));
}

/* It is told later whether it moves. */
/* While the host runs there is no later stage. */
static bool is_deferred(const Planned *planned, const ModelStep *step)
{
        return planned->options->next_boot && !is_change(step) &&
               streq_null(step->reason, reason_to_string(REASON_DEFERRED_TO_NEXT_STAGE));
}

/* A function that is not moved though a claim wants it, or that a claim with an error keeps; what
 * only follows its group, or stands beside it, is not counted again. */
static bool is_refusal(const Planned *planned, const ModelStep *step)
{
        const ModelDevice *device = model_find_device(planned->source.model, &step->address);

        if (is_change(step) || is_deferred(planned, step) || !step->reason || !device)
                return false;
        if (streq_null(device->text[DEVICE_ROLE], role_to_string(ROLE_EXCLUDED)))
                return device->claim &&
                        streq(step->reason, reason_to_string(REASON_CONFIG_ERROR));
        return streq_null(device->text[DEVICE_ROLE], role_to_string(ROLE_SELECTED));
}

/* One that has no function, for all that it selects stays with the host: no row speaks for it. */
static bool is_excluded(const Model *model, const ModelClaim *claim)
{
        for (size_t i = 0; i < model->n_devices; i++)
                if (streq_null(model->devices[i].claim, claim->text[CLAIM_NAME]))
                        return false;
        return streq_null(claim->text[CLAIM_STATE], state_to_string(STATE_REFUSED)) &&
               streq_null(claim->text[CLAIM_REASON], reason_to_string(REASON_EXCLUDED));
}

static void count(Planned *planned)
{
        const Model *model = planned->source.model;

        for (size_t i = 0; i < planned->steps.n_items; i++) {
                planned->n_changes += is_change(&planned->steps.items[i]);
                planned->n_refused += is_refusal(planned, &planned->steps.items[i]);
                planned->n_waiting += is_deferred(planned, &planned->steps.items[i]);
        }
        for (size_t i = 0; i < model->n_claims; i++)
                planned->n_refused += is_excluded(model, &model->claims[i]);
        for (size_t i = 0; i < planned->steps.physical_functions.n_items; i++) {
                const ModelPhysicalFunction *function =
                        &planned->steps.physical_functions.items[i];

                planned->n_changes += physical_function_changes(function);
                planned->n_refused += physical_function_is_refused(function);
        }
}

static int add_reason(Table *table, const Model *model, const ModelStep *step,
        const ModelDevice *device)
{
        const ModelClaim *claim =
                device && device->claim ? model_find_claim(model, device->claim) : NULL;
        const char *text = step->text;
        _cleanup_free_ char *note = NULL;
        int r;

        /* The member that the group is refused for says why. */
        if (!step->reason || streq(step->reason, reason_to_string(REASON_GROUP_REFUSED)))
                return 0;
        if (!text && device && streq_null(device->text[DEVICE_REASON], step->reason))
                text = model_explain(model, device, step->reason);
        if (streq_null(text, step->reason))
                text = NULL;
        r = format_reason(NULL, step->reason, text, claim, &note);
        if (r >= 0)
                table_add_note(table, note);
        return r;
}

static int add_step(Table *table, const Planned *planned, const ModelStep *step,
        const ModelStep *previous)
{
        const Model *model = planned->source.model;
        const ModelDevice *device = model_find_device(model, &step->address);
        char group[24] = "-";

        if (step->group >= 0)
                (void) snprintf(group, sizeof(group), "%" PRIi64, step->group);
        table_add_row(table);
        if (!previous || previous->group != step->group || step->group < 0)
                table_set(table, COLUMN_GROUP, group, STYLE_NONE);
        table_set(table, COLUMN_DEVICE, PCI_ADDRESS_TEXT(&step->address), STYLE_NONE);
        table_set(table, COLUMN_ACTION, step->action ?: "none",
                is_change(step)                     ? STYLE_GOOD
                        : is_refusal(planned, step) ? STYLE_BAD
                                                    : STYLE_NONE);
        table_set(table, COLUMN_FROM, step->from ?: "-", STYLE_NONE);
        table_set(table, COLUMN_TO, step->to ?: "-", STYLE_NONE);
        table_set(table, COLUMN_CLAIM, device ? device->claim ?: "-" : "-", STYLE_NONE);
        table_set(table, COLUMN_NAME, device ? device->text[DEVICE_DEVICE_NAME] ?: "-" : "-",
                STYLE_NONE);
        return add_reason(table, model, step, device);
}

static int print_claim(const ModelClaim *claim, const Terminal *terminal)
{
        _cleanup_free_ char *sentence = NULL;
        int r;

        r = sentence_with_place(claim->text[CLAIM_REASON_TEXT] ?: "", claim->file, claim->line,
                true, &sentence);
        return r < 0 ? r
                     : terminal_print(terminal, stdout, "Claim %s: %s: %s",
                               claim->text[CLAIM_NAME], claim->text[CLAIM_REASON], sentence);
}

static int print_physical_functions(const Planned *planned, const Terminal *terminal)
{
        const ModelPhysicalFunctions *functions = &planned->steps.physical_functions;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < functions->n_items; i++) {
                _cleanup_free_ char *line = NULL;

                r = physical_function_describe(&functions->items[i], &line);
                if (r >= 0 && line)
                        r = terminal_print(terminal, stdout, "%s", line);
        }
        return r;
}

static bool has_lines(const Planned *planned)
{
        const ModelPhysicalFunctions *functions = &planned->steps.physical_functions;
        const Model *model = planned->source.model;

        for (size_t i = 0; i < model->n_claims; i++)
                if (is_excluded(model, &model->claims[i]))
                        return true;
        for (size_t i = 0; i < functions->n_items; i++)
                if (physical_function_says_something(&functions->items[i]))
                        return true;
        return false;
}

/* What the rows of functions do not say: a line each. */
static int print_lines(const Planned *planned, const Terminal *terminal)
{
        const Model *model = planned->source.model;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_claims; i++)
                if (is_excluded(model, &model->claims[i]))
                        r = print_claim(&model->claims[i], terminal);
        return r < 0 ? r : print_physical_functions(planned, terminal);
}

static bool is_enabled(const Planned *planned)
{
        bool is_enabled;
        Host host;

        if (planned->source.machine)
                return machine_is_enabled(planned->source.machine);
        if (host_open(NULL, &host) < 0)
                return true; /* the daemon runs, and nothing speaks against it */
        is_enabled = host_is_enabled(&host);
        host_close(&host);
        return is_enabled;
}

static int print_counts(const Planned *planned, const Terminal *terminal)
{
        const Options *options = planned->options;
        char waiting[64] = "";
        const char *how = options->next_boot ? " The next boot makes them, were it now."
                : options->config || options->root
                ? ""
                : " \"vfio-bindctl apply\" makes them.";

        if (planned->n_changes == 0 && planned->n_refused == 0 && planned->n_waiting == 0)
                return terminal_print(terminal, stdout, "Nothing to do.");
        if (options->next_boot && !is_enabled(planned))
                how = "";
        if (planned->n_waiting > 0)
                (void) snprintf(waiting, sizeof(waiting), ", %zu waiting for a later stage",
                        planned->n_waiting);
        return terminal_print(terminal, stdout, "%zu change%s, %zu refused%s.%s",
                planned->n_changes, planned->n_changes == 1 ? "" : "s", planned->n_refused,
                waiting, planned->n_changes > 0 ? how : "");
}

static int print_summary(const Planned *planned, const Terminal *terminal)
{
        int r = print_counts(planned, terminal);

        if (r < 0 || !planned->options->next_boot || is_enabled(planned))
                return r;
        return terminal_print(terminal, stdout,
                "vfio-bindd is not enabled, so the next boot does nothing of this. "
                "\"systemctl enable vfio-bindd\" changes that.");
}

static int print_table(const Planned *planned)
{
        const Options *options = planned->options;
        Terminal terminal = terminal_of(stdout);
        _cleanup_table_ Table *table = table_new(&terminal, columns, ELEMENTSOF(columns));
        bool legend = !options->no_legend && !options->quiet;
        bool has_table;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < planned->steps.n_items; i++)
                r = add_step(table, planned, &planned->steps.items[i],
                        i > 0 ? &planned->steps.items[i - 1] : NULL);
        has_table = table_rows(table) > 0;
        if (r >= 0 && has_table)
                r = table_print(table, legend, stdout);
        if (r >= 0)
                fputs(has_table && has_lines(planned) ? "\n" : "", stdout);
        if (r >= 0)
                r = print_lines(planned, &terminal);
        if (r < 0 || !legend)
                return r;
        fputs(has_table || has_lines(planned) ? "\n" : "", stdout);
        return print_summary(planned, &terminal);
}

static int print_json(const Planned *planned)
{
        _cleanup_json_ Json json = { .pretty = planned->options->json == JSON_PRETTY };

        json_begin_document(&json, "plan");
        json_boolean(&json, "NextBoot", planned->options->next_boot);
        json_configuration_errors(&json, planned->source.model);
        json_steps(&json, &planned->steps);
        json_close_object(&json);
        return json_print(&json, stdout);
}

static int ask(Planned *planned)
{
        const Options *options = planned->options;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (planned->source.machine) {
                r = machine_steps(planned->source.machine, options->prune, options->next_boot,
                        &planned->steps);
                if (r < 0)
                        complain_errno(r, "plan");
                return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
        }
        r = client_plan(planned->source.bus, options->prune, options->next_boot, &error,
                &planned->steps);
        if (r < 0)
                return call_complain(r, &error, NULL);
        r = physical_functions_of_model(planned->source.model, options->next_boot,
                &planned->steps.physical_functions);
        if (r < 0)
                complain_errno(r, "plan");
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

static ExitCode result(const Planned *planned)
{
        if (planned->source.model->n_errors > 0)
                return EXIT_CODE_USAGE;
        if (!planned->options->exit_code)
                return EXIT_CODE_DONE;
        return planned->n_refused > 0         ? EXIT_CODE_REFUSED
                : planned->n_changes > 0 ? EXIT_CODE_PENDING
                                         : EXIT_CODE_DONE;
}

static int run(const Options *options)
{
        MachineOptions machine = { .root = options->root,
                                   .replace_path = options->config ? MAIN_FILE : NULL,
                                   .replace_file = options->config,
                                   .facts = options->next_boot ? SNAPSHOT_FACT_SERIALS : 0 };
        _cleanup_(planned_done) Planned planned = { .options = options };
        Terminal errors = terminal_of(stderr);
        ExitCode code;
        int r;

        code = source_open(&planned.source, &machine);
        if (code == EXIT_CODE_DONE)
                code = ask(&planned);
        if (code != EXIT_CODE_DONE)
                return code;
        count(&planned);
        r = options->json != JSON_OFF ? print_json(&planned) : print_table(&planned);
        if (r >= 0)
                r = source_print_legend(&planned.source, options);
        if (r >= 0 && options->json == JSON_OFF)
                r = print_configuration_errors(planned.source.model, &errors, stderr);
        if (r >= 0 && options->next_boot && options->json == JSON_OFF && !options->quiet)
                complain_initramfs(planned.source.model);
        if (r < 0) {
                complain_errno(r, "show the plan");
                return EXIT_CODE_FAILED;
        }
        return result(&planned);
}

const Verb verb_plan = {
        .name = "plan",
        .summary = "What apply, or the next boot, would change",
        .help = "Shows for every function that is concerned what \"apply\" would do with it now,\n"
                "and why nothing where that is so. Nothing is changed.\n"
                "\n"
                "Options:\n"
                "  --next-boot             What the early pass of the next boot would do instead,\n"
                "                          with the hardware as it is now\n"
                "  --config=FILE           With FILE in the place of /etc/vfio-bind.conf; the\n"
                "                          drop-ins count as usual\n"
                "  --prune                 As if apply were run with --prune\n"
                "  --exit-code             6 if something would be changed, 3 if something that a\n"
                "                          claim wants was refused, 0 if neither\n"
                "\n"
                "Errors in the configuration make the exit code 2.\n",
        .options = VERB_OPTION_NEXT_BOOT | VERB_OPTION_CONFIG | VERB_OPTION_PRUNE |
                VERB_OPTION_EXIT_CODE,
        .run = run,
};
