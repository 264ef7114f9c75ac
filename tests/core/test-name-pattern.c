/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>
#include <time.h>

#include "core/name-pattern.h"

#define STOP_WATCH_MAX 2 /* seconds; with sanitizers on a slow machine */

static const struct {
        const char *pattern, *text;
        bool matches;
} matching[] = {
        {"nvidia.*rtx 3070.*", "NVIDIA Corporation GA104 [GeForce RTX 3070]", true},
        {"NVIDIA", "NVIDIA Corporation", false}, /* the whole name */
        {"a|b", "b", true},
        {"a|b", "ab", false}, /* ^(a|b)$, not ^a|b$ */
        {"(intel|amd) .*", "Intel Corporation 82599", true},
        {"[]x[:digit:]]+", "]x7", true},
        {"[^]a]{2}", "bc", true},
        {"a{2,3}", "aaa", true},
        {"a{2,3}", "aaaa", false},
        {"a{3,}", "aaaaaaa", true},
        {"x\\{1\\}", "x{1}", true},
        {"\\(r\\) .+", "(R) x", true},
        {"[a{}+(]x", "{x", true},
        {"(a*b)*c", "aabbc", true},
        {"(a|b)*c", "abbac", true},
        {"((a|b*)c)+", "bbcac", true},
        {"(a?b?){3}c", "abc", true},
        {"(ab){16}", "abababababababababababababababab", true},
};

static const struct {
        const char *pattern, *problem;
} refused[] = {
        {"", "is empty"},
        {".*", "matches the empty string"},
        {"a*", "matches the empty string"},
        {"a?", "matches the empty string"},
        {"a|", "matches the empty string"},
        {"()", "matches the empty string"},
        {"a{0,4}", "matches the empty string"},
        {".+", "matches everything"},
        {"..*", "matches everything"},
        {".+ .+", "matches everything"},
        {".*.", "matches everything"},
        {".{3,}", "matches everything"},
        {"[^~]+", "matches everything"},
        {"a|.+", "matches everything"},
        {".{16}.*", "matches everything"},
        {"(a)\\1", "has a back-reference"},
        {"(a)|(b)\\2", "has a back-reference"},
        {"a\\", "ends in a lone backslash"},
        {"a)|(b", "has a ')' without its '('"},
        {"(a", "has a '(' without its ')'"},
        {"[a", "has a '[' without its ']'"},
        {"[]", "has a '[' without its ']'"},
        {"[[:alpha:", "has a '[' without its ']'"},
        {"[[:foo:]]", "names an unknown character class"},
        {"a{17}", "has a bound above 16"},
        {"a{1,99999}", "has a bound above 16"},
        {"a{3,2}", "has a bound whose end is below its beginning"},
        {"(a{2}b){3}", "has a bound within a bound"},
        {"a{2}{3}", "has a bound within a bound"},
        {"((a{2}))+{3}", "has a bound within a bound"},
        {"a{", "has a '{' that begins no bound"},
        {"a{x}", "has a '{' that begins no bound"},
        {"a{,}", "has a '{' that begins no bound"},
        {"(a*)*b", "repeats something that can be empty"},
        {"(a|b*)+c", "repeats something that can be empty"},
        {"(a?b?){2,}c", "repeats something that can be empty"},
        {"(()+)+{16}", "repeats something that can be empty"}, /* hung in regcomp() */
        {"(a|)*b", "repeats something that can be empty"},
        {"(|a)+b", "repeats something that can be empty"},
        {"(\\b)*a", "repeats something that can be empty"},
        {"(^)*a", "repeats something that can be empty"},
        {"a**b", "repeats something that can be empty"},
        {"((a*)(b?))*c", "repeats something that can be empty"},
        {"*a", "repeats nothing"},
        {"a|*b", "repeats nothing"},
        {"({2}a)", "repeats nothing"},
        {"a^{2}b", "repeats nothing"},
        {"[z-a]", "has a range whose end is below its beginning"},
};

static void check_refused(const char *pattern, const char *wanted)
{
        const char *problem = NULL;
        regex_t *regex = NULL;

        int r = name_pattern_compile(pattern, &regex, &problem);
        if (r != -EINVAL)
                fprintf(stderr, "accepted: %s\n", pattern);
        ASSERT_EQ(r, -EINVAL);
        ASSERT_TRUE(!regex);
        ASSERT_CONTAINS(problem, wanted);
}

static void repeat(char *text, size_t n, const char *part)
{
        *text = '\0';
        for (size_t i = 0; i < n; i++)
                strcat(text, part);
}

/* Patterns that make regcomp() or regexec() explode are refused before either is asked, and those
 * at the limit answer at once on text made to hurt. */
static void test_bounds(void)
{
        static char text[512];
        char pattern[1024], part[512];
        const char *problem;
        regex_t *regex;

        repeat(pattern, 129, "a");
        check_refused(pattern, "is longer than 128 bytes");

        repeat(pattern, 30, "(");
        strcat(pattern, "a");
        repeat(part, 30, "+)");
        strcat(pattern, part);
        check_refused(pattern, "repeats too much");

        repeat(pattern, 100, "a");
        memmove(pattern + 1, pattern, 100);
        strcpy(pattern + 101, "){16}");
        *pattern = '(';
        check_refused(pattern, "repeats too much");

        static const char *const hard[] = {
                "(a|aa|aaa|aaaa|aaaaa|a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a)*b",
                "(aa*)*(aa*)*(aa*)*(aa*)*(aa*)*(aa*)*(aa*)*(aa*)*(aa*)*(aa*)*b",
                "((((((((aa*)?)?)?)?)?)?)?)?b",
                "(a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?){16}b",
                ".*a.{16}b", ".*a(..............){16}b",
                "(x+x+)+y", "([a-z]+)+[0-9]", "(((((a+)+)+)+)+)+b",
                "(.*a){15}b",
        };
        clock_t start = clock();
        memset(text, 'a', sizeof(text) - 1);
        for (size_t i = 0; i < ELEMENTSOF(hard); i++) {
                ASSERT_OK(name_pattern_compile(hard[i], &regex, &problem));
                ASSERT_TRUE(regexec(regex, text, 0, NULL, 0) != 0);
                name_pattern_free(regex);
        }
        ASSERT_TRUE((clock() - start) / CLOCKS_PER_SEC < STOP_WATCH_MAX);
}

int main(void)
{
        const char *problem;
        regex_t *regex;

        for (size_t i = 0; i < ELEMENTSOF(matching); i++) {
                ASSERT_OK(name_pattern_compile(matching[i].pattern, &regex, &problem));
                ASSERT_EQ(regexec(regex, matching[i].text, 0, NULL, 0) == 0, matching[i].matches);
                name_pattern_free(regex);
        }
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                check_refused(refused[i].pattern, refused[i].problem);
        test_bounds();
        return EXIT_SUCCESS;
}
