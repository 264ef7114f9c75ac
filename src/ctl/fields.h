/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/terminal.h"

/* "     State: bound": names to the right, values wrapped beside them. */
typedef struct Fields {
        const Terminal *terminal;
        FILE *file;
        size_t width; /* of the longest name */
        int error;    /* of the first call that failed; later ones do nothing */
} Fields;

/* NULL and "" are left out. */
void fields_add(Fields *fields, const char *name, const char *value, Style style);
void fields_printf(Fields *fields, const char *name, const char *format, ...) _printf_(3, 4);
