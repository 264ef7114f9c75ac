/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/sink.h"

#include <errno.h>
#include <stdio.h>

#include "bus/paths.h"
#include "util/buffer.h"
#include "util/strings.h"

static void digest_bytes(Sink *sink, char type, const void *data, size_t size)
{
        sink->digest = hash_update(hash_update(sink->digest, &type, 1), data, size);
}

static int sink_basic(Sink *sink, char type, const void *value, size_t size)
{
        if (!sink->message) {
                digest_bytes(sink, type, value, size);
                return 0;
        }
        int r = sd_bus_message_append_basic(sink->message, type, value);
        return r < 0 ? r : 0;
}

/* The length of the UTF-8 character at `text` as sd-bus accepts it, or 0. */
static size_t utf8_length(const unsigned char *text)
{
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t length = text[0] < 0x80   ? 1
                : (text[0] & 0xe0) == 0xc0 ? 2
                : (text[0] & 0xf0) == 0xe0 ? 3
                : (text[0] & 0xf8) == 0xf0 ? 4
                                           : 0;

        if (length <= 1)
                return length;
        uint32_t code = text[0] & (0xffU >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (text[i] & 0x3fU);
        }
        if (code < smallest[length] || code > 0x10ffff || (code & 0xfffff800) == 0xd800)
                return 0;
        /* not characters: sd-bus refuses them */
        if ((code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) == 0xfffe)
                return 0;
        return length;
}

static bool is_utf8(const char *text)
{
        for (const unsigned char *c = (const unsigned char *) text; *c;) {
                size_t length = utf8_length(c);
                if (length == 0)
                        return false;
                c += length;
        }
        return true;
}

static int sink_repaired(Sink *sink, const char *text)
{
        _cleanup_free_ char *repaired = NULL;
        _cleanup_buffer_ Buffer buffer = {};
        int r;

        for (const char *c = text; *c;) {
                size_t length = utf8_length((const unsigned char *) c);
                buffer_append_length(&buffer, length > 0 ? c : "?", length > 0 ? length : 1);
                c += length > 0 ? length : 1;
        }
        r = buffer_finish(&buffer, &repaired);
        if (r < 0)
                return r;
        return sink_basic(sink, 's', repaired, strlen(repaired));
}

int sink_string(Sink *sink, const char *text)
{
        if (!text)
                text = "";
        if (!is_utf8(text))
                return sink_repaired(sink, text);
        return sink_basic(sink, 's', text, strlen(text));
}

int sink_path(Sink *sink, const char *path)
{
        return sink_basic(sink, 'o', path, strlen(path));
}

int sink_boolean(Sink *sink, bool value)
{
        int number = value;

        return sink_basic(sink, 'b', &number, sizeof(number));
}

int sink_unsigned(Sink *sink, uint32_t value)
{
        return sink_basic(sink, 'u', &value, sizeof(value));
}

int sink_integer(Sink *sink, int32_t value)
{
        return sink_basic(sink, 'i', &value, sizeof(value));
}

int sink_timestamp(Sink *sink, uint64_t value)
{
        return sink_basic(sink, 't', &value, sizeof(value));
}

int sink_hex(Sink *sink, uint32_t value, int width)
{
        char text[16];

        if (!sink->message) {
                digest_bytes(sink, 's', &value, sizeof(value));
                return 0;
        }
        snprintf(text, sizeof(text), "%0*x", width, (unsigned) value);
        return sink_basic(sink, 's', text, strlen(text));
}

int sink_strings(Sink *sink, char *const *list)
{
        int r = sink_open_array(sink, "s");

        for (size_t i = 0; r >= 0 && list && list[i]; i++)
                r = sink_string(sink, list[i]);
        return r < 0 ? r : sink_close(sink);
}

int sink_joined(Sink *sink, char *const *list)
{
        _cleanup_free_ char *joined = NULL;
        _cleanup_buffer_ Buffer buffer = {};
        int r;

        if (!list || !list[0] || !list[1])
                return sink_string(sink, list ? list[0] : NULL);
        for (size_t i = 0; list[i]; i++) {
                buffer_append(&buffer, i > 0 ? "," : "");
                buffer_append(&buffer, list[i]);
        }
        r = buffer_finish(&buffer, &joined);
        return r < 0 ? r : sink_string(sink, joined);
}

int sink_device_path(Sink *sink, const PciAddress *address)
{
        char path[BUS_PATH_MAX];

        if (!address)
                return sink_path(sink, BUS_PATH_NONE);
        if (!sink->message) {
                uint32_t parts[] = { address->domain, address->bus, address->device,
                        address->function };
                digest_bytes(sink, 'o', parts, sizeof(parts));
                return 0;
        }
        return sink_path(sink, path_of_device(address, path));
}

int sink_group_path(Sink *sink, int64_t number)
{
        char path[BUS_PATH_MAX];

        if (number < 0)
                return sink_path(sink, BUS_PATH_NONE);
        if (!sink->message) {
                digest_bytes(sink, 'o', &number, sizeof(number));
                return 0;
        }
        return sink_path(sink, path_of_group(number, path));
}

static int sink_open(Sink *sink, char type, const char *contents)
{
        if (!sink->message) {
                digest_bytes(sink, type, NULL, 0);
                return 0;
        }
        int r = sd_bus_message_open_container(sink->message, type, contents);
        return r < 0 ? r : 0;
}

int sink_open_array(Sink *sink, const char *contents)
{
        return sink_open(sink, SD_BUS_TYPE_ARRAY, contents);
}

int sink_open_struct(Sink *sink, const char *contents)
{
        return sink_open(sink, SD_BUS_TYPE_STRUCT, contents);
}

int sink_close(Sink *sink)
{
        if (!sink->message) {
                digest_bytes(sink, ')', NULL, 0);
                return 0;
        }
        int r = sd_bus_message_close_container(sink->message);
        return r < 0 ? r : 0;
}
