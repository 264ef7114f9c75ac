/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/diagnostic.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/array.h"
#include "util/strings.h"

#define DIAGNOSTICS_MAX 1000

static void diagnostic_done(Diagnostic *diagnostic)
{
        free(diagnostic->section);
        free(diagnostic->message);
        *diagnostic = (Diagnostic){};
}

static int diagnostic_append(DiagnosticList *list, const Diagnostic *diagnostic)
{
        _cleanup_free_ char *section = NULL;

        if (diagnostic->section) {
                section = strdup(diagnostic->section);
                if (!section)
                        return -ENOMEM;
        }

        int r = ARRAY_GROW(list->items, list->n_items);
        if (r < 0)
                return r;
        list->items[list->n_items] = *diagnostic;
        list->items[list->n_items].section = TAKE_POINTER(section);
        list->n_items++;
        return 0;
}

static void diagnostic_add(DiagnosticList *list, Location location, bool is_error,
        const char *section, const char *format, va_list arguments) _printf_(5, 0);

static void diagnostic_add(DiagnosticList *list, Location location, bool is_error,
        const char *section, const char *format, va_list arguments)
{
        Diagnostic diagnostic = {
                .location = location,
                .is_error = is_error,
                .section = (char *) section,
        };

        if (is_error)
                list->n_errors++;
        if (list->n_items >= DIAGNOSTICS_MAX)
                return;
        if (list->n_items == DIAGNOSTICS_MAX - 1) {
                diagnostic.section = NULL;
                diagnostic.message = strdup("there are more, not shown");
        } else if (vasprintf(&diagnostic.message, format, arguments) < 0)
                diagnostic.message = NULL;

        /* Messages repeat foreign text, which may have been cut within a character. */
        if (diagnostic.message)
                make_printable(diagnostic.message);
        if (!diagnostic.message || diagnostic_append(list, &diagnostic) < 0) {
                free(diagnostic.message);
                list->failed = true;
        }
}

void diagnostic_error(DiagnosticList *list, Location location, const char *section,
        const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        diagnostic_add(list, location, true, section, format, arguments);
        va_end(arguments);
}

void diagnostic_warning(DiagnosticList *list, Location location, const char *section,
        const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        diagnostic_add(list, location, false, section, format, arguments);
        va_end(arguments);
}

void diagnostic_list_done(DiagnosticList *list)
{
        for (size_t i = 0; i < list->n_items; i++)
                diagnostic_done(&list->items[i]);
        free(list->items);
        *list = (DiagnosticList){};
}

int diagnostic_format(const Diagnostic *diagnostic, char **ret)
{
        const Location *at = &diagnostic->location;

        if (!at->file)
                return format_string(ret, "%s", diagnostic->message);
        if (at->line == 0)
                return format_string(ret, "%s: %s", at->file, diagnostic->message);
        if (at->column == 0)
                return format_string(ret, "%s:%u: %s", at->file, at->line, diagnostic->message);
        return format_string(
                ret, "%s:%u:%u: %s", at->file, at->line, at->column, diagnostic->message);
}
