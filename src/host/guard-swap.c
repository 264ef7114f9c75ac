/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* System use: what is swapped to (proc(5), "swaps"), or resumed from. */

#define FILE_MAX (4U << 20)

static int add_unknown_swap(Guard *guard, const char *shown)
{
        _cleanup_free_ char *what = NULL, *remedy = NULL;

        int r = format_string(&what, "it cannot be told which device the swap space %s is on",
                shown);
        if (r == 0)
                r = format_string(&remedy, "Run \"swapoff %s\"", shown);
        return r < 0 ? r : guard_add_blind(guard, GUARD_STORAGE, what, remedy);
}

static int add_swap(Guard *guard, const char *node)
{
        _cleanup_free_ char *directory = NULL, *what = NULL, *remedy = NULL, *shown = NULL;

        int r = guard_printable(node, &shown);
        if (r < 0)
                return r;
        r = guard_block_find_node(guard->host, node, &directory);
        if (scan_error_is_fatal(r))
                return r;
        if (r < 0)
                return add_unknown_swap(guard, shown);
        r = format_string(&what, "%s is swap space in use", shown);
        if (r == 0)
                r = format_string(&remedy, "Run \"swapoff %s\"", shown);
        return r < 0 ? r : guard_block_add(guard, directory, what, remedy);
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
                return r < 0 ? r : guard_add_blind(guard, GUARD_STORAGE, what,
                                           "See to it that /proc/swaps is readable");
        }
        for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                char *rest = NULL;
                char *node = strtok_r(line, " \t", &rest);
                char *type = strtok_r(NULL, " \t", &rest);

                if (!type || !streq(type, "partition"))
                        continue;
                guard_unescape(node);
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
        unsigned major_number, minor_number;
        char text[32];

        if (read_attribute_at(guard->host->root, "sys/power/resume", text, sizeof(text)) <= 0 ||
            !guard_parse_number(text, &major_number, &minor_number) || major_number == 0)
                return 0;
        int r = guard_block_find_number(guard->host, major_number, minor_number, &directory);
        if (r == 0)
                r = guard_block_add(guard, directory,
                        "the host resumes from it after hibernation",
                        "Take \"resume=\" off the kernel command line");
        return scan_error_is_fatal(r) ? r : 0;
}

int guard_scan_swaps(Guard *guard)
{
        int r = scan_swaps(guard);
        return r < 0 ? r : scan_resume(guard);
}
