/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* System use: what is mounted, swapped to, or resumed from (proc(5), "mountinfo", "swaps"). */

#define FILE_MAX       (64U << 20)
#define POOL_CACHE_MAX (16U << 20)
#define FILESYSTEMS    4096
#define HOST_REMEDY    "The host runs from it, choose another device"

typedef struct Mount {
        unsigned major_number, minor_number;
        const char *point, *type, *source;
} Mount;

typedef struct Mounts {
        Guard *guard;
        bool has_zfs;
} Mounts;

/* "\040" and the like, in place. */
static void unescape(char *text)
{
        char *out = text;

        for (char *p = text; *p; p++) {
                if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
                    p[3] >= '0' && p[3] <= '7') {
                        *out++ = (char) ((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
                        p += 3;
                } else {
                        *out++ = *p;
                }
        }
        *out = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
static bool parse_mount(char *line, Mount *ret)
{
        char *rest = NULL, *fields[6], *field = strtok_r(line, " ", &rest);
        uint64_t major_number, minor_number;
        size_t n = 0;

        for (; field && n < ELEMENTSOF(fields); field = strtok_r(NULL, " ", &rest))
                fields[n++] = field;
        while (field && !streq(field, "-"))
                field = strtok_r(NULL, " ", &rest);
        char *type = field ? strtok_r(NULL, " ", &rest) : NULL;
        char *source = type ? strtok_r(NULL, " ", &rest) : NULL;
        if (!source)
                return false;

        char *colon = strchr(fields[2], ':');
        if (!colon)
                return false;
        *colon = '\0';
        if (parse_unsigned(fields[2], UINT32_MAX, &major_number) < 0 ||
            parse_unsigned(colon + 1, UINT32_MAX, &minor_number) < 0)
                return false;
        unescape(fields[4]);
        unescape(source);
        *ret = (Mount){
                .major_number = (unsigned) major_number,
                .minor_number = (unsigned) minor_number,
                .point = fields[4],
                .type = type,
                .source = source,
        };
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

/* The name people know: what was mounted, unless that is not a name of a node. */
static int name_of(const Mount *mount, const char *directory, char **ret)
{
        _cleanup_free_ char *name = NULL;

        if (startswith(mount->source, "/dev/") && !streq(mount->source, "/dev/root"))
                return guard_printable(mount->source, ret);
        const char *slash = strrchr(directory, '/');
        int r = format_string(&name, "/dev/%s", slash ? slash + 1 : directory);
        return r < 0 ? r : guard_printable(name, ret);
}

static int add_mounted(Guard *guard, const Mount *mount, const char *directory)
{
        _cleanup_free_ char *name = NULL, *point = NULL, *what = NULL;

        int r = name_of(mount, directory, &name);
        if (r == 0)
                r = guard_printable(mount->point, &point);
        if (r == 0)
                r = format_string(&what, "%s is mounted on %s", name, point);
        if (r < 0)
                return r;
        return guard_block_add(guard, directory, what,
                is_of_the_host(mount->point) ? HOST_REMEDY : "Unmount it");
}

/* A file system with a number of its own (btrfs, bcachefs) names its device or devices only. */
static int add_sources(Guard *guard, const Mount *mount)
{
        _cleanup_free_ char *sources = strdup(mount->source);
        char *rest = NULL;

        if (!sources)
                return -ENOMEM;
        for (char *source = strtok_r(sources, ":", &rest); source;
             source = strtok_r(NULL, ":", &rest)) {
                _cleanup_free_ char *directory = NULL;
                Mount part = *mount;

                int r = guard_block_find_node(guard->host, source, &directory);
                part.source = source;
                if (r == 0)
                        r = add_mounted(guard, &part, directory);
                if (scan_error_is_fatal(r))
                        return r;
        }
        return 0;
}

static int add_mount(Mounts *mounts, const Mount *mount)
{
        _cleanup_free_ char *directory = NULL;

        if (streq(mount->type, "zfs"))
                mounts->has_zfs = true;
        if (mount->major_number == 0)
                return startswith(mount->source, "/dev/") ? add_sources(mounts->guard, mount) : 0;

        int r = guard_block_find_number(mounts->guard->host, mount->major_number,
                mount->minor_number, &directory);
        if (r == 0)
                r = add_mounted(mounts->guard, mount, directory);
        return scan_error_is_fatal(r) ? r : 0;
}

static int read_mounts(Mounts *mounts, const char *path)
{
        _cleanup_free_ char *text = NULL;
        char *lines = NULL;

        int r = read_file_at(mounts->guard->host->root, path, FILE_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                Mount mount;

                r = parse_mount(line, &mount) ? add_mount(mounts, &mount) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Those of the first process too: a service's own view may have less. Blind without either. */
static int scan_mounts(Mounts *mounts)
{
        _cleanup_free_ char *what = NULL;

        int first = read_mounts(mounts, "proc/1/mountinfo");
        if (first == -ENOMEM)
                return first;
        int own = read_mounts(mounts, "proc/self/mountinfo");
        if (own == -ENOMEM || own == 0 || first == 0)
                return own == -ENOMEM ? own : 0;

        int r = format_string(&what, "the mounted file systems cannot be read (%s)",
                strerror(-own));
        if (r == 0)
                r = guard_add_blind(mounts->guard, 0x01, what,
                        "See to it that /proc/self/mountinfo is readable");
        if (r == 0) /* the root may be on the network */
                r = guard_add_blind(mounts->guard, 0x02, what,
                        "See to it that /proc/self/mountinfo is readable");
        return r;
}

/* Mount lists name one device of a btrfs; sysfs has all of them while it is mounted. */
static int scan_btrfs(Guard *guard)
{
        _cleanup_string_list_ char **systems = NULL;

        int r = host_list_directory(guard->host->root, "sys/fs/btrfs", FILESYSTEMS, &systems);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **uuid = systems; uuid && *uuid; uuid++) {
                _cleanup_string_list_ char **names = NULL;
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "sys/fs/btrfs/%s/devices", *uuid);
                if (r == 0)
                        r = host_list_directory(guard->host->root, path, FILESYSTEMS, &names);
                if (scan_error_is_fatal(r))
                        return r;
                for (char **name = names; name && *name; name++) {
                        _cleanup_free_ char *directory = NULL, *what = NULL;

                        r = guard_block_find_name(guard->host, *name, &directory);
                        if (r == 0)
                                r = format_string(&what,
                                        "/dev/%s belongs to a mounted btrfs file system", *name);
                        if (r == 0)
                                r = guard_block_add(guard, directory, what, "Unmount it");
                        if (scan_error_is_fatal(r))
                                return r;
                }
        }
        return 0;
}

/* The names in the cache of pools, a packed list of names and values: every text in it that is a
 * path of a node. */
static int add_pool_devices(Guard *guard, const char *data, size_t length, size_t *ret_n)
{
        for (size_t i = 0; i + 5 < length; i++) {
                _cleanup_free_ char *directory = NULL, *what = NULL, *shown = NULL;

                if (memcmp(data + i, "/dev/", 5) != 0)
                        continue;
                /* read_file_at() ends the data with NUL. */
                const char *node = data + i;
                i += strlen(node);
                int r = guard_block_find_node(guard->host, node, &directory);
                if (r == 0)
                        r = guard_printable(node, &shown);
                if (r == 0)
                        r = format_string(&what, "%s belongs to a ZFS pool in use", shown);
                if (r == 0)
                        r = guard_block_add(guard, directory, what,
                                "Export the pool with \"zpool export\"");
                if (scan_error_is_fatal(r))
                        return r;
                if (r == 0)
                        (*ret_n)++;
        }
        return 0;
}

/* Neither /proc nor /sys tells what a pool is made of. */
static int scan_zfs(Guard *guard)
{
        _cleanup_free_ char *data = NULL;
        size_t length = 0, n = 0;

        int r = read_file_at(guard->host->root, "etc/zfs/zpool.cache", POOL_CACHE_MAX, &data,
                &length);
        if (r == 0)
                r = add_pool_devices(guard, data, length, &n);
        if (r == -ENOMEM)
                return r;
        if (n > 0)
                return 0;
        return guard_add_blind(guard, 0x01,
                "a ZFS pool is in use and /etc/zfs/zpool.cache does not tell its devices",
                "Set the pool's cachefile property, or export the pool");
}

static int add_swap(Guard *guard, const char *node)
{
        _cleanup_free_ char *directory = NULL, *what = NULL, *remedy = NULL, *shown = NULL;

        int r = guard_block_find_node(guard->host, node, &directory);
        if (r == 0)
                r = guard_printable(node, &shown);
        if (r == 0)
                r = format_string(&what, "%s is swap space in use", shown);
        if (r == 0)
                r = format_string(&remedy, "Run \"swapoff %s\"", shown);
        if (r == 0)
                r = guard_block_add(guard, directory, what, remedy);
        return scan_error_is_fatal(r) ? r : 0;
}

/* A swap file is on a mounted file system, which is noted already. */
static int scan_swaps(Guard *guard)
{
        _cleanup_free_ char *text = NULL, *what = NULL;
        char *lines = NULL;

        int r = read_file_at(guard->host->root, "proc/swaps", FILE_MAX, &text, NULL);
        if (r == -ENOENT || r == -ENOMEM)
                return r == -ENOMEM ? r : 0; /* a kernel without swap */
        if (r < 0) {
                r = format_string(&what, "the swap spaces cannot be read (%s)", strerror(-r));
                return r < 0 ? r : guard_add_blind(guard, 0x01, what,
                                           "See to it that /proc/swaps is readable");
        }
        for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                char *rest = NULL;
                char *node = strtok_r(line, " \t", &rest);
                char *type = strtok_r(NULL, " \t", &rest);

                if (!type || !streq(type, "partition"))
                        continue;
                unescape(node);
                r = add_swap(guard, node);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* "259:3", "0:0" without one. */
static int scan_resume(Guard *guard)
{
        _cleanup_free_ char *directory = NULL;
        uint64_t major_number, minor_number;
        char text[32];

        if (read_attribute_at(guard->host->root, "sys/power/resume", text, sizeof(text)) <= 0)
                return 0;
        char *colon = strchr(text, ':');
        if (!colon)
                return 0;
        *colon = '\0';
        if (parse_unsigned(text, UINT32_MAX, &major_number) < 0 || major_number == 0 ||
            parse_unsigned(colon + 1, UINT32_MAX, &minor_number) < 0)
                return 0;
        int r = guard_block_find_number(guard->host, (unsigned) major_number,
                (unsigned) minor_number, &directory);
        if (r == 0)
                r = guard_block_add(guard, directory,
                        "the host resumes from it after hibernation",
                        "Take \"resume=\" off the kernel command line");
        return scan_error_is_fatal(r) ? r : 0;
}

int guard_scan_block(Guard *guard)
{
        Mounts mounts = {.guard = guard};

        int r = scan_mounts(&mounts);
        if (r == 0)
                r = scan_btrfs(guard);
        if (r == 0 && mounts.has_zfs)
                r = scan_zfs(guard);
        if (r == 0)
                r = scan_swaps(guard);
        return r < 0 ? r : scan_resume(guard);
}
