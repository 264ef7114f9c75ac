/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* Process use that no open file tells of: the only keyboard. */

#define INPUTS_MAX  4096
#define LETTER_KEYS 0xfffffffeU /* KEY_ESC to KEY_S; udev's test for a keyboard as well */

typedef struct Keyboards {
        Device *common[GUARD_PATH_MAX]; /* functions that all keyboards are below */
        size_t n_common, n;
} Keyboards;

static void take_keyboard(const Guard *guard, const char *path, Keyboards *keyboards)
{
        Device *devices[GUARD_PATH_MAX];
        size_t n = guard_find_in_path(guard, path, devices, GUARD_PATH_MAX), n_common = 0;

        if (keyboards->n++ == 0) {
                memcpy(keyboards->common, devices, n * sizeof(*devices));
                keyboards->n_common = n;
                return;
        }
        for (size_t i = 0; i < keyboards->n_common; i++)
                for (size_t k = 0; k < n; k++)
                        if (keyboards->common[i] == devices[k]) {
                                keyboards->common[n_common++] = devices[k];
                                break;
                        }
        keyboards->n_common = n_common;
}

/* "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe", highest first. */
static bool has_letters(const Guard *guard, const char *directory)
{
        char path[PATH_MAX], keys[1024];
        uint64_t word;

        int n = snprintf(path, sizeof(path), "%s/capabilities/key", directory);
        if (n < 0 || (size_t) n >= sizeof(path) ||
            read_attribute_at(guard->host->root, path, keys, sizeof(keys)) <= 0)
                return false;
        const char *last = strrchr(keys, ' ');
        return parse_hex(last ? last + 1 : keys, 0, &word) == 0 &&
                (word & LETTER_KEYS) == LETTER_KEYS;
}

/* /sys/class/input/inputN; what programs make is below /sys/devices/virtual. */
static int scan_input(const Guard *guard, const char *name, Keyboards *keyboards)
{
        _cleanup_free_ char *link = NULL, *path = NULL;

        if (!startswith(name, "input"))
                return 0;
        int r = format_string(&link, "sys/class/input/%s", name);
        if (r == 0)
                r = guard_resolve_link(guard->host, link, &path);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        if (!strstr(path, "/virtual/") && has_letters(guard, path))
                take_keyboard(guard, path, keyboards);
        return 0;
}

int guard_scan_keyboard(Guard *guard)
{
        const UseNote note = {
                .use = IN_USE_PROCESS, .what = (char *) "the only keyboard of the host is below it",
                .remedy = (char *) "Plug a keyboard in elsewhere",
        };
        _cleanup_string_list_ char **names = NULL;
        Keyboards keyboards = {};

        int r = host_list_directory(guard->host->root, "sys/class/input", INPUTS_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; r == 0 && name && *name; name++)
                r = scan_input(guard, *name, &keyboards);
        for (size_t i = 0; r == 0 && i < keyboards.n_common; i++)
                r = guard_add_note(keyboards.common[i], &note);
        return r;
}
