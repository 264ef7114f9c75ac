/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "host/switch.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"

#define UNIT  "vfio-bindd-early.service"
#define WANTS "systemd/system/sysinit.target.wants/" UNIT

static bool is_enabled(const char *lines)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};

        fake_sysfs_add(fake, lines);
        ASSERT_OK(host_open(fake->root, &host));
        return host_is_enabled(&host);
}

int main(void)
{
        ASSERT_TRUE(!is_enabled(""));
        ASSERT_TRUE(is_enabled("link etc/" WANTS " usr/lib/systemd/system/" UNIT));
        ASSERT_TRUE(is_enabled("link run/" WANTS " usr/lib/systemd/system/" UNIT));
        /* what it points to need not be in this tree, and it may be a copy */
        ASSERT_TRUE(is_enabled("file etc/" WANTS " [Unit]"));

        /* the vendor's directory is a switch inside an initramfs only */
        ASSERT_TRUE(!is_enabled("link usr/lib/" WANTS " usr/lib/systemd/system/" UNIT));
        ASSERT_TRUE(is_enabled("file etc/initrd-release x\n"
                               "link usr/lib/" WANTS " usr/lib/systemd/system/" UNIT));
        ASSERT_TRUE(!is_enabled("file etc/initrd-release x"));

        /* masked beats enabled; /dev/null is an absolute link */
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        fake_sysfs_add(fake, "link etc/" WANTS " usr/lib/systemd/system/" UNIT);
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_TRUE(host_is_enabled(&host));
        ASSERT_OK(symlinkat("/dev/null", fake->fd, "etc/systemd/system/" UNIT));
        ASSERT_TRUE(!host_is_enabled(&host));
        fake_sysfs_remove(fake, "etc/systemd/system/" UNIT);
        fake_sysfs_write(fake, "etc/systemd/system/" UNIT, "");
        ASSERT_TRUE(!host_is_enabled(&host));
        fake_sysfs_write(fake, "etc/systemd/system/" UNIT, "[Unit]\n");
        ASSERT_TRUE(host_is_enabled(&host));
        return 0;
}
