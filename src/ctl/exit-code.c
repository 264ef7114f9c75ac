/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/exit-code.h"

static int weight(ExitCode code)
{
        switch (code) {
        case EXIT_CODE_USAGE:
                return 5;
        case EXIT_CODE_FAILED:
                return 4;
        case EXIT_CODE_STUCK:
                return 3;
        case EXIT_CODE_REFUSED:
                return 2;
        case EXIT_CODE_ABSENT:
                return 1;
        default:
                return 0;
        }
}

ExitCode exit_code_join(ExitCode a, ExitCode b)
{
        return weight(a) >= weight(b) ? a : b;
}
