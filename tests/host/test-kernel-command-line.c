/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "host/kernel-command-line.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/strings.h"

typedef struct Case {
        const char *text;
        Stage stage;
        Switch mode;
        const char *why;
        const char *skip; /* separated by "," */
} Case;

static const Case cases[] = {
        {"", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet\n", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"vfio_bindd=off", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        {"quiet vfio_bindd=off\n", STAGE_RUNTIME, SWITCH_OFF, "vfio_bindd=off", ""},
        {"vfio_bindd=plan", STAGE_BOOT, SWITCH_PLAN, "vfio_bindd=plan", ""},
        {"vfio_bindd=on", STAGE_BOOT, SWITCH_ON, "vfio_bindd=on", ""},
        /* the last one wins */
        {"vfio_bindd=off vfio_bindd=on", STAGE_BOOT, SWITCH_ON, "vfio_bindd=on", ""},
        {"vfio_bindd=on vfio_bindd=off", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        /* anything else acts as plan */
        {"vfio_bindd=OFF", STAGE_BOOT, SWITCH_PLAN, "vfio_bindd=OFF", ""},
        {"vfio_bindd=", STAGE_BOOT, SWITCH_PLAN, "vfio_bindd=", ""},
        {"vfio_bindd", STAGE_BOOT, SWITCH_PLAN, "vfio_bindd", ""},
        {"vfio_bindd=\x01\xff", STAGE_BOOT, SWITCH_PLAN, "vfio_bindd=?\?", ""},
        /* not our words */
        {"vfio_bindd2=off xvfio_bindd=off vfio_bind=off", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"VFIO_BINDD=off", STAGE_BOOT, SWITCH_ON, NULL, ""},
        /* "-" and "_" are alike to the kernel */
        {"vfio-bindd=off", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        /* rd. counts in the initramfs only, and plain words count there too */
        {"rd.vfio_bindd=off", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"rd.vfio_bindd=off", STAGE_RUNTIME, SWITCH_ON, NULL, ""},
        {"rd.vfio_bindd=off", STAGE_INITRD, SWITCH_OFF, "rd.vfio_bindd=off", ""},
        {"vfio_bindd=off", STAGE_INITRD, SWITCH_OFF, "vfio_bindd=off", ""},
        {"rd.vfio_bindd=off vfio_bindd=on", STAGE_INITRD, SWITCH_ON, "vfio_bindd=on", ""},
        {"vfio_bindd=on rd.vfio_bindd=plan", STAGE_INITRD, SWITCH_PLAN, "rd.vfio_bindd=plan", ""},
        /* quotes as in the kernel */
        {"vfio_bindd=\"off\"", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        {"\"vfio_bindd=off\"", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        {"dyndbg=\"file a +p vfio_bindd=off\" quiet", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"a=\"b c\" vfio_bindd=off", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        {"a=b\"c d\"e vfio_bindd=off", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        {"\"a vfio_bindd=off", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"vfio_bindd=\"off", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        {"\"", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"\"\"", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"=", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"=\"", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"\t vfio_bindd=off\t\n ", STAGE_BOOT, SWITCH_OFF, "vfio_bindd=off", ""},
        /* skip */
        {"vfio_bindd.skip=gpu", STAGE_BOOT, SWITCH_ON, NULL, "gpu"},
        {"vfio_bindd.skip=gpu,nic vfio_bindd.skip=disk", STAGE_BOOT, SWITCH_ON, NULL,
                "gpu,nic,disk"},
        {"vfio-bindd.skip=gpu,gpu", STAGE_BOOT, SWITCH_ON, NULL, "gpu"},
        {"vfio_bindd.skip=,,a,", STAGE_BOOT, SWITCH_ON, NULL, "a"},
        {"vfio_bindd.skip=../x,-a,a/b,ok", STAGE_BOOT, SWITCH_ON, NULL, "ok"},
        {"vfio_bindd.skip vfio_bindd.skip=", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"vfio_bindd.skip=\"a,b\"", STAGE_BOOT, SWITCH_ON, NULL, "a,b"},
        /* implied off */
        {"single", STAGE_BOOT, SWITCH_OFF, "single", ""},
        {"ro s", STAGE_BOOT, SWITCH_OFF, "s", ""},
        {"S", STAGE_RUNTIME, SWITCH_OFF, "S", ""},
        {"1", STAGE_INITRD, SWITCH_OFF, "1", ""},
        {"rescue", STAGE_BOOT, SWITCH_OFF, "rescue", ""},
        {"emergency", STAGE_INITRD, SWITCH_OFF, "emergency", ""},
        {"systemd.unit=rescue.target", STAGE_BOOT, SWITCH_OFF, "rescue.target", ""},
        {"systemd.unit=emergency.target", STAGE_INITRD, SWITCH_OFF, "emergency.target", ""},
        {"systemd.unit=multi-user.target", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"rd.systemd.unit=rescue.target", STAGE_INITRD, SWITCH_OFF, "rescue.target", ""},
        {"rd.systemd.unit=rescue.target", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"rd.rescue", STAGE_BOOT, SWITCH_ON, NULL, ""},
        {"rd.rescue", STAGE_INITRD, SWITCH_OFF, "rd.rescue", ""},
        {"elfcorehdr=0x3e000000 quiet", STAGE_BOOT, SWITCH_OFF, "kdump kernel", ""},
        {"rescue vfio_bindd=on", STAGE_BOOT, SWITCH_OFF, "rescue", ""},
        {"rescue=1 single=2 s=1 a=1 3 rd.break", STAGE_INITRD, SWITCH_ON, NULL, ""},
        {"singles emergency.target", STAGE_BOOT, SWITCH_ON, NULL, ""},
};

static void test_cases(void)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_kernel_command_line_ KernelCommandLine line = {};
                char skip[256] = "";

                ASSERT_OK(kernel_command_line_parse(cases[i].text, cases[i].stage, &line));
                for (char **claim = line.skip; claim && *claim; claim++) {
                        size_t n = strlen(skip);
                        (void) snprintf(skip + n, sizeof(skip) - n, "%s%s", n ? "," : "", *claim);
                }
                if (line.mode != cases[i].mode)
                        fprintf(stderr, "case %zu: %s\n", i, cases[i].text);
                ASSERT_EQ(line.mode, cases[i].mode);
                ASSERT_STREQ(line.why, cases[i].why);
                ASSERT_STREQ(skip, cases[i].skip);
        }
}

static void test_hostile(void)
{
        static const char alphabet[] = "vfio_bindd=.skip,\" \t\n-rd1sS";
        unsigned seed = 1;

        /* Every beginning of every case, and texts of no sense. */
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t n = 0; n < strlen(cases[i].text); n++) {
                        _cleanup_kernel_command_line_ KernelCommandLine line = {};
                        _cleanup_free_ char *text = strndup(cases[i].text, n);

                        ASSERT_OK(kernel_command_line_parse(text, STAGE_INITRD, &line));
                        ASSERT_TRUE(line.mode <= SWITCH_OFF);
                }
        for (unsigned run = 0; run < 3000; run++) {
                _cleanup_kernel_command_line_ KernelCommandLine line = {};
                char text[64];
                size_t n = run % sizeof(text);

                for (size_t i = 0; i < n; i++) {
                        seed = seed * 1103515245 + 12345;
                        text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
                }
                text[n > 0 ? n - 1 : 0] = '\0';
                ASSERT_OK(kernel_command_line_parse(text, STAGE_INITRD, &line));
        }
}

static void test_bounds(void)
{
        _cleanup_kernel_command_line_ KernelCommandLine line = {};
        _cleanup_free_ char *text = malloc(300000);
        size_t n = 0;

        ASSERT_TRUE(text);
        for (unsigned i = 0; i < 10000; i++)
                n += (size_t) sprintf(text + n, "vfio_bindd.skip=c%u ", i);
        ASSERT_OK(kernel_command_line_parse(text, STAGE_BOOT, &line));
        ASSERT_TRUE(string_list_length(line.skip) <= 256);
}

static void test_read(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        KernelCommandLine line = {};

        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(kernel_command_line_read(&host, STAGE_BOOT, &line));
        ASSERT_EQ(line.mode, SWITCH_ON);
        kernel_command_line_done(&line);

        fake_sysfs_add(fake, "file proc/cmdline ro vfio_bindd=plan vfio_bindd.skip=a");
        ASSERT_OK(kernel_command_line_read(&host, STAGE_BOOT, &line));
        ASSERT_EQ(line.mode, SWITCH_PLAN);
        ASSERT_TRUE(string_list_contains(line.skip, "a"));
        kernel_command_line_done(&line);

        fake_sysfs_add(fake, "file proc/vmcore x");
        ASSERT_OK(kernel_command_line_read(&host, STAGE_BOOT, &line));
        ASSERT_EQ(line.mode, SWITCH_OFF);
        ASSERT_STREQ(line.why, "kdump kernel");
        kernel_command_line_done(&line);
}

int main(void)
{
        test_cases();
        test_hostile();
        test_bounds();
        test_read();
        return 0;
}
