/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <locale.h>
#include <stdio.h>

#include "ctl/complain.h"
#include "ctl/exit-code.h"
#include "ctl/verbs.h"

/* The first one is what runs without a verb. */
static const Verb *const verbs[] = {
        &verb_list,
        &verb_groups,
        &verb_status,
        &verb_plan,
        &verb_apply,
        &verb_explain,
        &verb_check,
        &verb_suggest,
        &verb_bind,
        &verb_release,
        &verb_wait,
        &verb_monitor,
        &verb_snapshot,
        &verb_import,
        &verb_export,
        &verb_doctor,
};

static int run(int argc, char **argv)
{
        const Verb *verb;
        Options options;

        switch (options_read(argc, argv, verbs, ELEMENTSOF(verbs), &options, &verb)) {
        case OPTIONS_RUN:
                return verb->run(&options);
        case OPTIONS_DONE:
                return EXIT_CODE_DONE;
        default:
                return EXIT_CODE_USAGE;
        }
}

int ctl_main(int argc, char **argv)
{
        int code;

        /* Only what the terminal can show is the user's choice; nothing is translated. */
        (void) setlocale(LC_CTYPE, "");
        code = run(argc, argv);
        errno = 0;
        if (fflush(stdout) == 0 && !ferror(stdout))
                return code;
        /* Nobody wants to know that a reader went away. */
        if (errno != EPIPE)
                complain_errno(errno > 0 ? -errno : -EIO, "write the output");
        return exit_code_join(code, EXIT_CODE_FAILED);
}
