/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "host/scan.h"
#include "host/store.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

static Snapshot *scan(FakeSysfs *fake, unsigned facts, const Snapshot *previous)
{
        _cleanup_host_ Host host = {.root = -1};
        Snapshot *snapshot = NULL;

        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_TRUE(!host.is_live);
        ASSERT_OK(scan_machine(&host, facts, previous, &snapshot));
        return snapshot;
}

static Device *find(const Snapshot *snapshot, const char *text)
{
        PciAddress address;

        ASSERT_OK(pci_address_parse(text, &address));
        return snapshot_find(snapshot, &address);
}

static void test_machine(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"
                "0000:01:00.0 parent=0000:00:1c.0 id=10de:2482 subsystem=1043:8769 class=030000 "
                "group=14 driver=nouveau\n"
                "0000:01:00.1 parent=0000:00:1c.0 id=10de:228b class=040300 group=14\n"
                "driver vfio-pci\n"
                "file proc/sys/kernel/osrelease 6.12.0-fake");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);

        ASSERT_EQ(snapshot->n_devices, 3);
        ASSERT_TRUE(snapshot->has_iommu);
        ASSERT_STREQ(snapshot->kernel_release, "6.12.0-fake");
        ASSERT_EQ(string_list_length(snapshot->drivers), 3);
        ASSERT_STREQ(snapshot->drivers[0], "nouveau");
        ASSERT_TRUE(snapshot_has_driver(snapshot, "vfio-pci"));

        const Device *bridge = find(snapshot, "0000:00:1c.0");
        ASSERT_TRUE(bridge->is_bridge);
        ASSERT_STREQ(bridge->path, "0000:00:1c.0");
        ASSERT_STREQ(bridge->driver, "pcieport");

        const Device *gpu = find(snapshot, "0000:01:00.0");
        ASSERT_STREQ(gpu->path, "0000:00:1c.0/00.0");
        ASSERT_EQ(gpu->vendor, 0x10de);
        ASSERT_EQ(gpu->device, 0x2482);
        ASSERT_EQ(gpu->subsystem_vendor, 0x1043);
        ASSERT_EQ(gpu->subsystem_device, 0x8769);
        ASSERT_EQ(gpu->class_code, 0x030000);
        ASSERT_EQ(gpu->group, 14);
        ASSERT_EQ(gpu->inode, fake_sysfs_inode(fake, "0000:01:00.0"));
        ASSERT_TRUE(!gpu->is_bridge && gpu->has_override_file && !gpu->record);
        ASSERT_TRUE(!gpu->physical_slot.known && !gpu->serial.known && !gpu->has_details);
        ASSERT_STREQ(gpu->modalias, "pci:v000010DEd00002482sv00001043sd00008769bc03sc00i00");

        const Device *audio = find(snapshot, "0000:01:00.1");
        ASSERT_STREQ(audio->path, "0000:00:1c.0/00.1");
        ASSERT_TRUE(!audio->driver && audio->has_override_file);
}

static void test_no_driver_override(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, "0000:01:00.0 no-override\n0000:01:00.1 no-override");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);
        ASSERT_TRUE(!find(snapshot, "0000:01:00.0")->has_override_file);
        ASSERT_TRUE(!find(snapshot, "0000:01:00.1")->has_override_file);
}

/* The index follows from the capability; where that says nothing, from the PF's links. */
static void test_vf_index(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:06:00.0 vfs=4 offset=384 stride=2\n"
                "0000:07:10.0 pf=0000:06:00.0 vf=0\n"
                "0000:07:10.4 pf=0000:06:00.0 vf=2\n"
                "0000:08:00.0 vfs=4\n"
                "0000:08:10.3 pf=0000:08:00.0 vf=3\n"
                "0000:09:00.0 vfs=2 offset=128 stride=1\n"
                "0000:09:10.5 pf=0000:09:00.0 vf=1\n");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);
        ASSERT_EQ(find(snapshot, "0000:07:10.0")->vf_index, 0);
        ASSERT_EQ(find(snapshot, "0000:07:10.4")->vf_index, 2);
        ASSERT_EQ(find(snapshot, "0000:08:10.3")->vf_index, 3);
        /* no such VF by the capability: the link is right */
        ASSERT_EQ(find(snapshot, "0000:09:10.5")->vf_index, 1);
}

static void test_nothing_there(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_remove(fake, "sys");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, ~0U, NULL);
        ASSERT_EQ(snapshot->n_devices, 0);
        ASSERT_TRUE(!snapshot->has_iommu && !snapshot->drivers && !snapshot->kernel_release);
}

static void test_deep_paths(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:00:01.0 class=060400 bridge\n"
                "0000:01:00.0 parent=0000:00:01.0 class=060400 bridge\n"
                "0000:02:03.0 parent=0000:01:00.0 class=060400 bridge\n"
                "0000:05:00.1 parent=0000:02:03.0\n"
                /* behind a VMD controller another domain begins */
                "0000:00:0e.0 id=8086:467f class=010400 driver=vmd\n"
                "10000:e0:06.0 parent=0000:00:0e.0 class=060400 bridge\n"
                "10000:e1:00.0 parent=10000:e0:06.0 class=010802 driver=nvme\n");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);

        ASSERT_EQ(snapshot->n_devices, 7);
        ASSERT_STREQ(find(snapshot, "0000:05:00.1")->path, "0000:00:01.0/00.0/03.0/00.1");
        ASSERT_STREQ(find(snapshot, "10000:e0:06.0")->path, "10000:e0:06.0");
        ASSERT_STREQ(find(snapshot, "10000:e1:00.0")->path, "10000:e0:06.0/00.0");
        ASSERT_TRUE(!snapshot->has_iommu);
}

static void test_virtual_functions(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:00:1c.0 class=060400 bridge\n"
                "0000:06:00.0 parent=0000:00:1c.0 class=020000 vfs=7 offset=128 stride=2 "
                "vf-device=10ca autoprobe=0 driver=igb\n"
                "0000:06:10.0 parent=0000:00:1c.0 pf=0000:06:00.0 vf=0\n"
                "0000:06:10.2 parent=0000:00:1c.0 pf=0000:06:00.0 vf=1\n"
                /* its link in the PF is made a moment later, yet its index is known */
                "0000:06:10.4 parent=0000:00:1c.0 pf=0000:06:00.0\n");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);

        const Device *pf = find(snapshot, "0000:06:00.0");
        ASSERT_EQ(pf->sriov_total_vfs, 7);
        ASSERT_EQ(pf->sriov_offset, 128);
        ASSERT_EQ(pf->sriov_stride, 2);
        ASSERT_EQ(pf->sriov_vf_device, 0x10ca);
        ASSERT_EQ(pf->sriov_autoprobe, 0);
        ASSERT_TRUE(!pf->is_virtual_function);
        ASSERT_TRUE(snapshot_has_virtual_functions(snapshot, pf));

        const Device *vf = find(snapshot, "0000:06:10.2");
        ASSERT_TRUE(vf->is_virtual_function);
        ASSERT_TRUE(pci_address_equal(&vf->physical_function, &pf->address));
        ASSERT_EQ(vf->vf_index, 1);
        ASSERT_EQ(find(snapshot, "0000:06:10.0")->vf_index, 0);
        ASSERT_TRUE(find(snapshot, "0000:06:10.4")->is_virtual_function);
        ASSERT_EQ(find(snapshot, "0000:06:10.4")->vf_index, 2);
        ASSERT_EQ(vf->sriov_autoprobe, -1);
}

static void test_noiommu(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, "0000:01:00.0 group=0 noiommu driver=vfio-pci\n0000:02:00.0");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);

        ASSERT_TRUE(!snapshot->has_iommu);
        ASSERT_EQ(find(snapshot, "0000:01:00.0")->group, -1);
}

/* Whatever does not look as the kernel makes it is left out, and what is whole is still there. */
static void test_odd_entries(void)
{
        static const char *const modaliases[] = {
                "", "\n", "usb:v1D6Bp0002", "pci:v0000", "pci:v000G8086d000010D3sv0sd0bc0sc0i0\n",
                "pci:v00018086d000010D3sv00000000sd00000000bc02sc00i00\n",
                "pci:v00008086d000010D3sv00000000sd00000000bc02sc00i0\n",
                "pci:v00008086d000010D3sv00000000sd00000000bc02sc00i00x\n",
        };
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:00:01.0 group=1\n"
                "dir sys/bus/pci/devices/0000:00:02.0\n"
                "file sys/bus/pci/devices/0000:00:03.0 a file\n"
                "link sys/bus/pci/devices/0000:00:04.0 sys/devices/nowhere/0000:00:04.0\n"
                "link sys/bus/pci/devices/0000:00:05.0 sys/devices/pci0000:00/0000:00:01.0\n"
                "link sys/bus/pci/devices/0000:00:20.0 sys/devices/pci0000:00/0000:00:01.0\n"
                "link sys/bus/pci/devices/0000:00:0A.0 sys/devices/pci0000:00/0000:00:01.0\n"
                "link sys/bus/pci/devices/00000:00:01.0 sys/devices/pci0000:00/0000:00:01.0\n"
                "link sys/bus/pci/devices/pci_0000_00_01_0 sys/devices/pci0000:00/0000:00:01.0\n"
                "link sys/bus/pci/devices/host sys/devices/pci0000:00\n"
                "file sys/devices/platform/0000:00:06.0/modalias "
                "pci:v00008086d000010D3sv00000000sd00000000bc02sc00i00\n"
                "link sys/bus/pci/devices/0000:00:06.0 sys/devices/platform/0000:00:06.0\n"
                "file sys/devices/pci0000:00/usb1/0000:00:07.0/modalias "
                "pci:v00008086d000010D3sv00000000sd00000000bc02sc00i00\n"
                "link sys/bus/pci/devices/0000:00:07.0 sys/devices/pci0000:00/usb1/0000:00:07.0\n"
                "dir sys/devices/pci0000:00/0000:00:08.0\n"
                "link sys/bus/pci/devices/0000:00:08.0 sys/devices/pci0000:00/0000:00:08.0\n");
        for (size_t i = 0; i < ELEMENTSOF(modaliases); i++) {
                char line[64], path[96];

                (void) snprintf(line, sizeof(line), "0000:01:%02zx.0", i);
                (void) snprintf(path, sizeof(path),
                        "sys/devices/pci0000:01/%s/modalias", line);
                fake_sysfs_add(fake, line);
                fake_sysfs_write(fake, path, modaliases[i]);
        }
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);

        ASSERT_EQ(snapshot->n_devices, 1);
        ASSERT_EQ(snapshot->devices[0].group, 1);
}

static void test_odd_facts(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:00:01.0 vfs=7\n"
                "file @0000:00:01.0/sriov_totalvfs 99999999\n"
                "0000:00:02.0\n"
                "link @0000:00:02.0/iommu_group sys/kernel/iommu_groups/x\n"
                "0000:00:03.0\n"
                "link @0000:00:03.0/physfn sys/devices/pci0000:00/elsewhere\n"
                "0000:00:04.0\n"
                "file @0000:00:04.0/driver not a link");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);

        ASSERT_EQ(snapshot->n_devices, 4);
        ASSERT_EQ(find(snapshot, "0000:00:01.0")->sriov_total_vfs, 0);
        ASSERT_EQ(find(snapshot, "0000:00:02.0")->group, -1);
        ASSERT_TRUE(!find(snapshot, "0000:00:03.0")->is_virtual_function);
        ASSERT_TRUE(!find(snapshot, "0000:00:04.0")->driver);
}

/* Opening these can hang behind a driver's probe. */
static void test_never_opens_what_blocks(void)
{
        static const char *const names[] = {"uevent", "driver_override", "sriov_numvfs"};
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_close_ int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        char events[4096];

        ASSERT_TRUE(watch >= 0);
        fake_sysfs_add(fake,
                "0000:00:01.0 vfs=2 group=1 serial=0000000000000001\n"
                "file @0000:00:01.0/uevent DRIVER=none\nfile @0000:00:01.0/sriov_numvfs 0");
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = NULL;

                ASSERT_TRUE(asprintf(&path, "%s/sys/devices/pci0000:00/0000:00:01.0/%s",
                                    fake->root, names[i]) > 0);
                ASSERT_TRUE(inotify_add_watch(watch, path, IN_OPEN | IN_ACCESS) >= 0);
        }
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, ~0U, NULL);
        ASSERT_EQ(snapshot->n_devices, 1);
        ASSERT_TRUE(snapshot->devices[0].has_override_file);
        ASSERT_EQ(read(watch, events, sizeof(events)), -1);
        ASSERT_EQ(errno, EAGAIN);

        /* The watch does see what is opened. */
        _cleanup_free_ char *text =
                fake_sysfs_read(fake, "sys/devices/pci0000:00/0000:00:01.0/uevent");
        ASSERT_STREQ(text, "DRIVER=none\n");
        ASSERT_TRUE(read(watch, events, sizeof(events)) > 0);
}

static void test_records(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        DeviceRecord record = {.state = STATE_BOUND, .provenance = PROVENANCE_CLEAN};
        PciAddress address;

        fake_sysfs_add(fake, "0000:01:00.0 driver=vfio-pci\n0000:02:00.0");
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(store_prepare(&host));
        uint64_t inode = fake_sysfs_inode(fake, "0000:01:00.0");
        ASSERT_OK(pci_address_parse("0000:01:00.0", &address));
        ASSERT_OK(store_save_original(&host, &address, inode, &record));
        ASSERT_OK(store_save(&host, &address, inode, &record));
        /* of an instance that was there before, and of one that is not there any more */
        ASSERT_OK(pci_address_parse("0000:02:00.0", &address));
        ASSERT_OK(store_save(&host, &address, 1, &record));
        ASSERT_OK(pci_address_parse("0000:03:00.0", &address));
        ASSERT_OK(store_save(&host, &address, 1, &record));
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);

        ASSERT_EQ(snapshot->n_devices, 2);
        const Device *bound = find(snapshot, "0000:01:00.0");
        ASSERT_TRUE(bound->record);
        ASSERT_EQ(bound->record->provenance, PROVENANCE_CLEAN);
        ASSERT_EQ(bound->record->state, STATE_BOUND);
        ASSERT_TRUE(!find(snapshot, "0000:02:00.0")->record);
}

/* The same instance keeps its identity without being read again; a re-plugged one is read. */
static void test_previous(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, "0000:01:00.0 id=10de:2482\n0000:02:00.0 id=10de:2482");
        _cleanup_snapshot_ Snapshot *first = scan(fake, 0, NULL);

        fake_sysfs_add(fake, "0000:01:00.0 id=8086:1234 driver=e1000e");
        find(first, "0000:02:00.0")->inode++; /* as if it had been another one */
        fake_sysfs_add(fake, "0000:02:00.0 id=8086:1234");
        _cleanup_snapshot_ Snapshot *second = scan(fake, 0, first);

        ASSERT_EQ(find(second, "0000:01:00.0")->vendor, 0x10de);
        ASSERT_STREQ(find(second, "0000:01:00.0")->driver, "e1000e");
        ASSERT_EQ(find(second, "0000:02:00.0")->vendor, 0x8086);
}

static void test_one_function(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        _cleanup_snapshot_ Snapshot *snapshot = NULL, *none = NULL;
        PciAddress address;

        fake_sysfs_add(fake, "0000:01:00.0 group=3\n0000:02:00.0 group=4");
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(pci_address_parse("0000:02:00.0", &address));
        ASSERT_OK(scan_function(&host, &address, &snapshot));
        ASSERT_EQ(snapshot->n_devices, 1);
        ASSERT_EQ(snapshot->devices[0].group, 4);
        ASSERT_OK(pci_address_parse("0000:03:00.0", &address));
        ASSERT_EQ(scan_function(&host, &address, &none), -ENODEV);
        ASSERT_TRUE(!none);
}

static void test_newest_modules(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, "dir lib/modules/6.9.0\ndir lib/modules/6.12.0");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, 0, NULL);
        ASSERT_STREQ(snapshot->kernel_release, "6.12.0");
}

int main(void)
{
        test_machine();
        test_no_driver_override();
        test_vf_index();
        test_nothing_there();
        test_deep_paths();
        test_virtual_functions();
        test_noiommu();
        test_odd_entries();
        test_odd_facts();
        test_never_opens_what_blocks();
        test_records();
        test_previous();
        test_one_function();
        test_newest_modules();
        return 0;
}
