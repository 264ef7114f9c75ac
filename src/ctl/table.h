/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/terminal.h"

/* A table that fits into the terminal: columns that may be cut are, the last one first; if that is
 * not enough, every cell has a line of its own. Notes stand below a row, indented and wrapped.
 * Without memory all calls but table_print() do nothing. */

typedef struct Column {
        const char *title;
        size_t minimum; /* it may be cut down to so many columns; 0: never */
} Column;

typedef struct Table Table;

/* The columns must outlive the table. NULL without memory; the calls below take that. */
Table *table_new(const Terminal *terminal, const Column *columns, size_t n_columns);
Table *table_free(Table *table);
DEFINE_CLEANUP(Table, table_free)
#define _cleanup_table_ _cleanup_(table_freep)

/* Begins a row of empty cells. */
void table_add_row(Table *table);
/* Sets a cell of the last row; the text, made printable, is copied. NULL is "". */
void table_set(Table *table, size_t column, const char *text, Style style);
void table_add_note(Table *table, const char *text);

size_t table_rows(const Table *table);

/* Returns 0, -ENOMEM. */
int table_print(const Table *table, bool with_header, FILE *file) _must_check_;
