/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/table.h"

#include <errno.h>

#include "ctl/text.h"
#include "util/array.h"
#include "util/buffer.h"
#include "util/strings.h"

#define GAP         2 /* between columns */
#define NOTE_INDENT 2

typedef struct Cell {
        char *text; /* NULL: empty */
        Style style;
} Cell;

typedef struct Row {
        Cell *cells;
        char **notes;
} Row;

struct Table {
        Terminal terminal;
        const Column *columns;
        size_t n_columns;
        Row *rows;
        size_t n_rows;
        bool failed;
};

Table *table_new(const Terminal *terminal, const Column *columns, size_t n_columns)
{
        Table *table = calloc(1, sizeof(Table));

        if (table)
                *table = (Table){ .terminal = *terminal, .columns = columns,
                                  .n_columns = n_columns };
        return table;
}

Table *table_free(Table *table)
{
        if (!table)
                return NULL;
        for (size_t i = 0; i < table->n_rows; i++) {
                for (size_t j = 0; j < table->n_columns; j++)
                        free(table->rows[i].cells[j].text);
                free(table->rows[i].cells);
                string_list_free(table->rows[i].notes);
        }
        free(table->rows);
        free(table);
        return NULL;
}

static bool is_usable(const Table *table)
{
        return table && !table->failed;
}

void table_add_row(Table *table)
{
        Cell *cells;

        if (!is_usable(table))
                return;
        cells = calloc(table->n_columns, sizeof(Cell));
        if (!cells || ARRAY_GROW(table->rows, table->n_rows) < 0) {
                free(cells);
                table->failed = true;
                return;
        }
        table->rows[table->n_rows++] = (Row){ .cells = cells };
}

void table_set(Table *table, size_t column, const char *text, Style style)
{
        Cell *cell;

        if (!is_usable(table) || table->n_rows == 0 || column >= table->n_columns)
                return;
        cell = &table->rows[table->n_rows - 1].cells[column];
        free(cell->text);
        cell->text = text_printable(text ?: "", table->terminal.ascii);
        cell->style = style;
        if (!cell->text)
                table->failed = true;
}

void table_add_note(Table *table, const char *text)
{
        _cleanup_free_ char *printable = NULL;

        if (!is_usable(table) || table->n_rows == 0)
                return;
        printable = text_printable(text, table->terminal.ascii);
        if (!printable || string_list_append(&table->rows[table->n_rows - 1].notes, printable) < 0)
                table->failed = true;
}

size_t table_rows(const Table *table)
{
        return table ? table->n_rows : 0;
}

static void measure(const Table *table, bool with_header, size_t *widths)
{
        for (size_t j = 0; j < table->n_columns; j++) {
                widths[j] = with_header ? text_width(table->columns[j].title) : 0;
                for (size_t i = 0; i < table->n_rows; i++) {
                        size_t width = text_width(table->rows[i].cells[j].text ?: "");

                        if (width > widths[j])
                                widths[j] = width;
                }
        }
}

static size_t total_width(const Table *table, const size_t *widths)
{
        size_t total = 0;

        for (size_t j = 0; j < table->n_columns; j++)
                total += widths[j] + (j > 0 ? GAP : 0);
        return total;
}

/* Makes the columns that may be cut narrower until the table fits; false if it never does. */
static bool fit(const Table *table, size_t *widths)
{
        size_t total = total_width(table, widths), limit = table->terminal.width;

        for (size_t j = table->n_columns; j-- > 0 && total > limit;) {
                size_t minimum = table->columns[j].minimum, excess = total - limit;

                if (minimum == 0 || widths[j] <= minimum)
                        continue;
                if (excess > widths[j] - minimum)
                        excess = widths[j] - minimum;
                widths[j] -= excess;
                total -= excess;
        }
        return total <= limit;
}

static void append_blanks(Buffer *buffer, size_t n)
{
        for (size_t i = 0; i < n; i++)
                buffer_append(buffer, " ");
}

static void append_cell(const Table *table, Buffer *buffer, const char *text, Style style,
        size_t width, size_t *pending)
{
        _cleanup_free_ char *cut = text_cut(text, width, table->terminal.ascii);

        if (!cut) {
                buffer->failed = true;
                return;
        }
        if (*cut) {
                append_blanks(buffer, *pending);
                *pending = 0;
                buffer_append(buffer, terminal_begin(&table->terminal, style));
                buffer_append(buffer, cut);
                buffer_append(buffer, terminal_end(&table->terminal, style));
        }
        /* Blanks are written when something follows them. */
        *pending += width - text_width(cut) + GAP;
}

static void append_header(const Table *table, Buffer *buffer, const size_t *widths)
{
        size_t pending = 0;

        for (size_t j = 0; j < table->n_columns; j++)
                append_cell(table, buffer, table->columns[j].title, STYLE_HEADER, widths[j],
                        &pending);
        buffer_append(buffer, "\n");
}

static void append_row(const Table *table, Buffer *buffer, const Row *row, const size_t *widths)
{
        size_t pending = 0;

        for (size_t j = 0; j < table->n_columns; j++)
                append_cell(table, buffer, row->cells[j].text ?: "", row->cells[j].style,
                        widths[j], &pending);
        buffer_append(buffer, "\n");
}

/* A terminal too narrow for a table. */
static void append_stacked(const Table *table, Buffer *buffer, const Row *row)
{
        bool indented = false;

        for (size_t j = 0; j < table->n_columns; j++) {
                const Cell *cell = &row->cells[j];

                if (isempty(cell->text))
                        continue;
                append_blanks(buffer, indented ? NOTE_INDENT : 0);
                text_wrap(buffer, cell->text, indented ? NOTE_INDENT : 0, NOTE_INDENT,
                        table->terminal.width);
                indented = true;
        }
}

static void append_notes(const Table *table, Buffer *buffer, const Row *row)
{
        for (size_t i = 0; row->notes && row->notes[i]; i++) {
                append_blanks(buffer, NOTE_INDENT);
                text_wrap(buffer, row->notes[i], NOTE_INDENT, NOTE_INDENT, table->terminal.width);
        }
}

int table_print(const Table *table, bool with_header, FILE *file)
{
        _cleanup_free_ size_t *widths = NULL;
        _cleanup_buffer_ Buffer buffer = {};
        _cleanup_free_ char *text = NULL;
        bool fits;
        int r;

        if (!is_usable(table))
                return -ENOMEM;
        widths = calloc(table->n_columns + 1, sizeof(size_t));
        if (!widths)
                return -ENOMEM;
        measure(table, with_header, widths);
        fits = fit(table, widths);

        if (with_header && fits)
                append_header(table, &buffer, widths);
        for (size_t i = 0; i < table->n_rows; i++) {
                if (fits)
                        append_row(table, &buffer, &table->rows[i], widths);
                else
                        append_stacked(table, &buffer, &table->rows[i]);
                append_notes(table, &buffer, &table->rows[i]);
        }
        r = buffer_finish(&buffer, &text);
        if (r < 0)
                return r;
        fputs(text, file);
        return 0;
}
