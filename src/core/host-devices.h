/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/plan.h"

/* The record of what the host needs: which functions its guard would have refused while it ran,
 * those that its tables of file systems name, and the parts of the platform that had a host driver
 * and share their group. The early stages go by it, when nothing is mounted
 * and no driver tells. */

/* A bit beside 1 << InUse: no use that keeps the function itself from being taken, but its group
 * from being taken for others. */
#define HOST_DEVICE_PLATFORM (2U << _IN_USE_MAX) /* not ALLOW_PASSING */

typedef struct HostDevice {
        char *path; /* where it was, as Device.path; never NULL */
        PciAddress address; /* its address then, for people */
        uint16_t vendor, device, subsystem_vendor, subsystem_device;
        char *serial; /* 16 lower-case hex digits; NULL: none, or not known */
        unsigned uses; /* bits 1 << InUse and HOST_DEVICE_PLATFORM, not 0 */
        char *what; /* names the thing: "/dev/nvme1n1p2 is mounted on /srv"; never NULL */
} HostDevice;

typedef struct HostDevices {
        HostDevice *items; /* sorted by path, each path once */
        size_t n_items;
} HostDevices;

int host_devices_new(HostDevices **ret) _must_check_;
HostDevices *host_devices_free(HostDevices *devices);
DEFINE_CLEANUP(HostDevices, host_devices_free)
#define _cleanup_host_devices_ _cleanup_(host_devices_freep)

/* Notes one more use (one of the bits of HostDevice.uses) of a function of the machine, which is
 * added if it is not there. Of several uses, `what` is said of the lowest bit, the gravest. Call
 * host_devices_finish() after the last one. Returns 0, -ENOMEM. */
int host_devices_add(HostDevices *devices, const Device *device, unsigned use, const char *what)
        _must_check_;
void host_devices_finish(HostDevices *devices);
/* Adds to a finished list what another one lists: functions, and uses of the same function. Where
 * another function stands now, that counts. Returns 0, -ENOMEM. */
int host_devices_merge(HostDevices *devices, const HostDevices *other) _must_check_;

/* Notes what the guard has seen of every function that is not on VFIO, but for what its claim may
 * take all the same by AllowInUse=. `plan` was made from a snapshot that the guard filled.
 * Returns 0, -ENOMEM. */
int host_devices_add_uses(HostDevices *devices, const Plan *plan) _must_check_;

/* Notes the platform endpoints on a host driver beside which others in their group could be
 * claimed. Returns 0, -ENOMEM. */
int host_devices_add_platform(HostDevices *devices, const Plan *plan) _must_check_;

/* NULL: not listed. */
HostDevice *host_devices_find(const HostDevices *devices, const char *path);

/* Everything that is in `old` is in `new` too, with the same identity and at least the same
 * uses. */
bool host_devices_cover(const HostDevices *new, const HostDevices *old);

/* Vendor, device and subsystem, and the serial number where both are known. */
bool host_device_is(const HostDevice *item, const Device *device);

/* Which of the items is where it was, and still what it was: an array of n_items that the caller
 * frees. Returns 0, -ENOMEM. */
int host_devices_locate(const HostDevices *devices, const Snapshot *snapshot, bool **ret)
        _must_check_;

/* The item that speaks against taking the function, uses in `allowed` (bits 1 << InUse) apart: it
 * is listed, or (*ret_moved) has the identity of one that is not where it was. NULL: none. */
const HostDevice *host_devices_match(const HostDevices *devices, const bool *in_place,
        const Device *device, unsigned allowed, bool *ret_moved);
/* The item that lists the function as a part of the platform. NULL: none. */
const HostDevice *host_devices_match_platform(const HostDevices *devices, const Device *device);
