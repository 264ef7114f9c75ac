/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "host/guard-block.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* From a block device down to the functions below it: partitions have their disk above them in
 * the path, dm and md devices list what they are made of in slaves/, and a multipath NVMe disk
 * belongs to a virtual subsystem that links its controllers. */

#define DEPTH_MAX   16
#define DEVICES_MAX 4096 /* of one walk, and entries of one directory */
#define LINKS_MAX   8

typedef struct Walk {
        Guard *guard;
        const char *what, *remedy;
        bool is_more; /* says something new only of functions that are not in use yet */
        char **seen;
} Walk;

static int walk_directory(Walk *walk, const char *directory, unsigned depth);

int guard_block_find_name(const Host *host, const char *name, char **ret)
{
        _cleanup_free_ char *path = NULL;

        if (isempty(name) || strchr(name, '/') || name[0] == '.')
                return -ENOENT;
        int r = format_string(&path, "sys/class/block/%s", name);
        return r < 0 ? r : guard_resolve_link(host, path, ret);
}

int guard_block_find_number(const Host *host, unsigned major_number, unsigned minor_number,
        char **ret)
{
        char path[64];

        (void) snprintf(path, sizeof(path), "sys/dev/block/%u:%u", major_number, minor_number);
        return guard_resolve_link(host, path, ret);
}

/* By name alone: "/dev/mapper/root" → "/dev/dm-0" → "dm-0"; "/dev/cciss/c0d0" → "cciss!c0d0". */
static int find_node_by_links(const Host *host, const char *node, char **ret)
{
        _cleanup_free_ char *path = NULL;

        int r = format_string(&path, "%s", node + 1);
        for (unsigned i = 0; r == 0 && i < LINKS_MAX; i++) {
                char *target;

                r = guard_resolve_link(host, path, &target);
                if (r == -ENOENT) {
                        r = 0;
                        break;
                }
                if (r == 0) {
                        free(path);
                        path = target;
                }
        }
        if (r < 0)
                return r;

        char *name = (char *) startswith(path, "dev/");
        if (!name)
                return -ENOENT;
        for (char *p = name; *p; p++)
                if (*p == '/')
                        *p = '!';
        return guard_block_find_name(host, name, ret);
}

int guard_block_find_node(const Host *host, const char *node, char **ret)
{
        struct stat status;

        if (!startswith(node, "/dev/") || strstr(node, "/../"))
                return -ENOENT;
        if (host->is_live && stat(node, &status) == 0 && S_ISBLK(status.st_mode))
                return guard_block_find_number(host, major(status.st_rdev),
                        minor(status.st_rdev), ret);
        return find_node_by_links(host, node, ret);
}

static bool is_controller_name(const char *name)
{
        const char *digits = startswith(name, "nvme");
        uint64_t number;

        return digits && parse_unsigned(digits, UINT32_MAX, &number) == 0;
}

/* /sys/devices/virtual/nvme-subsystem/nvme-subsysN links nvmeM of every controller, be its path
 * in use at the moment or not. */
int guard_block_list_controllers(const Host *host, const char *directory, char ***list)
{
        static const char tag[] = "/nvme-subsystem/";
        _cleanup_free_ char *subsystem = NULL;
        _cleanup_string_list_ char **names = NULL;

        const char *begin = strstr(directory, tag);
        if (!begin)
                return 0;
        const char *name = begin + strlen(tag);
        size_t length = (size_t) (name - directory) + strcspn(name, "/");
        subsystem = strndup(directory, length);
        if (!subsystem)
                return -ENOMEM;

        int r = host_list_directory(host->root, subsystem, DEVICES_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **entry = names; entry && *entry; entry++) {
                _cleanup_free_ char *link = NULL, *controller = NULL;

                if (!is_controller_name(*entry))
                        continue;
                r = format_string(&link, "%s/%s", subsystem, *entry);
                if (r == 0)
                        r = guard_resolve_link(host, link, &controller);
                if (r == 0)
                        r = string_list_append(list, controller);
                if (r == -ENOMEM)
                        return r;
        }
        return 0;
}

static int note_path(Walk *walk, const char *path)
{
        const UseNote note = {
                .use = IN_USE_SYSTEM, .what = (char *) walk->what, .remedy = (char *) walk->remedy,
        };
        Device *devices[GUARD_PATH_MAX];
        size_t n = guard_find_in_path(walk->guard, path, devices, GUARD_PATH_MAX);

        for (size_t i = 0; i < n; i++) {
                if (walk->is_more && guard_has_system_use(devices[i]))
                        continue;
                int r = guard_add_note(devices[i], &note);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int note_owners(Walk *walk, const char *directory)
{
        _cleanup_string_list_ char **owners = NULL;

        int r = guard_node_owners(walk->guard, directory, &owners);
        for (char **owner = owners; r == 0 && *owner; owner++)
                r = note_path(walk, *owner);
        return r;
}

static int walk_slaves(Walk *walk, const char *directory, unsigned depth)
{
        _cleanup_free_ char *slaves = NULL;
        _cleanup_string_list_ char **names = NULL;

        int r = format_string(&slaves, "%s/slaves", directory);
        if (r < 0)
                return r;
        r = host_list_directory(walk->guard->host->root, slaves, DEVICES_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; name && *name; name++) {
                _cleanup_free_ char *below = NULL;

                r = guard_block_find_name(walk->guard->host, *name, &below);
                if (r == 0)
                        r = walk_directory(walk, below, depth + 1);
                if (scan_error_is_fatal(r))
                        return r;
        }
        return 0;
}

/* A loop device may stand on another device as well as on a file; a file's file system is mounted,
 * and noted by that. */
static int walk_loop(Walk *walk, const char *directory, unsigned depth)
{
        _cleanup_free_ char *path = NULL, *below = NULL;
        char node[PATH_MAX];

        if (!startswith(guard_name(directory), "loop"))
                return 0;
        int r = format_string(&path, "%s/loop/backing_file", directory);
        if (r < 0)
                return r;
        if (read_attribute_at(walk->guard->host->root, path, node, sizeof(node)) <= 0)
                return 0;
        r = guard_block_find_node(walk->guard->host, node, &below);
        if (r == 0)
                return walk_directory(walk, below, depth + 1);
        return scan_error_is_fatal(r) ? r : 0;
}

static int walk_link(Walk *walk, const char *link, unsigned depth)
{
        _cleanup_free_ char *target = NULL;

        int r = guard_resolve_link(walk->guard->host, link, &target);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        char *slash = strrchr(target, '/');
        if (!slash || !streq(slash, "/bcache"))
                return 0;
        *slash = '\0';
        return walk_directory(walk, target, depth + 1);
}

/* drivers/md/bcache/super.c: bcacheN/bcache → DISK/bcache of the backing device, its link "cache"
 * to the set, whose links "cacheN" lead to DISK/bcache of the caches. */
static int walk_bcache(Walk *walk, const char *directory, unsigned depth)
{
        _cleanup_free_ char *link = NULL, *backing = NULL, *cache = NULL, *set = NULL;
        _cleanup_string_list_ char **names = NULL;

        if (!startswith(guard_name(directory), "bcache"))
                return 0;
        int r = format_string(&link, "%s/bcache", directory);
        if (r == 0)
                r = walk_link(walk, link, depth);
        if (r < 0)
                return r;
        r = guard_resolve_link(walk->guard->host, link, &backing);
        if (r == 0)
                r = format_string(&cache, "%s/cache", backing);
        if (r == 0)
                r = guard_resolve_link(walk->guard->host, cache, &set);
        if (r == 0)
                r = host_list_directory(walk->guard->host->root, set, DEVICES_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; name && *name; name++) {
                _cleanup_free_ char *entry = NULL;

                if (!startswith(*name, "cache"))
                        continue;
                r = format_string(&entry, "%s/%s", set, *name);
                if (r == 0)
                        r = walk_link(walk, entry, depth);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The disk of a partition: that of an md or dm device has the slaves. */
static int walk_parent(Walk *walk, const char *directory, unsigned depth)
{
        _cleanup_free_ char *parent = NULL, *partition = NULL;
        const char *slash = strrchr(directory, '/');

        int r = format_string(&partition, "%s/partition", directory);
        if (r < 0)
                return r;
        if (!slash || faccessat(walk->guard->host->root, partition, F_OK, 0) < 0)
                return 0;
        parent = strndup(directory, (size_t) (slash - directory));
        return parent ? walk_directory(walk, parent, depth + 1) : -ENOMEM;
}

static int walk_directory(Walk *walk, const char *directory, unsigned depth)
{
        if (depth == DEPTH_MAX || string_list_contains(walk->seen, directory) ||
            string_list_length(walk->seen) == DEVICES_MAX)
                return 0;
        int r = string_list_append(&walk->seen, directory);
        if (r == 0)
                r = note_owners(walk, directory);
        if (r == 0)
                r = walk_slaves(walk, directory, depth);
        if (r == 0)
                r = walk_loop(walk, directory, depth);
        if (r == 0)
                r = walk_bcache(walk, directory, depth);
        return r < 0 ? r : walk_parent(walk, directory, depth);
}

static int walk_from(Walk *walk, const char *directory)
{
        int r = walk_directory(walk, directory, 0);

        string_list_free(walk->seen);
        return r;
}

int guard_block_add(Guard *guard, const char *directory, const char *what, const char *remedy)
{
        Walk walk = {.guard = guard, .what = what, .remedy = remedy};

        return walk_from(&walk, directory);
}

int guard_block_add_more(Guard *guard, const char *directory, const char *what,
        const char *remedy)
{
        Walk walk = {.guard = guard, .what = what, .remedy = remedy, .is_more = true};

        return walk_from(&walk, directory);
}
