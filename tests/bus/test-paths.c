/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <systemd/sd-bus.h>

#include "bus/paths.h"
#include "lib/test.h"

static void test_devices(void)
{
        char path[BUS_PATH_MAX];
        PciAddress address = { .domain = 0x10000, .bus = 0xff, .device = 0x1f, .function = 7 };
        PciAddress parsed;

        ASSERT_STREQ(path_of_device(&address, path), BUS_ROOT "/device/pci_10000_ff_1f_7");
        ASSERT_OK(path_parse_device(path_label(path, BUS_PREFIX_DEVICE), &parsed));
        ASSERT_TRUE(pci_address_equal(&address, &parsed));
        ASSERT_OK(path_parse_device("pci_0000_01_00_0", &parsed));
        ASSERT_EQ(parsed.bus, 1);

        static const char *const wrong[] = { "", "pci", "pci_0000_01_00_8", "pci_0000_01_00",
                "PCI_0000_01_00_0", "pci_0000_AB_00_0", "pci_00000_01_00_0", "0000_01_00_0",
                "pci_0000_01_00_0_", "pci_123456789_01_00_0" };
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                ASSERT_EQ(path_parse_device(wrong[i], &parsed), -EINVAL);
}

static void test_groups(void)
{
        char path[BUS_PATH_MAX];
        int64_t number;

        ASSERT_STREQ(path_of_group(14, path), BUS_ROOT "/group/14");
        ASSERT_OK(path_parse_group("0", &number));
        ASSERT_EQ(number, 0);
        ASSERT_OK(path_parse_group("2147483647", &number));
        ASSERT_EQ(number, INT32_MAX);

        static const char *const wrong[] = { "", "00", "014", "-1", "1x", "99999999999999999999" };
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                ASSERT_EQ(path_parse_group(wrong[i], &number), -EINVAL);
}

static void test_names(void)
{
        static const char *const names[] = { "gaming-gpu", "lab.2", "9a", "a9", "A_b", "nic0",
                "0123456789.-_0123456789.-_012345" };
        char path[BUS_PATH_MAX], name[BUS_PATH_MAX];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char *wanted = NULL;

                ASSERT_OK(sd_bus_path_encode(BUS_PREFIX_CLAIM, names[i], &wanted));
                ASSERT_STREQ(path_of_name(BUS_PREFIX_CLAIM, names[i], path), wanted);
                ASSERT_OK(path_parse_name(path_label(path, BUS_PREFIX_CLAIM), name));
                ASSERT_STREQ(name, names[i]);
                free(wanted);
        }
        ASSERT_STREQ(path_of_name(BUS_PREFIX_CLAIM, "gaming-gpu", path),
                BUS_ROOT "/claim/gaming_2dgpu");

        char huge[200];
        memset(huge, '-', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = 0;
        ASSERT_STREQ(path_of_name(BUS_PREFIX_CLAIM, huge, path), BUS_PATH_NONE);
        ASSERT_EQ(path_parse_name(huge, name), -EINVAL);

        /* other spellings of a name, and what is none */
        static const char *const wrong[] = { "_67aming", "gaming_2Dgpu", "9a", "a_", "a_2", "a_00",
                "a_zz", "_", "a-b" };
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                ASSERT_EQ(path_parse_name(wrong[i], name), -EINVAL);
}

static void test_labels(void)
{
        ASSERT_STREQ(path_label("/a/b/c", "/a/b"), "c");
        ASSERT_TRUE(!path_label("/a/b", "/a/b"));
        ASSERT_TRUE(!path_label("/a/b/c/d", "/a/b"));
        ASSERT_TRUE(!path_label("/a/bc", "/a/b"));
        ASSERT_TRUE(!path_label("/x", "/a/b"));
}

int main(void)
{
        test_devices();
        test_groups();
        test_names();
        test_labels();
        return 0;
}
