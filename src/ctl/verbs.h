/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/options.h"

/* One file each; ctl.c lists them in the order of --help. */
extern const Verb verb_list;
extern const Verb verb_groups;
extern const Verb verb_status;
extern const Verb verb_plan;
extern const Verb verb_apply;
extern const Verb verb_explain;
extern const Verb verb_check;
extern const Verb verb_suggest;
extern const Verb verb_bind;
extern const Verb verb_release;
extern const Verb verb_wait;
extern const Verb verb_monitor;
extern const Verb verb_snapshot;
extern const Verb verb_import;
extern const Verb verb_export;
extern const Verb verb_doctor;

/* Reads the command line, runs the verb and sees to it that all output arrived. Returns the exit
 * code of the program. */
int ctl_main(int argc, char **argv);
