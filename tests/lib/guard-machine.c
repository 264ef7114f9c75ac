/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/guard-machine.h"

#include <stdio.h>

#include "host/guard.h"
#include "host/scan.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/strings.h"

Snapshot *guard_machine_scan(const FakeSysfs *fake)
{
        _cleanup_host_ Host host = {.root = -1};
        Snapshot *snapshot = NULL;

        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(scan_machine(&host, 0, NULL, &snapshot));
        ASSERT_OK(guard_scan(&host, snapshot));
        return snapshot;
}

const Device *guard_machine_find(const Snapshot *snapshot, const char *address)
{
        PciAddress parsed;

        ASSERT_OK(pci_address_parse(address, &parsed));
        return snapshot_find(snapshot, &parsed);
}

static Snapshot *scan_with(FakeSysfs *fake, const char *lines)
{
        fake_sysfs_add(fake, GUARD_MACHINE);
        fake_sysfs_add(fake, lines);
        return guard_machine_scan(fake);
}

void assert_in_use(const char *lines, InUse use, const char *addresses)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_snapshot_ Snapshot *snapshot = scan_with(fake, lines);
        _cleanup_free_ char *found = NULL;
        Buffer buffer = {};

        for (size_t i = 0; i < snapshot->n_devices; i++) {
                const Device *device = &snapshot->devices[i];

                if (device->n_uses == 0)
                        continue;
                ASSERT_EQ(device->uses[0].use, use);
                ASSERT_TRUE(!isempty(device->uses[0].what));
                buffer_printf(&buffer, "%s%s", buffer.length > 0 ? " " : "",
                        PCI_ADDRESS_TEXT(&device->address));
        }
        ASSERT_OK(buffer_finish(&buffer, &found));
        ASSERT_STREQ(found, addresses);
}

void assert_note(const char *lines, const char *address, const char *what, const char *remedy)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_snapshot_ Snapshot *snapshot = scan_with(fake, lines);
        const Device *device = guard_machine_find(snapshot, address);

        ASSERT_TRUE(device && device->n_uses > 0);
        ASSERT_STREQ(device->uses[0].what, what);
        ASSERT_STREQ(device->uses[0].remedy, remedy);
}
