/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What vfio-bindctl tells its caller. */
typedef enum ExitCode {
        EXIT_CODE_DONE = 0,
        EXIT_CODE_FAILED = 1,
        EXIT_CODE_USAGE = 2, /* or configuration */
        EXIT_CODE_REFUSED = 3,
        EXIT_CODE_ABSENT = 4, /* no such device, group or claim */
        EXIT_CODE_STUCK = 5,  /* or timed out */
        EXIT_CODE_PENDING = 6, /* "plan --exit-code": something would be changed */
} ExitCode;

/* Where several apply: 2, 1, 5, 3, 4, 6. */
ExitCode exit_code_join(ExitCode a, ExitCode b);
