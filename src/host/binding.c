/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/io.h"
#include "util/strings.h"

#define ATTRIBUTE_MAX 4096 /* a page, which no attribute exceeds */
#define PATH_SIZE     512

/* A driver's name may hold blanks, but sysfs makes a file name of it. */
static bool is_driver_name(const char *name)
{
        size_t n = strlen(name);

        if (n == 0 || n >= 128 || streq(name, ".") || streq(name, ".."))
                return false;
        for (const char *p = name; *p; p++)
                if (*p == '/' || (unsigned char) *p < 0x20 || *p == 0x7f)
                        return false;
        return true;
}

static bool is_attribute_path(const char *name)
{
        const char *component = name;

        if (strlen(name) >= 128)
                return false;
        for (;;) {
                size_t n = strcspn(component, "/");

                if (n == 0 || (n == 1 && component[0] == '.') ||
                    (n == 2 && component[0] == '.' && component[1] == '.'))
                        return false;
                if (!component[n])
                        return true;
                component += n + 1;
        }
}

/* Of one function at a time: each component of a path in sysfs costs a lock of the kernel's and
 * makes the walk a slow one (kernfs_dop_revalidate() in fs/kernfs/dir.c before 6.3), and there are
 * ten of them on the way to an attribute. */
static struct {
        const Host *host;
        PciAddress address;
        uint64_t inode;
        int fd;
} kept = { .fd = -1 };

void binding_drop_directory(void)
{
        close_descriptor(&kept.fd);
        kept.fd = -1;
        kept.host = NULL;
}

static bool is_kept(const Host *host, const PciAddress *address)
{
        return kept.fd >= 0 && kept.host == host && pci_address_equal(&kept.address, address);
}

int binding_keep_directory(const Host *host, const PciAddress *address, uint64_t inode)
{
        char path[PATH_SIZE];
        struct stat status;

        if (is_kept(host, address) && kept.inode == inode)
                return 0;
        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", PCI_ADDRESS_TEXT(address));
        _cleanup_close_ int fd = openat(host->root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        if (fstat(fd, &status) < 0)
                return -errno;
        if (status.st_ino != inode)
                return -ENODEV;
        binding_drop_directory();
        kept.host = host;
        kept.address = *address;
        kept.inode = inode;
        kept.fd = TAKE_FD(fd);
        return 0;
}

int binding_check_instance(const Host *host, const PciAddress *address, uint64_t inode)
{
        char path[PATH_SIZE];
        struct stat status;

        /* Nothing can be found any more in the directory of one that is gone. */
        if (is_kept(host, address) && kept.inode == inode &&
            fstatat(kept.fd, "modalias", &status, 0) == 0)
                return 0;
        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", PCI_ADDRESS_TEXT(address));
        if (fstatat(host->root, path, &status, 0) < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        return status.st_ino == inode ? 0 : -ENODEV;
}

/* Where to look up what it has of that name: returns a descriptor, fills in the path below it. */
static int locate(const Host *host, const PciAddress *address, const char *name,
        char path[static PATH_SIZE])
{
        if (is_kept(host, address)) {
                (void) snprintf(path, PATH_SIZE, "%s", name);
                return kept.fd;
        }
        (void) snprintf(path, PATH_SIZE, "sys/bus/pci/devices/%s/%s", PCI_ADDRESS_TEXT(address),
                name);
        return host->root;
}

int binding_read_driver(const Host *host, const PciAddress *address, char **ret)
{
        char path[PATH_SIZE], name[NAME_MAX + 1];
        struct stat status;

        int directory = locate(host, address, "driver", path);
        int r = read_link_name_at(directory, path, name, sizeof(name));
        if (r == 0)
                return format_string(ret, "%s", name);
        if (r != -ENOENT)
                return r;

        if (is_kept(host, address)) {
                r = binding_check_instance(host, address, kept.inode);
        } else {
                directory = locate(host, address, ".", path);
                r = fstatat(directory, path, &status, 0) == 0 ? 0 :
                        errno == ENOENT ? -ENODEV : -errno;
        }
        if (r == 0)
                *ret = NULL;
        return r;
}

int binding_read_override(const Host *host, const PciAddress *address, char **ret)
{
        char *text;

        int r = binding_read_device_attribute(host, address, "driver_override", &text);
        if (r < 0)
                return r;
        if (isempty(text) || streq(text, "(null)")) {
                free(text);
                text = NULL;
        }
        *ret = text;
        return 0;
}

int binding_write_override(const Host *host, const PciAddress *address, const char *driver)
{
        char path[PATH_SIZE];

        if (driver && !is_driver_name(driver))
                return -EINVAL;
        int directory = locate(host, address, "driver_override", path);
        return write_attribute_at(directory, path, driver ? driver : "\n");
}

static int write_to_driver(const Host *host, const PciAddress *address, const char *driver,
        const char *attribute)
{
        char path[PATH_SIZE];

        if (!is_driver_name(driver))
                return -EINVAL;
        (void) snprintf(path, sizeof(path), "sys/bus/pci/drivers/%s/%s", driver, attribute);
        return write_attribute_at(host->root, path, PCI_ADDRESS_TEXT(address));
}

int binding_unbind(const Host *host, const PciAddress *address, const char *driver)
{
        return write_to_driver(host, address, driver, "unbind");
}

int binding_bind(const Host *host, const PciAddress *address, const char *driver)
{
        return write_to_driver(host, address, driver, "bind");
}

int binding_probe(const Host *host, const PciAddress *address)
{
        return write_attribute_at(host->root, "sys/bus/pci/drivers_probe",
                PCI_ADDRESS_TEXT(address));
}

int binding_read_device_attribute(const Host *host, const PciAddress *address, const char *name,
        char **ret)
{
        char path[PATH_SIZE], text[ATTRIBUTE_MAX + 1];

        if (!is_attribute_path(name))
                return -EINVAL;
        int directory = locate(host, address, name, path);
        ssize_t n = read_attribute_at(directory, path, text, sizeof(text));
        return n < 0 ? (int) n : format_string(ret, "%s", text);
}

int binding_write_device_attribute(const Host *host, const PciAddress *address, const char *name,
        const char *text)
{
        char path[PATH_SIZE];

        if (!is_attribute_path(name) || isempty(text))
                return -EINVAL;
        int directory = locate(host, address, name, path);
        return write_attribute_at(directory, path, text);
}
