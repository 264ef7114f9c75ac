/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/config.h"

/* A configuration as text, to compare: claims, physical functions, excludes, then diagnostics.
 *   claim x error enabled=no allow=2 Driver=auto: 01:00.0 | 02:00.0 - class=02
 * Settings that are as built in are left out. The caller frees it. */
char *config_to_text(const Config *config);
char *diagnostics_to_text(const Config *config);
