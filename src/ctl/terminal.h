/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "util/macro.h"

/* Where output goes. */

typedef struct Terminal {
        size_t width; /* columns that a line may take; SIZE_MAX where there is no terminal */
        bool is_terminal;
        bool colours;
        bool ascii; /* its locale cannot show more */
} Terminal;

/* NO_COLOR, TERM, COLUMNS and the locale count on a terminal only. */
Terminal terminal_of(FILE *file);

typedef enum Style {
        STYLE_NONE,
        STYLE_HEADER,
        STYLE_GOOD,
        STYLE_WAITING,
        STYLE_BAD,
        STYLE_FAINT,
        _STYLE_MAX,
} Style;

/* The sequence that begins a style, and the one that ends any; "" without colours. */
const char *terminal_begin(const Terminal *terminal, Style style);
const char *terminal_end(const Terminal *terminal, Style style);

/* Prints one paragraph, broken into lines that fit; further lines are indented by two. Foreign
 * bytes are made printable. Returns 0, -ENOMEM. */
int terminal_print(const Terminal *terminal, FILE *file, const char *format, ...) _printf_(3, 4);
