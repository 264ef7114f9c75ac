/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/json.h"

#include <inttypes.h>

#include "ctl/text.h"

static void append_line_break(Json *json)
{
        if (!json->pretty)
                return;
        buffer_append(&json->buffer, "\n");
        for (unsigned i = 0; i < json->depth; i++)
                buffer_append(&json->buffer, "  ");
}

static void append_escape(Buffer *buffer, uint32_t character)
{
        if (character > 0xffff) {
                /* a pair of surrogates, RFC 8259 section 7 */
                buffer_printf(buffer, "\\u%04" PRIx32 "\\u%04" PRIx32,
                        0xd800 + ((character - 0x10000) >> 10),
                        0xdc00 + ((character - 0x10000) & 0x3ff));
                return;
        }
        buffer_printf(buffer, "\\u%04" PRIx32, character);
}

static void append_quoted(Buffer *buffer, const char *text)
{
        buffer_append(buffer, "\"");
        while (*text) {
                uint32_t character;
                size_t length = text_decode(text, &character);

                if (length == 0) {
                        append_escape(buffer, 0xfffd);
                        text++;
                        continue;
                }
                if (character == '"' || character == '\\')
                        buffer_append(buffer, "\\");
                if (!text_is_shown(character))
                        append_escape(buffer, character);
                else
                        buffer_append_length(buffer, text, length);
                text += length;
        }
        buffer_append(buffer, "\"");
}

static void begin_value(Json *json, const char *key)
{
        if (!key)
                key = json->next_key;
        json->next_key = NULL;
        if (json->needs_comma)
                buffer_append(&json->buffer, ",");
        if (json->depth > 0)
                append_line_break(json);
        if (key) {
                append_quoted(&json->buffer, key);
                buffer_append(&json->buffer, json->pretty ? ": " : ":");
        }
        json->needs_comma = true;
}

static void open_container(Json *json, const char *key, const char *bracket)
{
        begin_value(json, key);
        buffer_append(&json->buffer, bracket);
        json->depth++;
        json->needs_comma = false;
}

static void close_container(Json *json, const char *bracket)
{
        bool is_empty = !json->needs_comma;

        json->depth--;
        if (!is_empty)
                append_line_break(json);
        buffer_append(&json->buffer, bracket);
        json->needs_comma = true;
}

void json_key(Json *json, const char *key)
{
        json->next_key = key;
}

void json_open_object(Json *json, const char *key)
{
        open_container(json, key, "{");
}

void json_close_object(Json *json)
{
        close_container(json, "}");
}

void json_open_array(Json *json, const char *key)
{
        open_container(json, key, "[");
}

void json_close_array(Json *json)
{
        close_container(json, "]");
}

void json_string(Json *json, const char *key, const char *text)
{
        if (!text) {
                json_null(json, key);
                return;
        }
        begin_value(json, key);
        append_quoted(&json->buffer, text);
}

void json_integer(Json *json, const char *key, int64_t value)
{
        begin_value(json, key);
        buffer_printf(&json->buffer, "%" PRIi64, value);
}

void json_boolean(Json *json, const char *key, bool value)
{
        begin_value(json, key);
        buffer_append(&json->buffer, value ? "true" : "false");
}

void json_null(Json *json, const char *key)
{
        begin_value(json, key);
        buffer_append(&json->buffer, "null");
}

void json_strings(Json *json, const char *key, char *const *list)
{
        json_open_array(json, key);
        for (; list && *list; list++)
                json_string(json, NULL, *list);
        json_close_array(json);
}

int json_print(Json *json, FILE *file)
{
        _cleanup_free_ char *text = NULL;
        int r = buffer_finish(&json->buffer, &text);

        if (r < 0)
                return r;
        fprintf(file, "%s\n", text);
        return 0;
}

void json_done(Json *json)
{
        buffer_done(&json->buffer);
}
