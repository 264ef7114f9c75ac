/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Other people's tools, which import and export know by name. */

/* The index of `name` among `names`. -EINVAL: it is none of them, which was complained of in the
 * words "Cannot `action` NAME", with all names and the one that is near; -ENOMEM. */
int find_tool(const char *action, const char *name, const char *const *names, size_t n_names,
        size_t *ret);
