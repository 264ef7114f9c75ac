/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-internal.h"
#include "host/guard-routes.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* Network use: interfaces below a function that carry a default route, have an address, are part
 * of another interface (bridge, bond, VLAN; the kernel links them as lower_NAME and upper_NAME),
 * have a PPPoE session, or were moved to another network namespace. */

#define DEPTH_MAX      16
#define INTERFACES_MAX 1024 /* of one walk, and entries of one directory */
#define ALL_MAX        65536
#define ROUTE_REMEDY   "Move the default route to another interface"
#define PPPOE_TEXT_MAX (256 * 1024)

static bool is_interface_name(const char *name)
{
        size_t n = strlen(name);

        return n > 0 && n < IFNAMSIZ && !strchr(name, '/') && name[0] != '.';
}

static int find_interface(const Guard *guard, const char *name, char **ret)
{
        char path[64];

        (void) snprintf(path, sizeof(path), "sys/class/net/%s", name);
        return guard_resolve_link(guard->host, path, ret);
}

static int note_carrier(Guard *guard, const char *name, const char *carrier, const char *path)
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
        return r < 0 ? r : guard_add_by_path(guard, path, IN_USE_NETWORK, what, ROUTE_REMEDY);
}

static int walk_interface(Guard *guard, const char *name, const char *carrier, char ***seen,
        unsigned depth)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_string_list_ char **names = NULL;

        if (depth == DEPTH_MAX || !is_interface_name(name) || string_list_contains(*seen, name) ||
            string_list_length(*seen) == INTERFACES_MAX)
                return 0;
        int r = string_list_append(seen, name);
        if (r < 0)
                return r;

        r = find_interface(guard, name, &path);
        if (r < 0)
                return r == -ENOMEM ? r : 0; /* of another name space, or gone */
        r = note_carrier(guard, name, carrier, path);
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

/* It may have been given by an agent of the host that was quicker than our rules. */
static int note_address(Guard *guard, const InterfaceFact *fact)
{
        _cleanup_free_ char *path = NULL, *what = NULL, *shown = NULL, *address = NULL;

        if (!is_interface_name(fact->interface))
                return 0;
        int r = find_interface(guard, fact->interface, &path);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        r = guard_printable(fact->interface, &shown);
        if (r == 0)
                r = guard_printable(fact->address, &address);
        if (r == 0)
                r = format_string(&what, "%s has the address %s", shown, address);
        if (r < 0)
                return r;
        const UseNote note = {
                .use = IN_USE_NETWORK, .what = what, .is_passing = true,
                .remedy = (char *) "Move the address to another interface",
        };
        return guard_add_note_by_path(guard, path, &note);
}

static int note_facts(Guard *guard, const InterfaceFact *facts, size_t n)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                _cleanup_string_list_ char **seen = NULL;

                r = facts[i].address[0] ?
                        note_address(guard, &facts[i]) :
                        walk_interface(guard, facts[i].interface, facts[i].interface, &seen, 0);
        }
        return r;
}

/* *ret_error: why they could not be read, 0: they were. */
static int scan_routes(Guard *guard, int *ret_error)
{
        _cleanup_free_ InterfaceFact *facts = NULL;
        size_t n = 0;

        int r = guard_read_routes(guard->host, &facts, &n);
        *ret_error = r < 0 && !scan_error_is_fatal(r) ? r : 0;
        if (r < 0)
                return *ret_error < 0 ? 0 : r;
        return note_facts(guard, facts, n);
}

static int add_blind(Guard *guard, int error)
{
        _cleanup_free_ char *what = NULL;

        int r = format_string(&what, "the routes and addresses cannot be read (%s)",
                strerror(-error));
        return r < 0 ? r : guard_add_blind(guard, GUARD_NETWORK, what,
                                   guard->host->is_live ?
                                           "See to it that netlink sockets may be used" :
                                           "See to it that /proc/net/route is readable");
}

static int note_upper(Guard *guard, const char *name, const char *upper, const char *path)
{
        _cleanup_free_ char *what = NULL, *remedy = NULL, *shown = NULL, *shown_upper = NULL;

        int r = guard_printable(name, &shown);
        if (r == 0)
                r = guard_printable(upper, &shown_upper);
        if (r == 0)
                r = format_string(&what, "%s is part of %s", shown, shown_upper);
        if (r == 0)
                r = format_string(&remedy, "Take %s off %s", shown_upper, shown);
        return r < 0 ? r : guard_add_by_path(guard, path, IN_USE_NETWORK, what, remedy);
}

static int note_uppers(Guard *guard, const char *name, const char *path)
{
        _cleanup_string_list_ char **names = NULL;

        int r = host_list_directory(guard->host->root, path, INTERFACES_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **entry = names; entry && *entry; entry++) {
                const char *upper = startswith(*entry, "upper_");

                r = upper ? note_upper(guard, name, upper, path) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int scan_interface(Guard *guard, const char *name)
{
        _cleanup_free_ char *path = NULL;
        Device *devices[GUARD_PATH_MAX];

        if (!is_interface_name(name))
                return 0;
        int r = find_interface(guard, name, &path);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        size_t n = guard_find_in_path(guard, path, devices, GUARD_PATH_MAX);
        for (size_t i = 0; i < n; i++)
                guard_add_kind(guard, devices[i], GUARD_NETWORK);
        return n > 0 ? note_uppers(guard, name, path) : 0;
}

/* The interfaces of our network namespace. */
static int scan_interfaces_present(Guard *guard)
{
        _cleanup_directory_ DIR *opened = NULL;
        const struct dirent *entry;

        int r = host_open_directory(guard->host->root, "sys/class/net", &opened);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (size_t n = 0; n < ALL_MAX && (entry = readdir(opened)); n++) {
                r = scan_interface(guard, entry->d_name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool has_directory(const Guard *guard, const char *directory, const char *name)
{
        char path[PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s/%s/net", directory, name);

        return n > 0 && (size_t) n < sizeof(path) &&
                faccessat(guard->host->root, path, F_OK, 0) == 0;
}

/* The directory "net" is there for everybody, what is in it for its own namespace only
 * (class_dir_child_ns_type() in drivers/base/core.c). Below virtio-pci it is one level down. */
static int has_hidden_interface(const Guard *guard, const Device *device, bool *ret)
{
        _cleanup_string_list_ char **names = NULL;
        char directory[64];

        (void) snprintf(directory, sizeof(directory), "sys/bus/pci/devices/%s",
                PCI_ADDRESS_TEXT(&device->address));
        *ret = has_directory(guard, directory, ".");
        if (*ret || !streq(device->driver, "virtio-pci"))
                return 0;
        int r = host_list_directory(guard->host->root, directory, INTERFACES_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; name && *name && !*ret; name++)
                *ret = startswith(*name, "virtio") && has_directory(guard, directory, *name);
        return 0;
}

/* An interface that is being made is not there for a moment either, hence passing. */
static int scan_hidden(Guard *guard)
{
        const UseNote note = {
                .use = IN_USE_NETWORK, .is_passing = true,
                .what = (char *) "its network interface is in another network namespace",
                .remedy = (char *) "Move the interface back, or stop the container that has it",
        };

        for (size_t i = 0; i < guard->snapshot->n_devices; i++) {
                Device *device = &guard->snapshot->devices[i];
                bool is_hidden;

                if (device->class_code >> 16 != 0x02 || !guard_is_driven(device) ||
                    guard->kinds[i] & 1U << GUARD_NETWORK)
                        continue;
                int r = has_hidden_interface(guard, device, &is_hidden);
                if (r == 0 && is_hidden)
                        r = guard_add_note(device, &note);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int note_session(Guard *guard, const char *name)
{
        _cleanup_free_ char *path = NULL, *what = NULL, *shown = NULL;

        if (!is_interface_name(name))
                return 0;
        int r = find_interface(guard, name, &path);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        r = guard_printable(name, &shown);
        if (r == 0)
                r = format_string(&what, "a PPPoE session runs over %s", shown);
        return r < 0 ? r : guard_add_by_path(guard, path, IN_USE_NETWORK, what,
                                   "End that connection");
}

/* The kernel does not link ppp0 to what is below it. pppoe_seq_show(), drivers/net/ppp/pppoe.c:
 * "00000001 52:54:00:12:34:56     eth0". */
static int scan_sessions(Guard *guard)
{
        _cleanup_free_ char *text = NULL;
        char *lines = NULL;

        int r = read_file_at(guard->host->root, "proc/net/pppoe", PPPOE_TEXT_MAX, &text, NULL);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char *line = strtok_r(text, "\n", &lines); r == 0 && line;
                line = strtok_r(NULL, "\n", &lines)) {
                const char *name = strrchr(line, ' ');

                r = name ? note_session(guard, name + 1) : 0;
        }
        return r < 0 ? r : 0;
}

int guard_scan_network(Guard *guard)
{
        int error;

        int r = scan_routes(guard, &error);
        if (r == 0)
                r = scan_sessions(guard);
        if (r == 0)
                r = scan_interfaces_present(guard);
        if (r == 0 && error < 0)
                r = add_blind(guard, error);
        return r < 0 ? r : scan_hidden(guard);
}
