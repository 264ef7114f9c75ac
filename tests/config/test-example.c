/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <fcntl.h>

#include "config/config-load.h"
#include "lib/config-text.h"
#include "util/io.h"
#include "util/strings.h"

/* The example that we install: as it is it does nothing; with every '#' that stands before a key
 * or a section taken off, it is right, and its [Defaults] are the built-in ones. */

static void uncomment(char *text)
{
        char *out = text;

        for (char *p = text; *p; p++) {
                bool at_start = p == text || p[-1] == '\n';

                if (at_start && *p == '#' && (p[1] == '[' || (p[1] >= 'A' && p[1] <= 'Z')))
                        continue;
                *out++ = *p;
        }
        *out = '\0';
}

int main(int argc, char **argv)
{
        _cleanup_config_ Config *config = NULL, *used = NULL, *builtin = NULL;
        _cleanup_free_ char *text = NULL, *said = NULL;
        size_t length;

        ASSERT_EQ(argc, 2);
        ASSERT_OK(read_file_at(AT_FDCWD, argv[1], 65536, &text, &length));
        ASSERT_OK(config_new(&builtin));

        ASSERT_OK(config_load_text("example", text, length, &config));
        ASSERT_EQ(config->diagnostics.n_items, 0);
        ASSERT_STREQ(config->digest, builtin->digest);

        uncomment(text);
        ASSERT_OK(config_load_text("example", text, strlen(text), &used));
        said = diagnostics_to_text(used);
        ASSERT_STREQ(said, "");
        ASSERT_EQ(used->n_claims, 4);
        ASSERT_EQ(used->n_physical_functions, 1);
        ASSERT_EQ(used->n_excludes, 2);
        ASSERT_EQ(used->boot_timeout_usec, builtin->boot_timeout_usec);
        ASSERT_STREQ(used->defaults.driver, builtin->defaults.driver);
        ASSERT_EQ(used->defaults.companions, builtin->defaults.companions);
        ASSERT_STREQ(used->defaults.node_user, builtin->defaults.node_user);
        ASSERT_STREQ(used->defaults.node_group, builtin->defaults.node_group);
        ASSERT_EQ(used->defaults.node_mode, builtin->defaults.node_mode);
        ASSERT_EQ(used->defaults.on_drift, builtin->defaults.on_drift);
        ASSERT_EQ(used->defaults.timeout_usec, builtin->defaults.timeout_usec);
        return EXIT_SUCCESS;
}
