/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* Makes room for one more element in a pair (pointer, count) whose capacity is the next power of
 * two; new room is zeroed. Returns 0, -ENOMEM. Use: r = ARRAY_GROW(list, n_list);
 * if (r < 0) return r; list[n_list++] = …; */
int array_grow(void **array, size_t count, size_t element_size) _must_check_;
#define ARRAY_GROW(array, count) array_grow((void **) &(array), (count), sizeof(*(array)))
