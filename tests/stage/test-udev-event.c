/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>

#include "stage/udev.h"

/* An environment as a list "NAME=value", ended by NULL. */
static const char *look_up(void *userdata, const char *name)
{
        for (const char *const *entry = userdata; *entry; entry++)
                if (strncmp(*entry, name, strlen(name)) == 0 && (*entry)[strlen(name)] == '=')
                        return *entry + strlen(name) + 1;
        return NULL;
}

#define PCI_PATH "DEVPATH=/devices/pci0000:00/0000:00:1c.0/0000:01:00.0"
#define KERNEL   "SEQNUM=4711"

static int parse(UdevEvent *ret, const char *const *environment)
{
        return udev_event_parse(look_up, (void *) environment, ret);
}

#define ENVIRONMENT(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_function(void)
{
        UdevEvent event = {};

        ASSERT_OK(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=pci", PCI_PATH, KERNEL)));
        ASSERT_EQ(event.subject, UDEV_PCI);
        ASSERT_EQ(event.action, UDEV_ADD);
        ASSERT_STREQ(PCI_ADDRESS_TEXT(&event.address), "0000:01:00.0");
        ASSERT_EQ(event.pending, UDEV_JUDGED);
        ASSERT_TRUE(!event.is_synthetic);

        ASSERT_OK(parse(&event, ENVIRONMENT("ACTION=bind", "SUBSYSTEM=pci", PCI_PATH,
                                        "SYNTH_UUID=0", "VFIO_BIND_PENDING=1", KERNEL)));
        ASSERT_EQ(event.action, UDEV_BIND);
        ASSERT_EQ(event.pending, UDEV_PENDING);
        ASSERT_TRUE(event.is_synthetic);

        ASSERT_OK(parse(&event, ENVIRONMENT("ACTION=change", "SUBSYSTEM=pci", PCI_PATH,
                                        "VFIO_BIND_PENDING=vf", "SYNTH_UUID=", KERNEL)));
        ASSERT_EQ(event.pending, UDEV_PENDING_IF_VF);
        ASSERT_TRUE(!event.is_synthetic);

        /* "udevadm test", which executes the programs of rules up to systemd 255 */
        ASSERT_OK(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=pci", PCI_PATH)));
        ASSERT_TRUE(event.is_synthetic);
}

static void test_nodes(void)
{
        UdevEvent event = {};

        ASSERT_OK(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=vfio",
                                        "DEVPATH=/devices/virtual/vfio/14")));
        ASSERT_EQ(event.subject, UDEV_GROUP);
        ASSERT_EQ(event.group, 14);
        ASSERT_OK(parse(&event, ENVIRONMENT("ACTION=change", "SUBSYSTEM=vfio-dev",
                                        PCI_PATH "/vfio-dev/vfio0")));
        ASSERT_EQ(event.subject, UDEV_DEVICE_NODE);
        ASSERT_STREQ(PCI_ADDRESS_TEXT(&event.address), "0000:01:00.0");
        ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=vfio",
                                        "DEVPATH=/devices/virtual/vfio/noiommu-0")),
                -EOPNOTSUPP);
}

static void test_others(void)
{
        UdevEvent event = { .group = 77 };

        ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=unbind", "SUBSYSTEM=pci", PCI_PATH)),
                -EOPNOTSUPP);
        ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=net", PCI_PATH "/net/eth0")),
                -EOPNOTSUPP);
        ASSERT_EQ(event.group, 77);
}

static void test_hostile(void)
{
        static const char *const paths[] = {
                "DEVPATH=", "DEVPATH=/", "DEVPATH=/devices/", "DEVPATH=0000:01:00.0",
                "DEVPATH=/devices/pci0000:00/0000:01:00.0/", "DEVPATH=/devices/../0000:1:0.0",
                "DEVPATH=/devices/0000:01:00.8", "DEVPATH=/devices/0000:01:00.0\nX=1",
                "DEVPATH=/devices/pci_0000_01_00_0", "DEVPATH=/class/pci/0000:01:00.0",
                "DEVPATH=/devices/00000000000000000000000000000000000000000:01:00.0",
                "DEVPATH=/devices/01:00.0",
        };
        static const char *const groups[] = {
                "DEVPATH=/devices/virtual/vfio/", "DEVPATH=/devices/virtual/vfio/-1",
                "DEVPATH=/devices/virtual/vfio/14x",
                "DEVPATH=/devices/virtual/vfio/99999999999999999999",
                "DEVPATH=/devices/virtual/vfio/../../14/",
        };
        UdevEvent event = { .group = 77 };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=pci", paths[i])),
                        -EINVAL);
        for (size_t i = 0; i < ELEMENTSOF(groups); i++)
                ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=vfio", groups[i])),
                        -EINVAL);
        ASSERT_EQ(parse(&event, ENVIRONMENT("SUBSYSTEM=pci", PCI_PATH)), -EINVAL);
        ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=add", PCI_PATH)), -EINVAL);
        ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=pci")), -EINVAL);
        ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=", "SUBSYSTEM=pci", PCI_PATH)), -EINVAL);
        ASSERT_EQ(parse(&event, ENVIRONMENT("ACTION=add", "SUBSYSTEM=vfio-dev",
                                        "DEVPATH=/devices/vfio-dev/vfio0")),
                -EINVAL);
        ASSERT_EQ(event.group, 77);
}

int main(void)
{
        test_function();
        test_nodes();
        test_others();
        test_hostile();
        return 0;
}
