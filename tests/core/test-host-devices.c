/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/host-devices.h"
#include "lib/test.h"
#include "util/strings.h"

/* The record of what the host needs, as data: what is listed, what covers what. */

static HostDevices *make(const char *path, uint16_t device, const char *serial, InUse use)
{
        Device function = { .path = (char *) path, .vendor = 0x1b36, .device = device,
                            .serial = { true, (char *) serial } };
        HostDevices *devices;

        ASSERT_OK(host_devices_new(&devices));
        ASSERT_OK(host_devices_add(devices, &function, 1U << use, "it is needed"));
        host_devices_finish(devices);
        return devices;
}

static bool covers(HostDevices *new, HostDevices *old)
{
        bool result = host_devices_cover(new, old);

        host_devices_free(new);
        host_devices_free(old);
        return result;
}

static void test_gravest_use_is_named(void)
{
        _cleanup_host_devices_ HostDevices *devices = NULL;
        Device b = { .path = (char *) "b" }, a = { .path = (char *) "a" };

        ASSERT_OK(host_devices_new(&devices));
        ASSERT_OK(host_devices_add(devices, &b, 1U << IN_USE_PROCESS, "it is open"));
        ASSERT_OK(host_devices_add(devices, &a, 1U << IN_USE_NETWORK, "it has an address"));
        ASSERT_OK(host_devices_add(devices, &b, 1U << IN_USE_SYSTEM, "it is mounted"));
        ASSERT_OK(host_devices_add(devices, &b, 1U << IN_USE_HOLDERS, "it is held"));
        host_devices_finish(devices);

        ASSERT_EQ(devices->n_items, 2);
        ASSERT_STREQ(devices->items[0].path, "a");
        ASSERT_STREQ(host_devices_find(devices, "b")->what, "it is mounted");
        ASSERT_EQ(devices->items[1].uses,
                1 << IN_USE_PROCESS | 1 << IN_USE_SYSTEM | 1 << IN_USE_HOLDERS);
        ASSERT_TRUE(!host_devices_find(devices, "c"));
}

static void test_cover(void)
{
        ASSERT_TRUE(covers(make("a", 1, NULL, IN_USE_SYSTEM), make("a", 1, NULL, IN_USE_SYSTEM)));
        ASSERT_TRUE(covers(make("a", 1, "00", IN_USE_SYSTEM), make("a", 1, NULL, IN_USE_SYSTEM)));
        ASSERT_TRUE(!covers(make("a", 1, NULL, IN_USE_SYSTEM), make("a", 1, "00", IN_USE_SYSTEM)));
        ASSERT_TRUE(!covers(make("a", 2, NULL, IN_USE_SYSTEM), make("a", 1, NULL, IN_USE_SYSTEM)));
        ASSERT_TRUE(!covers(make("b", 1, NULL, IN_USE_SYSTEM), make("a", 1, NULL, IN_USE_SYSTEM)));
        ASSERT_TRUE(!covers(make("a", 1, NULL, IN_USE_NETWORK), make("a", 1, NULL, IN_USE_SYSTEM)));
}

/* A serial number that cannot be read at this stage speaks for nobody's innocence. */
static void test_identity(void)
{
        _cleanup_host_devices_ HostDevices *devices =
                make("a", 1, "0000000000000001", IN_USE_SYSTEM);
        Device device = { .vendor = 0x1b36, .device = 1 };

        ASSERT_TRUE(host_device_is(&devices->items[0], &device));
        device.serial = (Fact){ true, (char *) "0000000000000001" };
        ASSERT_TRUE(host_device_is(&devices->items[0], &device));
        device.serial = (Fact){ true, (char *) "0000000000000002" };
        ASSERT_TRUE(!host_device_is(&devices->items[0], &device));
        device.serial = (Fact){ true, NULL };
        ASSERT_TRUE(!host_device_is(&devices->items[0], &device));
        device = (Device){ .vendor = 0x1b36, .device = 1, .subsystem_vendor = 1 };
        ASSERT_TRUE(!host_device_is(&devices->items[0], &device));
}

int main(void)
{
        test_gravest_use_is_named();
        test_cover();
        test_identity();
        return 0;
}
