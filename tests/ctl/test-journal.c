/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/journal.h"
#include "lib/test.h"
#include "util/io.h"

/* Run with a folder of journals, which make-journal.py writes: ten entries, one a second, of which
 * six are readable lines of 0000:01:00.0 by root, and the last is by somebody else. */

#define FIRST_USEC 1790000000000000

static const char *folder;

static PciAddress address_of(const char *text)
{
        PciAddress address;

        ASSERT_OK(pci_address_parse(text, &address));
        return address;
}

static JournalLines read_lines(const char *directory, const char *text, size_t maximum)
{
        PciAddress address = address_of(text);
        JournalLines lines;

        ASSERT_OK(journal_read(directory, &address, maximum, &lines));
        return lines;
}

static void expect(const JournalLines *lines, size_t i, unsigned second, int priority,
        const char *message)
{
        ASSERT_TRUE(i < lines->n_items);
        ASSERT_EQ(lines->items[i].time_usec, FIRST_USEC + second * USEC_PER_SEC);
        ASSERT_EQ(lines->items[i].priority, priority);
        ASSERT_STREQ(lines->items[i].message, message);
}

/* Anybody can write to the journal, with any field but those that begin with "_". What says nothing
 * is no line; what has no priority that syslog(3) knows is information. */
static void test_all(void)
{
        _cleanup_journal_lines_ JournalLines lines = read_lines(folder, "0000:01:00.0", 10);

        ASSERT_EQ(lines.n_items, 6);
        expect(&lines, 0, 0, 6, "one");
        expect(&lines, 1, 2, 3, "two");
        expect(&lines, 2, 4, 6, "without a priority");
        expect(&lines, 3, 5, 6, "with a bad priority");
        expect(&lines, 4, 7, 4, "of\ntwo lines");
        expect(&lines, 5, 8, 5, "last");
}

static void test_latest(void)
{
        _cleanup_journal_lines_ JournalLines lines = read_lines(folder, "0000:01:00.0", 2);

        ASSERT_EQ(lines.n_items, 2);
        expect(&lines, 0, 7, 4, "of\ntwo lines");
        expect(&lines, 1, 8, 5, "last");

        /* an entry without a message does not count */
        _cleanup_journal_lines_ JournalLines more = read_lines(folder, "0000:01:00.0", 3);

        ASSERT_EQ(more.n_items, 3);
        expect(&more, 0, 5, 6, "with a bad priority");
}

static void test_another_function(void)
{
        _cleanup_journal_lines_ JournalLines other = read_lines(folder, "0000:01:00.1", 10);
        _cleanup_journal_lines_ JournalLines none = read_lines(folder, "0000:01:00.2", 10);

        ASSERT_EQ(other.n_items, 1);
        expect(&other, 0, 1, 3, "of another function");
        ASSERT_EQ(none.n_items, 0);
}

static void test_no_journal(void)
{
        _cleanup_journal_lines_ JournalLines lines =
                read_lines("/nonexistent", "0000:01:00.0", 10);

        ASSERT_EQ(lines.n_items, 0);
}

/* A journal that is cut off after 64 bytes, and one that is none. */
static void test_broken(void)
{
        char directory[] = "/tmp/test-journal-XXXXXX";
        _cleanup_close_ int source = -1, target = -1;
        _cleanup_free_ char *text = NULL;

        ASSERT_TRUE(mkdtemp(directory));
        source = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        target = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(read_file_at(source, "functions.journal", 1 << 20, &text, NULL));
        for (size_t i = 0; i < 2; i++) {
                const char *name = i == 0 ? "cut.journal" : "none.journal";
                int fd = openat(target, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

                ASSERT_TRUE(fd >= 0);
                ASSERT_EQ(write(fd, i == 0 ? text : directory, i == 0 ? 64 : 16), i == 0 ? 64 : 16);
                ASSERT_OK(close(fd));
        }
        _cleanup_journal_lines_ JournalLines lines = read_lines(directory, "0000:01:00.0", 10);

        ASSERT_EQ(lines.n_items, 0);
        ASSERT_OK(unlinkat(target, "cut.journal", 0));
        ASSERT_OK(unlinkat(target, "none.journal", 0));
        ASSERT_OK(rmdir(directory));
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 2);
        folder = argv[1];
        test_all();
        test_latest();
        test_another_function();
        test_no_journal();
        test_broken();
        return 0;
}
