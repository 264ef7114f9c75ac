/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/buffer.h"

/* Text for people's eyes. Names come from hardware databases, the bus and saved trees: whatever
 * they hold, a terminal is shown printable characters only, and columns are counted rightly. */

#define TEXT_ELLIPSIS       "\xe2\x80\xa6"
#define TEXT_ELLIPSIS_ASCII "..."

/* A copy that can be shown: bytes that are no UTF-8, control characters and those that change the
 * direction or are invisible become "?", and in `ascii` everything beyond ASCII does; tabs and
 * line breaks become blanks. NULL without memory. */
char *text_printable(const char *text, bool ascii);

/* Columns of a text that text_printable() made. */
size_t text_width(const char *text);

/* A copy of at most `width` columns, whose end is an ellipsis if something is missing. NULL
 * without memory. */
char *text_cut(const char *text, size_t width, bool ascii);

/* Appends lines of at most `width` columns, each but the first behind `indent` blanks and all
 * ended by a newline; `used` columns of the first line are taken. Breaks at blanks, within a word
 * only if the word alone is too long. Nothing is left out. */
void text_wrap(Buffer *buffer, const char *text, size_t used, size_t indent, size_t width);

/* Reads one character of valid UTF-8. Returns its bytes, 0 if there is none (the end, or bytes of
 * another form). */
size_t text_decode(const char *text, uint32_t *ret);

/* false for control characters, those that are invisible or change the direction of writing, and
 * those of no agreed meaning. */
bool text_is_shown(uint32_t character);
