/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/selector.h"
#include "core/snapshot.h"
#include "host/host.h"

/* Functions beyond this many are left out: no machine has them, a hostile tree might. */
#define SCAN_FUNCTIONS_MAX 65536

/* Reads the machine. `facts` is a set of SNAPSHOT_FACT_*; what is not asked for stays unknown
 * (the guard's uses are filled by guard_scan(), not here). Reads no attribute that can take
 * device_lock (driver_override, uevent, sriov_numvfs) in this process, and config space only in a
 * bounded child. Records of /run are joined by address and inode. A function that vanishes
 * meanwhile is left out, and so is whatever is not shaped as the kernel shapes it. `previous` (may
 * be NULL) lends what cannot have changed for the same instance. Without a PCI bus the snapshot is
 * empty. Returns 0 or a negative errno. */
int scan_machine(const Host *host, unsigned facts, const Snapshot *previous, Snapshot **ret)
        _must_check_;

/* As scan_machine(), but only what has a say in what is to be done with one function: its IOMMU
 * group, its physical function or its virtual functions, and whole groups of these. One function
 * is enough to tell that another PF has virtual functions. Where the answer of a plan depends on
 * more (path=, the whereabouts of an identity), scan the machine. */
int scan_neighbourhood(const Host *host, const PciAddress *address, unsigned facts,
        const Snapshot *previous, Snapshot **ret) _must_check_;

/* Whose virtual function it is. Returns 0, -ENOENT: nobody's, as far as is known yet; another
 * negative errno. */
int scan_find_physical_function(const Host *host, const PciAddress *address, PciAddress *ret)
        _must_check_;

/* The neighbourhood of an IOMMU group's members; empty if there is no such group. */
int scan_group(const Host *host, int64_t group, unsigned facts, Snapshot **ret) _must_check_;

/* One function without further facts, record and VF index; the only one of the snapshot.
 * Returns 0, -ENODEV, another negative errno. */
int scan_function(const Host *host, const PciAddress *address, Snapshot **ret) _must_check_;

/* Lends hwdb names (the udev hwdb is not available to the helper): called for each function if
 * SNAPSHOT_FACT_NAMES is asked for. Without it the names stay unknown. Returns 0 with either name
 * NULL if it is not known to the database (the caller frees them), -ENOENT if the database cannot
 * be read. */
typedef int (*ScanNames)(void *userdata, const char *modalias, char **ret_vendor,
        char **ret_device);
void scan_set_names(ScanNames names, void *userdata);
