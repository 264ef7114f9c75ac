/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/uses-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "log/log.h"
#include "util/io.h"
#include "util/netlink.h"

/* proc(5): a change of "mountinfo" and "swaps" is announced by poll(2), once for each time that it
 * is asked. rtnetlink(7) tells of addresses, routes and links. A busy host has many of either in a
 * second: the first one counts, then nothing is listened to until its time has come; so all of them
 * cost one look in ten seconds. */

#define DELAY_USEC    (1 * USEC_PER_SEC)
#define DISTANCE_USEC (10 * USEC_PER_SEC)
#define RECEIVE_SIZE  (64 * 1024)

enum {
        SOURCE_MOUNTS,
        SOURCE_SWAPS,
        SOURCE_NETWORK,
        _SOURCE_MAX,
};

struct UsesWatch {
        UsesHandler handler;
        void *userdata;
        int descriptors[_SOURCE_MAX]; /* -1: cannot be watched */
        sd_event_source *sources[_SOURCE_MAX];
        sd_event_source *timer;
        uint64_t told_usec; /* CLOCK_MONOTONIC, 0: never */
};

static void listen_to(UsesWatch *watch, bool listen)
{
        for (size_t i = 0; i < _SOURCE_MAX; i++)
                if (watch->sources[i])
                        (void) sd_event_source_set_enabled(watch->sources[i],
                                listen ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void touch(UsesWatch *watch)
{
        uint64_t at = now_monotonic() + DELAY_USEC;

        if (watch->told_usec > 0 && watch->told_usec + DISTANCE_USEC > at)
                at = watch->told_usec + DISTANCE_USEC;
        listen_to(watch, false);
        (void) sd_event_source_set_time(watch->timer, at);
        (void) sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
}

static int on_file(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        touch(userdata);
        return 0;
}

/* An interface that becomes part of a bridge or bond may have no address before nor after, and
 * there is no uevent of it. What a bridge itself says of its ports (AF_BRIDGE) is about them. */
static bool has_master(const struct nlmsghdr *header)
{
        const struct ifinfomsg *link = NLMSG_DATA(header);

        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*link)) || link->ifi_family != AF_UNSPEC)
                return false;
        int64_t length = (int64_t) IFLA_PAYLOAD(header);
        for (const struct rtattr *attribute = IFLA_RTA(link); RTA_OK(attribute, length);
             attribute = RTA_NEXT(attribute, length))
                if (attribute->rta_type == IFLA_MASTER)
                        return true;
        return false;
}

/* Routes to single networks come and go with routing protocols; only the default ones matter. */
static bool concerns_us(const struct nlmsghdr *header)
{
        const struct rtmsg *route = NLMSG_DATA(header);

        switch (header->nlmsg_type) {
        case RTM_NEWADDR:
        case RTM_DELADDR:
                return true;
        case RTM_NEWLINK:
                return has_master(header);
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
                return header->nlmsg_len >= NLMSG_LENGTH(sizeof(*route)) && route->rtm_dst_len == 0;
        default:
                return false;
        }
}

/* Empties the queue. Returns whether there was something for us; what was lost may have been.
 * (NLMSG_NEXT may take off more than is left, hence the sign of what is left.) */
static bool receive(int fd)
{
        union {
                struct nlmsghdr header;
                char data[8192];
        } buffer;
        bool found = false;

        for (;;) {
                ssize_t n = netlink_receive(fd, &buffer, sizeof(buffer), MSG_DONTWAIT);
                int64_t left = n;

                if (n == -EINTR)
                        continue;
                if (n < 0)
                        return found || n == -ENOBUFS;
                for (const struct nlmsghdr *header = &buffer.header; NLMSG_OK(header, left);
                     header = NLMSG_NEXT(header, left))
                        found = found || concerns_us(header);
        }
}

static int on_network(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        if (receive(fd))
                touch(userdata);
        return 0;
}

/* What happens from here on is told; what happened meanwhile is seen by the look that follows. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        UsesWatch *watch = userdata;

        watch->told_usec = now_monotonic();
        if (watch->descriptors[SOURCE_NETWORK] >= 0)
                (void) receive(watch->descriptors[SOURCE_NETWORK]);
        listen_to(watch, true);
        watch->handler(watch->userdata);
        return 0;
}

/* Those of the first process: our own name space may have less. */
static int open_mounts(void)
{
        int fd = open("/proc/1/mountinfo", O_RDONLY | O_CLOEXEC);

        return fd >= 0 ? fd : open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
}

static int open_network(void)
{
        const struct sockaddr_nl address = {
                .nl_family = AF_NETLINK,
                .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                             RTMGRP_IPV6_ROUTE | RTMGRP_LINK,
        };
        const int size = RECEIVE_SIZE;
        _cleanup_close_ int fd =
                socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

        if (fd < 0)
                return -1;
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        if (bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -1;
        return TAKE_FD(fd);
}

static int add_source(UsesWatch *watch, sd_event *event, size_t which, int fd, const char *name)
{
        bool is_network = which == SOURCE_NETWORK;
        int r;

        watch->descriptors[which] = fd;
        if (fd < 0) {
                log_debug("Changes of %s cannot be watched, ignoring: %s", name, strerror(errno));
                return 0;
        }
        r = sd_event_add_io(event, &watch->sources[which], fd, is_network ? EPOLLIN : EPOLLPRI,
                is_network ? on_network : on_file, watch);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(watch->sources[which], name);
        return 0;
}

int uses_watch_new(sd_event *event, UsesHandler handler, void *userdata, UsesWatch **ret)
{
        _cleanup_(uses_watch_freep) UsesWatch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return -ENOMEM;
        watch->handler = handler;
        watch->userdata = userdata;
        for (size_t i = 0; i < _SOURCE_MAX; i++)
                watch->descriptors[i] = -1;
        r = sd_event_add_time(event, &watch->timer, CLOCK_MONOTONIC, 0, 0, on_timer, watch);
        if (r >= 0)
                r = sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = add_source(watch, event, SOURCE_MOUNTS, open_mounts(), "mounts");
        if (r >= 0)
                r = add_source(watch, event, SOURCE_SWAPS,
                        open("/proc/swaps", O_RDONLY | O_CLOEXEC), "swaps");
        if (r >= 0)
                r = add_source(watch, event, SOURCE_NETWORK, open_network(), "network");
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(watch);
        return 0;
}

UsesWatch *uses_watch_free(UsesWatch *watch)
{
        if (!watch)
                return NULL;
        for (size_t i = 0; i < _SOURCE_MAX; i++) {
                sd_event_source_disable_unref(watch->sources[i]);
                close_descriptor(&watch->descriptors[i]);
        }
        sd_event_source_disable_unref(watch->timer);
        free(watch);
        return NULL;
}
