/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Makes room for `more` bytes and a terminating NUL. */
static bool buffer_reserve(Buffer *buffer, size_t more)
{
        size_t needed, capacity = buffer->capacity ? buffer->capacity : 64;

        if (buffer->failed)
                return false;
        if (__builtin_add_overflow(buffer->length, more, &needed) || needed > SIZE_MAX / 4) {
                buffer->failed = true;
                return false;
        }

        needed++;
        while (capacity < needed)
                capacity *= 2;
        if (capacity == buffer->capacity)
                return true;

        char *grown = realloc(buffer->text, capacity);
        if (!grown) {
                buffer->failed = true;
                return false;
        }
        buffer->text = grown;
        buffer->capacity = capacity;
        return true;
}

void buffer_append_length(Buffer *buffer, const void *data, size_t length)
{
        if (!buffer_reserve(buffer, length))
                return;
        if (length > 0)
                memcpy(buffer->text + buffer->length, data, length);
        buffer->length += length;
        buffer->text[buffer->length] = '\0';
}

void buffer_append(Buffer *buffer, const char *text)
{
        buffer_append_length(buffer, text, strlen(text));
}

void buffer_printf(Buffer *buffer, const char *format, ...)
{
        va_list arguments;
        char small[256];

        va_start(arguments, format);
        int length = vsnprintf(small, sizeof(small), format, arguments);
        va_end(arguments);

        if (length < 0) {
                buffer->failed = true;
                return;
        }
        if ((size_t) length < sizeof(small)) {
                buffer_append_length(buffer, small, (size_t) length);
                return;
        }
        if (!buffer_reserve(buffer, (size_t) length))
                return;

        va_start(arguments, format);
        (void) vsnprintf(buffer->text + buffer->length, (size_t) length + 1, format, arguments);
        va_end(arguments);
        buffer->length += (size_t) length;
}

int buffer_finish(Buffer *buffer, char **ret)
{
        buffer_append_length(buffer, "", 0); /* "" instead of NULL when nothing was appended */
        if (buffer->failed) {
                buffer_done(buffer);
                return -ENOMEM;
        }
        *ret = buffer->text;
        *buffer = (Buffer){};
        return 0;
}

void buffer_done(Buffer *buffer)
{
        free(buffer->text);
        *buffer = (Buffer){};
}
