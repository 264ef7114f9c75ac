/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/options.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/complain.h"
#include "ctl/help.h"
#include "util/parse.h"
#include "util/strings.h"
#include "version.h"

enum {
        OPTION_HELP = 0x100,
        OPTION_VERSION,
        OPTION_JSON,
        OPTION_NO_LEGEND,
        OPTION_NO_ASK_PASSWORD,
        OPTION_NO_PAGER,
        OPTION_QUIET,
        OPTION_ROOT,
        OPTION_FIRST_OF_VERB,
        OPTION_PRUNE = OPTION_FIRST_OF_VERB,
        OPTION_DRY_RUN,
        OPTION_NEXT_BOOT,
        OPTION_EXIT_CODE,
        OPTION_STRICT,
        OPTION_ALL,
        OPTION_CONFIG,
        OPTION_AS,
        OPTION_OUTPUT,
        OPTION_FOR,
        OPTION_TIMEOUT,
        _OPTION_END,
};

static const struct option long_options[] = {
        { "help", no_argument, NULL, OPTION_HELP },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "json", required_argument, NULL, OPTION_JSON },
        { "no-legend", no_argument, NULL, OPTION_NO_LEGEND },
        { "no-ask-password", no_argument, NULL, OPTION_NO_ASK_PASSWORD },
        { "no-pager", no_argument, NULL, OPTION_NO_PAGER },
        { "quiet", no_argument, NULL, OPTION_QUIET },
        { "root", required_argument, NULL, OPTION_ROOT },
        { "prune", no_argument, NULL, OPTION_PRUNE },
        { "dry-run", no_argument, NULL, OPTION_DRY_RUN },
        { "next-boot", no_argument, NULL, OPTION_NEXT_BOOT },
        { "exit-code", no_argument, NULL, OPTION_EXIT_CODE },
        { "strict", no_argument, NULL, OPTION_STRICT },
        { "all", no_argument, NULL, OPTION_ALL },
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "as", required_argument, NULL, OPTION_AS },
        { "output", required_argument, NULL, OPTION_OUTPUT },
        { "for", required_argument, NULL, OPTION_FOR },
        { "timeout", required_argument, NULL, OPTION_TIMEOUT },
        {},
};

/* OPTION_PRUNE is VERB_OPTION_PRUNE, and so on, in this order. */
static unsigned verb_option(int option)
{
        return option >= OPTION_FIRST_OF_VERB && option < _OPTION_END
                ? 1U << (option - OPTION_FIRST_OF_VERB)
                : 0;
}

static const char *const wait_for_words[_WAIT_FOR_MAX] = {
        [WAIT_FOR_BOUND] = "bound",
        [WAIT_FOR_RELEASED] = "released",
        [WAIT_FOR_ABSENT] = "absent",
        [WAIT_FOR_SETTLED] = "settled",
};

const char *wait_for_to_string(WaitFor wait_for)
{
        return wait_for_words[wait_for];
}

static void complain_option(const char *option, int kind)
{
        const char *names[ELEMENTSOF(long_options)];
        _cleanup_free_ char *name = NULL;
        const char *near = NULL;
        size_t n = 0;

        if (kind == ':') {
                complain("Option %s needs a value.", option);
                return;
        }
        for (; long_options[n].name; n++)
                names[n] = long_options[n].name;
        if (startswith(option, "--"))
                name = strndup(option + 2, strcspn(option + 2, "="));
        if (name)
                near = nearest_string(name, names, n);
        for (size_t i = 0; name && i < n; i++)
                if (streq(names[i], name)) {
                        complain("Option --%s takes no value.", name);
                        return;
                }
        if (near)
                complain("Unknown option %s. Did you mean --%s?", option, near);
        else
                complain("Unknown option %s. \"vfio-bindctl --help\" lists them.", option);
}

/* getopt_long(3) names a wrong short option in optopt, a wrong long one by where it stands. */
static void complain_about(char **argv, int kind)
{
        char letter[] = { '-', (char) optopt, 0 };

        if (optopt > 0 && optopt < 0x100)
                complain_option(letter, kind);
        else
                complain_option(argv[optind - 1], kind);
}

static bool read_json(const char *text, Options *options)
{
        if (streq(text, "off"))
                options->json = JSON_OFF;
        else if (streq(text, "short"))
                options->json = JSON_SHORT;
        else if (streq(text, "pretty"))
                options->json = JSON_PRETTY;
        else {
                complain("--json=%s: it is pretty, short or off.", text);
                return false;
        }
        return true;
}

static bool read_wait_for(const char *text, Options *options)
{
        for (WaitFor i = 0; i < _WAIT_FOR_MAX; i++)
                if (streq(text, wait_for_words[i])) {
                        options->wait_for = i;
                        options->wait_for_given = true;
                        return true;
                }
        complain("--for=%s: it is bound, released, absent or settled.", text);
        return false;
}

static bool read_timeout(const char *text, Options *options)
{
        if (streq(text, "infinity")) {
                options->timeout_usec = USEC_INFINITY;
                return true;
        }
        if (parse_timespan(text, &options->timeout_usec) == 0)
                return true;
        complain("--timeout=%s: it is a time like \"90\" (seconds), \"5min\" or \"infinity\".",
                text);
        return false;
}

static bool read_path(const char *name, const char *what, const char *text, const char **target)
{
        if (!*text) {
                complain("--%s= needs %s.", name, what);
                return false;
        }
        *target = text;
        return true;
}

static bool read_verb_option(int option, Options *options)
{
        switch (option) {
        case OPTION_PRUNE:
                options->prune = true;
                return true;
        case OPTION_DRY_RUN:
                options->dry_run = true;
                return true;
        case OPTION_NEXT_BOOT:
                options->next_boot = true;
                return true;
        case OPTION_EXIT_CODE:
                options->exit_code = true;
                return true;
        case OPTION_STRICT:
                options->strict = true;
                return true;
        case OPTION_ALL:
                options->all = true;
                return true;
        case OPTION_CONFIG:
                return read_path("config", "a file", optarg, &options->config);
        case OPTION_AS:
                return read_path("as", "the path of a configuration file", optarg, &options->as);
        case OPTION_OUTPUT:
                return read_path("output", "a file", optarg, &options->output);
        case OPTION_FOR:
                return read_wait_for(optarg, options);
        default: /* OPTION_TIMEOUT */
                return read_timeout(optarg, options);
        }
}

static bool read_one(int option, Options *options)
{
        switch (option) {
        case OPTION_JSON:
                return read_json(optarg, options);
        case 'j':
                options->json = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
                return true;
        case OPTION_NO_LEGEND:
                options->no_legend = true;
                return true;
        case OPTION_NO_ASK_PASSWORD:
                options->no_ask_password = true;
                return true;
        case OPTION_NO_PAGER: /* there is none; scripts give it to all such programs */
                return true;
        case OPTION_QUIET:
                options->quiet = true;
                return true;
        case OPTION_ROOT:
                return read_path("root", "a directory", optarg, &options->root);
        default:
                return read_verb_option(option, options);
        }
}

static const Verb *find_verb(const char *name, const Verb *const *verbs, size_t n_verbs)
{
        const char **names;
        const char *near = NULL;

        for (size_t i = 0; i < n_verbs; i++)
                if (streq(verbs[i]->name, name))
                        return verbs[i];

        names = calloc(n_verbs, sizeof(char *));
        for (size_t i = 0; names && i < n_verbs; i++)
                names[i] = verbs[i]->name;
        if (names)
                near = nearest_string(name, names, n_verbs);
        free(names);
        if (near)
                complain("Unknown verb %s. Did you mean %s?", name, near);
        else
                complain("Unknown verb %s. \"vfio-bindctl --help\" lists them.", name);
        return NULL;
}

static bool has_its_options(unsigned given, const Verb *verb)
{
        for (size_t i = 0; long_options[i].name; i++)
                if (given & ~verb->options & verb_option(long_options[i].val)) {
                        complain("%s has no option --%s.", verb->name, long_options[i].name);
                        return false;
                }
        return true;
}

static bool has_its_arguments(const Options *options, const Verb *verb)
{
        size_t n = string_list_length(options->arguments);

        if (verb->most == 0 && n > 0) {
                complain("%s takes no argument, not even \"%s\".", verb->name,
                        options->arguments[0]);
                return false;
        }
        if (n < verb->least) {
                complain("%s needs %s argument: \"vfio-bindctl %s %s\".", verb->name,
                        n == 0 ? "an" : "a further", verb->name, verb->arguments);
                return false;
        }
        if (verb->most != ARGUMENTS_ANY && n > verb->most) {
                complain("%s takes no further argument \"%s\".", verb->name,
                        options->arguments[verb->most]);
                return false;
        }
        return true;
}

static bool fits(const Options *options, unsigned given, const Verb *verb)
{
        if (!has_its_options(given, verb) || !has_its_arguments(options, verb))
                return false;
        if (!options->root || !verb->changes || options->dry_run)
                return true;
        if (verb->options & VERB_OPTION_DRY_RUN)
                complain("%s changes this machine: --root= goes with --dry-run only.",
                        verb->name);
        else
                complain("%s is about this machine: --root= does not go with it.", verb->name);
        return false;
}

static OptionsResult answer_help(Options *options, const Verb *const *verbs, size_t n_verbs)
{
        const Verb *verb = NULL;

        if (options->arguments[0]) {
                verb = find_verb(options->arguments[0], verbs, n_verbs);
                if (!verb)
                        return OPTIONS_WRONG;
        }
        if (verb)
                help_print_verb(verb);
        else
                help_print(verbs, n_verbs);
        return OPTIONS_DONE;
}

OptionsResult options_read(int argc, char **argv, const Verb *const *verbs, size_t n_verbs,
        Options *options, const Verb **ret_verb)
{
        const Verb *verb = verbs[0];
        bool help = false;
        unsigned given = 0;
        int option;

        *options = (Options){ .timeout_usec = USEC_INFINITY };
        while ((option = getopt_long(argc, argv, ":hjqo:", long_options, NULL)) >= 0) {
                option = option == 'q' ? OPTION_QUIET : option == 'o' ? OPTION_OUTPUT : option;
                given |= verb_option(option);
                if (option == OPTION_VERSION) {
                        printf("vfio-bindctl %s\n", PROJECT_VERSION);
                        return OPTIONS_DONE;
                }
                if (option == ':' || option == '?') {
                        complain_about(argv, option);
                        return OPTIONS_WRONG;
                }
                if (option == 'h' || option == OPTION_HELP)
                        help = true;
                else if (!read_one(option, options))
                        return OPTIONS_WRONG;
        }

        options->arguments = argv + optind;
        if (help)
                return answer_help(options, verbs, n_verbs);
        if (options->arguments[0]) {
                verb = find_verb(options->arguments[0], verbs, n_verbs);
                if (!verb)
                        return OPTIONS_WRONG;
                options->arguments++;
        }
        if (!fits(options, given, verb))
                return OPTIONS_WRONG;
        *ret_verb = verb;
        return OPTIONS_RUN;
}
