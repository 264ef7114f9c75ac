/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdarg.h>
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
 *     vfio-open ADDRESS [--hold | --hold-device]
 *
 * With --hold everything stays open until standard input ends, with --hold-device only the device:
 * then no path in /proc names the group.
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

static int open_node(const char *path)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);

        if (fd < 0)
                fail(path);
        say("opened %s", path);
        return fd;
}

static int open_container(void)
{
        int container = open_node("/dev/vfio/vfio");

        if (ioctl(container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
                fail("VFIO_GET_API_VERSION");
        if (ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU) <= 0)
                fail("VFIO_CHECK_EXTENSION of type 1");
        return container;
}

static int open_group(const char *address)
{
        struct vfio_group_status status = { .argsz = sizeof(status) };
        char path[320], target[256];
        const char *number;
        ssize_t n;
        int group;

        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                fail(path);
        target[n] = '\0';
        number = strrchr(target, '/');
        snprintf(path, sizeof(path), "/dev/vfio/%s", number ? number + 1 : target);

        group = open_node(path);
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

int main(int argc, char **argv)
{
        int container, group, device;
        char byte;

        if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "--hold") != 0 &&
            strcmp(argv[2], "--hold-device") != 0)) {
                fprintf(stderr, "usage: vfio-open ADDRESS [--hold | --hold-device]\n");
                return 2;
        }

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
        if (argc == 3 && strcmp(argv[2], "--hold-device") == 0) {
                (void) close(group);
                (void) close(container);
        }
        say("ready");
        if (argc == 3)
                while (read(STDIN_FILENO, &byte, 1) > 0)
                        ;
        return 0;
}
