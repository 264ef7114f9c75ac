/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "util/buffer.h"

/* Writes JSON (RFC 8259), in one line or indented. Zero-initialise it. `key` is NULL within an
 * array and for the outermost value. Nesting is the caller's care. */
typedef struct Json {
        Buffer buffer;
        bool pretty;
        unsigned depth;
        bool needs_comma;
        const char *next_key; /* private */
} Json;

#define _cleanup_json_ _cleanup_(json_done)

/* The key of what comes next, which is given none itself. */
void json_key(Json *json, const char *key);
void json_open_object(Json *json, const char *key);
void json_close_object(Json *json);
void json_open_array(Json *json, const char *key);
void json_close_array(Json *json);

/* NULL is null. Whatever is not UTF-8 becomes U+FFFD; control characters, invisible ones and those
 * that change the direction are escaped, so that the text can be shown on a terminal. */
void json_string(Json *json, const char *key, const char *text);
void json_integer(Json *json, const char *key, int64_t value);
void json_boolean(Json *json, const char *key, bool value);
void json_null(Json *json, const char *key);
/* A NULL-terminated list; NULL is empty. */
void json_strings(Json *json, const char *key, char *const *list);

/* Writes what was collected, and a newline. Returns 0, -ENOMEM. */
int json_print(Json *json, FILE *file) _must_check_;
void json_done(Json *json);
