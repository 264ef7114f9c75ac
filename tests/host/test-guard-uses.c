/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/guard.h"
#include "host/scan.h"
#include "lib/guard-machine.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

/* Holders, network, display and process use. */

/* A guest has a part of it. */
static void test_mediated(void)
{
        static const char lines[] =
                "0000:06:00.0 class=030000 driver=i915\n"
                "link sys/bus/mdev/devices/4b20d080-1b54-4048-85b3-a6a62d165c01 "
                "@0000:06:00.0/4b20d080-1b54-4048-85b3-a6a62d165c01\n"
                "link sys/bus/mdev/devices/other sys/devices/virtual/mtty/mtty/other";

        assert_in_use(lines, IN_USE_VFIO, "0000:06:00.0");
        assert_note(lines, "0000:06:00.0",
                "the mediated device 4b20d080-1b54-4048-85b3-a6a62d165c01 is made of it",
                "Remove that, when no guest has it");
}

static void test_holders(void)
{
        static const char volume[] = "block dm-0 253:0 sys/devices/virtual/block/dm-0\n"
                                     "slave dm-0 nvme1n1\n"
                                     "file sys/devices/virtual/block/dm-0/dm/name vg-da\\tta\n";

        assert_in_use(volume, IN_USE_HOLDERS, "0000:02:00.0");
        assert_note(volume, "0000:02:00.0",
                "/dev/mapper/vg-da?ta is assembled from /dev/nvme1n1", "Take it apart");
        /* both controllers of a drive that can be reached by two */
        assert_in_use("block nvme2n1 259:5 "
                      "sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme2n1\n"
                      "link sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme0 "
                      "@0000:01:00.0/nvme/nvme0\n"
                      "link sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme1 "
                      "@0000:02:00.0/nvme/nvme1\n"
                      "block md0 9:0 sys/devices/virtual/block/md0\nslave md0 nvme2n1",
                IN_USE_HOLDERS, "0000:01:00.0 0000:02:00.0");
        /* without a host driver there is nothing to be held */
        assert_in_use("0000:06:00.0 class=010802 driver=vfio-pci\n"
                      "block nvme9n1 259:9 @0000:06:00.0/nvme/nvme9/nvme9n1\n"
                      "block md0 9:0 sys/devices/virtual/block/md0\nslave md0 nvme9n1",
                IN_USE_HOLDERS, "");
}

#define LOOP "sys/devices/virtual/block/loop"

/* The kernel lists no holder of what a loop device stands on, nor claims it. */
static void test_loop_devices(void)
{
        static const char loop[] = "block loop0 7:0 " LOOP "0\n"
                                   "file " LOOP "0/loop/backing_file /dev/nvme1n1\n";

        assert_in_use(loop, IN_USE_HOLDERS, "0000:02:00.0");
        assert_note(loop, "0000:02:00.0", "/dev/loop0 is assembled from /dev/nvme1n1",
                "Take it apart");
        assert_in_use("block loop0 7:0 " LOOP "0\n"
                      "file " LOOP "0/loop/backing_file /dev/nvme0n1p1\n"
                      "block loop1 7:1 " LOOP "1\nfile " LOOP "1/loop/backing_file /dev/loop0\n"
                      "block loop2 7:2 " LOOP "2\nfile " LOOP "2/loop/backing_file /srv/image\n"
                      "block loop3 7:3 " LOOP "3\nblock loop3p1 259:90 " LOOP "3/loop3p1",
                IN_USE_HOLDERS, "0000:01:00.0");
}

#define TARGET "sys/kernel/config/nvmet/subsystems/nqn.2014-08.org.example:drive/"
#define NAMESPACE(number, enabled, path)                                                           \
        "file " TARGET "namespaces/" number "/enable " enabled "\n"                                \
        "file " TARGET "namespaces/" number "/device_path " path "\n"

/* The kernel serves it without claiming it, and no process has it open. */
static void test_nvme_target(void)
{
        assert_in_use(NAMESPACE("1", "1", "/dev/nvme1n1"), IN_USE_HOLDERS, "0000:02:00.0");
        assert_note(NAMESPACE("1", "1", "/dev/nvme1n1"), "0000:02:00.0",
                "/dev/nvme1n1 is served to other machines as nqn.2014-08.org.example:drive",
                "Take it out of the NVMe target");
        assert_in_use(NAMESPACE("1", "0", "/dev/nvme1n1") NAMESPACE("2", "1", "/dev/nvme0n1p1")
                      NAMESPACE("3", "1", "/srv/image") NAMESPACE("4", "0", "/dev/none")
                      "dir " TARGET "namespaces/5",
                IN_USE_HOLDERS, "0000:01:00.0");
        assert_in_use(NAMESPACE("1", "1", "/dev/none"), IN_USE_BLIND,
                "0000:01:00.0 0000:02:00.0 0000:05:00.0");
        assert_in_use("file " TARGET "namespaces/1/enable 1", IN_USE_BLIND,
                "0000:01:00.0 0000:02:00.0 0000:05:00.0");
        assert_in_use("file " TARGET "passthru/enable 1\n"
                      "file " TARGET "passthru/device_path /dev/nvme1\n"
                      "link sys/class/nvme/nvme1 @0000:02:00.0/nvme/nvme1",
                IN_USE_HOLDERS, "0000:02:00.0");
}

static void test_addresses(void)
{
        assert_note("file proc/net/if_inet6 20010db8000000000000000000000001 02 40 00 80     eno1",
                "0000:03:00.0", "eno1 has the address 20010db8000000000000000000000001",
                "Move the address to another interface");
        /* link-local, on lo, of other shapes */
        assert_in_use("file proc/net/if_inet6 fe800000000000000000000000000001 02 40 20 80 eno1\\n"
                      "00000000000000000000000000000001 01 80 10 80 lo\\n\\n"
                      "x 02 40 00 80 an-interface-with-a-long-name\\nx 02 40 00 80 ../eno1\\nx 02",
                IN_USE_NETWORK, "");
}

static void test_uppers(void)
{
        assert_in_use("net br0 sys/devices/virtual/net/br0\nlower br0 eno2", IN_USE_NETWORK,
                "0000:04:00.0");
        assert_note("net br0 sys/devices/virtual/net/br0\nlower br0 eno2", "0000:04:00.0",
                "eno2 is part of br0", "Take br0 off eno2");
        /* an adapter on USB counts for the controller */
        assert_in_use("0000:06:00.0 class=0c0330 driver=xhci_hcd\n"
                      "net usb0 @0000:06:00.0/usb1/1-1/1-1:1.0/net/usb0\n"
                      "net vlan5 sys/devices/virtual/net/vlan5\nlower vlan5 usb0",
                IN_USE_NETWORK, "0000:06:00.0");
}

static void test_hidden_interfaces(void)
{
        assert_note("0000:06:00.0 class=020000 driver=e1000e\ndir @0000:06:00.0/net",
                "0000:06:00.0", "its network interface is in another network namespace",
                "Move the interface back, or stop the container that has it");
        assert_in_use("0000:06:00.0 class=020000 driver=virtio-pci\n"
                      "dir @0000:06:00.0/virtio3/net",
                IN_USE_NETWORK, "0000:06:00.0");
        /* a driver that makes none, none at all, not a network function, one that is here */
        assert_in_use("0000:06:00.0 class=020000 driver=uio_pci_generic\n"
                      "0000:07:00.0 class=020000\ndir @0000:07:00.0/net\n"
                      "0000:08:00.0 class=0c0330 driver=xhci_hcd\ndir @0000:08:00.0/net\n"
                      "0000:09:00.0 class=020000 driver=virtio-pci\n"
                      "net eno9 @0000:09:00.0/virtio3/net/eno9",
                IN_USE_NETWORK, "");
}

#define FRAMEBUFFER_CONSOLE                                                                        \
        "file sys/class/vtconsole/vtcon0/name (S) dummy device\n"                                  \
        "file sys/class/vtconsole/vtcon0/bind 0\n"                                                 \
        "file sys/class/vtconsole/vtcon1/name (M) frame buffer device\n"                           \
        "file sys/class/vtconsole/vtcon1/bind 1\n"
#define TEXT_CONSOLE                                                                               \
        "file sys/class/vtconsole/vtcon0/name (S) VGA+\n"                                          \
        "file sys/class/vtconsole/vtcon0/bind 1\n"

static void test_boot_vga(void)
{
        assert_in_use("0000:06:00.0 class=030000 driver=nouveau boot-vga=1\n"
                      "0000:07:00.0 class=030000 driver=nouveau boot-vga=0",
                IN_USE_DISPLAY, "0000:06:00.0");
        /* without driver only if the console is in text mode */
        assert_in_use("0000:06:00.0 class=030000 boot-vga=1", IN_USE_DISPLAY, "");
        assert_in_use(TEXT_CONSOLE "0000:06:00.0 class=030000 boot-vga=1", IN_USE_DISPLAY,
                "0000:06:00.0");
        assert_in_use(TEXT_CONSOLE "0000:06:00.0 class=030000 boot-vga=1 driver=vfio-pci",
                IN_USE_DISPLAY, "");
}

static void test_framebuffer(void)
{
        static const char card[] = "0000:06:00.0 class=038000 driver=amdgpu\n"
                                   "link sys/class/graphics/fb0 @0000:06:00.0/graphics/fb0\n";
        char lines[1024];

        (void) snprintf(lines, sizeof(lines), "%s%s", card, FRAMEBUFFER_CONSOLE);
        assert_note(lines, "0000:06:00.0", "its framebuffer fb0 shows the console of the host",
                "Let the host use another display, or none");
        assert_in_use(card, IN_USE_DISPLAY, "");

        /* the firmware's, without a driver, on the memory of one of two */
        assert_in_use("0000:06:00.0 class=030000\n0000:07:00.0 class=030000\n"
                      "file proc/iomem 00000000-00000fff : Reserved\\n"
                      "c0000000-dfffffff : PCI Bus 0000:00\\n"
                      "  c0000000-c0ffffff : 0000:06:00.0\\n"
                      "  d0000000-d0ffffff : 0000:07:00.0\\n"
                      "    d0000000-d07fffff : simple-framebuffer",
                IN_USE_DISPLAY, "0000:07:00.0");
        assert_in_use("0000:06:00.0 class=030000\n"
                      "file proc/iomem   c0000000-c0ffffff : 0000:06:00.0\\nefifb\\n : efifb\\n"
                      "                                                                          "
                      "                    c0-c1 : efifb",
                IN_USE_DISPLAY, "");
}

static void test_open_nodes(void)
{
        static const char disk[] = "file proc/77/comm smartd\n"
                "file proc/77/cgroup 0::/system.slice/smartd.service\n"
                "symlink proc/77/fd/3 /dev/nvme1n1\n";
        static const char sound[] =
                "0000:06:00.0 class=040300 driver=snd_hda_intel\n"
                "dir @0000:06:00.0/sound/card0/controlC0\n"
                "link sys/dev/char/116:2 @0000:06:00.0/sound/card0/controlC0\n"
                "symlink proc/78/fd/9 /dev/snd/controlC0\nfile proc/78/comm pipewire\n";

        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        fake_sysfs_add(fake, GUARD_MACHINE);
        fake_sysfs_add(fake, disk);
        fake_sysfs_add(fake, sound);
        fake_sysfs_add(fake, "symlink proc/78/fd/10 socket:[1]\n"
                             "symlink proc/78/fd/11 /memfd:nvme0n1 (deleted)\n"
                             "symlink proc/78/fd/12 /home/nvme0n1\n"
                             "symlink proc/78/fd/13 /dev/\nfile proc/78/fd/14 x\ndir proc/79/fd/1");
        _cleanup_snapshot_ Snapshot *snapshot = guard_machine_scan(fake);
        const Device *drive = guard_machine_find(snapshot, "0000:02:00.0");
        ASSERT_EQ(drive->n_uses, 1);
        ASSERT_EQ(drive->uses[0].use, IN_USE_PROCESS);
        ASSERT_STREQ(drive->uses[0].what, "/dev/nvme1n1 is open in smartd (process 77)");
        ASSERT_STREQ(drive->uses[0].remedy, "Stop smartd.service");
        const Device *card = guard_machine_find(snapshot, "0000:06:00.0");
        ASSERT_STREQ(card->uses[0].what, "/dev/snd/controlC0 is open in pipewire (process 78)");
        ASSERT_STREQ(card->uses[0].remedy, "End that program");
        ASSERT_EQ(guard_machine_find(snapshot, "0000:01:00.0")->n_uses, 0);
}

/* udev's look passes, that of others does not; nobody is told to stop his login service. */
static void test_who_has_it_open(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, GUARD_MACHINE);
        fake_sysfs_add(fake, "file proc/50/comm (udev-worker)\n"
                "file proc/50/cgroup 0::/system.slice/systemd-udevd.service/udev\n"
                "symlink proc/50/fd/0 /dev/nvme0n1");
        fake_sysfs_add(fake, "file proc/51/comm (udev-worker)\n"
                "file proc/51/cgroup 0::/user.slice/session-1.scope\n"
                "symlink proc/51/fd/0 /dev/nvme1n1");
        fake_sysfs_add(fake, "file proc/52/comm systemd-logind\n"
                "file proc/52/cgroup 0::/system.slice/systemd-logind.service\n"
                "symlink proc/52/fd/0 /dev/sda");
        _cleanup_snapshot_ Snapshot *snapshot = guard_machine_scan(fake);
        ASSERT_TRUE(guard_machine_find(snapshot, "0000:01:00.0")->uses[0].is_passing);
        ASSERT_TRUE(!guard_machine_find(snapshot, "0000:02:00.0")->uses[0].is_passing);
        ASSERT_CONTAINS(guard_machine_find(snapshot, "0000:05:00.0")->uses[0].remedy,
                "choose another device");
}

static void test_nvidia(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, GUARD_MACHINE "0000:06:00.0 class=030000 driver=nvidia\n"
                "0000:07:00.0 class=030000 driver=nvidia\n"
                "0000:08:00.0 class=030000 driver=nouveau\n"
                "file proc/driver/nvidia/gpus/0000:06:00.0/information "
                "Model: x\\nDevice Minor: \\t 0\\n\n"
                "file proc/driver/nvidia/gpus/0000:07:00.0/information Device Minor: \\t 1");
        fake_sysfs_add(fake, "file proc/60/comm python\n"
                "symlink proc/60/fd/0 /dev/nvidia1");
        fake_sysfs_add(fake, "file proc/61/comm python\n"
                "symlink proc/61/fd/0 /dev/nvidiactl");
        _cleanup_snapshot_ Snapshot *snapshot = guard_machine_scan(fake);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:06:00.0")->n_uses, 0);
        ASSERT_EQ(guard_machine_find(snapshot, "0000:07:00.0")->n_uses, 1);
        ASSERT_STREQ(guard_machine_find(snapshot, "0000:07:00.0")->uses[0].what,
                "/dev/nvidia1 is open in python (process 60)");
        ASSERT_EQ(guard_machine_find(snapshot, "0000:08:00.0")->n_uses, 0);
}

#define KEYBOARD(name, path, keys)                                                                 \
        "link sys/class/input/" name " " path "\nfile " path "/capabilities/key " keys "\n"
#define LETTERS "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
#define ON_USB  "@0000:06:00.0/usb1/1-1/1-1:1.0/0003:1.1/input/"
#define USB     "0000:06:00.0 class=0c0330 driver=xhci_hcd\n"

static void test_keyboards(void)
{
        assert_note(USB KEYBOARD("input5", ON_USB "input5", LETTERS)
                    KEYBOARD("input1", "sys/devices/LNXPWRBN:00/input/input1", "10000000000000 0")
                    KEYBOARD("input9", "sys/devices/virtual/input/input9", LETTERS),
                "0000:06:00.0", "the only keyboard of the host is below it",
                "Plug a keyboard in elsewhere");
        /* two on one controller do not help, one elsewhere does */
        assert_in_use(USB KEYBOARD("input5", ON_USB "input5", LETTERS)
                      KEYBOARD("input6", ON_USB "input6", LETTERS),
                IN_USE_PROCESS, "0000:06:00.0");
        assert_in_use(USB KEYBOARD("input5", ON_USB "input5", LETTERS)
                      KEYBOARD("input0", "sys/devices/platform/i8042/input/input0", LETTERS),
                IN_USE_PROCESS, "");
        assert_in_use(USB KEYBOARD("input5", ON_USB "input5", "")
                      KEYBOARD("event5", ON_USB "event5", LETTERS)
                      KEYBOARD("input6", ON_USB "input6", "fffffffe x")
                      "file sys/class/input/input7 x\nsymlink sys/class/input/input8 /etc/../../..",
                IN_USE_PROCESS, "");
}

static void test_serial_console(void)
{
        static const char card[] = "0000:06:00.0 class=070002 driver=serial\n"
                                   "link sys/class/tty/ttyS4 @0000:06:00.0/tty/ttyS4\n"
                                   "link sys/dev/char/4:68 @0000:06:00.0/tty/ttyS4\n";
        char lines[512];

        (void) snprintf(lines, sizeof(lines), "%s%s", card,
                "file sys/class/tty/console/active tty0 ttyS4");
        assert_note(lines, "0000:06:00.0", "ttyS4 is a console of the host",
                "Take it off the kernel command line (\"console=\")");
        (void) snprintf(lines, sizeof(lines), "%s%s", card,
                "file sys/class/tty/console/active tty0 ../tty/ttyS4 ttyS5 x\\0y");
        assert_in_use(lines, IN_USE_PROCESS, "");
}

/* This kernel's processes above a tree in which /dev/full and /dev/zero are below functions. */
#define FULL "link sys/dev/char/1:7 @0000:02:00.0/full\ndir @0000:02:00.0/full\n"
#define ZERO "link sys/dev/char/1:5 @0000:04:00.0/zero\ndir @0000:04:00.0/zero\n"

static FakeSysfs *new_live_tree(Host *ret)
{
        FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, GUARD_MACHINE FULL ZERO);
        fake_sysfs_remove(fake, "proc");
        ASSERT_OK(symlinkat("/proc", fake->fd, "proc"));
        ASSERT_OK(host_open(fake->root, ret));
        ret->is_live = true;
        return fake;
}

/* Other processes of this machine may do the same. */
static bool is_about_us(const char *what)
{
        char own[40];

        (void) snprintf(own, sizeof(own), "(process %d)", (int) getpid());
        return strstr(what, own);
}

/* (Who may not look at all of others is told that besides.) */
static bool sees_full_open(const Host *host)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;

        ASSERT_OK(scan_machine(host, 0, NULL, &snapshot));
        ASSERT_OK(guard_scan(host, snapshot));
        const Device *drive = guard_machine_find(snapshot, "0000:02:00.0");
        for (size_t i = 0; i < drive->n_uses; i++)
                if (drive->uses[i].use == IN_USE_PROCESS && is_about_us(drive->uses[i].what)) {
                        ASSERT_CONTAINS(drive->uses[i].what, "/dev/full is open in ");
                        return true;
                }
        return false;
}

static struct {
        sem_t is_open, may_end;
} other;

static void *open_for_itself(void *unused)
{
        ASSERT_OK(unshare(CLONE_FILES));
        _cleanup_close_ int fd = open("/dev/full", O_RDONLY | O_CLOEXEC);
        ASSERT_TRUE(fd >= 0);
        ASSERT_OK(sem_post(&other.is_open));
        ASSERT_OK(sem_wait(&other.may_end));
        return unused;
}

/* A thread may have a table of open files of its own. */
static void test_open_in_a_thread(void)
{
        _cleanup_host_ Host host = {.root = -1};
        _cleanup_fake_sysfs_ _unused_ FakeSysfs *fake = new_live_tree(&host);
        pthread_t thread;

        ASSERT_TRUE(!sees_full_open(&host));
        ASSERT_OK(sem_init(&other.is_open, 0, 0));
        ASSERT_OK(sem_init(&other.may_end, 0, 0));
        ASSERT_EQ(pthread_create(&thread, NULL, open_for_itself, NULL), 0);
        ASSERT_OK(sem_wait(&other.is_open));
        ASSERT_TRUE(sees_full_open(&host));
        ASSERT_OK(sem_post(&other.may_end));
        ASSERT_EQ(pthread_join(thread, NULL), 0);
        ASSERT_TRUE(!sees_full_open(&host));
}

static bool sees_zero_mapped(const Host *host, unsigned allow)
{
        const PciAddress nic = {.bus = 4};
        _cleanup_free_ char *text = NULL;
        GuardAnswer answer;

        ASSERT_OK(guard_check(host, &nic, allow, 0, &answer, &text));
        if (!text || answer.use != IN_USE_PROCESS || !is_about_us(text))
                return false;
        ASSERT_CONTAINS(text, "/dev/zero is mapped by ");
        return true;
}

/* What is mapped may be closed. */
static void test_mapped(void)
{
        _cleanup_host_ Host host = {.root = -1};
        _cleanup_fake_sysfs_ _unused_ FakeSysfs *fake = new_live_tree(&host);
        size_t size = (size_t) sysconf(_SC_PAGESIZE);

        ASSERT_TRUE(!sees_zero_mapped(&host, 0));
        int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
        void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        ASSERT_TRUE(mapped != MAP_FAILED);
        ASSERT_OK(close(fd));
        ASSERT_TRUE(sees_zero_mapped(&host, 0));
        ASSERT_TRUE(!sees_zero_mapped(&host, 1U << IN_USE_PROCESS));
        ASSERT_OK(munmap(mapped, size));
        ASSERT_TRUE(!sees_zero_mapped(&host, 0));
}

#define VIRTIO_CONSOLE                                                                             \
        "0000:06:00.0 class=078000 driver=virtio-pci\n"                                            \
        "link sys/bus/virtio/drivers/virtio_console/virtio3 @0000:06:00.0/virtio3\n"               \
        "link sys/class/tty/hvc0 sys/devices/virtual/tty/hvc0\n"

/* The hypervisor's console, whose line is below no device. */
static void test_virtio_console(void)
{
        assert_note(VIRTIO_CONSOLE "file sys/class/tty/console/active tty0 hvc0",
                "0000:06:00.0", "hvc0 is a console of the host",
                "Take it off the kernel command line (\"console=\")");
        assert_in_use(VIRTIO_CONSOLE "file sys/class/tty/console/active tty0 ttyS0",
                IN_USE_PROCESS, "");
}

/* What nothing overrides is said first. */
static void test_order(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, GUARD_MACHINE
                "file proc/self/mountinfo 30 1 259:2 / /srv rw - xfs /dev/nvme1n1 rw");
        fake_sysfs_add(fake, "file proc/50/comm dd\n"
                "symlink proc/50/fd/0 /dev/nvme1n1");
        _cleanup_snapshot_ Snapshot *snapshot = guard_machine_scan(fake);
        const Device *drive = guard_machine_find(snapshot, "0000:02:00.0");
        ASSERT_EQ(drive->n_uses, 2);
        ASSERT_EQ(drive->uses[0].use, IN_USE_SYSTEM);
        ASSERT_EQ(drive->uses[1].use, IN_USE_PROCESS);
}

/* Many programs have a disk open that may be taken from programs: that it is swap, too, counts. */
static void test_many_processes(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        const PciAddress controller = {.bus = 5};
        char *text = NULL;
        GuardAnswer answer;

        fake_sysfs_add(fake, GUARD_MACHINE);
        for (unsigned i = 0; i < 200; i++) {
                char lines[128];

                (void) snprintf(lines, sizeof(lines), "file proc/%u/comm %s\n"
                        "symlink proc/%u/fd/3 /dev/sda", 1000 + i,
                        i % 2 ? "smartd" : "(udev-worker)", 1000 + i);
                fake_sysfs_add(fake, lines);
        }
        fake_sysfs_add(fake, "file proc/swaps Filename\\tType\\n/dev/sda partition\\t1\\t0\\t-2");
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(guard_check(&host, &controller, 1U << IN_USE_PROCESS | ALLOW_PASSING, 0, &answer,
                &text));
        ASSERT_EQ(answer.use, IN_USE_SYSTEM);
        free(text);
        /* and somebody's use beside udev's */
        fake_sysfs_write(fake, "proc/swaps", "Filename\tType\n");
        ASSERT_OK(guard_check(&host, &controller, ALLOW_PASSING, 0, &answer, &text));
        ASSERT_EQ(answer.use, IN_USE_PROCESS);
        ASSERT_CONTAINS(text, "smartd");
        free(text);
}

/* The second look lets pass what the plan let pass. */
static void test_check(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        const PciAddress drive = {.bus = 2}, nic = {.bus = 3};
        char *text = NULL;
        GuardAnswer answer;

        fake_sysfs_add(fake, GUARD_MACHINE
                "file proc/net/if_inet6 20010db8000000000000000000000001 02 40 00 80     eno1");
        fake_sysfs_add(fake, "file proc/50/comm (udev-worker)\n"
                "symlink proc/50/fd/0 /dev/nvme1n1");
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(guard_check(&host, &drive, 0, 0, &answer, &text));
        ASSERT_EQ(answer.use, IN_USE_PROCESS);
        ASSERT_STREQ(text, "/dev/nvme1n1 is open in (udev-worker) (process 50). "
                           "Wait until udev has looked at it.");
        free(text);
        ASSERT_OK(guard_check(&host, &nic, 1U << IN_USE_PROCESS, 0, &answer, &text));
        ASSERT_EQ(answer.use, IN_USE_NETWORK);
        free(text);
        ASSERT_OK(guard_check(&host, &drive, ALLOW_PASSING, 0, &answer, &text));
        ASSERT_TRUE(!text);
        ASSERT_OK(guard_check(&host, &nic, ALLOW_PASSING, 0, &answer, &text));
        ASSERT_TRUE(!text);
}

#define UDEV_MACHINE                                                                               \
        GUARD_MACHINE "file run/udev/queue\nfile proc/50/comm (udev-worker)\n"                     \
                      "symlink proc/50/fd/0 /dev/nvme1n1\n"

typedef struct LookOfUdev {
        FakeSysfs *fake;
        const char *ends_with; /* what is removed last */
        const char *appears;   /* what it leaves open, or NULL */
} LookOfUdev;

/* Once the guard waits: there is a watch, which the kernel shows as the first inotify of ours. */
static bool is_watched(void)
{
        char path[64], target[64] = "";

        for (int fd = 3; fd < 64; fd++) {
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                ssize_t n = readlink(path, target, sizeof(target) - 1);
                if (n > 0 && strncmp(target, "anon_inode:inotify", (size_t) n) == 0)
                        return true;
        }
        return false;
}

static void *end_look(void *userdata)
{
        LookOfUdev *look = userdata;

        while (!is_watched())
                (void) sched_yield();
        if (look->appears)
                fake_sysfs_add(look->fake, look->appears);
        fake_sysfs_remove(look->fake, "proc/50/fd/0");
        fake_sysfs_remove(look->fake, look->ends_with);
        return NULL;
}

/* What nothing is over without, the test's own time limit. */
#define LONG_USEC (600 * USEC_PER_SEC)

static char *check_during_look(const char *ends_with, const char *appears)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        LookOfUdev look = { .fake = fake, .ends_with = ends_with, .appears = appears };
        const PciAddress drive = {.bus = 2};
        char *text = NULL;
        pthread_t thread;
        GuardAnswer answer;

        fake_sysfs_add(fake, UDEV_MACHINE);
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_EQ(pthread_create(&thread, NULL, end_look, &look), 0);
        ASSERT_OK(guard_check(&host, &drive, 0, LONG_USEC, &answer, &text));
        ASSERT_EQ(pthread_join(thread, NULL), 0);
        return text;
}

/* What udev has open it closes again; whoever may not wait, and who has it open for good, is told
 * at once. */
static void test_udev_is_waited_for(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        const PciAddress drive = {.bus = 2};
        char *text;
        GuardAnswer answer;

        ASSERT_TRUE(!check_during_look("run/udev/queue", NULL));
        ASSERT_TRUE(!check_during_look("proc/50", NULL)); /* udev goes on with something else */
        text = check_during_look("run/udev/queue",
                "file proc/60/comm dd\nsymlink proc/60/fd/3 /dev/nvme1n1");
        ASSERT_STREQ(text, "/dev/nvme1n1 is open in dd (process 60). End that program.");
        free(text);

        fake_sysfs_add(fake, UDEV_MACHINE);
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(guard_check(&host, &drive, 0, 300 * USEC_PER_MSEC, &answer, &text));
        ASSERT_STREQ(text, "/dev/nvme1n1 is open in (udev-worker) (process 50). "
                           "Wait until udev has looked at it.");
        free(text);
        fake_sysfs_add(fake, "file proc/60/comm dd\nsymlink proc/60/fd/3 /dev/nvme1n1");
        ASSERT_OK(guard_check(&host, &drive, 0, LONG_USEC, &answer, &text));
        ASSERT_CONTAINS(text, "is open in dd");
        free(text);
}

int main(void)
{
        test_holders();
        test_loop_devices();
        test_nvme_target();
        test_mediated();
        test_addresses();
        test_uppers();
        test_hidden_interfaces();
        test_boot_vga();
        test_framebuffer();
        test_open_nodes();
        test_who_has_it_open();
        test_open_in_a_thread();
        test_mapped();
        test_nvidia();
        test_keyboards();
        test_serial_console();
        test_virtio_console();
        test_order();
        test_many_processes();
        test_check();
        test_udev_is_waited_for();
        return 0;
}
