/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "host/guard.h"
#include "host/scan.h"
#include "lib/fake-sysfs.h"
#include "lib/guard-machine.h"
#include "lib/test.h"
#include "util/strings.h"

static void test_mounts(void)
{
        assert_in_use("", IN_USE_SYSTEM, "");
        /* the whole disk, and a partition; the bridge above has no note */
        assert_in_use("file proc/self/mountinfo 30 1 259:2 / /srv rw - xfs /dev/nvme1n1 rw",
                IN_USE_SYSTEM, "0000:02:00.0");
        assert_in_use("file proc/self/mountinfo 30 1 259:1 / / rw shared:1 master:2 - ext4 "
                      "/dev/root rw",
                IN_USE_SYSTEM, "0000:01:00.0");
        assert_in_use("file proc/self/mountinfo 30 1 8:0 / /mnt rw - ext4 /dev/sda rw",
                IN_USE_SYSTEM, "0000:05:00.0");
        /* what only the first process sees */
        assert_in_use("file proc/1/mountinfo 30 1 259:2 / /srv rw - xfs /dev/nvme1n1 rw",
                IN_USE_SYSTEM, "0000:02:00.0");

        assert_note("file proc/self/mountinfo 30 1 259:2 / /srv/a\\\\040b rw - xfs /dev/nvme1n1 rw",
                "0000:02:00.0", "/dev/nvme1n1 is mounted on /srv/a b", "Unmount it");
        assert_note("file proc/self/mountinfo 30 1 259:1 / / rw - ext4 /dev/root rw",
                "0000:01:00.0", "/dev/nvme0n1p1 is mounted on /",
                "The host runs from it, choose another device");
        assert_note("file proc/self/mountinfo 30 1 259:2 / /a\\\\012b rw - xfs /dev/nvme1n1 rw",
                "0000:02:00.0", "/dev/nvme1n1 is mounted on /a?b", "Unmount it");

        /* lines of another shape say nothing, those after them are read */
        assert_in_use("file proc/self/mountinfo \\n30\\n30 1 259 / / rw - a b c\\n- - - - - - - -"
                      "\\n30 1 x:y / / rw - a b c\\n30 1 259:99 / / rw - a b c"
                      "\\n30 1 259:2 / / rw - xfs\\n30 1 8:0 / / rw - a b c",
                IN_USE_SYSTEM, "0000:05:00.0");
}

static void test_stacks(void)
{
        /* dm on md on a partition and a disk */
        static const char stack[] =
                "block md0 9:0 sys/devices/virtual/block/md0\n"
                "block md0p1 259:9 sys/devices/virtual/block/md0/md0p1\n"
                "file sys/devices/virtual/block/md0/md0p1/partition 1\n"
                "slave md0 nvme0n1p1\nslave md0 nvme1n1\n"
                "block dm-0 253:0 sys/devices/virtual/block/dm-0\n"
                "slave dm-0 md0p1\n";
        char lines[1024];

        (void) snprintf(lines, sizeof(lines), "%s%s", stack,
                "file proc/self/mountinfo 30 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw");
        assert_in_use(lines, IN_USE_SYSTEM, "0000:01:00.0 0000:02:00.0");
        assert_note(lines, "0000:02:00.0", "/dev/mapper/vg-root is mounted on /",
                "The host runs from it, choose another device");
        /* assembled, though nothing is mounted */
        assert_in_use(stack, IN_USE_HOLDERS, "0000:01:00.0 0000:02:00.0");
        assert_note(stack, "0000:01:00.0", "/dev/md0 is assembled from /dev/nvme0n1p1",
                "Take it apart");

        /* a circle ends */
        assert_in_use("block dm-0 253:0 sys/devices/virtual/block/dm-0\n"
                      "block dm-1 253:1 sys/devices/virtual/block/dm-1\n"
                      "slave dm-0 dm-1\nslave dm-1 dm-0\nslave dm-1 sda\n"
                      "file proc/self/mountinfo 30 1 253:0 / / rw - ext4 x rw",
                IN_USE_SYSTEM, "0000:05:00.0");
}

/* The disk is a virtual device; each controller of the subsystem is in use. */
static void test_nvme_multipath(void)
{
        assert_in_use(
                "block nvme2n1 259:5 sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme2n1\n"
                "link sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme0 "
                "@0000:01:00.0/nvme/nvme0\n"
                "link sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme1 "
                "@0000:02:00.0/nvme/nvme1\n"
                "link sys/devices/virtual/nvme-subsystem/nvme-subsys2/subsystem "
                "@0000:05:00.0/host0\n"
                "file proc/self/mountinfo 30 1 259:5 / /srv rw - xfs /dev/nvme2n1 rw",
                IN_USE_SYSTEM, "0000:01:00.0 0000:02:00.0");
}

static void test_behind_vmd(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:00:0e.0 class=010400 driver=vmd\n"
                "10000:e0:06.0 parent=0000:00:0e.0 class=060400 bridge driver=pcieport\n"
                "10000:e1:00.0 parent=10000:e0:06.0 class=010802 driver=nvme\n"
                "block nvme0n1 259:0 @10000:e1:00.0/nvme/nvme0/nvme0n1\n"
                "file proc/self/mountinfo 30 1 259:0 / / rw - ext4 /dev/nvme0n1 rw");
        _cleanup_snapshot_ Snapshot *snapshot = guard_machine_scan(fake);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:00:0e.0")->uses[0].use, IN_USE_SYSTEM);
        ASSERT_EQ(guard_machine_find(snapshot, "10000:e1:00.0")->uses[0].use, IN_USE_SYSTEM);
        ASSERT_EQ(guard_machine_find(snapshot, "10000:e0:06.0")->n_uses, 0);
}

static void test_without_number(void)
{
        /* btrfs names one device, sysfs all of them */
        assert_in_use("file proc/self/mountinfo 30 1 0:30 /sub /home rw - btrfs /dev/nvme1n1 rw",
                IN_USE_SYSTEM, "0000:02:00.0");
        assert_in_use("file proc/self/mountinfo 30 1 0:30 / /home rw - btrfs /dev/nvme1n1 rw\n"
                      "link sys/fs/btrfs/f00d/devices/nvme1n1 @0000:02:00.0/nvme/nvme1/nvme1n1\n"
                      "link sys/fs/btrfs/f00d/devices/sda @0000:05:00.0/host0\n"
                      "dir sys/fs/btrfs/features",
                IN_USE_SYSTEM, "0000:02:00.0 0000:05:00.0");
        assert_in_use("file proc/self/mountinfo 30 1 0:31 / /x rw - bcachefs /dev/nvme1n1:/dev/sda "
                      "rw",
                IN_USE_SYSTEM, "0000:02:00.0 0000:05:00.0");
        /* through links in /dev */
        assert_in_use("link dev/disk/by-label/home dev/nvme1n1\n"
                      "file proc/self/mountinfo 30 1 0:30 / /home rw - btrfs "
                      "/dev/disk/by-label/home rw",
                IN_USE_SYSTEM, "0000:02:00.0");
        assert_in_use("file proc/self/mountinfo 30 1 0:30 / /t rw - tmpfs tmpfs rw\\n"
                      "31 1 0:31 / /n rw - nfs4 server:/dev/nvme1n1 rw\\n"
                      "32 1 0:32 / /b rw - fuse /dev/fuse rw",
                IN_USE_SYSTEM, "");
        /* nobody says what it is made of */
        assert_in_use("file proc/self/mountinfo 32 1 0:32 / /b rw - btrfs /dev/../../x rw",
                IN_USE_BLIND, "0000:01:00.0 0000:02:00.0 0000:05:00.0");
        assert_in_use("file proc/self/mountinfo 32 1 0:32 / /b rw - btrfs /dev/gone rw\n"
                      "link sys/fs/btrfs/f00d-1/devices/sda @0000:05:00.0/host0",
                IN_USE_SYSTEM, "0000:05:00.0");
}

static void test_zfs(void)
{
        static const char mount[] = "file proc/self/mountinfo 30 1 0:30 / /tank rw - zfs tank rw\n";
        char lines[512];

        (void) snprintf(lines, sizeof(lines), "%s%s", mount,
                "file etc/zfs/zpool.cache \\0path\\0/dev/nvme1n1\\0phys_path\\0x\\0/dev/gone\\0");
        assert_in_use(lines, IN_USE_SYSTEM, "0000:02:00.0");
        /* nobody says what the pool is made of */
        assert_in_use(mount, IN_USE_BLIND, "0000:01:00.0 0000:02:00.0 0000:05:00.0");
        assert_in_use("file etc/zfs/zpool.cache /dev/nvme1n1", IN_USE_SYSTEM, "");
}

static void test_swap_and_resume(void)
{
        static const char swaps[] = "file proc/swaps Filename\\tType\\tSize\\tUsed\\tPriority\\n"
                                    "/dev/nvme0n1p1            partition\\t1\\t0\\t-2\\n"
                                    "/srv/swapfile                         file\\t1\\t0\\t-3";

        assert_in_use(swaps, IN_USE_SYSTEM, "0000:01:00.0");
        assert_note(swaps, "0000:01:00.0", "/dev/nvme0n1p1 is swap space in use",
                "Run \"swapoff /dev/nvme0n1p1\"");
        assert_in_use("file sys/power/resume 259:2", IN_USE_SYSTEM, "0000:02:00.0");
        assert_in_use("file sys/power/resume 0:0", IN_USE_SYSTEM, "");
}

#define ROUTES "file proc/net/route Iface\\tDestination\\tGateway\\tFlags\\tand so on\\n"
#define ROUTE(interface, destination, flags, mask)                                                 \
        interface "\\t" destination "\\t0100000A\\t" flags "\\t0\\t0\\t0\\t" mask "\\t0\\t0\\t0"

static void test_default_route(void)
{
        assert_in_use(ROUTES ROUTE("eno1", "00000000", "0003", "00000000"),
                IN_USE_NETWORK, "0000:03:00.0");
        assert_note(ROUTES ROUTE("eno1", "00000000", "0003", "00000000"),
                "0000:03:00.0", "eno1 carries the default route",
                "Move the default route to another interface");
        /* not a default route, not up, rejecting, an odd line, a name that is a path */
        assert_in_use(ROUTES ROUTE("eno1", "0000000A", "0001", "000000FF"),
                IN_USE_NETWORK, "");
        assert_in_use(ROUTES ROUTE("eno1", "00000000", "0002", "00000000"),
                IN_USE_NETWORK, "");
        assert_in_use(ROUTES ROUTE("*", "00000000", "0201", "00000000") "\\n"
                             "eno1\\t00000000\\n"
                             ROUTE("../eno1", "00000000", "0001", "00000000"),
                IN_USE_NETWORK, "");

        assert_in_use("file proc/net/ipv6_route "
                      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                      "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     "
                      "eno2\\n"
                      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                      "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       "
                      "lo",
                IN_USE_NETWORK, "0000:04:00.0");
        assert_in_use("file proc/net/ipv6_route "
                      "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 "
                      "00000000000000000000000000000000 00000100 00000001 00000000 00000001     "
                      "eno1",
                IN_USE_NETWORK, "");
}

static void test_stacked_interfaces(void)
{
        static const char lines[] =
                "net br0 sys/devices/virtual/net/br0\n"
                "net bond0 sys/devices/virtual/net/bond0\n"
                "net bond0.5 sys/devices/virtual/net/bond0.5\n"
                "lower br0 bond0.5\nlower bond0.5 bond0\n"
                "lower bond0 eno1\nlower bond0 eno2\n" ROUTES
                ROUTE("br0", "00000000", "0003", "00000000");

        assert_in_use(lines, IN_USE_NETWORK, "0000:03:00.0 0000:04:00.0");
        assert_note(lines, "0000:04:00.0", "eno2 carries the default route through br0",
                "Move the default route to another interface");
        assert_in_use("net a sys/devices/virtual/net/a\nnet b sys/devices/virtual/net/b\n"
                      "lower a b\nlower b a\nlower b eno1\n" ROUTES
                      ROUTE("a", "00000000", "0003", "00000000"),
                IN_USE_NETWORK, "0000:03:00.0");
}

/* Nothing links ppp0 to the card below it. */
static void test_pppoe(void)
{
        static const char lines[] =
                "net ppp0 sys/devices/virtual/net/ppp0\n"
                "file proc/net/pppoe Id       Address              Device\\n"
                "00000A01 52:54:00:12:34:56     eno2\\n"
                "00000A02 52:54:00:12:34:56     ../eno1\\nrubbish\\n\n" ROUTES
                ROUTE("ppp0", "00000000", "0001", "00000000");

        assert_in_use(lines, IN_USE_NETWORK, "0000:04:00.0");
        assert_note(lines, "0000:04:00.0", "a PPPoE session runs over eno2",
                "End that connection");
}

static void test_blind(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, GUARD_MACHINE "0000:06:00.0 class=010802\n"
                                     "0000:07:00.0 class=010802 driver=vfio-pci\n"
                                     "0000:08:00.0 class=030000 driver=nouveau");
        fake_sysfs_remove(fake, "proc/self/mountinfo");
        _cleanup_snapshot_ Snapshot *snapshot = guard_machine_scan(fake);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:01:00.0")->uses[0].use, IN_USE_BLIND);
        ASSERT_CONTAINS(guard_machine_find(snapshot, "0000:01:00.0")->uses[0].what,
                "cannot be read");
        ASSERT_EQ(guard_machine_find(snapshot, "0000:03:00.0")->uses[0].use, IN_USE_BLIND);
        /* without a host driver there is nothing that could use it */
        ASSERT_EQ(guard_machine_find(snapshot, "0000:06:00.0")->n_uses, 0);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:07:00.0")->n_uses, 0);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:08:00.0")->n_uses, 0);

        /* one view of the mounts is enough */
        fake_sysfs_add(fake, "file proc/1/mountinfo 1 1 0:1 / / rw - rootfs rootfs rw");
        _cleanup_snapshot_ Snapshot *seeing = guard_machine_scan(fake);
        ASSERT_EQ(guard_machine_find(seeing, "0000:01:00.0")->n_uses, 0);

        fake_sysfs_remove(fake, "proc/net/route");
        _cleanup_snapshot_ Snapshot *routes = guard_machine_scan(fake);
        ASSERT_EQ(guard_machine_find(routes, "0000:03:00.0")->uses[0].use, IN_USE_BLIND);
        ASSERT_EQ(guard_machine_find(routes, "0000:01:00.0")->n_uses, 0);
}

/* A second look starts from nothing. */
static void test_again(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};

        fake_sysfs_add(fake, GUARD_MACHINE
                "file proc/self/mountinfo 30 1 8:0 / /mnt rw - ext4 /dev/sda rw\\n"
                "31 1 8:0 / /mnt2 rw - ext4 /dev/sda rw\\n31 1 8:0 / /mnt2 rw - ext4 /dev/sda rw");
        _cleanup_snapshot_ Snapshot *snapshot = guard_machine_scan(fake);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:05:00.0")->n_uses, 2);
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(guard_scan(&host, snapshot));
        ASSERT_EQ(guard_machine_find(snapshot, "0000:05:00.0")->n_uses, 2);
}

static void test_check(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        const PciAddress disk = {.bus = 5}, nic = {.bus = 3}, free_one = {.bus = 2},
                         nobody = {.bus = 9};
        char *text = (char *) "untouched";
        GuardAnswer answer = { .use = _IN_USE_MAX };

        fake_sysfs_add(fake, GUARD_MACHINE
                "file proc/self/mountinfo 30 1 8:0 / /mnt rw - ext4 /dev/sda rw\n" ROUTES
                ROUTE("eno1", "00000000", "0003", "00000000"));
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_EQ(guard_check(&host, &nobody, 0, 0, &answer, &text), -ENODEV);
        ASSERT_STREQ(text, "untouched");
        ASSERT_OK(guard_check(&host, &free_one, 0, 0, &answer, &text));
        ASSERT_TRUE(!text);

        ASSERT_OK(guard_check(&host, &nic, 0, 0, &answer, &text));
        ASSERT_EQ(answer.use, IN_USE_NETWORK);
        ASSERT_STREQ(text, "eno1 carries the default route. "
                           "Move the default route to another interface.");
        free(text);
        ASSERT_OK(guard_check(&host, &nic, 1U << IN_USE_NETWORK, 0, &answer, &text));
        ASSERT_TRUE(!text);

        /* no setting overrides system use */
        ASSERT_OK(guard_check(&host, &disk, ~0U, 0, &answer, &text));
        ASSERT_EQ(answer.use, IN_USE_SYSTEM);
        ASSERT_STREQ(text, "/dev/sda is mounted on /mnt. Unmount it.");
        free(text);
}

int main(void)
{
        test_mounts();
        test_stacks();
        test_nvme_multipath();
        test_behind_vmd();
        test_without_number();
        test_zfs();
        test_swap_and_resume();
        test_default_route();
        test_stacked_interfaces();
        test_pppoe();
        test_blind();
        test_again();
        test_check();
        return 0;
}
