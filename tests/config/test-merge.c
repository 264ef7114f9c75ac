/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include "config/config-load.h"
#include "lib/config-text.h"
#include "util/strings.h"

/* A reload with errors keeps the last good version of the claims concerned. */

static Config *load(const char *file, const char *text)
{
        Config *config = NULL;

        ASSERT_OK(config_load_text(file, text, strlen(text), &config));
        return config;
}

static const struct {
        const char *old, *new, *merged;
} cases[] = {
        /* no errors: the new one as it is */
        {"[Claim a]\nMatch=01:00.0\n[Claim gone]\nMatch=02:00.0\n",
                "[Claim a]\nMatch=03:00.0\n", "claim a: 03:00.0\n"},
        /* an error: as it was, all of it */
        {"[Claim a]\nMatch=01:00.0\nMatch=name=\"x.*y\"\nExclude=class=02\nAllowInUse=display\n"
         "Driver=auto\nTimeout=3\nEnabled=no\n",
                "[Claim a]\nMatch=03:00.0\nDriver=no/driver\n[Claim b]\nMatch=04:00.0\n",
                "claim a enabled=no allow=8 Driver=auto Timeout=3000000us: 01:00.0 | name=\"x.*y\" "
                "- class=02\nclaim b: 04:00.0\n"},
        /* never good: stays out */
        {"[Claim a]\nMatch=01:00.0\nbad\n", "[Claim a]\nMatch=02:00.0\nbad\n",
                "claim a error: 02:00.0\n"},
        {"", "[Claim a]\nMatch=02:00.0\nbad\n", "claim a error: 02:00.0\n"},
        /* a claim that is out because of [Defaults], and the [Defaults] themselves */
        {"[Defaults]\nDriver=auto\nExclude=05:00.0\nBootTimeout=3\n[Claim a]\nMatch=01:00.0\n",
                "[Defaults]\nDriver=no/driver\nExclude=06:00.0\n[Claim a]\nMatch=01:00.0\n",
                "exclude: 06:00.0 | 05:00.0\nBootTimeout=3000000us\n"
                "claim a Driver=auto: 01:00.0\n"},
        {"[Defaults]\nExclude=05:00.0\n", "[Defaults]\nExclude=05:00.0\nbad\n",
                "exclude: 05:00.0\n"},
        /* good [Defaults] are taken as they are */
        {"[Defaults]\nExclude=05:00.0\n", "[Defaults]\nExclude=06:00.0\n[Claim a]\nbad\n",
                "exclude: 06:00.0\nclaim a error\n"},
        {"[PhysicalFunction n]\nMatch=06:00.0\nNumVFs=4\nHostVFs=leave\nTimeout=9\n",
                "[PhysicalFunction n]\nMatch=06:00.0\nNumVFs=x\n",
                "pf n NumVFs=4 HostVFs=leave Timeout=9000000us: 06:00.0\n"},
};

static void test_cases(void)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Config *old = load("old", cases[i].old);
                _cleanup_config_ Config *new = load("new", cases[i].new);
                size_t n_diagnostics = new->diagnostics.n_items;

                ASSERT_OK(config_merge_last_good(old, new));
                config_free(old); /* nothing may point there */
                _cleanup_free_ char *text = config_to_text(new);
                ASSERT_STREQ(text, cases[i].merged);
                ASSERT_EQ(new->diagnostics.n_items, n_diagnostics);
        }
}

/* Once good is good for any number of broken reloads, until a good one says otherwise. */
static void test_again(void)
{
        static const char *const texts[] = {"[Claim a]\nMatch=x\n", "[Claim a\n",
                "[Claim a]\nMatch=02:00.0\nDriver=\nFoo=1\n"};
        Config *config = load("good", "[Claim a]\nMatch=01:00.0\n");

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                Config *new = load("bad", texts[i]);

                ASSERT_OK(config_merge_last_good(config, new));
                config_free(config);
                config = new;
                ASSERT_TRUE(!config->claims[0].has_error);
                ASSERT_STREQ(config->claims[0].matches[0]->text, "01:00.0");
                ASSERT_STREQ(config->claims[0].location.file, "good");
                ASSERT_STREQ(config->claims[0].matches[0]->location.file, "good");
                ASSERT_EQ(config->claims[0].matches[0]->location.line, 2);
                ASSERT_TRUE(config->diagnostics.n_errors > 0);
        }
        Config *new = load("good", "[Claim a]\nMatch=03:00.0\n");
        ASSERT_OK(config_merge_last_good(config, new));
        ASSERT_STREQ(new->claims[0].matches[0]->text, "03:00.0");
        config_free(config);
        config_free(new);
}

/* A file that cannot be read may be the one that has the claim. */
static void test_incomplete(void)
{
        Config *old = load("old", "[Claim a]\nMatch=01:00.0\n[PhysicalFunction n]\nMatch=02:00.0\n"
                                  "[Claim b]\nMatch=bad\n");
        _cleanup_config_ Config *new = load("new", "");

        new->incomplete = true;
        ASSERT_OK(config_merge_last_good(old, new));
        config_free(old);
        _cleanup_free_ char *text = config_to_text(new);
        ASSERT_STREQ(text, "claim a: 01:00.0\npf n: 02:00.0\n");
}

/* The digest is that of what counts now. */
static void test_digest(void)
{
        _cleanup_config_ Config *old = load("old", "[Claim a]\nMatch=01:00.0\n"),
                                *new = load("new", "[Claim a]\nMatch=02:00.0\nbad\n");

        ASSERT_TRUE(!streq(old->digest, new->digest));
        ASSERT_OK(config_merge_last_good(old, new));
        ASSERT_STREQ(old->digest, new->digest);
}

int main(void)
{
        test_cases();
        test_again();
        test_incomplete();
        test_digest();
        return EXIT_SUCCESS;
}
