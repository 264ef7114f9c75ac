/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "host/interrupt-remapping.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"

#define HEAD "           CPU0       CPU1       \n"

static int remaps(const char *text)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = { .root = -1 };

        if (text)
                fake_sysfs_write(fake, "proc/interrupts", text);
        ASSERT_OK(host_open(fake->root, &host));
        return host_remaps_interrupts(&host);
}

int main(void)
{
        /* Linux 6.12, Intel */
        ASSERT_EQ(remaps(HEAD "   0:         91          0  IR-IO-APIC   2-edge      timer\n"
                              "  25:          0          1  IR-PCI-MSIX-0000:00:10.0   0-edge\n"
                              " NMI:          0          0   Non-maskable interrupts\n"),
                1);
        ASSERT_EQ(remaps(HEAD "   0:         43          0   IO-APIC   2-edge      timer\n"
                              "  24:          0          1  PCI-MSI 65536-edge      nvme0q0\n"),
                0);
        /* AMD without any interrupt of an I/O APIC: the IOMMU's own is never remapped */
        ASSERT_EQ(remaps(HEAD "  24:          0          1  PCI-MSI 4096-edge      AMD-Vi\n"
                              "  25:          0          1  IR-PCI-MSI 65536-edge   nvme0q0\n"),
                1);
        ASSERT_EQ(remaps(HEAD "  24:          0          1  PCI-MSI 65536-edge      nvme0q0\n"), 0);
        /* AArch64; Xen; nothing to tell from; a name that only looks like it */
        ASSERT_EQ(remaps(HEAD " 11:       2233       1905     GICv3  27 Level     arch_timer\n"),
                -ENODATA);
        ASSERT_EQ(remaps(HEAD "  1:   0   0  xen-pirq    -ioapic-edge  i8042\n"), -ENODATA);
        ASSERT_EQ(remaps(HEAD "  4:   0   0\n\n:\n 5\n LOC: 1 2 IR-IO-APIC\n"), -ENODATA);
        ASSERT_EQ(remaps(HEAD "  4:   0   0  XT-PIC  IR-IO-APIC\n"), -ENODATA);
        ASSERT_EQ(remaps(""), -ENODATA);
        ASSERT_EQ(remaps(NULL), -ENODATA);
        return 0;
}
