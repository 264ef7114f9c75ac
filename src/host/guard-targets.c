/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* Drives that the kernel serves to other machines with NVMe over fabrics. Its namespaces open them
 * without claiming them (nvmet_bdev_ns_enable(), drivers/nvme/target/io-cmd-bdev.c), and no process
 * has them open: only its configuration tells. Other targets claim what they serve. */

#define SUBSYSTEMS  "sys/kernel/config/nvmet/subsystems"
#define ENTRIES_MAX 4096

typedef struct Served {
        const char *subsystem; /* its NQN */
        char *directory;       /* of a namespace, or of what passes a whole controller through */
        bool is_controller;
} Served;

/* Returns its length or a negative errno. */
static int read_setting(const Guard *guard, const Served *served, const char *name, char *buffer,
        size_t size)
{
        _cleanup_free_ char *path = NULL;

        int r = format_string(&path, "%s/%s", served->directory, name);
        return r < 0 ? r : (int) read_attribute_at(guard->host->root, path, buffer, size);
}

/* The kernel takes "/dev/nvme0" there, and nothing that leads to it
 * (nvmet_passthru_ctrl_enable(), drivers/nvme/target/passthru.c). */
static int find_controller(const Guard *guard, const char *node, char **ret)
{
        _cleanup_free_ char *link = NULL;

        int r = format_string(&link, "sys/class/nvme/%s", guard_name(node));
        return r < 0 ? r : guard_resolve_link(guard->host, link, ret);
}

static int note_served(Guard *guard, const Served *served, const char *node, const char *path)
{
        _cleanup_free_ char *shown = NULL, *name = NULL, *what = NULL;
        _cleanup_string_list_ char **owners = NULL;

        int r = guard_printable(node, &shown);
        if (r == 0)
                r = guard_printable(served->subsystem, &name);
        if (r == 0)
                r = format_string(&what, "%s is served to other machines as %s", shown, name);
        if (r == 0)
                r = guard_node_owners(guard, path, &owners);
        for (char **owner = owners; r == 0 && *owner; owner++)
                r = guard_add_by_path(guard, *owner, IN_USE_HOLDERS, what,
                        "Take it out of the NVMe target");
        return r;
}

static int add_blind(Guard *guard, const Served *served, int error)
{
        _cleanup_free_ char *name = NULL, *what = NULL;

        int r = guard_printable(served->subsystem, &name);
        if (r == 0)
                r = format_string(&what,
                        "what is served to other machines as %s cannot be found (%s)", name,
                        strerror(-error));
        return r < 0 ? r : guard_add_blind(guard, GUARD_STORAGE, what,
                                   "Take it out of the NVMe target");
}

/* What is on a file is on a mounted file system, which is noted already. (A node that somebody made
 * outside of /dev is taken for a file.) */
static int scan_enabled(Guard *guard, const Served *served)
{
        _cleanup_free_ char *path = NULL;
        char node[PATH_MAX];

        int r = read_setting(guard, served, "device_path", node, sizeof(node));
        if (r > 0 && !startswith(node, "/dev/"))
                return 0;
        if (r >= 0)
                r = served->is_controller ? find_controller(guard, node, &path)
                                          : guard_block_find_node(guard->host, node, &path);
        if (r == 0)
                r = note_served(guard, served, node, path);
        return r < 0 && !scan_error_is_fatal(r) ? add_blind(guard, served, r) : r;
}

/* One that is switched off opens nothing. */
static int scan_served(Guard *guard, const Served *served)
{
        char enabled[8];

        int r = read_setting(guard, served, "enable", enabled, sizeof(enabled));
        if (r == -ENOENT || r == -ENOTDIR) /* gone, or the kernel has no such thing */
                return 0;
        if (r < 0)
                return scan_error_is_fatal(r) ? r : add_blind(guard, served, r);
        return streq(enabled, "1") ? scan_enabled(guard, served) : 0;
}

static int list(Guard *guard, const char *directory, char ***ret)
{
        int r = host_list_directory(guard->host->root, directory, ENTRIES_MAX + 1, ret);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        if (string_list_length(*ret) <= ENTRIES_MAX)
                return 0;
        return guard_add_blind(guard, GUARD_STORAGE,
                "not all that the NVMe target serves can be looked at", NULL);
}

static int scan_subsystem(Guard *guard, const char *subsystem)
{
        _cleanup_string_list_ char **namespaces = NULL;
        _cleanup_free_ char *directory = NULL, *controller = NULL;

        int r = format_string(&controller, SUBSYSTEMS "/%s/passthru", subsystem);
        if (r == 0)
                r = scan_served(guard, &(Served){ .subsystem = subsystem,
                        .directory = controller, .is_controller = true });
        if (r == 0)
                r = format_string(&directory, SUBSYSTEMS "/%s/namespaces", subsystem);
        if (r == 0)
                r = list(guard, directory, &namespaces);
        for (char **name = namespaces; r == 0 && name && *name; name++) {
                _cleanup_free_ char *namespace = NULL;

                r = format_string(&namespace, "%s/%s", directory, *name);
                if (r == 0)
                        r = scan_served(guard, &(Served){ .subsystem = subsystem,
                                .directory = namespace });
        }
        return r;
}

int guard_scan_targets(Guard *guard)
{
        _cleanup_string_list_ char **subsystems = NULL;

        int r = list(guard, SUBSYSTEMS, &subsystems);
        for (char **name = subsystems; r == 0 && name && *name; name++)
                r = scan_subsystem(guard, *name);
        return r;
}
