/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/host-devices.h"
#include "host/host.h"

/* The record of what the host needs, as a file: /var/lib/vfio-bindd/host-devices, which the daemon
 * keeps, and which an initramfs has a copy of. Where /var is another file system, the boot service
 * cannot read that yet; then it goes by what the initramfs left in /run/vfio-bindd, if that had
 * one, and else by the guard alone. */

#define HOST_DEVICES_FILE "var/lib/vfio-bindd/host-devices"

/* Text: a line that names the format, one line for each function, and one with the number of
 * those and a checksum of all before it. Whatever is not exactly so is damaged as a whole. */
#define HOST_DEVICES_TEXT_MAX (1U << 20) /* bytes */
#define HOST_DEVICES_MAX      4096       /* functions; further ones are left out */

int host_devices_format(const HostDevices *devices, char **ret) _must_check_;
/* Returns 0; -EBADMSG: damaged, or of another format; -ENOMEM. */
int host_devices_parse(const char *text, size_t length, HostDevices **ret) _must_check_;

/* Returns 0; -ENOENT: there is none; -EBADMSG as above; or another negative errno. */
int host_devices_read(const Host *host, HostDevices **ret) _must_check_;
/* The same of the copy that an initramfs left. */
int host_devices_read_handed_on(const Host *host, HostDevices **ret) _must_check_;
/* In one step, and safe against a power cut. `path` NULL: HOST_DEVICES_FILE, whose directory is
 * made; else a path from the working directory. Returns 0 or a negative errno. */
int host_devices_write(const Host *host, const char *path, const HostDevices *devices)
        _must_check_;
/* From the initramfs to the boot service: copies into /run/vfio-bindd, which must be there. */
int host_devices_hand_on(const Host *host, const HostDevices *devices) _must_check_;

/* Everything that the record is made of. `plan` was made from `snapshot`, which has the guard's
 * uses (host_devices_add_uses()). Besides, what fstab, crypttab, mdadm.conf and the ZFS cache name,
 * mounted or not. `previous` (may be NULL) lends serial numbers, which are read from configuration
 * space otherwise. Returns 0, -ENOMEM. */
int host_devices_collect(const Host *host, const Snapshot *snapshot, const Plan *plan,
        const HostDevices *previous, HostDevices **ret) _must_check_;

/* Do fstab or crypttab name, for every boot, a block device that is not there yet? Not one with
 * "noauto" or "nofail". Returns 1, 0, -ENOMEM. */
int host_tables_await_storage(const Host *host) _must_check_;

/* The second half of that: what the host's tables name. Returns 0, -ENOMEM. */
int host_tables_scan(const Host *host, const Snapshot *snapshot, HostDevices *devices)
        _must_check_;
