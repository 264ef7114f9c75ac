/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/text.h"

#include "lib/test.h"
#include "util/strings.h"

static void expect_printable(const char *text, bool ascii, const char *wanted)
{
        _cleanup_free_ char *printable = text_printable(text, ascii);

        ASSERT_STREQ(printable, wanted);
        ASSERT_TRUE(!find_unprintable(printable));
}

static void test_printable(void)
{
        expect_printable("GA104 [GeForce RTX 3070]", false, "GA104 [GeForce RTX 3070]");
        expect_printable("a\tb\nc\rd", false, "a b c d");
        expect_printable("\x1b]0;evil\x07", false, "?]0;evil?");
        expect_printable("\xc2\x9b" "31m", false, "?31m"); /* U+009B, CSI in one character */
        expect_printable("\xe2\x80\xae" "abc", false, "?abc"); /* right-to-left override */
        expect_printable("\xef\xbb\xbf", false, "?");
        expect_printable("Intel\xc2\xae", false, "Intel\xc2\xae");
        expect_printable("Intel\xc2\xae", true, "Intel?");
        expect_printable("\xff\xfe", false, "??");
        expect_printable("\xc0\xaf", false, "??");         /* overlong */
        expect_printable("\xed\xa0\x80", false, "???");    /* surrogate */
        expect_printable("\xf4\x90\x80\x80", false, "????"); /* beyond 10FFFF */
        expect_printable("cut \xe2\x80", false, "cut ??");
        expect_printable("", false, "");
}

static void test_width(void)
{
        ASSERT_EQ(text_width(""), 0);
        ASSERT_EQ(text_width("abc"), 3);
        ASSERT_EQ(text_width("caf\xc3\xa9"), 4);
        ASSERT_EQ(text_width("cafe\xcc\x81"), 4);         /* combining */
        ASSERT_EQ(text_width("\xe6\xbc\xa2\xe5\xad\x97"), 4); /* two wide ones */
}

static void expect_cut(const char *text, size_t width, bool ascii, const char *wanted)
{
        _cleanup_free_ char *cut = text_cut(text, width, ascii);

        ASSERT_STREQ(cut, wanted);
        ASSERT_TRUE(text_width(cut) <= width);
}

static void test_cut(void)
{
        expect_cut("abcdef", 6, false, "abcdef");
        expect_cut("abcdef", 5, false, "abcd\xe2\x80\xa6");
        expect_cut("abcdef", 1, false, "\xe2\x80\xa6");
        expect_cut("abcdef", 0, false, "");
        expect_cut("abcdef", 5, true, "ab...");
        expect_cut("abcdef", 2, true, "ab");
        expect_cut("\xe6\xbc\xa2\xe5\xad\x97", 3, false, "\xe6\xbc\xa2\xe2\x80\xa6");
        expect_cut("\xe6\xbc\xa2\xe5\xad\x97", 2, false, "\xe2\x80\xa6");
}

static void expect_wrapped(const char *text, size_t used, size_t indent, size_t width,
        const char *wanted)
{
        _cleanup_free_ char *wrapped = NULL;
        Buffer buffer = {};

        text_wrap(&buffer, text, used, indent, width);
        ASSERT_OK(buffer_finish(&buffer, &wrapped));
        ASSERT_STREQ(wrapped, wanted);
}

static void test_wrap(void)
{
        expect_wrapped("one two three", 0, 2, SIZE_MAX, "one two three\n");
        expect_wrapped("one two three", 0, 2, 13, "one two three\n");
        expect_wrapped("one two three", 0, 2, 12, "one two\n  three\n");
        expect_wrapped("one two three", 0, 2, 5, "one\n  two\n  thr\n  ee\n");
        expect_wrapped("one two", 4, 4, 8, "one\n    two\n");
        expect_wrapped("/a/very/long/path x", 0, 2, 8, "/a/very/\n  long/p\n  ath x\n");
        expect_wrapped("", 0, 2, 10, "\n");
        /* whatever the width, it ends and nothing is left out */
        expect_wrapped("abc", 5, 2, 1, "\na\nb\nc\n");
        expect_wrapped("\xe6\xbc\xa2\xe5\xad\x97", 0, 0, 1, "\xe6\xbc\xa2\n\xe5\xad\x97\n");
}

int main(void)
{
        test_printable();
        test_width();
        test_cut();
        test_wrap();
        return 0;
}
