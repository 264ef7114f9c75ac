/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-block.h"
#include "host/guard-internal.h"
#include "host/host-devices.h"
#include "host/scan-internal.h"
#include "util/buffer.h"
#include "util/io.h"
#include "util/strings.h"

/* What the host's own tables name, mounted or not: fstab(5), crypttab(5), mdadm.conf(5) and the
 * cache of ZFS pools. Names are followed through /dev/disk, which udev keeps, and from the block
 * device down through /sys, as the guard does. What is not there now has no function to protect. */

#define TABLE_MAX      (4U << 20)
#define POOL_CACHE_MAX (16U << 20)
#define LINES_MAX      4096 /* of one table: each costs some look-ups */

typedef struct Tables {
        Guard guard; /* on a snapshot of our own: a name alone is no use at runtime */
        const char *table; /* "/etc/fstab" */
        bool awaits;       /* something that is named is not there */
} Tables;

static bool is_octal(const char *text)
{
        return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' &&
               text[2] >= '0' && text[2] <= '7';
}

/* "\040" and the like, and quotes around a value, in place. */
static void unescape(char *text)
{
        char *out = text;

        for (char *p = text; *p; p++) {
                if (*p == '"')
                        continue;
                if (*p == '\\' && is_octal(p + 1)) {
                        *out++ = (char) ((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
                        p += 3;
                } else {
                        *out++ = *p;
                }
        }
        *out = '\0';
}

/* As libudev's util_encode_string() names its links: everything but these and UTF-8 as \xHH. */
static void append_encoded(Buffer *buffer, const char *value)
{
        for (const char *p = value; *p; p++) {
                unsigned char c = (unsigned char) *p;

                if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    strchr("#+-.:=@_", c) || c >= 0x80)
                        buffer_append_length(buffer, p, 1);
                else
                        buffer_printf(buffer, "\\x%02x", c);
        }
}

/* The path of a node: "UUID=x" → "/dev/disk/by-uuid/x". Returns 0, -ENOENT (names none),
 * -ENOMEM. */
static int node_of(const char *source, char **ret)
{
        static const struct {
                const char *tag, *directory;
        } tags[] = {
                { "UUID=", "by-uuid" },         { "LABEL=", "by-label" },
                { "PARTUUID=", "by-partuuid" }, { "PARTLABEL=", "by-partlabel" },
                { "ID=", "by-id" },
        };
        _cleanup_buffer_ Buffer buffer = {};

        if (startswith(source, "/dev/"))
                return format_string(ret, "%s", source);
        for (size_t i = 0; i < ELEMENTSOF(tags); i++) {
                const char *value = startswith(source, tags[i].tag);

                if (isempty(value))
                        continue;
                buffer_printf(&buffer, "/dev/disk/%s/", tags[i].directory);
                append_encoded(&buffer, value);
                return buffer_finish(&buffer, ret);
        }
        return -ENOENT;
}

/* Notes what the table says of a source, if it leads to something that is there. */
static int add_source(Tables *tables, const char *source, const char *verb, const char *name)
{
        _cleanup_free_ char *node = NULL, *directory = NULL, *what = NULL;
        _cleanup_free_ char *shown = NULL, *shown_name = NULL;

        int r = node_of(source, &node);
        if (r == 0)
                r = guard_block_find_node(tables->guard.host, node, &directory);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        r = guard_printable(source, &shown);
        if (r == 0)
                r = guard_printable(name, &shown_name);
        if (r == 0)
                r = format_string(&what, "%s names %s%s%s", tables->table, shown, verb, shown_name);
        if (r == 0)
                r = guard_block_add(&tables->guard, directory, what, NULL);
        return scan_error_is_fatal(r) ? r : 0;
}

typedef int (*LineHandler)(Tables *tables, char *first, char *second, char *rest);

static int add_mount(Tables *tables, char *source, char *point, char *rest)
{
        unescape(source);
        if (point)
                unescape(point);
        return add_source(tables, source, point ? " for " : "", point ?: "");
}

static int add_encrypted(Tables *tables, char *name, char *source, char *rest)
{
        if (!source)
                return 0;
        unescape(source);
        return add_source(tables, source, " for /dev/mapper/", name);
}

/* "ARRAY /dev/md/data metadata=1.2 UUID=…": an array that is assembled, by node or by UUID. */
static int add_array(Tables *tables, char *keyword, char *node, char *rest)
{
        char *words = NULL;

        if (strcasecmp(keyword, "ARRAY") != 0 || !node)
                return 0;
        int r = add_source(tables, node, "", "");
        for (char *word = strtok_r(rest, " \t", &words); r == 0 && word;
             word = strtok_r(NULL, " \t", &words)) {
                _cleanup_free_ char *link = NULL;

                if (strncasecmp(word, "UUID=", 5) != 0)
                        continue;
                r = format_string(&link, "ID=md-uuid-%s", word + 5);
                if (r == 0)
                        r = add_source(tables, link, "", "");
        }
        return r;
}

static int scan_table(Tables *tables, const char *table, LineHandler handler)
{
        _cleanup_free_ char *text = NULL;
        char *lines = NULL;
        size_t n = 0;

        tables->table = table;
        int r = read_file_at(tables->guard.host->root, table + 1, TABLE_MAX, &text, NULL);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char *line = strtok_r(text, "\n", &lines); line && n < LINES_MAX;
             line = strtok_r(NULL, "\n", &lines), n++) {
                char *rest = NULL;
                char *first = strtok_r(line, " \t\r", &rest);

                if (!first || first[0] == '#')
                        continue;
                char *second = strtok_r(NULL, " \t\r", &rest);
                r = handler(tables, first, second, rest);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A packed list of names and values: every text in it that is a path of a node. */
static int scan_pools(Tables *tables)
{
        _cleanup_free_ char *data = NULL;
        size_t length = 0, n = 0;

        tables->table = "/etc/zfs/zpool.cache";
        int r = read_file_at(tables->guard.host->root, tables->table + 1, POOL_CACHE_MAX, &data,
                &length);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (size_t i = 0; i + 5 < length && n < LINES_MAX; i++) {
                if (memcmp(data + i, "/dev/", 5) != 0)
                        continue;
                /* read_file_at() ends the data with NUL. */
                r = add_source(tables, data + i, "", "");
                if (r < 0)
                        return r;
                i += strlen(data + i);
                n++;
        }
        return 0;
}

static int copy_functions(const Snapshot *snapshot, Snapshot *copy)
{
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                Device *device;
                int r = snapshot_add(copy, &snapshot->devices[i].address, &device);

                if (r < 0)
                        return r;
                device->is_bridge = snapshot->devices[i].is_bridge;
        }
        return snapshot_finish(copy);
}

static int add_to_record(const Snapshot *snapshot, const Snapshot *found, HostDevices *devices)
{
        for (size_t i = 0; i < found->n_devices; i++) {
                const Device *device = snapshot_find(snapshot, &found->devices[i].address);

                if (found->devices[i].n_uses == 0 || driver_is_vfio(device->driver))
                        continue;
                int r = host_devices_add(devices, device, 1U << IN_USE_SYSTEM,
                        found->devices[i].uses[0].what);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool is_optional(char *options)
{
        char *rest = NULL;

        for (char *word = options ? strtok_r(options, ",", &rest) : NULL; word;
             word = strtok_r(NULL, ",", &rest))
                if (streq(word, "noauto") || streq(word, "nofail"))
                        return true;
        return false;
}

static int await_source(Tables *tables, char *source, char *options)
{
        _cleanup_free_ char *node = NULL, *directory = NULL;

        unescape(source);
        int r = is_optional(options) ? -ENOENT : node_of(source, &node);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        r = guard_block_find_node(tables->guard.host, node, &directory);
        if (r < 0)
                tables->awaits = true;
        return scan_error_is_fatal(r) ? r : 0;
}

/* Type, or key, comes before the options. */
static char *skip_one(char *rest)
{
        char *words = NULL;

        return strtok_r(rest, " \t\r", &words) ? strtok_r(NULL, " \t\r", &words) : NULL;
}

/* The root is there, by whatever name. */
static int await_mount(Tables *tables, char *source, char *point, char *rest)
{
        if (point && streq(point, "/"))
                return 0;
        return await_source(tables, source, skip_one(rest));
}

static int await_encrypted(Tables *tables, char *name, char *source, char *rest)
{
        return source ? await_source(tables, source, skip_one(rest)) : 0;
}

int host_tables_await_storage(const Host *host)
{
        Tables tables = { .guard = { .host = host } };

        int r = scan_table(&tables, "/etc/fstab", await_mount);
        if (r == 0)
                r = scan_table(&tables, "/etc/crypttab", await_encrypted);
        return r < 0 ? r : tables.awaits;
}

int host_tables_scan(const Host *host, const Snapshot *snapshot, HostDevices *devices)
{
        _cleanup_snapshot_ Snapshot *found = NULL;

        int r = snapshot_new(&found);
        if (r == 0)
                r = copy_functions(snapshot, found);
        if (r < 0)
                return r;
        Tables tables = { .guard = { .host = host, .snapshot = found } };
        r = scan_table(&tables, "/etc/fstab", add_mount);
        if (r == 0)
                r = scan_table(&tables, "/etc/crypttab", add_encrypted);
        if (r == 0)
                r = scan_table(&tables, "/etc/mdadm/mdadm.conf", add_array);
        if (r == 0)
                r = scan_table(&tables, "/etc/mdadm.conf", add_array);
        if (r == 0)
                r = scan_pools(&tables);
        return r < 0 ? r : add_to_record(snapshot, found, devices);
}
