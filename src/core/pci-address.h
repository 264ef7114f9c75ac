/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* A PCI function: domain:bus:device.function, as the kernel names it in /sys/bus/pci/devices. */
typedef struct PciAddress {
        uint32_t domain;
        uint8_t bus;
        uint8_t device;   /* 0..31 */
        uint8_t function; /* 0..7 */
} PciAddress;

/* "ffffffff:ff:1f.7" and the terminating NUL. */
#define PCI_ADDRESS_TEXT_MAX 17

/* Writes "0000:01:00.0" (the domain with at least four digits) and returns `text`. */
char *pci_address_format(const PciAddress *address, char text[static PCI_ADDRESS_TEXT_MAX]);

/* Shorthand for printf arguments; the text lives until the end of the enclosing block. */
#define PCI_ADDRESS_TEXT(address)                                                                  \
        pci_address_format((address), (char[PCI_ADDRESS_TEXT_MAX]){})

/* Accepts "[dddd:]bb:dd.f" with a domain of 4 to 8 digits (omitted means 0000), hex digits in any
 * case, and libvirt's "pci_dddd_bb_dd_f". Returns 0, -EINVAL. */
int pci_address_parse(const char *text, PciAddress *ret) _must_check_;

/* As pci_address_parse(), and besides "[dddd:]bb:dd", which means all functions of the slot
 * (*ret_whole_slot is true, function 0). Returns 0, -EINVAL. */
int pci_address_parse_slot(const char *text, PciAddress *ret, bool *ret_whole_slot) _must_check_;

/* Orders by domain, bus, device, function: <0, 0, >0. */
int pci_address_compare(const PciAddress *a, const PciAddress *b);

static inline bool pci_address_equal(const PciAddress *a, const PciAddress *b)
{
        return pci_address_compare(a, b) == 0;
}

static inline bool pci_address_same_slot(const PciAddress *a, const PciAddress *b)
{
        return a->domain == b->domain && a->bus == b->bus && a->device == b->device;
}
