/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"
#include "host/host.h"

/* What the running host needs. */

/* Fills the uses of every device of the snapshot, replacing what was there, what nothing overrides
 * first. Passive: reads /proc, /sys and the kernel's network tables only, opens no device. What
 * cannot be looked at counts as in use (IN_USE_BLIND). Returns 0, -ENOMEM, -EMFILE. */
int guard_scan(const Host *host, Snapshot *snapshot) _must_check_;

/* One function, right before the first write; each block device below it is opened once with
 * O_EXCL, and each process asked what it has mapped, so workers only. `allow` is a set of
 * 1 << InUse and ALLOW_PASSING; system use and what cannot be looked at are never allowed. *ret:
 * NULL free, else a sentence that names the thing in the way and a safe remedy; *ret_answer: what
 * kind of use that is. Where nothing but udev's look at it is in the way, that is waited for,
 * `udev_usec` at most, and no device is opened meanwhile. Returns 0, -ENODEV if the function is
 * gone, another negative errno. */
int guard_check(const Host *host, const PciAddress *address, unsigned allow, uint64_t udev_usec,
        GuardAnswer *ret_answer, char **ret) _must_check_;

/* In a saved tree, what was seen when it was made; guard_scan() takes it from there. */
#define GUARD_SAVED "vfio-bindctl-snapshot/uses"
/* The text of that file, for a snapshot that guard_scan() filled. Returns 0, -ENOMEM. */
int guard_format_saved(const Snapshot *snapshot, char **ret) _must_check_;
