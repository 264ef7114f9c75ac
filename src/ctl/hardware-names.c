/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/hardware-names.h"

#include <errno.h>
#include <systemd/sd-hwdb.h>

#include "host/scan.h"
#include "util/strings.h"

static sd_hwdb *database;

static int copy_value(const char *modalias, const char *key, char **ret)
{
        const char *value;

        if (sd_hwdb_get(database, modalias, key, &value) < 0)
                value = NULL;
        *ret = NULL;
        return replace_string(ret, value);
}

static int look_up(_unused_ void *userdata, const char *modalias, char **ret_vendor,
        char **ret_device)
{
        _cleanup_free_ char *vendor = NULL;
        int r;

        if (!database && sd_hwdb_new(&database) < 0) {
                scan_set_names(NULL, NULL);
                return -ENOENT;
        }
        r = copy_value(modalias, "ID_VENDOR_FROM_DATABASE", &vendor);
        if (r >= 0)
                r = copy_value(modalias, "ID_MODEL_FROM_DATABASE", ret_device);
        if (r < 0)
                return r;
        *ret_vendor = TAKE_POINTER(vendor);
        return 0;
}

void hardware_names_begin(void)
{
        scan_set_names(look_up, NULL);
}

void hardware_names_end(void)
{
        scan_set_names(NULL, NULL);
        database = sd_hwdb_unref(database);
}
