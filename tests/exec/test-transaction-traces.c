/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every operation of every kind of plan, in its order, compared with traces/NAME.txt.
 * UPDATE_TRACES=1 writes these files anew. */
#include <fcntl.h>

#include "lib/test.h"
#include "scenarios.h"
#include "util/io.h"
#include "util/strings.h"

static void compare(const char *directory, const char *name, const char *got)
{
        _cleanup_free_ char *path = NULL, *wanted = NULL;

        ASSERT_OK(format_string(&path, "%s/%s.txt", directory, name));
        if (getenv("UPDATE_TRACES")) {
                ASSERT_OK(write_file_atomic_at(AT_FDCWD, path, got, strlen(got), 0644));
                return;
        }
        ASSERT_OK(read_file_at(AT_FDCWD, path, 64 * 1024, &wanted, NULL));
        ASSERT_STREQ(got, wanted);
}

static void run(const char *directory, const Scenario *scenario)
{
        _cleanup_stand_ Stand stand = {};
        _cleanup_free_ char *outcome = NULL, *text = NULL;
        GroupReport report;

        stand_set_up(&stand, scenario);
        stand.kernel->keep_trace = true;
        ASSERT_OK(transaction_run(&stand.group, &stand.options, &stand.operations, &report));
        ASSERT_STREQ(stand.kernel->violations, "");
        outcome = stand_format(&stand, &report);
        ASSERT_OK(format_string(&text, "%s\n%s", stand.kernel->trace, outcome));
        compare(directory, scenario->name, text);
        group_report_done(&report);
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 2);
        for (size_t i = 0; i < n_scenarios; i++)
                run(argv[1], &scenarios[i]);
        return 0;
}
