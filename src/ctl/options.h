/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* The command line. */

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
} JsonMode;

typedef struct Options {
        JsonMode json;
        bool no_legend;
        bool no_ask_password;
        bool quiet;
        const char *root; /* NULL: this machine */
        bool prune;
        bool dry_run;
        char **arguments; /* of the verb, NULL-terminated */
} Options;

typedef struct Verb Verb;

/* Options that only some verbs have. */
typedef enum VerbOption {
        VERB_OPTION_PRUNE   = 1U << 0,
        VERB_OPTION_DRY_RUN = 1U << 1,
        VERB_OPTION_ASK     = 1U << 2, /* --no-ask-password */
} VerbOption;

struct Verb {
        const char *name;
        unsigned options;   /* VerbOption */
        bool has_arguments;
        int (*run)(const Options *options); /* returns an exit code */
};

typedef enum OptionsResult {
        OPTIONS_RUN,   /* *ret_verb is to be run */
        OPTIONS_DONE,  /* --help and --version are answered */
        OPTIONS_WRONG, /* standard error says what */
} OptionsResult;

/* The first verb is the default one. May reorder argv. */
OptionsResult options_read(int argc, char **argv, const Verb *verbs, size_t n_verbs,
        Options *options, const Verb **ret_verb);
