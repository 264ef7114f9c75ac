/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include "config/ini-reader.h"

/* One line at a time, then through inih: what it would misread must never reach it. */

static const struct {
        const char *text;
        size_t length; /* 0: strlen */
        LineType type;
        const char *name, *value, *problem;
        unsigned name_column, value_column, problem_column;
} cases[] = {
        {"", 0, LINE_EMPTY},
        {"  \t", 0, LINE_EMPTY},
        {"# comment", 0, LINE_EMPTY},
        {"; comment", 0, LINE_EMPTY},
        {"  # indented comment", 0, LINE_EMPTY},
        {"# not UTF-8: \xff", 0, LINE_EMPTY},
        {"\r", 0, LINE_EMPTY},
        {"[Defaults]", 0, LINE_HEADER, "Defaults", NULL, NULL, 2},
        {"[Claim x]  \t", 0, LINE_HEADER, "Claim x", NULL, NULL, 2},
        {"[Claim x]\r", 0, LINE_HEADER, "Claim x", NULL, NULL, 2},
        {"[]", 0, LINE_HEADER, "", NULL, NULL, 2},
        {"Driver=vfio-pci", 0, LINE_ENTRY, "Driver", "vfio-pci", NULL, 1, 8},
        {"Driver = vfio-pci  ", 0, LINE_ENTRY, "Driver", "vfio-pci", NULL, 1, 10},
        {"Driver=vfio-pci\r", 0, LINE_ENTRY, "Driver", "vfio-pci", NULL, 1, 8},
        {"Driver=", 0, LINE_ENTRY, "Driver", "", NULL, 1, 8},
        {"Match=id=10de: class=03", 0, LINE_ENTRY, "Match", "id=10de: class=03", NULL, 1, 7},
        {"Match=a;b#c", 0, LINE_ENTRY, "Match", "a;b#c", NULL, 1, 7},
        {"Match=#x", 0, LINE_ENTRY, "Match", "#x", NULL, 1, 7},

        {"[Claim x", 0, LINE_HEADER, "Claim x", NULL, "never closed", 2, 0, 1},
        {"[Claim x # c", 0, LINE_HEADER, "Claim x # c", NULL, "never closed", 2, 0, 1},
        {"[Claim x] # c", 0, LINE_HEADER, "Claim x", NULL, "nothing may follow", 2, 0, 11},
        {"[Claim x]y=1", 0, LINE_HEADER, "Claim x", NULL, "nothing may follow", 2, 0, 10},
        {"[[Claim x]]", 0, LINE_HEADER, "[Claim x", NULL, "nothing may follow", 2, 0, 11},
        {" [Claim x]", 0, LINE_HEADER, "Claim x", NULL, "indented line", 3, 0, 1},
        {"[PhysicalFunction abcdefghijklmnopqrstuvwxyz012345]", 0, LINE_HEADER,
                "PhysicalFunction abcdefghijklmnopqrstuvwxyz012345", NULL, NULL, 2},
        {"[PhysicalFunction abcdefghijklmnopqrstuvwxyz0123456]", 0, LINE_HEADER,
                "PhysicalFunction abcdefghijklmnopqrstuvwxyz0123456", NULL,
                "section name is longer than 49 bytes", 2, 0, 2},
        {" Match=01:00.0", 0, LINE_ENTRY, "Match", "01:00.0", "indented line", 2, 8, 1},
        {"\tMatch=01:00.0", 0, LINE_ENTRY, "Match", "01:00.0", "indented line", 2, 8, 1},
        {"Match", 0, LINE_ENTRY, "Match", NULL, "neither a [section] nor KEY=VALUE", 1, 0, 1},
        {"Match:01:00.0", 0, LINE_ENTRY, "Match", "01:00.0", "not ':'", 1, 7, 6},
        {"Driver: a=b", 0, LINE_ENTRY, "Driver", "a=b", "not ':'", 1, 9, 7},
        {"Node Mode=0660", 0, LINE_ENTRY, "Node Mode", "0660", "a blank within a key", 1, 11, 5},
        {"=x", 0, LINE_ENTRY, "", "x", "a key is missing", 1, 2, 1},
        {"Match=01:00.0 # GPU", 0, LINE_ENTRY, "Match", "01:00.0", "a value ends at", 1, 7, 15},
        {"Match=01:00.0 ; GPU", 0, LINE_ENTRY, "Match", "01:00.0", "a value ends at", 1, 7, 15},
        {"Match=01:00.0\t;x", 0, LINE_ENTRY, "Match", "01:00.0", "a value ends at", 1, 7, 15},
        {"Match= ;x", 0, LINE_ENTRY, "Match", "", "a value ends at", 1, 7, 8},
        {"Match=01:00.0\0y", 15, LINE_ENTRY, "Match", "01:00.0", "a NUL byte", 1, 7, 14},
        {"# comment\0y", 11, LINE_EMPTY, "", NULL, "a NUL byte", 0, 0, 10},
        {"Match=\033[31m", 0, LINE_ENTRY, "Match", "\033[31m", "a control character", 1, 7, 7},
        {"Match=a\rb", 0, LINE_ENTRY, "Match", "a\rb", "a control character", 1, 7, 8},
        {"Match=\xff", 0, LINE_ENTRY, "Match", "\xff", "a control character", 1, 7, 7},
        {"A2345678901234567890123456789012345678901234567890=x", 0, LINE_ENTRY,
                "A2345678901234567890123456789012345678901234567890", "x",
                "this key is longer than 49 bytes", 1, 52, 1},
};

static void test_lines(void)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t length = cases[i].length ? cases[i].length : strlen(cases[i].text);
                char text[256] = {};
                Line line;

                memcpy(text, cases[i].text, length);
                line_scan(text, length, &line);
                if (cases[i].problem || line.problem) {
                        ASSERT_TRUE(cases[i].problem);
                        ASSERT_CONTAINS(line.problem, cases[i].problem);
                        ASSERT_EQ(line.problem_column, cases[i].problem_column);
                }
                ASSERT_EQ(line.type, cases[i].type);
                ASSERT_STREQ(line.name, cases[i].name ? cases[i].name : "");
                ASSERT_STREQ(line.value, cases[i].value);
                ASSERT_EQ(line.name_column, cases[i].name_column);
                ASSERT_EQ(line.value_column, cases[i].value_column);
        }
}

static void test_length(void)
{
        char text[300];
        Line line;

        for (size_t length = 195; length <= 205; length++) {
                memset(text, 'x', sizeof(text));
                memcpy(text, "Match=", 6);
                line_scan(text, length, &line);
                ASSERT_EQ(line.problem != NULL, length > 197);
                ASSERT_EQ(line.type, LINE_ENTRY);
                ASSERT_EQ(strlen(line.value), length - 6);

                memset(text, 'x', sizeof(text));
                *text = '#'; /* comments never reach inih */
                line_scan(text, length, &line);
                ASSERT_TRUE(!line.problem);
        }
}

/* Events as text, one a line. */
typedef struct Record {
        char text[4096];
        int r; /* what entry() answers */
} Record;

static int record(Record *log, const char *what, const Line *line, unsigned number)
{
        size_t n = strlen(log->text);

        snprintf(log->text + n, sizeof(log->text) - n, "%u %s %s%s%s%s%s\n", number, what,
                line->name, line->value ? "=" : "", line->value ? line->value : "",
                line->problem ? ": " : "", line->problem ? line->problem : "");
        return 0;
}

static int on_header(void *userdata, const Line *line, unsigned number)
{
        (void) record(userdata, "header", line, number);
        return !line->problem && strncmp(line->name, "X-", 2) != 0;
}

static int on_entry(void *userdata, const Line *line, unsigned number)
{
        (void) record(userdata, "entry", line, number);
        return ((Record *) userdata)->r;
}

static int on_unusable(void *userdata, const Line *line, unsigned number)
{
        return record(userdata, "unusable", line, number);
}

static int read_text(const char *text, size_t length, Record *log)
{
        const IniEvents events = {on_header, on_entry, on_unusable, log};

        return ini_read(text, length, &events);
}

static void check_events(const char *text, const char *wanted)
{
        Record log = {};

        ASSERT_OK(read_text(text, strlen(text), &log));
        ASSERT_STREQ(log.text, wanted);
}

static void test_events(void)
{
        Record log = {.r = -7};
        char text[3000] = "[Claim x]\n";

        check_events("", "");
        check_events("\n\n# nothing\n", "");
        check_events("[Claim x]\nMatch=1\nMatch=2", "1 header Claim x\n2 entry Match=1\n"
                                                    "3 entry Match=2\n");
        check_events("\xef\xbb\xbf[Claim x]\r\nMatch=1\r\n", "1 header Claim x\n2 entry Match=1\n");
        check_events("Match=1\n[Claim x]\n", "1 unusable Match=1\n2 header Claim x\n");
        check_events("[X-a]\nMatch=1\n[Claim x]\nMatch=2\n",
                "1 header X-a\n2 unusable Match=1\n3 header Claim x\n4 entry Match=2\n");
        /* inih alone would give line 4 to claim a. */
        check_events("[Claim a]\nMatch=1\n[Claim b\nMatch=2\n[Claim a]\n",
                "1 header Claim a\n2 entry Match=1\n"
                "3 header Claim b: this section header is never closed\n"
                "4 unusable Match=2\n5 header Claim a\n");
        /* … and would append line 3 to the key of line 2. */
        check_events("[Claim a]\nMatch=1\n Driver=x\nMatch=3\n",
                "1 header Claim a\n2 entry Match=1\n"
                "3 unusable Driver=x: an indented line: keys and sections begin in column 1\n"
                "4 entry Match=3\n");

        /* … and would take the tail of a long line for a line of its own. */
        for (unsigned i = 0; i < 20; i++)
                strcat(text, "          ");
        memcpy(text + 10, "Driver=x", 8);
        strcat(text, "\nMatch=1\n");
        memcpy(text + 10 + 199 - 8, " Match=2", 8);
        memset(&log, 0, sizeof(log));
        ASSERT_OK(read_text(text, strlen(text), &log));
        ASSERT_CONTAINS(log.text, "2 unusable Driver=");
        ASSERT_CONTAINS(log.text, ": this line is longer than 197 bytes\n3 entry Match=1\n");
        ASSERT_TRUE(!strstr(log.text, "\nMatch=2"));

        log = (Record){.r = -7};
        ASSERT_EQ(read_text("[a]\nb=1\nc=2\n", 12, &log), -7);
        ASSERT_STREQ(log.text, "1 header a\n2 entry b=1\n");
}

/* The longest lines, names and keys that we let through are handed on whole. */
static void test_longest(void)
{
        char text[1000] = "[PhysicalFunction abcdefghijklmnopqrstuvwxyz012345]\n", *p;
        Record log = {};

        p = text + strlen(text);
        memset(p, 'k', 49);
        p[49] = '=';
        memset(p + 50, 'v', 147);
        strcpy(p + 197, "\r\n");
        ASSERT_OK(read_text(text, strlen(text), &log));
        ASSERT_CONTAINS(log.text, "2 entry kkkk");
        ASSERT_TRUE(!strstr(log.text, "unusable"));
        ASSERT_EQ(strlen(strchr(log.text, '\n') + 1), strlen("2 entry ") + 197 + 1);
}

int main(void)
{
        test_lines();
        test_length();
        test_events();
        test_longest();
        return EXIT_SUCCESS;
}
