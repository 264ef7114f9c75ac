/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "daemon/kernel-events.h"
#include "lib/test.h"
#include "stage/udev.h"
#include "util/strings.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Any bytes as a message of the kernel, and as the environment that udevd gives to its helper:
 * both are a headline and KEY=VALUE, each with its NUL. */

const char *const fuzz_dictionary[] = {"change@/devices/pci0000:00/0000:06:00.0", "add@/devices/",
        "/0000:01:00.0", "/vfio-dev/vfio0", "/devices/virtual/vfio/14", "noiommu-0",
        "ACTION=change", "ACTION=add", "ACTION=bind", "ACTION=remove", "DEVPATH=/devices/pci0000:00/0000:01:00.0",
        "SUBSYSTEM=pci", "SUBSYSTEM=vfio", "SUBSYSTEM=vfio-dev", "SEQNUM=4711", "SYNTH_UUID=0",
        "ERROR_EVENT=RECOVERED", "VFIO_BIND_PENDING=1", "VFIO_BIND_PENDING=vf", "10000:e0:06.0",
        "0000:ff:1f.7", "libudev", "\xfe\xed\xca\xfe", NULL};

typedef struct Message {
        const char *begin, *end; /* ends with a NUL */
} Message;

static const char *look_up(void *userdata, const char *name)
{
        const Message *message = userdata;
        size_t n = strlen(name);

        for (const char *key = message->begin; key < message->end; key += strlen(key) + 1)
                if (strncmp(key, name, n) == 0 && key[n] == '=')
                        return key + n + 1;
        return NULL;
}

static void check_address(const Message *message, const PciAddress *address, const char *where)
{
        ASSERT_TRUE(address->device < 32 && address->function < 8);
        const char *text = PCI_ADDRESS_TEXT(address);

        ASSERT_TRUE(memmem(message->begin, (size_t) (message->end - message->begin), text,
                            strlen(text)));
        ASSERT_CONTAINS(where, text);
}

static void check_kernel(const Message *message, size_t size)
{
        PciAddress address;
        int r = kernel_event_parse(message->begin, size, &address);

        if (r < 0) {
                ASSERT_EQ(r, -EBADMSG);
                return;
        }
        ASSERT_TRUE(startswith(message->begin, "change@/devices/"));
        check_address(message, &address, message->begin);
}

static void check_udev(Message *message)
{
        UdevEvent event;
        int r = udev_event_parse(look_up, message, &event);

        if (r < 0) {
                ASSERT_TRUE(r == -EINVAL || r == -EOPNOTSUPP);
                return;
        }
        ASSERT_TRUE(event.action <= UDEV_REMOVE && event.subject <= UDEV_DEVICE_NODE);
        ASSERT_TRUE(event.pending <= UDEV_PENDING_IF_VF);
        if (event.subject == UDEV_GROUP)
                ASSERT_TRUE(event.group >= 0 && event.group <= INT32_MAX);
        else
                check_address(message, &event.address, look_up(message, "DEVPATH"));
}

/* From anybody but the kernel nothing is taken. */
static void check_sender(const uint8_t *data, size_t size)
{
        static int fds[2] = {-1, -1};
        PciAddress address;

        if (fds[0] < 0)
                ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
        if (send(fds[0], data, size, MSG_NOSIGNAL) < 0)
                return;
        ASSERT_EQ(kernel_events_receive(fds[1], &address), -EBADMSG);
        ASSERT_EQ(kernel_events_receive(fds[1], &address), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        /* as kernel_events_receive() hands it on: a NUL behind what came */
        char *copy = malloc(size + 1);

        ASSERT_TRUE(copy);
        memcpy(copy, data, size);
        copy[size] = '\0';
        Message message = {copy, copy + size + 1};
        check_kernel(&message, size);
        check_udev(&message);
        check_sender(data, size);
        free(copy);
        return 0;
}
