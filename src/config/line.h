/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* One line of a configuration file, judged before inih sees it: inih would cut long lines and read
 * their tails as lines of their own, join indented lines to the key before, end values at " ;",
 * take ':' for '=', and go on in the previous section after a broken header. */

/* inih's line buffer has 200 bytes by default, three of them for CR, LF and NUL; its names have
 * 50, one of them for NUL. */
#define LINE_LENGTH_MAX 197
#define LINE_NAME_MAX   49

typedef enum LineType {
        LINE_EMPTY, /* or a comment */
        LINE_HEADER,
        LINE_ENTRY,
} LineType;

typedef struct Line {
        LineType type;
        /* What is wrong; NULL: nothing. Then name and value hold what can be read all the same,
         * so that what a line with an error selects can be reserved. */
        const char *problem;
        unsigned problem_column;
        char *name; /* of the section, without brackets, or the key; "" if unreadable */
        unsigned name_column;
        char *value; /* of an entry; NULL: unreadable */
        unsigned value_column;
} Line;

/* Judges `length` bytes without their newline; text[length] must be writable. Names and values
 * point into the text, which is changed. */
void line_scan(char *text, size_t length, Line *ret);
