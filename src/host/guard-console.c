/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* Process use that no open file tells of: the keyboard and the serial console, by which somebody
 * may have to log in. */

#define INPUT_MAX   (1U << 20)
#define LETTER_KEYS 0xfffffffeU /* KEY_ESC to KEY_S; udev's test for a keyboard as well */

static int scan_serial_console(Guard *guard, const char *name)
{
        _cleanup_free_ char *link = NULL, *path = NULL, *what = NULL;

        if (strchr(name, '/') || strlen(name) > 64)
                return 0;
        int r = format_string(&link, "sys/class/tty/%s", name);
        if (r == 0)
                r = guard_resolve_link(guard->host, link, &path);
        if (r == 0)
                r = format_string(&what, "%s is a console of the host", name);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        return guard_add_by_path(guard, path, IN_USE_PROCESS, what,
                "Take it off the kernel command line (\"console=\")");
}

/* "tty0 ttyS0" */
static int scan_serial_consoles(Guard *guard)
{
        char text[1024], *rest = NULL;

        if (read_attribute_at(guard->host->root, "sys/class/tty/console/active", text,
                    sizeof(text)) <= 0)
                return 0;
        make_printable(text);
        for (char *name = strtok_r(text, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
                int r = scan_serial_console(guard, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

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

/* "B: KEY=1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe", highest first. */
static bool has_letters(const char *keys)
{
        const char *last = strrchr(keys, ' ');
        uint64_t word;

        return parse_hex(last ? last + 1 : keys, 0, &word) == 0 &&
                (word & LETTER_KEYS) == LETTER_KEYS;
}

/* /proc/bus/input/devices: a paragraph for each, "S: Sysfs=" before "B: KEY=". */
static int scan_keyboards(Guard *guard)
{
        static const char what[] = "the only keyboard of the host is below it";
        _cleanup_free_ char *text = NULL;
        Keyboards keyboards = {};
        const char *path = NULL;
        char *lines = NULL;

        int r = read_file_at(guard->host->root, "proc/bus/input/devices", INPUT_MAX, &text, NULL);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                const char *keys = startswith(line, "B: KEY=");
                const char *sysfs = startswith(line, "S: Sysfs=");

                if (startswith(line, "I:"))
                        path = NULL;
                if (sysfs)
                        path = sysfs;
                if (keys && path && has_letters(keys) && !strstr(path, "/virtual/"))
                        take_keyboard(guard, path, &keyboards);
        }
        const UseNote note = {
                .use = IN_USE_PROCESS, .what = (char *) what,
                .remedy = (char *) "Plug a keyboard in elsewhere",
        };
        for (size_t i = 0; i < keyboards.n_common; i++) {
                r = guard_add_note(keyboards.common[i], &note);
                if (r < 0)
                        return r;
        }
        return 0;
}

int guard_scan_console(Guard *guard)
{
        int r = scan_serial_consoles(guard);
        return r < 0 ? r : scan_keyboards(guard);
}
