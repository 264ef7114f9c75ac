/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/complain.h"

#include <stdarg.h>
#include <string.h>

#include "ctl/terminal.h"
#include "util/strings.h"

void complain(const char *format, ...)
{
        Terminal terminal = terminal_of(stderr);
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = format_string_arguments(&text, format, arguments);
        va_end(arguments);
        if (r < 0 || terminal_print(&terminal, stderr, "%s", text) < 0)
                fputs("Out of memory.\n", stderr);
}

void complain_errno(int error, const char *what)
{
        complain("Cannot %s: %s.", what, strerror(-error));
}
