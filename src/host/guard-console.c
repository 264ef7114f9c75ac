/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "host/aside.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* What draws the host's console, and which serial lines are one (process use: somebody may have to
 * log in there). The kernel tells both under the lock of the console, which a display driver may
 * hold for as long as it pleases, so a process aside asks. */

#define NAMES_MAX    64
#define DEADLINE_SEC 1
#define CLASS        "sys/class/vtconsole"

static bool read_line(const Host *host, const char *path, char *buffer, size_t size)
{
        return read_attribute_at(host->root, path, buffer, size) > 0;
}

/* "(M) frame buffer device", "(S) VGA+", "(S) dummy device" */
static void look_at_terminals(const Host *host, GuardConsole *console)
{
        _cleanup_string_list_ char **names = NULL;
        char path[300], text[64];

        if (host_list_directory(host->root, CLASS, NAMES_MAX, &names) < 0)
                return;
        for (char **name = names; name && *name; name++) {
                (void) snprintf(path, sizeof(path), CLASS "/%.255s/bind", *name);
                if (!read_line(host, path, text, sizeof(text)) || !streq(text, "1"))
                        continue;
                (void) snprintf(path, sizeof(path), CLASS "/%.255s/name", *name);
                if (!read_line(host, path, text, sizeof(text)))
                        continue;
                console->is_framebuffer = console->is_framebuffer || strstr(text, "frame buffer");
                console->is_vga = console->is_vga || strstr(text, "VGA");
        }
}

static void look(const Host *host, GuardConsole *console)
{
        *console = (GuardConsole){};
        look_at_terminals(host, console);
        if (!read_line(host, "sys/class/tty/console/active", console->active,
                    sizeof(console->active)))
                console->active[0] = '\0';
}

_Static_assert(sizeof(GuardConsole) <= PIPE_BUF, "it is told in one piece");

static void tell(int output, void *userdata)
{
        const Host *host = userdata;
        GuardConsole console;

        look(host, &console);
        if (write(output, &console, sizeof(console)) < 0)
                return; /* nobody listens any more */
}

static int ask(const Host *host, GuardConsole *ret)
{
        uint64_t deadline = now_monotonic() + DEADLINE_SEC * USEC_PER_SEC;
        GuardConsole console;

        _cleanup_close_ int input = aside_start(tell, (void *) host, host->root, DEADLINE_SEC);
        if (input < 0)
                return input;
        int r = aside_wait(input, deadline);
        if (r <= 0)
                return r < 0 ? r : -ETIMEDOUT;
        if (read(input, &console, sizeof(console)) != sizeof(console))
                return -ETIMEDOUT;
        console.active[sizeof(console.active) - 1] = '\0';
        *ret = console;
        return 0;
}

static bool is_display(const Device *device)
{
        return device->class_code >> 16 == 0x03 && !device->is_bridge &&
                !driver_is_vfio(device->driver);
}

/* The hypervisor's console: a communication controller, or of another class with the ids of one
 * (Virtual I/O Device specification, 4.1.2: 0x1040 and the type 3, or transitional). */
static bool is_virtio_console(const Device *device)
{
        bool has_id = device->vendor == 0x1af4 &&
                (device->device == 0x1043 || device->device == 0x1003);

        return streq_null(device->driver, "virtio-pci") &&
                (has_id || device->class_code >> 8 == 0x0780);
}

static bool is_serial_line(const GuardNode *node)
{
        return !node->is_block && strstr(node->path, "/tty/");
}

/* Most machines have no function of which the console could tell anything. */
static int is_of_interest(const Guard *guard, bool *ret)
{
        Device *devices[GUARD_PATH_MAX];
        _cleanup_free_ char *path = NULL;

        *ret = false;
        for (size_t i = 0; i < guard->snapshot->n_devices && !*ret; i++)
                *ret = is_display(&guard->snapshot->devices[i]) ||
                       is_virtio_console(&guard->snapshot->devices[i]);
        for (size_t i = 0; i < guard->n_nodes && !*ret; i++)
                *ret = is_serial_line(&guard->nodes[i]);
        if (*ret)
                return 0;
        int r = guard_resolve_link(guard->host, "sys/class/graphics/fb0", &path);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        *ret = guard_find_in_path(guard, path, devices, GUARD_PATH_MAX) > 0;
        return 0;
}

static int add_blind(Guard *guard, int error)
{
        _cleanup_free_ char *what = NULL;

        int r = format_string(&what, "what shows the console of the host cannot be seen (%s)",
                strerror(-error));
        const UseNote note = {
                .use = IN_USE_BLIND, .what = what,
                .remedy = (char *) "Wait until its drivers are done",
        };
        for (size_t i = 0; r == 0 && i < guard->snapshot->n_devices; i++)
                if (is_display(&guard->snapshot->devices[i]) ||
                    is_virtio_console(&guard->snapshot->devices[i]))
                        r = guard_add_note(&guard->snapshot->devices[i], &note);
        for (size_t i = 0; r == 0 && i < guard->n_nodes; i++)
                if (is_serial_line(&guard->nodes[i]))
                        r = guard_add_note_by_path(guard, guard->nodes[i].path, &note);
        return r;
}

/* hvcN is below no device (drivers/tty/hvc/hvc_console.c); it may be Xen's, or that of a machine
 * that is no PC, but then nothing is bound to the driver. */
static int add_console(Guard *guard, const char *name, const char *path, const char *what)
{
        static const char remedy[] = "Take it off the kernel command line (\"console=\")";

        return startswith(name, "hvc") ?
                guard_add_by_virtio(guard, "virtio_console", IN_USE_PROCESS, what, remedy) :
                guard_add_by_path(guard, path, IN_USE_PROCESS, what, remedy);
}

static int add_serial_console(Guard *guard, const char *name)
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
        return add_console(guard, name, path, what);
}

/* "tty0 ttyS0" */
static int add_serial_consoles(Guard *guard, char *active)
{
        char *rest = NULL;

        make_printable(active);
        for (char *name = strtok_r(active, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
                int r = add_serial_console(guard, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

int guard_scan_console(Guard *guard)
{
        bool is_wanted;

        int r = is_of_interest(guard, &is_wanted);
        if (r < 0 || !is_wanted)
                return r;
        if (guard->host->is_live)
                r = ask(guard->host, &guard->console);
        else
                look(guard->host, &guard->console);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : add_blind(guard, r);
        return add_serial_consoles(guard, guard->console.active);
}
