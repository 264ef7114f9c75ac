/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "host/modules.h"
#include "host/scan-internal.h"
#include "util/array.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* Facts that are read only when something asks for them. */

#define SLOTS_MAX      4096
#define INTERFACES_MAX 256
#define RESETS_MAX     16

typedef struct Slot {
        PciAddress address; /* function 0 */
        char *name;
} Slot;

typedef struct SlotList {
        Slot *slots;
        size_t n_slots;
        bool is_complete; /* every slot could be read */
} SlotList;

static ScanNames scan_names;
static void *scan_names_userdata;

void scan_set_names(ScanNames names, void *userdata)
{
        scan_names = names;
        scan_names_userdata = userdata;
}

/* A function with a driver that makes network interfaces has net/; one on a VFIO driver has none.
 * Otherwise they may still come. */
int scan_interfaces(int directory, Device *device)
{
        int r = host_list_directory(directory, "net", INTERFACES_MAX, &device->interfaces.list);
        if (r < 0 && scan_error_is_fatal(r))
                return r;
        device->interfaces.known = r == 0 || (device->driver && driver_is_vfio(device->driver));
        return 0;
}

static int read_reset_methods(int directory, Device *device)
{
        char text[256], *rest = NULL;

        if (read_attribute_at(directory, "reset_method", text, sizeof(text)) <= 0)
                return 0;
        unsigned n = 0;
        for (char *word = strtok_r(text, " ", &rest); word && n < RESETS_MAX;
             word = strtok_r(NULL, " ", &rest), n++) {
                int r = string_list_append(&device->reset_methods, word);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void read_vfio_device(int directory, Device *device)
{
        _cleanup_directory_ DIR *opened = NULL;
        uint64_t number;

        if (host_open_directory(directory, "vfio-dev", &opened) < 0)
                return;
        for (struct dirent *entry; (entry = readdir(opened));) {
                const char *digits = startswith(entry->d_name, "vfio");
                if (digits && parse_unsigned(digits, INT32_MAX, &number) == 0)
                        device->vfio_device = (int64_t) number;
        }
}

int scan_details(int directory, Device *device)
{
        char text[32];
        uint64_t number;

        if (read_attribute_at(directory, "revision", text, sizeof(text)) > 0) {
                const char *digits = startswith(text, "0x");
                if (digits && parse_hex(digits, 2, &number) == 0)
                        device->revision = (uint8_t) number;
        }
        if (read_attribute_at(directory, "numa_node", text, sizeof(text)) > 0 &&
            parse_unsigned(text, INT_MAX, &number) == 0) /* "-1": none */
                device->numa_node = (int) number;
        if (read_attribute_at(directory, "boot_vga", text, sizeof(text)) > 0)
                device->boot_vga = streq(text, "1");
        read_vfio_device(directory, device);
        device->has_details = true;
        return read_reset_methods(directory, device);
}

static void slot_list_done(SlotList *list)
{
        for (size_t i = 0; i < list->n_slots; i++)
                free(list->slots[i].name);
        free(list->slots);
}

static int compare_slots(const void *a, const void *b)
{
        const Slot *first = a, *second = b;
        int r = pci_address_compare(&first->address, &second->address);

        return r != 0 ? r : strcmp(first->name, second->name);
}

static int read_slot(int slots, const char *name, SlotList *list)
{
        char path[NAME_MAX + 16], text[32];
        PciAddress address;
        bool whole_slot;

        (void) snprintf(path, sizeof(path), "%s/address", name);
        if (read_attribute_at(slots, path, text, sizeof(text)) < 0) {
                list->is_complete = false;
                return 0;
        }
        /* "0000:01" is a slot that is a whole bus: it names no function. */
        if (pci_address_parse_slot(text, &address, &whole_slot) < 0 || !whole_slot)
                return 0;

        int r = ARRAY_GROW(list->slots, list->n_slots);
        if (r < 0)
                return r;
        Slot *slot = &list->slots[list->n_slots];
        *slot = (Slot){.address = address, .name = strdup(name)};
        if (!slot->name)
                return -ENOMEM;
        list->n_slots++;
        return 0;
}

static int read_slots(const Host *host, SlotList *list)
{
        _cleanup_directory_ DIR *opened = NULL;
        _cleanup_string_list_ char **names = NULL;

        list->is_complete = true;
        int r = host_open_directory(host->root, "sys/bus/pci/slots", &opened);
        if (r == 0)
                r = host_list_directory(dirfd(opened), ".", SLOTS_MAX, &names);
        if (r < 0) {
                list->is_complete = r == -ENOENT;
                return scan_error_is_fatal(r) ? r : 0;
        }
        for (char **name = names; name && *name; name++) {
                r = read_slot(dirfd(opened), *name, list);
                if (r < 0)
                        return r;
        }
        if (list->n_slots > 1)
                qsort(list->slots, list->n_slots, sizeof(Slot), compare_slots);
        return 0;
}

/* The first name of the slot, by name, where it has several. */
static const char *find_slot(const SlotList *list, const PciAddress *address)
{
        PciAddress key = *address;
        size_t low = 0, high = list->n_slots;

        key.function = 0;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (pci_address_compare(&list->slots[middle].address, &key) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < list->n_slots && pci_address_equal(&list->slots[low].address, &key) ?
                list->slots[low].name :
                NULL;
}

int scan_slots(Scan *scan)
{
        _cleanup_(slot_list_done) SlotList list = {};

        int r = read_slots(scan->host, &list);
        if (r < 0)
                return r;
        for (size_t i = 0; i < scan->snapshot->n_devices; i++) {
                Device *device = &scan->snapshot->devices[i];
                const char *name = find_slot(&list, &device->address);

                r = replace_string(&device->physical_slot.text, name);
                if (r < 0)
                        return r;
                device->physical_slot.known = name || list.is_complete;
        }
        return 0;
}

static int compare_modaliases(const void *a, const void *b)
{
        return strcmp((*(Device *const *) a)->modalias, (*(Device *const *) b)->modalias);
}

static int copy_fact(Fact *to, const Fact *from)
{
        int r = replace_string(&to->text, from->text);
        if (r == 0)
                to->known = from->known;
        return r;
}

static int find_names(Scan *scan, Device *device)
{
        const Device *previous = scan_find_previous(scan, device);

        if (previous && previous->vendor_name.known && previous->device_name.known) {
                int r = copy_fact(&device->vendor_name, &previous->vendor_name);
                return r < 0 ? r : copy_fact(&device->device_name, &previous->device_name);
        }
        if (!scan_names)
                return 0;
        int r = scan_names(scan_names_userdata, device->modalias, &device->vendor_name.text,
                &device->device_name.text);
        device->vendor_name.known = device->device_name.known = r == 0;
        return r == -ENOMEM ? r : 0;
}

static int find_drivers(Scan *scan, ModuleIndex *index, Device *device)
{
        int r = 0;

        if (scan->facts & SNAPSHOT_FACT_HOST_DRIVERS) {
                r = module_index_host_drivers(index, device->modalias, &device->host_drivers.list);
                device->host_drivers.known = r == 0;
        }
        if (scan_error_is_fatal(r))
                return r;
        if (scan->facts & SNAPSHOT_FACT_VFIO_DRIVERS) {
                r = module_index_vfio_driver(index, device->modalias, &device->vfio_driver.text);
                device->vfio_driver.known = r == 0;
        }
        return scan_error_is_fatal(r) ? r : 0;
}

static int copy_modalias_facts(const Device *from, Device *to)
{
        int r = copy_fact(&to->vendor_name, &from->vendor_name);
        if (r == 0)
                r = copy_fact(&to->device_name, &from->device_name);
        if (r == 0)
                r = copy_fact(&to->vfio_driver, &from->vfio_driver);
        if (r == 0 && from->host_drivers.list)
                r = string_list_copy(from->host_drivers.list, &to->host_drivers.list);
        if (r == 0)
                to->host_drivers.known = from->host_drivers.known;
        return r;
}

/* What follows from the modalias alone is looked up once for all functions that share it. */
int scan_modalias_facts(Scan *scan)
{
        const unsigned drivers = SNAPSHOT_FACT_HOST_DRIVERS | SNAPSHOT_FACT_VFIO_DRIVERS;
        size_t n = scan->snapshot->n_devices;
        _cleanup_(module_index_freep) ModuleIndex *index = NULL;
        _cleanup_free_ Device **sorted = NULL;
        int r = 0;

        if (n == 0 || !(scan->facts & (drivers | SNAPSHOT_FACT_NAMES)))
                return 0;
        sorted = calloc(n, sizeof(Device *));
        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                sorted[i] = &scan->snapshot->devices[i];
        qsort(sorted, n, sizeof(Device *), compare_modaliases);

        if (scan->facts & drivers)
                r = module_index_new(scan->host, &index);
        if (scan_error_is_fatal(r))
                return r;

        for (size_t i = 0; i < n; i++) {
                if (i > 0 && compare_modaliases(&sorted[i - 1], &sorted[i]) == 0) {
                        r = copy_modalias_facts(sorted[i - 1], sorted[i]);
                } else {
                        r = scan->facts & SNAPSHOT_FACT_NAMES ? find_names(scan, sorted[i]) : 0;
                        if (r == 0 && index)
                                r = find_drivers(scan, index, sorted[i]);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}
