/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/host-devices.h"
#include "util/array.h"
#include "util/buffer.h"
#include "util/hash.h"
#include "util/parse.h"
#include "util/strings.h"

/* vfio-bindd host-devices 1
 * path=0000:00:11.0/00.0 address=0000:02:00.0 id=1b36:0010:1af4:1100 serial=- uses=system what=…
 * end 1 3f1c…
 *
 * It is written by root for root; all the same it decides what a boot leaves alone, so it is taken
 * whole or not at all. */

#define TITLE           "vfio-bindd host-devices 1\n"
#define PLATFORM        "platform" /* beside the names of uses */
#define PATH_MAX_LENGTH 256
#define WHAT_MAX_LENGTH 512

/* Against torn writes and rotten disks, not against anybody. */
static uint64_t checksum(const char *text, size_t length)
{
        return hash_update(HASH_START, text, length);
}

static void format_uses(Buffer *buffer, unsigned uses)
{
        const char *separator = "";

        for (unsigned i = 0; i < _IN_USE_MAX; i++)
                if (uses & 1U << i) {
                        buffer_printf(buffer, "%s%s", separator, in_use_to_string((InUse) i));
                        separator = ",";
                }
        if (uses & HOST_DEVICE_PLATFORM)
                buffer_printf(buffer, "%s" PLATFORM, separator);
}

/* The text is people's, and stands last on its line. */
static int format_what(Buffer *buffer, const char *what)
{
        _cleanup_free_ char *copy = strndup(what, WHAT_MAX_LENGTH);

        if (!copy)
                return -ENOMEM;
        make_printable(copy);
        for (char *p = copy; *p; p++)
                if (*p == '\t')
                        *p = ' ';
        buffer_append(buffer, *copy ? copy : "?");
        return 0;
}

static int format_item(Buffer *buffer, const HostDevice *item)
{
        buffer_printf(buffer, "path=%s address=%s id=%04x:%04x:%04x:%04x serial=%s uses=",
                item->path, PCI_ADDRESS_TEXT(&item->address), item->vendor, item->device,
                item->subsystem_vendor, item->subsystem_device, item->serial ?: "-");
        format_uses(buffer, item->uses);
        buffer_append(buffer, " what=");
        int r = format_what(buffer, item->what);
        buffer_append(buffer, "\n");
        return r;
}

int host_devices_format(const HostDevices *devices, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};
        size_t n = devices->n_items < HOST_DEVICES_MAX ? devices->n_items : HOST_DEVICES_MAX;

        buffer_append(&buffer, TITLE);
        for (size_t i = 0; i < n; i++) {
                int r = format_item(&buffer, &devices->items[i]);

                if (r < 0)
                        return r;
        }
        if (buffer.failed)
                return -ENOMEM;
        uint64_t sum = checksum(buffer.text, buffer.length);
        buffer_printf(&buffer, "end %zu %016" PRIx64 "\n", n, sum);
        return buffer_finish(&buffer, ret);
}

/* Cuts "KEY=value" off the front of a line; the last value takes the rest. */
static char *take_value(char **line, const char *key, bool is_last)
{
        char *value = *line ? (char *) startswith(*line, key) : NULL;

        if (!value || *value++ != '=')
                return NULL;
        *line = NULL;
        if (!is_last) {
                char *end = strchr(value, ' ');

                if (!end)
                        return NULL;
                *end = '\0';
                *line = end + 1;
        }
        return *value ? value : NULL;
}

static bool parse_ids(char *text, HostDevice *item)
{
        uint16_t *const ids[] = { &item->vendor, &item->device, &item->subsystem_vendor,
                                  &item->subsystem_device };
        uint64_t number;

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                char *part = strsep(&text, ":");

                if (!part || parse_hex(part, 4, &number) < 0)
                        return false;
                *ids[i] = (uint16_t) number;
        }
        return !text;
}

static bool parse_uses(char *text, unsigned *ret)
{
        for (char *word; (word = strsep(&text, ","));) {
                int use = in_use_from_string(word);

                if (use < 0 && !streq(word, PLATFORM))
                        return false;
                *ret |= use < 0 ? HOST_DEVICE_PLATFORM : 1U << use;
        }
        return *ret != 0;
}

static bool is_path(const char *text)
{
        size_t n = strlen(text);

        return n <= PATH_MAX_LENGTH && strspn(text, "0123456789abcdef:./") == n;
}

static bool is_serial(const char *text)
{
        uint64_t number;

        return parse_hex(text, 16, &number) == 0;
}

/* Returns 1 if the line is whole, 0 if not, -ENOMEM. */
static int parse_item(char *line, HostDevice *item)
{
        char *path = take_value(&line, "path", false);
        char *address = take_value(&line, "address", false);
        char *ids = take_value(&line, "id", false);
        char *serial = take_value(&line, "serial", false);
        char *uses = take_value(&line, "uses", false);
        char *what = take_value(&line, "what", true);

        if (!path || !address || !ids || !serial || !uses || !what || !is_path(path) ||
            pci_address_parse(address, &item->address) < 0 || !parse_ids(ids, item) ||
            !parse_uses(uses, &item->uses) || (!streq(serial, "-") && !is_serial(serial)) ||
            strlen(what) > WHAT_MAX_LENGTH || find_unprintable(what))
                return 0;

        int r = replace_string(&item->path, path);
        if (r == 0)
                r = replace_string(&item->what, what);
        if (r == 0 && !streq(serial, "-"))
                r = replace_string(&item->serial, serial);
        return r < 0 ? r : 1;
}

/* "end N CHECKSUM", and nothing after it. */
static bool is_end(const char *line, size_t n, uint64_t sum)
{
        char expected[64];

        (void) snprintf(expected, sizeof(expected), "end %zu %016" PRIx64, n, sum);
        return streq(line, expected);
}

/* Takes the lines of `text`, which is damaged by that, between title and end. */
static int parse_items(char *text, HostDevices *devices)
{
        for (char *line; (line = strsep(&text, "\n"));) {
                if (!*line && !text)
                        return 0; /* after the last newline */
                int r = ARRAY_GROW(devices->items, devices->n_items);
                if (r < 0)
                        return r;
                devices->items[devices->n_items] = (HostDevice){};
                r = parse_item(line, &devices->items[devices->n_items++]);
                if (r <= 0)
                        return r < 0 ? r : -EBADMSG;
        }
        return -EBADMSG;
}

static bool is_sorted(const HostDevices *devices)
{
        for (size_t i = 1; i < devices->n_items; i++)
                if (strcmp(devices->items[i - 1].path, devices->items[i].path) >= 0)
                        return false;
        return true;
}

int host_devices_parse(const char *text, size_t length, HostDevices **ret)
{
        _cleanup_host_devices_ HostDevices *devices = NULL;
        size_t title = strlen(TITLE);

        if (length > HOST_DEVICES_TEXT_MAX || length <= title || strlen(text) != length ||
            !startswith(text, TITLE) || text[length - 1] != '\n')
                return -EBADMSG;
        _cleanup_free_ char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        copy[length - 1] = '\0';
        char *end = strrchr(copy, '\n') + 1; /* the title has one */
        uint64_t sum = checksum(text, (size_t) (end - copy));

        int r = host_devices_new(&devices);
        if (r < 0)
                return r;
        _cleanup_free_ char *lines = strndup(copy + title, (size_t) (end - copy) - title);
        if (!lines)
                return -ENOMEM;
        r = parse_items(lines, devices);
        if (r < 0)
                return r;
        if (devices->n_items > HOST_DEVICES_MAX || !is_sorted(devices) ||
            !is_end(end, devices->n_items, sum))
                return -EBADMSG;
        *ret = TAKE_POINTER(devices);
        return 0;
}
