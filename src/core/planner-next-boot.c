/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "core/planner.h"

/* What keeps a driver from being unbound now makes it a host device at the next boot; all other
 * functions are without a driver then, and without history. */
static bool is_needed_by_host(const Device *device)
{
        for (size_t i = 0; i < device->n_uses; i++)
                if (device->uses[i].use != IN_USE_VFIO)
                        return true;
        return false;
}

typedef struct Past {
        char *driver;
        DeviceRecord *record;
        bool knows_vendor_name, knows_device_name, knows_interfaces;
} Past;

/* Names come with udev, which has not run then. */
static void forget(Device *device, Past *ret)
{
        *ret = (Past){ device->driver, device->record, device->vendor_name.known,
                       device->device_name.known, device->interfaces.known };
        device->record = NULL;
        if (!is_needed_by_host(device))
                device->driver = NULL;
        device->vendor_name.known = device->device_name.known = device->interfaces.known = false;
}

static void remember(Device *device, const Past *past)
{
        device->driver = past->driver;
        device->record = past->record;
        device->vendor_name.known = past->knows_vendor_name;
        device->device_name.known = past->knows_device_name;
        device->interfaces.known = past->knows_interfaces;
}

int planner_plan_next_boot(Snapshot *snapshot, const Config *config, bool prune, Plan **ret)
{
        PlanRequest request = { .stage = STAGE_BOOT, .may_unbind = true, .prune = prune };
        _cleanup_free_ Past *past = calloc(snapshot->n_devices + 1, sizeof(*past));
        int r;

        if (!past)
                return -ENOMEM;
        for (size_t i = 0; i < snapshot->n_devices; i++)
                forget(&snapshot->devices[i], &past[i]);
        r = planner_plan(snapshot, config, &request, ret);
        for (size_t i = 0; i < snapshot->n_devices; i++)
                remember(&snapshot->devices[i], &past[i]);
        return r;
}
