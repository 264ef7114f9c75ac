/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/array.h"
#include "util/strings.h"

/* The device nodes of what is below functions with a host driver. The kernel lists every device
 * number in /sys/dev, with a link to what has it. */

#define NUMBERS_MAX 65536

static int compare_nodes(const void *a, const void *b)
{
        const GuardNode *first = a, *second = b;

        if (first->is_block != second->is_block)
                return first->is_block ? -1 : 1;
        if (first->major_number != second->major_number)
                return first->major_number < second->major_number ? -1 : 1;
        if (first->minor_number != second->minor_number)
                return first->minor_number < second->minor_number ? -1 : 1;
        return 0;
}

int guard_node_owners(const Guard *guard, const char *path, char ***ret)
{
        _cleanup_string_list_ char **paths = NULL;

        int r = string_list_append(&paths, path);
        if (r == 0)
                r = guard_block_list_controllers(guard->host, path, &paths);
        if (r == 0)
                r = guard_fabrics_list_ports(guard->host, &paths);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(paths);
        return 0;
}

/* Whether somebody with a host driver owns it; notes what that function has. */
static int take_owners(Guard *guard, const char *path, bool is_block, bool *ret)
{
        _cleanup_string_list_ char **owners = NULL;

        *ret = false;
        int r = guard_node_owners(guard, path, &owners);
        if (r < 0)
                return r;
        for (char **owner = owners; *owner; owner++) {
                Device *devices[GUARD_PATH_MAX];
                size_t n = guard_find_in_path(guard, *owner, devices, GUARD_PATH_MAX);

                for (size_t i = 0; i < n; i++) {
                        if (!guard_is_driven(devices[i]))
                                continue;
                        guard_add_kind(guard, devices[i], GUARD_NODES);
                        if (is_block)
                                guard_add_kind(guard, devices[i], GUARD_STORAGE);
                        *ret = true;
                }
        }
        return 0;
}

/* "../../devices/pci0000:00/0000:00:1d.0/nvme/nvme0" */
static int add_node(Guard *guard, const char *directory, const char *name, bool is_block)
{
        _cleanup_free_ char *link = NULL, *path = NULL;
        GuardNode node = {.is_block = is_block};
        bool is_owned = false;

        if (!guard_parse_number(name, &node.major_number, &node.minor_number))
                return 0;
        int r = format_string(&link, "%s/%s", directory, name);
        if (r == 0)
                r = guard_resolve_link(guard->host, link, &path);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        /* Of one that is a VFIO device, its own driver makes the node. */
        if (strstr(path, "/vfio-dev/"))
                return 0;
        r = take_owners(guard, path, is_block, &is_owned);
        if (r < 0 || !is_owned)
                return r;
        r = ARRAY_GROW(guard->nodes, guard->n_nodes);
        if (r < 0)
                return r;
        node.path = TAKE_POINTER(path);
        guard->nodes[guard->n_nodes++] = node;
        return 0;
}

/* Nobody knows what those that are not looked at belong to. */
static int add_blind(Guard *guard, bool is_block)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < guard->snapshot->n_devices; i++) {
                Device *device = &guard->snapshot->devices[i];
                const UseNote note = {
                        .use = IN_USE_BLIND,
                        .what = (char *) (is_block ? "not all block devices can be looked at"
                                                   : "not all character devices can be looked at"),
                };

                if (guard_is_driven(device))
                        r = guard_add_note(device, &note);
        }
        return r;
}

static int load(Guard *guard, const char *directory, bool is_block)
{
        _cleanup_directory_ DIR *opened = NULL;
        const struct dirent *entry;

        int r = host_open_directory(guard->host->root, directory, &opened);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (size_t n = 0; (entry = readdir(opened)); n++) {
                if (n == NUMBERS_MAX)
                        return add_blind(guard, is_block);
                r = add_node(guard, directory, entry->d_name, is_block);
                if (r < 0)
                        return r;
        }
        return 0;
}

int guard_load_nodes(Guard *guard)
{
        int r = load(guard, "sys/dev/block", true);
        if (r == 0)
                r = load(guard, "sys/dev/char", false);
        if (r == 0 && guard->n_nodes > 1)
                qsort(guard->nodes, guard->n_nodes, sizeof(GuardNode), compare_nodes);
        return r;
}

GuardNode *guard_find_node(const Guard *guard, bool is_block, unsigned major_number,
        unsigned minor_number)
{
        const GuardNode wanted = {
                .is_block = is_block, .major_number = major_number, .minor_number = minor_number,
        };

        if (guard->n_nodes == 0)
                return NULL;
        return bsearch(&wanted, guard->nodes, guard->n_nodes, sizeof(GuardNode), compare_nodes);
}
