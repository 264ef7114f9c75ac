/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/machine.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/snapshot.h"
#include "host/host.h"
#include "host/store.h"
#include "host/watching.h"
#include "stage/udev.h"
#include "util/strings.h"

#define BRIDGE "/devices/pci0000:00/0000:00:1c.0"

/* One function and its companion, a group of its own, a PF with two VFs. */
#define DEVICES                                                                                    \
        "driver nvme\n"                                                                            \
        "driver igb\n"                                                                             \
        "driver vfio-pci\n"                                                                        \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        "0000:01:00.0 parent=0000:00:1c.0 id=10de:2482 class=030000 group=14 driver=vfio-pci\n"    \
        "0000:01:00.1 parent=0000:00:1c.0 id=10de:228b class=040300 group=14 %s\n"                 \
        "0000:02:00.0 id=1b36:0010 class=010802 driver=nvme group=15\n"                            \
        "0000:06:00.0 id=8086:10c9 class=020000 driver=igb group=20 vfs=7 offset=384 stride=2 "    \
        "vf-device=10ca autoprobe=0\n"                                                             \
        "0000:07:10.0 id=8086:10ca class=020000 group=21 pf=0000:06:00.0 vf=0\n"                   \
        "0000:07:10.2 id=8086:10ca class=020000 group=22\n"                                        \
        "file sys/class/vfio/14/dev 240:0\n"                                                      \
        "dir dev/vfio\n"

#define CONFIGURATION                                                                              \
        "[Claim gpu]\nMatch=0000:01:00.0\n"                                                        \
        "[Claim vfs]\nMatch=pf=0000:06:00.0 vf=0-1\n"

typedef struct Outcome {
        int result;
        char *properties;
        LogTaken log;
} Outcome;

/* The kernel numbers every event. */
static const char *look_up(void *userdata, const char *name)
{
        for (const char *const *entry = userdata; *entry; entry++)
                if (strncmp(*entry, name, strlen(name)) == 0 && (*entry)[strlen(name)] == '=')
                        return *entry + strlen(name) + 1;
        return streq(name, "SEQNUM") ? "4711" : NULL;
}

static FakeSysfs *new_machine(const char *companion)
{
        char devices[4096];

        snprintf(devices, sizeof(devices), DEVICES, companion);
        return machine_new(devices, CONFIGURATION);
}

static void send(FakeSysfs *machine, const char *const *environment, Outcome *ret)
{
        size_t size;
        FILE *output = open_memstream(&ret->properties, &size);

        ASSERT_TRUE(output != NULL);
        log_take(&ret->log, STAGE_RUNTIME);
        ret->result = udev_run(machine->root, look_up, (void *) environment, output);
        (void) log_taken(&ret->log);
        ASSERT_OK(fclose(output));
}

static void outcome_done(Outcome *outcome)
{
        free(outcome->properties);
}

/* Sends an event and says what the helper must print. */
#define EXPECT(machine, expected, ...)                                                             \
        do {                                                                                       \
                _cleanup_(outcome_done) Outcome _outcome = {};                                     \
                send((machine), (const char *const[]){ __VA_ARGS__, NULL }, &_outcome);            \
                ASSERT_OK(_outcome.result);                                                        \
                ASSERT_STREQ(_outcome.properties, (expected));                                     \
        } while (0)

static void test_group_node(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *whole = new_machine("driver=vfio-pci");
        _cleanup_fake_sysfs_ FakeSysfs *half = new_machine("");
        char *link;

        EXPECT(whole, "", "ACTION=add", "SUBSYSTEM=vfio", "DEVPATH=/devices/virtual/vfio/14");
        link = fake_sysfs_read_link(whole, "dev/vfio/by-claim/gpu/0000:01:00.0");
        ASSERT_STREQ(link, "../../14");
        free(link);
        link = fake_sysfs_read_link(whole, "dev/vfio/by-address/0000:01:00.1");
        ASSERT_STREQ(link, "../14");
        free(link);
        /* a function of the group is not on vfio-pci yet */
        EXPECT(half, "SYSTEMD_READY=0\n", "ACTION=add", "SUBSYSTEM=vfio",
                "DEVPATH=/devices/virtual/vfio/14");
        /* triggered events count too; groups that nobody claims, and none at all, do not */
        EXPECT(half, "SYSTEMD_READY=0\n", "ACTION=change", "SUBSYSTEM=vfio", "SYNTH_UUID=0",
                "DEVPATH=/devices/virtual/vfio/14");
        EXPECT(half, "", "ACTION=add", "SUBSYSTEM=vfio", "DEVPATH=/devices/virtual/vfio/15");
        EXPECT(half, "", "ACTION=add", "SUBSYSTEM=vfio", "DEVPATH=/devices/virtual/vfio/99");
}

/* Bound by us, as /run remembers. */
static void remember_bound(FakeSysfs *machine, const PciAddress *address)
{
        _cleanup_host_ Host host = { .root = -1 };
        DeviceRecord record = { .state = STATE_BOUND, .target_driver = (char *) "vfio-pci" };

        ASSERT_OK(host_open(machine->root, &host));
        ASSERT_OK(store_prepare(&host));
        ASSERT_OK(store_save(&host, address, fake_sysfs_inode(machine, PCI_ADDRESS_TEXT(address)),
                &record));
}

/* `udevadm trigger` after the configuration was changed: what is complete stays so, or the service
 * manager would stop every unit that is bound to dev-vfio-14.device, with its machine running. */
static void test_complete_group_stays_ready(void)
{
        static const char *const configurations[] = {
                "[Claim gpu]\nMatch=0000:01:00.0\nDriver=pci-stub\n",      /* needs-apply */
                "[Claim gpu]\nMatch=0000:01:00.0\nCompanions=none\n",      /* refused */
                "[Claim gpu]\nMatch=0000:01:00.0\n[Claim other]\nMatch=0000:01:00.0\n",
        };
        const PciAddress one = { 0, 1, 0, 0 }, two = { 0, 1, 0, 1 };

        for (size_t i = 0; i < ELEMENTSOF(configurations); i++) {
                _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("driver=vfio-pci");

                fake_sysfs_write(machine, "etc/vfio-bind.conf", configurations[i]);
                EXPECT(machine, "SYSTEMD_READY=0\n", "ACTION=change", "SUBSYSTEM=vfio",
                        "SYNTH_UUID=0", "DEVPATH=/devices/virtual/vfio/14");
                remember_bound(machine, &one);
                EXPECT(machine, "SYSTEMD_READY=0\n", "ACTION=change", "SUBSYSTEM=vfio",
                        "SYNTH_UUID=0", "DEVPATH=/devices/virtual/vfio/14");
                remember_bound(machine, &two);
                EXPECT(machine, "", "ACTION=change", "SUBSYSTEM=vfio", "SYNTH_UUID=0",
                        "DEVPATH=/devices/virtual/vfio/14");
        }
}

static void test_unclaimed_function(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");

        /* it may turn out to be a virtual function; after its `change` event it has not */
        EXPECT(machine, "VFIO_BIND_PENDING=vf\nVFIO_BIND_CLAIMED=0\n", "ACTION=add",
                "SUBSYSTEM=pci", "DEVPATH=/devices/pci0000:00/0000:02:00.0");
        EXPECT(machine, "VFIO_BIND_PENDING=0\n", "ACTION=change", "SUBSYSTEM=pci",
                "DEVPATH=/devices/pci0000:00/0000:02:00.0", "VFIO_BIND_PENDING=vf");
        char *override = fake_sysfs_read(machine,
                "sys/bus/pci/devices/0000:02:00.0/driver_override");
        ASSERT_STREQ(override, "(null)\n");
        free(override);
}

/* The node of group 14; false if we may not make one. */
static bool make_node(FakeSysfs *machine)
{
        return mknodat(machine->fd, "dev/vfio/14", S_IFCHR | 0600, makedev(240, 0)) == 0;
}

static struct stat node_of(FakeSysfs *machine)
{
        struct stat status;

        ASSERT_OK(fstatat(machine->fd, "dev/vfio/14", &status, AT_SYMLINK_NOFOLLOW));
        return status;
}

static void test_owner(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("driver=vfio-pci");

        if (!make_node(machine)) {
                puts("device nodes cannot be made here: owner and mode are not tested");
                return;
        }
        fake_sysfs_write(machine, "etc/passwd", "root:x:0:0::/:/bin/sh\nqemu:x:107:36::/:\n");
        fake_sysfs_write(machine, "etc/group", "root:x:0:\nkvm:x:36:qemu\n");
        EXPECT(machine, "", "ACTION=add", "SUBSYSTEM=vfio", "DEVPATH=/devices/virtual/vfio/14");
        ASSERT_EQ(node_of(machine).st_uid, 0);
        ASSERT_EQ(node_of(machine).st_gid, 36);
        ASSERT_EQ(node_of(machine).st_mode & 07777, 0660);

        fake_sysfs_write(machine, "etc/vfio-bind.conf",
                "[Claim gpu]\nMatch=0000:01:00.0\nNodeUser=qemu\nNodeGroup=7\nNodeMode=0640\n");
        EXPECT(machine, "", "ACTION=change", "SUBSYSTEM=vfio", "DEVPATH=/devices/virtual/vfio/14");
        ASSERT_EQ(node_of(machine).st_uid, 107);
        ASSERT_EQ(node_of(machine).st_gid, 7);
        ASSERT_EQ(node_of(machine).st_mode & 07777, 0640);
}

/* An unknown account never stops the binding: the node counts, and root keeps it. */
static void test_unknown_account(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("driver=vfio-pci");
        _cleanup_(outcome_done) Outcome outcome = {};

        if (!make_node(machine))
                return;
        fake_sysfs_write(machine, "etc/passwd", "root:x:0:0::/:/bin/sh\n");
        fake_sysfs_write(machine, "etc/group", "root:x:0:\n");
        send(machine, (const char *const[]){ "ACTION=add", "SUBSYSTEM=vfio",
                              "DEVPATH=/devices/virtual/vfio/14", NULL },
                &outcome);
        ASSERT_OK(outcome.result);
        ASSERT_STREQ(outcome.properties, "");
        ASSERT_CONTAINS(outcome.log.text, "/dev/vfio/14: The account root or kvm is not known");
        ASSERT_EQ(node_of(machine).st_mode & 07777, 0600);
        ASSERT_EQ(node_of(machine).st_gid, 0);
}

/* The daemon asks the name service as well, and gave it to somebody whom no file knows: a trigger
 * does not take that back. A node that is new is root's until the daemon has looked. */
static void test_account_of_the_name_service(void)
{
        static const char *const triggered[] = { "ACTION=change", "SUBSYSTEM=vfio",
                "SYNTH_UUID=0", "DEVPATH=/devices/virtual/vfio/14", NULL };
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("driver=vfio-pci");
        _cleanup_(outcome_done) Outcome watched = {}, alone = {};
        _cleanup_host_ Host host = { .root = -1 };
        int lock;

        if (!make_node(machine))
                return;
        fake_sysfs_write(machine, "etc/passwd", "root:x:0:0::/:/bin/sh\n");
        fake_sysfs_write(machine, "etc/group", "root:x:0:\n");
        ASSERT_OK(fchownat(machine->fd, "dev/vfio/14", 4711, 4712, 0));
        ASSERT_OK(fchmodat(machine->fd, "dev/vfio/14", 0660, 0));
        ASSERT_OK(host_open(machine->root, &host));
        ASSERT_OK(store_prepare(&host));
        lock = watching_begin(&host);
        ASSERT_TRUE(lock >= 0);
        send(machine, triggered, &watched);
        ASSERT_OK(watched.result);
        ASSERT_EQ(node_of(machine).st_uid, 4711);
        ASSERT_EQ(node_of(machine).st_mode & 07777, 0660);
        ASSERT_STREQ(watched.log.text, "");

        close(lock);
        send(machine, triggered, &alone);
        ASSERT_OK(alone.result);
        ASSERT_EQ(node_of(machine).st_uid, 0);
        ASSERT_EQ(node_of(machine).st_mode & 07777, 0600);
}

/* The `bind` event ends what was `binding`. */
static void test_bound_function(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("driver=vfio-pci");

        if (!make_node(machine))
                return;
        fake_sysfs_write(machine, "etc/group", "kvm:x:36:\n");
        EXPECT(machine, "VFIO_BIND_PENDING=0\nVFIO_BIND_CLAIMED=1\n", "ACTION=bind",
                "SUBSYSTEM=pci", "DEVPATH=" BRIDGE "/0000:01:00.0", "VFIO_BIND_PENDING=1");
}

/* A function that had its driver before is not hot-plug: nothing is taken from the host. */
static void test_change_is_no_hotplug(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("driver=nvme");
        char *override;

        EXPECT(machine, "VFIO_BIND_PENDING=1\n", "ACTION=change", "SUBSYSTEM=pci",
                "DEVPATH=" BRIDGE "/0000:01:00.1");
        override = fake_sysfs_read(machine, "sys/bus/pci/devices/0000:01:00.1/driver_override");
        ASSERT_STREQ(override, "(null)\n");
        free(override);
}

/* Known as one only when physfn is there, and then worked on. (That a saved tree has no modules to
 * load ends it there.) */
static void test_virtual_function(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");
        char *override;

        /* 0000:07:10.2 has no physfn yet: nothing can be said of it */
        EXPECT(machine, "VFIO_BIND_PENDING=vf\nVFIO_BIND_CLAIMED=0\n", "ACTION=add",
                "SUBSYSTEM=pci", "DEVPATH=/devices/pci0000:00/0000:07:10.2");
        override = fake_sysfs_read(machine, "sys/bus/pci/devices/0000:07:10.2/driver_override");
        ASSERT_STREQ(override, "(null)\n");
        free(override);

        fake_sysfs_add(machine,
                "link @0000:07:10.2/physfn sys/devices/pci0000:06/0000:06:00.0\n"
                "link @0000:06:00.0/virtfn1 sys/devices/pci0000:07/0000:07:10.2\n");
        _cleanup_(outcome_done) Outcome outcome = {};
        send(machine, (const char *const[]){ "ACTION=change", "SUBSYSTEM=pci",
                              "DEVPATH=/devices/pci0000:00/0000:07:10.2", "VFIO_BIND_PENDING=vf",
                              NULL },
                &outcome);
        ASSERT_OK(outcome.result);
        ASSERT_CONTAINS(outcome.log.text, "0000:07:10.2 (8086:10ca) not bound: ");
        ASSERT_STREQ(outcome.properties, "VFIO_BIND_PENDING=0\nVFIO_BIND_CLAIMED=0\n");
}

/* A daemon that watches has had the event of the PF from the kernel; without one it is ours. */
static void test_daemon_watches(void)
{
        static const char *const event[] = { "ACTION=change", "SUBSYSTEM=pci",
                "DEVPATH=/devices/pci0000:00/0000:06:00.0", NULL };
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");
        _cleanup_(outcome_done) Outcome watched = {}, alone = {};
        _cleanup_host_ Host host = { .root = -1 };
        int lock;

        ASSERT_OK(host_open(machine->root, &host));
        ASSERT_OK(store_prepare(&host));
        lock = watching_begin(&host);
        ASSERT_TRUE(lock >= 0);
        send(machine, event, &watched);
        ASSERT_OK(watched.result);
        ASSERT_STREQ(watched.properties, "");
        ASSERT_STREQ(watched.log.text, "");
        /* nobody else's events are left to it */
        EXPECT(machine, "VFIO_BIND_PENDING=0\n", "ACTION=change", "SUBSYSTEM=pci",
                "DEVPATH=" BRIDGE "/0000:01:00.1", "VFIO_BIND_PENDING=0");

        close(lock);
        send(machine, event, &alone);
        ASSERT_OK(alone.result);
        ASSERT_CONTAINS(alone.log.text, "0000:07:10.0 (8086:10ca) not bound: ");
}

static void test_switch(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");

        fake_sysfs_remove(machine, SWITCH_PATH);
        EXPECT(machine, "", "ACTION=add", "SUBSYSTEM=pci", "DEVPATH=" BRIDGE "/0000:01:00.1");
        EXPECT(machine, "", "ACTION=add", "SUBSYSTEM=vfio", "DEVPATH=/devices/virtual/vfio/14");

        fake_sysfs_link(machine, SWITCH_PATH, "/dev/zero");
        fake_sysfs_write(machine, "proc/cmdline", "vfio_bindd=off\n");
        EXPECT(machine, "", "ACTION=add", "SUBSYSTEM=pci", "DEVPATH=" BRIDGE "/0000:01:00.1");
        fake_sysfs_write(machine, "proc/cmdline", "vfio_bindd=plan\n");
        EXPECT(machine, "VFIO_BIND_PENDING=0\n", "ACTION=add", "SUBSYSTEM=pci",
                "DEVPATH=" BRIDGE "/0000:01:00.1");
        char *override = fake_sysfs_read(machine,
                "sys/bus/pci/devices/0000:01:00.1/driver_override");
        ASSERT_STREQ(override, "(null)\n");
        free(override);
}

static void test_synthetic(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");

        EXPECT(machine, "", "ACTION=add", "SUBSYSTEM=pci", "SYNTH_UUID=0",
                "DEVPATH=" BRIDGE "/0000:01:00.1");
}

/* What is only planned is said once: its `bind` event has nothing to add. */
static void test_plan_only(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");
        _cleanup_(outcome_done) Outcome outcome = {};

        fake_sysfs_write(machine, "proc/cmdline", "vfio_bindd=plan\n");
        send(machine, (const char *const[]){ "ACTION=add", "SUBSYSTEM=pci",
                              "DEVPATH=" BRIDGE "/0000:01:00.1", NULL },
                &outcome);
        ASSERT_OK(outcome.result);
        ASSERT_STREQ(outcome.properties, "VFIO_BIND_PENDING=0\n");
        ASSERT_CONTAINS(outcome.log.text, "0000:01:00.1 (10de:228b) would be bound to vfio-pci.");
        /* unless it may turn out to be a virtual function */
        EXPECT(machine, "VFIO_BIND_PENDING=vf\n", "ACTION=add", "SUBSYSTEM=pci",
                "DEVPATH=/devices/pci0000:00/0000:02:00.0");
}

static void test_removed(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");
        _cleanup_host_ Host host = { .root = -1 };
        const PciAddress gone = { 0, 9, 0, 0 }, there = { 0, 2, 0, 0 };
        DeviceRecord record = { .state = STATE_BOUND }, *left = NULL;
        char *link;

        ASSERT_OK(host_open(machine->root, &host));
        ASSERT_OK(store_prepare(&host));
        ASSERT_OK(store_save(&host, &gone, 5, &record));
        ASSERT_OK(store_save(&host, &there, fake_sysfs_inode(machine, "0000:02:00.0"), &record));
        fake_sysfs_link(machine, "dev/vfio/by-address/0000:09:00.0", "dev/vfio/30");
        EXPECT(machine, "", "ACTION=remove", "SUBSYSTEM=pci",
                "DEVPATH=/devices/pci0000:00/0000:09:00.0");
        ASSERT_OK(store_load(&host, &gone, 5, &left));
        ASSERT_TRUE(!left);
        link = fake_sysfs_read_link(machine, "dev/vfio/by-address/0000:09:00.0");
        ASSERT_TRUE(!link);

        /* another one has come in its place before the event was read */
        EXPECT(machine, "", "ACTION=remove", "SUBSYSTEM=pci",
                "DEVPATH=/devices/pci0000:00/0000:02:00.0");
        ASSERT_OK(store_load(&host, &there, fake_sysfs_inode(machine, "0000:02:00.0"), &left));
        ASSERT_TRUE(left && left->state == STATE_BOUND);
        device_record_free(left);
}

/* Whether it is claimed is told later; that it was new is so for this configuration only. */
static void test_deferred(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");
        _cleanup_host_ Host host = { .root = -1 };
        const PciAddress address = { 0, 2, 0, 0 };
        DeviceRecord *record = NULL;

        fake_sysfs_write(machine, "etc/vfio-bind.conf", "[Claim named]\nMatch=name=Some.*\n");
        EXPECT(machine, "VFIO_BIND_PENDING=1\nVFIO_BIND_CLAIMED=0\n", "ACTION=add",
                "SUBSYSTEM=pci", "DEVPATH=/devices/pci0000:00/0000:02:00.0");
        ASSERT_OK(host_open(machine->root, &host));
        ASSERT_OK(store_load(&host, &address, fake_sysfs_inode(machine, "0000:02:00.0"), &record));
        ASSERT_TRUE(record && record->hotplug_pending);
        ASSERT_TRUE(record->config_digest && record->config_digest[0]);
        device_record_free(record);
}

static void test_vanished(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = new_machine("");

        EXPECT(machine, "", "ACTION=add", "SUBSYSTEM=pci",
                "DEVPATH=/devices/pci0000:00/0000:09:00.0");
}

int main(void)
{
        test_group_node();
        test_complete_group_stays_ready();
        test_unclaimed_function();
        test_owner();
        test_unknown_account();
        test_account_of_the_name_service();
        test_bound_function();
        test_change_is_no_hotplug();
        test_virtual_function();
        test_daemon_watches();
        test_switch();
        test_synthetic();
        test_plan_only();
        test_removed();
        test_deferred();
        test_vanished();
        return 0;
}
