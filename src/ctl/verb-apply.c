/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "bus/names.h"
#include "ctl/client.h"
#include "ctl/complain.h"
#include "ctl/exit-code.h"
#include "ctl/list.h"
#include "ctl/machine.h"
#include "ctl/outcome.h"
#include "ctl/verbs.h"

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

/* A call that failed: what to say, and the exit code. */
static ExitCode complain_call(int r, const sd_bus_error *error)
{
        if (r == -ENOTCONN) {
                complain("vfio-bindd does not run. Start it with \"systemctl start vfio-bindd\" "
                         "and run this again; \"vfio-bindctl apply --dry-run\" works without it.");
                return EXIT_CODE_FAILED;
        }
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY)) {
                complain("vfio-bindd went away without an answer. \"vfio-bindctl list\" shows "
                         "how far it came.");
                return EXIT_CODE_FAILED;
        }
        if (r == -ETIMEDOUT) {
                complain("No answer from vfio-bindd. What it does goes on; \"vfio-bindctl list\" "
                         "shows it.");
                return EXIT_CODE_STUCK;
        }
        if (sd_bus_error_has_names(error, SD_BUS_ERROR_ACCESS_DENIED,
                    SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED)) {
                complain("Not allowed: %s. Run this as root.", error->message ?: error->name);
                return EXIT_CODE_FAILED;
        }
        complain("vfio-bindd says: %s.", error->message ?: strerror(-r));
        if (sd_bus_error_has_names(error, BUS_ERROR_NO_SUCH_CLAIM, BUS_ERROR_NO_SUCH_DEVICE,
                    BUS_ERROR_NO_SUCH_GROUP))
                return EXIT_CODE_ABSENT;
        if (sd_bus_error_has_name(error, BUS_ERROR_INVALID_CONFIGURATION))
                return EXIT_CODE_USAGE;
        return EXIT_CODE_FAILED;
}

static bool check_claim(const Model *model, const char *name)
{
        const char **names;
        const char *near = NULL;

        if (model_find_claim(model, name))
                return true;
        names = calloc(model->n_claims + 1, sizeof(char *));
        for (size_t i = 0; names && i < model->n_claims; i++)
                names[i] = model->claims[i].text[CLAIM_NAME];
        if (names)
                near = nearest_string(name, names, model->n_claims);
        free(names);
        if (near)
                complain("No claim %s. Did you mean %s?", name, near);
        else
                complain("No claim %s. \"vfio-bindctl list\" shows them.", name);
        return false;
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

static void say_errors(const Apply *apply, const Model *model)
{
        if (apply->options->json != JSON_OFF)
                return;
        for (size_t i = 0; i < model->n_errors; i++)
                complain("%s:%u:%u: %s", model->errors[i].file ?: "", model->errors[i].line,
                        model->errors[i].column, model->errors[i].message ?: "");
}

static int print_json(const Apply *apply, const Model *model)
{
        _cleanup_json_ Json json = { .pretty = apply->options->json == JSON_PRETTY };

        if (apply->options->json == JSON_OFF)
                return 0;
        json_begin_document(&json, apply->options->dry_run ? "plan" : "apply");
        json_configuration_errors(&json, model);
        if (apply->options->dry_run)
                json_steps(&json, &apply->steps);
        else
                json_results(&json, model, &apply->items);
        json_close_object(&json);
        return json_print(&json, stdout);
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
        if (r < 0)
                return r;
        if (apply->code == EXIT_CODE_USAGE)
                say_errors(apply, model);
        if (!apply->said_something && !apply->options->quiet && apply->options->json == JSON_OFF)
                puts("Nothing to do.");
        return print_json(apply, model);
}

/* The groups in which claims that were named have a function. */
static bool step_is_in_scope(const Apply *apply, const ModelStep *step)
{
        if (!apply->options->arguments[0])
                return true;
        for (size_t i = 0; i < apply->before->n_devices; i++) {
                const ModelDevice *device = &apply->before->devices[i];
                bool is_member = step->group >= 0
                        ? device->group == step->group
                        : pci_address_equal(&device->address, &step->address);

                if (is_member && is_named(apply, device->claim))
                        return true;
        }
        return false;
}

static void drop_other_steps(Apply *apply)
{
        ModelSteps *steps = &apply->steps;

        for (size_t i = steps->n_items; i-- > 0;)
                if (!step_is_in_scope(apply, &steps->items[i]))
                        model_remove_step(steps, i);
}

/* Without the daemon, or on a saved tree. */
static ExitCode plan_by_ourselves(Apply *apply)
{
        _cleanup_machine_ Machine *machine = NULL;
        const char *what = "plan";
        int r;

        r = machine_look(apply->options->root, &machine, &what);
        if (r >= 0)
                r = machine_model(machine, &apply->before);
        if (r >= 0)
                r = machine_steps(machine, apply->options->prune, &apply->steps);
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
                return complain_call(r, &error);
        code = check_claims(apply);
        if (code != EXIT_CODE_DONE)
                return code;

        if (options->dry_run) {
                r = client_plan(apply->bus, options->prune, &error, &apply->steps);
        } else {
                r = client_apply(apply->bus, options->arguments, options->prune,
                        !options->no_ask_password, &error, &apply->items);
                if (r >= 0)
                        r = ask_for_model(apply, &error, &apply->after);
        }
        return r < 0 ? complain_call(r, &error) : EXIT_CODE_DONE;
}

int verb_apply(const Options *options)
{
        _cleanup_(apply_done) Apply apply = { .options = options };
        ExitCode code;
        int r;

        if (options->root && !options->dry_run) {
                complain("apply changes this machine: --root= goes with --dry-run only.");
                return EXIT_CODE_USAGE;
        }
        code = options->root ? plan_by_ourselves(&apply) : ask_daemon(&apply);
        if (code != EXIT_CODE_DONE)
                return code;
        if (options->dry_run)
                drop_other_steps(&apply);
        r = report(&apply);
        if (r < 0) {
                complain_errno(r, "tell what came of it");
                return EXIT_CODE_FAILED;
        }
        return apply.code;
}
