/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "host/scan-internal.h"
#include "host/store.h"
#include "util/io.h"
#include "util/strings.h"

/* An event concerns one function. With many functions appearing at once (VFs), a scan of the whole
 * machine for each event would cost the square of their number. */

typedef struct Walk {
        Scan scan;
        int devices; /* sys/bus/pci/devices */
        const PciAddress *center;
} Walk;

static bool is_known(const Walk *walk, const PciAddress *address)
{
        const Snapshot *snapshot = walk->scan.snapshot;

        for (size_t i = 0; i < snapshot->n_devices; i++)
                if (pci_address_equal(&snapshot->devices[i].address, address))
                        return true;
        return false;
}

static int add(Walk *walk, const char *name)
{
        PciAddress address;

        if (!scan_parse_address(name, &address) || is_known(walk, &address) ||
            walk->scan.snapshot->n_devices >= SCAN_FUNCTIONS_MAX)
                return 0;
        return scan_add_function(&walk->scan, walk->devices, name);
}

static int add_group(Walk *walk, int64_t group)
{
        _cleanup_directory_ DIR *members = NULL;
        char path[64];

        if (group < 0)
                return 0;
        (void) snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%" PRIi64 "/devices", group);
        int r = host_open_directory(walk->scan.host->root, path, &members);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;

        for (struct dirent *entry; (entry = readdir(members));) {
                r = add(walk, entry->d_name);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Of a physical function: all VFs, or the first one, which tells that there are any. */
static int add_virtual_functions(Walk *walk, const PciAddress *address, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++) {
                char link[64], name[64];

                (void) snprintf(link, sizeof(link), "%s/virtfn%" PRIu32, PCI_ADDRESS_TEXT(address),
                        i);
                int r = read_link_name_at(walk->devices, link, name, sizeof(name));
                /* They are made in this order and removed together. */
                if (r < 0)
                        return scan_error_is_fatal(r) ? r : 0;
                r = add(walk, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_neighbours(Walk *walk, size_t index)
{
        /* Copied: adding moves the devices. */
        const Device device = walk->scan.snapshot->devices[index];
        bool is_center = pci_address_equal(&device.address, walk->center);

        int r = add_group(walk, device.group);
        if (r == 0 && device.is_virtual_function)
                r = add(walk, PCI_ADDRESS_TEXT(&device.physical_function));
        if (r == 0 && device.sriov_total_vfs > 0)
                r = add_virtual_functions(walk, &device.address,
                        is_center ? device.sriov_total_vfs : 1);
        return r;
}

static int load_records(Scan *scan)
{
        for (size_t i = 0; i < scan->snapshot->n_devices; i++) {
                int r = scan_join_record(scan, &scan->snapshot->devices[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

int scan_neighbourhood(const Host *host, const PciAddress *address, unsigned facts,
        const Snapshot *previous, Snapshot **ret)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_close_ int devices = -1;

        int r = snapshot_new(&snapshot);
        if (r < 0)
                return r;
        devices = openat(host->root, "sys/bus/pci/devices", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (devices < 0)
                return -errno;
        Walk walk = {
                .scan = {.host = host, .facts = facts, .previous = previous, .snapshot = snapshot},
                .devices = devices,
                .center = address,
        };

        r = add(&walk, PCI_ADDRESS_TEXT(address));
        for (size_t i = 0; r == 0 && i < snapshot->n_devices; i++)
                r = add_neighbours(&walk, i);
        if (r == 0)
                r = snapshot_finish(snapshot);
        if (r == 0)
                r = scan_finish(&walk.scan);
        if (r == 0)
                r = load_records(&walk.scan);
        if (r < 0)
                return r;

        *ret = TAKE_POINTER(snapshot);
        return 0;
}

int scan_group(const Host *host, int64_t group, unsigned facts, Snapshot **ret)
{
        _cleanup_string_list_ char **members = NULL;
        PciAddress address;
        char path[64];

        (void) snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%" PRIi64 "/devices", group);
        int r = host_list_directory(host->root, path, SCAN_FUNCTIONS_MAX, &members);
        if (r < 0 && r != -ENOENT)
                return r;
        for (size_t i = 0; members && members[i]; i++)
                if (scan_parse_address(members[i], &address))
                        return scan_neighbourhood(host, &address, facts, NULL, ret);
        return snapshot_new(ret);
}
