/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* The default route: which interface has it, and which real ones are below that (bridge, bond,
 * VLAN; the kernel links them as lower_NAME). */

#define ROUTES_MAX     (64U << 20)
#define DEPTH_MAX      16
#define INTERFACES_MAX 1024
#define REMEDY         "Move the default route to another interface"

static bool is_interface_name(const char *name)
{
        size_t n = strlen(name);

        return n > 0 && n < IFNAMSIZ && !strchr(name, '/') && name[0] != '.';
}

static int note_interface(Guard *guard, const char *name, const char *carrier, const char *path)
{
        _cleanup_free_ char *what = NULL, *shown = NULL, *shown_carrier = NULL;

        int r = guard_printable(name, &shown);
        if (r == 0)
                r = guard_printable(carrier, &shown_carrier);
        if (r == 0)
                r = streq(name, carrier) ?
                        format_string(&what, "%s carries the default route", shown) :
                        format_string(&what, "%s carries the default route through %s", shown,
                                shown_carrier);
        return r < 0 ? r : guard_add_by_path(guard, path, IN_USE_NETWORK, what, REMEDY);
}

static int walk_interface(Guard *guard, const char *name, const char *carrier, char ***seen,
        unsigned depth)
{
        _cleanup_free_ char *entry = NULL, *path = NULL;
        _cleanup_string_list_ char **names = NULL;

        if (depth == DEPTH_MAX || !is_interface_name(name) || string_list_contains(*seen, name) ||
            string_list_length(*seen) == INTERFACES_MAX)
                return 0;
        int r = string_list_append(seen, name);
        if (r == 0)
                r = format_string(&entry, "sys/class/net/%s", name);
        if (r < 0)
                return r;

        r = guard_resolve_link(guard->host, entry, &path);
        if (r < 0)
                return r == -ENOMEM ? r : 0; /* of another name space, or gone */
        r = note_interface(guard, name, carrier, path);
        if (r < 0)
                return r;

        r = host_list_directory(guard->host->root, path, INTERFACES_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **below = names; below && *below; below++) {
                const char *lower = startswith(*below, "lower_");

                r = lower ? walk_interface(guard, lower, carrier, seen, depth + 1) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask …, in hexadecimal. */
static const char *default_of_ipv4(char *line)
{
        char *fields[8], *rest = NULL;
        uint64_t destination, flags, mask;
        size_t n = 0;

        for (char *field = strtok_r(line, " \t", &rest); field && n < ELEMENTSOF(fields);
             field = strtok_r(NULL, " \t", &rest))
                fields[n++] = field;
        if (n < ELEMENTSOF(fields) || parse_hex(fields[1], 8, &destination) < 0 ||
            parse_hex(fields[3], 0, &flags) < 0 || parse_hex(fields[7], 8, &mask) < 0)
                return NULL;
        if (destination != 0 || mask != 0 || !(flags & RTF_UP) || flags & RTF_REJECT)
                return NULL;
        return fields[0];
}

/* /proc/net/ipv6_route: destination length source length next-hop metric references use flags
 * interface. The kernel's own "unreachable" default on lo is flagged as rejecting. */
static const char *default_of_ipv6(char *line)
{
        char *fields[10], *rest = NULL;
        uint64_t length, flags;
        size_t n = 0;

        for (char *field = strtok_r(line, " \t", &rest); field && n < ELEMENTSOF(fields);
             field = strtok_r(NULL, " \t", &rest))
                fields[n++] = field;
        if (n < ELEMENTSOF(fields) || strspn(fields[0], "0") != 32 ||
            parse_hex(fields[1], 0, &length) < 0 || parse_hex(fields[8], 0, &flags) < 0)
                return NULL;
        if (length != 0 || !(flags & RTF_UP) || flags & RTF_REJECT)
                return NULL;
        return fields[9];
}

static int read_routes(Guard *guard, const char *path, const char *(*find)(char *line))
{
        _cleanup_free_ char *text = NULL;
        char *lines = NULL;

        int r = read_file_at(guard->host->root, path, ROUTES_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                _cleanup_string_list_ char **seen = NULL;
                const char *name = find(line);

                r = name ? walk_interface(guard, name, name, &seen, 0) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

int guard_scan_network(Guard *guard)
{
        _cleanup_free_ char *what = NULL;

        int r = read_routes(guard, "proc/net/route", default_of_ipv4);
        if (r == 0) {
                r = read_routes(guard, "proc/net/ipv6_route", default_of_ipv6);
                if (r == -ENOENT) /* IPv6 is switched off */
                        r = 0;
        }
        if (r == 0 || r == -ENOMEM)
                return r;

        r = format_string(&what, "the routes cannot be read (%s)", strerror(-r));
        return r < 0 ? r : guard_add_blind(guard, 0x02, what,
                                   "See to it that /proc/net/route is readable");
}
