/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* VFIO use: what a host driver has lent to guests in parts, as mediated devices. Its unbind asks
 * each guest to let go, and waits (mdev_unregister_parent() in drivers/vfio/mdev/mdev_core.c). */

#define MEDIATED "sys/bus/mdev/devices"
#define NAMES_MAX 65536

static int note_mediated(Guard *guard, const char *name)
{
        _cleanup_free_ char *link = NULL, *path = NULL, *what = NULL, *shown = NULL;

        int r = format_string(&link, MEDIATED "/%s", name);
        if (r == 0)
                r = guard_resolve_link(guard->host, link, &path);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        r = guard_printable(name, &shown);
        if (r == 0)
                r = format_string(&what, "the mediated device %s is made of it", shown);
        return r < 0 ? r : guard_add_by_path(guard, path, IN_USE_VFIO, what,
                                   "Remove that, when no guest has it");
}

int guard_scan_mediated(Guard *guard)
{
        _cleanup_string_list_ char **names = NULL;

        int r = host_list_directory(guard->host->root, MEDIATED, NAMES_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; r == 0 && name && *name; name++)
                r = note_mediated(guard, *name);
        return r;
}
