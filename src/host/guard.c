/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/guard.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "util/array.h"
#include "util/strings.h"

#define NOTES_MAX     64 /* of one function: one is enough to refuse it */
#define PRINTABLE_MAX 200

static int add_note(Device *device, InUse use, const char *what, const char *remedy)
{
        for (size_t i = 0; i < device->n_uses; i++)
                if (device->uses[i].use == use && streq(device->uses[i].what, what))
                        return 0;
        if (device->n_uses == NOTES_MAX)
                return 0;

        int r = ARRAY_GROW(device->uses, device->n_uses);
        if (r < 0)
                return r;
        UseNote note = {.use = use};
        r = replace_string(&note.what, what);
        if (r == 0)
                r = replace_string(&note.remedy, remedy);
        if (r < 0) {
                free(note.what);
                return r;
        }
        device->uses[device->n_uses++] = note;
        return 0;
}

int guard_add_by_path(Guard *guard, const char *path, InUse use, const char *what,
        const char *remedy)
{
        for (const char *component = path; *component;) {
                size_t n = strcspn(component, "/");
                char name[PCI_ADDRESS_TEXT_MAX];
                PciAddress address;

                if (n < sizeof(name)) {
                        memcpy(name, component, n);
                        name[n] = '\0';
                        Device *device = scan_parse_address(name, &address) ?
                                snapshot_find(guard->snapshot, &address) :
                                NULL;
                        if (device && !device->is_bridge) {
                                int r = add_note(device, use, what, remedy);
                                if (r < 0)
                                        return r;
                        }
                }
                component += n;
                component += strspn(component, "/");
        }
        return 0;
}

int guard_add_blind(Guard *guard, uint8_t base_class, const char *what, const char *remedy)
{
        for (size_t i = 0; i < guard->snapshot->n_devices; i++) {
                Device *device = &guard->snapshot->devices[i];

                /* Without a host driver the host cannot be using it. */
                if (device->class_code >> 16 != base_class || !device->driver ||
                    driver_is_vfio(device->driver))
                        continue;
                int r = add_note(device, IN_USE_BLIND, what, remedy);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Removes the last component; false if there is none. */
static bool go_up(char *path)
{
        char *slash = strrchr(path, '/');

        if (!*path)
                return false;
        *(slash ? slash : path) = '\0';
        return true;
}

static bool go_down(char *path, size_t size, const char *name, size_t n)
{
        size_t length = strlen(path);

        if (length + n + 2 > size)
                return false;
        if (length > 0)
                path[length++] = '/';
        memcpy(path + length, name, n);
        path[length + n] = '\0';
        return true;
}

int guard_resolve_link(const Host *host, const char *path, char **ret)
{
        char target[PATH_MAX], result[PATH_MAX] = "";

        ssize_t n = readlinkat(host->root, path, target, sizeof(target));
        if (n < 0)
                return errno == EINVAL || errno == ENOTDIR ? -ENOENT : -errno;
        if ((size_t) n >= sizeof(target) || strlen(path) >= sizeof(result))
                return -ENAMETOOLONG;
        target[n] = '\0';

        if (target[0] != '/') {
                memcpy(result, path, strlen(path) + 1);
                (void) go_up(result);
        }
        for (const char *component = target + strspn(target, "/"); *component;) {
                size_t length = strcspn(component, "/");

                if (length == 2 && component[0] == '.' && component[1] == '.') {
                        if (!go_up(result))
                                return -EINVAL;
                } else if (length != 1 || component[0] != '.') {
                        if (!go_down(result, sizeof(result), component, length))
                                return -ENAMETOOLONG;
                }
                component += length;
                component += strspn(component, "/");
        }
        return format_string(ret, "%s", result);
}

int guard_printable(const char *text, char **ret)
{
        char *copy = strndup(text, PRINTABLE_MAX);
        if (!copy)
                return -ENOMEM;
        for (char *p = copy; *p; p++)
                if ((unsigned char) *p < 0x20 || *p == 0x7f)
                        *p = '?';
        *ret = copy;
        return 0;
}

static void clear_notes(Device *device)
{
        for (size_t i = 0; i < device->n_uses; i++) {
                free(device->uses[i].what);
                free(device->uses[i].remedy);
        }
        free(device->uses);
        device->uses = NULL;
        device->n_uses = 0;
}

int guard_scan(const Host *host, Snapshot *snapshot)
{
        Guard guard = {.host = host, .snapshot = snapshot};

        for (size_t i = 0; i < snapshot->n_devices; i++)
                clear_notes(&snapshot->devices[i]);
        int r = guard_scan_block(&guard);
        return r < 0 ? r : guard_scan_network(&guard);
}

int guard_check(const Host *host, const PciAddress *address, unsigned allow, InUse *ret_use,
        char **ret)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        const unsigned never = 1U << IN_USE_SYSTEM | 1U << IN_USE_BLIND;
        char *text = NULL;

        int r = scan_function(host, address, &snapshot);
        if (r == 0)
                r = guard_scan(host, snapshot);
        if (r < 0)
                return r;

        const Device *device = &snapshot->devices[0];
        for (size_t i = 0; i < device->n_uses; i++) {
                const UseNote *note = &device->uses[i];

                if (allow & ~never & 1U << note->use)
                        continue;
                r = note->remedy ? format_string(&text, "%s. %s.", note->what, note->remedy) :
                                   format_string(&text, "%s.", note->what);
                if (r < 0)
                        return r;
                *ret_use = note->use;
                break;
        }
        *ret = text;
        return 0;
}
