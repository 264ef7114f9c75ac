/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdarg.h>
#include <string.h>

#include "util/macro.h"

/* Strings and NULL-terminated string lists; libc only. */

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/* Equal, where NULL equals only NULL. */
static inline bool streq_null(const char *a, const char *b)
{
        return a && b ? streq(a, b) : a == b;
}

static inline bool isempty(const char *text)
{
        return !text || !*text;
}

/* What follows the prefix, or NULL if text does not begin with it. */
const char *startswith(const char *text, const char *prefix);

/* Replaces *target by a copy of text (NULL clears). Returns 0, -ENOMEM with *target as it was. */
int replace_string(char **target, const char *text) _must_check_;

/* asprintf that returns 0 or -ENOMEM and leaves *ret alone on failure. */
int format_string(char **ret, const char *format, ...) _printf_(2, 3) _must_check_;
int format_string_arguments(char **ret, const char *format, va_list arguments) _printf_(2, 0)
        _must_check_;

/* Removes blanks (space, tab, CR, LF) at both ends, in place; returns the new beginning. */
char *strip(char *text);

/* The first byte that is not part of valid UTF-8 or begins a control character other than tab;
 * NULL if the text can be shown, logged and sent over D-Bus as it is. */
const char *find_unprintable(const char *text);
/* Writes '?' over such bytes. */
void make_printable(char *text);

size_t string_list_length(char *const *list);
bool string_list_contains(char *const *list, const char *text);
/* Appends a copy. Returns 0, -ENOMEM. */
int string_list_append(char ***list, const char *text) _must_check_;
int string_list_copy(char *const *list, char ***ret) _must_check_;
char **string_list_free(char **list);
static inline void string_list_freep(char ***list)
{
        string_list_free(*list);
}
#define _cleanup_string_list_ _cleanup_(string_list_freep)

/* The candidate nearest to text by edit distance, for "did you mean"; NULL if none is near (more
 * than a third of the characters differ). */
const char *nearest_string(const char *text, const char *const *candidates, size_t n_candidates);
