/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "util/macro.h"

/* Runs vfio-bindctl as a process of its own and keeps what it says. */
typedef struct CtlRun {
        char *out, *err;
        int code; /* exit code; -1: killed by a signal */
} CtlRun;

/* The program under test. */
void ctl_run_set_program(const char *path);

/* How it is run; everything may be zero. The environment has nothing but a UTF-8 locale, a TERM
 * and a bus address where nobody listens, unless `environment` ("NAME=value", NULL-terminated)
 * says otherwise. */
typedef struct CtlRunOptions {
        sd_event *event;  /* a loop to run meanwhile, NULL: none */
        unsigned columns; /* of the terminal that standard output is; 0: a pipe */
        const char *const *environment;
        const char *out_path; /* a file that standard output goes to instead */
        bool error_terminal;  /* standard error is a terminal of 80 columns */
        uid_t user;           /* to become, by root; 0: stay */
        /* Called after the program said something, with all that it has said so far. */
        void (*on_output)(void *userdata, pid_t pid, const char *out, const char *err);
        void *userdata;
} CtlRunOptions;

/* The arguments end with NULL. */
CtlRun ctl_run(const CtlRunOptions *options, const char *const *arguments);
#define CTL_RUN(options, ...) ctl_run((options), (const char *const[]){ __VA_ARGS__, NULL })

void ctl_run_done(CtlRun *run);
#define _cleanup_ctl_run_ _cleanup_(ctl_run_done)

/* Longest line, in columns; escape sequences of colours do not count. */
size_t longest_line(const char *text);

/* Is it one JSON document of this kind, as docs/vfio-bindctl.schema.json says? */
bool is_json(const char *text, const char *kind);
