/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/import.h"

/* One entry of pci_devices. Texts that were not set are NULL. */
typedef struct OneDeployEntry {
        const char *file;
        unsigned line;
        char *address, *vendor, *device, *class; /* globs */
        char *set_driver; /* NULL: "omit" too */
        char *set_numvfs; /* a number above 0, or "max" */
        bool by_hardware_address; /* `address` is one of Ethernet */
        bool excluded, unguarded;
        bool fits; /* some function */
} OneDeployEntry;

typedef struct OneDeployList {
        OneDeployEntry *items;
        size_t n_items;
        const char *file; /* where a list was found, NULL: none yet */
} OneDeployList;

/* Reads the list in a text, which is written to; `file` must outlive the result. Returns 0;
 * -EINVAL after a complaint; -ENOMEM. */
int one_deploy_read(const char *file, char *text, OneDeployList *list) _must_check_;
void one_deploy_list_done(OneDeployList *list);
