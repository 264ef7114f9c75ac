/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/scan-internal.h"
#include "host/store.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* The scan is on the way of every boot and every event, so each function costs about a dozen
 * system calls: everything is looked up below one descriptor of its directory, and the modalias
 * tells vendor, device, subsystem and class in one read. Never read here: `uevent`,
 * `driver_override` and `sriov_numvfs`, which take device_lock on many kernels and so hang for as
 * long as a driver's probe or remove does. */

#define DRIVERS_MAX 4096

bool scan_error_is_fatal(int error)
{
        return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* "0000:01:00.0": lower case, the domain in four digits or as many as it needs. Written out, for it
 * is done several times for each function. */
static bool is_kernel_spelling(const char *text)
{
        static const char shape[] = ":xx:xx.x";
        size_t n = strspn(text, "0123456789abcdef");

        if (n < 4 || (n > 4 && text[0] == '0') || strlen(text + n) != sizeof(shape) - 1)
                return false;
        for (size_t i = 0; i < sizeof(shape) - 1; i++) {
                char c = text[n + i];
                bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

                if (shape[i] == 'x' ? !is_digit : c != shape[i])
                        return false;
        }
        return true;
}

bool scan_parse_address(const char *text, PciAddress *ret)
{
        return is_kernel_spelling(text) && pci_address_parse(text, ret) == 0;
}

const Device *scan_find_previous(const Scan *scan, const Device *device)
{
        if (!scan->previous)
                return NULL;

        const Device *previous = snapshot_find(scan->previous, &device->address);
        return previous && previous->inode == device->inode ? previous : NULL;
}

/* "pci0000:00", a host bridge's directory. */
static bool is_root_bus(const char *name)
{
        uint64_t domain, bus;
        char digits[9];

        if (!(name = startswith(name, "pci")))
                return false;
        size_t n = strcspn(name, ":");
        if (n < 4 || n >= sizeof(digits) || name[n] != ':')
                return false;
        memcpy(digits, name, n);
        digits[n] = '\0';
        return parse_hex(digits, n, &domain) == 0 && parse_hex(name + n + 1, 2, &bus) == 0;
}

/* Turns "…/pci0000:00/0000:00:1c.0/0000:01:00.0" into "0000:00:1c.0/00.0". The host bridge that
 * counts is the last one: behind a VMD controller another domain begins. */
static bool make_path(const char *target, const PciAddress *address, char *path, size_t size)
{
        char text[PATH_MAX];
        const char *hops[64];
        size_t n_hops = 0, length;
        PciAddress hop;

        if (strlen(target) >= sizeof(text))
                return false;
        memcpy(text, target, strlen(target) + 1);

        for (;;) {
                char *slash = strrchr(text, '/');
                if (!slash || n_hops == ELEMENTSOF(hops))
                        return false;
                if (is_root_bus(slash + 1))
                        break;
                if (!scan_parse_address(slash + 1, &hop))
                        return false;
                if (n_hops == 0 && !pci_address_equal(&hop, address))
                        return false;
                hops[n_hops++] = slash + 1;
                *slash = '\0';
        }
        if (n_hops == 0)
                return false;

        length = strlen(hops[n_hops - 1]);
        if (length >= size)
                return false;
        memcpy(path, hops[n_hops - 1], length + 1);
        for (size_t i = n_hops - 1; i > 0; i--) {
                if (length + 6 >= size || !scan_parse_address(hops[i - 1], &hop))
                        return false;
                length += (size_t) snprintf(path + length, size - length, "/%02x.%x", hop.device,
                        hop.function);
        }
        return true;
}

/* Reads `digits` hex digits behind a tag. */
static bool take_field(const char **text, const char *tag, size_t digits, uint64_t *ret)
{
        const char *rest = startswith(*text, tag);
        char number[9];

        if (!rest || strlen(rest) < digits)
                return false;
        memcpy(number, rest, digits);
        number[digits] = '\0';
        if (parse_hex(number, digits, ret) < 0)
                return false;
        *text = rest + digits;
        return true;
}

static bool parse_modalias(const char *text, Device *device)
{
        uint64_t vendor, id, subvendor, subdevice, base, sub, interface;

        if (!take_field(&text, "pci:v", 8, &vendor) || !take_field(&text, "d", 8, &id) ||
            !take_field(&text, "sv", 8, &subvendor) || !take_field(&text, "sd", 8, &subdevice) ||
            !take_field(&text, "bc", 2, &base) || !take_field(&text, "sc", 2, &sub) ||
            !take_field(&text, "i", 2, &interface) || *text)
                return false;
        if (vendor > UINT16_MAX || id > UINT16_MAX || subvendor > UINT16_MAX ||
            subdevice > UINT16_MAX)
                return false;

        device->vendor = (uint16_t) vendor;
        device->device = (uint16_t) id;
        device->subsystem_vendor = (uint16_t) subvendor;
        device->subsystem_device = (uint16_t) subdevice;
        device->class_code = (uint32_t) (base << 16 | sub << 8 | interface);
        return true;
}

/* In one read(2), which gives a whole attribute. */
static int read_modalias(int directory, char *text, size_t size)
{
        _cleanup_close_ int fd =
                openat(directory, "modalias", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;

        ssize_t n = read(fd, text, size - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return 0;
}

static int lend_identity(const Device *previous, int directory, Device *device)
{
        if (faccessat(directory, "modalias", F_OK, 0) < 0)
                return -ENODATA;
        int r = replace_string(&device->path, previous->path);
        if (r == 0)
                r = replace_string(&device->modalias, previous->modalias);
        if (r < 0)
                return r;
        return parse_modalias(device->modalias, device) ? 0 : -ENODATA;
}

int scan_read_path(int devices, const char *name, Device *device)
{
        char target[PATH_MAX], path[PATH_MAX];

        ssize_t n = readlinkat(devices, name, target, sizeof(target));
        if (n < 0 || (size_t) n >= sizeof(target))
                return -ENODATA;
        target[n] = '\0';
        if (!make_path(target, &device->address, path, sizeof(path)))
                return -ENODATA;
        return replace_string(&device->path, path);
}

/* What it is, and where; of a VF the place is derived later. Read last: the kernel removes
 * `modalias` first, so that a function which still has one was there when the rest was read.
 * 0 taken, -ENODATA: the function is to be left out. */
static int read_identity(const Scan *scan, int devices, const char *name, int directory,
        Device *device)
{
        const Device *previous = scan_find_previous(scan, device);
        char modalias[256];

        if (previous)
                return lend_identity(previous, directory, device);

        int r = device->is_virtual_function ? 0 : scan_read_path(devices, name, device);
        if (r < 0)
                return r;
        r = read_modalias(directory, modalias, sizeof(modalias));
        if (r < 0)
                return scan_error_is_fatal(r) ? r : -ENODATA;
        if (!parse_modalias(modalias, device))
                return -ENODATA;
        return replace_string(&device->modalias, modalias);
}

/* A number in decimal, or in hexadecimal as "10ca"; 0 if it is not there or not shaped so. */
static uint32_t read_number(int directory, const char *name, bool is_hex, uint32_t maximum)
{
        char text[32];
        uint64_t number;

        if (read_attribute_at(directory, name, text, sizeof(text)) <= 0)
                return 0;
        int r = is_hex ? parse_hex(text, 0, &number) : parse_unsigned(text, maximum, &number);
        return r < 0 || number > maximum ? 0 : (uint32_t) number;
}

static void read_sriov(int directory, Device *device)
{
        char text[8];

        device->sriov_total_vfs = read_number(directory, "sriov_totalvfs", false, UINT16_MAX);
        if (device->sriov_total_vfs == 0)
                return;
        if (read_attribute_at(directory, "sriov_drivers_autoprobe", text, sizeof(text)) == 1 &&
            (text[0] == '0' || text[0] == '1'))
                device->sriov_autoprobe = text[0] - '0';
        device->sriov_offset = read_number(directory, "sriov_offset", false, UINT16_MAX);
        device->sriov_stride = read_number(directory, "sriov_stride", false, UINT16_MAX);
        device->sriov_vf_device =
                (uint16_t) read_number(directory, "sriov_vf_device", true, UINT16_MAX);
}

static int read_driver(int directory, Device *device)
{
        char name[NAME_MAX + 1];

        int r = read_link_name_at(directory, "driver", name, sizeof(name));
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        return replace_string(&device->driver, name);
}

/* VFIO makes up a group for a function without an IOMMU when it binds it: not one to build on. */
static bool is_noiommu_group(int directory)
{
        char name[32];

        return read_attribute_at(directory, "iommu_group/name", name, sizeof(name)) > 0 &&
                streq(name, "vfio-noiommu");
}

static void read_group(Scan *scan, int directory, Device *device)
{
        char name[32];
        uint64_t number;

        if (read_link_name_at(directory, "iommu_group", name, sizeof(name)) < 0 ||
            parse_unsigned(name, INT32_MAX, &number) < 0)
                return;
        if (device->driver && driver_is_vfio(device->driver) && is_noiommu_group(directory))
                return;
        device->group = (int64_t) number;
        scan->snapshot->has_iommu = true;
}

static bool is_virtual_function(int directory, PciAddress *ret_physical_function)
{
        char name[64];

        return read_link_name_at(directory, "physfn", name, sizeof(name)) == 0 &&
                scan_parse_address(name, ret_physical_function);
}

/* An attribute of the bus: it is there for all functions or for none. */
static bool has_override_file(Scan *scan, int directory)
{
        if (!scan->has_overrides)
                scan->has_overrides = faccessat(directory, "driver_override", F_OK, 0) == 0;
        return scan->has_overrides;
}

/* Bridge, PF or VF. A function that was not known as a VF may be known as one now: its physfn
 * comes after its `add` event. The number of VFs is its driver's to change. */
static void read_kind(int directory, const Device *previous, Device *device)
{
        if (previous && previous->is_virtual_function) {
                device->is_virtual_function = true;
                device->physical_function = previous->physical_function;
                return;
        }
        if (previous && previous->is_bridge) {
                device->is_bridge = true;
                return;
        }
        if (is_virtual_function(directory, &device->physical_function)) {
                device->is_virtual_function = true;
                return;
        }
        if (!previous)
                device->is_bridge = faccessat(directory, "secondary_bus_number", F_OK, 0) == 0;
        if (!device->is_bridge)
                read_sriov(directory, device);
}

static int read_function(Scan *scan, int directory, Device *device)
{
        int r = read_driver(directory, device);
        if (r < 0)
                return r;

        read_group(scan, directory, device);
        device->has_override_file = has_override_file(scan, directory);
        read_kind(directory, scan_find_previous(scan, device), device);

        if (scan->facts & SNAPSHOT_FACT_INTERFACES)
                r = scan_interfaces(directory, device);
        if (r == 0 && scan->facts & SNAPSHOT_FACT_DETAILS)
                r = scan_details(directory, device);
        return r;
}

int scan_add_function(Scan *scan, int devices, const char *name)
{
        struct stat status;
        PciAddress address;
        Device *device;

        if (!scan_parse_address(name, &address))
                return 0;
        _cleanup_close_ int directory = openat(devices, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return scan_error_is_fatal(-errno) ? -errno : 0;
        if (fstat(directory, &status) < 0)
                return 0;

        int r = snapshot_add(scan->snapshot, &address, &device);
        if (r < 0)
                return r;
        device->inode = status.st_ino;

        r = read_function(scan, directory, device);
        if (r == 0)
                r = read_identity(scan, devices, name, directory, device);
        if (r == -ENODATA) {
                device_done(device);
                scan->snapshot->n_devices--;
                r = 0;
        }
        return r;
}

static int read_functions(Scan *scan)
{
        _cleanup_directory_ DIR *devices = NULL;

        int r = host_open_directory(scan->host->root, "sys/bus/pci/devices", &devices);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        while (scan->snapshot->n_devices < SCAN_FUNCTIONS_MAX) {
                errno = 0;
                struct dirent *entry = readdir(devices);
                if (!entry && errno > 0)
                        return -errno;
                if (!entry)
                        break;
                r = scan_add_function(scan, dirfd(devices), entry->d_name);
                if (r < 0)
                        return r;
        }
        return snapshot_finish(scan->snapshot);
}

/* "sys/bus/pci/devices/ADDRESS/driver" */
static int read_driver_again(const Scan *scan, Device *device)
{
        char path[sizeof("sys/bus/pci/devices//driver") + PCI_ADDRESS_TEXT_MAX];
        char name[NAME_MAX + 1];

        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver",
                PCI_ADDRESS_TEXT(&device->address));
        int r = read_link_name_at(scan->host->root, path, name, sizeof(name));
        if (r < 0 && r != -ENOENT)
                return scan_error_is_fatal(r) ? r : 0;
        return replace_string(&device->driver, r < 0 ? NULL : name);
}

int scan_join_record(const Scan *scan, Device *device)
{
        int r = store_load(scan->host, &device->address, device->inode, &device->record);

        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        return device->record ? read_driver_again(scan, device) : 0;
}

static int join_record(void *userdata, const PciAddress *address)
{
        Scan *scan = userdata;
        Device *device = snapshot_find(scan->snapshot, address);

        return device && !device->record ? scan_join_record(scan, device) : 0;
}

static int read_machine(Scan *scan)
{
        Snapshot *snapshot = scan->snapshot;

        int r = host_list_directory(scan->host->root, "sys/bus/pci/drivers", DRIVERS_MAX,
                &snapshot->drivers);
        if (r < 0 && scan_error_is_fatal(r))
                return r;
        r = host_kernel_release(scan->host, &snapshot->kernel_release);
        if (r < 0 && scan_error_is_fatal(r))
                return r;
        return 0;
}

int scan_finish(Scan *scan)
{
        int r = scan_virtual_functions(scan);

        if (r == 0)
                r = read_machine(scan);
        if (r == 0 && scan->facts & SNAPSHOT_FACT_SLOTS)
                r = scan_slots(scan);
        if (r == 0)
                r = scan_modalias_facts(scan);
        if (r == 0 && scan->facts & SNAPSHOT_FACT_SERIALS)
                r = scan_serials(scan);
        return r;
}

int scan_machine(const Host *host, unsigned facts, const Snapshot *previous, Snapshot **ret)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;

        int r = snapshot_new(&snapshot);
        if (r < 0)
                return r;
        Scan scan = {.host = host, .facts = facts, .previous = previous, .snapshot = snapshot};

        r = read_functions(&scan);
        if (r == 0)
                r = scan_finish(&scan);
        if (r == 0)
                r = store_for_each(host, join_record, &scan);
        if (r < 0)
                return r;

        *ret = TAKE_POINTER(snapshot);
        return 0;
}

int scan_function(const Host *host, const PciAddress *address, Snapshot **ret)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;

        int r = snapshot_new(&snapshot);
        if (r < 0)
                return r;
        _cleanup_close_ int devices =
                openat(host->root, "sys/bus/pci/devices", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (devices < 0)
                return errno == ENOENT ? -ENODEV : -errno;

        Scan scan = {.host = host, .snapshot = snapshot};
        r = scan_add_function(&scan, devices, PCI_ADDRESS_TEXT(address));
        if (r < 0)
                return r;
        if (snapshot->n_devices == 0)
                return -ENODEV;
        r = scan_virtual_functions(&scan);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(snapshot);
        return 0;
}
