/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/array.h"
#include "util/buffer.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

#define UNTOUCHED UINT64_C(0x5a5a)

static void test_array(void)
{
        _cleanup_free_ uint64_t *list = NULL;

        for (size_t n = 0; n < 1000; n++) {
                ASSERT_OK(ARRAY_GROW(list, n));
                ASSERT_EQ(list[n], 0);
                list[n] = n + 1;
        }
        for (size_t n = 0; n < 1000; n++)
                ASSERT_EQ(list[n], n + 1);
}

static void test_array_of_impossible_size(void)
{
        char dummy[1];
        void *array = dummy;

        ASSERT_EQ(array_grow(&array, (size_t) 1 << 62, 16), -ENOMEM);
        ASSERT_TRUE(array == dummy);
}

static void test_buffer(void)
{
        _cleanup_buffer_ Buffer buffer = {};
        char *text;

        ASSERT_OK(buffer_finish(&buffer, &text));
        ASSERT_STREQ(text, "");
        free(text);

        for (unsigned i = 0; i < 300; i++)
                buffer_printf(&buffer, "%u,", i % 10);
        buffer_printf(&buffer, "%0400d", 7);
        buffer_append_length(&buffer, "a\0b", 3);
        buffer_append(&buffer, "end");
        ASSERT_EQ(buffer.length, 600 + 400 + 3 + 3);
        ASSERT_OK(buffer_finish(&buffer, &text));
        ASSERT_EQ(text[999], '7');
        ASSERT_EQ(text[1000], 'a');
        ASSERT_STREQ(text + 1002, "bend");
        ASSERT_TRUE(!buffer.text);
        free(text);
}

static void test_unsigned(void)
{
        static const struct {
                const char *text;
                uint64_t maximum;
                int r;
                uint64_t value;
        } cases[] = {
                {"0", 0, 0, 0},
                {"7", 10, 0, 7},
                {"007", 10, 0, 7},
                {"10", 10, 0, 10},
                {"11", 10, -ERANGE, 0},
                {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
                {"18446744073709551616", UINT64_MAX, -ERANGE, 0},
                {"99999999999999999999999", UINT64_MAX, -ERANGE, 0},
                {"99999999999999999999999x", UINT64_MAX, -EINVAL, 0},
                {"", 10, -EINVAL, 0},
                {" 1", 10, -EINVAL, 0},
                {"1 ", 10, -EINVAL, 0},
                {"+1", 10, -EINVAL, 0},
                {"-1", 10, -EINVAL, 0},
                {"0x1", 10, -EINVAL, 0},
                {"1.5", 10, -EINVAL, 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t value = UNTOUCHED;

                ASSERT_EQ(parse_unsigned(cases[i].text, cases[i].maximum, &value), cases[i].r);
                ASSERT_EQ(value, cases[i].r < 0 ? UNTOUCHED : cases[i].value);
        }
}

static void test_hex(void)
{
        static const struct {
                const char *text;
                size_t digits;
                int r;
                uint64_t value;
        } cases[] = {
                {"10de", 4, 0, 0x10de},
                {"10DE", 4, 0, 0x10de},
                {"10d", 4, -EINVAL, 0},
                {"10dee", 4, -EINVAL, 0},
                {"f", 0, 0, 0xf},
                {"ffffffffffffffff", 16, 0, UINT64_MAX},
                {"ffffffffffffffff0", 0, -ERANGE, 0},
                {"", 0, -EINVAL, 0},
                {"0x10", 0, -EINVAL, 0},
                {"g", 1, -EINVAL, 0},
                {"-1", 2, -EINVAL, 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t value = UNTOUCHED;

                ASSERT_EQ(parse_hex(cases[i].text, cases[i].digits, &value), cases[i].r);
                ASSERT_EQ(value, cases[i].r < 0 ? UNTOUCHED : cases[i].value);
        }
}

static void test_mode_and_boolean(void)
{
        static const char *const yes[] = {"yes", "YES", "true", "on", "1"},
                                 *const no[] = {"no", "False", "off", "0"},
                                 *const neither[] = {"", "y", "2", " yes", "yes ", "nope"};
        unsigned mode = 1;
        bool value;

        ASSERT_OK(parse_octal_mode("0660", &mode));
        ASSERT_EQ(mode, 0660);
        ASSERT_OK(parse_octal_mode("7777", &mode));
        ASSERT_EQ(mode, 07777);
        ASSERT_EQ(parse_octal_mode("10000", &mode), -ERANGE);
        ASSERT_EQ(parse_octal_mode("0668", &mode), -EINVAL);
        ASSERT_EQ(parse_octal_mode("", &mode), -EINVAL);
        ASSERT_EQ(parse_octal_mode("u=rw", &mode), -EINVAL);
        ASSERT_EQ(mode, 07777);

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                value = false;
                ASSERT_OK(parse_boolean(yes[i], &value));
                ASSERT_TRUE(value);
        }
        for (size_t i = 0; i < ELEMENTSOF(no); i++) {
                value = true;
                ASSERT_OK(parse_boolean(no[i], &value));
                ASSERT_TRUE(!value);
        }
        for (size_t i = 0; i < ELEMENTSOF(neither); i++)
                ASSERT_EQ(parse_boolean(neither[i], &value), -EINVAL);
}

static void test_timespan(void)
{
        static const struct {
                const char *text;
                int r;
                uint64_t usec;
        } cases[] = {
                {"30", 0, 30 * USEC_PER_SEC},
                {"30s", 0, 30 * USEC_PER_SEC},
                {"30 s", 0, 30 * USEC_PER_SEC},
                {"2min", 0, 120 * USEC_PER_SEC},
                {"2m", 0, 120 * USEC_PER_SEC},
                {"1min 30s", 0, 90 * USEC_PER_SEC},
                {"1min30s", 0, 90 * USEC_PER_SEC},
                {"1 minute 30 seconds", 0, 90 * USEC_PER_SEC},
                {"1h", 0, 3600 * USEC_PER_SEC},
                {"500ms", 0, 500 * USEC_PER_MSEC},
                {"7us", 0, 7},
                {"0", 0, 0},
                {"1h 1", 0, 3601 * USEC_PER_SEC},
                {"", -EINVAL, 0},
                {"s", -EINVAL, 0},
                {" 30s", -EINVAL, 0},
                {"30 parsecs", -EINVAL, 0},
                {"30S", -EINVAL, 0},
                {"-1s", -EINVAL, 0},
                {"1.5s", -EINVAL, 0},
                {"18446744073709551615us", -ERANGE, 0}, /* stands for infinity */
                {"18446744073709551615s", -ERANGE, 0},
                {"18446744073709551616us", -ERANGE, 0},
                {"18446744073709551614us 1us", -ERANGE, 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = UNTOUCHED;

                ASSERT_EQ(parse_timespan(cases[i].text, &usec), cases[i].r);
                ASSERT_EQ(usec, cases[i].r < 0 ? UNTOUCHED : cases[i].usec);
        }
}

static void test_strings(void)
{
        _cleanup_string_list_ char **list = NULL, **copy = NULL;
        _cleanup_free_ char *text = NULL;
        char blanks[] = " \t text within \r\n", empty[] = " \n";

        ASSERT_STREQ(startswith("rd.vfio", "rd."), "vfio");
        ASSERT_TRUE(!startswith("rd", "rd."));
        ASSERT_STREQ(strip(blanks), "text within");
        ASSERT_STREQ(strip(empty), "");

        ASSERT_OK(replace_string(&text, "a"));
        ASSERT_OK(replace_string(&text, "b"));
        ASSERT_STREQ(text, "b");
        ASSERT_OK(replace_string(&text, NULL));
        ASSERT_TRUE(!text);

        ASSERT_EQ(string_list_length(NULL), 0);
        ASSERT_TRUE(!string_list_contains(NULL, "a"));
        ASSERT_OK(string_list_append(&list, "a"));
        ASSERT_OK(string_list_append(&list, "b"));
        ASSERT_EQ(string_list_length(list), 2);
        ASSERT_TRUE(string_list_contains(list, "b"));
        ASSERT_OK(string_list_copy(list, &copy));
        ASSERT_EQ(string_list_length(copy), 2);
        ASSERT_TRUE(copy[0] != list[0]);
        ASSERT_TRUE(streq_null(NULL, NULL));
        ASSERT_TRUE(!streq_null("", NULL));
}

static void test_nearest(void)
{
        static const char *const words[] = {"Driver", "Companions", "NodeMode", "Match", "pf"};
        static const struct {
                const char *text, *near;
        } cases[] = {
                {"driver", "Driver"},
                {"Drvier", "Driver"},
                {"Drive", "Driver"},
                {"Companion", "Companions"},
                {"Mach", "Match"},
                {"MODE", NULL},
                {"x", NULL},
                {"", NULL},
                {"pf", "pf"},
                {"pg", NULL},
                {"Drivers that are much longer than the word, and longer than any limit, so long",
                        NULL},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ASSERT_STREQ(nearest_string(cases[i].text, words, ELEMENTSOF(words)),
                        cases[i].near);
}

static void test_unprintable(void)
{
        static const struct {
                const char *text;
                int at; /* -1: all is printable */
        } cases[] = {
                {"", -1},
                {"plain\ttext", -1},
                {"Gr\xc3\xbc\xc3\x9f"
                 "e \xe2\x82\xac \xf0\x9f\x98\x80",
                        -1},
                {"a\nb", 1},
                {"a\033[31m", 1},
                {"ab\x7f", 2},
                {"\xc2\x9b"
                 "31m",
                        0},              /* C1: control sequence introducer */
                {"a\xff", 1},
                {"a\xc3", 1},            /* cut */
                {"\xc0\xaf", 0},         /* overlong */
                {"\xe0\x80\xaf", 0},     /* overlong */
                {"\xf0\x80\x80\xaf", 0}, /* overlong */
                {"\xed\xa0\x80", 0},     /* surrogate */
                {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
                {"\xf5\x80\x80\x80", 0},
                {"\x80", 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *bad = find_unprintable(cases[i].text);

                ASSERT_EQ(bad ? bad - cases[i].text : -1, cases[i].at);
        }

        char text[] = "a\033b\xff\xc3";
        make_printable(text);
        ASSERT_STREQ(text, "a?b??");
}

static int make_directory(char path[static 32])
{
        strcpy(path, "/tmp/test-util-XXXXXX");
        ASSERT_TRUE(mkdtemp(path));
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_TRUE(fd >= 0);
        return fd;
}

static void test_files(void)
{
        char path[32], buffer[8];
        struct stat status;
        size_t length;
        char *text = NULL;
        _cleanup_close_ int directory = make_directory(path);

        umask(0077);
        ASSERT_OK(write_file_atomic_at(directory, "a", "text\n", 5, 0644));
        ASSERT_OK(fstatat(directory, "a", &status, 0));
        ASSERT_EQ(status.st_mode & 07777, 0644); /* not masked */
        ASSERT_EQ(create_file_atomic_at(directory, "a", "other", 5, 0600), -EEXIST);

        ASSERT_OK(read_file_at(directory, "a", 5, &text, &length));
        ASSERT_EQ(length, 5);
        ASSERT_STREQ(text, "text\n");
        free(text);
        text = NULL;
        ASSERT_EQ(read_file_at(directory, "a", 4, &text, &length), -EFBIG);
        ASSERT_EQ(read_file_at(directory, "b", 4, &text, &length), -ENOENT);
        ASSERT_TRUE(!text);

        ASSERT_EQ(read_attribute_at(directory, "a", buffer, sizeof(buffer)), 4);
        ASSERT_STREQ(buffer, "text");
        ASSERT_EQ(read_attribute_at(directory, "a", buffer, 6), 4);
        ASSERT_EQ(read_attribute_at(directory, "a", buffer, 5), 4); /* the newline goes anyway */
        ASSERT_EQ(read_attribute_at(directory, "a", buffer, 4), -EFBIG);
        ASSERT_EQ(read_attribute_at(directory, "b", buffer, 4), -ENOENT);

        ASSERT_OK(create_file_atomic_at(directory, "b", "", 0, 0600));
        ASSERT_EQ(read_attribute_at(directory, "b", buffer, 4), 0);
        ASSERT_OK(write_attribute_at(directory, "b", "x"));
        ASSERT_EQ(write_attribute_at(directory, "c", "x"), -ENOENT);

        ASSERT_OK(symlinkat("../../bus/pci/drivers/nvme", directory, "driver"));
        ASSERT_OK(read_link_name_at(directory, "driver", buffer, sizeof(buffer)));
        ASSERT_STREQ(buffer, "nvme");
        ASSERT_EQ(read_link_name_at(directory, "driver", buffer, 4), -ENAMETOOLONG);
        ASSERT_EQ(read_link_name_at(directory, "a", buffer, sizeof(buffer)), -ENOENT);
        ASSERT_EQ(read_link_name_at(directory, "c", buffer, sizeof(buffer)), -ENOENT);

        for (const char *const *name = (const char *const[]){"a", "b", "driver", NULL}; *name;
                name++)
                ASSERT_OK(unlinkat(directory, *name, 0));
        ASSERT_OK(rmdir(path)); /* no temporary file was left behind */
}

/* The temporary name must be beside the file, whatever directory that is. */
static void test_files_in_directories(void)
{
        char path[32];
        _cleanup_close_ int directory = make_directory(path);

        ASSERT_OK(mkdirat(directory, "sub", 0700));
        ASSERT_OK(write_file_atomic_at(directory, "sub/a", "x", 1, 0600));
        ASSERT_EQ(write_file_atomic_at(directory, "none/a", "x", 1, 0600), -ENOENT);
        ASSERT_OK(unlinkat(directory, "sub/a", 0));
        ASSERT_OK(unlinkat(directory, "sub", AT_REMOVEDIR));
        ASSERT_OK(rmdir(path));
}

static void test_large_file(void)
{
        char path[32];
        char *text;
        size_t length;
        _cleanup_close_ int directory = make_directory(path);
        static char data[100000];

        memset(data, 'x', sizeof(data));
        ASSERT_OK(write_file_atomic_at(directory, "a", data, sizeof(data), 0600));
        ASSERT_OK(read_file_at(directory, "a", sizeof(data), &text, &length));
        ASSERT_EQ(length, sizeof(data));
        ASSERT_EQ(text[length], '\0');
        free(text);
        ASSERT_EQ(read_file_at(directory, "a", sizeof(data) - 1, &text, &length), -EFBIG);
        ASSERT_OK(unlinkat(directory, "a", 0));
        ASSERT_OK(rmdir(path));
}

int main(void)
{
        test_array();
        test_array_of_impossible_size();
        test_buffer();
        test_unsigned();
        test_hex();
        test_mode_and_boolean();
        test_timespan();
        test_strings();
        test_nearest();
        test_unprintable();
        test_files();
        test_files_in_directories();
        test_large_file();
        return EXIT_SUCCESS;
}
