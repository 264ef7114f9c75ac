/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fake-sysfs.h"
#include "lib/test.h"

/* Makes a small saved machine and prints where; whoever asked for it removes it. */
int main(void)
{
        FakeSysfs *fake = fake_sysfs_new();

        fake_sysfs_add(fake,
                "0000:01:00.0 id=f00d:2482 class=030000 group=14 driver=vfio-pci\n"
                "0000:02:00.0 id=f00d:0011 class=020000 group=77 driver=e1000e\n");
        fake_sysfs_write(fake, "etc/vfio-bind.conf",
                "[Claim gpu]\nMatch=0000:01:00.0\n[Claim nic]\nMatch=0000:02:00.0\n");
        puts(fake->root);
        /* not freed: that would remove it */
        return 0;
}
