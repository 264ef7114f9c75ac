/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/line.h"

/* Runs inih over a text, line by line, and lets it see only lines that it cannot misread. */

typedef struct IniEvents {
        /* A header, perhaps with line->problem. Returns 1 if entries below it are wanted as
         * `entry`, 0 if they are to come as `unusable`, or a negative errno. */
        int (*header)(void *userdata, const Line *line, unsigned number);
        /* A key and value as inih read them. Returns 0 or a negative errno. */
        int (*entry)(void *userdata, const Line *line, unsigned number);
        /* Another line with a problem, or an entry outside a wanted section (line->problem is
         * NULL then). Returns 0 or a negative errno. */
        int (*unusable)(void *userdata, const Line *line, unsigned number);
        void *userdata;
} IniEvents;

/* Returns 0; -ENOMEM; -EIO if inih stopped before the end of the text; or what a function of
 * `events` returned. */
int ini_read(const char *text, size_t length, const IniEvents *events) _must_check_;
