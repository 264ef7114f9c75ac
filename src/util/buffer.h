/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* A string that grows. Zero-initialise it (`Buffer b = {}`); a failed append is remembered and
 * every later call is a no-op, so that only buffer_finish() needs to be checked. */
typedef struct Buffer {
        char *text;
        size_t length;
        size_t capacity;
        bool failed;
} Buffer;

void buffer_append(Buffer *buffer, const char *text);
void buffer_append_length(Buffer *buffer, const void *data, size_t length);
void buffer_printf(Buffer *buffer, const char *format, ...) _printf_(2, 3);

/* Hands the text to the caller, who frees it; the buffer is empty afterwards. An empty buffer
 * gives "". Returns 0, or -ENOMEM if any append failed. */
int buffer_finish(Buffer *buffer, char **ret) _must_check_;

void buffer_done(Buffer *buffer);
#define _cleanup_buffer_ _cleanup_(buffer_done)
