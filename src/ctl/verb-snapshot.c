/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/complain.h"
#include "ctl/exit-code.h"
#include "ctl/machine-internal.h"
#include "ctl/tar.h"
#include "ctl/verbs.h"
#include "host/accounts.h"
#include "host/guard.h"
#include "host/record-text.h"
#include "util/buffer.h"
#include "util/io.h"

/* Saves what a scan reads. Most files are copied; what cannot be copied, or whose reading could
 * block (configuration space, driver_override), is made from what the scan found. */

#define FILE_MAX      (16 * 1024 * 1024)
#define NAMES_MAX     65536
#define CONFIG_SPACE  4096

/* One run of the verb. */
typedef struct Saving {
        const Machine *machine;
        int root;
        Tar tar;
        int error; /* the first one; what follows does nothing */
} Saving;

static char *join(Saving *saving, const char *directory, const char *name)
{
        char *path = NULL;

        if (saving->error >= 0)
                saving->error = format_string(&path, "%s/%s", directory, name);
        return saving->error < 0 ? NULL : path;
}

/* What is not there, or may not be read, is left out. */
static void copy_file(Saving *saving, const char *path)
{
        _cleanup_free_ char *data = NULL;
        size_t length;
        int r;

        if (saving->error < 0)
                return;
        r = read_file_at(saving->root, path, FILE_MAX, &data, &length);
        if (r == -ENOMEM)
                saving->error = r;
        else if (r >= 0)
                tar_add_file(&saving->tar, path, data, length);
}

static void copy_file_of(Saving *saving, const char *directory, const char *name)
{
        _cleanup_free_ char *path = join(saving, directory, name);

        if (path)
                copy_file(saving, path);
}

/* As it is written; the length of what it leads to, 0: there is no such link. */
static size_t copy_link(Saving *saving, const char *directory, const char *name,
        char target[static PATH_MAX])
{
        _cleanup_free_ char *path = join(saving, directory, name);
        ssize_t n = path ? readlinkat(saving->root, path, target, PATH_MAX - 1) : -1;

        if (n <= 0)
                return 0;
        target[n] = '\0';
        tar_add_link(&saving->tar, path, target);
        return (size_t) n;
}

/* Names within, each as an empty directory. */
static void copy_names(Saving *saving, const char *directory, const char *prefix)
{
        _cleanup_string_list_ char **names = NULL;

        if (saving->error < 0 ||
            host_list_directory(saving->root, directory, NAMES_MAX, &names) < 0)
                return;
        for (char **name = names; name && *name; name++) {
                _cleanup_free_ char *path = NULL;

                if (!startswith(*name, prefix))
                        continue;
                path = join(saving, directory, *name);
                if (path)
                        tar_add_directory(&saving->tar, path);
        }
}

/* PCI Express Base Specification: a Device Serial Number capability (3) as the only extended one,
 * at 100h. Without a serial number the space ends before. */
static void add_configuration_space(Saving *saving, const char *directory, const Device *device)
{
        _cleanup_free_ char *path = join(saving, directory, "config");
        unsigned char space[CONFIG_SPACE] = { (unsigned char) device->vendor,
                                              (unsigned char) (device->vendor >> 8),
                                              (unsigned char) device->device,
                                              (unsigned char) (device->device >> 8) };
        uint64_t serial = device->serial.text ? strtoull(device->serial.text, NULL, 16) : 0;

        if (!path || !device->serial.known)
                return;
        space[0x100] = 3;
        space[0x102] = 1;
        for (size_t i = 0; i < 8; i++)
                space[0x104 + i] = (unsigned char) (serial >> 8 * i);
        tar_add_file(&saving->tar, path, space, device->serial.text ? CONFIG_SPACE : 0x100);
}

static void copy_virtual_functions(Saving *saving, const char *directory, const Device *device)
{
        for (uint32_t i = 0; i < device->sriov_total_vfs; i++) {
                char name[32], target[PATH_MAX];

                (void) snprintf(name, sizeof(name), "virtfn%" PRIu32, i);
                if (copy_link(saving, directory, name, target) == 0)
                        return;
        }
}

/* "vfio-dev/vfio3" and "net/eth0" have a name only. */
static void copy_children(Saving *saving, const char *directory, const char *name,
        const char *prefix)
{
        _cleanup_free_ char *path = join(saving, directory, name);

        if (path)
                copy_names(saving, path, prefix);
}

static void copy_device(Saving *saving, const char *directory, const Device *device)
{
        static const char *const attributes[] = { "vendor", "device", "subsystem_vendor",
                "subsystem_device", "class", "revision", "modalias", "secondary_bus_number",
                "numa_node", "boot_vga", "reset_method", "sriov_totalvfs", "sriov_offset",
                "sriov_stride", "sriov_vf_device", "sriov_drivers_autoprobe" };
        static const char *const links[] = { "driver", "iommu_group", "physfn" };
        char target[PATH_MAX];

        tar_add_directory(&saving->tar, directory);
        for (size_t i = 0; i < ELEMENTSOF(attributes); i++)
                copy_file_of(saving, directory, attributes[i]);
        for (size_t i = 0; i < ELEMENTSOF(links); i++)
                (void) copy_link(saving, directory, links[i], target);
        if (device->has_override_file) {
                _cleanup_free_ char *path = join(saving, directory, "driver_override");

                if (path)
                        tar_add_text(&saving->tar, path, "(null)\n");
        }
        copy_virtual_functions(saving, directory, device);
        copy_children(saving, directory, "net", "");
        copy_children(saving, directory, "vfio-dev", "vfio");
        add_configuration_space(saving, directory, device);
}

/* "../../../devices/pci0000:00/0000:00:1c.0": the kernel's links go up to /sys and down again. */
static void save_device(Saving *saving, const Device *device)
{
        char target[PATH_MAX];
        const char *below;
        _cleanup_free_ char *directory = NULL;

        if (copy_link(saving, "sys/bus/pci/devices", PCI_ADDRESS_TEXT(&device->address),
                    target) == 0)
                return;
        below = startswith(target, "../../../");
        if (!below || strstr(below, ".."))
                return;
        directory = join(saving, "sys", below);
        if (directory)
                copy_device(saving, directory, device);
}

static void save_group(Saving *saving, const char *name)
{
        _cleanup_free_ char *directory = join(saving, "sys/kernel/iommu_groups", name);
        _cleanup_free_ char *devices = directory ? join(saving, directory, "devices") : NULL;
        _cleanup_string_list_ char **members = NULL;
        char target[PATH_MAX];

        if (!devices || host_list_directory(saving->root, devices, NAMES_MAX, &members) < 0)
                return;
        copy_file_of(saving, directory, "name");
        copy_file_of(saving, directory, "type");
        for (char **member = members; member && *member; member++)
                (void) copy_link(saving, devices, *member, target);
}

static void save_each(Saving *saving, const char *directory, const char *prefix,
        void (*save)(Saving *saving, const char *name))
{
        _cleanup_string_list_ char **names = NULL;

        if (saving->error < 0 ||
            host_list_directory(saving->root, directory, NAMES_MAX, &names) < 0)
                return;
        for (char **name = names; name && *name; name++)
                if (startswith(*name, prefix))
                        save(saving, *name);
}

static void save_slot(Saving *saving, const char *name)
{
        _cleanup_free_ char *directory = join(saving, "sys/bus/pci/slots", name);

        if (directory)
                copy_file_of(saving, directory, "address");
}

static void save_module(Saving *saving, const char *name)
{
        _cleanup_free_ char *directory = join(saving, "sys/module", name);
        _cleanup_free_ char *drivers = NULL;
        _cleanup_string_list_ char **links = NULL;
        char target[PATH_MAX];

        if (!directory || !strstr(name, "vfio"))
                return;
        tar_add_directory(&saving->tar, directory);
        drivers = join(saving, directory, "drivers");
        if (!drivers || host_list_directory(saving->root, drivers, NAMES_MAX, &links) < 0)
                return;
        for (char **link = links; link && *link; link++)
                (void) copy_link(saving, drivers, *link, target);
}

static void save_kernel(Saving *saving)
{
        static const char *const files[] = { "proc/cmdline", "proc/interrupts", "proc/cpuinfo",
                "sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
                "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
                "var/lib/vfio-bindd/host-devices" };
        const char *release = saving->machine->snapshot->kernel_release;
        _cleanup_free_ char *directory = release ? join(saving, "lib/modules", release) : NULL;
        _cleanup_string_list_ char **tables = NULL;

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                copy_file(saving, files[i]);
        if (release)
                tar_add_text(&saving->tar, "proc/sys/kernel/osrelease", release);
        if (!directory || host_list_directory(saving->root, directory, NAMES_MAX, &tables) < 0)
                return;
        for (char **table = tables; table && *table; table++)
                if (startswith(*table, "modules."))
                        copy_file_of(saving, directory, *table);
}

/* That the firmware has such a table says enough. */
static void save_tables(Saving *saving)
{
        static const char *const tables[] = { "sys/firmware/acpi/tables/DMAR",
                "sys/firmware/acpi/tables/IVRS" };

        for (size_t i = 0; saving->error >= 0 && i < ELEMENTSOF(tables); i++)
                if (faccessat(saving->root, tables[i], F_OK, 0) == 0)
                        tar_add_text(&saving->tar, tables[i], "");
}

/* Is it enabled, or masked? */
static void save_switch(Saving *saving)
{
        static const char *const directories[] = { "etc/systemd/system", "run/systemd/system" };
        static const char unit[] = "vfio-bindd-early.service";
        char target[PATH_MAX];

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                if (copy_link(saving, directories[i], unit, target) == 0)
                        copy_file_of(saving, directories[i], unit);
                (void) copy_link(saving, directories[i],
                        "sysinit.target.wants/vfio-bindd-early.service", target);
        }
}

/* Of all accounts those alone that own nodes. A name that is a number, or unknown, has no line. */
static void save_accounts(Saving *saving)
{
        const Config *config = saving->machine->config;
        const Host *host = &saving->machine->host;
        _cleanup_free_ char *users = NULL, *groups = NULL;
        Buffer user_lines = {}, group_lines = {};

        for (size_t i = 0; saving->error >= 0 && i < config->n_claims; i++) {
                const ClaimSettings *settings = &config->claims[i].settings;
                uid_t uid;
                gid_t gid;

                if (account_find_user(host, settings->node_user, host->is_live, &uid) >= 0)
                        buffer_printf(&user_lines, "%s:x:%u:%u::/:/bin/false\n",
                                settings->node_user, (unsigned) uid, (unsigned) uid);
                if (account_find_group(host, settings->node_group, host->is_live, &gid) >= 0)
                        buffer_printf(&group_lines, "%s:x:%u:\n", settings->node_group,
                                (unsigned) gid);
        }
        if (buffer_finish(&user_lines, &users) < 0 || buffer_finish(&group_lines, &groups) < 0)
                saving->error = -ENOMEM;
        if (saving->error < 0) {
                buffer_done(&group_lines);
                return;
        }
        tar_add_text(&saving->tar, "etc/passwd", users);
        tar_add_text(&saving->tar, "etc/group", groups);
}

/* What else binds, or limits who uses devices. */
static void save_other_tools(Saving *saving)
{
        static const char *const directories[] = { "etc/driverctl.d", "etc/modprobe.d",
                "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d",
                "etc/security/limits.d", "etc/udev/rules.d" };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                _cleanup_string_list_ char **names = NULL;

                if (saving->error < 0 || host_list_directory(saving->root, directories[i],
                                                 NAMES_MAX, &names) < 0)
                        continue;
                for (char **name = names; name && *name; name++)
                        copy_file_of(saving, directories[i], *name);
        }
        copy_file(saving, "etc/security/limits.conf");
}

static void add_record(Saving *saving, const char *directory, const PciAddress *address,
        char *text)
{
        _cleanup_free_ char *path = join(saving, directory, PCI_ADDRESS_TEXT(address));

        if (path)
                tar_add_text(&saving->tar, path, text);
        free(text);
}

static void save_record(Saving *saving, const Device *device)
{
        char *text;

        if (!device->record || saving->error < 0)
                return;
        saving->error = record_text_format(device->record, 0, &text);
        if (saving->error < 0)
                return;
        add_record(saving, "run/vfio-bindd/functions", &device->address, text);
        if (!device->record->has_original || saving->error < 0)
                return;
        saving->error = record_text_format_original(device->record, 0, &text);
        if (saving->error >= 0)
                add_record(saving, "run/vfio-bindd/originals", &device->address, text);
}

static void save_uses(Saving *saving)
{
        _cleanup_free_ char *text = NULL;

        if (saving->error >= 0)
                saving->error = guard_format_saved(saving->machine->snapshot, &text);
        if (saving->error >= 0)
                tar_add_text(&saving->tar, GUARD_SAVED, text);
}

static int save(const Machine *machine, FILE *file)
{
        const Snapshot *snapshot = machine->snapshot;
        Saving saving = { .machine = machine, .root = machine->host.root,
                          .tar = { .file = file, .time_sec = now_realtime() / USEC_PER_SEC } };

        tar_add_directory(&saving.tar, "sys/bus/pci/devices");
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                save_device(&saving, &snapshot->devices[i]);
                save_record(&saving, &snapshot->devices[i]);
        }
        copy_names(&saving, "sys/bus/pci/drivers", "");
        save_each(&saving, "sys/bus/pci/slots", "", save_slot);
        save_each(&saving, "sys/kernel/iommu_groups", "", save_group);
        save_each(&saving, "sys/module", "", save_module);
        save_kernel(&saving);
        save_tables(&saving);
        save_switch(&saving);
        save_accounts(&saving);
        save_other_tools(&saving);
        for (char **path = machine->config->files; path && *path; path++)
                copy_file(&saving, *path + strspn(*path, "/"));
        save_uses(&saving);
        tar_finish(&saving.tar);
        if (saving.error < 0)
                return saving.error;
        errno = 0;
        return fflush(file) != 0 || ferror(file) ? (errno > 0 ? -errno : -EIO) : 0;
}

/* Whoever runs this as root gets what others may not read, and may be in a directory of theirs: a
 * file that is there already is to be his own. */
static FILE *open_private(const char *path)
{
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0600);
        struct stat status;

        if (fd < 0 || fstat(fd, &status) < 0)
                return NULL;
        if (S_ISREG(status.st_mode) && status.st_uid != geteuid()) {
                errno = EPERM;
                return NULL;
        }
        if (S_ISREG(status.st_mode) && ftruncate(fd, 0) < 0)
                return NULL;
        FILE *file = fdopen(fd, "we");
        if (file)
                (void) TAKE_FD(fd);
        return file;
}

static FILE *open_output(const Options *options)
{
        FILE *file;

        if (!options->output || streq(options->output, "-")) {
                if (!isatty(STDOUT_FILENO))
                        return stdout;
                complain("That is nothing for a terminal: name a file with -o, or redirect the "
                         "output.");
                return NULL;
        }
        file = open_private(options->output);
        if (!file)
                complain("Cannot write %s: %s.", options->output, strerror(errno));
        return file;
}

static int run(const Options *options)
{
        MachineOptions look = { .root = options->root,
                                .facts = SNAPSHOT_FACT_SLOTS | SNAPSHOT_FACT_SERIALS |
                                        SNAPSHOT_FACT_DETAILS };
        _cleanup_machine_ Machine *machine = NULL;
        const char *what = "write the snapshot";
        FILE *file;
        int r;

        if (options->json != JSON_OFF) {
                complain("snapshot writes an archive, which has no --json=.");
                return EXIT_CODE_USAGE;
        }
        file = open_output(options);
        if (!file)
                return EXIT_CODE_FAILED;
        r = machine_look(&look, &machine, &what);
        if (r >= 0)
                r = save(machine, file);
        if (file != stdout && fclose(file) != 0 && r >= 0)
                r = -errno;
        if (r < 0)
                complain_errno(r, what);
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

const Verb verb_snapshot = {
        .name = "snapshot",
        .arguments = NULL,
        .summary = "Save what --root= needs, as a tar archive",
        .help = "Writes a tar archive of all that decides what is bound: the devices, their\n"
                "groups and drivers, what the host uses, the configuration, the state. Unpacked,\n"
                "\"vfio-bindctl --root=DIR\" shows and plans as on this machine, for a look from\n"
                "elsewhere or a report of an error. Run it as root: what others may not read is\n"
                "left out. It holds names of files, interfaces and processes, serial numbers\n"
                "of this machine, and modprobe.d. What libvirt, memory maps and boot loaders\n"
                "are told is not in it: doctor and import are silent about that.\n"
                "\n"
                "Options:\n"
                "  -o, --output=FILE       Where to; without it, to standard output\n",
        .options = VERB_OPTION_OUTPUT,
        .run = run,
};
