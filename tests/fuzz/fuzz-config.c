/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "config/config-load.h"
#include "lib/test.h"
#include "util/strings.h"

/* Any bytes as a configuration file: it is read to its end, what came of it is consistent, and a
 * reload to it and away from it is too. */

const char *const fuzz_dictionary[] = {"\n[Defaults]\n", "\n[Claim a]\n", "\n[Claim b]\n",
        "\n[PhysicalFunction n]\n", "\n[X-a]\n", "\nMatch=", "\nExclude=", "\nDriver=",
        "\nCompanions=", "\nNodeUser=", "\nNodeGroup=", "\nNodeMode=", "\nOnDrift=", "\nTimeout=",
        "\nBootTimeout=", "\nAllowInUse=", "\nEnabled=", "\nNumVFs=", "\nHostVFs=", "01:00.0",
        "10de:2482", "class=03", "pf=n", "vf=0-", "name=x.*y", "expect=10de:2482", " ; ", " # ",
        "\xef\xbb\xbf", NULL};

static void check_location(const Config *config, const Location *location)
{
        bool found = !location->file;

        for (char **file = config->files; file && *file; file++)
                found = found || *file == location->file;
        for (char **file = config->more_files; file && *file; file++)
                found = found || *file == location->file;
        ASSERT_TRUE(found);
}

static void check_matches(const Config *config, Match *const *matches, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                check_location(config, &matches[i]->location);
                ASSERT_TRUE(matches[i]->n_terms > 0);
                ASSERT_TRUE(!find_unprintable(matches[i]->text));
        }
}

static void check_config(const Config *config)
{
        ASSERT_EQ(strlen(config->digest), 16);
        (void) config_needed_facts(config);
        check_matches(config, config->excludes, config->n_excludes);
        for (size_t i = 0; i < config->n_claims; i++) {
                const Claim *claim = &config->claims[i];

                ASSERT_TRUE(config_name_is_valid(claim->name));
                ASSERT_TRUE(config_find_claim(config, claim->name) == claim);
                ASSERT_TRUE(claim->has_error || claim->n_matches > 0);
                ASSERT_TRUE(!claim->has_error || config->diagnostics.n_errors > 0);
                ASSERT_EQ(claim->settings.node_mode & ~0660U, 0);
                ASSERT_EQ(claim->allow_in_use & 1U << IN_USE_SYSTEM, 0);
                ASSERT_TRUE(claim->settings.timeout_usec > 0);
                check_location(config, &claim->location);
                check_matches(config, claim->matches, claim->n_matches);
                check_matches(config, claim->excludes, claim->n_excludes);
        }
        for (size_t i = 0; i < config->n_physical_functions; i++) {
                const PhysicalFunction *function = &config->physical_functions[i];

                ASSERT_TRUE(config_name_is_valid(function->name));
                ASSERT_TRUE(function->has_error || function->n_matches > 0);
                check_matches(config, function->matches, function->n_matches);
        }
        for (size_t i = 0; i < config->diagnostics.n_items; i++) {
                const Diagnostic *diagnostic = &config->diagnostics.items[i];
                char *text;

                check_location(config, &diagnostic->location);
                ASSERT_TRUE(!find_unprintable(diagnostic->message));
                ASSERT_OK(diagnostic_format(diagnostic, &text));
                free(text);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char good[] = "[Defaults]\nExclude=class=02\nTimeout=3\n"
                                   "[Claim a]\nMatch=01:00.0\nMatch=name=\"x.*y\"\n"
                                   "[PhysicalFunction n]\nMatch=06:00.0\n";
        _cleanup_config_ Config *config = NULL, *again = NULL, *before = NULL, *after = NULL;

        ASSERT_OK(config_load_text("fuzz", (const char *) data, size, &config));
        ASSERT_OK(config_load_text("fuzz", (const char *) data, size, &again));
        check_config(config);
        ASSERT_STREQ(config->digest, again->digest);

        ASSERT_OK(config_load_text("before", good, strlen(good), &before));
        ASSERT_OK(config_merge_last_good(before, config));
        check_config(config);
        const Claim *claim = config_find_claim(config, "a");
        ASSERT_TRUE(!claim || !claim->has_error);

        ASSERT_OK(config_load_text("after", "[Claim a]\nbad\n", 14, &after));
        ASSERT_OK(config_merge_last_good(again, after));
        check_config(after);
        return 0;
}
