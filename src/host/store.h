/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"
#include "host/host.h"

/* /run/vfio-bindd. originals/ADDRESS is created once per device instance, functions/ADDRESS is
 * replaced at will; both are "KEY=value" lines whose first is the inode of the sysfs directory.
 * Unknown keys are ignored. A damaged file never makes a device look clean: its provenance is
 * unknown then. */

int store_prepare(const Host *host) _must_check_; /* makes the directories, 0755 */

/* *ret NULL if there is none for this instance. Returns 0 or a negative errno. */
int store_load(const Host *host, const PciAddress *address, uint64_t inode, DeviceRecord **ret)
        _must_check_;

/* Stores the original_* fields. -EEXIST if this instance has an original already; that of another
 * instance is replaced. */
int store_save_original(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record) _must_check_;

/* The same in one step where the one that is there turned out to be wrong: there is no moment
 * without any. */
int store_replace_original(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record) _must_check_;

/* Stores all but the original_* fields, in one step. */
int store_save(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record) _must_check_;

/* The same, unless this instance has one: -EEXIST. */
int store_create(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record) _must_check_;

/* Removes both files; none is success. */
int store_remove(const Host *host, const PciAddress *address) _must_check_;

/* Calls back for every address that has a file of either kind, some twice. Returns 0, the first
 * nonzero value of the callback, or a negative errno; no store is success. */
int store_for_each(const Host *host, int (*callback)(void *userdata, const PciAddress *address),
        void *userdata) _must_check_;

/* flock on a file per group; the descriptor is the lock. wait: block (workers only).
 * Returns the descriptor, -EWOULDBLOCK, -EINVAL for a negative group, or another errno. */
int store_lock_group(const Host *host, int64_t group, bool wait) _must_check_;

/* What is about to be done to a group, kept until it is done. Ending what is not there is
 * success. */
int store_begin_intent(const Host *host, int64_t group, const char *text) _must_check_;
int store_end_intent(const Host *host, int64_t group) _must_check_;
/* The text of an intent, which the caller frees; -ENOENT. */
int store_read_intent(const Host *host, int64_t group, char **ret) _must_check_;
/* Groups with an intent left over from a crash, ascending. */
int store_list_intents(const Host *host, int64_t **ret, size_t *ret_n) _must_check_;
