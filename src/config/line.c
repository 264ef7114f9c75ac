/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/line.h"

#include <string.h>

#include "util/strings.h"

typedef struct Scan {
        char *text;
        Line *line;
} Scan;

static unsigned column_of(const Scan *scan, const char *p)
{
        return (unsigned) (p - scan->text) + 1;
}

/* The first problem of a line is the one that is told. */
static void complain(Scan *scan, const char *p, const char *problem)
{
        if (scan->line->problem)
                return;
        scan->line->problem = problem;
        scan->line->problem_column = column_of(scan, p);
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static void cut_blanks(char *start, char *end)
{
        while (end > start && is_blank(end[-1]))
                end--;
        *end = '\0';
}

static void scan_header(Scan *scan, char *start)
{
        Line *line = scan->line;

        line->type = LINE_HEADER;
        line->name = start + 1;
        line->name_column = column_of(scan, line->name);

        char *end = strchr(line->name, ']');
        if (!end) {
                complain(scan, start, "this section header is never closed");
                cut_blanks(line->name, line->name + strlen(line->name));
        } else {
                const char *rest = end + 1 + strspn(end + 1, " \t");
                if (*rest)
                        complain(scan, rest, "nothing may follow a section header on its line");
                *end = '\0';
        }
        if (strlen(line->name) > LINE_NAME_MAX)
                complain(scan, line->name, "this section name is longer than 49 bytes");
}

/* inih takes " ;" for the beginning of a comment, people take " #" for one. */
static void scan_value(Scan *scan, char *value)
{
        for (char *p = value; *p; p++)
                if (is_blank(*p) && (p[1] == ';' || p[1] == '#')) {
                        complain(scan, p + 1,
                                "a value ends at the end of its line: comments stand on their own "
                                "lines, and a value has no ' ;' or ' #'");
                        *p = '\0';
                        break;
                }

        value += strspn(value, " \t");
        cut_blanks(value, value + strlen(value));
        scan->line->value = value;
        scan->line->value_column = column_of(scan, value);
}

static void scan_entry(Scan *scan, char *start)
{
        Line *line = scan->line;

        line->type = LINE_ENTRY;
        line->name = start;
        line->name_column = column_of(scan, start);

        char *separator = start + strcspn(start, "=:");
        if (!*separator) {
                complain(scan, start, "neither a [section] nor KEY=VALUE");
                return;
        }
        if (*separator == ':')
                complain(scan, separator, "keys and values have '=' between them, not ':'");

        char *value = separator + 1;
        cut_blanks(start, separator);
        scan_value(scan, value);

        const char *blank = strpbrk(start, " \t");
        if (!*start)
                complain(scan, start, "a key is missing before '='");
        else if (blank)
                complain(scan, blank, "a blank within a key");
        else if (strlen(start) > LINE_NAME_MAX)
                complain(scan, start, "this key is longer than 49 bytes");
}

void line_scan(char *text, size_t length, Line *ret)
{
        Scan scan = {.text = text, .line = ret};

        text[length] = '\0';
        *ret = (Line){.name = text + length};
        if (length > 0 && text[length - 1] == '\r')
                text[--length] = '\0';

        char *nul = memchr(text, '\0', length);
        if (nul)
                complain(&scan, nul, "a NUL byte");
        cut_blanks(text, text + strlen(text));

        char *start = text + strspn(text, " \t");
        if (!*start || *start == '#' || *start == ';')
                return;

        /* The order of the checks is the order of what is told. */
        const char *bad = find_unprintable(text);
        if (bad)
                complain(&scan, bad, "a control character or a byte that is no UTF-8");
        if (length > LINE_LENGTH_MAX)
                complain(&scan, text + LINE_LENGTH_MAX, "this line is longer than 197 bytes");
        if (start != text)
                complain(&scan, text, "an indented line: keys and sections begin in column 1");

        if (*start == '[')
                scan_header(&scan, start);
        else
                scan_entry(&scan, start);
}
