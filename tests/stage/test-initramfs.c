/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/machine.h"

#include <errno.h>

#include "host/initramfs.h"
#include "stage/boot.h"
#include "stage/initramfs.h"

static char *needs(FakeSysfs *machine, int expected)
{
        char *text = NULL;
        size_t length;
        FILE *output = open_memstream(&text, &length);

        ASSERT_TRUE(output);
        ASSERT_EQ(initramfs_print_needs(machine->root, output), expected);
        ASSERT_OK(fclose(output));
        return text;
}

#define CLAIMS                                                                                     \
        "[Claim a]\nMatch=01:00.0\n[Claim b]\nMatch=02:00.0\nDriver=mlx5-vfio-pci\n"               \
        "[Claim c]\nMatch=03:00.0\nDriver=pci-stub\n[Claim d]\nMatch=04:00.0\n"

static void test_needs(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new("", CLAIMS);
        char *text, *end;

        fake_sysfs_write(machine, "etc/vfio-bind.conf.d/b.conf", "[Defaults]\nBootTimeout=7s\n");
        fake_sysfs_write(machine, "usr/lib/vfio-bind.conf.d/a.conf", "[Claim d]\nDriver=auto\n");
        /* gone at the next boot, with what they mask */
        fake_sysfs_write(machine, "run/vfio-bind.conf.d/b2.conf", "[Claim e]\nMatch=05:00.0\n");
        fake_sysfs_write(machine, "run/vfio-bind.conf.d/a.conf", "");
        text = needs(machine, 0);
        end = strstr(text, "digest ");
        ASSERT_TRUE(end && strspn(end + 7, "0123456789abcdef") == 16);
        ASSERT_STREQ(end + 23, "\ntimeout 17\n");
        *end = '\0';
        ASSERT_STREQ(text, "switch on\n"
                           "file /etc/vfio-bind.conf\n"
                           "file /usr/lib/vfio-bind.conf.d/a.conf\n"
                           "file /etc/vfio-bind.conf.d/b.conf\n"
                           "module vfio_pci\n"
                           "module vfio_iommu_type1\n"
                           "module vfio_virqfd\n"
                           "module mlx5_vfio_pci\n"
                           "module pci_stub\n"
                           "variants\n");
        free(text);
}

static void test_digest_follows_configuration(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new("", CLAIMS);
        char *before = needs(machine, 0), *after;

        fake_sysfs_write(machine, "etc/vfio-bind.conf", "# a comment\n" CLAIMS);
        after = needs(machine, 0);
        ASSERT_STREQ(after, before);
        free(after);
        fake_sysfs_write(machine, "etc/vfio-bind.conf", CLAIMS "Exclude=04:00.1\n");
        after = needs(machine, 0);
        ASSERT_TRUE(strcmp(after, before) != 0);
        free(after);
        free(before);
}

static void test_switch_is_off(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new("", CLAIMS);
        char *text;

        fake_sysfs_remove(machine, SWITCH_PATH);
        text = needs(machine, 0);
        ASSERT_STREQ(text, "switch off\n");
        free(text);
}

static void test_name_of_a_file(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new("", "");
        LogTaken taken;

        fake_sysfs_write(machine, "etc/vfio-bind.conf.d/a\nfile b.conf", "");
        log_take(&taken, STAGE_BOOT);
        free(needs(machine, -EINVAL));
        ASSERT_CONTAINS(log_taken(&taken), "cannot be handed on");
}

/* Which initramfs ran is noted even where the command line keeps us from acting. */
static void test_noted_at_boot(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new("", CLAIMS);
        BootOptions options = { .stage = STAGE_INITRD, .root = machine->root };
        LogTaken taken;
        char *text;

        fake_sysfs_write(machine, &(INITRAMFS_MANIFEST)[1], "Digest=1\n");
        fake_sysfs_write(machine, "proc/cmdline", "rd.vfio_bindd=off\n");
        log_take(&taken, STAGE_INITRD);
        ASSERT_OK(boot_run(&options));
        ASSERT_CONTAINS(log_taken(&taken), "rd.vfio_bindd=off");
        text = fake_sysfs_read(machine, "run/vfio-bindd/initramfs");
        ASSERT_STREQ(text, "Digest=1\n");
        free(text);

        fake_sysfs_remove(machine, "run/vfio-bindd/initramfs");
        options.stage = STAGE_BOOT;
        log_take(&taken, STAGE_BOOT);
        ASSERT_OK(boot_run(&options));
        log_taken(&taken);
        text = fake_sysfs_read(machine, "run/vfio-bindd/initramfs");
        ASSERT_TRUE(!text);
}

int main(void)
{
        test_needs();
        test_digest_follows_configuration();
        test_switch_is_off();
        test_name_of_a_file();
        test_noted_at_boot();
        return 0;
}
