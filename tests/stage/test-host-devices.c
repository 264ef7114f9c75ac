/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/machine.h"

#include <errno.h>

#include "host/host-devices.h"
#include "host/store.h"
#include "stage/boot.h"
#include "stage/giveback.h"
#include "stage/record.h"
#include "util/strings.h"

/* The early stages and the record of what the host needs; the last resort. */

#define DEVICES                                                                                    \
        "driver nvme\n"                                                                            \
        "driver vfio-pci\n"                                                                        \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        "0000:01:00.0 parent=0000:00:1c.0 id=1b36:0010 class=010802 group=14\n"                    \
        "0000:02:00.0 id=8086:1533 class=020000 group=15\n"                                        \
        "0000:03:00.0 id=10de:2482 class=030000 boot-vga=0 group=16\n"                             \
        "file proc/self/mountinfo 21 1 0:20 / /proc rw - proc proc rw\n"                           \
        "file proc/swaps Filename\\tType\\tSize\\tUsed\\tPriority\n"                               \
        "file proc/net/route Iface\\tDestination\n"                                                \
        "file proc/net/ipv6_route\n"
#define ALL "[Claim all]\nMatch=class=01\nMatch=class=02\nMatch=class=03\n"

static char *dry_run(FakeSysfs *machine, Stage stage)
{
        BootOptions options = { .stage = stage, .root = machine->root, .dry_run = true };
        LogTaken taken;
        int r;

        log_take(&taken, stage);
        r = boot_run(&options);
        const char *text = log_taken(&taken);
        ASSERT_OK(r);
        return strdup(text);
}

static void record(FakeSysfs *machine, const char *output, int expected)
{
        LogTaken taken;
        int r;

        log_take(&taken, STAGE_RUNTIME);
        r = record_run(machine->root, output);
        (void) log_taken(&taken);
        ASSERT_EQ(r, expected);
}

/* What the host uses while it runs, and only that, is refused at the next boot. */
static void test_record_and_boot(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES, ALL);
        _cleanup_free_ char *initrd = NULL, *boot = NULL;

        fake_sysfs_add(machine, "block nvme0n1 259:0 @0000:01:00.0/nvme/nvme0/nvme0n1\n"
                "file proc/self/mountinfo 30 1 259:0 / /srv rw - xfs /dev/nvme0n1 rw");
        record(machine, NULL, 0);
        fake_sysfs_write(machine, "proc/self/mountinfo", "21 1 0:20 / /proc rw - proc proc rw\n");

        boot = dry_run(machine, STAGE_BOOT);
        ASSERT_CONTAINS(boot, "the host needs 0000:01:00.0 (when it last ran: /dev/nvme0n1 is "
                              "mounted on /srv)");
        ASSERT_CONTAINS(boot, "0000:02:00.0 (8086:1533) would be bound");
        initrd = dry_run(machine, STAGE_INITRD);
        ASSERT_STREQ(initrd, boot);
}

static void test_no_record(void)
{
        static const char *const damaged[] = { NULL, "", "vfio-bindd host-devices 1\n",
                                               "vfio-bindd host-devices 1\nend 0 1\n" };

        for (size_t i = 0; i < ELEMENTSOF(damaged); i++) {
                _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES, ALL);
                _cleanup_free_ char *initrd = NULL, *boot = NULL;

                if (damaged[i])
                        fake_sysfs_write(machine, HOST_DEVICES_FILE, damaged[i]);
                initrd = dry_run(machine, STAGE_INITRD);
                ASSERT_CONTAINS(initrd, "0000:03:00.0 (10de:2482) would be bound");
                ASSERT_TRUE(!strstr(initrd, "0000:01:00.0 (1b36:0010) would be bound"));
                ASSERT_TRUE(!strstr(initrd, "0000:02:00.0 (8086:1533) would be bound"));
                ASSERT_TRUE(!damaged[i] == !strstr(initrd, "it is damaged"));
                boot = dry_run(machine, STAGE_BOOT);
                ASSERT_CONTAINS(boot, "0000:01:00.0 (1b36:0010) would be bound");
        }
}

/* A first boot that takes what it waits for would not come up: storage waits for the record. */
static void test_no_record_and_a_file_system_to_come(void)
{
        static const struct {
                const char *table, *text;
                bool waits;
        } tables[] = {
                { "etc/fstab", "UUID=12-34 /srv xfs defaults 0 2\n", true },
                { "etc/fstab", "UUID=12-34 /srv xfs nofail,x-systemd.automount 0 2\n", false },
                { "etc/fstab", "/dev/nvme0n1 /srv xfs rw,noauto\n", false },
                { "etc/fstab", "/dev/nvme0n1 /srv\n", true },
                { "etc/fstab", "UUID=56-78 / ext4 defaults\n", false },
                { "etc/fstab", "/dev/vda1 / ext4 defaults\ntmpfs /tmp tmpfs\n", false },
                { "etc/fstab", "server:/home /home nfs defaults\n", false },
                { "etc/crypttab", "data UUID=12-34 none luks\n", true },
                { "etc/crypttab", "data UUID=12-34 none luks,nofail\n", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(tables); i++) {
                _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES, ALL);
                _cleanup_free_ char *first = NULL, *second = NULL;

                fake_sysfs_add(machine, "block vda1 254:1 sys/devices/virtual/block/vda1");
                fake_sysfs_write(machine, tables[i].table, tables[i].text);
                first = dry_run(machine, STAGE_BOOT);
                ASSERT_EQ(!strstr(first, "0000:01:00.0 (1b36:0010) would be bound"),
                        tables[i].waits);
                ASSERT_CONTAINS(first, "0000:02:00.0 (8086:1533) waiting: there is no record yet");
                record(machine, NULL, 0);
                second = dry_run(machine, STAGE_BOOT);
                ASSERT_CONTAINS(second, "0000:01:00.0 (1b36:0010) would be bound");
        }
}

/* The screen that the firmware lit is left alone as long as nobody knows better. */
static void test_no_record_boot_vga(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES, ALL);
        _cleanup_free_ char *initrd = NULL;

        fake_sysfs_add(machine, "file @0000:03:00.0/boot_vga 1");
        initrd = dry_run(machine, STAGE_INITRD);
        ASSERT_TRUE(!strstr(initrd, "would be bound"));
}

/* An initramfs hands on what it knows: /var may come later. */
static void test_handed_on(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine =
                machine_new(DEVICES, "[Claim x]\nMatch=7f:00.0\n");
        BootOptions options = { .stage = STAGE_INITRD, .root = machine->root };
        _cleanup_free_ char *before = NULL, *after = NULL;
        LogTaken taken;

        record(machine, NULL, 0);
        log_take(&taken, STAGE_INITRD);
        ASSERT_OK(boot_run(&options));
        (void) log_taken(&taken);
        before = fake_sysfs_read(machine, HOST_DEVICES_FILE);
        after = fake_sysfs_read(machine, "run/vfio-bindd/host-devices");
        ASSERT_STREQ(after, before);
}

/* A file that a power cut has damaged does not hide the good one. */
static void test_handed_on_beside_a_damaged_one(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES, ALL);
        _cleanup_free_ char *good = NULL, *boot = NULL;

        fake_sysfs_add(machine, "block nvme0n1 259:0 @0000:01:00.0/nvme/nvme0/nvme0n1\n"
                "file proc/self/mountinfo 30 1 259:0 / /srv rw - xfs /dev/nvme0n1 rw");
        record(machine, NULL, 0);
        fake_sysfs_write(machine, "proc/self/mountinfo", "21 1 0:20 / /proc rw - proc proc rw\n");
        good = fake_sysfs_read(machine, HOST_DEVICES_FILE);
        fake_sysfs_write(machine, "run/vfio-bindd/host-devices", good);
        fake_sysfs_write(machine, HOST_DEVICES_FILE, "vfio-bindd host-devices 1\n");

        boot = dry_run(machine, STAGE_BOOT);
        ASSERT_CONTAINS(boot, "/" HOST_DEVICES_FILE ") cannot be used (it is damaged)");
        ASSERT_CONTAINS(boot, "the host needs 0000:01:00.0");
        ASSERT_TRUE(!strstr(boot, "0000:01:00.0 (1b36:0010) would be bound"));
}

/* For an initramfs: what is known from before stays in it. */
static void test_record_for_an_initramfs(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(DEVICES, "");
        _cleanup_free_ char *output = NULL, *text = NULL;

        fake_sysfs_add(machine, "block nvme0n1 259:0 @0000:01:00.0/nvme/nvme0/nvme0n1\n"
                "file proc/self/mountinfo 30 1 259:0 / /srv rw - xfs /dev/nvme0n1 rw");
        record(machine, NULL, 0);
        fake_sysfs_write(machine, "proc/self/mountinfo", "");
        ASSERT_OK(format_string(&output, "%s/copy", machine->root));
        record(machine, output, 0);
        text = fake_sysfs_read(machine, "copy");
        ASSERT_CONTAINS(text, "path=0000:00:1c.0/00.0 address=0000:01:00.0");
        free(text);

        record(machine, NULL, 0);
        text = fake_sysfs_read(machine, HOST_DEVICES_FILE);
        ASSERT_TRUE(!strstr(text, "path="));
}

/* A machine without functions is none: nothing is written that would read as "needs nothing". */
static void test_record_of_nothing(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new("", "");
        _cleanup_free_ char *text = NULL;

        record(machine, NULL, -ENODEV);
        text = fake_sysfs_read(machine, HOST_DEVICES_FILE);
        ASSERT_TRUE(!text);
}

static void save(FakeSysfs *machine, const char *text, Stage stage)
{
        _cleanup_host_ Host host = { .root = -1 };
        DeviceRecord saved = { .has_original = true, .provenance = PROVENANCE_CLEAN,
                               .stage = stage, .state = STATE_BOUND,
                               .target_driver = (char *) "vfio-pci" };
        PciAddress address;

        ASSERT_OK(pci_address_parse(text, &address));
        ASSERT_OK(host_open(machine->root, &host));
        ASSERT_OK(store_prepare(&host));
        ASSERT_OK(store_save_original(&host, &address, fake_sysfs_inode(machine, text), &saved));
        ASSERT_OK(store_save(&host, &address, fake_sysfs_inode(machine, text), &saved));
}

static const char *give_back(FakeSysfs *machine, LogTaken *taken, int expected)
{
        int r;

        log_take(taken, STAGE_INITRD);
        r = giveback_run(machine->root);
        const char *text = log_taken(taken);
        ASSERT_EQ(r, expected);
        return text;
}

#define ON_VFIO                                                                                    \
        "driver vfio-pci\n"                                                                        \
        "0000:01:00.0 id=1b36:0010 class=010802 driver=vfio-pci group=14\n"                        \
        "0000:03:00.0 id=10de:2482 class=030000 boot-vga=0 driver=vfio-pci group=16\n"             \
        "0000:03:00.1 id=10de:228b class=040300 driver=vfio-pci group=16\n"

static void test_giveback_chooses(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new(ON_VFIO, ALL);
        _cleanup_free_ char *text = NULL;
        LogTaken taken;

        ASSERT_CONTAINS(give_back(machine, &taken, 0), "Nothing was taken");
        save(machine, "0000:03:00.0", STAGE_INITRD);
        save(machine, "0000:03:00.1", STAGE_INITRD);
        save(machine, "0000:01:00.0", STAGE_BOOT);
        ASSERT_CONTAINS(give_back(machine, &taken, 0), "Nothing was taken");
        fake_sysfs_remove(machine, "run/vfio-bindd/originals/0000:01:00.0");
        save(machine, "0000:01:00.0", STAGE_INITRD);
        ASSERT_CONTAINS(give_back(machine, &taken, 1), "0000:01:00.0");
        text = fake_sysfs_read(machine, "run/vfio-bindd/functions/0000:01:00.0");
        ASSERT_CONTAINS(text, "STATE=gave-back\n");
        ASSERT_CONTAINS(text, "MANUAL=released\n");
}

/* Its worker was killed after it had been unbound: without a driver, under our override. */
static void test_giveback_of_what_was_cut_off(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = machine_new("driver vfio-pci\n"
                "0000:01:00.0 id=1b36:0010 class=010802 group=14\n"
                "file @0000:01:00.0/driver_override vfio-pci\n"
                "file sys/bus/pci/drivers_probe -\n", ALL);
        _cleanup_free_ char *directory = fake_sysfs_directory(machine, "0000:01:00.0");
        _cleanup_free_ char *path = NULL, *override = NULL;
        _cleanup_host_ Host host = { .root = -1 };
        DeviceRecord original = { .has_original = true };
        PciAddress address;
        LogTaken taken;

        ASSERT_OK(pci_address_parse("0000:01:00.0", &address));
        ASSERT_OK(host_open(machine->root, &host));
        ASSERT_OK(store_prepare(&host));
        ASSERT_OK(store_save_original(&host, &address,
                fake_sysfs_inode(machine, "0000:01:00.0"), &original));
        ASSERT_CONTAINS(give_back(machine, &taken, 1), "0000:01:00.0");
        ASSERT_OK(format_string(&path, "%s/driver_override", directory));
        override = fake_sysfs_read(machine, path);
        /* this file is not truncated as that of /sys is */
        ASSERT_TRUE(override && *override == '\n');
}

int main(void)
{
        test_record_and_boot();
        test_no_record();
        test_no_record_and_a_file_system_to_come();
        test_no_record_boot_vga();
        test_handed_on();
        test_handed_on_beside_a_damaged_one();
        test_record_for_an_initramfs();
        test_record_of_nothing();
        test_giveback_chooses();
        test_giveback_of_what_was_cut_off();
        return 0;
}
