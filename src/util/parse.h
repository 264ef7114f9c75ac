/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* Strict parsers: no leading blanks, no sign, no trailing text. All return 0, -EINVAL for text of
 * another form, -ERANGE for a number that does not fit; *ret is untouched on failure. */

int parse_unsigned(const char *text, uint64_t maximum, uint64_t *ret) _must_check_;
/* Exactly `digits` hex digits (1..16); with digits == 0 any number up to 16. */
int parse_hex(const char *text, size_t digits, uint64_t *ret) _must_check_;
int parse_octal_mode(const char *text, unsigned *ret) _must_check_;
/* yes/no, true/false, on/off, 1/0 in any case. */
int parse_boolean(const char *text, bool *ret) _must_check_;
/* systemd.time(7) spans made of us, ms, s, min, h and their long forms, "1min 30s"; a bare number
 * is seconds. Microseconds. */
int parse_timespan(const char *text, uint64_t *ret_usec) _must_check_;
