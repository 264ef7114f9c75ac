/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/guard.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "host/udev-queue.h"
#include "util/array.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* Of one function, use, and kind (passing or not): one is enough to refuse it, but what refuses it
 * must not be crowded out by what may be allowed or waited for. */
#define NOTES_MAX     8
#define PRINTABLE_MAX 200
#define VIRTIO_MAX    4096
/* udev may be done with this function long before it is with all others. */
#define LOOK_AGAIN_USEC (200 * USEC_PER_MSEC)

bool guard_is_driven(const Device *device)
{
        return device->driver && !device->is_bridge && !driver_is_harmless(device->driver);
}

const char *guard_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static void done_note(UseNote *note)
{
        free(note->what);
        free(note->remedy);
}

/* Is it there, or are there enough of its kind? */
static bool has_note(const Device *device, const UseNote *note)
{
        size_t n = 0;

        for (size_t i = 0; i < device->n_uses; i++) {
                const UseNote *other = &device->uses[i];

                if (other->use != note->use || other->is_passing != note->is_passing)
                        continue;
                if (++n == NOTES_MAX || streq(other->what, note->what))
                        return true;
        }
        return false;
}

int guard_add_note(Device *device, const UseNote *note)
{
        if (has_note(device, note))
                return 0;

        int r = ARRAY_GROW(device->uses, device->n_uses);
        if (r < 0)
                return r;
        UseNote copy = {.use = note->use, .is_passing = note->is_passing};
        r = replace_string(&copy.what, note->what);
        if (r == 0)
                r = replace_string(&copy.remedy, note->remedy);
        if (r < 0) {
                done_note(&copy);
                return r;
        }
        device->uses[device->n_uses++] = copy;
        return 0;
}

bool guard_has_system_use(const Device *device)
{
        for (size_t i = 0; i < device->n_uses; i++)
                if (device->uses[i].use == IN_USE_SYSTEM)
                        return true;
        return false;
}

size_t guard_find_in_path(const Guard *guard, const char *path, Device **ret, size_t size)
{
        size_t n_found = 0;

        for (const char *component = path; *component && n_found < size;) {
                size_t n = strcspn(component, "/");
                char name[PCI_ADDRESS_TEXT_MAX];
                PciAddress address;

                if (n < sizeof(name)) {
                        memcpy(name, component, n);
                        name[n] = '\0';
                        Device *device = scan_parse_address(name, &address) ?
                                snapshot_find(guard->snapshot, &address) :
                                NULL;
                        if (device && !device->is_bridge)
                                ret[n_found++] = device;
                }
                component += n;
                component += strspn(component, "/");
        }
        return n_found;
}

int guard_add_note_by_path(Guard *guard, const char *path, const UseNote *note)
{
        Device *devices[GUARD_PATH_MAX];
        size_t n = guard_find_in_path(guard, path, devices, GUARD_PATH_MAX);

        for (size_t i = 0; i < n; i++) {
                int r = guard_add_note(devices[i], note);
                if (r < 0)
                        return r;
        }
        return 0;
}

int guard_add_by_path(Guard *guard, const char *path, InUse use, const char *what,
        const char *remedy)
{
        const UseNote note = {.use = use, .what = (char *) what, .remedy = (char *) remedy};

        return guard_add_note_by_path(guard, path, &note);
}

int guard_add_by_virtio(Guard *guard, const char *driver, InUse use, const char *what,
        const char *remedy)
{
        _cleanup_string_list_ char **names = NULL;
        _cleanup_free_ char *directory = NULL;

        int r = format_string(&directory, "sys/bus/virtio/drivers/%s", driver);
        if (r < 0)
                return r;
        r = host_list_directory(guard->host->root, directory, VIRTIO_MAX, &names);
        if (r < 0)
                return scan_error_is_fatal(r) ? r : 0;
        for (char **name = names; r == 0 && name && *name; name++) {
                _cleanup_free_ char *link = NULL, *path = NULL;

                if (!startswith(*name, "virtio"))
                        continue;
                r = format_string(&link, "%s/%s", directory, *name);
                if (r == 0)
                        r = guard_resolve_link(guard->host, link, &path);
                if (r == 0)
                        r = guard_add_by_path(guard, path, use, what, remedy);
                if (r < 0 && !scan_error_is_fatal(r))
                        r = 0;
        }
        return r;
}

void guard_add_kind(Guard *guard, const Device *device, GuardKind kind)
{
        guard->kinds[device - guard->snapshot->devices] |= (unsigned char) (1U << kind);
}

static bool is_of_kind(const Guard *guard, const Device *device, GuardKind kind)
{
        unsigned base_class = device->class_code >> 16;

        return guard->kinds[device - guard->snapshot->devices] & 1U << kind ||
                (kind == GUARD_STORAGE && base_class == 0x01) ||
                (kind == GUARD_NETWORK && base_class == 0x02);
}

int guard_add_blind(Guard *guard, GuardKind kind, const char *what, const char *remedy)
{
        const UseNote note = {
                .use = IN_USE_BLIND, .what = (char *) what, .remedy = (char *) remedy,
        };

        for (size_t i = 0; i < guard->snapshot->n_devices; i++) {
                Device *device = &guard->snapshot->devices[i];

                /* Without a host driver the host cannot be using it. */
                if (!guard_is_driven(device) || !is_of_kind(guard, device, kind))
                        continue;
                int r = guard_add_note(device, &note);
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
                if ((unsigned char) *p < 0x20)
                        *p = '?';
        make_printable(copy);
        *ret = copy;
        return 0;
}

void guard_unescape(char *text)
{
        char *out = text;

        for (char *p = text; *p; p++) {
                if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
                    p[3] >= '0' && p[3] <= '7') {
                        *out++ = (char) ((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
                        p += 3;
                } else {
                        *out++ = *p;
                }
        }
        *out = '\0';
}

bool guard_parse_number(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
        uint64_t major_number, minor_number;
        char first[16];
        const char *colon = strchr(text, ':');

        if (!colon || (size_t) (colon - text) >= sizeof(first))
                return false;
        memcpy(first, text, (size_t) (colon - text));
        first[colon - text] = '\0';
        if (parse_unsigned(first, UINT32_MAX, &major_number) < 0 ||
            parse_unsigned(colon + 1, UINT32_MAX, &minor_number) < 0)
                return false;
        *ret_major = (unsigned) major_number;
        *ret_minor = (unsigned) minor_number;
        return true;
}

static void clear_notes(Device *device)
{
        for (size_t i = 0; i < device->n_uses; i++)
                done_note(&device->uses[i]);
        free(device->uses);
        device->uses = NULL;
        device->n_uses = 0;
}

/* What nothing overrides first; a device has few notes. */
static void sort_notes(Device *device)
{
        for (size_t i = 1; i < device->n_uses; i++)
                for (size_t k = i; k > 0 && device->uses[k].use < device->uses[k - 1].use; k--) {
                        UseNote note = device->uses[k];

                        device->uses[k] = device->uses[k - 1];
                        device->uses[k - 1] = note;
                }
}

static void guard_done(Guard *guard)
{
        for (size_t i = 0; i < guard->n_nodes; i++)
                free(guard->nodes[i].path);
        free(guard->nodes);
        free(guard->kinds);
        free(guard->mounted);
        free(guard->network_mounts);
}
#define _cleanup_guard_ _cleanup_(guard_done)

static int look(Guard *guard)
{
        static int (*const looks[])(Guard *guard) = {
                guard_load_nodes, guard_scan_mounts, guard_scan_processes,
                guard_scan_file_systems, guard_scan_swaps, guard_scan_zfs, guard_scan_holders,
                guard_scan_network, guard_scan_console, guard_scan_display, guard_scan_keyboard,
                guard_scan_mediated, guard_scan_targets,
        };

        guard->kinds = calloc(guard->snapshot->n_devices + 1, 1);
        if (!guard->kinds)
                return -ENOMEM;
        for (size_t i = 0; i < guard->snapshot->n_devices; i++)
                clear_notes(&guard->snapshot->devices[i]);
        int r = guard_read_saved(guard);
        if (r != 0)
                return r < 0 ? r : 0;
        for (size_t i = 0; i < ELEMENTSOF(looks); i++) {
                r = looks[i](guard);
                if (r < 0)
                        return r;
        }
        return 0;
}

int guard_scan(const Host *host, Snapshot *snapshot)
{
        _cleanup_guard_ Guard guard = {.host = host, .snapshot = snapshot};

        int r = look(&guard);
        for (size_t i = 0; i < snapshot->n_devices; i++)
                sort_notes(&snapshot->devices[i]);
        return r;
}

static bool is_allowed(const UseNote *note, unsigned allow)
{
        const unsigned never = 1U << IN_USE_SYSTEM | 1U << IN_USE_VFIO | 1U << IN_USE_BLIND;

        if (note->is_passing && allow & ALLOW_PASSING)
                return true;
        return allow & ~never & 1U << note->use;
}

static bool is_look_of_udev(const UseNote *note)
{
        return note->is_passing && note->use == IN_USE_PROCESS;
}

/* What has to be stopped comes before what is over by itself; NULL: nothing is in the way. */
static const UseNote *find_obstacle(Device *device, unsigned allow)
{
        const UseNote *passing = NULL;

        sort_notes(device);
        for (size_t i = 0; i < device->n_uses; i++) {
                const UseNote *note = &device->uses[i];

                if (is_allowed(note, allow))
                        continue;
                if (!is_look_of_udev(note))
                        return note;
                if (!passing)
                        passing = note;
        }
        return passing;
}

/* Who opens a drive for himself alone keeps udev's programs from doing so. */
static int look_closely(Guard *guard, unsigned allow)
{
        Device *device = &guard->snapshot->devices[0];

        int r = look(guard);
        if (r < 0)
                return r;
        const UseNote *obstacle = find_obstacle(device, allow);
        if (obstacle && is_look_of_udev(obstacle))
                return 0;
        r = guard_check_exclusive(guard, device);
        /* That is process use; it need not be looked for where it is allowed. */
        if (r == 0 && !(allow & 1U << IN_USE_PROCESS))
                r = guard_check_mappings(guard);
        return r;
}

static int describe_obstacle(const UseNote *note, GuardAnswer *ret_answer, char **ret)
{
        int r = note->remedy ? format_string(ret, "%s. %s.", note->what, note->remedy) :
                               format_string(ret, "%s.", note->what);

        if (r == 0) {
                ret_answer->use = note->use;
                ret_answer->is_passing = is_look_of_udev(note);
        }
        return r;
}

static int check_once(const Host *host, const PciAddress *address, unsigned allow,
        GuardAnswer *ret_answer, char **ret)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;

        int r = scan_function(host, address, &snapshot);
        if (r < 0)
                return r;
        _cleanup_guard_ Guard guard = {.host = host, .snapshot = snapshot};
        r = look_closely(&guard, allow);
        if (r < 0)
                return r;
        const UseNote *note = find_obstacle(&snapshot->devices[0], allow);
        return note ? describe_obstacle(note, ret_answer, ret) : 0;
}

int guard_check(const Host *host, const PciAddress *address, unsigned allow, uint64_t udev_usec,
        GuardAnswer *ret_answer, char **ret)
{
        uint64_t deadline = now_monotonic() + udev_usec;
        bool has_waited = false;

        for (;;) {
                GuardAnswer answer = { .has_waited = has_waited };
                _cleanup_free_ char *text = NULL;

                int r = check_once(host, address, allow, &answer, &text);
                if (r < 0)
                        return r;
                uint64_t now = now_monotonic();
                if (!answer.is_passing || now >= deadline) {
                        *ret_answer = answer;
                        *ret = TAKE_POINTER(text);
                        return 0;
                }
                uint64_t left = deadline - now;
                udev_queue_wait(host, left < LOOK_AGAIN_USEC ? left : LOOK_AGAIN_USEC);
                has_waited = true;
        }
}
