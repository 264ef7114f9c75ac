/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/outcome.h"
#include "ctl/physical-functions.h"
#include "ctl/verbs.h"
#include "util/buffer.h"
#include "util/strings.h"
#include "version.h"

/* One run of the verb. */
typedef struct Apply {
        const Options *options;
        sd_bus *bus;   /* NULL: without the daemon */
        Model *before; /* or, in a dry run, what is */
        Model *after;
        ApplyItems items;
        ModelSteps steps; /* of a dry run */
        ExitCode code;
        bool said_something;
} Apply;

static void apply_done(Apply *apply)
{
        model_steps_done(&apply->steps);
        apply_items_done(&apply->items);
        model_free(apply->after);
        model_free(apply->before);
        sd_bus_flush_close_unref(apply->bus);
}

static bool is_named(const Apply *apply, const char *claim)
{
        return claim && string_list_contains(apply->options->arguments, claim);
}

static bool is_in_scope(const Apply *apply, const char *claim)
{
        return !apply->options->arguments[0] || is_named(apply, claim);
}

static ExitCode check_claims(const Apply *apply)
{
        ExitCode code = EXIT_CODE_DONE;

        for (char *const *name = apply->options->arguments; *name; name++)
                if (!check_claim(apply->before, *name))
                        code = EXIT_CODE_ABSENT;
        return code;
}

/* Good news to standard output unless --quiet, the rest to standard error. */
static int say(Apply *apply, const Outcome *outcome)
{
        Terminal terminal;

        apply->code = exit_code_join(apply->code, outcome->code);
        if (!outcome->line || apply->options->json != JSON_OFF)
                return 0;
        apply->said_something = true;
        if (outcome->is_problem) {
                complain("%s", outcome->line);
                return 0;
        }
        if (apply->options->quiet)
                return 0;
        terminal = terminal_of(stdout);
        return terminal_print(&terminal, stdout, "%s", outcome->line);
}

static int say_claims(Apply *apply, const Model *model, const bool *explained)
{
        for (size_t i = 0; i < model->n_claims; i++) {
                const ModelClaim *claim = &model->claims[i];
                _cleanup_outcome_ Outcome outcome = {};
                int r;

                if (explained[i] || !is_in_scope(apply, claim->text[CLAIM_NAME]))
                        continue;
                r = outcome_of_claim(claim, is_named(apply, claim->text[CLAIM_NAME]), &outcome);
                if (r >= 0)
                        r = say(apply, &outcome);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void mark_explained(const Model *model, const PciAddress *address, bool *explained)
{
        const ModelDevice *device = model_find_device(model, address);
        const ModelClaim *claim =
                device && device->claim ? model_find_claim(model, device->claim) : NULL;

        if (claim)
                explained[claim - model->claims] = true;
}

static int say_items(Apply *apply, bool *explained)
{
        for (size_t i = 0; i < apply->items.n_items; i++) {
                const ApplyItem *item = &apply->items.items[i];
                _cleanup_outcome_ Outcome outcome = {};
                int r;

                r = outcome_of_item(apply->before, apply->after, item, &outcome);
                if (r >= 0)
                        r = say(apply, &outcome);
                if (r < 0)
                        return r;
                if (outcome.line || outcome.code == EXIT_CODE_DONE)
                        mark_explained(apply->after, &item->address, explained);
        }
        return 0;
}

static int say_steps(Apply *apply, bool *explained)
{
        for (size_t i = 0; i < apply->steps.n_items; i++) {
                const ModelStep *step = &apply->steps.items[i];
                _cleanup_outcome_ Outcome outcome = {};
                int r;

                r = outcome_of_step(apply->before, step, &outcome);
                if (r >= 0)
                        r = say(apply, &outcome);
                if (r < 0)
                        return r;
                if (outcome.line)
                        mark_explained(apply->before, &step->address, explained);
        }
        return 0;
}

static int outcome_of_physical_function(const ModelPhysicalFunction *function, Outcome *ret)
{
        *ret = (Outcome){ .is_problem = !physical_function_changes(function) };
        if (streq_null(function->state, state_to_string(STATE_FAILED)))
                ret->code = EXIT_CODE_FAILED;
        else if (physical_function_is_refused(function))
                ret->code = EXIT_CODE_REFUSED;
        return physical_function_describe(function, &ret->line);
}

/* They belong to no claim: only who applies everything means them. */
static int say_physical_functions(Apply *apply, const ModelPhysicalFunctions *functions)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < functions->n_items; i++) {
                _cleanup_outcome_ Outcome outcome = {};

                r = outcome_of_physical_function(&functions->items[i], &outcome);
                if (r >= 0)
                        r = say(apply, &outcome);
        }
        return r;
}

/* What was released by hand stays so, whatever is applied. */
static int say_nothing_to_do(const Apply *apply, const Model *model)
{
        Terminal terminal = terminal_of(stdout);
        _cleanup_buffer_ Buffer buffer = {};
        _cleanup_free_ char *released = NULL;
        int r;

        for (size_t i = 0; i < model->n_claims; i++) {
                const ModelClaim *claim = &model->claims[i];

                if (streq_null(claim->text[CLAIM_STATE], state_to_string(STATE_RELEASED)) &&
                    is_in_scope(apply, claim->text[CLAIM_NAME]))
                        buffer_printf(&buffer, " %s", claim->text[CLAIM_NAME]);
        }
        r = buffer_finish(&buffer, &released);
        if (r < 0)
                return r;
        return terminal_print(&terminal, stdout, *released
                        ? "Nothing to do. Released by hand, which \"vfio-bindctl bind CLAIM\" "
                          "ends:%s."
                        : "Nothing to do.%s",
                released);
}

static int say_errors(const Apply *apply, const Model *model)
{
        Terminal terminal = terminal_of(stderr);

        return apply->options->json == JSON_OFF
                ? print_configuration_errors(model, &terminal, stderr)
                : 0;
}

static int print_json(const Apply *apply, const Model *model)
{
        _cleanup_json_ Json json = { .pretty = apply->options->json == JSON_PRETTY };

        if (apply->options->json == JSON_OFF)
                return 0;
        json_begin_document(&json, apply->options->dry_run ? "plan" : "apply");
        if (apply->options->dry_run)
                json_boolean(&json, "NextBoot", false);
        json_configuration_errors(&json, model);
        if (apply->options->dry_run)
                json_steps(&json, &apply->steps);
        else
                json_results(&json, model, &apply->items);
        if (!apply->options->dry_run)
                json_physical_functions(&json, &model->physical_functions);
        json_close_object(&json);
        return json_print(&json, stdout);
}

/* What was applied is not what the files say, and the next boot begins with the initramfs. That is
 * no outcome of the request, and no failure. */
static void say_outdated(const Apply *apply, const Model *model)
{
        if (apply->options->dry_run || apply->options->quiet || apply->options->json != JSON_OFF)
                return;
        if (configuration_has_changed(model))
                complain("%s", CONFIGURATION_HAS_CHANGED);
        complain_initramfs(model);
}

/* Tells what came, or would come, of it. */
static int report(Apply *apply)
{
        const Model *model = apply->options->dry_run ? apply->before : apply->after;
        _cleanup_free_ bool *explained = calloc(model->n_claims + 1, sizeof(bool));
        int r;

        if (!explained)
                return -ENOMEM;
        r = apply->options->dry_run ? say_steps(apply, explained) : say_items(apply, explained);
        if (r >= 0)
                r = say_claims(apply, model, explained);
        if (r >= 0 && !apply->options->arguments[0])
                r = say_physical_functions(apply, apply->options->dry_run
                                ? &apply->steps.physical_functions
                                : &model->physical_functions);
        if (r < 0)
                return r;
        if (apply->code == EXIT_CODE_USAGE)
                r = say_errors(apply, model);
        if (r >= 0 && !apply->said_something && !apply->options->quiet &&
            apply->options->json == JSON_OFF)
                r = say_nothing_to_do(apply, model);
        if (r < 0)
                return r;
        say_outdated(apply, model);
        return print_json(apply, model);
}

static int compare_groups(const void *a, const void *b)
{
        int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

        return x < y ? -1 : x > y;
}

/* The groups in which claims that were named have a function, ascending; *ret_n of them. */
static int64_t *groups_in_scope(const Apply *apply, size_t *ret_n)
{
        const Model *model = apply->before;
        int64_t *groups = calloc(model->n_devices + 1, sizeof(int64_t));
        size_t n = 0;

        for (size_t i = 0; groups && i < model->n_devices; i++)
                if (model->devices[i].group >= 0 && is_named(apply, model->devices[i].claim))
                        groups[n++] = model->devices[i].group;
        if (groups && n > 0)
                qsort(groups, n, sizeof(int64_t), compare_groups);
        *ret_n = n;
        return groups;
}

static int drop_other_steps(Apply *apply)
{
        ModelSteps *steps = &apply->steps;
        _cleanup_free_ int64_t *groups = NULL;
        _cleanup_free_ bool *keep = NULL;
        size_t n_groups;

        if (!apply->options->arguments[0])
                return 0;
        model_physical_functions_done(&steps->physical_functions);
        groups = groups_in_scope(apply, &n_groups);
        keep = calloc(steps->n_items + 1, sizeof(bool));
        if (!groups || !keep)
                return -ENOMEM;
        for (size_t i = 0; i < steps->n_items; i++) {
                const ModelStep *step = &steps->items[i];
                const ModelDevice *device = model_find_device(apply->before, &step->address);

                keep[i] = (device && is_named(apply, device->claim)) ||
                        (step->group >= 0 && bsearch(&step->group, groups, n_groups,
                                                     sizeof(int64_t), compare_groups));
        }
        model_keep_steps(steps, keep);
        return 0;
}

/* Without the daemon, or on a saved tree. */
static ExitCode plan_by_ourselves(Apply *apply)
{
        MachineOptions look = { .root = apply->options->root };
        _cleanup_machine_ Machine *machine = NULL;
        const char *what = "plan";
        int r;

        r = machine_look(&look, &machine, &what);
        if (r >= 0)
                r = machine_model(machine, &apply->before);
        if (r >= 0)
                r = machine_steps(machine, apply->options->prune, false, &apply->steps);
        if (r < 0) {
                complain_errno(r, what);
                return EXIT_CODE_FAILED;
        }
        return check_claims(apply);
}

static int ask_for_model(Apply *apply, sd_bus_error *error, Model **ret)
{
        return apply->bus ? client_get_model(apply->bus, error, ret) : -ENOTCONN;
}

static ExitCode ask_daemon(Apply *apply)
{
        const Options *options = apply->options;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        ExitCode code;
        int r;

        r = client_open(&apply->bus);
        if (r >= 0)
                r = ask_for_model(apply, &error, &apply->before);
        if (r == -ENOTCONN && options->dry_run)
                return plan_by_ourselves(apply);
        if (r < 0)
                return call_complain(r, &error, "apply --dry-run");
        code = check_claims(apply);
        if (code != EXIT_CODE_DONE)
                return code;

        if (options->dry_run) {
                r = client_plan(apply->bus, options->prune, false, &error, &apply->steps);
                if (r >= 0)
                        r = physical_functions_of_model(apply->before, false,
                                &apply->steps.physical_functions);
        } else {
                r = client_apply(apply->bus, options->arguments, options->prune,
                        !options->no_ask_password, &error, &apply->items);
                if (r >= 0)
                        r = ask_for_model(apply, &error, &apply->after);
        }
        return r < 0 ? call_complain(r, &error, "apply --dry-run") : EXIT_CODE_DONE;
}

static int run(const Options *options)
{
        _cleanup_(apply_done) Apply apply = { .options = options };
        ExitCode code;
        int r;

        code = options->root ? plan_by_ourselves(&apply) : ask_daemon(&apply);
        if (code != EXIT_CODE_DONE)
                return code;
        r = options->dry_run ? drop_other_steps(&apply) : 0;
        if (r >= 0)
                r = report(&apply);
        if (r < 0) {
                complain_errno(r, "tell what came of it");
                return EXIT_CODE_FAILED;
        }
        return apply.code;
}

const Verb verb_apply = {
        .name = "apply",
        .arguments = "[CLAIM...]",
        .summary = "Bind what the claims want, from host drivers too",
        .help = "Binds what the claims (all without an argument) want, from host drivers too\n"
                "unless the host uses the device. Says on standard error if the initramfs, with\n"
                "which the next boot begins, has to be made anew, and by which command.\n"
                "\n"
                "Options:\n"
                "  --dry-run               Only tell what would be done; the exit code is what\n"
                "                          can be told beforehand\n"
                "  --prune                 Release what no claim selects any more\n",
        .options = VERB_OPTION_PRUNE | VERB_OPTION_DRY_RUN,
        .most = ARGUMENTS_ANY,
        .changes = true,
        .run = run,
};
