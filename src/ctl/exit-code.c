/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/exit-code.h"

static int weight(ExitCode code)
{
        switch (code) {
        case EXIT_CODE_USAGE:
                return 6;
        case EXIT_CODE_FAILED:
                return 5;
        case EXIT_CODE_STUCK:
                return 4;
        case EXIT_CODE_REFUSED:
                return 3;
        case EXIT_CODE_ABSENT:
                return 2;
        case EXIT_CODE_PENDING:
                return 1;
        default:
                return 0;
        }
}

ExitCode exit_code_join(ExitCode a, ExitCode b)
{
        return weight(a) >= weight(b) ? a : b;
}
