/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "host/scan.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

static Snapshot *scan(FakeSysfs *fake, unsigned facts, const Snapshot *previous)
{
        _cleanup_host_ Host host = {.root = -1};
        Snapshot *snapshot = NULL;

        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(scan_machine(&host, facts, previous, &snapshot));
        return snapshot;
}

static Device *find(const Snapshot *snapshot, const char *text)
{
        PciAddress address;

        ASSERT_OK(pci_address_parse(text, &address));
        return snapshot_find(snapshot, &address);
}

static void test_slots(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:01:00.0 slot=4-1\n0000:01:00.1\n0000:02:00.0\n"
                "file sys/bus/pci/slots/bus/address 0000:02\n"
                "file sys/bus/pci/slots/odd/address somewhere\n"
                /* a second name of the first slot: the first one by name counts */
                "file sys/bus/pci/slots/3/address 0000:01:00");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, SNAPSHOT_FACT_SLOTS, NULL);

        ASSERT_TRUE(find(snapshot, "0000:01:00.0")->physical_slot.known);
        ASSERT_STREQ(find(snapshot, "0000:01:00.0")->physical_slot.text, "3");
        ASSERT_STREQ(find(snapshot, "0000:01:00.1")->physical_slot.text, "3");
        ASSERT_TRUE(find(snapshot, "0000:02:00.0")->physical_slot.known);
        ASSERT_TRUE(!find(snapshot, "0000:02:00.0")->physical_slot.text);

        /* A slot that cannot be read may be the one of any function that has none. */
        fake_sysfs_add(fake, "dir sys/bus/pci/slots/5");
        _cleanup_snapshot_ Snapshot *partial = scan(fake, SNAPSHOT_FACT_SLOTS, NULL);
        ASSERT_STREQ(find(partial, "0000:01:00.0")->physical_slot.text, "3");
        ASSERT_TRUE(!find(partial, "0000:02:00.0")->physical_slot.known);
}

static void test_no_slots(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake, "0000:01:00.0");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, SNAPSHOT_FACT_SLOTS, NULL);
        ASSERT_TRUE(snapshot->devices[0].physical_slot.known);
        ASSERT_TRUE(!snapshot->devices[0].physical_slot.text);
}

static void test_serials(void)
{
        static const uint8_t circle[4096] = {[0x100] = 1, [0x102] = 1, [0x103] = 0x10};
        static const uint8_t astray[4096] = {[0x100] = 1, [0x102] = 0x01, [0x103] = 0x02};
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:00:01.0 serial=00151700ff123456\n"
                "0000:00:02.0 config=4096\n" /* no capability at all */
                "0000:00:03.0 config=256\n"  /* conventional PCI */
                "0000:00:04.0 config=64\n"   /* what an ordinary user gets */
                "0000:00:05.0 serial=0000000000000001 suspended\n"
                "0000:00:06.0\n0000:00:07.0\n0000:00:08.0\n0000:00:09.0");
        fake_sysfs_write_data(fake, "sys/devices/pci0000:00/0000:00:07.0/config", circle, 4096);
        fake_sysfs_write_data(fake, "sys/devices/pci0000:00/0000:00:08.0/config", astray, 4096);
        uint8_t gone[4096];
        memset(gone, 0xff, sizeof(gone));
        fake_sysfs_write_data(fake, "sys/devices/pci0000:00/0000:00:09.0/config", gone, 4096);
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, SNAPSHOT_FACT_SERIALS, NULL);

        ASSERT_TRUE(find(snapshot, "0000:00:01.0")->serial.known);
        ASSERT_STREQ(find(snapshot, "0000:00:01.0")->serial.text, "00151700ff123456");
        ASSERT_TRUE(find(snapshot, "0000:00:02.0")->serial.known);
        ASSERT_TRUE(!find(snapshot, "0000:00:02.0")->serial.text);
        ASSERT_TRUE(find(snapshot, "0000:00:03.0")->serial.known);
        ASSERT_TRUE(!find(snapshot, "0000:00:04.0")->serial.known);
        ASSERT_TRUE(!find(snapshot, "0000:00:05.0")->serial.known);
        ASSERT_TRUE(!find(snapshot, "0000:00:06.0")->serial.known);
        ASSERT_TRUE(find(snapshot, "0000:00:07.0")->serial.known);
        ASSERT_TRUE(!find(snapshot, "0000:00:07.0")->serial.text);
        ASSERT_TRUE(find(snapshot, "0000:00:08.0")->serial.known);
        ASSERT_TRUE(!find(snapshot, "0000:00:09.0")->serial.known);

        /* Once known, configuration space is left alone; a new instance is read. */
        fake_sysfs_remove(fake, "sys/devices/pci0000:00/0000:00:01.0/config");
        _cleanup_snapshot_ Snapshot *again = scan(fake, SNAPSHOT_FACT_SERIALS, snapshot);
        ASSERT_STREQ(find(again, "0000:00:01.0")->serial.text, "00151700ff123456");
        find(snapshot, "0000:00:01.0")->inode++;
        _cleanup_snapshot_ Snapshot *other = scan(fake, SNAPSHOT_FACT_SERIALS, snapshot);
        ASSERT_TRUE(!find(other, "0000:00:01.0")->serial.known);
}

/* More messages than a pipe holds at once. */
static void test_many_serials(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        for (unsigned i = 0; i < 4000; i++) {
                char line[80];

                (void) snprintf(line, sizeof(line), "%04x:%02x:%02x.%x config=256",
                        i / 65536, i / 256, i / 8 % 32, i % 8);
                fake_sysfs_add(fake, line);
        }
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, SNAPSHOT_FACT_SERIALS, NULL);
        ASSERT_EQ(snapshot->n_devices, 4000);
        for (size_t i = 0; i < snapshot->n_devices; i++)
                ASSERT_TRUE(snapshot->devices[i].serial.known);
}

static void test_interfaces(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:01:00.0 driver=igb net=eno1\n"
                "net eno0 @0000:01:00.0/net/eno0\n"
                "0000:02:00.0 driver=vfio-pci\n"
                "0000:03:00.0\n"
                "0000:04:00.0 driver=igb");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, SNAPSHOT_FACT_INTERFACES, NULL);

        const Device *nic = find(snapshot, "0000:01:00.0");
        ASSERT_TRUE(nic->interfaces.known);
        ASSERT_EQ(string_list_length(nic->interfaces.list), 2);
        ASSERT_STREQ(nic->interfaces.list[0], "eno0");
        ASSERT_TRUE(find(snapshot, "0000:02:00.0")->interfaces.known);
        ASSERT_TRUE(!find(snapshot, "0000:02:00.0")->interfaces.list);
        ASSERT_TRUE(!find(snapshot, "0000:03:00.0")->interfaces.known);
        ASSERT_TRUE(!find(snapshot, "0000:04:00.0")->interfaces.known);
}

static void test_details(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:01:00.0 revision=a1 numa=1 boot-vga=1 reset=flr,bus vfio-dev=7\n"
                "0000:02:00.0 numa=-1 boot-vga=0\n"
                "file @0000:02:00.0/revision what");
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, SNAPSHOT_FACT_DETAILS, NULL);

        const Device *device = find(snapshot, "0000:01:00.0");
        ASSERT_TRUE(device->has_details && device->boot_vga);
        ASSERT_EQ(device->revision, 0xa1);
        ASSERT_EQ(device->numa_node, 1);
        ASSERT_EQ(device->vfio_device, 7);
        ASSERT_EQ(string_list_length(device->reset_methods), 2);
        ASSERT_STREQ(device->reset_methods[1], "bus");

        device = find(snapshot, "0000:02:00.0");
        ASSERT_TRUE(device->has_details && !device->boot_vga && !device->reset_methods);
        ASSERT_EQ(device->revision, 0);
        ASSERT_EQ(device->numa_node, -1);
        ASSERT_EQ(device->vfio_device, -1);
}

typedef struct Names {
        unsigned n_calls;
        int result;
} Names;

static int find_names(void *userdata, const char *modalias, char **ret_vendor, char **ret_device)
{
        Names *names = userdata;

        names->n_calls++;
        if (names->result < 0)
                return names->result;
        *ret_vendor = strdup("NVIDIA Corporation");
        *ret_device = strstr(modalias, "d00002482") ? strdup("GA104") : NULL;
        ASSERT_TRUE(*ret_vendor);
        return 0;
}

static void test_names(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        Names names = {};

        fake_sysfs_add(fake,
                "0000:01:00.0 id=10de:2482\n0000:02:00.0 id=10de:2482\n0000:03:00.0 id=10de:0001");
        _cleanup_snapshot_ Snapshot *without = scan(fake, SNAPSHOT_FACT_NAMES, NULL);
        ASSERT_TRUE(!without->devices[0].vendor_name.known);

        scan_set_names(find_names, &names);
        _cleanup_snapshot_ Snapshot *snapshot = scan(fake, SNAPSHOT_FACT_NAMES, without);
        ASSERT_EQ(names.n_calls, 2); /* once for those that are alike */
        ASSERT_STREQ(find(snapshot, "0000:01:00.0")->device_name.text, "GA104");
        ASSERT_STREQ(find(snapshot, "0000:02:00.0")->vendor_name.text, "NVIDIA Corporation");
        ASSERT_TRUE(find(snapshot, "0000:03:00.0")->device_name.known);
        ASSERT_TRUE(!find(snapshot, "0000:03:00.0")->device_name.text);

        _cleanup_snapshot_ Snapshot *again = scan(fake, SNAPSHOT_FACT_NAMES, snapshot);
        ASSERT_EQ(names.n_calls, 2);
        ASSERT_STREQ(find(again, "0000:02:00.0")->device_name.text, "GA104");

        names.result = -ENOENT;
        _cleanup_snapshot_ Snapshot *failed = scan(fake, SNAPSHOT_FACT_NAMES, NULL);
        ASSERT_TRUE(!failed->devices[0].vendor_name.known);
        scan_set_names(NULL, NULL);
}

int main(void)
{
        test_slots();
        test_no_slots();
        test_serials();
        test_many_serials();
        test_interfaces();
        test_details();
        test_names();
        return 0;
}
