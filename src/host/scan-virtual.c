/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* What virtual functions have from their PF, and need not be asked for: place and index. */

/* A VF has the parent of its PF (pci_iov_add_virtfn() in drivers/pci/iov.c). */
static int derive_path(const Device *pf, Device *vf)
{
        const char *slash = strrchr(pf->path, '/');
        char path[PATH_MAX];

        if (!slash)
                return replace_string(&vf->path, PCI_ADDRESS_TEXT(&vf->address));
        if ((size_t) snprintf(path, sizeof(path), "%.*s/%02x.%x", (int) (slash - pf->path),
                    pf->path, vf->address.device, vf->address.function) >= sizeof(path))
                return -ENODATA;
        return replace_string(&vf->path, path);
}

/* Routing ID arithmetic of the SR-IOV capability (PCIe Base 6.0, 9.2.1.2), as the kernel does it
 * for the VFs of a PF. -1: it does not come out. */
static int compute_vf_index(const Device *pf, const Device *vf)
{
        unsigned first = (unsigned) pf->address.bus << 8 | (unsigned) pf->address.device << 3 |
                pf->address.function;
        unsigned id = (unsigned) vf->address.bus << 8 | (unsigned) vf->address.device << 3 |
                vf->address.function;
        unsigned index;

        first += pf->sriov_offset;
        if (pf->sriov_offset == 0 || pf->sriov_stride == 0 || id < first ||
            (id - first) % pf->sriov_stride != 0 || pf->address.domain != vf->address.domain)
                return -1;
        index = (id - first) / pf->sriov_stride;
        return index < pf->sriov_total_vfs ? (int) index : -1;
}

/* The PF's links virtfn0, virtfn1 … tell the index. VFs are made in this order, so that with all
 * VFs present no link too many is looked at. */
static void read_virtual_functions_of(Scan *scan, const Device *pf, unsigned n_present)
{
        char path[64], link[32], name[64];
        unsigned n_found = 0;

        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s",
                PCI_ADDRESS_TEXT(&pf->address));
        _cleanup_close_ int directory =
                openat(scan->host->root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return;

        for (unsigned i = 0; i < pf->sriov_total_vfs && n_found < n_present; i++) {
                PciAddress address;

                (void) snprintf(link, sizeof(link), "virtfn%u", i);
                if (read_link_name_at(directory, link, name, sizeof(name)) < 0 ||
                    !scan_parse_address(name, &address))
                        continue;
                Device *vf = snapshot_find(scan->snapshot, &address);
                if (!vf || !vf->is_virtual_function || vf->vf_index >= 0 ||
                    !pci_address_equal(&vf->physical_function, &pf->address))
                        continue;
                vf->vf_index = (int) i;
                n_found++;
        }
}

/* Without its PF it tells itself where it is; what cannot tell is gone. */
static int find_vf_path(const Scan *scan, const Device *pf, Device *vf)
{
        int r;

        if (vf->path[0])
                return 0;
        if (pf && pf->path[0])
                return derive_path(pf, vf);
        _cleanup_close_ int devices = openat(scan->host->root, "sys/bus/pci/devices",
                O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = devices < 0 ? -errno : scan_read_path(devices, PCI_ADDRESS_TEXT(&vf->address), vf);
        return r < 0 && scan_error_is_fatal(r) ? r : 0;
}

int scan_virtual_functions(Scan *scan)
{
        Snapshot *snapshot = scan->snapshot;
        _cleanup_free_ unsigned *n_vfs = calloc(snapshot->n_devices + 1, sizeof(unsigned));
        if (!n_vfs)
                return -ENOMEM;

        for (size_t i = 0; i < snapshot->n_devices; i++) {
                if (!snapshot->devices[i].is_virtual_function)
                        continue;
                Device *pf = snapshot_find(snapshot, &snapshot->devices[i].physical_function);
                int r = find_vf_path(scan, pf, &snapshot->devices[i]);
                if (r < 0)
                        return r;
                if (!pf)
                        continue;
                snapshot->devices[i].vf_index = compute_vf_index(pf, &snapshot->devices[i]);
                if (snapshot->devices[i].vf_index < 0)
                        n_vfs[pf - snapshot->devices]++;
        }
        for (size_t i = 0; i < snapshot->n_devices; i++)
                if (n_vfs[i] > 0)
                        read_virtual_functions_of(scan, &snapshot->devices[i], n_vfs[i]);
        return 0;
}

int scan_find_physical_function(const Host *host, const PciAddress *address, PciAddress *ret)
{
        char path[64], name[64];

        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/physfn",
                PCI_ADDRESS_TEXT(address));
        int r = read_link_name_at(host->root, path, name, sizeof(name));
        if (r < 0)
                return r;
        return scan_parse_address(name, ret) ? 0 : -ENOENT;
}
