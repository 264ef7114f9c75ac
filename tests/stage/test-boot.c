/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/machine.h"

#include "stage/boot.h"

#define DEVICES                                                                                    \
        "driver nvme\n"                                                                            \
        "driver vfio-pci\n"                                                                        \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        "0000:01:00.0 parent=0000:00:1c.0 id=10de:2482 class=030000 group=14\n"                    \
        "0000:01:00.1 parent=0000:00:1c.0 id=10de:228b class=040300 group=14\n"                    \
        "0000:02:00.0 id=1b36:0010 class=010802 driver=nvme group=15\n"

static const char *boot(FakeSysfs *machine, bool dry_run, Stage stage, LogTaken *taken)
{
        BootOptions options = { .stage = stage, .root = machine->root, .dry_run = dry_run };

        log_take(taken, stage);
        ASSERT_OK(boot_run(&options));
        return log_taken(taken);
}

static void test_dry_run(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES,
                "[Claim gpu]\nMatch=0000:01:00.0\n[Claim gone]\nMatch=0000:09:00.0\n");
        LogTaken taken;
        const char *text = boot(machine, true, STAGE_BOOT, &taken);

        ASSERT_CONTAINS(text, "0000:01:00.0 (10de:2482) would be bound to vfio-pci.\n");
        ASSERT_CONTAINS(text, "0000:01:00.1 (10de:228b) would be bound to vfio-pci.\n");
        ASSERT_CONTAINS(text, "Claim gone: ");
        ASSERT_TRUE(!strstr(text, "0000:02:00.0"));
        char *file = fake_sysfs_read(machine, "run/vfio-bindd/originals/0000:01:00.0");
        ASSERT_TRUE(!file);
}

static void test_configuration_error(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES,
                "[Claim gpu]\nMatch=adress=0000:01:00.0\n");
        LogTaken taken;
        const char *text = boot(machine, true, STAGE_BOOT, &taken);

        ASSERT_CONTAINS(text, "/etc/vfio-bind.conf:2:");
        ASSERT_TRUE(!strstr(text, "would be bound"));
}

static void test_not_enabled(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES,
                "[Claim gpu]\nMatch=0000:01:00.0\n");
        LogTaken taken;

        fake_sysfs_remove(machine, SWITCH_PATH);
        ASSERT_CONTAINS(boot(machine, false, STAGE_BOOT, &taken), "is not enabled");
}

/* Enabled while the system runs, the unit is started by `systemctl isolate`, `systemctl default`
 * and the like: host drivers are at work then, and taking them away is what "apply" is for. */
static void test_not_a_boot(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES,
                "[Claim gpu]\nMatch=0000:01:00.0\n");
        LogTaken taken;

        fake_sysfs_write(machine, "sys/fs/cgroup/system.slice/systemd-udevd.service/cgroup.events",
                "populated 1\nfrozen 0\n");
        ASSERT_CONTAINS(boot(machine, false, STAGE_BOOT, &taken),
                "systemd-udevd is running already");
        ASSERT_CONTAINS(boot(machine, true, STAGE_BOOT, &taken), "would be bound");
        /* one that has ended, of an initramfs, is no sign */
        fake_sysfs_write(machine, "sys/fs/cgroup/system.slice/systemd-udevd.service/cgroup.events",
                "populated 0\nfrozen 0\n");
        ASSERT_TRUE(!strstr(boot(machine, false, STAGE_BOOT, &taken), "running already"));
        fake_sysfs_write(machine,
                "sys/fs/cgroup/unified/system.slice/systemd-udevd.service/cgroup.events",
                "populated 1\nfrozen 0\n");
        ASSERT_CONTAINS(boot(machine, false, STAGE_BOOT, &taken), "running already");
}

static void test_switched_off(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES,
                "[Claim gpu]\nMatch=0000:01:00.0\n");
        LogTaken taken;
        const char *text;

        fake_sysfs_write(machine, "proc/cmdline", "quiet vfio_bindd=off\n");
        text = boot(machine, false, STAGE_BOOT, &taken);
        ASSERT_STREQ(text, "test: Nothing is done: vfio_bindd=off.\n");

        /* of the initramfs alone */
        fake_sysfs_write(machine, "proc/cmdline", "quiet rd.vfio_bindd=off\n");
        text = boot(machine, false, STAGE_INITRD, &taken);
        ASSERT_STREQ(text, "test: Nothing is done: rd.vfio_bindd=off.\n");
        text = boot(machine, true, STAGE_BOOT, &taken);
        ASSERT_CONTAINS(text, "would be bound");
}

static void test_plan_only(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES,
                "[Claim gpu]\nMatch=0000:01:00.0\n");
        LogTaken taken;
        const char *text;

        fake_sysfs_write(machine, "proc/cmdline", "vfio_bindd=plan\n");
        text = boot(machine, false, STAGE_BOOT, &taken);
        ASSERT_CONTAINS(text, "Nothing is touched, only planned: vfio_bindd=plan.\n");
        ASSERT_CONTAINS(text, "0000:01:00.0 (10de:2482) would be bound to vfio-pci.\n");
        char *override = fake_sysfs_read(machine, "sys/bus/pci/devices/0000:01:00.0/driver_override");
        ASSERT_STREQ(override, "(null)\n");
        free(override);
}

static void test_skipped_claim(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES,
                "[Claim gpu]\nMatch=0000:01:00.0\n");
        LogTaken taken;
        const char *text;

        fake_sysfs_write(machine, "proc/cmdline", "vfio_bindd.skip=gpu\n");
        text = boot(machine, true, STAGE_BOOT, &taken);
        ASSERT_TRUE(!strstr(text, "would be bound"));
}

/* A saved tree has no modules to load: that is said, nothing is written, and the boot goes on. */
static void test_failure(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES,
                "[Claim gpu]\nMatch=0000:01:00.0\n");
        LogTaken taken;
        const char *text = boot(machine, false, STAGE_BOOT, &taken);

        ASSERT_CONTAINS(text, "0000:01:00.0 (10de:2482) not bound: ");
        char *override = fake_sysfs_read(machine,
                "sys/bus/pci/devices/0000:01:00.0/driver_override");
        ASSERT_STREQ(override, "(null)\n");
        free(override);
}

int main(void)
{
        test_dry_run();
        test_configuration_error();
        test_not_enabled();
        test_not_a_boot();
        test_switched_off();
        test_plan_only();
        test_skipped_claim();
        test_failure();
        return 0;
}
