/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* The command line. */

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
} JsonMode;

typedef enum WaitFor {
        WAIT_FOR_BOUND,
        WAIT_FOR_RELEASED,
        WAIT_FOR_ABSENT,
        WAIT_FOR_SETTLED,
        _WAIT_FOR_MAX,
} WaitFor;

typedef struct Options {
        JsonMode json;
        bool no_legend;
        bool no_ask_password;
        bool quiet;
        const char *root; /* NULL: this machine */
        /* of some verbs: */
        bool prune;
        bool dry_run;
        bool next_boot;
        bool exit_code;
        bool strict;
        bool all;
        const char *config; /* a file in the place of the main one; NULL: none */
        const char *as;     /* NULL: not given */
        const char *output; /* NULL: not given */
        WaitFor wait_for;
        bool wait_for_given;
        uint64_t timeout_usec; /* USEC_INFINITY: none */
        char **arguments;      /* of the verb, NULL-terminated */
} Options;

/* Options that only some verbs have. */
typedef enum VerbOption {
        VERB_OPTION_PRUNE     = 1U << 0,
        VERB_OPTION_DRY_RUN   = 1U << 1,
        VERB_OPTION_NEXT_BOOT = 1U << 2,
        VERB_OPTION_EXIT_CODE = 1U << 3,
        VERB_OPTION_STRICT    = 1U << 4,
        VERB_OPTION_ALL       = 1U << 5,
        VERB_OPTION_CONFIG    = 1U << 6,
        VERB_OPTION_AS        = 1U << 7,
        VERB_OPTION_OUTPUT    = 1U << 8,
        VERB_OPTION_FOR       = 1U << 9,
        VERB_OPTION_TIMEOUT   = 1U << 10,
} VerbOption;

#define ARGUMENTS_ANY UINT8_MAX

typedef struct Verb {
        const char *name;
        const char *arguments;  /* as help shows them: "[CLAIM...]"; NULL: none */
        const char *summary;    /* one line of at most 54 columns */
        const char *help;       /* paragraphs and options, lines of at most 80 columns */
        unsigned options;       /* VerbOption */
        uint8_t least, most;    /* arguments; ARGUMENTS_ANY */
        bool changes;           /* this machine: --root= is an error unless it is a dry run */
        bool needs_no_devices;  /* --root= may be an image, with /etc and no more */
        int (*run)(const Options *options); /* returns an exit code */
} Verb;

typedef enum OptionsResult {
        OPTIONS_RUN,   /* *ret_verb is to be run */
        OPTIONS_DONE,  /* --help and --version are answered */
        OPTIONS_WRONG, /* standard error says what */
} OptionsResult;

const char *wait_for_to_string(WaitFor wait_for);

/* The first verb is the default one. May reorder argv. */
OptionsResult options_read(int argc, char **argv, const Verb *const *verbs, size_t n_verbs,
        Options *options, const Verb **ret_verb);
