/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/uses-watch.h"
#include "lib/test.h"
#include "util/io.h"

/* Changes of the network, in a name space of our own, for which no event of udev comes. */

static unsigned n_told;

static void on_uses(void *userdata)
{
        n_told++;
}

static void set_address(unsigned last)
{
        struct ifreq request = { .ifr_name = "lo" };
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(0xc0000200 + last) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        ASSERT_TRUE(fd >= 0);
        memcpy(&request.ifr_addr, &address, sizeof(address));
        ASSERT_OK(ioctl(fd, SIOCSIFADDR, &request));
}

/* Whoever may administer this name space may send to any socket in it: what is not the kernel's is
 * not read, whatever lengths it claims. */
static void send_nonsense(void)
{
        static union {
                struct nlmsghdr header;
                char data[8191];
        } message;
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_pid = (uint32_t) getpid() };
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        ASSERT_TRUE(fd >= 0);
        message.header.nlmsg_len = sizeof(message.data);
        message.header.nlmsg_type = RTM_NEWADDR;
        if (sendto(fd, message.data, sizeof(message.data), 0, (struct sockaddr *) &address,
                    sizeof(address)) < 0)
                puts("messages of others cannot be sent here: not tested");
}

static void add_attribute(struct nlmsghdr *header, unsigned short type, const void *data,
        size_t length)
{
        struct rtattr *attribute = (void *) ((char *) header + NLMSG_ALIGN(header->nlmsg_len));

        attribute->rta_type = type;
        attribute->rta_len = (unsigned short) RTA_LENGTH(length);
        if (length > 0)
                memcpy(RTA_DATA(attribute), data, length);
        header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_LENGTH(length);
}

/* A pair of interfaces, "x0" and one that the kernel names. */
static bool make_pair(void)
{
        struct {
                struct nlmsghdr header;
                struct ifinfomsg body;
                char attributes[128];
        } request = {
                .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                            .nlmsg_type = RTM_NEWLINK,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE },
        };
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        char kind[RTA_LENGTH(8)] __attribute__((aligned(RTA_ALIGNTO))) = {};
        struct rtattr *name = (void *) kind;

        *name = (struct rtattr){ .rta_type = IFLA_INFO_KIND, .rta_len = RTA_LENGTH(5) };
        memcpy(RTA_DATA(name), "veth", 5);
        add_attribute(&request.header, IFLA_IFNAME, "x0", 3);
        add_attribute(&request.header, IFLA_LINKINFO, kind, sizeof(kind));
        ASSERT_TRUE(fd >= 0);
        ASSERT_TRUE(send(fd, &request, request.header.nlmsg_len, 0) > 0);
        return if_nametoindex("x0") > 0;
}

/* A port of a bridge need not have addresses, and there is no uevent. */
static bool prepare_bridge(void)
{
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        ASSERT_TRUE(fd >= 0);
        return ioctl(fd, SIOCBRADDBR, "b0") == 0 && make_pair();
}

static void add_port(void)
{
        struct ifreq request = { .ifr_name = "b0", .ifr_ifindex = (int) if_nametoindex("x0") };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        ASSERT_TRUE(fd >= 0);
        ASSERT_OK(ioctl(fd, SIOCBRADDIF, &request));
}

static unsigned run_for(sd_event *event, uint64_t usec)
{
        uint64_t end = now_monotonic() + usec;
        unsigned n = 0;

        for (uint64_t now; (now = now_monotonic()) < end;)
                n += sd_event_run(event, end - now) > 0;
        return n;
}

static void test_ports(sd_event *event)
{
        UsesWatch *watch;

        if (!prepare_bridge()) {
                puts("this kernel has no bridges: not tested");
                return;
        }
        n_told = 0;
        ASSERT_OK(uses_watch_new(event, on_uses, NULL, &watch));
        (void) run_for(event, 1500 * USEC_PER_MSEC);
        ASSERT_EQ(n_told, 0);
        add_port();
        (void) run_for(event, 1500 * USEC_PER_MSEC);
        ASSERT_EQ(n_told, 1);
        uses_watch_free(watch);
}

int main(void)
{
        UsesWatch *watch;
        sd_event *event;

        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                TEST_SKIP("no network name space of our own");
        ASSERT_TRUE(sd_event_new(&event) >= 0);
        ASSERT_OK(uses_watch_new(event, on_uses, NULL, &watch));

        send_nonsense();
        ASSERT_TRUE(run_for(event, 1500 * USEC_PER_MSEC) <= 1);
        ASSERT_EQ(n_told, 0);

        /* many at once are one, after a second; while it waits nothing wakes anybody */
        set_address(1);
        ASSERT_TRUE(sd_event_run(event, 60 * USEC_PER_SEC) > 0);
        ASSERT_EQ(n_told, 0);
        for (unsigned i = 2; i < 250; i++)
                set_address(i);
        ASSERT_TRUE(run_for(event, 1500 * USEC_PER_MSEC) <= 2);
        ASSERT_EQ(n_told, 1);

        /* and the next one keeps its distance */
        set_address(250);
        ASSERT_TRUE(run_for(event, 1500 * USEC_PER_MSEC) <= 2);
        ASSERT_EQ(n_told, 1);

        uses_watch_free(watch);
        test_ports(event);
        sd_event_unref(event);
        return 0;
}
