/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* Reads YAML of one shape, line by line: block sequences and mappings of scalars, plain or in
 * quotes, and comments. Whatever else YAML has is refused, not guessed at. */
typedef struct YamlLine {
        bool is_blank;  /* nothing, or a comment */
        bool is_item;   /* begins with "- " */
        size_t indent;  /* blanks in front */
        size_t content; /* the column where key or value begin; behind the dash of an item */
        char *key;      /* NULL: a scalar alone */
        char *value;    /* NULL: none */
} YamlLine;

/* Returns 0; -EINVAL with *ret_problem, a sentence without its beginning "LINE …"; -ENOMEM. */
int yaml_line_read(const char *line, YamlLine *ret, const char **ret_problem) _must_check_;
void yaml_line_done(YamlLine *line);
#define _cleanup_yaml_line_ _cleanup_(yaml_line_done)
