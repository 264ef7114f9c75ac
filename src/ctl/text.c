/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/text.h"

#include "util/strings.h"

/* The forms that RFC 3629 allows: shortest only, no surrogates, nothing beyond 10FFFF. */
size_t text_decode(const char *text, uint32_t *ret)
{
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const unsigned char *bytes = (const unsigned char *) text;
        size_t length = bytes[0] < 0x80 ? 1 : bytes[0] >> 5 == 0x06 ? 2
                : bytes[0] >> 4 == 0x0e                             ? 3
                : bytes[0] >> 3 == 0x1e                             ? 4
                                                                    : 0;
        uint32_t character;

        if (length == 0 || bytes[0] == 0)
                return 0;
        character = length == 1 ? bytes[0] : bytes[0] & (0xffU >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if (bytes[i] >> 6 != 0x02)
                        return 0;
                character = character << 6 | (bytes[i] & 0x3f);
        }
        if (character < smallest[length] || character > 0x10ffff ||
            (character >= 0xd800 && character <= 0xdfff))
                return 0;
        *ret = character;
        return length;
}

typedef struct Range {
        uint32_t first, last;
} Range;

static bool is_in(uint32_t character, const Range *ranges, size_t n_ranges)
{
        for (size_t i = 0; i < n_ranges; i++)
                if (character >= ranges[i].first && character <= ranges[i].last)
                        return true;
        return false;
}

bool text_is_shown(uint32_t character)
{
        static const Range hidden[] = {
                { 0x00, 0x1f },         { 0x7f, 0x9f },         { 0xad, 0xad },
                { 0x61c, 0x61c },       { 0x180e, 0x180e },     { 0x200b, 0x200f },
                { 0x2028, 0x202e },     { 0x2060, 0x206f },     { 0xe000, 0xf8ff },
                { 0xfe00, 0xfe0f },     { 0xfeff, 0xfeff },     { 0xfff0, 0xfffb },
                { 0xfffe, 0xffff },     { 0xe0000, 0x10ffff },
        };

        return !is_in(character, hidden, ELEMENTSOF(hidden));
}

/* What wcwidth(3) says in a UTF-8 locale, which need not be the user's: enough for names of
 * hardware. */
static size_t character_width(uint32_t character)
{
        static const Range combining[] = {
                { 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x610, 0x61a },
                { 0x64b, 0x65f }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff },
                { 0xfe20, 0xfe2f },
        };
        static const Range wide[] = {
                { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },
                { 0xa960, 0xa97f },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
                { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },
                { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1faff },
                { 0x20000, 0x3fffd },
        };

        if (is_in(character, combining, ELEMENTSOF(combining)))
                return 0;
        return is_in(character, wide, ELEMENTSOF(wide)) ? 2 : 1;
}

char *text_printable(const char *text, bool ascii)
{
        Buffer buffer = {};
        char *result = NULL;

        while (*text) {
                uint32_t character;
                size_t length = text_decode(text, &character);

                if (length == 0 || (ascii && character > 0x7f))
                        buffer_append(&buffer, "?");
                else if (character == '\t' || character == '\n' || character == '\r')
                        buffer_append(&buffer, " ");
                else if (!text_is_shown(character))
                        buffer_append(&buffer, "?");
                else
                        buffer_append_length(&buffer, text, length);
                text += length > 0 ? length : 1;
        }
        return buffer_finish(&buffer, &result) < 0 ? NULL : result;
}

/* Bytes of the longest beginning that is at most `width` columns wide. */
static size_t fitting(const char *text, size_t width, size_t *ret_width)
{
        size_t n = 0, columns = 0;

        while (text[n]) {
                uint32_t character;
                size_t length = text_decode(text + n, &character);
                size_t more = length > 0 ? character_width(character) : 1;

                if (columns + more > width)
                        break;
                columns += more;
                n += length > 0 ? length : 1;
        }
        *ret_width = columns;
        return n;
}

size_t text_width(const char *text)
{
        size_t width;

        (void) fitting(text, SIZE_MAX / 2, &width);
        return width;
}

char *text_cut(const char *text, size_t width, bool ascii)
{
        const char *ellipsis = ascii ? TEXT_ELLIPSIS_ASCII : TEXT_ELLIPSIS;
        size_t used, room = ascii ? 3 : 1;
        char *result;

        if (text_width(text) <= width)
                return strdup(text);
        if (width < room)
                return strndup(text, fitting(text, width, &used));
        return format_string(&result, "%.*s%s", (int) fitting(text, width - room, &used), text,
                       ellipsis) < 0
                ? NULL
                : result;
}

static void break_line(Buffer *buffer, size_t indent, size_t *used)
{
        buffer_append(buffer, "\n");
        for (size_t i = 0; i < indent; i++)
                buffer_append(buffer, " ");
        *used = indent;
}

/* A word that does not fit into a line of its own. */
static void append_broken(Buffer *buffer, const char *word, size_t length, size_t indent,
        size_t width, size_t *used)
{
        for (size_t n = 0; n < length;) {
                size_t columns, part = fitting(word + n, width - *used, &columns);

                if (part == 0 && *used > indent) {
                        break_line(buffer, indent, used);
                        continue;
                }
                if (part == 0) { /* wider than the whole line */
                        uint32_t character;

                        part = text_decode(word + n, &character);
                        columns = 1;
                }
                buffer_append_length(buffer, word + n, part);
                *used += columns;
                n += part;
                if (n < length)
                        break_line(buffer, indent, used);
        }
}

void text_wrap(Buffer *buffer, const char *text, size_t used, size_t indent, size_t width)
{
        bool begin = true;

        if (indent + 1 > width)
                indent = 0;
        if (used > width)
                used = width;
        for (;;) {
                _cleanup_free_ char *word = NULL;
                size_t length, columns;

                text += strspn(text, " ");
                length = strcspn(text, " ");
                if (length == 0)
                        break;
                word = strndup(text, length);
                if (!word) {
                        buffer->failed = true;
                        return;
                }
                columns = text_width(word);
                if (!begin && (used + 1 >= width || columns > width - used - 1)) {
                        break_line(buffer, indent, &used);
                        begin = true;
                }
                if (!begin) {
                        buffer_append(buffer, " ");
                        used++;
                }
                if (used < width && columns <= width - used) {
                        buffer_append(buffer, word);
                        used += columns;
                } else {
                        append_broken(buffer, word, length, indent, width, &used);
                }
                begin = false;
                text += length;
        }
        buffer_append(buffer, "\n");
}
