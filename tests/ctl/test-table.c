/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/table.h"

#include "lib/test.h"

static const Column columns[] = { { "NAME", 3 }, { "STATE", 0 }, { "WHAT", 2 } };

static char *print(const Table *table, bool header)
{
        char *text = NULL;
        size_t length;
        FILE *file = open_memstream(&text, &length);

        ASSERT_TRUE(file);
        ASSERT_OK(table_print(table, header, file));
        ASSERT_OK(fclose(file));
        return text;
}

static void expect(const Terminal *terminal, bool header, const char *wanted)
{
        _cleanup_table_ Table *table = table_new(terminal, columns, ELEMENTSOF(columns));
        _cleanup_free_ char *text = NULL;

        table_add_row(table);
        table_set(table, 0, "first", STYLE_NONE);
        table_set(table, 1, "bound", STYLE_GOOD);
        table_set(table, 2, "a long story", STYLE_NONE);
        table_add_row(table);
        table_set(table, 1, "refused", STYLE_BAD);
        table_add_note(table, "in-use: because of this");
        ASSERT_EQ(table_rows(table), 2);
        text = print(table, header);
        ASSERT_STREQ(text, wanted);
}

static void test_widths(void)
{
        expect(&(Terminal){ .width = SIZE_MAX }, true,
                "NAME   STATE    WHAT\n"
                "first  bound    a long story\n"
                "       refused\n"
                "  in-use: because of this\n");
        expect(&(Terminal){ .width = 28 }, false,
                "first  bound    a long story\n"
                "       refused\n"
                "  in-use: because of this\n");
        /* the last column that may be cut gives way first */
        expect(&(Terminal){ .width = 20 }, true,
                "NAME   STATE    WHAT\n"
                "first  bound    a l\xe2\x80\xa6\n"
                "       refused\n"
                "  in-use: because of\n"
                "  this\n");
        expect(&(Terminal){ .width = 16 }, false,
                "fi\xe2\x80\xa6  bound    a\xe2\x80\xa6\n"
                "     refused\n"
                "  in-use:\n"
                "  because of\n"
                "  this\n");
        expect(&(Terminal){ .width = 20, .ascii = true }, false,
                "first  bound    a...\n"
                "       refused\n"
                "  in-use: because of\n"
                "  this\n");
        /* too narrow for a table */
        expect(&(Terminal){ .width = 12 }, true,
                "first\n"
                "  bound\n"
                "  a long\n"
                "  story\n"
                "refused\n"
                "  in-use:\n"
                "  because of\n"
                "  this\n");
}

static void test_colours(void)
{
        expect(&(Terminal){ .width = 80, .colours = true }, true,
                "\x1b[1mNAME\x1b[0m   \x1b[1mSTATE\x1b[0m    \x1b[1mWHAT\x1b[0m\n"
                "first  \x1b[32mbound\x1b[0m    a long story\n"
                "       \x1b[1;31mrefused\x1b[0m\n"
                "  in-use: because of this\n");
}

static void test_hostile(void)
{
        _cleanup_table_ Table *table =
                table_new(&(Terminal){ .width = 80 }, columns, ELEMENTSOF(columns));
        _cleanup_free_ char *text = NULL;

        table_add_row(table);
        table_set(table, 0, "a\nb\x1b[2J", STYLE_NONE);
        table_set(table, 99, "nowhere", STYLE_NONE);
        table_add_note(table, "x\ny\x07");
        text = print(table, false);
        ASSERT_STREQ(text, "a b?[2J\n  x y?\n");
}

int main(void)
{
        test_widths();
        test_colours();
        test_hostile();
        return 0;
}
