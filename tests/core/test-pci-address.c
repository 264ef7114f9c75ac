/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>

#include "core/pci-address.h"

/* text: as pci_address_format() writes it; NULL: refused. */
static const struct {
        const char *input, *text;
        bool whole_slot;
} cases[] = {
        {"0000:01:00.0", "0000:01:00.0", false},
        {"01:00.0", "0000:01:00.0", false},
        {"0000:AF:1F.7", "0000:af:1f.7", false},
        {"10000:e1:00.0", "10000:e1:00.0", false}, /* VMD */
        {"00010000:e1:00.0", "10000:e1:00.0", false},
        {"ffffffff:ff:1f.7", "ffffffff:ff:1f.7", false},
        {"pci_0000_01_00_0", "0000:01:00.0", false},
        {"pci_10000_af_1f_7", "10000:af:1f.7", false},
        {"0000:01:00", "0000:01:00.0", true},
        {"01:00", "0000:01:00.0", true},

        {"", NULL},
        {"1:00.0", NULL},
        {"001:01:00.0", NULL},        /* a domain has at least four digits */
        {"100000000:01:00.0", NULL},  /* and at most eight */
        {"0000:001:00.0", NULL},
        {"0000:01:20.0", NULL},       /* device 0x20 */
        {"0000:01:00.8", NULL},
        {"0000:01:00.", NULL},
        {"0000:01:00.00", NULL},
        {"0000:01:00.0 ", NULL},
        {" 0000:01:00.0", NULL},
        {"0000:01:0.0", NULL},
        {"0000:01", NULL},
        {"0000.01:00.0", NULL},
        {"0000:01:00:0", NULL},
        {"0000_01_00_0", NULL},
        {"pci_0000:01:00.0", NULL},
        {"pci_01_00_0", NULL},
        {"pci_0000_01_00", NULL},     /* libvirt names no slots */
        {"PCI_0000_01_00_0", NULL},
        {"0x0000:01:00.0", NULL},
        {"g000:01:00.0", NULL},
        {"0000:01:00.0/00.0", NULL},
};

int main(void)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                PciAddress address = {.domain = 0x5a5a}, slot = address;
                bool whole_slot = !cases[i].whole_slot;
                bool function_only = cases[i].text && !cases[i].whole_slot;

                ASSERT_EQ(pci_address_parse(cases[i].input, &address),
                        function_only ? 0 : -EINVAL);
                ASSERT_EQ(pci_address_parse_slot(cases[i].input, &slot, &whole_slot),
                        cases[i].text ? 0 : -EINVAL);
                if (!function_only)
                        ASSERT_EQ(address.domain, 0x5a5a);
                if (!cases[i].text) {
                        ASSERT_EQ(slot.domain, 0x5a5a);
                        continue;
                }
                ASSERT_STREQ(PCI_ADDRESS_TEXT(&slot), cases[i].text);
                ASSERT_EQ(whole_slot, cases[i].whole_slot);
        }

        static const PciAddress ordered[] = {
                {0, 0, 0, 0}, {0, 0, 0, 7}, {0, 0, 31, 0}, {0, 1, 0, 0}, {1, 0, 0, 0},
                {0xffffffff, 0, 0, 0},
        };
        for (size_t i = 0; i < ELEMENTSOF(ordered); i++)
                for (size_t k = 0; k < ELEMENTSOF(ordered); k++) {
                        int r = pci_address_compare(&ordered[i], &ordered[k]);
                        ASSERT_EQ((r > 0) - (r < 0), (i > k) - (i < k));
                        ASSERT_EQ(pci_address_equal(&ordered[i], &ordered[k]), i == k);
                }
        ASSERT_TRUE(pci_address_same_slot(&ordered[0], &ordered[1]));
        ASSERT_TRUE(!pci_address_same_slot(&ordered[0], &ordered[2]));
        return EXIT_SUCCESS;
}
