/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <regex.h>

#include "util/macro.h"

/* The patterns of name=: POSIX extended regular expressions, kept so small that neither compiling
 * nor matching them can take noticeable time or memory, whatever text they are matched with. */

#define NAME_PATTERN_MAX  128 /* bytes */
#define NAME_BOUND_MAX    16  /* in {n,m} */
#define NAME_EXPANDED_MAX 1024 /* elements after the library has copied what is repeated */

/* Compiles `^(pattern)$`, case-insensitive. On -EINVAL *ret_problem is a static sentence that says
 * what is wrong, to follow the pattern. Returns 0, -EINVAL, -ENOMEM. */
int name_pattern_compile(const char *pattern, regex_t **ret, const char **ret_problem) _must_check_;
regex_t *name_pattern_free(regex_t *pattern);
