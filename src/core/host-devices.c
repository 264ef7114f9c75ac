/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/host-devices.h"

#include <errno.h>

#include "core/planner-internal.h"
#include "util/array.h"
#include "util/strings.h"

int host_devices_new(HostDevices **ret)
{
        HostDevices *devices = calloc(1, sizeof(*devices));

        if (!devices)
                return -ENOMEM;
        *ret = devices;
        return 0;
}

HostDevices *host_devices_free(HostDevices *devices)
{
        if (!devices)
                return NULL;
        for (size_t i = 0; i < devices->n_items; i++) {
                free(devices->items[i].path);
                free(devices->items[i].serial);
                free(devices->items[i].what);
        }
        free(devices->items);
        free(devices);
        return NULL;
}

static int add_item(HostDevices *devices, const Device *device, const char *what, HostDevice **ret)
{
        HostDevice item = { .address = device->address, .vendor = device->vendor,
                            .device = device->device,
                            .subsystem_vendor = device->subsystem_vendor,
                            .subsystem_device = device->subsystem_device };
        int r;

        r = ARRAY_GROW(devices->items, devices->n_items);
        if (r >= 0)
                r = replace_string(&item.path, device->path);
        if (r >= 0)
                r = replace_string(&item.what, what);
        if (r >= 0 && device->serial.known && !isempty(device->serial.text))
                r = replace_string(&item.serial, device->serial.text);
        if (r < 0) {
                free(item.path);
                free(item.what);
                return r;
        }
        devices->items[devices->n_items] = item;
        *ret = &devices->items[devices->n_items++];
        return 0;
}

/* The list is not sorted while it is made, and the one that was added last is asked for most. */
static HostDevice *find_last(HostDevices *devices, const char *path)
{
        for (size_t i = devices->n_items; i-- > 0;)
                if (streq(devices->items[i].path, path))
                        return &devices->items[i];
        return NULL;
}

int host_devices_add(HostDevices *devices, const Device *device, unsigned use, const char *what)
{
        HostDevice *item = find_last(devices, device->path);
        int r;

        if (!item)
                r = add_item(devices, device, what, &item);
        else if ((item->uses & (use | (use - 1))) == 0) /* a graver use than what is listed */
                r = replace_string(&item->what, what);
        else
                r = 0;
        if (r < 0)
                return r;
        item->uses |= use;
        return 0;
}

static int add_uses(HostDevices *devices, const MemberPlan *member)
{
        const Device *device = member->device;
        unsigned ignored = planner_allowed_uses(member) | 1U << IN_USE_VFIO;

        if (driver_is_vfio(device->driver))
                return 0;
        for (size_t i = 0; i < device->n_uses; i++) {
                const UseNote *note = &device->uses[i];
                int r;

                if (ignored & 1U << note->use)
                        continue;
                r = host_devices_add(devices, device, 1U << note->use, note->what);
                if (r < 0)
                        return r;
        }
        return 0;
}

int host_devices_add_uses(HostDevices *devices, const Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++)
                for (size_t j = 0; j < plan->groups[i].n_members; j++) {
                        int r = add_uses(devices, &plan->groups[i].members[j]);

                        if (r < 0)
                                return r;
                }
        return 0;
}

static bool is_platform_at_work(const Device *device)
{
        return !device->is_bridge && planner_is_platform(device) && !planner_is_ignorable(device) &&
               !driver_is_vfio(device->driver);
}

/* Something else could be taken: what no claim selects is no companion if it is of the platform. */
static bool has_others(const GroupPlan *group, const MemberPlan *member)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *other = &group->members[i];

                if (other != member && !other->device->is_bridge &&
                    (other->role == ROLE_SELECTED || !planner_is_platform(other->device)))
                        return true;
        }
        return false;
}

static int add_platform(HostDevices *devices, const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const Device *device = group->members[i].device;
                _cleanup_free_ char *what = NULL;
                int r;

                if (!is_platform_at_work(device) || !has_others(group, &group->members[i]))
                        continue;
                r = format_string(&what, "its driver was %s", device->driver);
                if (r >= 0)
                        r = host_devices_add(devices, device, HOST_DEVICE_PLATFORM, what);
                if (r < 0)
                        return r;
        }
        return 0;
}

int host_devices_add_platform(HostDevices *devices, const Plan *plan)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < plan->n_groups; i++)
                if (plan->groups[i].number >= 0)
                        r = add_platform(devices, &plan->groups[i]);
        return r;
}

static int compare_items(const void *a, const void *b)
{
        return strcmp(((const HostDevice *) a)->path, ((const HostDevice *) b)->path);
}

void host_devices_finish(HostDevices *devices)
{
        if (devices->n_items > 1)
                qsort(devices->items, devices->n_items, sizeof(HostDevice), compare_items);
}

HostDevice *host_devices_find(const HostDevices *devices, const char *path)
{
        HostDevice key = { .path = (char *) path };

        if (devices->n_items == 0)
                return NULL;
        return bsearch(&key, devices->items, devices->n_items, sizeof(HostDevice), compare_items);
}

static int add_copy(HostDevices *devices, const HostDevice *other)
{
        HostDevice item = *other;
        int r;

        item.path = item.what = item.serial = NULL;
        r = ARRAY_GROW(devices->items, devices->n_items);
        if (r >= 0)
                r = replace_string(&item.path, other->path);
        if (r >= 0)
                r = replace_string(&item.what, other->what);
        if (r >= 0)
                r = replace_string(&item.serial, other->serial);
        if (r < 0) {
                free(item.path);
                free(item.what);
                return r;
        }
        devices->items[devices->n_items++] = item;
        return 0;
}

static bool same_ids(const HostDevice *a, const HostDevice *b)
{
        return a->vendor == b->vendor && a->device == b->device &&
               a->subsystem_vendor == b->subsystem_vendor &&
               a->subsystem_device == b->subsystem_device;
}

int host_devices_merge(HostDevices *devices, const HostDevices *other)
{
        size_t n = devices->n_items;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < other->n_items; i++) {
                const HostDevices sorted = { devices->items, n };
                HostDevice *item = host_devices_find(&sorted, other->items[i].path);

                if (!item)
                        r = add_copy(devices, &other->items[i]);
                else if (same_ids(item, &other->items[i]))
                        item->uses |= other->items[i].uses;
        }
        host_devices_finish(devices);
        return r;
}

bool host_devices_cover(const HostDevices *new, const HostDevices *old)
{
        for (size_t i = 0; i < old->n_items; i++) {
                const HostDevice *before = &old->items[i];
                const HostDevice *item = host_devices_find(new, before->path);

                if (!item || !same_ids(item, before) || before->uses & ~item->uses ||
                    (before->serial && !streq_null(before->serial, item->serial)))
                        return false;
        }
        return true;
}

bool host_device_is(const HostDevice *item, const Device *device)
{
        if (item->vendor != device->vendor || item->device != device->device ||
            item->subsystem_vendor != device->subsystem_vendor ||
            item->subsystem_device != device->subsystem_device)
                return false;
        return !item->serial || !device->serial.known ||
               streq_null(item->serial, device->serial.text);
}

int host_devices_locate(const HostDevices *devices, const Snapshot *snapshot, bool **ret)
{
        bool *in_place = calloc(devices->n_items + 1, sizeof(bool));

        if (!in_place)
                return -ENOMEM;
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                const HostDevice *item = host_devices_find(devices, snapshot->devices[i].path);

                if (item && host_device_is(item, &snapshot->devices[i]))
                        in_place[item - devices->items] = true;
        }
        *ret = in_place;
        return 0;
}

const HostDevice *host_devices_match(const HostDevices *devices, const bool *in_place,
        const Device *device, unsigned allowed, bool *ret_moved)
{
        const HostDevice *here = host_devices_find(devices, device->path);

        allowed |= HOST_DEVICE_PLATFORM;
        *ret_moved = false;
        if (here && here->uses & ~allowed && host_device_is(here, device))
                return here;
        for (size_t i = 0; i < devices->n_items; i++) {
                const HostDevice *item = &devices->items[i];

                if (in_place[i] || !(item->uses & ~allowed) || !host_device_is(item, device))
                        continue;
                *ret_moved = true;
                return item;
        }
        return NULL;
}

const HostDevice *host_devices_match_platform(const HostDevices *devices, const Device *device)
{
        const HostDevice *item = host_devices_find(devices, device->path);

        return item && item->uses & HOST_DEVICE_PLATFORM && host_device_is(item, device) ? item
                                                                                         : NULL;
}
