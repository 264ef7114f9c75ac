/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "log/log.h"

/* Text forms of one log record, without any I/O and without allocation. */

/* The longest message; more is cut and ends in "…". */
#define LOG_MESSAGE_MAX 2048
/* All fields of a record together, in the journal's form. */
#define LOG_RECORD_MAX 8192
/* The kernel refuses longer records (devkmsg_write() in kernel/printk/printk.c: LOG_LINE_MAX is
 * 1024 with the prefix that it puts in front). */
#define LOG_KERNEL_LINE_MAX 960

typedef struct LogRecord {
        int level; /* LOG_EMERG … LOG_DEBUG */
        const char *identifier;
        const char *message;
        Stage stage;
        const LogFields *fields; /* never NULL */
} LogRecord;

/* Makes a message of foreign parts presentable, in place: control characters other than newline
 * become "?", and so does every byte that is not part of well-formed UTF-8. */
void log_clean_text(char *text);

/* The journal's native protocol (systemd.journal-fields(7) and the page "Native Journal
 * Protocol"): NAME=value lines, values with newlines behind their length. Returns the length, at
 * most `size`; fields that do not fit are left out. */
size_t log_format_journal(const LogRecord *record, char *buffer, size_t size);

/* One line for people: the message, newlines folded to blanks, then in brackets those fields that
 * the message does not name by itself. With `kernel` it has the priority prefix, identifier and
 * process number as /dev/kmsg wants them. NUL-terminated. Returns the length. */
size_t log_format_line(const LogRecord *record, bool kernel, char *buffer, size_t size);
