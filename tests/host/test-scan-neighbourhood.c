/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fake-sysfs.h"
#include "lib/test.h"

#include "host/scan.h"
#include "host/store.h"
#include "util/buffer.h"

#define DEVICES                                                                                    \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        "0000:01:00.0 parent=0000:00:1c.0 id=10de:2482 class=030000 group=14\n"                    \
        "0000:01:00.1 parent=0000:00:1c.0 id=10de:228b class=040300 group=14\n"                    \
        "0000:02:00.0 id=1b36:0010 class=010802 group=15\n"                                        \
        "0000:06:00.0 id=8086:10c9 class=020000 group=20 vfs=7 offset=384 stride=2\n"              \
        "0000:06:00.1 id=8086:10c9 class=020000 group=21 vfs=7 offset=384 stride=2\n"              \
        "0000:07:10.0 id=8086:10ca class=020000 group=30 pf=0000:06:00.0 vf=0\n"                   \
        "0000:07:10.2 id=8086:10ca class=020000 group=31 pf=0000:06:00.0 vf=1\n"                   \
        "0000:07:10.4 id=8086:10ca class=020000 group=31 pf=0000:06:00.0 vf=2\n"                   \
        "0000:08:00.0 id=8086:10d3 class=020000\n"

/* The addresses of a snapshot, each followed by a blank. */
static char *addresses(const Snapshot *snapshot)
{
        Buffer buffer = {};
        char *text = NULL;

        for (size_t i = 0; i < snapshot->n_devices; i++)
                buffer_printf(&buffer, "%s ", PCI_ADDRESS_TEXT(&snapshot->devices[i].address));
        ASSERT_OK(buffer_finish(&buffer, &text));
        return text;
}

static void expect(const Host *host, const char *center, const char *expected)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_free_ char *text = NULL;
        PciAddress address;

        ASSERT_OK(pci_address_parse(center, &address));
        ASSERT_OK(scan_neighbourhood(host, &address, 0, NULL, &snapshot));
        text = addresses(snapshot);
        ASSERT_STREQ(text, expected);
}

static void test_neighbourhoods(const Host *host)
{
        /* the group, without what is above it */
        expect(host, "0000:01:00.1", "0000:01:00.0 0000:01:00.1 ");
        expect(host, "0000:02:00.0", "0000:02:00.0 ");
        expect(host, "0000:08:00.0", "0000:08:00.0 ");
        /* all of its own VFs; one that has none */
        expect(host, "0000:06:00.0", "0000:06:00.0 0000:07:10.0 0000:07:10.2 0000:07:10.4 ");
        expect(host, "0000:06:00.1", "0000:06:00.1 ");
        /* a VF: its group, its PF, and the VF that tells that the PF has some */
        expect(host, "0000:07:10.4", "0000:06:00.0 0000:07:10.0 0000:07:10.2 0000:07:10.4 ");
        expect(host, "0000:07:10.0", "0000:06:00.0 0000:07:10.0 ");
        expect(host, "0000:09:00.0", "");
}

static void test_facts(FakeSysfs *machine, const Host *host)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL, *whole = NULL;
        const PciAddress address = { 0, 7, 0x10, 4 };
        const DeviceRecord record = { .state = STATE_BINDING, .hotplug_pending = true };
        const Device *vf, *same;

        ASSERT_OK(store_prepare(host));
        ASSERT_OK(store_save(host, &address, fake_sysfs_inode(machine, "0000:07:10.4"), &record));
        ASSERT_OK(scan_neighbourhood(host, &address, 0, NULL, &snapshot));
        ASSERT_OK(scan_machine(host, 0, NULL, &whole));
        vf = snapshot_find(snapshot, &address);
        same = snapshot_find(whole, &address);
        ASSERT_TRUE(vf && same && vf->record);
        ASSERT_TRUE(vf->record->hotplug_pending);
        ASSERT_TRUE(vf->is_virtual_function);
        ASSERT_EQ(vf->vf_index, 2);
        ASSERT_EQ(vf->inode, same->inode);
        ASSERT_EQ(vf->group, same->group);
        ASSERT_STREQ(vf->path, same->path);
        ASSERT_EQ(snapshot->has_iommu, whole->has_iommu);
}

static void test_group(const Host *host)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL, *none = NULL;
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(scan_group(host, 14, 0, &snapshot));
        text = addresses(snapshot);
        ASSERT_STREQ(text, "0000:01:00.0 0000:01:00.1 ");
        ASSERT_OK(scan_group(host, 99, 0, &none));
        ASSERT_EQ(none->n_devices, 0);
}

/* Links that lead around in circles, and into nothing. */
static void test_hostile(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = fake_sysfs_new();
        _cleanup_host_ Host host = { .root = -1 };

        fake_sysfs_add(machine, DEVICES
                "link @0000:06:00.1/virtfn0 sys/devices/pci0000:06/0000:06:00.1\n"
                "link @0000:08:00.0/physfn sys/devices/pci0000:02/0000:02:00.0\n"
                "link @0000:02:00.0/physfn sys/devices/pci0000:08/0000:08:00.0\n"
                "dir sys/kernel/iommu_groups/14/devices/nonsense\n"
                "dir sys/kernel/iommu_groups/14/devices/0000:55:00.0\n");
        ASSERT_OK(host_open(machine->root, &host));
        expect(&host, "0000:06:00.1", "0000:06:00.1 ");
        expect(&host, "0000:08:00.0", "0000:02:00.0 0000:08:00.0 ");
        expect(&host, "0000:01:00.0", "0000:01:00.0 0000:01:00.1 ");
}

int main(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = fake_sysfs_new();
        _cleanup_host_ Host host = { .root = -1 };

        fake_sysfs_add(machine, DEVICES);
        ASSERT_OK(host_open(machine->root, &host));
        test_neighbourhoods(&host);
        test_facts(machine, &host);
        test_group(&host);
        test_hostile();
        return 0;
}
