/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/guard-internal.h"
#include "util/buffer.h"
#include "util/io.h"
#include "util/strings.h"

/* Much of what the guard looks at cannot be saved: open files of processes, tables of the kernel.
 * A saved tree has in GUARD_SAVED what was seen when it was made, a line for each use:
 * "ADDRESS USE WHAT<tab>REMEDY", with PASSING behind the use where it is that. */

#define SAVED_MAX (4 * 1024 * 1024)
#define PASSING   ",passing"

/* One line has no further line breaks and tabs. */
static void append_field(Buffer *buffer, const char *text)
{
        for (const char *p = text ?: ""; *p; p++)
                buffer_append_length(buffer, (unsigned char) *p < 0x20 ? " " : p, 1);
}

int guard_format_saved(const Snapshot *snapshot, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        for (size_t i = 0; i < snapshot->n_devices; i++) {
                const Device *device = &snapshot->devices[i];

                for (size_t j = 0; j < device->n_uses; j++) {
                        buffer_printf(&buffer, "%s %s%s ", PCI_ADDRESS_TEXT(&device->address),
                                in_use_to_string(device->uses[j].use),
                                device->uses[j].is_passing ? PASSING : "");
                        append_field(&buffer, device->uses[j].what);
                        buffer_append(&buffer, "\t");
                        append_field(&buffer, device->uses[j].remedy);
                        buffer_append(&buffer, "\n");
                }
        }
        return buffer_finish(&buffer, ret);
}

/* A line that cannot be read is none: a saved tree is looked at, never acted on. */
static int read_line(Guard *guard, char *line)
{
        char *rest = NULL, *address_text = strtok_r(line, " ", &rest);
        char *use_text = strtok_r(NULL, " ", &rest);
        char *what = strtok_r(NULL, "\t", &rest), *remedy = rest;
        PciAddress address;
        UseNote note = {};

        if (!what || pci_address_parse(address_text, &address) < 0)
                return 0;
        char *comma = strchr(use_text, ',');
        if (comma) {
                note.is_passing = streq(comma, PASSING);
                *comma = '\0';
        }
        int use = in_use_from_string(use_text);
        Device *device = snapshot_find(guard->snapshot, &address);
        if (use < 0 || !device)
                return 0;
        note.use = (InUse) use;
        note.what = what;
        note.remedy = isempty(remedy) ? NULL : remedy;
        return guard_add_note(device, &note);
}

int guard_read_saved(Guard *guard)
{
        _cleanup_free_ char *text = NULL;
        char *rest = NULL;

        if (guard->host->is_live)
                return 0;
        int r = read_file_at(guard->host->root, GUARD_SAVED, SAVED_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT || r == -ENOTDIR ? 0 : r;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                r = read_line(guard, line);
                if (r < 0)
                        return r;
        }
        return 1;
}
