/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* System use: pools of ZFS. Neither /proc nor /sys tells what a pool is made of; the cache of
 * pools does, if the pool is in it. */

#define CACHE     "etc/zfs/zpool.cache"
#define CACHE_MAX (16U << 20)
#define POOLS_MAX 1024

/* A packed list of names and values: every text in it that is a path of a node. */
static int add_devices(Guard *guard, const char *data, size_t length, size_t *ret_n)
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

/* A string is packed as its length in four bytes, the first byte last to change, then itself
 * (XDR, RFC 4506). */
static bool has_name(const char *data, size_t length, const char *name)
{
        size_t n = strlen(name);

        for (const char *p = data; (p = memmem(p, length - (size_t) (p - data), name, n)); p++)
                if (p - data >= 4 && (unsigned char) p[-1] == n && p[-2] == 0)
                        return true;
        return false;
}

/* Imported pools, mounted or not: /proc/spl/kstat/zfs/POOL/state. */
static int find_missing_pool(const Guard *guard, const char *data, size_t length, size_t *ret_pools,
        char **ret_missing)
{
        _cleanup_string_list_ char **names = NULL;

        int r = host_list_directory(guard->host->root, "proc/spl/kstat/zfs", POOLS_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; name && *name; name++) {
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "proc/spl/kstat/zfs/%s/state", *name);
                if (r < 0)
                        return r;
                if (faccessat(guard->host->root, path, F_OK, 0) < 0)
                        continue;
                (*ret_pools)++;
                if (*ret_missing || (data && has_name(data, length, *name)))
                        continue;
                r = guard_printable(*name, ret_missing);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_blind(Guard *guard, const char *pool)
{
        _cleanup_free_ char *what = NULL;

        int r = format_string(&what,
                "%s%sa ZFS pool in use, and /etc/zfs/zpool.cache does not tell its devices",
                pool ?: "there", " is ");
        return r < 0 ? r : guard_add_blind(guard, GUARD_STORAGE, what,
                                   "Set the pool's cachefile property, or export the pool");
}

int guard_scan_zfs(Guard *guard)
{
        _cleanup_free_ char *data = NULL, *missing = NULL;
        size_t length = 0, n_devices = 0, n_pools = 0;

        int r = read_file_at(guard->host->root, CACHE, CACHE_MAX, &data, &length);
        if (r == -ENOMEM)
                return r;
        r = find_missing_pool(guard, data, length, &n_pools, &missing);
        if (r < 0 || (n_pools == 0 && !guard->has_zfs))
                return r;
        if (data)
                r = add_devices(guard, data, length, &n_devices);
        if (r < 0 || (n_devices > 0 && !missing))
                return r;
        return add_blind(guard, missing);
}
