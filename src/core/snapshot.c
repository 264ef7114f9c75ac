/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/snapshot.h"

#include <errno.h>
#include <string.h>

#include "util/array.h"
#include "util/strings.h"

int snapshot_new(Snapshot **ret)
{
        Snapshot *snapshot = calloc(1, sizeof(*snapshot));
        if (!snapshot)
                return -ENOMEM;
        *ret = snapshot;
        return 0;
}

Snapshot *snapshot_free(Snapshot *snapshot)
{
        if (!snapshot)
                return NULL;

        for (size_t i = 0; i < snapshot->n_devices; i++)
                device_done(&snapshot->devices[i]);
        free(snapshot->devices);
        string_list_free(snapshot->drivers);
        free(snapshot->kernel_release);
        free(snapshot);
        return NULL;
}

void device_done(Device *device)
{
        free(device->path);
        free(device->driver);
        free(device->physical_slot.text);
        free(device->serial.text);
        free(device->vendor_name.text);
        free(device->device_name.text);
        string_list_free(device->host_drivers.list);
        free(device->vfio_driver.text);
        string_list_free(device->interfaces.list);
        free(device->modalias);
        for (size_t i = 0; i < device->n_uses; i++) {
                free(device->uses[i].what);
                free(device->uses[i].remedy);
        }
        free(device->uses);
        device_record_free(device->record);
        string_list_free(device->reset_methods);
        *device = (Device){};
}

DeviceRecord *device_record_free(DeviceRecord *record)
{
        if (!record)
                return NULL;

        free(record->original_driver);
        free(record->original_override);
        free(record->original_power_control);
        free(record->original_autoprobe);
        free(record->target_driver);
        free(record->claim);
        free(record->config_digest);
        free(record->reason_text);
        free(record->manual_driver);
        free(record);
        return NULL;
}

int snapshot_add(Snapshot *snapshot, const PciAddress *address, Device **ret)
{
        _cleanup_free_ char *path = strdup(""), *modalias = strdup("");
        if (!path || !modalias)
                return -ENOMEM;

        int r = ARRAY_GROW(snapshot->devices, snapshot->n_devices);
        if (r < 0)
                return r;

        Device *device = &snapshot->devices[snapshot->n_devices++];
        *device = (Device){
                .address = *address,
                .path = TAKE_POINTER(path),
                .modalias = TAKE_POINTER(modalias),
                .group = -1,
                .vf_index = -1,
                .numa_node = -1,
                .sriov_autoprobe = -1,
                .vfio_device = -1,
        };
        *ret = device;
        return 0;
}

static int compare_devices(const void *a, const void *b)
{
        return pci_address_compare(&((const Device *) a)->address, &((const Device *) b)->address);
}

int snapshot_finish(Snapshot *snapshot)
{
        if (snapshot->n_devices == 0)
                return 0;

        qsort(snapshot->devices, snapshot->n_devices, sizeof(Device), compare_devices);
        for (size_t i = 1; i < snapshot->n_devices; i++)
                if (compare_devices(&snapshot->devices[i - 1], &snapshot->devices[i]) == 0)
                        return -EEXIST;
        return 0;
}

Device *snapshot_find(const Snapshot *snapshot, const PciAddress *address)
{
        Device key = {.address = *address};

        if (snapshot->n_devices == 0)
                return NULL;
        return bsearch(&key, snapshot->devices, snapshot->n_devices, sizeof(Device),
                compare_devices);
}

bool snapshot_has_driver(const Snapshot *snapshot, const char *driver)
{
        return string_list_contains(snapshot->drivers, driver);
}

bool device_in_slot(const Device *device, const PciAddress *slot)
{
        return pci_address_same_slot(&device->address, slot);
}

bool snapshot_has_virtual_functions(const Snapshot *snapshot, const Device *physical_function)
{
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                const Device *device = &snapshot->devices[i];

                if (device->is_virtual_function &&
                    pci_address_equal(&device->physical_function, &physical_function->address))
                        return true;
        }
        return false;
}

bool snapshot_is_untouched(const Snapshot *snapshot, const Device *device)
{
        const Device *pf;

        if (!device->is_virtual_function || device->driver || device->record)
                return false;
        pf = snapshot_find(snapshot, &device->physical_function);
        return pf && pf->sriov_autoprobe == 0;
}

bool driver_is_vfio(const char *driver)
{
        return driver && strstr(driver, "vfio");
}

bool driver_is_harmless(const char *driver)
{
        return !driver || driver_is_vfio(driver) || streq(driver, "pci-stub") ||
                streq(driver, "pcieport");
}
