/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config-load.h"
#include "core/planner.h"
#include "host/guard.h"
#include "host/host-devices.h"
#include "host/scan.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/hash.h"
#include "util/io.h"
#include "util/strings.h"

/* The record of what the host needs: its text, whole or not at all, and what gets into it. */

#define MACHINE                                                                                    \
        "0000:00:1c.0 class=060400 bridge driver=pcieport\n"                                       \
        "0000:01:00.0 parent=0000:00:1c.0 id=1b36:0010 subsystem=1af4:1100 class=010802 "          \
        "driver=nvme group=1\n"                                                                    \
        "0000:02:00.0 id=1b36:0010 subsystem=1af4:1100 class=010802 driver=nvme group=2 "          \
        "serial=525400fffe000002\n"                                                                \
        "0000:03:00.0 id=8086:1533 class=020000 driver=igb net=eno1 group=3\n"                     \
        "0000:04:00.0 id=1b36:0010 class=010802 driver=vfio-pci group=4\n"                         \
        "block nvme0n1 259:0 @0000:01:00.0/nvme/nvme0/nvme0n1\n"                                   \
        "block nvme0n1p1 259:1 @0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p1\n"                       \
        "file @0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p1/partition 1\n"                            \
        "block nvme1n1 259:2 @0000:02:00.0/nvme/nvme1/nvme1n1\n"                                   \
        "file proc/self/mountinfo 21 1 0:20 / /proc rw - proc proc rw\n"                           \
        "file proc/swaps Filename\\tType\\tSize\\tUsed\\tPriority\n"                               \
        "file proc/net/route Iface\\tDestination\n"                                                \
        "file proc/net/ipv6_route\n"

static HostDevices *collect(FakeSysfs *fake, const char *configuration,
        const HostDevices *previous)
{
        _cleanup_host_ Host host = { .root = -1 };
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_config_ Config *config = NULL;
        _cleanup_plan_ Plan *plan = NULL;
        const PlanRequest request = { .stage = STAGE_RUNTIME };
        HostDevices *devices = NULL;

        ASSERT_OK(config_load_text("test.conf", configuration, strlen(configuration), &config));
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(scan_machine(&host, 0, NULL, &snapshot));
        ASSERT_OK(guard_scan(&host, snapshot));
        ASSERT_OK(planner_plan(snapshot, config, &request, &plan));
        ASSERT_OK(host_devices_collect(&host, snapshot, plan, previous, &devices));
        return devices;
}

/* What is recorded of a machine with these lines, without the first and last line of the text. */
static void assert_recorded(const char *lines, const char *configuration, const char *expected)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_devices_ HostDevices *devices = NULL;
        _cleanup_free_ char *text = NULL;

        fake_sysfs_add(fake, MACHINE);
        fake_sysfs_add(fake, lines);
        devices = collect(fake, configuration, NULL);
        ASSERT_OK(host_devices_format(devices, &text));
        *strstr(text, "end ") = '\0';
        ASSERT_STREQ(strchr(text, '\n') + 1, expected);
}

#define LINE(path, address, serial, uses, what)                                                    \
        "path=" path " address=" address " id=1b36:0010:1af4:1100 serial=" serial " uses=" uses    \
        " what=" what "\n"
#define FIRST(what)                                                                                \
        LINE("0000:00:1c.0/00.0", "0000:01:00.0", "-", "system", what)
#define SECOND(what)                                                                               \
        LINE("0000:02:00.0", "0000:02:00.0", "525400fffe000002", "system", what)

static void test_uses(void)
{
        assert_recorded("", "", "");
        assert_recorded("file proc/self/mountinfo 30 1 259:1 / /srv rw - xfs /dev/nvme0n1p1 rw",
                "", FIRST("/dev/nvme0n1p1 is mounted on /srv"));
        assert_recorded("file proc/self/mountinfo 30 1 259:2 / /srv rw - xfs /dev/nvme1n1 rw",
                "[Claim all]\nMatch=class=01\n", SECOND("/dev/nvme1n1 is mounted on /srv"));
}

/* What a claim takes in spite of a use is none of the host's; system use is never let go. */
static void test_allowed_uses(void)
{
        static const char route[] = "file proc/net/route "
                "Iface\\tDestination\\neno1\\t00000000\\t0102A8C0\\t0003\\t0\\t0\\t0\\t00000000";
        static const char recorded[] = "path=0000:03:00.0 address=0000:03:00.0 "
                "id=8086:1533:0000:0000 serial=- uses=network what=eno1 carries the default "
                "route\n";

        assert_recorded(route, "", recorded);
        assert_recorded(route, "[Claim nic]\nMatch=0000:03:00.0\n", recorded);
        assert_recorded(route, "[Claim nic]\nMatch=0000:03:00.0\nAllowInUse=network\n", "");
        assert_recorded(route, "[Claim other]\nMatch=0000:02:00.0\nAllowInUse=network\n",
                recorded);
        assert_recorded("file proc/self/mountinfo 30 1 259:2 / /srv rw - xfs /dev/nvme1n1 rw",
                "[Claim all]\nMatch=class=01\nAllowInUse=holders network display process\n",
                SECOND("/dev/nvme1n1 is mounted on /srv"));
}

/* Parts of the platform, where others in their group could be claimed. */
static void test_platform(void)
{
        static const char other[] = "0000:00:1f.2 id=8086:2922 class=040300 group=8\n";
        static const char smbus[] = "0000:00:1f.3 id=1b36:0010 subsystem=1af4:1100 class=0c0500 "
                                    "group=8 driver=i801_smbus\n";
        static const char expected[] = LINE("0000:00:1f.3", "0000:00:1f.3", "-", "platform",
                "its driver was i801_smbus");
        static const char bridge[] = LINE("0000:00:1f.0", "0000:00:1f.0", "-", "platform",
                "its driver was lpc_ich");
        _cleanup_free_ char *both = NULL, *idle = NULL, *alone = NULL, *ours = NULL;

        ASSERT_OK(format_string(&both, "%s%s", other, smbus));
        assert_recorded(both, "", expected);
        assert_recorded(both, "[Claim sound]\nMatch=00:1f.2\n", expected);
        ASSERT_OK(format_string(&alone, "0000:00:1f.0 id=1b36:0010 subsystem=1af4:1100 "
                "class=060100 driver=lpc_ich group=8\n%s", smbus));
        assert_recorded(alone, "", "");
        assert_recorded(alone, "[Claim smbus]\nMatch=00:1f.3\n", bridge);
        ASSERT_OK(format_string(&idle, "%s0000:00:1f.3 class=0c0500 group=8\n"
                "0000:00:1f.0 class=060100 driver=pci-stub group=8\n", other));
        assert_recorded(idle, "", "");
        ASSERT_OK(format_string(&ours, "%s0000:00:1f.3 class=0c0500 group=8 driver=vfio-pci\n",
                other));
        assert_recorded(ours, "", "");
}

static void test_tables(void)
{
        assert_recorded("link dev/disk/by-uuid/1234-ABCD dev/nvme0n1p1\n"
                        "file etc/fstab # <source> <point>\\n\\nUUID=1234-ABCD /srv\\\\040a xfs "
                        "noauto 0 0",
                "", FIRST("/etc/fstab names UUID=1234-ABCD for /srv a"));
        assert_recorded("link dev/disk/by-label/my\\x20disk dev/nvme0n1p1\n"
                        "file etc/fstab LABEL=\"my\\\\040disk\" none swap sw",
                "", FIRST("/etc/fstab names LABEL=my disk for none"));
        assert_recorded("link dev/disk/by-partuuid/8f-01 dev/nvme0n1p1\n"
                        "file etc/crypttab data PARTUUID=8f-01 none luks",
                "", FIRST("/etc/crypttab names PARTUUID=8f-01 for /dev/mapper/data"));
        assert_recorded("link dev/disk/by-id/nvme-x dev/nvme1n1\n"
                        "file etc/crypttab swap\t/dev/disk/by-id/nvme-x\t/dev/urandom",
                "", SECOND("/etc/crypttab names /dev/disk/by-id/nvme-x for /dev/mapper/swap"));
        assert_recorded("block md0 9:0 sys/devices/virtual/block/md0\n"
                        "slave md0 nvme0n1p1\nslave md0 nvme1n1\n"
                        "link dev/disk/by-id/md-uuid-1:2:3:4 dev/md0\n"
                        "file etc/mdadm/mdadm.conf HOMEHOST <system>\\nARRAY /dev/md/gone "
                        "metadata=1.2 UUID=1:2:3:4",
                "",
                LINE("0000:00:1c.0/00.0", "0000:01:00.0", "-", "system,holders",
                        "/etc/mdadm/mdadm.conf names ID=md-uuid-1:2:3:4")
                LINE("0000:02:00.0", "0000:02:00.0", "525400fffe000002", "system,holders",
                        "/etc/mdadm/mdadm.conf names ID=md-uuid-1:2:3:4"));
}

/* Tables of another shape, and names that lead nowhere or to others, record nothing. */
static void test_hostile_tables(void)
{
        assert_recorded("file etc/fstab \\n \\n#\\n\\t\\nUUID= / x\\nUUID=../../../nvme0n1 / x\\n"
                        "/dev/ / x\\n/dev/../etc / x\\ntmpfs /tmp tmpfs\\nnfs:/a /b nfs\\n"
                        "/dev/nvme9n1 /c xfs\\n\"\\n\\\\\\n\\\\04",
                "", "");
        assert_recorded("file etc/crypttab a\\n\\\\\\nb UUID=\\n", "", "");
        assert_recorded("file etc/mdadm.conf ARRAY\\narray x\\nARRAY UUID=1 UUID=\\n", "", "");
        assert_recorded("dir etc/fstab\nlink etc/crypttab etc/crypttab", "", "");
}

static void test_pools(void)
{
        static const char cache[] = "\0\0\0\1path\0/dev/disk/by-id/nvme-x-part1\0\0\2/dev";
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_devices_ HostDevices *devices = NULL;

        fake_sysfs_add(fake, MACHINE "link dev/disk/by-id/nvme-x-part1 dev/nvme0n1p1\n");
        fake_sysfs_write_data(fake, "etc/zfs/zpool.cache", cache, sizeof(cache));
        devices = collect(fake, "", NULL);
        ASSERT_EQ(devices->n_items, 1);
        ASSERT_STREQ(devices->items[0].what,
                "/etc/zfs/zpool.cache names /dev/disk/by-id/nvme-x-part1");
}

/* Configuration space is read once for a function. */
static void test_serial_is_kept(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_devices_ HostDevices *first = NULL, *second = NULL;

        fake_sysfs_add(fake, MACHINE "file proc/self/mountinfo 30 1 259:2 / /srv rw - xfs "
                                     "/dev/nvme1n1 rw");
        first = collect(fake, "", NULL);
        ASSERT_STREQ(first->items[0].serial, "525400fffe000002");
        fake_sysfs_remove(fake, "sys/devices/pci0000:00/0000:02:00.0/config");
        second = collect(fake, "", first);
        ASSERT_STREQ(second->items[0].serial, "525400fffe000002");
}

#define TWO FIRST("/dev/nvme0n1p1 is mounted on /srv") SECOND("/dev/nvme1n1 is mounted on /")

static HostDevices *make_two(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, MACHINE
                "file proc/self/mountinfo 30 1 259:1 / /srv rw - xfs /dev/nvme0n1p1 rw\\n"
                "31 1 259:2 / / rw - xfs /dev/nvme1n1 rw");
        return collect(fake, "", NULL);
}

static void test_file(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = { .root = -1 };
        _cleanup_host_devices_ HostDevices *devices = make_two(), *again = NULL, *handed = NULL;
        _cleanup_free_ char *text = NULL, *other = NULL;

        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_EQ(host_devices_read(&host, &again), -ENOENT);
        ASSERT_OK(mkdirat(host.root, "run/vfio-bindd", 0755));
        ASSERT_OK(host_devices_hand_on(&host, devices));
        ASSERT_EQ(host_devices_read(&host, &handed), -ENOENT);
        ASSERT_OK(host_devices_read_handed_on(&host, &handed));
        ASSERT_EQ(handed->n_items, 2);

        ASSERT_OK(host_devices_write(&host, NULL, devices));
        ASSERT_OK(host_devices_read(&host, &again));
        ASSERT_OK(host_devices_format(again, &text));
        ASSERT_OK(host_devices_format(devices, &other));
        ASSERT_STREQ(text, other);
        ASSERT_CONTAINS(text, TWO);
        fake_sysfs_write(fake, HOST_DEVICES_FILE, "rubbish\n");
        again = host_devices_free(again);
        ASSERT_EQ(host_devices_read(&host, &again), -EBADMSG);
}

/* Who may read may lock, but nothing that writers wait for. */
static void test_reader_locks(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = { .root = -1 };
        _cleanup_host_devices_ HostDevices *devices = make_two();
        static const char *const names[] = { "var/lib/vfio-bindd", HOST_DEVICES_FILE };
        struct stat status;

        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(host_devices_write(&host, NULL, devices));
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_close_ int fd = openat(host.root, names[i], O_RDONLY | O_CLOEXEC);

                ASSERT_TRUE(fd >= 0);
                ASSERT_OK(flock(fd, LOCK_EX));
                ASSERT_OK(host_devices_write(&host, NULL, devices));
        }
        ASSERT_OK(fstatat(host.root, "var/lib/vfio-bindd/lock", &status, 0));
        ASSERT_EQ(status.st_mode & 0777, 0600);
}

/* What a writer that was killed left goes with the next writing, and nothing else. */
static void test_unfinished(void)
{
        static const char unfinished[] = "var/lib/vfio-bindd/.host-devices.4711.0";
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = { .root = -1 };
        _cleanup_host_devices_ HostDevices *devices = make_two();

        ASSERT_OK(host_open(fake->root, &host));
        fake_sysfs_write(fake, unfinished, "half a li");
        fake_sysfs_write(fake, "var/lib/vfio-bindd/other", "");
        ASSERT_OK(host_devices_write(&host, NULL, devices));
        ASSERT_TRUE(faccessat(host.root, unfinished, F_OK, 0) < 0 && errno == ENOENT);
        ASSERT_OK(faccessat(host.root, "var/lib/vfio-bindd/other", F_OK, 0));
}

/* Cut anywhere, and with any byte changed, it is no record. */
static void test_damage(void)
{
        _cleanup_host_devices_ HostDevices *devices = make_two(), *parsed = NULL;
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(host_devices_format(devices, &text));
        size_t length = strlen(text);
        ASSERT_OK(host_devices_parse(text, length, &parsed));
        for (size_t i = 0; i < length; i++) {
                _cleanup_free_ char *copy = strndup(text, i);

                ASSERT_TRUE(copy);
                parsed = host_devices_free(parsed);
                ASSERT_EQ(host_devices_parse(copy, i, &parsed), -EBADMSG);
                free(copy);
                copy = strdup(text);
                ASSERT_TRUE(copy);
                for (unsigned bit = 0; bit < 8; bit++) {
                        copy[i] = (char) (text[i] ^ 1 << bit);
                        ASSERT_EQ(host_devices_parse(copy, length, &parsed), -EBADMSG);
                }
        }
}

/* Well summed up, but not what we write. */
static void test_hostile_text(void)
{
        static const char *const lines[] = {
                "", "path=\n", "path=/etc address=0 id=0 serial=- uses= what=\n",
                LINE("0000:01:00.0", "0000:01:00.0", "-", "none", "x"),
                LINE("0000:01:00.0", "0000:01:00.0", "1", "system", "x"),
                LINE("0000:01:00.0", "0000:01:00.9", "-", "system", "x"),
                LINE("0000:01:00.0 ", "0000:01:00.0", "-", "system", "x"),
                LINE("z", "0000:01:00.0", "-", "system", "x"),
                LINE("0000:01:00.0", "0000:01:00.0", "-", "system", ""),
                LINE("0000:01:00.0", "0000:01:00.0", "-", "system", "\033[2J"),
                LINE("0000:02:00.0", "0000:01:00.0", "-", "system", "x")
                        LINE("0000:01:00.0", "0000:01:00.0", "-", "system", "x"),
                LINE("0000:01:00.0", "0000:01:00.0", "-", "system", "x")
                        LINE("0000:01:00.0", "0000:01:00.0", "-", "system", "x"),
                "\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                _cleanup_host_devices_ HostDevices *devices = NULL;
                _cleanup_free_ char *text = NULL;
                char before[2048];
                size_t n = (size_t) snprintf(before, sizeof(before),
                        "vfio-bindd host-devices 1\n%s", lines[i]);
                uint64_t hash = hash_update(HASH_START, before, n);

                ASSERT_OK(format_string(&text, "%send %d %016llx\n", before,
                        i < 10 ? i > 0 : i < 12 ? 2 : 1, (unsigned long long) hash));
                ASSERT_EQ(host_devices_parse(text, strlen(text), &devices),
                        i == 0 ? 0 : -EBADMSG);
        }
}

int main(void)
{
        test_uses();
        test_allowed_uses();
        test_platform();
        test_tables();
        test_hostile_tables();
        test_pools();
        test_serial_is_kept();
        test_file();
        test_reader_locks();
        test_unfinished();
        test_damage();
        test_hostile_text();
        return 0;
}
