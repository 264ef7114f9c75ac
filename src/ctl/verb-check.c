/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/files.h"
#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/review.h"
#include "ctl/verbs.h"
#include "util/buffer.h"

#define MAIN_FILE "/etc/vfio-bind.conf"

/* Where the file stands, below the root, with its directory freed of "..", links and the like; a
 * link in the file's own place stays what it is. */
static bool find_place(const char *file, const char *root, char place[static PATH_MAX])
{
        const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
        char directory[PATH_MAX], real[PATH_MAX], real_root[PATH_MAX];
        const char *below = real;

        if (snprintf(directory, sizeof(directory), "%.*s", (int) (name - file), file) >=
                    (int) sizeof(directory) ||
            !realpath(*directory ? directory : ".", real))
                return false;
        if (root) {
                if (!realpath(root, real_root))
                        return false;
                below = startswith(real, streq(real_root, "/") ? "" : real_root);
        }
        return below && snprintf(place, PATH_MAX, "%s/%s", below, name) < PATH_MAX &&
                config_path_is_candidate(place);
}

/* In the place of which file: what --as= says, else where it is already, else the main file. */
static const char *place_of(const Options *options, char place[static PATH_MAX])
{
        const char *file = options->arguments[0];

        if (!file)
                return NULL;
        if (options->as)
                return options->as;
        if (config_path_is_candidate(file))
                return file;
        return find_place(file, options->root, place) ? place : MAIN_FILE;
}

static void say(const Diagnostic *diagnostic)
{
        const Location *location = &diagnostic->location;
        const char *kind = diagnostic->is_error ? "error" : "warning";
        size_t length = strlen(diagnostic->message);
        const char *stop = length > 0 && strchr(".?", diagnostic->message[length - 1]) ? "" : ".";

        if (location->line > 0)
                complain("%s:%u:%u: %s: %s%s", location->file ?: "", location->line,
                        location->column, kind, diagnostic->message, stop);
        else if (location->file)
                complain("%s: %s: %s%s", location->file, kind, diagnostic->message, stop);
        else
                complain("%s: %s%s", kind, diagnostic->message, stop);
}

static void say_all(const DiagnosticList *list, const Options *options)
{
        for (size_t i = 0; i < list->n_items; i++)
                if (list->items[i].is_error || options->strict || !options->quiet)
                        say(&list->items[i]);
}

static size_t count_warnings(const DiagnosticList *list)
{
        return list->n_items - list->n_errors;
}

/* That a device is not here is no fault of the file, which may be meant for another machine. */
static int print_absent(const Review *review, const Terminal *terminal)
{
        _cleanup_buffer_ Buffer buffer = {};
        _cleanup_free_ char *names = NULL;
        size_t n = 0;
        int r;

        for (char *const *name = review->absent; name && *name; name++)
                buffer_printf(&buffer, "%s%s", n++ > 0 ? ", " : "", *name);
        for (char *const *name = review->absent_physical_functions; name && *name; name++)
                buffer_printf(&buffer, "%sPhysicalFunction %s", n++ > 0 ? ", " : "", *name);
        if (n == 0)
                return 0;
        r = buffer_finish(&buffer, &names);
        return r < 0 ? r
                     : terminal_print(terminal, stdout, "Nothing on this machine matches: %s.",
                               names);
}

static int print_text(const Config *config, const Review *review, const Options *options)
{
        const DiagnosticList *warnings = &review->warnings;
        size_t n_errors = config->diagnostics.n_errors;
        size_t n_warnings = count_warnings(&config->diagnostics) + warnings->n_items;
        Terminal terminal = terminal_of(stdout);
        int r;

        say_all(&config->diagnostics, options);
        say_all(warnings, options);
        if (options->quiet || options->no_legend)
                return 0;
        r = terminal_print(&terminal, stdout, "%zu claim%s, %zu error%s, %zu warning%s.",
                config->n_claims, config->n_claims == 1 ? "" : "s", n_errors,
                n_errors == 1 ? "" : "s", n_warnings, n_warnings == 1 ? "" : "s");
        return r < 0 ? r : print_absent(review, &terminal);
}

static void json_diagnostics(Json *json, const DiagnosticList *list)
{
        for (size_t i = 0; i < list->n_items; i++) {
                const Diagnostic *item = &list->items[i];
                int64_t line = item->location.line;

                json_open_object(json, NULL);
                json_string(json, "File", item->location.file);
                json_number(json, "Line", line > 0 ? line : -1);
                json_number(json, "Column", line > 0 ? (int64_t) item->location.column : -1);
                json_string(json, "Severity", item->is_error ? "error" : "warning");
                json_string(json, "Section", item->section);
                json_string(json, "Message", item->message);
                json_close_object(json);
        }
}

static int print_json(const Config *config, const Review *review, bool pretty)
{
        _cleanup_json_ Json json = { .pretty = pretty };

        json_begin_document(&json, "check");
        json_open_array(&json, "Diagnostics");
        json_diagnostics(&json, &config->diagnostics);
        json_diagnostics(&json, &review->warnings);
        json_close_array(&json);
        json_open_array(&json, "Claims");
        for (size_t i = 0; i < config->n_claims; i++)
                json_string(&json, NULL, config->claims[i].name);
        json_close_array(&json);
        json_open_array(&json, "Absent");
        for (char *const *name = review->absent; name && *name; name++)
                json_string(&json, NULL, *name);
        json_close_array(&json);
        json_strings(&json, "AbsentPhysicalFunctions", review->absent_physical_functions);
        json_close_object(&json);
        return json_print(&json, stdout);
}

static ExitCode result(const Config *config, const DiagnosticList *warnings, bool strict)
{
        if (config->diagnostics.n_errors > 0)
                return EXIT_CODE_USAGE;
        return strict && (config->diagnostics.n_items > 0 || warnings->n_items > 0)
                ? EXIT_CODE_USAGE
                : EXIT_CODE_DONE;
}

static int run(const Options *options)
{
        char place[PATH_MAX];
        MachineOptions look = { .root = options->root, .replace_path = place_of(options, place),
                                .replace_file = options->arguments[0] };
        _cleanup_machine_ Machine *machine = NULL;
        _cleanup_review_ Review review = {};
        const char *what = "review the configuration";
        ExitCode code;
        int r;

        if (options->as && !options->arguments[0]) {
                complain("--as= says in whose place FILE stands: vfio-bindctl check --as=%s FILE.",
                        options->as);
                return EXIT_CODE_USAGE;
        }
        if (look.replace_path && !config_path_is_candidate(look.replace_path)) {
                complain("--as=%s: no file of the configuration is called so. They are " MAIN_FILE
                         " and " MAIN_FILE ".d/NAME.conf, and the same below /run and /usr/lib.",
                        look.replace_path);
                return EXIT_CODE_USAGE;
        }
        r = machine_look(&look, &machine, &what);
        if (r >= 0)
                r = review_config(machine, &review);
        if (r >= 0 && options->json != JSON_OFF)
                r = print_json(machine_config(machine), &review, options->json == JSON_PRETTY);
        else if (r >= 0)
                r = print_text(machine_config(machine), &review, options);
        code = r < 0 ? EXIT_CODE_FAILED
                     : result(machine_config(machine), &review.warnings, options->strict);
        if (r < 0)
                complain_errno(r, what);
        return code;
}

const Verb verb_check = {
        .name = "check",
        .arguments = "[FILE]",
        .summary = "Find errors and unsafe lines before they count",
        .help = "Reads the configuration as the daemon would, with FILE in the place of one of\n"
                "its files, and names errors (exit code 2) and, as warnings, lines that are\n"
                "unsafe or not pinned to one device, accounts that are not there, and claims and\n"
                "physical functions that would be refused on this machine. Says which of them\n"
                "match nothing here, which is no warning: the file may be meant for another\n"
                "machine. Needs neither daemon nor devices.\n"
                "\n"
                "Options:\n"
                "  --as=PATH               The file that FILE stands for; without it, FILE's own\n"
                "                          path if it is one of the configuration, else\n"
                "                          /etc/vfio-bind.conf. Ansible: validate:\n"
                "                          vfio-bindctl check --as=PATH %s\n"
                "  --strict                Warnings are errors\n"
                "  --quiet                 Errors only, and warnings where --strict makes them\n"
                "                          errors\n",
        .options = VERB_OPTION_AS | VERB_OPTION_STRICT,
        .most = 1,
        .needs_no_devices = true,
        .run = run,
};
