/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/guard-machine.h"
#include "lib/test.h"
#include "util/strings.h"

/* System use beyond plain mounts: other namespaces, file systems that sysfs tells of, stacks. */

#define MOUNT(number, type, source)                                                                \
        "30 1 " number " / /srv rw - " type " " source " rw"

static void test_namespaces(void)
{
        static const char container[] =
                "symlink proc/1/ns/mnt mnt:[1]\nsymlink proc/self/ns/mnt mnt:[1]\n"
                "symlink proc/30/ns/mnt mnt:[2]\nfile proc/30/comm qemu\\t1\n"
                "file proc/30/mountinfo " MOUNT("259:2", "xfs", "/dev/nvme1n1") "\n";

        assert_in_use(container, IN_USE_SYSTEM, "0000:02:00.0");
        assert_note(container, "0000:02:00.0",
                "/dev/nvme1n1 is mounted on /srv as process 30 (qemu?1) sees it",
                "Stop that program, or unmount it there");
        /* a namespace is read once, and not where it is ours */
        assert_in_use("symlink proc/1/ns/mnt mnt:[1]\nsymlink proc/30/ns/mnt mnt:[1]\n"
                      "file proc/30/mountinfo " MOUNT("259:2", "xfs", "/dev/nvme1n1"),
                IN_USE_SYSTEM, "");
        assert_in_use("symlink proc/30/ns/mnt mnt:[2]\nsymlink proc/31/ns/mnt mnt:[2]\n"
                      "file proc/31/mountinfo " MOUNT("8:0", "xfs", "/dev/sda") "\n"
                      "file proc/30/mountinfo\nfile proc/30/mountinfo " MOUNT("8:0", "xfs", "x"),
                IN_USE_SYSTEM, "0000:05:00.0");
        /* what is named for the host is not named again, and other shapes say nothing */
        assert_note("file proc/1/mountinfo " MOUNT("8:0", "xfs", "/dev/sda") "\n"
                    "symlink proc/30/ns/mnt mnt:[2]\n"
                    "file proc/30/mountinfo " MOUNT("8:0", "xfs", "/dev/x"),
                "0000:05:00.0", "/dev/sda is mounted on /srv", "Unmount it");
        assert_in_use("symlink proc/30/ns/mnt mnt\nsymlink proc/31/ns/mnt mnt:[x]\n"
                      "file proc/32/ns/mnt mnt:[5]\nfile proc/99999999999/mountinfo x\n"
                      "dir proc/33/mountinfo\nsymlink proc/33/ns/mnt mnt:[7]\n"
                      "symlink proc/34/ns/mnt mnt:[8]\nfile proc/34/mountinfo \\0\\n - - -",
                IN_USE_SYSTEM, "");
}

/* A tag names the device. */
static void test_shared_by_the_hypervisor(void)
{
#define SHARED                                                                                     \
        "0000:06:00.0 class=018000 driver=virtio-pci\n"                                            \
        "0000:07:00.0 class=000200 driver=virtio-pci\n"                                            \
        "link sys/bus/virtio/drivers/virtiofs/virtio3 @0000:06:00.0/virtio3\n"                     \
        "link sys/bus/virtio/drivers/virtiofs/module sys/module/virtiofs\n"                        \
        "link sys/bus/virtio/drivers/9pnet_virtio/virtio4 @0000:07:00.0/virtio4\n"                 \
        "file proc/self/mountinfo "

        assert_in_use(SHARED MOUNT("0:40", "virtiofs", "data"), IN_USE_SYSTEM, "0000:06:00.0");
        assert_note(SHARED MOUNT("0:40", "virtiofs", "data"), "0000:06:00.0",
                "data is mounted on /srv", "The host runs from it, choose another device");
        assert_in_use(SHARED MOUNT("0:40", "9p", "data"), IN_USE_SYSTEM, "0000:07:00.0");
        assert_in_use(SHARED MOUNT("0:40", "tmpfs", "virtiofs"), IN_USE_SYSTEM, "");
}

static void test_other_devices_of_a_file_system(void)
{
        assert_in_use("file proc/self/mountinfo 30 1 259:2 / /srv rw - xfs /dev/nvme1n1 "
                      "rw,logdev=/dev/sda,rtdev=/dev/nvme0n1p1,logdev=,noquota",
                IN_USE_SYSTEM, "0000:01:00.0 0000:02:00.0 0000:05:00.0");
        assert_in_use("file proc/self/mountinfo 30 1 259:2 / /srv rw - ext4 /dev/nvme1n1 "
                      "rw,logdev=/dev/sda",
                IN_USE_SYSTEM, "0000:02:00.0");
        /* an external journal has its device's name, others a number behind it */
        assert_in_use("dir proc/fs/jbd2/sda\ndir proc/fs/jbd2/nvme1n1-8", IN_USE_SYSTEM,
                "0000:05:00.0");
        assert_in_use("link sys/fs/bcachefs/f00d-1/dev-0/block @0000:02:00.0/nvme/nvme1/nvme1n1\n"
                      "link sys/fs/bcachefs/f00d-1/dev-1/block "
                      "@0000:05:00.0/host0/target0:0:0/0:0:0:0/block/sda/bcachefs\n"
                      "file sys/fs/bcachefs/f00d-1/dev-2/block x\n"
                      "dir sys/fs/bcachefs/f00d-1/device",
                IN_USE_SYSTEM, "0000:02:00.0 0000:05:00.0");
}

/* What no list of mounts shows, as after umount -l. */
static void test_unseen_mounts(void)
{
        assert_in_use("dir sys/fs/ext4/nvme0n1p1\ndir sys/fs/ext4/features\n"
                      "dir sys/fs/xfs/sda\nfile sys/fs/f2fs/x x",
                IN_USE_SYSTEM, "0000:01:00.0 0000:05:00.0");
        assert_note("dir sys/fs/ext4/nvme0n1p1", "0000:01:00.0",
                "/dev/nvme0n1p1 holds a file system in use", "Unmount it");
        /* a list of mounts says it better */
        assert_note("dir sys/fs/xfs/sda\nfile proc/self/mountinfo " MOUNT("8:0", "xfs", "/dev/sda"),
                "0000:05:00.0", "/dev/sda is mounted on /srv", "Unmount it");
}

static void test_loop(void)
{
        static const char loop[] =
                "block loop0 7:0 sys/devices/virtual/block/loop0\n"
                "file proc/self/mountinfo " MOUNT("7:0", "ext4", "/dev/loop0") "\n"
                "file sys/devices/virtual/block/loop0/loop/backing_file ";
        char lines[512];

        (void) snprintf(lines, sizeof(lines), "%s/dev/nvme0n1p1", loop);
        assert_in_use(lines, IN_USE_SYSTEM, "0000:01:00.0");
        (void) snprintf(lines, sizeof(lines), "%s/dev/loop0", loop);
        assert_in_use(lines, IN_USE_SYSTEM, "");
        (void) snprintf(lines, sizeof(lines), "%s/srv/image (deleted)", loop);
        assert_in_use(lines, IN_USE_SYSTEM, "");
}

static void test_bcache(void)
{
        static const char stack[] =
                "block bcache0 251:0 sys/devices/virtual/block/bcache0\n"
                "link sys/devices/virtual/block/bcache0/bcache "
                "@0000:02:00.0/nvme/nvme1/nvme1n1/bcache\n"
                "link @0000:02:00.0/nvme/nvme1/nvme1n1/bcache/cache sys/fs/bcache/f00d\n"
                "link sys/fs/bcache/f00d/cache0 "
                "@0000:05:00.0/host0/target0:0:0/0:0:0:0/block/sda/bcache\n"
                "dir @0000:05:00.0/host0/target0:0:0/0:0:0:0/block/sda/bcache\n";
        char lines[2048];

        (void) snprintf(lines, sizeof(lines), "%s%s", stack,
                "file proc/self/mountinfo " MOUNT("251:0", "xfs", "/dev/bcache0"));
        assert_in_use(lines, IN_USE_SYSTEM, "0000:02:00.0 0000:05:00.0");
        assert_in_use(stack, IN_USE_HOLDERS, "0000:02:00.0 0000:05:00.0");
        assert_note(stack, "0000:05:00.0", "/dev/sda is registered with bcache",
                "Take it out of bcache");
}

static void test_pools(void)
{
        static const char in_cache[] =
                "file etc/zfs/zpool.cache \\0\\0\\0\4tank\\0/dev/nvme1n1\\0\n";
        char lines[512];

        /* imported, though no file system of it is mounted */
        (void) snprintf(lines, sizeof(lines), "%s%s", in_cache,
                "file proc/spl/kstat/zfs/tank/state ONLINE");
        assert_in_use(lines, IN_USE_SYSTEM, "0000:02:00.0");
        /* a second one that the cache does not know */
        (void) snprintf(lines, sizeof(lines), "%s%s", in_cache,
                "file proc/spl/kstat/zfs/tank/state ONLINE\n"
                "file proc/spl/kstat/zfs/an/state ONLINE\nfile proc/spl/kstat/zfs/arcstats x");
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        fake_sysfs_add(fake, GUARD_MACHINE);
        fake_sysfs_add(fake, lines);
        _cleanup_snapshot_ Snapshot *snapshot = guard_machine_scan(fake);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:02:00.0")->uses[0].use, IN_USE_SYSTEM);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:01:00.0")->uses[0].use, IN_USE_BLIND);
        ASSERT_CONTAINS(guard_machine_find(snapshot, "0000:01:00.0")->uses[0].what, "an is a ZFS");
        assert_in_use("file proc/spl/kstat/zfs/arcstats x", IN_USE_SYSTEM, "");
}

static void test_unknown_swap(void)
{
        assert_in_use("file proc/swaps Filename\\n/dev/gone\\\\040(deleted) partition 1 0 -2",
                IN_USE_BLIND, "0000:01:00.0 0000:02:00.0 0000:05:00.0");
        assert_note("file proc/swaps Filename\\n/dev/gone\\\\012x partition 1 0 -2", "0000:05:00.0",
                "it cannot be told which device the swap space /dev/gone?x is on",
                "Run \"swapoff /dev/gone?x\"");
}

/* A drive in a reader on USB is storage as well. */
static void test_storage_of_another_class(void)
{
        assert_in_use("0000:06:00.0 class=0c0330 driver=xhci_hcd\n"
                      "block sdb 8:16 @0000:06:00.0/usb1/1-1/host9/target9:0:0/9:0:0:0/block/sdb\n"
                      "0000:07:00.0 class=0c0330 driver=xhci_hcd\n"
                      "file proc/swaps Filename\\n/dev/gone partition 1 0 -2",
                IN_USE_BLIND, "0000:01:00.0 0000:02:00.0 0000:05:00.0 0000:06:00.0");
}

#define FABRICS "sys/devices/virtual/nvme-fabrics/ctl/"
#define HOSTS   "0000:06:00.0 class=0c0400 driver=lpfc\n"                                          \
                "0000:06:00.1 class=0c0400 driver=lpfc\n"                                          \
                "link sys/class/fc_host/host3 @0000:06:00.0/host3/fc_host/host3\n"                 \
                "file @0000:06:00.0/host3/fc_host/host3/port_name 0x10000090fa942779\n"            \
                "link sys/class/fc_host/host4 @0000:06:00.1/host4/fc_host/host4\n"                 \
                "file @0000:06:00.1/host4/fc_host/host4/port_name 0x10000090fa94277a\n"
#define ADDRESS "traddr=nn-0x200400a098d63cf2:pn-0x200600a098d63cf2,"                              \
                "host_traddr=nn-0x20000090fa942779:pn-0x10000090fa942779"

#define CONTROLLER(name, transport, address)                                                       \
        "file " FABRICS name "/transport " transport "\n"                                          \
        "file " FABRICS name "/address " address "\n"

/* NVMe over Fibre Channel: the controller names the adapter's port, not the adapter. */
static void test_fibre_channel(void)
{
        assert_in_use(HOSTS "block nvme5n1 259:9 " FABRICS "nvme5/nvme5n1\n"
                      CONTROLLER("nvme5", "fc", ADDRESS)
                      "file proc/self/mountinfo " MOUNT("259:9", "xfs", "/dev/nvme5n1"),
                IN_USE_SYSTEM, "0000:06:00.0");
        /* the disk of several controllers, on its own and as part of another one */
        assert_in_use(HOSTS "block nvme5n1 259:9 "
                      "sys/devices/virtual/nvme-subsystem/nvme-subsys5/nvme5n1\n"
                      "link sys/devices/virtual/nvme-subsystem/nvme-subsys5/nvme5 "
                      FABRICS "nvme5\n" CONTROLLER("nvme5", "fc", ADDRESS)
                      "file proc/self/mountinfo " MOUNT("259:9", "xfs", "/dev/nvme5n1"),
                IN_USE_SYSTEM, "0000:06:00.0");
        assert_in_use(HOSTS "block nvme5n1 259:9 " FABRICS "nvme5/nvme5n1\n"
                      CONTROLLER("nvme5", "fc", ADDRESS)
                      "block dm-0 253:0 sys/devices/virtual/block/dm-0\nslave dm-0 nvme5n1",
                IN_USE_HOLDERS, "0000:06:00.0");
        /* over IP; of a port that is not there */
        assert_in_use(HOSTS "block nvme5n1 259:9 " FABRICS "nvme5/nvme5n1\n"
                      CONTROLLER("nvme5", "tcp", "traddr=192.0.2.1,host_traddr=192.0.2.2")
                      "block nvme6n1 259:10 " FABRICS "nvme6/nvme6n1\n"
                      CONTROLLER("nvme6", "fc", "host_traddr=nn-0x1:pn-0x10000090fa942770")
                      "block nvme7n1 259:11 " FABRICS "nvme7/nvme7n1\n"
                      "file proc/self/mountinfo " MOUNT("259:9", "xfs", "/dev/nvme5n1") "\n",
                IN_USE_SYSTEM, "");
}

int main(void)
{
        test_namespaces();
        test_shared_by_the_hypervisor();
        test_other_devices_of_a_file_system();
        test_unseen_mounts();
        test_loop();
        test_fibre_channel();
        test_bcache();
        test_pools();
        test_unknown_swap();
        test_storage_of_another_class();
        return 0;
}
