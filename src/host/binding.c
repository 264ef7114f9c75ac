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

static void make_device_path(char path[static PATH_SIZE], const PciAddress *address,
        const char *name)
{
        (void) snprintf(path, PATH_SIZE, "sys/bus/pci/devices/%s/%s", PCI_ADDRESS_TEXT(address),
                name);
}

int binding_read_driver(const Host *host, const PciAddress *address, char **ret)
{
        char path[PATH_SIZE], name[NAME_MAX + 1];
        struct stat status;

        make_device_path(path, address, "driver");
        int r = read_link_name_at(host->root, path, name, sizeof(name));
        if (r == 0)
                return format_string(ret, "%s", name);
        if (r != -ENOENT)
                return r;

        make_device_path(path, address, ".");
        if (fstatat(host->root, path, &status, 0) < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        *ret = NULL;
        return 0;
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
        make_device_path(path, address, "driver_override");
        return write_attribute_at(host->root, path, driver ? driver : "\n");
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
        make_device_path(path, address, name);
        ssize_t n = read_attribute_at(host->root, path, text, sizeof(text));
        return n < 0 ? (int) n : format_string(ret, "%s", text);
}

int binding_write_device_attribute(const Host *host, const PciAddress *address, const char *name,
        const char *text)
{
        char path[PATH_SIZE];

        if (!is_attribute_path(name) || isempty(text))
                return -EINVAL;
        make_device_path(path, address, name);
        return write_attribute_at(host->root, path, text);
}
