/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/options.h"

/* One file each; all return an exit code. */
int verb_list(const Options *options);
int verb_apply(const Options *options);

/* Reads the command line, runs the verb and sees to it that all output arrived. Returns the exit
 * code of the program. */
int ctl_main(int argc, char **argv);
