/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "host/guard-routes.h"
#include "util/io.h"
#include "util/netlink.h"
#include "util/strings.h"

/* Routes and addresses from the kernel, by rtnetlink(7). /proc/net shows one routing table of
 * IPv4 only, and no IPv4 addresses. */

#define RECEIVES_MAX 65536 /* of up to 64 KiB: more than a full routing table */
#define TRIES        3
#define BUFFER_SIZE  (64 * 1024)

typedef struct Question {
        int output;
        bool has_nexthop_objects; /* a default route names but one of these */
        char buffer[BUFFER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
} Question;

typedef int (*TakeMessage)(Question *question, struct nlmsghdr *message);

static int tell(const Question *question, const char *interface, const char *address)
{
        InterfaceFact fact = {};

        if (strlen(interface) >= sizeof(fact.interface) || strlen(address) >= sizeof(fact.address))
                return 0;
        strcpy(fact.interface, interface);
        strcpy(fact.address, address);
        return write(question->output, &fact, sizeof(fact)) < 0 ? -errno : 0;
}

static int tell_index(const Question *question, uint32_t index, const char *address)
{
        char name[IFNAMSIZ];

        return if_indextoname(index, name) ? tell(question, name, address) : 0;
}

static uint32_t get_number(const struct rtattr *attribute)
{
        uint32_t number = 0;

        if (RTA_PAYLOAD(attribute) >= sizeof(number))
                memcpy(&number, RTA_DATA(attribute), sizeof(number));
        return number;
}

static int take_paths(Question *question, struct rtattr *attribute)
{
        struct rtnexthop *path = RTA_DATA(attribute);
        size_t length = RTA_PAYLOAD(attribute);

        while (length >= sizeof(*path) && path->rtnh_len >= sizeof(*path) &&
               path->rtnh_len <= length) {
                int r = tell_index(question, (uint32_t) path->rtnh_ifindex, "");
                if (r < 0)
                        return r;
                if ((size_t) RTNH_ALIGN(path->rtnh_len) >= length)
                        break;
                length -= (size_t) RTNH_ALIGN(path->rtnh_len);
                path = RTNH_NEXT(path);
        }
        return 0;
}

static int take_route(Question *question, struct nlmsghdr *message)
{
        struct rtmsg *route = NLMSG_DATA(message);
        bool has_interface = false, has_object = false;
        int length, r = 0;

        if (message->nlmsg_type != RTM_NEWROUTE ||
            message->nlmsg_len < NLMSG_LENGTH(sizeof(*route)) || route->rtm_dst_len != 0 ||
            route->rtm_type != RTN_UNICAST)
                return 0;
        length = (int) RTM_PAYLOAD(message);
        for (struct rtattr *attribute = RTM_RTA(route); r == 0 && RTA_OK(attribute, length);
             attribute = RTA_NEXT(attribute, length))
                switch (attribute->rta_type) {
                case RTA_OIF:
                        has_interface = true;
                        r = tell_index(question, get_number(attribute), "");
                        break;
                case RTA_MULTIPATH:
                        has_interface = true;
                        r = take_paths(question, attribute);
                        break;
                case RTA_NH_ID:
                        has_object = true;
                        break;
                default:
                        break;
                }
        if (has_object && !has_interface)
                question->has_nexthop_objects = true;
        return r;
}

/* With net.ipv4.nexthop_compat_mode=0 a route names an object only; each one counts. */
static int take_nexthop(Question *question, struct nlmsghdr *message)
{
        struct nhmsg *nexthop = NLMSG_DATA(message);
        int r = 0;

        if (message->nlmsg_type != RTM_NEWNEXTHOP ||
            message->nlmsg_len < NLMSG_LENGTH(sizeof(*nexthop)))
                return 0;
        int length = (int) (message->nlmsg_len - NLMSG_LENGTH(sizeof(*nexthop)));
        struct rtattr *attribute = (void *) ((char *) nexthop + NLMSG_ALIGN(sizeof(*nexthop)));
        for (; r == 0 && RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
                if (attribute->rta_type == NHA_OIF)
                        r = tell_index(question, get_number(attribute), "");
        return r;
}

static bool is_link_local(int family, const void *address)
{
        const uint8_t *bytes = address;

        return family == AF_INET ? bytes[0] == 169 && bytes[1] == 254 :
                                   IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *) address);
}

static int take_address(Question *question, struct nlmsghdr *message)
{
        struct ifaddrmsg *header = NLMSG_DATA(message);
        struct in6_addr address = {};
        bool has_local = false, has_address = false;
        char text[INET6_ADDRSTRLEN];

        if (message->nlmsg_type != RTM_NEWADDR ||
            message->nlmsg_len < NLMSG_LENGTH(sizeof(*header)) ||
            (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
                return 0;
        size_t size = header->ifa_family == AF_INET ? 4 : 16;
        int length = (int) IFA_PAYLOAD(message);
        for (struct rtattr *attribute = IFA_RTA(header); RTA_OK(attribute, length);
             attribute = RTA_NEXT(attribute, length)) {
                bool is_local = attribute->rta_type == IFA_LOCAL;

                if ((!is_local && (attribute->rta_type != IFA_ADDRESS || has_local)) ||
                    RTA_PAYLOAD(attribute) != size)
                        continue;
                memcpy(&address, RTA_DATA(attribute), size);
                has_address = true;
                has_local = has_local || is_local;
        }
        if (!has_address || is_link_local(header->ifa_family, &address) ||
            !inet_ntop(header->ifa_family, &address, text, sizeof(text)))
                return 0;
        return tell_index(question, header->ifa_index, text);
}

/* 1: the answer is complete, 2: but was changed meanwhile. */
static int take_messages(Question *question, size_t size, TakeMessage take)
{
        int64_t length = (int64_t) size; /* NLMSG_NEXT may take off more than is left */
        bool is_interrupted = false;

        for (struct nlmsghdr *message = (void *) question->buffer; NLMSG_OK(message, length);
             message = NLMSG_NEXT(message, length)) {
                is_interrupted = is_interrupted || message->nlmsg_flags & NLM_F_DUMP_INTR;
                if (message->nlmsg_type == NLMSG_DONE)
                        return is_interrupted ? 2 : 1;
                if (message->nlmsg_type == NLMSG_ERROR) {
                        const struct nlmsgerr *error = NLMSG_DATA(message);

                        if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
                                return -EBADMSG;
                        return error->error < 0 ? error->error : -EBADMSG;
                }
                int r = take(question, message);
                if (r < 0)
                        return r;
        }
        return is_interrupted ? 3 : 0;
}

static int dump(Question *question, int fd, uint16_t type, unsigned char family, TakeMessage take)
{
        struct {
                struct nlmsghdr header;
                struct rtmsg body; /* the longest; the family is the first byte of all */
        } request = {
                .header = {.nlmsg_len = sizeof(request), .nlmsg_type = type,
                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
                .body = {.rtm_family = family},
        };
        bool is_interrupted = false;

        if (type == RTM_GETADDR)
                request.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg));
        if (type == RTM_GETNEXTHOP)
                request.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct nhmsg));
        if (send(fd, &request, request.header.nlmsg_len, 0) < 0)
                return -errno;
        for (unsigned n = 0; n < RECEIVES_MAX; n++) {
                ssize_t size = netlink_receive(fd, question->buffer, sizeof(question->buffer),
                        MSG_TRUNC);

                if (size == -EINTR)
                        continue;
                if (size < 0)
                        return (int) size;
                if ((size_t) size > sizeof(question->buffer))
                        return -EMSGSIZE;
                int r = take_messages(question, (size_t) size, take);
                if (r < 0)
                        return r;
                is_interrupted = is_interrupted || r >= 2;
                if (r == 1 || r == 2)
                        return is_interrupted ? -EAGAIN : 0;
        }
        return -EMSGSIZE;
}

static int ask(Question *question, uint16_t type, unsigned char family, TakeMessage take)
{
        int r = -EAGAIN;

        /* What was told of an answer that changed meanwhile is true all the same. */
        for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++) {
                _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
                        NETLINK_ROUTE);
                r = fd < 0 ? -errno : dump(question, fd, type, family, take);
        }
        return r;
}

void guard_ask_routes(int output, void *userdata)
{
        static Question question;

        question = (Question){.output = output};
        int r = ask(&question, RTM_GETROUTE, AF_INET, take_route);
        if (r == 0)
                r = ask(&question, RTM_GETROUTE, AF_INET6, take_route);
        if (r == -EOPNOTSUPP || r == -EAFNOSUPPORT) /* a kernel without IPv6 */
                r = 0;
        if (r == 0 && question.has_nexthop_objects)
                r = ask(&question, RTM_GETNEXTHOP, AF_UNSPEC, take_nexthop);
        if (r == 0)
                r = ask(&question, RTM_GETADDR, AF_UNSPEC, take_address);
        if (r == 0 && tell(&question, ".", "") < 0)
                return; /* nobody listens any more */
}
