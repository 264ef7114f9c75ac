/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* Holders: block devices that others are made of (md, dm, bcache, loop), and those that somebody
 * has opened for himself. The kernel tells of the latter only who tries the same
 * (bd_prepare_to_claim() in block/bdev.c). */

#define HOLDERS_MAX 256

/* What is mounted says more than what it is made of. */
static int add_note_by_path(Guard *guard, const char *path, const UseNote *note)
{
        Device *devices[GUARD_PATH_MAX];
        size_t n = guard_find_in_path(guard, path, devices, GUARD_PATH_MAX);
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                if (note->use != IN_USE_HOLDERS || !guard_has_system_use(devices[i]))
                        r = guard_add_note(devices[i], note);
        return r;
}

static int add_note(Guard *guard, const GuardNode *node, InUse use, const char *what,
        const char *remedy)
{
        const UseNote note = {.use = use, .what = (char *) what, .remedy = (char *) remedy};
        _cleanup_string_list_ char **owners = NULL;

        int r = guard_node_owners(guard, node->path, &owners);
        for (char **owner = owners; r == 0 && *owner; owner++)
                r = add_note_by_path(guard, *owner, &note);
        return r;
}

/* "/dev/mapper/vg-home", "/dev/md0" */
static int name_holder(const Guard *guard, const char *holder, char **ret)
{
        _cleanup_free_ char *path = NULL, *raw = NULL;
        char name[256];

        int r = format_string(&path, "sys/class/block/%s/dm/name", holder);
        if (r < 0)
                return r;
        if (read_attribute_at(guard->host->root, path, name, sizeof(name)) > 0)
                r = format_string(&raw, "/dev/mapper/%s", name);
        else
                r = format_string(&raw, "/dev/%s", holder);
        return r < 0 ? r : guard_printable(raw, ret);
}

static int add_holder(Guard *guard, const GuardNode *node, const char *holder)
{
        _cleanup_free_ char *upper = NULL, *shown = NULL, *what = NULL;

        int r = name_holder(guard, holder, &upper);
        if (r == 0)
                r = guard_printable(guard_name(node->path), &shown);
        if (r == 0)
                r = format_string(&what, "%s is assembled from /dev/%s", upper, shown);
        return r < 0 ? r : add_note(guard, node, IN_USE_HOLDERS, what, "Take it apart");
}

static int list_holders(const Guard *guard, const GuardNode *node, char ***ret)
{
        _cleanup_free_ char *path = NULL;

        int r = format_string(&path, "%s/holders", node->path);
        if (r == 0)
                r = host_list_directory(guard->host->root, path, HOLDERS_MAX, ret);
        return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

/* A caching device may be without a bcacheN on top. */
static bool is_in_bcache(const Guard *guard, const GuardNode *node)
{
        _cleanup_free_ char *path = NULL;

        return !startswith(guard_name(node->path), "bcache") &&
                format_string(&path, "%s/bcache", node->path) == 0 &&
                faccessat(guard->host->root, path, F_OK, 0) == 0;
}

static int scan_node(Guard *guard, const GuardNode *node)
{
        _cleanup_string_list_ char **holders = NULL;

        int r = list_holders(guard, node, &holders);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **holder = holders; holder && *holder; holder++) {
                r = add_holder(guard, node, *holder);
                if (r < 0)
                        return r;
        }
        if (!is_in_bcache(guard, node))
                return 0;
        _cleanup_free_ char *shown = NULL, *what = NULL;
        r = guard_printable(guard_name(node->path), &shown);
        if (r == 0)
                r = format_string(&what, "/dev/%s is registered with bcache", shown);
        return r < 0 ? r : add_note(guard, node, IN_USE_HOLDERS, what, "Take it out of bcache");
}

static const GuardNode *find_block_node(const Guard *guard, const char *path)
{
        for (size_t i = 0; i < guard->n_nodes && guard->nodes[i].is_block; i++)
                if (streq(guard->nodes[i].path, path))
                        return &guard->nodes[i];
        return NULL;
}

/* A loop device on another device (drivers/block/loop.c) is none of its holders, and does not claim
 * it. One on a file is on a mounted file system, which is noted already. */
static int scan_loop(Guard *guard, const char *name)
{
        _cleanup_free_ char *file = NULL, *below = NULL;
        char backing[PATH_MAX];

        int r = format_string(&file, "sys/class/block/%s/loop/backing_file", name);
        if (r < 0)
                return r;
        if (read_attribute_at(guard->host->root, file, backing, sizeof(backing)) <= 0)
                return 0;
        r = guard_block_find_node(guard->host, backing, &below);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        const GuardNode *node = find_block_node(guard, below);
        return node ? add_holder(guard, node, name) : 0;
}

static int scan_loops(Guard *guard)
{
        _cleanup_directory_ DIR *directory = NULL;
        const struct dirent *entry;

        int r = host_open_directory(guard->host->root, "sys/class/block", &directory);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (r = 0; r == 0 && (entry = readdir(directory));)
                if (startswith(entry->d_name, "loop"))
                        r = scan_loop(guard, entry->d_name);
        return r;
}

int guard_scan_holders(Guard *guard)
{
        size_t i;

        for (i = 0; i < guard->n_nodes && guard->nodes[i].is_block; i++) {
                int r = scan_node(guard, &guard->nodes[i]);
                if (r < 0)
                        return r;
        }
        return i > 0 ? scan_loops(guard) : 0;
}

/* The node by its number, whatever somebody may have put at its name. */
static int open_exclusively(const GuardNode *node)
{
        char path[300];
        struct stat status;

        (void) snprintf(path, sizeof(path), "/dev/%.255s", guard_name(node->path));
        for (char *p = path + strlen("/dev/"); *p; p++)
                if (*p == '!')
                        *p = '/';
        if (stat(path, &status) < 0 || !S_ISBLK(status.st_mode) ||
            status.st_rdev != makedev(node->major_number, node->minor_number))
                (void) snprintf(path, sizeof(path), "/dev/block/%u:%u", node->major_number,
                        node->minor_number);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &status) < 0 || !S_ISBLK(status.st_mode) ||
            status.st_rdev != makedev(node->major_number, node->minor_number))
                return -ENOENT;
        return 0;
}

/* What an exclusive opener that can be seen explains. */
static bool is_explained(const Guard *guard, const GuardNode *node)
{
        _cleanup_string_list_ char **holders = NULL;

        if (node->is_open || is_in_bcache(guard, node))
                return true;
        return list_holders(guard, node, &holders) == 0 && string_list_length(holders) > 0;
}

/* Neither a program nor a device above has it: a file system that no list of mounts shows, or a
 * service of the kernel (ZFS, an iSCSI target). That may be the host's, so nothing overrides it. */
static int add_exclusive(Guard *guard, const GuardNode *node)
{
        _cleanup_free_ char *what = NULL, *shown = NULL;

        int r = guard_printable(guard_name(node->path), &shown);
        if (r < 0)
                return r;
        if (is_explained(guard, node)) {
                r = format_string(&what, "/dev/%s is held exclusively", shown);
                return r < 0 ? r : add_note(guard, node, IN_USE_HOLDERS, what,
                                           "Stop what uses it");
        }
        r = format_string(&what, "/dev/%s is held exclusively by something in the kernel", shown);
        return r < 0 ? r : add_note(guard, node, IN_USE_SYSTEM, what,
                                   "Unmount it, or take it out of the pool or target it is in");
}

static int add_blind(Guard *guard, const GuardNode *node, int error)
{
        _cleanup_free_ char *what = NULL, *shown = NULL;

        int r = guard_printable(guard_name(node->path), &shown);
        if (r == 0)
                r = format_string(&what,
                        "/dev/%s cannot be opened to see whether it is in use (%s)", shown,
                        strerror(-error));
        return r < 0 ? r : add_note(guard, node, IN_USE_BLIND, what,
                                   "See to it that its node is there and may be read");
}

static bool is_below(const char *path, const char *directory)
{
        const char *rest = startswith(path, directory);

        return rest && *rest == '/';
}

/* Who holds a partition keeps others from the whole disk too. */
static bool is_disk_of(const GuardNode *disk, GuardNode *const *busy, size_t n_busy)
{
        for (size_t i = 0; i < n_busy; i++)
                if (is_below(busy[i]->path, disk->path))
                        return true;
        return false;
}

static int check_node(Guard *guard, GuardNode *node, GuardNode **busy, size_t *n_busy)
{
        int r = open_exclusively(node);
        switch (r) {
        case 0:
        case -ENOMEDIUM: /* an empty reader */
        case -ENXIO:     /* gone meanwhile */
        case -ENODEV:
                return 0;
        case -EBUSY:
                if (is_disk_of(node, busy, *n_busy))
                        return 0;
                busy[(*n_busy)++] = node;
                return add_exclusive(guard, node);
        default:
                return scan_error_is_fatal(r) ? r : add_blind(guard, node, r);
        }
}

/* Partitions first: their paths are longer. */
static int compare_depths(const void *a, const void *b)
{
        size_t first = strlen((*(GuardNode *const *) a)->path);
        size_t second = strlen((*(GuardNode *const *) b)->path);

        return first > second ? -1 : first < second;
}

int guard_check_exclusive(Guard *guard, Device *device)
{
        size_t n = 0, n_busy = 0;

        /* a saved tree has no devices, and what is mounted is told better by that */
        if (!guard->host->is_live || !guard_is_driven(device) || guard_has_system_use(device))
                return 0;
        _cleanup_free_ GuardNode **nodes = calloc(guard->n_nodes + 1, sizeof(*nodes));
        _cleanup_free_ GuardNode **busy = calloc(guard->n_nodes + 1, sizeof(*busy));
        if (!nodes || !busy)
                return -ENOMEM;
        for (; n < guard->n_nodes && guard->nodes[n].is_block; n++)
                nodes[n] = &guard->nodes[n];
        if (n > 1)
                qsort(nodes, n, sizeof(*nodes), compare_depths);
        for (size_t i = 0; i < n; i++) {
                int r = check_node(guard, nodes[i], busy, &n_busy);
                if (r < 0)
                        return r;
        }
        return 0;
}
