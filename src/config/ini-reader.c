/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/ini-reader.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "util/strings.h"

typedef struct Reader {
        const char *p, *end;
        const IniEvents *events;
        char *copy; /* of the present line */
        unsigned number;
        Line line;
        char section[LINE_NAME_MAX + 1]; /* as inih must know it */
        bool wanted;  /* the present section's entries go to inih */
        bool pending; /* inih got an entry and has not handed it on yet */
        int error;
} Reader;

static const char misread[] = "inih cannot read this line";

/* Whatever inih was built to do with a line, it must hand on exactly what was fed to it. */
static int check_pending(Reader *reader)
{
        if (!reader->pending)
                return 0;
        reader->pending = false;
        reader->line.problem = misread;
        reader->line.problem_column = 1;
        return reader->events->unusable(reader->events->userdata, &reader->line, reader->number);
}

/* Takes the next line off the text. Returns 1, 0 at the end, -ENOMEM. */
static int take_line(Reader *reader)
{
        size_t rest = (size_t) (reader->end - reader->p);

        if (rest == 0)
                return 0;

        const char *newline = memchr(reader->p, '\n', rest);
        size_t length = newline ? (size_t) (newline - reader->p) : rest;
        char *copy = malloc(length + 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, reader->p, length);

        free(reader->copy);
        reader->copy = copy;
        reader->p += length + (newline ? 1 : 0);
        reader->number++;
        line_scan(copy, length, &reader->line);
        return 1;
}

/* Decides what inih gets to see for this line, "" for nothing. */
static int judge_line(Reader *reader, char *feed, size_t size)
{
        const IniEvents *events = reader->events;
        Line *line = &reader->line;
        int n = 0;

        *feed = '\0';
        if (line->type == LINE_HEADER) {
                int r = events->header(events->userdata, line, reader->number);
                if (r < 0)
                        return r;
                reader->wanted = r > 0 && !line->problem;
                if (!reader->wanted)
                        return 0;
                (void) snprintf(reader->section, sizeof(reader->section), "%s", line->name);
                n = snprintf(feed, size, "[%s]", line->name);
        } else if (line->problem || (line->type == LINE_ENTRY && !reader->wanted)) {
                return events->unusable(events->userdata, line, reader->number);
        } else if (line->type == LINE_ENTRY) {
                n = snprintf(feed, size, "%s=%s", line->name, line->value);
                reader->pending = true;
        }
        /* A buffer smaller than the one we know is possible in theory; then the entry stays
         * pending, which is an error, instead of being cut. */
        if (n < 0 || (size_t) n >= size)
                *feed = '\0';
        return 0;
}

/* An ini_reader: gives inih one line in `buffer`, NULL at the end. */
static char *feed_line(char *buffer, int size, void *userdata)
{
        Reader *reader = userdata;

        if (reader->error < 0 || size < 2)
                return NULL;
        int r = check_pending(reader);
        if (r == 0)
                r = take_line(reader);
        if (r > 0) {
                r = judge_line(reader, buffer, (size_t) size - 1);
                if (r == 0) {
                        strcat(buffer, "\n");
                        return buffer;
                }
        }
        reader->error = r;
        return NULL;
}

/* An ini_handler; inih wants nonzero for success. */
static int handle_entry(void *userdata, const char *section, const char *name, const char *value
#if INI_HANDLER_LINENO
        , int line_number
#endif
)
{
        Reader *reader = userdata;
        Line *line = &reader->line;

        if (!name) /* a new section, in some builds of inih */
                return 1;
        if (!reader->pending || !streq(section, reader->section) || !streq(name, line->name) ||
            !streq_null(value, line->value))
                return 0;

        reader->pending = false;
        reader->error = reader->events->entry(reader->events->userdata, line, reader->number);
        return reader->error == 0;
}

int ini_read(const char *text, size_t length, const IniEvents *events)
{
        static const char byte_order_mark[] = {'\xef', '\xbb', '\xbf'};
        Reader reader = {.p = text, .end = text + length, .events = events};

        if (length >= sizeof(byte_order_mark) &&
            memcmp(text, byte_order_mark, sizeof(byte_order_mark)) == 0)
                reader.p += sizeof(byte_order_mark);

        int r = ini_parse_stream(feed_line, &reader, handle_entry, &reader);
        if (reader.error == 0 && r == -2)
                reader.error = -ENOMEM;
        if (reader.error == 0)
                reader.error = check_pending(&reader);
        /* Some builds of inih stop at what they take for an error. */
        if (reader.error == 0 && reader.p != reader.end)
                reader.error = -EIO;
        free(reader.copy);
        return reader.error;
}
