/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/outcome.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"
#include "util/io.h"

/* What can be said of a condition at a moment. */
typedef enum Judgement {
        JUDGEMENT_HOLDS,
        JUDGEMENT_OPEN,  /* it may still come */
        JUDGEMENT_NEVER, /* it does not come unless somebody does something */
} Judgement;

static bool is_state(const char *state, const char *const *states, size_t n_states)
{
        for (size_t i = 0; state && i < n_states; i++)
                if (streq(states[i], state))
                        return true;
        return false;
}

/* Has the claim a function in one of these states? */
static bool has_device(const Model *model, const ModelClaim *claim, const char *const *states,
        size_t n_states)
{
        for (size_t i = 0; i < model->n_devices; i++) {
                const ModelDevice *device = &model->devices[i];

                if (streq_null(device->claim, claim->text[CLAIM_NAME]) &&
                    is_state(device->text[DEVICE_STATE], states, n_states))
                        return true;
        }
        return false;
}

static bool is_underway(const Model *model, const ModelClaim *claim)
{
        static const char *const underway[] = { "binding", "releasing" };

        return streq_null(claim->text[CLAIM_REASON],
                       reason_to_string(REASON_DEFERRED_TO_NEXT_STAGE)) ||
                has_device(model, claim, underway, ELEMENTSOF(underway));
}

/* Until the boot's claims are settled, every verdict may change. */
static Judgement judge_bound(const Model *model, const ModelClaim *claim)
{
        static const char *const final[] = { "refused", "failed", "stuck", "error", "disabled",
                "drifted", "released", "gave-back" };
        static const char *const waiting[] = { "pending" };
        const char *state = claim->text[CLAIM_STATE];

        if (streq_null(state, "bound"))
                return JUDGEMENT_HOLDS;
        if (model->state && (!model->settled || is_underway(model, claim)))
                return JUDGEMENT_OPEN;
        if (streq_null(state, "partial"))
                return has_device(model, claim, waiting, ELEMENTSOF(waiting)) ? JUDGEMENT_OPEN
                                                                              : JUDGEMENT_NEVER;
        return is_state(state, final, ELEMENTSOF(final)) ? JUDGEMENT_NEVER : JUDGEMENT_OPEN;
}

static Judgement judge_released(const Model *model, const ModelClaim *claim)
{
        static const char *const ours[] = { "bound", "detached", "binding", "releasing" };
        static const char *const stuck[] = { "stuck" };

        if (has_device(model, claim, ours, ELEMENTSOF(ours)))
                return JUDGEMENT_OPEN;
        return has_device(model, claim, stuck, ELEMENTSOF(stuck)) ? JUDGEMENT_NEVER
                                                                  : JUDGEMENT_HOLDS;
}

static Judgement judge(const Model *model, const ModelClaim *claim, WaitFor wait_for)
{
        bool holds = false;

        switch (wait_for) {
        case WAIT_FOR_BOUND:
                return judge_bound(model, claim);
        case WAIT_FOR_RELEASED:
                return judge_released(model, claim);
        case WAIT_FOR_ABSENT:
                holds = streq_null(claim->text[CLAIM_STATE], "absent");
                break;
        default: /* WAIT_FOR_SETTLED */
                holds = model->settled || !is_underway(model, claim);
        }
        return holds ? JUDGEMENT_HOLDS : JUDGEMENT_OPEN;
}

/* One run of the verb. */
typedef struct Wait {
        const Options *options;
        bool was_told; /* what it waits for */
} Wait;

/* Without names, what is not there or switched off is not waited for. */
static bool is_meant(const Wait *wait, const ModelClaim *claim)
{
        static const char *const idle[] = { "absent", "disabled" };

        if (wait->options->arguments[0])
                return string_list_contains(wait->options->arguments, claim->text[CLAIM_NAME]);
        return wait->options->wait_for != WAIT_FOR_BOUND ||
                !is_state(claim->text[CLAIM_STATE], idle, ELEMENTSOF(idle));
}

/* Of all claims meant: NEVER if that is so of one, HOLDS if it holds for all. */
static Judgement judge_all(const Wait *wait, const Model *model)
{
        Judgement result = JUDGEMENT_HOLDS;

        if (model->state && streq(model->state, "starting"))
                return JUDGEMENT_OPEN;
        if (!wait->options->arguments[0] && wait->options->wait_for == WAIT_FOR_SETTLED)
                return !model->state || model->settled ? JUDGEMENT_HOLDS : JUDGEMENT_OPEN;
        for (size_t i = 0; i < model->n_claims; i++)
                if (is_meant(wait, &model->claims[i])) {
                        Judgement one = judge(model, &model->claims[i], wait->options->wait_for);

                        if (one > result)
                                result = one;
                }
        return result;
}

/* The claims that keep it from holding, one line each; the exit code that they mean together. */
static ExitCode tell(const Wait *wait, const Model *model, const char *prefix)
{
        ExitCode code = EXIT_CODE_DONE;

        for (size_t i = 0; i < model->n_claims; i++) {
                const ModelClaim *claim = &model->claims[i];
                _cleanup_outcome_ Outcome outcome = {};

                if (!is_meant(wait, claim) ||
                    judge(model, claim, wait->options->wait_for) == JUDGEMENT_HOLDS)
                        continue;
                if (outcome_of_claim(claim, true, &outcome) < 0) {
                        complain_errno(-ENOMEM, "tell what is missing");
                        return EXIT_CODE_FAILED;
                }
                code = exit_code_join(code, outcome.code);
                if (outcome.line)
                        complain("%s%s", prefix, outcome.line);
                else
                        complain("%sClaim %s is %s.", prefix, claim->text[CLAIM_NAME],
                                claim->text[CLAIM_STATE] ?: "in an unknown state");
        }
        return code;
}

static ExitCode check_names(const Wait *wait, const Model *model)
{
        ExitCode code = EXIT_CODE_DONE;

        if (model->state && streq(model->state, "starting"))
                return code;
        for (char *const *name = wait->options->arguments; *name; name++)
                if (!check_claim(model, *name))
                        code = EXIT_CODE_ABSENT;
        return code;
}

static ExitCode print(const Wait *wait, const Model *model, ExitCode code)
{
        const Options *options = wait->options;
        _cleanup_json_ Json json = { .pretty = options->json == JSON_PRETTY };

        if (options->json == JSON_OFF)
                return code;
        json_begin_document(&json, "wait");
        json_string(&json, "For", wait_for_to_string(options->wait_for));
        json_boolean(&json, "Done", code == EXIT_CODE_DONE);
        json_open_array(&json, "Claims");
        for (size_t i = 0; model && i < model->n_claims; i++)
                if (is_meant(wait, &model->claims[i]))
                        json_claim(&json, model, &model->claims[i]);
        json_close_array(&json);
        json_close_object(&json);
        if (json_print(&json, stdout) >= 0)
                return code;
        complain_errno(-ENOMEM, "tell what came of it");
        return EXIT_CODE_FAILED;
}

static ExitCode give_up(const Wait *wait, const Model *model)
{
        ExitCode code = tell(wait, model, "");

        /* "released" and "absent" are no failures by themselves, but they are not "bound". */
        return code == EXIT_CODE_DONE ? EXIT_CODE_REFUSED : code;
}

static ExitCode time_out(const Wait *wait, const Model *model)
{
        if (model)
                (void) tell(wait, model, "Timed out: ");
        else
                complain("Timed out: vfio-bindd does not run. Start it with \"systemctl enable "
                         "--now vfio-bindd\"; \"systemctl status vfio-bindd\" tells why it ended.");
        if (model && wait->options->wait_for == WAIT_FOR_SETTLED)
                complain("Timed out: not everything is settled. \"vfio-bindctl list\" shows it.");
        return EXIT_CODE_STUCK;
}

/* Somebody who looks at a terminal wants to know why nothing happens. */
static void tell_once(Wait *wait, const Model *model)
{
        if (wait->was_told || wait->options->quiet || wait->options->json != JSON_OFF ||
            !isatty(STDERR_FILENO))
                return;
        wait->was_told = true;
        if (model)
                (void) tell(wait, model, "Waiting: ");
        else
                complain("vfio-bindd went away. Waiting until it is back.");
}

/* true: *ret is how it ended. */
static bool is_over(Wait *wait, const Model *model, ExitCode *ret)
{
        if (model) {
                *ret = check_names(wait, model);
                if (*ret != EXIT_CODE_DONE)
                        return true;
                switch (judge_all(wait, model)) {
                case JUDGEMENT_HOLDS:
                        return true;
                case JUDGEMENT_NEVER:
                        *ret = give_up(wait, model);
                        return true;
                default:
                        break;
                }
        }
        tell_once(wait, model);
        return false;
}

static ExitCode follow(Wait *wait, sd_bus *bus)
{
        const Options *options = wait->options;
        uint64_t now = now_monotonic();
        uint64_t deadline = options->timeout_usec > USEC_INFINITY - now
                ? USEC_INFINITY
                : now + options->timeout_usec;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_watch_ Watch watch = {};
        ExitCode code;
        int r;

        r = watch_open(&watch, bus, &error);
        if (r < 0)
                return call_complain(r, &error, NULL);
        while (!is_over(wait, watch.model, &code)) {
                r = watch_next(&watch, deadline);
                if (r == 0) {
                        code = time_out(wait, watch.model);
                        break;
                }
                if (r < 0) {
                        complain_errno(r, "follow what vfio-bindd says");
                        return EXIT_CODE_FAILED;
                }
        }
        return print(wait, watch.model, code);
}

/* Nobody would tell of a change. */
static ExitCode look_once(Wait *wait, const Source *source)
{
        ExitCode code = check_names(wait, source->model);
        _cleanup_bus_error_ sd_bus_error none = SD_BUS_ERROR_NULL;

        if (code == EXIT_CODE_DONE && judge_all(wait, source->model) != JUDGEMENT_HOLDS) {
                (void) tell(wait, source->model, "");
                code = call_complain(-ENOTCONN, &none, NULL);
        }
        return print(wait, source->model, code);
}

static int run(const Options *options)
{
        MachineOptions machine = {};
        _cleanup_source_ Source source = {};
        Wait wait = { .options = options };
        ExitCode code;

        code = source_open(&source, &machine);
        if (code != EXIT_CODE_DONE)
                return code;
        return source.bus ? follow(&wait, source.bus) : look_once(&wait, &source);
}

const Verb verb_wait = {
        .name = "wait",
        .arguments = "[CLAIM...]",
        .summary = "Wait until claims are bound, released, absent, settled",
        .help = "Waits until every claim named is as --for= says; without an argument, until all\n"
                "claims are (for \"bound\" those whose hardware is there). It ends at once, with\n"
                "the reason, when a claim was refused or failed and nothing is underway that\n"
                "could change it.\n"
                "\n"
                "Options:\n"
                "  --for=bound             All its devices are bound, nodes have their owner;\n"
                "                          the default\n"
                "  --for=released          The host has its devices, or nobody does\n"
                "  --for=absent            None of its devices is there\n"
                "  --for=settled           Nothing is underway: each is bound, refused, absent or\n"
                "                          waits for somebody to do something\n"
                "  --timeout=TIME          Give up after this time, \"90\" (seconds) or \"5min\";\n"
                "                          exit code 5. Without it, wait without end\n",
        .options = VERB_OPTION_FOR | VERB_OPTION_TIMEOUT,
        .most = ARGUMENTS_ANY,
        .changes = true,
        .run = run,
};
