/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fake-sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/pci-address.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

typedef struct Function {
        const char *address, *parent, *id, *subsystem, *class_code, *driver, *override, *group,
                *slot, *vfs, *offset, *stride, *vf_device, *autoprobe, *pf, *vf, *net, *serial,
                *config, *revision, *numa, *boot_vga, *reset, *power, *vfio_device;
        bool bridge, no_override, noiommu, suspended;
} Function;

static char *format(const char *text, ...) _printf_(1, 2);
static char *format(const char *text, ...)
{
        char *result = NULL;
        va_list arguments;

        va_start(arguments, text);
        ASSERT_TRUE(vasprintf(&result, text, arguments) >= 0);
        va_end(arguments);
        return result;
}

static void make_directories(FakeSysfs *fake, const char *path)
{
        _cleanup_free_ char *copy = strdup(path);

        ASSERT_TRUE(copy);
        if (mkdirat(fake->fd, copy, 0755) == 0 || errno == EEXIST)
                return;
        ASSERT_EQ(errno, ENOENT);
        for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
                *p = '\0';
                ASSERT_TRUE(mkdirat(fake->fd, copy, 0755) == 0 || errno == EEXIST);
                *p = '/';
        }
        ASSERT_TRUE(mkdirat(fake->fd, copy, 0755) == 0 || errno == EEXIST);
}

static void make_parent(FakeSysfs *fake, const char *path)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = strndup(path, slash ? (size_t) (slash - path) : 0);

        ASSERT_TRUE(parent);
        if (slash)
                make_directories(fake, parent);
}

void fake_sysfs_write_data(FakeSysfs *fake, const char *path, const void *data, size_t length)
{
        int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
        _cleanup_close_ int fd = openat(fake->fd, path, flags, 0644);

        if (fd < 0) {
                ASSERT_EQ(errno, ENOENT);
                make_parent(fake, path);
                fd = openat(fake->fd, path, flags, 0644);
        }
        ASSERT_TRUE(fd >= 0);
        ASSERT_EQ(write(fd, data, length), length);
}

void fake_sysfs_write(FakeSysfs *fake, const char *path, const char *text)
{
        fake_sysfs_write_data(fake, path, text, strlen(text));
}

char *fake_sysfs_read(FakeSysfs *fake, const char *path)
{
        char *text = NULL;

        int r = read_file_at(fake->fd, path, 1 << 20, &text, NULL);
        ASSERT_TRUE(r == 0 || r == -ENOENT || r == -ENOTDIR);
        return text;
}

char *fake_sysfs_read_link(FakeSysfs *fake, const char *path)
{
        char target[PATH_MAX];

        ssize_t n = readlinkat(fake->fd, path, target, sizeof(target) - 1);
        return n < 0 ? NULL : strndup(target, (size_t) n);
}

void fake_sysfs_link(FakeSysfs *fake, const char *path, const char *target)
{
        char relative[PATH_MAX] = "";
        size_t common = 0, length = 0;

        /* As the kernel does it: up to the last common directory, then down. */
        for (size_t i = 0; path[i] && path[i] == target[i]; i++)
                if (path[i] == '/')
                        common = i + 1;
        for (const char *p = strchr(path + common, '/'); p; p = strchr(p + 1, '/')) {
                ASSERT_TRUE(length + 4 < sizeof(relative));
                memcpy(relative + length, "../", 4);
                length += 3;
        }
        ASSERT_TRUE(length + strlen(target + common) < sizeof(relative));
        memcpy(relative + length, target + common, strlen(target + common) + 1);

        if (symlinkat(relative, fake->fd, path) == 0)
                return;
        if (errno == EEXIST) {
                ASSERT_OK(unlinkat(fake->fd, path, 0));
        } else {
                ASSERT_EQ(errno, ENOENT);
                make_parent(fake, path);
        }
        ASSERT_OK(symlinkat(relative, fake->fd, path));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
        return remove(path);
}

static void remove_tree(const char *path)
{
        struct stat status;

        if (lstat(path, &status) == 0)
                ASSERT_OK(nftw(path, remove_entry, 64, FTW_DEPTH | FTW_PHYS));
}

void fake_sysfs_remove(FakeSysfs *fake, const char *path)
{
        _cleanup_free_ char *absolute = format("%s/%s", fake->root, path);

        remove_tree(absolute);
}

FakeSysfs *fake_sysfs_new(void)
{
        FakeSysfs *fake = calloc(1, sizeof(*fake));

        ASSERT_TRUE(fake);
        fake->root = format("%s/vfio-bindd-test-XXXXXX",
                access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        ASSERT_TRUE(mkdtemp(fake->root));
        fake->fd = open(fake->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ASSERT_TRUE(fake->fd >= 0);

        make_directories(fake, "sys/bus/pci/devices");
        make_directories(fake, "sys/bus/pci/drivers");
        make_directories(fake, "sys/devices");
        fake_sysfs_write(fake, "sys/bus/pci/drivers_probe", "");
        make_directories(fake, "proc/self");
        make_directories(fake, "run");
        return fake;
}

FakeSysfs *fake_sysfs_free(FakeSysfs *fake)
{
        if (!fake)
                return NULL;

        remove_tree(fake->root);
        (void) close(fake->fd);
        free(fake->root);
        free(fake);
        return NULL;
}

char *fake_sysfs_directory(FakeSysfs *fake, const char *address)
{
        _cleanup_free_ char *entry = format("sys/bus/pci/devices/%s", address);
        _cleanup_free_ char *target = fake_sysfs_read_link(fake, entry);

        ASSERT_TRUE(target);
        ASSERT_TRUE(startswith(target, "../../../"));
        return format("sys/%s", target + strlen("../../../"));
}

uint64_t fake_sysfs_inode(FakeSysfs *fake, const char *address)
{
        _cleanup_free_ char *directory = fake_sysfs_directory(fake, address);
        struct stat status;

        ASSERT_OK(fstatat(fake->fd, directory, &status, 0));
        return status.st_ino;
}

/* Replaces "@ADDRESS" at the beginning. */
static char *expand(FakeSysfs *fake, const char *path)
{
        if (path[0] != '@')
                return format("%s", path);

        size_t length = strcspn(path + 1, "/");
        _cleanup_free_ char *address = strndup(path + 1, length);
        _cleanup_free_ char *directory = fake_sysfs_directory(fake, address);
        return format("%s%s", directory, path + 1 + length);
}

static void write_below(FakeSysfs *fake, const char *directory, const char *name, const char *text)
{
        _cleanup_free_ char *path = format("%s/%s", directory, name);
        _cleanup_free_ char *line = format("%s\n", text);

        fake_sysfs_write(fake, path, line);
}

static void link_below(FakeSysfs *fake, const char *directory, const char *name, const char *target)
{
        _cleanup_free_ char *path = format("%s/%s", directory, name);

        fake_sysfs_link(fake, path, target);
}

static void add_driver(FakeSysfs *fake, const char *name)
{
        _cleanup_free_ char *directory = format("sys/bus/pci/drivers/%s", name);

        if (faccessat(fake->fd, directory, F_OK, 0) == 0)
                return;
        make_directories(fake, directory);
        write_below(fake, directory, "bind", "");
        write_below(fake, directory, "unbind", "");
}

static void put32(uint8_t *at, uint32_t value)
{
        for (unsigned i = 0; i < 4; i++)
                at[i] = (uint8_t) (value >> (8 * i));
}

/* An error reporting capability first, so that the list has to be walked. */
static void add_serial(FakeSysfs *fake, const char *directory, const char *serial)
{
        _cleanup_free_ char *path = format("%s/config", directory);
        uint8_t space[4096] = {};
        uint64_t number;

        ASSERT_OK(parse_hex(serial, 16, &number));
        put32(space + 0x100, 0x0001 | 2U << 16 | 0x148U << 20);
        put32(space + 0x148, 0x0003 | 1U << 16);
        put32(space + 0x14c, (uint32_t) number);
        put32(space + 0x150, (uint32_t) (number >> 32));
        fake_sysfs_write_data(fake, path, space, sizeof(space));
}

static void add_config(FakeSysfs *fake, const char *directory, const char *size)
{
        _cleanup_free_ char *path = format("%s/config", directory);
        uint8_t space[4096] = {};
        uint64_t length;

        ASSERT_OK(parse_unsigned(size, sizeof(space), &length));
        fake_sysfs_write_data(fake, path, space, (size_t) length);
}

static void add_group(FakeSysfs *fake, const char *directory, const Function *function)
{
        _cleanup_free_ char *group = format("sys/kernel/iommu_groups/%s", function->group);
        _cleanup_free_ char *member = format("%s/devices/%s", group, function->address);

        fake_sysfs_link(fake, member, directory);
        link_below(fake, directory, "iommu_group", group);
        if (function->noiommu)
                write_below(fake, group, "name", "vfio-noiommu");
        else
                write_below(fake, group, "type", "DMA");
}

static void add_physical_function(FakeSysfs *fake, const char *directory, const Function *function)
{
        write_below(fake, directory, "sriov_totalvfs", function->vfs);
        write_below(fake, directory, "sriov_offset", function->offset ? function->offset : "128");
        write_below(fake, directory, "sriov_stride", function->stride ? function->stride : "2");
        write_below(fake, directory, "sriov_vf_device",
                function->vf_device ? function->vf_device : "10ca");
        write_below(fake, directory, "sriov_drivers_autoprobe",
                function->autoprobe ? function->autoprobe : "1");
}

static void add_virtual_function(FakeSysfs *fake, const char *directory, const Function *function)
{
        _cleanup_free_ char *pf = fake_sysfs_directory(fake, function->pf);

        link_below(fake, directory, "physfn", pf);
        if (function->vf) {
                _cleanup_free_ char *name = format("virtfn%s", function->vf);
                link_below(fake, pf, name, directory);
        }
}

static void add_net(FakeSysfs *fake, const char *name, const char *directory)
{
        write_below(fake, directory, "operstate", "up");
        link_below(fake, "sys/class/net", name, directory);
}

static char *make_directory_name(FakeSysfs *fake, const Function *function)
{
        PciAddress address, parent_address;
        _cleanup_free_ char *parent = NULL;

        ASSERT_OK(pci_address_parse(function->address, &address));
        if (!function->parent)
                return format("sys/devices/pci%04x:%02x/%s", address.domain, address.bus,
                        function->address);

        ASSERT_OK(pci_address_parse(function->parent, &parent_address));
        parent = fake_sysfs_directory(fake, function->parent);
        if (parent_address.domain == address.domain)
                return format("%s/%s", parent, function->address);
        return format("%s/pci%04x:%02x/%s", parent, address.domain, address.bus,
                function->address);
}

static void add_identity(FakeSysfs *fake, const char *directory, const Function *function)
{
        unsigned vendor = 0x8086, device = 0x10d3, subvendor = 0, subdevice = 0, class_code = 0;
        char modalias[80];

        if (function->id)
                ASSERT_EQ(sscanf(function->id, "%4x:%4x", &vendor, &device), 2);
        if (function->subsystem)
                ASSERT_EQ(sscanf(function->subsystem, "%4x:%4x", &subvendor, &subdevice), 2);
        if (function->class_code)
                ASSERT_EQ(sscanf(function->class_code, "%6x", &class_code), 1);
        (void) snprintf(modalias, sizeof(modalias),
                "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", vendor, device, subvendor,
                subdevice, class_code >> 16, class_code >> 8 & 0xff, class_code & 0xff);
        write_below(fake, directory, "modalias", modalias);
}

static void add_details(FakeSysfs *fake, const char *directory, const Function *function)
{
        if (function->revision) {
                _cleanup_free_ char *text = format("0x%s", function->revision);
                write_below(fake, directory, "revision", text);
        }
        if (function->numa)
                write_below(fake, directory, "numa_node", function->numa);
        if (function->boot_vga)
                write_below(fake, directory, "boot_vga", function->boot_vga);
        if (function->power)
                write_below(fake, directory, "power/control", function->power);
        if (function->suspended)
                write_below(fake, directory, "power/runtime_status", "suspended");
        if (function->vfio_device) {
                _cleanup_free_ char *path =
                        format("%s/vfio-dev/vfio%s", directory, function->vfio_device);
                make_directories(fake, path);
        }
        if (function->reset) {
                _cleanup_free_ char *text = format("%s", function->reset);
                for (char *p = text; *p; p++)
                        if (*p == ',')
                                *p = ' ';
                write_below(fake, directory, "reset_method", text);
        }
}

static void add_function(FakeSysfs *fake, const Function *function)
{
        _cleanup_free_ char *directory = make_directory_name(fake, function);

        make_directories(fake, directory);
        link_below(fake, "sys/bus/pci/devices", function->address, directory);
        add_identity(fake, directory, function);
        add_details(fake, directory, function);
        if (!function->no_override)
                write_below(fake, directory, "driver_override",
                        function->override ? function->override : "(null)");
        if (function->bridge)
                write_below(fake, directory, "secondary_bus_number", "1");
        if (function->driver) {
                _cleanup_free_ char *target = format("sys/bus/pci/drivers/%s", function->driver);
                add_driver(fake, function->driver);
                link_below(fake, directory, "driver", target);
        }
        if (function->group)
                add_group(fake, directory, function);
        if (function->slot) {
                _cleanup_free_ char *path = format("sys/bus/pci/slots/%s", function->slot);
                _cleanup_free_ char *text =
                        strndup(function->address, strlen(function->address) - 2);
                write_below(fake, path, "address", text);
        }
        if (function->vfs)
                add_physical_function(fake, directory, function);
        if (function->pf)
                add_virtual_function(fake, directory, function);
        if (function->net) {
                _cleanup_free_ char *path = format("%s/net/%s", directory, function->net);
                add_net(fake, function->net, path);
        }
        if (function->serial)
                add_serial(fake, directory, function->serial);
        if (function->config)
                add_config(fake, directory, function->config);
}

static void parse_function(FakeSysfs *fake, const char *address, char **words)
{
        Function f = {.address = address};
        const struct {
                const char *name;
                const char **value;
        } keys[] = {
                {"parent=", &f.parent}, {"id=", &f.id}, {"subsystem=", &f.subsystem},
                {"class=", &f.class_code}, {"driver=", &f.driver}, {"override=", &f.override},
                {"group=", &f.group}, {"slot=", &f.slot}, {"vfs=", &f.vfs},
                {"offset=", &f.offset}, {"stride=", &f.stride}, {"vf-device=", &f.vf_device},
                {"autoprobe=", &f.autoprobe}, {"pf=", &f.pf}, {"vf=", &f.vf}, {"net=", &f.net},
                {"serial=", &f.serial}, {"config=", &f.config}, {"revision=", &f.revision},
                {"numa=", &f.numa}, {"boot-vga=", &f.boot_vga}, {"reset=", &f.reset},
                {"power=", &f.power}, {"vfio-dev=", &f.vfio_device},
        };
        const struct {
                const char *name;
                bool *value;
        } flags[] = {
                {"bridge", &f.bridge},
                {"no-override", &f.no_override},
                {"noiommu", &f.noiommu},
                {"suspended", &f.suspended},
        };

        for (char *word; (word = strtok_r(NULL, " ", words));) {
                bool known = false;

                for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                        const char *value = startswith(word, keys[i].name);
                        if (value) {
                                *keys[i].value = value;
                                known = true;
                        }
                }
                for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                        if (streq(word, flags[i].name))
                                known = *flags[i].value = true;
                if (!known)
                        fprintf(stderr, "fake sysfs: %s: what is \"%s\"?\n", address, word);
                ASSERT_TRUE(known);
        }
        add_function(fake, &f);
}

static void add_file(FakeSysfs *fake, const char *path, const char *text)
{
        _cleanup_free_ char *data = malloc(strlen(text) + 2);
        size_t n = 0;

        ASSERT_TRUE(data);
        for (const char *p = text; *p; p++) {
                if (*p != '\\') {
                        data[n++] = *p;
                        continue;
                }
                p++;
                data[n++] = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == '0' ? '\0' : '\\';
        }
        data[n++] = '\n';
        fake_sysfs_write_data(fake, path, data, n);
}

/* Where the directory of a block device or network interface is. */
static char *class_directory(FakeSysfs *fake, const char *class_name, const char *name)
{
        _cleanup_free_ char *entry = format("sys/class/%s/%s", class_name, name);
        _cleanup_free_ char *target = fake_sysfs_read_link(fake, entry);

        ASSERT_TRUE(target);
        ASSERT_TRUE(startswith(target, "../../"));
        return format("sys/%s", target + strlen("../../"));
}

static void add_pair(FakeSysfs *fake, const char *class_name, const char *upper, const char *lower,
        const char *down, const char *up)
{
        _cleanup_free_ char *above = class_directory(fake, class_name, upper);
        _cleanup_free_ char *below = class_directory(fake, class_name, lower);
        _cleanup_free_ char *down_name = format("%s%s", down, lower);
        _cleanup_free_ char *up_name = format("%s%s", up, upper);

        link_below(fake, above, down_name, below);
        link_below(fake, below, up_name, above);
}

static void add_block(FakeSysfs *fake, const char *name, const char *number, const char *directory)
{
        write_below(fake, directory, "dev", number);
        link_below(fake, "sys/dev/block", number, directory);
        link_below(fake, "sys/class/block", name, directory);
}

static void parse_line(FakeSysfs *fake, char *line)
{
        char *words = NULL;
        char *keyword = strtok_r(line, " ", &words);

        if (!keyword || keyword[0] == '#')
                return;
        if (strchr(keyword, ':')) {
                parse_function(fake, keyword, &words);
                return;
        }

        char *first = strtok_r(NULL, " ", &words);
        ASSERT_TRUE(first);
        _cleanup_free_ char *path = expand(fake, first);
        if (streq(keyword, "driver")) {
                add_driver(fake, path);
        } else if (streq(keyword, "dir")) {
                make_directories(fake, path);
        } else if (streq(keyword, "file")) {
                add_file(fake, path, words ? words : "");
        } else if (streq(keyword, "symlink")) {
                make_parent(fake, path);
                ASSERT_OK(symlinkat(words, fake->fd, path));
        } else {
                char *second = strtok_r(NULL, " ", &words);
                ASSERT_TRUE(second);
                _cleanup_free_ char *target = expand(fake, second);
                if (streq(keyword, "link")) {
                        fake_sysfs_link(fake, path, target);
                } else if (streq(keyword, "net")) {
                        add_net(fake, path, target);
                } else if (streq(keyword, "slave")) {
                        add_pair(fake, "block", path, target, "slaves/", "holders/");
                } else if (streq(keyword, "lower")) {
                        add_pair(fake, "net", path, target, "lower_", "upper_");
                } else {
                        ASSERT_STREQ(keyword, "block");
                        char *third = strtok_r(NULL, " ", &words);
                        ASSERT_TRUE(third);
                        _cleanup_free_ char *directory = expand(fake, third);
                        add_block(fake, path, target, directory);
                }
        }
}

void fake_sysfs_add(FakeSysfs *fake, const char *text)
{
        _cleanup_free_ char *copy = strdup(text);
        char *lines = NULL;

        ASSERT_TRUE(copy);
        for (char *line = strtok_r(copy, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines))
                parse_line(fake, line);
}
