/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/journal.h"

#include <errno.h>
#include <stdio.h>
#include <systemd/sd-journal.h>

#include "util/array.h"
#include "util/parse.h"
#include "util/strings.h"

/* The value of "NAME=value" of the present entry; NULL: there is none, or no memory. */
static char *read_field(sd_journal *journal, const char *name)
{
        size_t length, prefix = strlen(name) + 1;
        const void *data;

        if (sd_journal_get_data(journal, name, &data, &length) < 0 || length < prefix)
                return NULL;
        return strndup((const char *) data + prefix, length - prefix);
}

static int add_line(sd_journal *journal, JournalLines *lines)
{
        _cleanup_free_ char *message = read_field(journal, "MESSAGE");
        _cleanup_free_ char *priority = read_field(journal, "PRIORITY");
        uint64_t time, level = 6;
        int r;

        if (!message || sd_journal_get_realtime_usec(journal, &time) < 0)
                return 0;
        if (priority && parse_unsigned(priority, 7, &level) < 0)
                level = 6;
        r = ARRAY_GROW(lines->items, lines->n_items);
        if (r < 0)
                return r;
        lines->items[lines->n_items++] = (JournalLine){
                .time_usec = time, .priority = (int) level, .message = TAKE_POINTER(message)
        };
        return 0;
}

static void reverse(JournalLines *lines)
{
        for (size_t i = 0, j = lines->n_items; i + 1 < j; i++) {
                JournalLine line = lines->items[i];

                lines->items[i] = lines->items[--j];
                lines->items[j] = line;
        }
}

/* Anybody may write what looks like a line of ours; who it was is journald's own word, and all of
 * us are root. Early stages write to the kernel log, which carries no such field: their lines are
 * not found. */
static int collect(sd_journal *journal, const PciAddress *address, size_t maximum,
        JournalLines *lines)
{
        char match[sizeof("VFIO_BIND_DEVICE=") + PCI_ADDRESS_TEXT_MAX];
        int r;

        (void) snprintf(match, sizeof(match), "VFIO_BIND_DEVICE=%s", PCI_ADDRESS_TEXT(address));
        r = sd_journal_add_match(journal, match, 0);
        if (r >= 0)
                r = sd_journal_add_match(journal, "_UID=0", 0);
        if (r >= 0)
                r = sd_journal_seek_tail(journal);
        while (r >= 0 && lines->n_items < maximum && sd_journal_previous(journal) > 0)
                r = add_line(journal, lines);
        reverse(lines);
        return r == -ENOMEM ? r : 0;
}

int journal_read(const char *directory, const PciAddress *address, size_t maximum,
        JournalLines *ret)
{
        sd_journal *journal;
        int r;

        *ret = (JournalLines){};
        r = directory ? sd_journal_open_directory(&journal, directory, 0)
                      : sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        r = collect(journal, address, maximum, ret);
        sd_journal_close(journal);
        return r;
}

void journal_lines_done(JournalLines *lines)
{
        for (size_t i = 0; i < lines->n_items; i++)
                free(lines->items[i].message);
        free(lines->items);
        *lines = (JournalLines){};
}
