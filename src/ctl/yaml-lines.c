/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/yaml-lines.h"

#include <errno.h>

#include "util/buffer.h"
#include "util/strings.h"

static int refuse(const char **ret_problem, const char *problem)
{
        *ret_problem = problem;
        return -EINVAL;
}

static bool is_end(const char *p)
{
        p += strspn(p, " ");
        return !*p || *p == '#';
}

/* 'it''s' and "a \"b\"": *text is left behind the closing quote. */
static int read_quoted(const char **text, char **ret, const char **ret_problem)
{
        _cleanup_buffer_ Buffer buffer = {};
        const char *p = *text;
        char quote = *p++;

        for (; *p; p++) {
                if (*p == quote && quote == '\'' && p[1] == '\'') {
                        p++;
                } else if (*p == quote) {
                        *text = p + 1;
                        return buffer_finish(&buffer, ret);
                } else if (*p == '\\' && quote == '"') {
                        p++;
                        if (*p != '"' && *p != '\\')
                                return refuse(ret_problem, "has an escape other than \\\" and "
                                                           "\\\\");
                }
                buffer_append_length(&buffer, p, 1);
        }
        return refuse(ret_problem, "has a quote that is not closed on the same line");
}

/* Indicators of YAML 1.2, 5.3, that give a plain scalar another meaning. */
static bool is_special(const char *text)
{
        return strchr("&*!|>%@`[]{}", *text) || strstr(text, "{{") || startswith(text, "? ");
}

/* Ends before " #" and trailing blanks. */
static int read_plain(const char *text, char **ret, const char **ret_problem)
{
        const char *comment = strstr(text, " #");
        size_t n = comment ? (size_t) (comment - text) : strlen(text);

        if (is_special(text))
                return refuse(ret_problem,
                        "is more than a plain or quoted scalar; only these are read here");
        if (strchr(text, '\t'))
                return refuse(ret_problem, "has a tab");
        while (n > 0 && text[n - 1] == ' ')
                n--;
        *ret = strndup(text, n);
        return *ret ? 0 : -ENOMEM;
}

static int read_scalar(const char *text, char **ret, const char **ret_problem)
{
        int r;

        if (*text != '"' && *text != '\'')
                return read_plain(text, ret, ret_problem);
        r = read_quoted(&text, ret, ret_problem);
        if (r < 0)
                return r;
        if (is_end(text))
                return 0;
        free(*ret);
        *ret = NULL;
        return refuse(ret_problem, "goes on behind a quoted value");
}

/* Where the ':' of a plain key stands; NULL: there is no key. */
static const char *find_colon(const char *text)
{
        if (!*text || *text == '"' || *text == '\'')
                return NULL;
        for (const char *p = strchr(text + 1, ':'); p; p = strchr(p + 1, ':'))
                if (p[1] == ' ' || !p[1]) {
                        const char *comment = strstr(text, " #");

                        return comment && comment < p ? NULL : p;
                }
        return NULL;
}

static int read_content(const char *text, YamlLine *ret, const char **ret_problem)
{
        const char *colon = find_colon(text);

        if (colon) {
                ret->key = strndup(text, (size_t) (colon - text));
                if (!ret->key)
                        return -ENOMEM;
                text = colon + 1;
                text += strspn(text, " ");
        }
        return is_end(text) ? 0 : read_scalar(text, &ret->value, ret_problem);
}

int yaml_line_read(const char *line, YamlLine *ret, const char **ret_problem)
{
        _cleanup_yaml_line_ YamlLine read = { .indent = strspn(line, " ") };
        _cleanup_free_ char *copy = strdup(line);
        size_t length;
        int r;

        if (!copy)
                return -ENOMEM;
        length = strlen(copy);
        if (length > 0 && copy[length - 1] == '\r')
                copy[length - 1] = '\0';
        read.content = read.indent;
        read.is_blank = is_end(copy);
        if (read.is_blank) {
                *ret = read;
                return 0;
        }
        if (copy[read.indent] == '\t')
                return refuse(ret_problem, "is indented by a tab");
        if (startswith(copy + read.indent, "- ") || streq(copy + read.indent, "-")) {
                read.is_item = true;
                read.content++;
                read.content += strspn(copy + read.content, " ");
        }
        r = read_content(copy + read.content, &read, ret_problem);
        if (r < 0)
                return r;
        *ret = read;
        read = (YamlLine){};
        return 0;
}

void yaml_line_done(YamlLine *line)
{
        free(line->key);
        free(line->value);
        *line = (YamlLine){};
}
