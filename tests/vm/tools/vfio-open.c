/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Does with a PCI function what a virtual machine does with it at its start (Linux's
 * Documentation/driver-api/vfio.rst): container, group, IOMMU, DMA mapping, device, regions. Every
 * step that worked is a line on standard output; the first that does not ends it with 1.
 *
 *     vfio-open ADDRESS [--hold | --hold-device | --hold-path]
 *
 * With --hold everything stays open until standard input ends, with --hold-device only the device:
 * then no path in /proc names the group. With --hold-path nothing is done with the function; its
 * group's node is opened with O_PATH until then, as udev has it while it sets permissions.
 */

#define DMA_ADDRESS 0x100000 /* where x86 has no reserved region */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *step) __attribute__((noreturn));

static void say(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        putchar('\n');
        fflush(stdout);
}

static void fail(const char *step)
{
        fprintf(stderr, "vfio-open: %s: %s\n", step, strerror(errno));
        exit(1);
}

static int open_node(const char *path, int flags)
{
        int fd = open(path, flags | O_CLOEXEC);

        if (fd < 0)
                fail(path);
        say("opened %s", path);
        return fd;
}

static int open_container(void)
{
        int container = open_node("/dev/vfio/vfio", O_RDWR);

        if (ioctl(container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
                fail("VFIO_GET_API_VERSION");
        if (ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU) <= 0)
                fail("VFIO_CHECK_EXTENSION of type 1");
        return container;
}

static int open_group_node(const char *address, int flags)
{
        char path[320], target[256];
        const char *number;
        ssize_t n;

        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                fail(path);
        target[n] = '\0';
        number = strrchr(target, '/');
        snprintf(path, sizeof(path), "/dev/vfio/%s", number ? number + 1 : target);

        return open_node(path, flags);
}

static int open_group(const char *address)
{
        struct vfio_group_status status = { .argsz = sizeof(status) };
        int group = open_group_node(address, O_RDWR);

        if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) < 0)
                fail("VFIO_GROUP_GET_STATUS");
        if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
                errno = EPERM;
                fail("the group is not viable");
        }
        return group;
}

/* A page of our memory becomes visible to the device. */
static void map_dma(int container)
{
        size_t size = (size_t) sysconf(_SC_PAGESIZE);
        void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct vfio_iommu_type1_dma_map map = {
                .argsz = sizeof(map),
                .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
                .vaddr = (uintptr_t) page,
                .iova = DMA_ADDRESS,
                .size = size,
        };

        if (page == MAP_FAILED)
                fail("mmap");
        if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0)
                fail("VFIO_IOMMU_MAP_DMA");
        say("mapped %zu bytes for DMA", size);
}

/* Which regions are there, and the ids from the configuration space, through the device. */
static void read_regions(int device)
{
        struct vfio_device_info info = { .argsz = sizeof(info) };
        uint16_t ids[2];

        if (ioctl(device, VFIO_DEVICE_GET_INFO, &info) < 0)
                fail("VFIO_DEVICE_GET_INFO");
        say("device has %u regions and %u interrupt indices", info.num_regions, info.num_irqs);
        for (uint32_t i = 0; i < info.num_regions && i <= VFIO_PCI_CONFIG_REGION_INDEX; i++) {
                struct vfio_region_info region = { .argsz = sizeof(region), .index = i };

                if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region) < 0)
                        fail("VFIO_DEVICE_GET_REGION_INFO");
                if (region.size > 0)
                        say("region %u has %" PRIu64 " bytes", i, (uint64_t) region.size);
                if (i != VFIO_PCI_CONFIG_REGION_INDEX)
                        continue;
                if (pread(device, ids, sizeof(ids), (off_t) region.offset) != sizeof(ids))
                        fail("reading the configuration space");
                say("ids %04x:%04x", ids[0], ids[1]);
        }
}

static void wait_for_end_of_input(void)
{
        char byte;

        say("ready");
        while (read(STDIN_FILENO, &byte, 1) > 0)
                ;
}

static int usage(void)
{
        fprintf(stderr, "usage: vfio-open ADDRESS [--hold | --hold-device | --hold-path]\n");
        return 2;
}

int main(int argc, char **argv)
{
        const char *option = argc == 3 ? argv[2] : "";
        bool hold = strcmp(option, "--hold") == 0, hold_device = strcmp(option, "--hold-device") == 0;
        int container, group, device;

        if (argc == 3 && strcmp(option, "--hold-path") == 0) {
                (void) open_group_node(argv[1], O_PATH);
                wait_for_end_of_input();
                return 0;
        }
        if (argc < 2 || argc > 3 || (argc == 3 && !hold && !hold_device))
                return usage();

        container = open_container();
        group = open_group(argv[1]);
        if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0)
                fail("VFIO_GROUP_SET_CONTAINER");
        if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) < 0)
                fail("VFIO_SET_IOMMU");
        say("set the IOMMU to type 1");
        map_dma(container);
        device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, argv[1]);
        if (device < 0)
                fail("VFIO_GROUP_GET_DEVICE_FD");
        read_regions(device);
        if (hold_device) {
                (void) close(group);
                (void) close(container);
        }
        if (hold || hold_device)
                wait_for_end_of_input();
        else
                say("ready");
        return 0;
}
