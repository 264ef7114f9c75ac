/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "util/parse.h"
#include "util/strings.h"

char *path_of_device(const PciAddress *address, char text[static BUS_PATH_MAX])
{
        snprintf(text, BUS_PATH_MAX, BUS_PREFIX_DEVICE "/pci_%04" PRIx32 "_%02x_%02x_%x",
                address->domain, address->bus, address->device, address->function);
        return text;
}

char *path_of_group(int64_t number, char text[static BUS_PATH_MAX])
{
        snprintf(text, BUS_PATH_MAX, BUS_PREFIX_GROUP "/%" PRId64, number);
        return text;
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool is_plain(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* sd_bus_path_encode(3) does the same, but allocates, and this runs for every claim of every
 * device in a reply with thousands of them; a test compares the two. */
char *path_of_name(const char *prefix, const char *name, char text[static BUS_PATH_MAX])
{
        size_t n = (size_t) snprintf(text, BUS_PATH_MAX, "%s/%s", prefix, *name ? "" : "_");

        for (const char *c = name; *c; c++) {
                if (n + sizeof("_00") > BUS_PATH_MAX)
                        return strcpy(text, BUS_PATH_NONE);
                if (is_plain(*c) && !(c == name && is_digit(*c)))
                        text[n++] = *c;
                else
                        n += (size_t) sprintf(text + n, "_%02x", (unsigned char) *c);
        }
        text[n] = 0;
        return text;
}

const char *path_label(const char *path, const char *prefix)
{
        const char *rest = startswith(path, prefix);

        if (!rest || *rest != '/' || !rest[1] || strchr(rest + 1, '/'))
                return NULL;
        return rest + 1;
}

int path_parse_device(const char *label, PciAddress *ret)
{
        char canonical[BUS_PATH_MAX];
        PciAddress address;

        if (pci_address_parse(label, &address) < 0)
                return -EINVAL;
        if (!streq(path_of_device(&address, canonical) + strlen(BUS_PREFIX_DEVICE "/"), label))
                return -EINVAL;
        *ret = address;
        return 0;
}

int path_parse_group(const char *label, int64_t *ret)
{
        uint64_t number;

        if (parse_unsigned(label, INT32_MAX, &number) < 0)
                return -EINVAL;
        if (label[0] == '0' && label[1])
                return -EINVAL;
        *ret = (int64_t) number;
        return 0;
}

static int hex_digit(char c)
{
        if (is_digit(c))
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int path_parse_name(const char *label, char name[static BUS_PATH_MAX])
{
        char canonical[BUS_PATH_MAX];
        size_t n = 0;

        if (strlen(label) >= BUS_PATH_MAX)
                return -EINVAL;
        for (const char *c = label; *c; c++) {
                if (*c != '_') {
                        name[n++] = *c;
                        continue;
                }
                int high = hex_digit(c[1]), low = high < 0 ? -1 : hex_digit(c[2]);
                if (low < 0 || (high == 0 && low == 0))
                        return -EINVAL;
                name[n++] = (char) (high << 4 | low);
                c += 2;
        }
        name[n] = 0;
        return streq(path_of_name("", name, canonical) + 1, label) ? 0 : -EINVAL;
}
