/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/aside.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* PCIe Device Serial Numbers, from the extended configuration space (PCI Express Base
 * Specification, "Device Serial Number Extended Capability"). A read of configuration space may
 * hang with broken hardware, so one process aside reads for all functions and has two seconds. */

#define DEADLINE_USEC         (2 * USEC_PER_SEC)
#define EXTENDED_SPACE        0x100U
#define SPACE_SIZE            0x1000U
#define CAPABILITY_DSN        0x0003U
#define EXTENDED_CAPABILITIES ((SPACE_SIZE - EXTENDED_SPACE) / 8)

typedef struct SerialMessage {
        uint32_t index; /* of the device */
        bool has_serial;
        uint64_t serial;
} SerialMessage;

static int read32(int fd, unsigned offset, uint32_t *ret)
{
        uint8_t bytes[4];

        ssize_t n = pread(fd, bytes, sizeof(bytes), (off_t) offset);
        if (n < 0)
                return -errno;
        if (n != (ssize_t) sizeof(bytes))
                return -ENODATA;
        *ret = (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 | (uint32_t) bytes[2] << 16 |
                (uint32_t) bytes[3] << 24;
        return 0;
}

/* 1: found, 0: has none, negative: cannot be told (an unprivileged reader sees 64 bytes). */
static int walk_capabilities(int fd, uint64_t *ret)
{
        unsigned offset = EXTENDED_SPACE;
        struct stat status;
        uint32_t header = 0, low = 0, high = 0;

        if (fstat(fd, &status) < 0)
                return -errno;
        if (status.st_size == EXTENDED_SPACE)
                return 0; /* conventional PCI */

        for (unsigned i = 0; i < EXTENDED_CAPABILITIES; i++) {
                int r = read32(fd, offset, &header);
                if (r < 0)
                        return r;
                if (header == UINT32_MAX)
                        return -ENODEV; /* nobody answers */
                if (header == 0)
                        return 0;
                if ((header & 0xffff) == CAPABILITY_DSN) {
                        r = read32(fd, offset + 4, &low);
                        if (r == 0)
                                r = read32(fd, offset + 8, &high);
                        if (r < 0)
                                return r;
                        *ret = (uint64_t) high << 32 | low;
                        return 1;
                }
                offset = header >> 20 & 0xffc;
                if (offset < EXTENDED_SPACE)
                        return 0;
        }
        return 0; /* a list that runs in a circle */
}

static void read_serial(const Host *host, const Device *device, uint32_t index, int output)
{
        SerialMessage message = {.index = index};
        char path[80], status[32];

        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s",
                PCI_ADDRESS_TEXT(&device->address));
        _cleanup_close_ int directory = openat(host->root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return;
        /* A read would wake it. */
        if (read_attribute_at(directory, "power/runtime_status", status, sizeof(status)) > 0 &&
            streq(status, "suspended"))
                return;

        _cleanup_close_ int fd = openat(directory, "config", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return;
        int r = walk_capabilities(fd, &message.serial);
        if (r < 0)
                return;
        message.has_serial = r > 0;
        if (write(output, &message, sizeof(message)) < 0)
                return; /* nobody listens any more: the next one will not be heard either */
}

static void read_serials(int output, void *userdata)
{
        const Scan *scan = userdata;

        for (size_t i = 0; i < scan->snapshot->n_devices; i++)
                if (!scan->snapshot->devices[i].serial.known)
                        read_serial(scan->host, &scan->snapshot->devices[i], (uint32_t) i, output);
}

static int take_message(Scan *scan, const SerialMessage *message)
{
        char text[17];

        if (message->index >= scan->snapshot->n_devices)
                return 0;
        Device *device = &scan->snapshot->devices[message->index];
        if (message->has_serial) {
                (void) snprintf(text, sizeof(text), "%016" PRIx64, message->serial);
                int r = replace_string(&device->serial.text, text);
                if (r < 0)
                        return r;
        }
        device->serial.known = true;
        return 0;
}

/* Until the child closes its end, or the time is over. Messages are smaller than PIPE_BUF, so
 * that each comes in one piece. */
static int take_messages(Scan *scan, int input)
{
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;
        SerialMessage messages[64];

        for (;;) {
                int r = aside_wait(input, deadline);
                if (r <= 0)
                        return r;
                ssize_t n = read(input, messages, sizeof(messages));
                if (n <= 0)
                        return 0;
                for (size_t i = 0; i < (size_t) n / sizeof(SerialMessage); i++) {
                        r = take_message(scan, &messages[i]);
                        if (r < 0)
                                return r;
                }
        }
}

static int lend_serials(Scan *scan, size_t *ret_n_missing)
{
        *ret_n_missing = 0;
        for (size_t i = 0; i < scan->snapshot->n_devices; i++) {
                Device *device = &scan->snapshot->devices[i];
                const Device *previous = scan_find_previous(scan, device);

                if (!previous || !previous->serial.known) {
                        (*ret_n_missing)++;
                        continue;
                }
                int r = replace_string(&device->serial.text, previous->serial.text);
                if (r < 0)
                        return r;
                device->serial.known = true;
        }
        return 0;
}

int scan_serials(Scan *scan)
{
        size_t n_missing;

        int r = lend_serials(scan, &n_missing);
        if (r < 0 || n_missing == 0)
                return r;
        _cleanup_close_ int input = aside_start(read_serials, scan, scan->host->root,
                (unsigned) (DEADLINE_USEC / USEC_PER_SEC));
        if (input == -ETIMEDOUT)
                return 0; /* the last one still hangs: no more is known than after its time */
        return input < 0 ? input : take_messages(scan, input);
}
