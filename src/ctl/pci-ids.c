/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/pci-ids.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/parse.h"

/* As "%x" of the kernel's vsscanf(): with "0x" in front or not. 0: there is no number. */
static size_t read_number(const char *text, uint32_t *ret)
{
        const char *digits = text;
        char copy[16];
        uint64_t value;
        size_t n;

        if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
                digits += 2;
        n = strspn(digits, "0123456789abcdefABCDEF");
        if (n == 0 || n >= sizeof(copy))
                return 0;
        (void) snprintf(copy, sizeof(copy), "%.*s", (int) n, digits);
        if (parse_hex(copy, 0, &value) < 0 || value > UINT32_MAX)
                return 0;
        *ret = (uint32_t) value;
        return (size_t) (digits - text) + n;
}

/* As vfio_pci_fill_ids() of the kernel: what does not fit after the first two is left out. */
int pci_ids_parse(const char *text, size_t length, PciIds *ret)
{
        uint32_t fields[6] = { 0, 0, UINT32_MAX, UINT32_MAX, 0, 0 };
        const char *p;
        char copy[80];
        size_t n = 0;

        if (length >= sizeof(copy))
                return -EINVAL;
        (void) snprintf(copy, sizeof(copy), "%.*s", (int) length, text);
        p = copy;
        while (n < 6) {
                size_t used = read_number(p, &fields[n]);

                if (used == 0)
                        break;
                n++;
                p += used;
                if (*p++ != ':')
                        break;
        }
        if (n < 2)
                return -EINVAL;
        *ret = (PciIds){ .vendor = fields[0], .device = fields[1],
                         .subsystem_vendor = fields[2], .subsystem_device = fields[3],
                         .class_code = fields[4], .class_mask = fields[5] };
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
