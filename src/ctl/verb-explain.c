/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/sentence.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

enum {
        COLUMN_CLAIM,
        COLUMN_LINE,
        COLUMN_ANSWER,
        COLUMN_TERM,
};

static const Column columns[] = {
        [COLUMN_CLAIM] = { "CLAIM", 8 },
        [COLUMN_LINE] = { "LINE", 12 },
        [COLUMN_ANSWER] = { "ANSWER", 0 },
        [COLUMN_TERM] = { "TERM", 12 },
};

static bool is_yes(const ModelAnswer *answer)
{
        return streq_null(answer->answer, answer_to_string(ANSWER_YES));
}

static bool is_same_line(const ModelAnswer *a, const ModelAnswer *b)
{
        return streq_null(a->claim, b->claim) && streq_null(a->file, b->file) &&
                a->line == b->line && a->is_exclude == b->is_exclude;
}

static void set_line(Table *table, const ModelAnswer *answer)
{
        _cleanup_free_ char *line = NULL;

        table_set(table, COLUMN_CLAIM, answer->claim ?: "[Defaults]", STYLE_NONE);
        if (format_string(&line, "%s:%u", answer->file ?: "", answer->line) >= 0)
                table_set(table, COLUMN_LINE, line, STYLE_NONE);
}

/* Of a line, expect= and expect-serial= have no part in what it selects. */
static const char *name_of_all(bool has_guard)
{
        return has_guard ? "all of the line but its guard" : "all of the line";
}

/* A line of one term is answered by its term. */
static void add_answers(Table *table, const ModelAnswers *answers)
{
        bool has_guard = false;
        size_t n_terms = 0;

        for (size_t i = 0; i < answers->n_items; i++) {
                const ModelAnswer *answer = &answers->items[i];
                const ModelAnswer *previous = i > 0 ? &answers->items[i - 1] : NULL;
                /* The row of the line as a whole ends it; the next one may be numbered alike. */
                bool begins = !previous || !previous->term || !is_same_line(previous, answer);
                _cleanup_free_ char *term = NULL;

                n_terms = begins ? 1 : n_terms + 1;
                has_guard = (has_guard && !begins) ||
                            (answer->term && startswith(answer->term, "expect"));
                if (!answer->term && n_terms == 2)
                        continue;
                table_add_row(table);
                if (begins)
                        set_line(table, answer);
                table_set(table, COLUMN_ANSWER, answer->answer,
                        is_yes(answer) ? STYLE_GOOD : STYLE_FAINT);
                if (format_string(&term, "%s%s", answer->is_exclude ? "Exclude: " : "",
                            answer->term ?: name_of_all(has_guard)) >= 0)
                        table_set(table, COLUMN_TERM, term, STYLE_NONE);
        }
}

/* The line of its claim that selects it; NULL: none does now. */
static const ModelAnswer *find_decisive(const ModelAnswers *answers, const ModelDevice *device)
{
        for (size_t i = 0; i < answers->n_items; i++) {
                const ModelAnswer *answer = &answers->items[i];

                if (!answer->term && !answer->is_exclude && answer->claim && is_yes(answer) &&
                    streq_null(answer->claim, device->claim))
                        return answer;
        }
        return NULL;
}

/* The line of [Defaults] that keeps it with the host; NULL: none does now. */
static const ModelAnswer *find_exclude(const ModelAnswers *answers)
{
        for (size_t i = 0; i < answers->n_items; i++) {
                const ModelAnswer *answer = &answers->items[i];

                if (!answer->term && answer->is_exclude && !answer->claim && is_yes(answer))
                        return answer;
        }
        return NULL;
}

static int describe_excluded(const ModelAnswers *answers, const ModelDevice *device, char **ret)
{
        const ModelAnswer *line = device->claim ? NULL : find_exclude(answers);

        if (line)
                return format_string(ret,
                        "Exclude= of [Defaults] (%s:%u) keeps it with the host, whatever claims "
                        "say.", line->file ?: "", line->line);
        return format_string(ret, "Kept out of all hands%s%s.", device->claim ? " by claim " : "",
                device->claim ?: "");
}

/* "Selected by claim gaming-gpu (/etc/vfio-bind.conf:14)." */
static int describe_role(const ModelAnswers *answers, const ModelDevice *device, char **ret)
{
        const ModelAnswer *line = find_decisive(answers, device);
        const char *role = device->text[DEVICE_ROLE];

        if (streq_null(role, role_to_string(ROLE_BRIDGE)))
                return format_string(ret, "It is a bridge: no claim takes bridges.");
        if (streq_null(role, role_to_string(ROLE_EXCLUDED)))
                return describe_excluded(answers, device, ret);
        if (streq_null(role, role_to_string(ROLE_COMPANION)))
                return format_string(ret,
                        "No claim selects it. It shares a group with what claim %s selects.",
                        device->claim ?: "");
        if (!device->claim)
                return format_string(ret, "No claim has it.");
        if (!line)
                return format_string(ret, "Claim %s took it before its lines were changed.",
                        device->claim);
        return format_string(ret, "Selected by claim %s (%s:%u).", device->claim, line->file ?: "",
                line->line);
}

/* Of what has no reason of its own. */
static const char *explain_state(const ModelDevice *device)
{
        if (streq_null(device->text[DEVICE_STATE], state_to_string(STATE_PENDING)))
                return ": nothing has bound it yet. \"vfio-bindctl apply\" does, or the next boot "
                       "where vfio-bindd is enabled";
        return "";
}

static int print_verdict(const Model *model, const ModelAnswers *answers,
        const ModelDevice *device, const Terminal *terminal)
{
        const char *reason = device->text[DEVICE_REASON];
        _cleanup_free_ char *role = NULL, *sentence = NULL;
        int r;

        r = describe_role(answers, device, &role);
        if (r < 0)
                return r;
        if (!reason || (streq(reason, reason_to_string(REASON_EXCLUDED)) && find_exclude(answers)))
                return terminal_print(terminal, stdout, "%s It is %s%s.", role,
                        device->text[DEVICE_STATE] ?: "in an unknown state",
                        explain_state(device));
        r = format_reason(NULL, reason, model_explain(model, device, reason), NULL, &sentence);
        if (r < 0)
                return r;
        return terminal_print(terminal, stdout, "%s It is %s, %s", role,
                device->text[DEVICE_STATE] ?: "in an unknown state", sentence);
}

static int print_text(const Model *model, const ModelAnswers *answers, const ModelDevice *device,
        const Options *options)
{
        Terminal terminal = terminal_of(stdout);
        _cleanup_table_ Table *table = table_new(&terminal, columns, ELEMENTSOF(columns));
        char ids[16];
        int r = 0;

        add_answers(table, answers);
        if (!options->no_legend && !options->quiet)
                r = terminal_print(&terminal, stdout, "%s %s", device->text[DEVICE_ADDRESS],
                        device_name(device, ids));
        if (r >= 0 && table_rows(table) > 0) {
                fputs("\n", stdout);
                r = table_print(table, !options->no_legend && !options->quiet, stdout);
                fputs("\n", stdout);
        }
        return r < 0 ? r : print_verdict(model, answers, device, &terminal);
}

static int print_json(const ModelAnswers *answers, const ModelDevice *device, bool pretty)
{
        _cleanup_json_ Json json = { .pretty = pretty };

        json_begin_document(&json, "explain");
        json_key(&json, "Device");
        json_device(&json, device);
        json_open_array(&json, "Answers");
        for (size_t i = 0; i < answers->n_items; i++) {
                const ModelAnswer *answer = &answers->items[i];

                json_open_object(&json, NULL);
                json_string(&json, "Claim", answer->claim);
                json_string(&json, "File", answer->file);
                json_integer(&json, "Line", answer->line);
                json_string(&json, "Term", answer->term);
                json_string(&json, "Answer", answer->answer);
                json_boolean(&json, "IsExclude", answer->is_exclude);
                json_close_object(&json);
        }
        json_close_array(&json);
        json_close_object(&json);
        return json_print(&json, stdout);
}

static int ask(const Source *source, const ModelDevice *device, ModelAnswers *answers)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (source->machine) {
                r = machine_explain(source->machine, &device->address, answers);
                if (r < 0)
                        complain_errno(r, "explain the device");
                return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
        }
        r = client_explain(source->bus, &device->address, &error, answers);
        return r < 0 ? call_complain(r, &error, NULL) : EXIT_CODE_DONE;
}

static int run(const Options *options)
{
        MachineOptions machine = { .root = options->root };
        _cleanup_source_ Source source = {};
        _cleanup_answers_ ModelAnswers answers = {};
        const ModelDevice *device = NULL;
        ExitCode code;
        int r;

        code = source_open(&source, &machine);
        if (code == EXIT_CODE_DONE)
                device = check_device(source.model, options->arguments[0], &code);
        if (device)
                code = ask(&source, device, &answers);
        if (code != EXIT_CODE_DONE)
                return code;
        r = options->json != JSON_OFF
                ? print_json(&answers, device, options->json == JSON_PRETTY)
                : print_text(source.model, &answers, device, options);
        if (r >= 0)
                r = source_print_legend(&source, options);
        if (r < 0)
                complain_errno(r, "explain the device");
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

const Verb verb_explain = {
        .name = "explain",
        .arguments = "DEV",
        .summary = "Why a device is claimed or not, term by term",
        .help = "Shows how every line of the configuration answers for a device, term by term,\n"
                "and what came of it: which claim has it, its state, and the reason.\n"
                "\n"
                "DEV is 0000:01:00.0, 01:00.0 or pci_0000_01_00_0.\n",
        .least = 1,
        .most = 1,
        .run = run,
};
