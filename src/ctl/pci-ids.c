/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/pci-ids.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/parse.h"

int pci_ids_parse(const char *text, size_t length, PciIds *ret)
{
        uint64_t fields[6] = { 0, 0, UINT32_MAX, UINT32_MAX, 0, 0 };
        char copy[80], *rest = NULL;
        size_t n = 0;

        if (length >= sizeof(copy))
                return -EINVAL;
        (void) snprintf(copy, sizeof(copy), "%.*s", (int) length, text);
        for (char *word = strtok_r(copy, ":", &rest); word; word = strtok_r(NULL, ":", &rest)) {
                if (n == 6 || parse_hex(word, 0, &fields[n]) < 0 || fields[n] > UINT32_MAX)
                        return -EINVAL;
                n++;
        }
        if (n < 2)
                return -EINVAL;
        *ret = (PciIds){ .vendor = (uint32_t) fields[0], .device = (uint32_t) fields[1],
                         .subsystem_vendor = (uint32_t) fields[2],
                         .subsystem_device = (uint32_t) fields[3],
                         .class_code = (uint32_t) fields[4], .class_mask = (uint32_t) fields[5] };
        return 0;
}

static bool fits(uint32_t wanted, uint32_t value)
{
        return wanted == UINT32_MAX || wanted == value;
}

bool pci_ids_fit(const PciIds *ids, const Device *device)
{
        return !device->is_bridge && fits(ids->vendor, device->vendor) &&
                fits(ids->device, device->device) &&
                fits(ids->subsystem_vendor, device->subsystem_vendor) &&
                fits(ids->subsystem_device, device->subsystem_device) &&
                ((ids->class_code ^ device->class_code) & ids->class_mask) == 0;
}
