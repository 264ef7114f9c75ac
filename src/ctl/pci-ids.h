/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"

/* One of the ids of vfio-pci's parameter "ids", in the form that drivers/vfio/pci/vfio_pci.c of
 * the kernel reads: "vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]", all hex. */
typedef struct PciIds {
        uint32_t vendor, device, subsystem_vendor, subsystem_device; /* UINT32_MAX: any */
        uint32_t class_code, class_mask;
} PciIds;

/* Reads the first `length` bytes. Returns 0, -EINVAL. */
int pci_ids_parse(const char *text, size_t length, PciIds *ret) _must_check_;

/* Would the driver take the function by this id? Bridges are none of its business. */
bool pci_ids_fit(const PciIds *ids, const Device *device);
