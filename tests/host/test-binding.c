/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "host/binding.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"

static const PciAddress gpu = {.bus = 1}, nobody = {.bus = 9};

static void assert_file(FakeSysfs *fake, const char *path, const char *content)
{
        _cleanup_free_ char *text = fake_sysfs_read(fake, path);

        ASSERT_STREQ(text, content);
}

#define GPU "sys/devices/pci0000:01/0000:01:00.0"

static void test_kept_directory(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        char *text = NULL;

        fake_sysfs_add(fake, "0000:01:00.0 driver=nouveau\n0000:02:00.0 driver=nvme\n");
        ASSERT_OK(host_open(fake->root, &host));
        const PciAddress drive = {.bus = 2};
        uint64_t inode = fake_sysfs_inode(fake, "0000:01:00.0");

        ASSERT_EQ(binding_keep_directory(&host, &gpu, inode + 1000), -ENODEV);
        ASSERT_EQ(binding_keep_directory(&host, &nobody, inode), -ENODEV);
        ASSERT_EQ(binding_check_instance(&host, &nobody, inode), -ENODEV);
        ASSERT_OK(binding_check_instance(&host, &gpu, inode));
        ASSERT_OK(binding_keep_directory(&host, &gpu, inode));
        ASSERT_OK(binding_keep_directory(&host, &gpu, inode));
        ASSERT_OK(binding_check_instance(&host, &gpu, inode));
        ASSERT_EQ(binding_check_instance(&host, &gpu, inode + 1000), -ENODEV);
        ASSERT_OK(binding_write_override(&host, &gpu, "vfio-pci"));
        assert_file(fake, GPU "/driver_override", "vfio-pci");
        /* the other one is not looked for in there */
        ASSERT_OK(binding_read_driver(&host, &drive, &text));
        ASSERT_STREQ(text, "nvme");
        free(text);

        /* another card in the slot: nothing is found of the one before, nor done to this one */
        fake_sysfs_remove(fake, GPU);
        ASSERT_EQ(binding_read_driver(&host, &gpu, &text), -ENODEV);
        fake_sysfs_add(fake, "0000:01:00.0 driver=nvidia\n");
        fake_sysfs_write(fake, GPU "/driver_override", "untouched");
        ASSERT_EQ(binding_write_override(&host, &gpu, "vfio-pci"), -ENOENT);
        ASSERT_EQ(binding_read_override(&host, &gpu, &text), -ENOENT);
        assert_file(fake, GPU "/driver_override", "untouched");
        if (fake_sysfs_inode(fake, "0000:01:00.0") != inode)
                ASSERT_EQ(binding_check_instance(&host, &gpu, inode), -ENODEV);

        binding_drop_directory();
        ASSERT_OK(binding_read_driver(&host, &gpu, &text));
        ASSERT_STREQ(text, "nvidia");
        free(text);
}

int main(void)
{
        test_kept_directory();

        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
        _cleanup_host_ Host host = {.root = -1};
        char *text = NULL;

        fake_sysfs_add(fake,
                "0000:01:00.0 driver=nouveau power=on\n"
                "0000:01:00.1 no-override\n"
                "driver vfio-pci");
        ASSERT_OK(host_open(fake->root, &host));
        const PciAddress audio = {.bus = 1, .function = 1};

        ASSERT_OK(binding_read_driver(&host, &gpu, &text));
        ASSERT_STREQ(text, "nouveau");
        free(text);
        ASSERT_OK(binding_read_driver(&host, &audio, &text));
        ASSERT_TRUE(!text);
        text = (char *) "untouched";
        ASSERT_EQ(binding_read_driver(&host, &nobody, &text), -ENODEV);
        ASSERT_STREQ(text, "untouched");

        /* "(null)" is how the kernel writes none; an empty line is none as well */
        ASSERT_OK(binding_read_override(&host, &gpu, &text));
        ASSERT_TRUE(!text);
        fake_sysfs_write(fake, GPU "/driver_override", "\n");
        ASSERT_OK(binding_read_override(&host, &gpu, &text));
        ASSERT_TRUE(!text);
        fake_sysfs_write(fake, GPU "/driver_override", "vfio-pci\n");
        ASSERT_OK(binding_read_override(&host, &gpu, &text));
        ASSERT_STREQ(text, "vfio-pci");
        free(text);
        ASSERT_EQ(binding_read_override(&host, &audio, &text), -ENOENT);

        /* a write of no bytes would clear nothing */
        fake_sysfs_write(fake, GPU "/driver_override", "");
        ASSERT_OK(binding_write_override(&host, &gpu, NULL));
        assert_file(fake, GPU "/driver_override", "\n");
        fake_sysfs_write(fake, GPU "/driver_override", "");
        ASSERT_OK(binding_write_override(&host, &gpu, "vfio-pci"));
        assert_file(fake, GPU "/driver_override", "vfio-pci");
        ASSERT_EQ(binding_write_override(&host, &gpu, ""), -EINVAL);
        ASSERT_EQ(binding_write_override(&host, &gpu, "a\nb"), -EINVAL);
        ASSERT_EQ(binding_write_override(&host, &audio, "vfio-pci"), -ENOENT);

        fake_sysfs_write(fake, "sys/bus/pci/drivers/nouveau/unbind", "");
        fake_sysfs_write(fake, "sys/bus/pci/drivers/vfio-pci/bind", "");
        ASSERT_OK(binding_unbind(&host, &gpu, "nouveau"));
        assert_file(fake, "sys/bus/pci/drivers/nouveau/unbind", "0000:01:00.0");
        ASSERT_OK(binding_bind(&host, &gpu, "vfio-pci"));
        assert_file(fake, "sys/bus/pci/drivers/vfio-pci/bind", "0000:01:00.0");
        ASSERT_EQ(binding_bind(&host, &gpu, "absent"), -ENOENT);
        ASSERT_EQ(binding_bind(&host, &gpu, "../drivers/vfio-pci"), -EINVAL);
        ASSERT_EQ(binding_bind(&host, &gpu, ".."), -EINVAL);
        ASSERT_EQ(binding_unbind(&host, &gpu, ""), -EINVAL);
        ASSERT_OK(binding_probe(&host, &gpu));
        assert_file(fake, "sys/bus/pci/drivers_probe", "0000:01:00.0");

        ASSERT_OK(binding_read_device_attribute(&host, &gpu, "power/control", &text));
        ASSERT_STREQ(text, "on");
        free(text);
        fake_sysfs_write(fake, GPU "/power/control", "");
        ASSERT_OK(binding_write_device_attribute(&host, &gpu, "power/control", "auto"));
        assert_file(fake, GPU "/power/control", "auto");
        ASSERT_EQ(binding_write_device_attribute(&host, &gpu, "power/control", ""), -EINVAL);
        ASSERT_EQ(binding_read_device_attribute(&host, &gpu, "absent", &text), -ENOENT);
        ASSERT_EQ(binding_read_device_attribute(&host, &gpu, "../modalias", &text), -EINVAL);
        ASSERT_EQ(binding_read_device_attribute(&host, &gpu, "/etc/passwd", &text), -EINVAL);
        ASSERT_EQ(binding_read_device_attribute(&host, &gpu, "power//control", &text), -EINVAL);
        ASSERT_EQ(binding_read_device_attribute(&host, &gpu, "", &text), -EINVAL);
        return 0;
}
