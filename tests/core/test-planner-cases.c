/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/config-load.h"
#include "core/planner.h"
#include "lib/snapshot-text.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

#include <fcntl.h>
#include <sys/stat.h>

/* One golden case: a folder with `machine`, `vfio-bind.conf` and `expected`. Run with the folder
 * as argument; with UPDATE_GOLDEN=1 in the environment `expected` is written instead. */

static char *read_case(int directory, const char *name, bool optional)
{
        char *text = NULL;
        int r = read_file_at(directory, name, 1 << 20, &text, NULL);

        if (optional && r < 0)
                return strdup("");
        ASSERT_OK(r);
        return text;
}

int main(int argc, char **argv)
{
        _cleanup_close_ int directory = -1;
        _cleanup_free_ char *machine_text = NULL, *config_text = NULL, *expected = NULL;
        _cleanup_free_ char *result = NULL;
        _cleanup_config_ Config *config = NULL;
        _cleanup_text_machine_ TextMachine machine = {};
        _cleanup_plan_ Plan *plan = NULL;

        ASSERT_EQ(argc, 2);
        directory = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_TRUE(directory >= 0);
        machine_text = read_case(directory, "machine", false);
        config_text = read_case(directory, "vfio-bind.conf", false);
        expected = read_case(directory, "expected", true);

        ASSERT_OK(config_load_text("vfio-bind.conf", config_text, strlen(config_text), &config));
        text_machine_parse(machine_text, config, &machine);
        if (machine.next_boot)
                ASSERT_OK(planner_plan_next_boot(machine.snapshot, config, machine.request.prune,
                        &plan));
        else
                ASSERT_OK(planner_plan(machine.snapshot, config, &machine.request, &plan));
        ASSERT_OK(plan_format(plan, &result));

        if (getenv("UPDATE_GOLDEN")) {
                ASSERT_OK(write_file_atomic_at(directory, "expected", result, strlen(result), 0644));
                return 0;
        }
        if (!streq(result, expected)) {
                fprintf(stderr, "--- expected\n%s--- got\n%s", expected, result);
                return 1;
        }
        return 0;
}
