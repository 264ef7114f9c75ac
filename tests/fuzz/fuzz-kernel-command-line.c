/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "core/config.h"
#include "host/kernel-command-line.h"
#include "lib/test.h"
#include "util/strings.h"

/* Any bytes as /proc/cmdline, at each stage. */

const char *const fuzz_dictionary[] = {"vfio_bindd=", "vfio-bindd=", "rd.vfio_bindd=", "on", "off",
        "plan", "vfio_bindd.skip=", "gaming-gpu,lab", "single", "rescue", "emergency", "-b", "1",
        "rd.rescue", "systemd.unit=", "rd.systemd.unit=", "rescue.target", "emergency.target",
        "elfcorehdr=0x1", "\"", "=", " ", "\t", "--", "root=/dev/vda1 ro quiet ", NULL};

static void check_line(const KernelCommandLine *line)
{
        size_t n = string_list_length(line->skip);

        ASSERT_TRUE(line->mode == SWITCH_ON || line->mode == SWITCH_PLAN ||
                line->mode == SWITCH_OFF);
        ASSERT_TRUE(line->mode == SWITCH_ON || line->why);
        ASSERT_TRUE(!line->why || !find_unprintable(line->why));
        ASSERT_TRUE(n <= 256);
        for (size_t i = 0; i < n; i++)
                ASSERT_TRUE(config_name_is_valid(line->skip[i]));
}

static Switch parse(const char *text, Stage stage)
{
        _cleanup_kernel_command_line_ KernelCommandLine line = {};

        ASSERT_OK(kernel_command_line_parse(text, stage, &line));
        check_line(&line);
        return line.mode;
}

static Switch parse_after(const char *word, const char *text, Stage stage)
{
        _cleanup_free_ char *whole = NULL;

        ASSERT_OK(format_string(&whole, "%s %s", word, text));
        return parse(whole, stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *) data, size);

        ASSERT_TRUE(text);
        for (Stage stage = 0; stage < _STAGE_MAX; stage++) {
                Switch mode = parse(text, stage);

                /* nothing that follows takes these back */
                ASSERT_EQ(parse_after("rescue", text, stage), SWITCH_OFF);
                ASSERT_EQ(parse_after("elfcorehdr=0x1", text, stage), SWITCH_OFF);
                /* what stands before decides only where the line itself says nothing */
                Switch plan = parse_after("vfio_bindd=plan", text, stage);
                ASSERT_TRUE(plan == mode || (mode == SWITCH_ON && plan == SWITCH_PLAN));
        }
        return 0;
}
