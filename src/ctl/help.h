/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/options.h"

/* All verbs and the options that all have. */
void help_print(const Verb *const *verbs, size_t n_verbs);
void help_print_verb(const Verb *verb);
