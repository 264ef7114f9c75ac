/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* Where something stands in the configuration. `file` belongs to the Config that it came with. */
typedef struct Location {
        const char *file; /* NULL: not from a file */
        unsigned line;    /* from 1 */
        unsigned column;  /* from 1, in bytes */
} Location;

typedef struct Diagnostic {
        Location location;
        bool is_error; /* else a warning */
        char *section; /* "Claim gaming-gpu"; NULL: none */
        char *message; /* one sentence without the location */
} Diagnostic;

typedef struct DiagnosticList {
        Diagnostic *items;
        size_t n_items;
        size_t n_errors;
        bool failed; /* out of memory while collecting: treat as an error */
} DiagnosticList;

/* Appends; at most 1,000 are kept, the last of them says that there are more. */
void diagnostic_error(DiagnosticList *list, Location location, const char *section,
        const char *format, ...) _printf_(4, 5);
void diagnostic_warning(DiagnosticList *list, Location location, const char *section,
        const char *format, ...) _printf_(4, 5);
void diagnostic_list_done(DiagnosticList *list);

/* "/etc/vfio-bind.conf:14:7: message"; the caller frees it. Returns 0, -ENOMEM. */
int diagnostic_format(const Diagnostic *diagnostic, char **ret) _must_check_;
