/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/pci-address.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "util/parse.h"
#include "util/strings.h"

char *pci_address_format(const PciAddress *address, char text[static PCI_ADDRESS_TEXT_MAX])
{
        (void) snprintf(text, PCI_ADDRESS_TEXT_MAX, "%04" PRIx32 ":%02x:%02x.%x", address->domain,
                address->bus, address->device & 0x1fU, address->function & 7U);
        return text;
}

/* Reads `minimum` to `maximum` hex digits at *text and moves *text behind them. */
static bool take_hex(const char **text, size_t minimum, size_t maximum, uint64_t *ret)
{
        char digits[9];
        size_t n = strspn(*text, "0123456789abcdefABCDEF");

        if (n < minimum || n > maximum || n >= sizeof(digits))
                return false;
        memcpy(digits, *text, n);
        digits[n] = '\0';
        if (parse_hex(digits, n, ret) < 0)
                return false;
        *text += n;
        return true;
}

static bool take_character(const char **text, char c)
{
        if (**text != c)
                return false;
        (*text)++;
        return true;
}

/* "bb:dd" or "bb_dd", then "." or "_" and the function, which only a slot may lack. */
static int parse_rest(const char *text, uint64_t domain, const char *separators, PciAddress *ret,
        bool *ret_whole_slot)
{
        uint64_t bus, device, function = 0;
        bool whole_slot = false;

        if (!take_hex(&text, 2, 2, &bus) || !take_character(&text, separators[0]) ||
            !take_hex(&text, 2, 2, &device))
                return -EINVAL;
        if (*text == '\0')
                whole_slot = true;
        else if (!take_character(&text, separators[1]) || !take_hex(&text, 1, 1, &function))
                return -EINVAL;

        if (*text || device > 31 || function > 7 || (whole_slot && !ret_whole_slot))
                return -EINVAL;

        *ret = (PciAddress){
                .domain = (uint32_t) domain,
                .bus = (uint8_t) bus,
                .device = (uint8_t) device,
                .function = (uint8_t) function,
        };
        if (ret_whole_slot)
                *ret_whole_slot = whole_slot;
        return 0;
}

static int parse_address(const char *text, PciAddress *ret, bool *ret_whole_slot)
{
        uint64_t domain = 0;

        const char *rest = startswith(text, "pci_");
        if (rest) {
                /* libvirt names functions, never slots. */
                if (!take_hex(&rest, 4, 8, &domain) || !take_character(&rest, '_'))
                        return -EINVAL;
                int r = parse_rest(rest, domain, "__", ret, NULL);
                if (r == 0 && ret_whole_slot)
                        *ret_whole_slot = false;
                return r;
        }

        rest = text;
        if (take_hex(&rest, 4, 8, &domain)) {
                if (!take_character(&rest, ':'))
                        return -EINVAL;
        }
        return parse_rest(rest, domain, ":.", ret, ret_whole_slot);
}

int pci_address_parse(const char *text, PciAddress *ret)
{
        return parse_address(text, ret, NULL);
}

int pci_address_parse_slot(const char *text, PciAddress *ret, bool *ret_whole_slot)
{
        return parse_address(text, ret, ret_whole_slot);
}

static int compare(uint64_t a, uint64_t b)
{
        return a < b ? -1 : a > b;
}

int pci_address_compare(const PciAddress *a, const PciAddress *b)
{
        int r = compare(a->domain, b->domain);
        if (r == 0)
                r = compare(a->bus, b->bus);
        if (r == 0)
                r = compare(a->device, b->device);
        if (r == 0)
                r = compare(a->function, b->function);
        return r;
}
