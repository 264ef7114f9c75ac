/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/strings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/array.h"

const char *startswith(const char *text, const char *prefix)
{
        size_t length = strlen(prefix);

        return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

int replace_string(char **target, const char *text)
{
        char *copy = NULL;

        if (text) {
                copy = strdup(text);
                if (!copy)
                        return -ENOMEM;
        }
        free(*target);
        *target = copy;
        return 0;
}

int format_string_arguments(char **ret, const char *format, va_list arguments)
{
        char *text;

        if (vasprintf(&text, format, arguments) < 0)
                return -ENOMEM;
        *ret = text;
        return 0;
}

int format_string(char **ret, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = format_string_arguments(ret, format, arguments);
        va_end(arguments);
        return r;
}

char *strip(char *text)
{
        static const char blanks[] = " \t\r\n";

        text += strspn(text, blanks);
        size_t length = strlen(text);
        while (length > 0 && strchr(blanks, text[length - 1]))
                length--;
        text[length] = '\0';
        return text;
}

/* The length of the UTF-8 character at p, 0 if it is none (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF). */
static size_t utf8_length(const unsigned char *p)
{
        size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

        if (p[0] > 0xf4)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
            (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
                return 0;
        return n;
}

const char *find_unprintable(const char *text)
{
        const unsigned char *p = (const unsigned char *) text;

        while (*p) {
                size_t n = utf8_length(p);

                /* U+007F, and U+0080 to U+009F, which terminals obey as well */
                if (n == 0 || (*p < 0x20 && *p != '\t') || *p == 0x7f ||
                    (p[0] == 0xc2 && p[1] < 0xa0))
                        return (const char *) p;
                p += n;
        }
        return NULL;
}

void make_printable(char *text)
{
        while ((text = (char *) find_unprintable(text)))
                *text = '?';
}

size_t string_list_length(char *const *list)
{
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

bool string_list_contains(char *const *list, const char *text)
{
        for (; list && *list; list++)
                if (streq(*list, text))
                        return true;
        return false;
}

int string_list_append(char ***list, const char *text)
{
        size_t n = string_list_length(*list);

        char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;

        char **grown = reallocarray(*list, n + 2, sizeof(*grown));
        if (!grown) {
                free(copy);
                return -ENOMEM;
        }
        grown[n] = copy;
        grown[n + 1] = NULL;
        *list = grown;
        return 0;
}

int string_list_copy(char *const *list, char ***ret)
{
        _cleanup_string_list_ char **copy = NULL;

        for (; list && *list; list++) {
                int r = string_list_append(&copy, *list);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_POINTER(copy);
        return 0;
}

char **string_list_free(char **list)
{
        for (char **item = list; item && *item; item++)
                free(*item);
        free(list);
        return NULL;
}

/* Nothing of ours that is worth suggesting is longer; also bounds the work on foreign text. */
#define NEAREST_MAX 64

/* ASCII only: independent of the locale. */
static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* Edit distance where the case of letters costs nothing and two neighbours that changed places
 * count as one edit (optimal string alignment). */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
        size_t rows[3][NEAREST_MAX + 1];
        size_t *before = rows[0], *previous = rows[1], *current = rows[2];

        for (size_t j = 0; j <= n_b; j++)
                previous[j] = j;
        for (size_t i = 1; i <= n_a; i++) {
                current[0] = i;
                for (size_t j = 1; j <= n_b; j++) {
                        bool same = lower(a[i - 1]) == lower(b[j - 1]);
                        size_t best = previous[j - 1] + !same;

                        if (previous[j] + 1 < best)
                                best = previous[j] + 1;
                        if (current[j - 1] + 1 < best)
                                best = current[j - 1] + 1;
                        if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                            lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < best)
                                best = before[j - 2] + 1;
                        current[j] = best;
                }

                size_t *oldest = before;
                before = previous;
                previous = current;
                current = oldest;
        }
        return previous[n_b];
}

const char *nearest_string(const char *text, const char *const *candidates, size_t n_candidates)
{
        const char *best = NULL;
        size_t best_distance = SIZE_MAX, n_text = strlen(text);

        if (n_text == 0 || n_text > NEAREST_MAX)
                return NULL;

        for (size_t i = 0; i < n_candidates; i++) {
                size_t n = strlen(candidates[i]);
                if (n > NEAREST_MAX)
                        continue;

                size_t distance = edit_distance(text, n_text, candidates[i], n);
                if (distance * 3 > (n > n_text ? n : n_text) || distance >= best_distance)
                        continue;
                best = candidates[i];
                best_distance = distance;
        }
        return best;
}
