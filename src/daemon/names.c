/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/names.h"

#include <errno.h>
#include <libudev.h>

#include "host/scan.h"
#include "util/strings.h"

static int copy_name(const char *name, char **ret)
{
        char *copy = NULL;

        if (name) {
                copy = strdup(name);
                if (!copy)
                        return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

static int copy_names(const char *vendor, const char *model, char **ret_vendor, char **ret_model)
{
        _cleanup_free_ char *vendor_copy = NULL;
        int r;

        r = copy_name(vendor, &vendor_copy);
        if (r < 0)
                return r;
        r = copy_name(model, ret_model);
        if (r < 0)
                return r;
        *ret_vendor = TAKE_POINTER(vendor_copy);
        return 0;
}

static const Device *find_known(const Snapshot *previous, const char *modalias)
{
        for (size_t i = 0; previous && i < previous->n_devices; i++) {
                const Device *device = &previous->devices[i];

                if (device->vendor_name.known && device->device_name.known &&
                    streq(device->modalias, modalias))
                        return device;
        }
        return NULL;
}

static int open_database(Names *names)
{
        if (names->error < 0 || names->hwdb)
                return names->error;
        names->udev = udev_new();
        if (names->udev)
                names->hwdb = udev_hwdb_new(names->udev);
        if (!names->hwdb)
                names->error = -ENOENT;
        return names->error;
}

static int look_up(void *userdata, const char *modalias, char **ret_vendor, char **ret_device)
{
        Names *names = userdata;
        const Device *known = find_known(names->previous, modalias);
        const char *vendor = NULL, *model = NULL;
        struct udev_list_entry *properties, *entry;
        int r;

        if (known)
                return copy_names(known->vendor_name.text, known->device_name.text, ret_vendor,
                        ret_device);
        r = open_database(names);
        if (r < 0)
                return r;
        properties = udev_hwdb_get_properties_list_entry(names->hwdb, modalias, 0);
        udev_list_entry_foreach(entry, properties)
        {
                if (streq(udev_list_entry_get_name(entry), "ID_VENDOR_FROM_DATABASE"))
                        vendor = udev_list_entry_get_value(entry);
                else if (streq(udev_list_entry_get_name(entry), "ID_MODEL_FROM_DATABASE"))
                        model = udev_list_entry_get_value(entry);
        }
        return copy_names(vendor, model, ret_vendor, ret_device);
}

void names_begin(Names *names, const Snapshot *previous)
{
        *names = (Names){ .previous = previous };
        scan_set_names(look_up, names);
}

void names_end(Names *names)
{
        scan_set_names(NULL, NULL);
        udev_hwdb_unref(names->hwdb);
        udev_unref(names->udev);
        *names = (Names){};
}
