/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* Which processes have the nodes of an IOMMU group open. */

typedef struct HolderProcess {
        uint32_t pid;
        /* Printable ASCII, "?" for anything else; "" where it could not be read. */
        char command[64];
        char unit[256];   /* systemd unit of its control group */
        char machine[128]; /* as systemd-machined calls it, else QEMU's -name */
} HolderProcess;

/* Command, unit and registered machine of a process, by its directory in /proc; fields that cannot
 * be read are left alone. Unlike holders_find() this never waits for the process. */
void holders_describe(const Host *host, int process, HolderProcess *ret);

/* (A descriptor of the device alone tells no group: node_is_open() notices that one.)
 * Looks for /dev/vfio/GROUP and for /dev/vfio/devices/vfioM (M in `devices`) among the open files
 * of all processes. Calls back once for a process; a nonzero
 * value ends the search. Reading about a process can block for as long as that process keeps its
 * memory map locked: workers only. Returns 0, what the callback returned, or a negative errno. */
int holders_find(const Host *host, int64_t group, const int64_t *devices, size_t n_devices,
        int (*found)(void *userdata, const HolderProcess *process), void *userdata) _must_check_;
