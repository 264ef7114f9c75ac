/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/selector.h"

/* What the selector's own files share. */

#define TERM_PROBLEM_MAX 200

/* Fills the part of the union that belongs to term->type from term->value. What is wrong is a
 * sentence without its beginning "NAME=VALUE ".
 * Returns 0, -EINVAL with `problem` filled, -ENOMEM. */
int term_read_value(Term *term, char problem[static TERM_PROBLEM_MAX]) _must_check_;

void term_done(Term *term);

/* The type of a term name in any case, or -EINVAL. */
int term_type_from_name(const char *name, size_t length);

/* Guards are no conditions. */
static inline bool term_selects(const Term *term)
{
        return term->type != TERM_EXPECT && term->type != TERM_EXPECT_SERIAL;
}
