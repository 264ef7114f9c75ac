/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <unistd.h>

#include "host/guard.h"
#include "host/scan.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/strings.h"

/* Any bytes as everything that the guard reads, all of it at once, and as the links that it
 * follows. The machine itself stays as it is. */

const char *const fuzz_dictionary[] = {"30 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n",
        "31 1 0:30 / /b rw - btrfs /dev/nvme0n1:/dev/sda rw\n",
        "32 1 8:0 / /c rw - xfs x rw,logdev=",
        "/dev/nvme0n1", "/dev/sda", "\\040", "\\012", " partition 1 0 -2\n", "8:0", "259:0",
        "eno1\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\n", "eno1", "lower_", "upper_br0",
        "00000000000000000000000000000000 00 ", " 00000001 eno1\n", "  c0-c1 : 0000:01:00.0\n",
        "    c0-c1 : efifb\n", "mnt:[3]", "tty0 ttyS4", "VGA", "frame buffer", "(udev-worker)",
        "0::/system.slice/systemd-udevd.service\n", "Device Minor: 0\n", "fffffffffffffffe",
        "../..",
        "\xc3\x28", NULL};

static const char *const files[] = {"proc/self/mountinfo", "proc/7/mountinfo", "proc/7/comm",
        "proc/7/cgroup", "proc/7/fdinfo/3", "proc/swaps", "proc/net/route", "proc/net/ipv6_route",
        "proc/net/if_inet6", "proc/iomem", "etc/zfs/zpool.cache", "sys/power/resume",
        "sys/class/vtconsole/vtcon0/name", "sys/class/tty/console/active",
        "sys/devices/virtual/block/dm-0/dm/name",
        "sys/devices/virtual/block/loop0/loop/backing_file",
        "sys/devices/i/capabilities/key", "proc/driver/nvidia/gpus/0000:04:00.0/information"};
static const char *const links[] = {"proc/7/fd/3", "proc/7/ns/mnt", "sys/class/block/x",
        "sys/dev/block/8:99", "sys/dev/char/8:99", "sys/class/net/eno9", "sys/class/graphics/fb0",
        "sys/fs/bcachefs/a-b/dev-0/block", "sys/class/input/input0", "sys/class/tty/ttyS4"};

static FakeSysfs *fake;

__attribute__((destructor)) static void remove_machine(void)
{
        fake_sysfs_free(fake);
}

static void make_machine(void)
{
        fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:01:00.0 class=010802 driver=nvme\n0000:02:00.0 class=010700 driver=mpt3sas\n"
                "0000:03:00.0 class=020000 driver=igb net=eno1\n"
                "0000:04:00.0 class=030000 driver=nvidia boot-vga=1\n"
                "block nvme0n1 259:0 @0000:01:00.0/nvme/nvme0/nvme0n1\n"
                "block sda 8:0 @0000:02:00.0/host0/sda\n"
                "block dm-0 253:0 sys/devices/virtual/block/dm-0\nslave dm-0 sda\n"
                "block loop0 7:0 sys/devices/virtual/block/loop0\n"
                "net br0 sys/devices/virtual/net/br0\nlower br0 eno1\n"
                "link sys/class/input/input1 sys/devices/i\n"
                "file sys/class/vtconsole/vtcon0/bind 1\nfile proc/spl/kstat/zfs/tank/state x");
}

static void put_links(const char *text, size_t size)
{
        char target[200] = "x";

        if (size > 0)
                (void) snprintf(target, sizeof(target), "%.*s", (int) strcspn(text, "\n"), text);
        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                char line[300];

                fake_sysfs_remove(fake, links[i]);
                (void) snprintf(line, sizeof(line), "symlink %s %s", links[i],
                        *target ? target : "x");
                fake_sysfs_add(fake, line);
        }
}

static void check_device(const Device *device)
{
        for (size_t i = 0; i < device->n_uses; i++) {
                const UseNote *note = &device->uses[i];

                ASSERT_TRUE(note->use < _IN_USE_MAX && !isempty(note->what));
                ASSERT_TRUE(!find_unprintable(note->what));
                ASSERT_TRUE(!note->remedy || !find_unprintable(note->remedy));
                ASSERT_TRUE(i == 0 || device->uses[i - 1].use <= note->use);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_host_ Host host = {.root = -1};
        _cleanup_free_ char *text = strndup((const char *) data, size);

        ASSERT_TRUE(text);
        if (!fake)
                make_machine();
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                fake_sysfs_write_data(fake, files[i], data, size);
        put_links(text, size);

        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(scan_machine(&host, 0, NULL, &snapshot));
        ASSERT_OK(guard_scan(&host, snapshot));
        for (size_t i = 0; i < snapshot->n_devices; i++)
                check_device(&snapshot->devices[i]);
        return 0;
}
