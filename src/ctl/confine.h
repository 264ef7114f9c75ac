/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/options.h"

/* From here on only what lies below --root= is read, with the files that were named beside it, and
 * what belongs to this program and its libraries. Where the kernel has no landlock(7), it has no
 * effect. */
void confine_to_tree(const Options *options);
