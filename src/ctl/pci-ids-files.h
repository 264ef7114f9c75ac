/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/pci-ids.h"
#include "host/host.h"

/* What vfio-pci's parameter "ids" is set to, on the kernel command line and in modprobe.d. */

typedef struct PciIdEntry {
        PciIds ids;
        char *word;  /* as written */
        char *where; /* "kernel command line", "/etc/modprobe.d/vfio.conf:2" */
        bool is_bad; /* no id at all: `ids` means nothing */
} PciIdEntry;

typedef struct PciIdList {
        PciIdEntry *items;
        size_t n_items;
} PciIdList;

/* Returns 0 or a negative errno. */
int pci_id_list_read(const Host *host, PciIdList *list) _must_check_;
void pci_id_list_done(PciIdList *list);
#define _cleanup_pci_id_list_ _cleanup_(pci_id_list_done)
