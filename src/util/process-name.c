/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/process-name.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static char *arguments;
static size_t arguments_size;

void process_name_setup(int argc, char **argv)
{
        if (argc < 1 || !argv[0])
                return;
        arguments = argv[0];
        /* the kernel puts the arguments one behind the other */
        arguments_size = (size_t) (argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[0]);
}

void process_name_set(const char *name)
{
        (void) prctl(PR_SET_NAME, name);
        if (!arguments)
                return;
        memset(arguments, 0, arguments_size);
        (void) snprintf(arguments, arguments_size, "%s", name);
}
