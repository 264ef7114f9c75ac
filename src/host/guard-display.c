/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

/* Display use: what shows the host's console. */

#define IOMEM_MAX  (16U << 20)
#define LEVELS_MAX 32
#define REMEDY     "Let the host use another display, or none"

/* As /proc/iomem calls what the firmware set up: sysfb, simpledrm, efifb, vesafb. */
static bool is_framebuffer(const char *name)
{
        static const char *const names[] = {
                "BOOTFB", "efifb", "vesafb", "simplefb", "simple-framebuffer", "simpledrm",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (startswith(name, names[i]))
                        return true;
        return false;
}

static bool is_boot_vga(const Guard *guard, const Device *device)
{
        char path[64], text[8];

        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/boot_vga",
                PCI_ADDRESS_TEXT(&device->address));
        return read_attribute_at(guard->host->root, path, text, sizeof(text)) > 0 &&
                streq(text, "1");
}

/* In text mode the console needs no driver. */
static int scan_boot_vga(Guard *guard)
{
        const UseNote note = {
                .use = IN_USE_DISPLAY, .remedy = (char *) REMEDY,
                .what = (char *) (guard->console.is_vga ?
                                          "it shows the console of the host" :
                                          "it is the display of the firmware and of the host"),
        };

        for (size_t i = 0; i < guard->snapshot->n_devices; i++) {
                Device *device = &guard->snapshot->devices[i];

                if (device->class_code >> 16 != 0x03 || device->is_bridge ||
                    driver_is_vfio(device->driver) || !is_boot_vga(guard, device) ||
                    (!guard_is_driven(device) && !guard->console.is_vga))
                        continue;
                int r = guard_add_note(device, &note);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The console is on the first one, be there a DRM driver below it or not. */
static int scan_framebuffer(Guard *guard)
{
        _cleanup_free_ char *path = NULL;

        int r = guard_resolve_link(guard->host, "sys/class/graphics/fb0", &path);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        return guard_add_by_path(guard, path, IN_USE_DISPLAY,
                "its framebuffer fb0 shows the console of the host", REMEDY);
}

/* "  c0000000-c0ffffff : 0000:01:00.0", indented by two blanks for each resource around it; a
 * framebuffer of the firmware lies within a resource of the function that has the memory. */
static int scan_iomem_line(Guard *guard, char *line, char *levels[LEVELS_MAX])
{
        size_t level = strspn(line, " ") / 2;
        char *name = strstr(line, " : ");

        if (!name || level >= LEVELS_MAX)
                return 0;
        name += strlen(" : ");
        levels[level] = name;
        if (!is_framebuffer(name))
                return 0;
        for (size_t i = 0; i < level; i++) {
                int r;

                if (!levels[i])
                        continue;
                r = guard_add_by_path(guard, levels[i], IN_USE_DISPLAY,
                        "its memory is the framebuffer that the firmware set up for the host",
                        REMEDY);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int scan_iomem(Guard *guard)
{
        _cleanup_free_ char *text = NULL;
        char *lines = NULL, *levels[LEVELS_MAX] = {};

        int r = read_file_at(guard->host->root, "proc/iomem", IOMEM_MAX, &text, NULL);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                r = scan_iomem_line(guard, line, levels);
                if (r < 0)
                        return r;
        }
        return 0;
}

int guard_scan_display(Guard *guard)
{
        int r = scan_boot_vga(guard);
        if (r == 0 && guard->console.is_framebuffer)
                r = scan_framebuffer(guard);
        return r < 0 ? r : scan_iomem(guard);
}
