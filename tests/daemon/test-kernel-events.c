/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/kernel-events.h"
#include "lib/test.h"

#define PATH "/devices/pci0000:00/0000:00:1c.0/0000:06:00.0"
#define HEAD "change@" PATH "\0ACTION=change\0DEVPATH=" PATH "\0"

static void expect_dropped(const char *event, size_t length)
{
        PciAddress address = {};

        ASSERT_EQ(kernel_event_parse(event, length, &address), -EBADMSG);
        ASSERT_EQ(address.bus, 0);
}
#define EXPECT_DROPPED(event) expect_dropped((event), sizeof(event))

static void test_parse(void)
{
        static const char event[] = HEAD "SUBSYSTEM=pci\0DRIVER=igb\0SEQNUM=1";
        PciAddress address;

        ASSERT_OK(kernel_event_parse(event, sizeof(event), &address));
        ASSERT_STREQ(PCI_ADDRESS_TEXT(&address), "0000:06:00.0");

        EXPECT_DROPPED(HEAD "SUBSYSTEM=net");
        EXPECT_DROPPED(HEAD "SUBSYSTEM=pci\0SYNTH_UUID=0");
        EXPECT_DROPPED(HEAD "SUBSYSTEM=pci\0ERROR_EVENT=BEGIN_RECOVERY");
        EXPECT_DROPPED("add@" PATH "\0SUBSYSTEM=pci");
        EXPECT_DROPPED("change@/devices/pci0000:00\0SUBSYSTEM=pci");
        EXPECT_DROPPED("change@/devices/06:00.0\0SUBSYSTEM=pci");
        EXPECT_DROPPED("change@/devices/\0SUBSYSTEM=pci");
        EXPECT_DROPPED("change@");
        EXPECT_DROPPED("libudev");
        expect_dropped("", 0);
        expect_dropped(event, sizeof(event) - 1); /* no NUL at its end */
}

/* Whoever sends to the socket is not the kernel. */
static void test_impostor(void)
{
        static const char event[] = HEAD "SUBSYSTEM=pci";
        struct sockaddr_nl address;
        socklen_t length = sizeof(address);
        PciAddress function;
        int fd, sender;

        fd = kernel_events_open();
        if (fd == -EPERM || fd == -EACCES || fd == -EPROTONOSUPPORT)
                TEST_SKIP("no netlink here");
        ASSERT_TRUE(fd >= 0);
        ASSERT_EQ(kernel_events_receive(fd, &function), 0);
        ASSERT_OK(getsockname(fd, (struct sockaddr *) &address, &length));
        address.nl_groups = 0;
        sender = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
        ASSERT_TRUE(sender >= 0);
        if (sendto(sender, event, sizeof(event), 0, (struct sockaddr *) &address, length) < 0)
                TEST_SKIP("no message can be sent here");
        ASSERT_EQ(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000), 1);
        ASSERT_EQ(kernel_events_receive(fd, &function), -EBADMSG);
        ASSERT_EQ(kernel_events_receive(fd, &function), 0);

        /* what is no `change` wakes nobody */
        ASSERT_TRUE(sendto(sender, "add@/devices/x", 15, 0, (struct sockaddr *) &address,
                            length) > 0);
        ASSERT_EQ(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0), 0);
        (void) close(sender);
        (void) close(fd);
}

int main(void)
{
        test_parse();
        test_impostor();
        return EXIT_SUCCESS;
}
