/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/kernel-events.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "util/io.h"
#include "util/strings.h"

#define GROUP_KERNEL   1 /* 2 are udevd's */
#define EVENT_SIZE_MAX 8192 /* UEVENT_BUFFER_SIZE of the kernel is 2048 */

static int attach_filter(int fd)
{
        /* "change@/", in two words of network byte order */
        struct sock_filter instructions[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6368616e, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6765402f, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
                BPF_STMT(BPF_RET | BPF_K, 0),
        };
        struct sock_fprog program = { ELEMENTSOF(instructions), instructions };

        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
                                                                                            : 0;
}

int kernel_events_open(void)
{
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = GROUP_KERNEL };
        _cleanup_close_ int fd = -1;
        int r;

        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
        if (fd < 0)
                return -errno;
        r = attach_filter(fd);
        if (r < 0)
                return r;
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* One that the error recovery of the PCI core sends says nothing of virtual functions. */
static bool is_of_interest(const char *key)
{
        return !startswith(key, "SYNTH_UUID=") && !startswith(key, "ERROR_EVENT=");
}

int kernel_event_parse(const char *event, size_t length, PciAddress *ret)
{
        const char *end = event + length, *name;
        PciAddress address;
        bool is_pci = false;

        if (length == 0 || end[-1] != '\0' || !startswith(event, "change@/devices/"))
                return -EBADMSG;
        name = strrchr(event, '/') + 1;
        if (pci_address_parse(name, &address) < 0 || !streq(PCI_ADDRESS_TEXT(&address), name))
                return -EBADMSG;
        for (const char *key = event + strlen(event) + 1; key < end; key += strlen(key) + 1) {
                if (!is_of_interest(key))
                        return -EBADMSG;
                is_pci = is_pci || streq(key, "SUBSYSTEM=pci");
        }
        if (!is_pci)
                return -EBADMSG;
        *ret = address;
        return 0;
}

int kernel_events_receive(int fd, PciAddress *ret)
{
        struct sockaddr_nl sender = {};
        char event[EVENT_SIZE_MAX];
        struct iovec vector = { event, sizeof(event) - 1 };
        struct msghdr message = {
                .msg_name = &sender,
                .msg_namelen = sizeof(sender),
                .msg_iov = &vector,
                .msg_iovlen = 1,
        };
        ssize_t n;
        int r;

        n = recvmsg(fd, &message, MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        /* anybody may send to this socket, but only the kernel to the group */
        if (sender.nl_pid != 0 || sender.nl_groups != GROUP_KERNEL || message.msg_flags & MSG_TRUNC)
                return -EBADMSG;
        event[n] = '\0';
        r = kernel_event_parse(event, (size_t) n, ret);
        return r < 0 ? r : 1;
}
