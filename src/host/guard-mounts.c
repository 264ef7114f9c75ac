/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/array.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* System use: what is mounted (proc(5), "mountinfo"). */

#define FILE_MAX    (64U << 20)
#define HOST_REMEDY "The host runs from it, choose another device"

typedef struct Mount {
        uint64_t identifier;
        unsigned major_number, minor_number;
        const char *point, *type, *source;
        char *options; /* of the file system */
} Mount;

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool parse_mount(char *line, Mount *ret)
{
        char *rest = NULL, *fields[6], *field = strtok_r(line, " ", &rest);
        Mount mount = {};
        size_t n = 0;

        for (; field && n < ELEMENTSOF(fields); field = strtok_r(NULL, " ", &rest))
                fields[n++] = field;
        while (field && !streq(field, "-"))
                field = strtok_r(NULL, " ", &rest);
        mount.type = field ? strtok_r(NULL, " ", &rest) : NULL;
        char *source = mount.type ? strtok_r(NULL, " ", &rest) : NULL;
        if (!source)
                return false;
        mount.options = strtok_r(NULL, " ", &rest);

        if (parse_unsigned(fields[0], UINT64_MAX, &mount.identifier) < 0 ||
            !guard_parse_number(fields[2], &mount.major_number, &mount.minor_number))
                return false;
        guard_unescape(fields[4]);
        guard_unescape(source);
        mount.point = fields[4];
        mount.source = source;
        *ret = mount;
        return true;
}

/* Unmounting these is no advice to give. */
static bool is_of_the_host(const char *point)
{
        static const char *const points[] = {"/", "/usr", "/boot", "/boot/efi", "/efi", "/var"};

        for (size_t i = 0; i < ELEMENTSOF(points); i++)
                if (streq(point, points[i]))
                        return true;
        return false;
}

/* The name people know: what was mounted, unless that is not a name of a node. `directory` is that
 * of the block device, NULL: it is on none. */
static int name_of(const Mount *mount, const char *directory, char **ret)
{
        _cleanup_free_ char *name = NULL;

        if (!directory ||
            (startswith(mount->source, "/dev/") && !streq(mount->source, "/dev/root")))
                return guard_printable(mount->source, ret);
        int r = format_string(&name, "/dev/%s", guard_name(directory));
        return r < 0 ? r : guard_printable(name, ret);
}

static int describe(const Guard *guard, const Mount *mount, const char *directory, char **ret)
{
        _cleanup_free_ char *name = NULL, *point = NULL;

        int r = name_of(mount, directory, &name);
        if (r == 0)
                r = guard_printable(mount->point, &point);
        if (r < 0)
                return r;
        return guard->namespace_owner ?
                format_string(ret, "%s is mounted on %s as %s sees it", name, point,
                        guard->namespace_owner) :
                format_string(ret, "%s is mounted on %s", name, point);
}

static int add_mounted(Guard *guard, const Mount *mount, const char *directory)
{
        _cleanup_free_ char *what = NULL;
        const char *remedy = "Unmount it";

        int r = describe(guard, mount, directory, &what);
        if (r < 0)
                return r;
        if (guard->namespace_owner)
                remedy = "Stop that program, or unmount it there";
        else if (is_of_the_host(mount->point))
                remedy = HOST_REMEDY;
        return guard_block_add(guard, directory, what, remedy);
}

static int add_node(Guard *guard, const Mount *mount, const char *node, bool *ret_found)
{
        _cleanup_free_ char *directory = NULL;
        Mount part = *mount;

        int r = guard_block_find_node(guard->host, node, &directory);
        part.source = node;
        if (r == 0) {
                *ret_found = true;
                r = add_mounted(guard, &part, directory);
        }
        return scan_error_is_fatal(r) ? r : 0;
}

static bool has_many_devices(const char *type)
{
        return streq(type, "btrfs") || streq(type, "bcachefs");
}

/* sysfs has all devices of a btrfs and of a bcachefs while it is mounted. */
static bool is_in_sysfs(const Guard *guard, const char *type)
{
        _cleanup_string_list_ char **names = NULL;
        char path[64];

        (void) snprintf(path, sizeof(path), "sys/fs/%s", type);
        if (host_list_directory(guard->host->root, path, 64, &names) < 0)
                return false;
        for (char **name = names; name && *name; name++)
                if (strchr(*name, '-')) /* a UUID */
                        return true;
        return false;
}

/* A file system with a number of its own (btrfs, bcachefs) names its device or devices only. */
static int add_sources(Guard *guard, const Mount *mount)
{
        _cleanup_free_ char *sources = strdup(mount->source), *what = NULL, *shown = NULL;
        bool is_found = false;
        char *rest = NULL;
        int r = 0;

        if (!sources)
                return -ENOMEM;
        for (char *source = strtok_r(sources, ":", &rest); r == 0 && source;
             source = strtok_r(NULL, ":", &rest))
                r = add_node(guard, mount, source, &is_found);
        if (r < 0 || is_found || !has_many_devices(mount->type) ||
            is_in_sysfs(guard, mount->type))
                return r;
        r = guard_printable(mount->source, &shown);
        if (r == 0)
                r = format_string(&what, "it cannot be told which device the mounted %s is on",
                        shown);
        return r < 0 ? r : guard_add_blind(guard, GUARD_STORAGE, what, "Unmount it");
}

/* xfs(5): an external log, a realtime device. */
static int add_options(Guard *guard, const Mount *mount)
{
        static const char *const names[] = {"logdev=", "rtdev="};
        char *rest = NULL;

        if (!mount->options || !streq(mount->type, "xfs"))
                return 0;
        for (char *option = strtok_r(mount->options, ",", &rest); option;
             option = strtok_r(NULL, ",", &rest))
                for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                        char *node = (char *) startswith(option, names[i]);
                        bool is_found;
                        int r;

                        if (!node)
                                continue;
                        guard_unescape(node);
                        r = add_node(guard, mount, node, &is_found);
                        if (r < 0)
                                return r;
                }
        return 0;
}

/* What the hypervisor shares (9p, virtiofs) names its device by a tag, which sysfs does not know
 * everywhere: it may be on any function that does such a thing. */
static int add_shared(Guard *guard, const Mount *mount, const char *driver)
{
        _cleanup_free_ char *what = NULL;

        int r = describe(guard, mount, NULL, &what);
        return r < 0 ? r : guard_add_by_virtio(guard, driver, IN_USE_SYSTEM, what, HOST_REMEDY);
}

static int add_without_device(Guard *guard, const Mount *mount)
{
        if (streq(mount->type, "virtiofs"))
                return add_shared(guard, mount, "virtiofs");
        if (streq(mount->type, "9p"))
                return add_shared(guard, mount, "9pnet_virtio");
        return startswith(mount->source, "/dev/") ? add_sources(guard, mount) : 0;
}

/* Containers have copies of the same mounts: each device is named once for all of them. */
static int is_named_already(Guard *guard, const Mount *mount, bool *ret)
{
        dev_t number = makedev(mount->major_number, mount->minor_number);

        *ret = false;
        if (mount->major_number == 0)
                return 0;
        for (size_t i = 0; i < guard->n_mounted && !*ret; i++)
                *ret = guard->mounted[i] == number;
        if (*ret)
                return 0;
        int r = ARRAY_GROW(guard->mounted, guard->n_mounted);
        if (r == 0)
                guard->mounted[guard->n_mounted++] = number;
        return r;
}

/* Those whose servers may be gone for ever; looking at a file there would wait for them. */
static int take_network_mount(Guard *guard, const Mount *mount)
{
        static const char *const types[] = {
                "nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "lustre", "orangefs", "ocfs2",
                "gfs2", "coda",
        };
        bool is_network = startswith(mount->type, "fuse");

        for (size_t i = 0; i < ELEMENTSOF(types) && !is_network; i++)
                is_network = streq(mount->type, types[i]);
        if (!is_network)
                return 0;
        int r = ARRAY_GROW(guard->network_mounts, guard->n_network_mounts);
        if (r == 0)
                guard->network_mounts[guard->n_network_mounts++] = mount->identifier;
        return r;
}

static int add_mount(Guard *guard, const Mount *mount)
{
        _cleanup_free_ char *directory = NULL;
        bool is_known = false;

        if (streq(mount->type, "zfs"))
                guard->has_zfs = true;
        int r = take_network_mount(guard, mount);
        if (r == 0)
                r = is_named_already(guard, mount, &is_known);
        if (r < 0 || (is_known && guard->namespace_owner))
                return r;
        if (mount->major_number == 0)
                return add_without_device(guard, mount);
        r = guard_block_find_number(guard->host, mount->major_number, mount->minor_number,
                &directory);
        if (r == 0)
                r = add_mounted(guard, mount, directory);
        if (r == 0)
                r = add_options(guard, mount);
        return scan_error_is_fatal(r) ? r : 0;
}

int guard_read_mounts(Guard *guard, int directory, const char *path, size_t *ret_length)
{
        _cleanup_free_ char *text = NULL;
        char *lines = NULL;

        int r = read_file_at(directory, path, FILE_MAX, &text, ret_length);
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                Mount mount;

                r = parse_mount(line, &mount) ? add_mount(guard, &mount) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

bool guard_is_network_mount(const Guard *guard, int process, const char *descriptor)
{
        char path[64], text[1024];
        uint64_t identifier;

        if (guard->n_network_mounts == 0)
                return false;
        if (strlen(descriptor) > 20)
                return true;
        (void) snprintf(path, sizeof(path), "fdinfo/%s", descriptor);
        _cleanup_close_ int fd = openat(process, path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return true;
        text[n] = '\0';
        char *number = strstr(text, "mnt_id:");
        if (!number)
                return true;
        number += strlen("mnt_id:");
        number += strspn(number, " \t");
        number[strcspn(number, "\n")] = '\0';
        if (parse_unsigned(number, UINT64_MAX, &identifier) < 0)
                return true;
        for (size_t i = 0; i < guard->n_network_mounts; i++)
                if (guard->network_mounts[i] == identifier)
                        return true;
        return false;
}

/* Those of the first process too: a service's own view may have less. Blind without either. */
int guard_scan_mounts(Guard *guard)
{
        static const char remedy[] = "See to it that /proc/self/mountinfo is readable";
        _cleanup_free_ char *what = NULL;

        int first = guard_read_mounts(guard, guard->host->root, "proc/1/mountinfo", NULL);
        if (first == -ENOMEM)
                return first;
        int own = guard_read_mounts(guard, guard->host->root, "proc/self/mountinfo", NULL);
        if (own == -ENOMEM || own == 0 || first == 0)
                return own == -ENOMEM ? own : 0;

        int r = format_string(&what, "the mounted file systems cannot be read (%s)",
                strerror(-own));
        if (r == 0)
                r = guard_add_blind(guard, GUARD_STORAGE, what, remedy);
        if (r == 0) /* the root may be on the network */
                r = guard_add_blind(guard, GUARD_NETWORK, what, remedy);
        return r;
}
