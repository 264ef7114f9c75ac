/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/pci-address.h"
#include "util/macro.h"

/* What the journal says of a function. */

typedef struct JournalLine {
        uint64_t time_usec; /* CLOCK_REALTIME */
        int priority;       /* syslog(3) */
        char *message;
} JournalLine;

typedef struct JournalLines {
        JournalLine *items; /* oldest first */
        size_t n_items;
} JournalLines;

/* At most `maximum` of the latest. `directory` NULL: this machine's journal. No journal, or none
 * that may be read, is no line. Returns 0, -ENOMEM. */
int journal_read(const char *directory, const PciAddress *address, size_t maximum,
        JournalLines *ret) _must_check_;
void journal_lines_done(JournalLines *lines);
#define _cleanup_journal_lines_ _cleanup_(journal_lines_done)
