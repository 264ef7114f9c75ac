/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/options.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/complain.h"
#include "ctl/help.h"
#include "util/strings.h"
#include "version.h"

enum {
        OPTION_HELP = 0x100,
        OPTION_VERSION,
        OPTION_JSON,
        OPTION_NO_LEGEND,
        OPTION_NO_ASK_PASSWORD,
        OPTION_QUIET,
        OPTION_ROOT,
        OPTION_PRUNE,
        OPTION_DRY_RUN,
};

static const struct option long_options[] = {
        { "help", no_argument, NULL, OPTION_HELP },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "json", required_argument, NULL, OPTION_JSON },
        { "no-legend", no_argument, NULL, OPTION_NO_LEGEND },
        { "no-ask-password", no_argument, NULL, OPTION_NO_ASK_PASSWORD },
        { "quiet", no_argument, NULL, OPTION_QUIET },
        { "root", required_argument, NULL, OPTION_ROOT },
        { "prune", no_argument, NULL, OPTION_PRUNE },
        { "dry-run", no_argument, NULL, OPTION_DRY_RUN },
        {},
};

static bool read_json(const char *text, JsonMode *ret)
{
        if (streq(text, "off"))
                *ret = JSON_OFF;
        else if (streq(text, "short"))
                *ret = JSON_SHORT;
        else if (streq(text, "pretty"))
                *ret = JSON_PRETTY;
        else
                return false;
        return true;
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

static bool read_one(int option, Options *options)
{
        switch (option) {
        case OPTION_JSON:
                if (read_json(optarg, &options->json))
                        return true;
                complain("--json=%s: it is pretty, short or off.", optarg);
                return false;
        case 'j':
                options->json = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
                return true;
        case OPTION_NO_LEGEND:
                options->no_legend = true;
                return true;
        case OPTION_NO_ASK_PASSWORD:
                options->no_ask_password = true;
                return true;
        case 'q':
        case OPTION_QUIET:
                options->quiet = true;
                return true;
        case OPTION_ROOT:
                if (!*optarg) {
                        complain("--root= needs a directory.");
                        return false;
                }
                options->root = optarg;
                return true;
        case OPTION_PRUNE:
                options->prune = true;
                return true;
        default: /* OPTION_DRY_RUN */
                options->dry_run = true;
                return true;
        }
}

static const Verb *find_verb(const char *name, const Verb *verbs, size_t n_verbs)
{
        const char **names;
        const char *near = NULL;

        for (size_t i = 0; i < n_verbs; i++)
                if (streq(verbs[i].name, name))
                        return &verbs[i];

        names = calloc(n_verbs, sizeof(char *));
        for (size_t i = 0; names && i < n_verbs; i++)
                names[i] = verbs[i].name;
        if (names)
                near = nearest_string(name, names, n_verbs);
        free(names);
        if (near)
                complain("Unknown verb %s. Did you mean %s?", name, near);
        else
                complain("Unknown verb %s. \"vfio-bindctl --help\" lists them.", name);
        return NULL;
}

static bool fits(const Options *options, const Verb *verb)
{
        const char *stray = options->prune && !(verb->options & VERB_OPTION_PRUNE) ? "--prune"
                : options->dry_run && !(verb->options & VERB_OPTION_DRY_RUN)      ? "--dry-run"
                : options->no_ask_password && !(verb->options & VERB_OPTION_ASK)
                ? "--no-ask-password"
                : NULL;

        if (stray) {
                complain("%s has no option %s.", verb->name, stray);
                return false;
        }
        if (!verb->has_arguments && options->arguments[0]) {
                complain("%s takes no argument, not even \"%s\".", verb->name,
                        options->arguments[0]);
                return false;
        }
        return true;
}

OptionsResult options_read(int argc, char **argv, const Verb *verbs, size_t n_verbs,
        Options *options, const Verb **ret_verb)
{
        const Verb *verb;
        int option;

        *options = (Options){};
        while ((option = getopt_long(argc, argv, ":hjq", long_options, NULL)) >= 0)
                switch (option) {
                case 'h':
                case OPTION_HELP:
                        help_print();
                        return OPTIONS_DONE;
                case OPTION_VERSION:
                        printf("vfio-bindctl %s\n", PROJECT_VERSION);
                        return OPTIONS_DONE;
                case ':':
                case '?':
                        complain_about(argv, option);
                        return OPTIONS_WRONG;
                default:
                        if (!read_one(option, options))
                                return OPTIONS_WRONG;
                }

        options->arguments = argv + optind;
        verb = &verbs[0];
        if (options->arguments[0]) {
                verb = find_verb(options->arguments[0], verbs, n_verbs);
                if (!verb)
                        return OPTIONS_WRONG;
                options->arguments++;
        }
        if (!fits(options, verb))
                return OPTIONS_WRONG;
        *ret_verb = verb;
        return OPTIONS_RUN;
}
