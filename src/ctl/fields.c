/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/fields.h"

#include <errno.h>
#include <stdarg.h>

#include "ctl/text.h"
#include "util/strings.h"

/* A terminal too narrow for a second column has the values below the names. */
#define VALUE_COLUMNS_MIN 24

void fields_add(Fields *fields, const char *name, const char *value, Style style)
{
        const Terminal *terminal = fields->terminal;
        size_t indent = fields->width + 2;
        _cleanup_free_ char *printable = NULL, *lines = NULL;
        _cleanup_buffer_ Buffer buffer = {};

        if (fields->error < 0 || isempty(value))
                return;
        printable = text_printable(value, terminal->ascii);
        if (!printable) {
                fields->error = -ENOMEM;
                return;
        }
        if (indent + VALUE_COLUMNS_MIN > terminal->width)
                indent = 2;
        text_wrap(&buffer, printable, indent, indent, terminal->width);
        fields->error = buffer_finish(&buffer, &lines);
        if (fields->error < 0)
                return;
        if (indent == 2)
                fprintf(fields->file, "%s:\n  ", name);
        else
                fprintf(fields->file, "%*s: ", (int) fields->width, name);
        /* the line break stays outside */
        lines[strlen(lines) - 1] = '\0';
        fprintf(fields->file, "%s%s%s\n", terminal_begin(terminal, style), lines,
                terminal_end(terminal, style));
}

void fields_printf(Fields *fields, const char *name, const char *format, ...)
{
        _cleanup_free_ char *value = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = format_string_arguments(&value, format, arguments);
        va_end(arguments);
        if (r < 0) {
                fields->error = r;
                return;
        }
        fields_add(fields, name, value, STYLE_NONE);
}
