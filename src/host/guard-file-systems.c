/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/strings.h"

/* System use: what file systems say of themselves in sysfs and /proc. That tells of devices that
 * no list of mounts names: all of a btrfs or bcachefs, an external journal, and file systems whose
 * mounts nobody sees any more (umount -l) or only a namespace without a process. */

#define NAMES_MAX 4096

static int add_by_name(Guard *guard, const char *name, const char *what)
{
        _cleanup_free_ char *directory = NULL, *shown = NULL, *text = NULL;

        int r = guard_block_find_name(guard->host, name, &directory);
        if (r == 0)
                r = guard_printable(name, &shown);
        if (r == 0)
                r = format_string(&text, "/dev/%s %s", shown, what);
        if (r == 0)
                r = guard_block_add_more(guard, directory, text, "Unmount it");
        return scan_error_is_fatal(r) ? r : 0;
}

static int add_names(Guard *guard, const char *path, const char *what)
{
        _cleanup_string_list_ char **names = NULL;

        int r = host_list_directory(guard->host->root, path, NAMES_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; name && *name; name++) {
                r = add_by_name(guard, *name, what);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int scan_btrfs(Guard *guard)
{
        _cleanup_string_list_ char **systems = NULL;

        int r = host_list_directory(guard->host->root, "sys/fs/btrfs", NAMES_MAX, &systems);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **uuid = systems; uuid && *uuid; uuid++) {
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "sys/fs/btrfs/%s/devices", *uuid);
                if (r == 0)
                        r = add_names(guard, path, "belongs to a mounted btrfs file system");
                if (r < 0)
                        return r;
        }
        return 0;
}

/* /sys/fs/bcachefs/UUID/dev-N/block → DISK/bcachefs or DISK */
static int add_member(Guard *guard, const char *uuid, const char *member)
{
        _cleanup_free_ char *link = NULL, *target = NULL;

        if (!startswith(member, "dev-"))
                return 0;
        int r = format_string(&link, "sys/fs/bcachefs/%s/%s/block", uuid, member);
        if (r == 0)
                r = guard_resolve_link(guard->host, link, &target);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        if (streq(guard_name(target), "bcachefs"))
                *strrchr(target, '/') = '\0';
        return add_by_name(guard, guard_name(target), "belongs to a mounted bcachefs file system");
}

static int scan_bcachefs(Guard *guard)
{
        _cleanup_string_list_ char **systems = NULL;

        int r = host_list_directory(guard->host->root, "sys/fs/bcachefs", NAMES_MAX, &systems);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **uuid = systems; uuid && *uuid; uuid++) {
                _cleanup_string_list_ char **members = NULL;
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "sys/fs/bcachefs/%s", *uuid);
                if (r == 0)
                        r = host_list_directory(guard->host->root, path, NAMES_MAX, &members);
                if (scan_error_is_fatal(r))
                        return r;
                for (char **member = members; member && *member; member++) {
                        r = add_member(guard, *uuid, *member);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int guard_scan_file_systems(Guard *guard)
{
        /* Each has a directory of the device's name while it is mounted, anywhere. An external
         * journal's in /proc/fs/jbd2 is called as its device; others have a number behind it. */
        static const struct {
                const char *path, *what;
        } lists[] = {
                {"sys/fs/ext4", "holds a file system in use"},
                {"sys/fs/xfs", "holds a file system in use"},
                {"sys/fs/f2fs", "holds a file system in use"},
                {"proc/fs/jbd2", "is the journal of a mounted file system"},
        };

        int r = scan_btrfs(guard);
        if (r == 0)
                r = scan_bcachefs(guard);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(lists); i++)
                r = add_names(guard, lists[i].path, lists[i].what);
        return r;
}
