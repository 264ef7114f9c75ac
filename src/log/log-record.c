/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log/log-record.h"

#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "util/strings.h"

/* A buffer of fixed size: what does not fit is left out, nothing is allocated, so that a record
 * can be written when memory is short. */
typedef struct Line {
        char *text;
        size_t length;
        size_t size;
} Line;

static bool line_append(Line *line, const void *data, size_t length)
{
        if (length > line->size - line->length)
                return false;
        memcpy(line->text + line->length, data, length);
        line->length += length;
        return true;
}

/* Length of the well-formed UTF-8 sequence at `text`, 0 if there is none (Unicode table 3-7). */
static size_t utf8_sequence(const unsigned char *text)
{
        size_t length;
        unsigned char low = 0x80, high = 0xbf;

        if (text[0] < 0x80)
                return 1;
        if (text[0] >= 0xc2 && text[0] <= 0xdf)
                length = 2;
        else if (text[0] >= 0xe0 && text[0] <= 0xef)
                length = 3;
        else if (text[0] >= 0xf0 && text[0] <= 0xf4)
                length = 4;
        else
                return 0;
        if (text[0] == 0xe0)
                low = 0xa0;
        else if (text[0] == 0xed)
                high = 0x9f;
        else if (text[0] == 0xf0)
                low = 0x90;
        else if (text[0] == 0xf4)
                high = 0x8f;
        for (size_t i = 1; i < length; i++) {
                if (text[i] < low || text[i] > high)
                        return 0;
                low = 0x80;
                high = 0xbf;
        }
        return length;
}

/* U+0000 to U+001F, U+007F, and U+0080 to U+009F, which terminals obey as well: with one of these
 * in it, journalctl shows nothing of a message. */
static bool is_control(const unsigned char *character)
{
        return (*character < ' ' && *character != '\n') || *character == 0x7f ||
                (character[0] == 0xc2 && character[1] < 0xa0);
}

void log_clean_text(char *text)
{
        unsigned char *at = (unsigned char *) text;

        while (*at) {
                size_t length = utf8_sequence(at);

                if (length == 0 || is_control(at)) {
                        *at = '?';
                        length = 1;
                }
                at += length;
        }
}

static void append_field(Line *line, const char *name, const char *value)
{
        size_t before = line->length, length;
        uint64_t little_endian;
        bool fits;

        if (isempty(value))
                return;
        length = strlen(value);
        little_endian = htole64(length);
        fits = line_append(line, name, strlen(name));
        if (strchr(value, '\n'))
                fits = fits && line_append(line, "\n", 1) &&
                        line_append(line, &little_endian, sizeof(little_endian));
        else
                fits = fits && line_append(line, "=", 1);
        fits = fits && line_append(line, value, length) && line_append(line, "\n", 1);
        if (!fits)
                line->length = before;
}

static void append_number(Line *line, const char *name, int64_t number)
{
        char text[32];

        (void) snprintf(text, sizeof(text), "%" PRIi64, number);
        append_field(line, name, text);
}

size_t log_format_journal(const LogRecord *record, char *buffer, size_t size)
{
        const LogFields *fields = record->fields;
        Line line = { .text = buffer, .size = size };

        append_field(&line, "MESSAGE", record->message);
        append_number(&line, "PRIORITY", record->level);
        append_field(&line, "SYSLOG_IDENTIFIER", record->identifier);
        append_number(&line, "SYSLOG_PID", getpid());
        append_field(&line, "MESSAGE_ID", fields->message_id);
        append_field(&line, "VFIO_BIND_STAGE", stage_to_string(record->stage));
        if (fields->device)
                append_field(&line, "VFIO_BIND_DEVICE", PCI_ADDRESS_TEXT(fields->device));
        if (fields->group >= 0)
                append_number(&line, "VFIO_BIND_GROUP", fields->group);
        append_field(&line, "VFIO_BIND_CLAIM", fields->claim);
        append_field(&line, "VFIO_BIND_REASON", reason_to_string(fields->reason));
        append_field(&line, "VFIO_BIND_FROM", fields->from);
        append_field(&line, "VFIO_BIND_TO", fields->to);
        return line.length;
}

static void line_printf(Line *line, const char *format, ...) _printf_(2, 3);

static void line_printf(Line *line, const char *format, ...)
{
        size_t room = line->size - line->length;
        va_list list;
        int r;

        va_start(list, format);
        r = vsnprintf(line->text + line->length, room, format, list);
        va_end(list);
        if (r > 0)
                line->length += (size_t) r < room ? (size_t) r : room - 1;
}

/* Appends " [name value" or ", name value", unless the message says it itself. */
static void line_fold(Line *line, const char *message, bool *opened, const char *name,
        const char *value)
{
        if (isempty(value) || strstr(message, value))
                return;
        line_printf(line, "%s%s %s", *opened ? ", " : " [", name, value);
        *opened = true;
}

static void fold_fields(Line *line, const LogRecord *record)
{
        const LogFields *fields = record->fields;
        char group[32] = "";
        bool opened = false;

        if (fields->group >= 0)
                (void) snprintf(group, sizeof(group), "%" PRIi64, fields->group);
        if (fields->device)
                line_fold(line, record->message, &opened, "device",
                        PCI_ADDRESS_TEXT(fields->device));
        /* A short number is found in any address: the group is always said. */
        line_fold(line, "", &opened, "group", group);
        line_fold(line, record->message, &opened, "claim", fields->claim);
        line_fold(line, record->message, &opened, "reason", reason_to_string(fields->reason));
        if (opened)
                line_printf(line, "]");
}

size_t log_format_line(const LogRecord *record, bool kernel, char *buffer, size_t size)
{
        Line line = { .text = buffer, .size = size };

        /* Without a facility the kernel takes "user"; 3 is "daemon", as for the journal. */
        if (kernel)
                line_printf(&line, "<%d>%s[%d]: ", LOG_DAEMON | record->level, record->identifier,
                        (int) getpid());
        else
                line_printf(&line, "%s: ", record->identifier);
        line_printf(&line, "%s", record->message);
        if (kernel)
                fold_fields(&line, record);
        for (size_t i = 0; i < line.length; i++)
                if (buffer[i] == '\n')
                        buffer[i] = ' ';
        return line.length;
}
