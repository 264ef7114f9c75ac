/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host-devices.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "host/scan-internal.h"
#include "util/io.h"
#include "util/strings.h"

#define HANDED_ON "run/vfio-bindd/host-devices"
#define DIRECTORY "var/lib/vfio-bindd"
#define LOCK_FILE DIRECTORY "/lock"
#define UNFINISHED ".host-devices."

static int read_from(const Host *host, const char *path, HostDevices **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t length = 0;

        int r = read_file_at(host->root, path, HOST_DEVICES_TEXT_MAX, &text, &length);
        if (r < 0)
                return r == -EFBIG || r == -EISDIR ? -EBADMSG : r == -ENOTDIR ? -ENOENT : r;
        return host_devices_parse(text, length, ret);
}

int host_devices_read(const Host *host, HostDevices **ret)
{
        return read_from(host, HOST_DEVICES_FILE, ret);
}

int host_devices_read_handed_on(const Host *host, HostDevices **ret)
{
        return read_from(host, HANDED_ON, ret);
}

static int make_directories(const Host *host)
{
        static const char *const directories[] = { "var", "var/lib", DIRECTORY };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (mkdirat(host->root, directories[i], 0755) < 0 && errno != EEXIST)
                        return -errno;
        return 0;
}

/* Of two that write, one may belong to a daemon that has ended: the later has the word. The file
 * is root's alone, for whoever can open what is locked can lock it himself. */
static int lock(const Host *host)
{
        _cleanup_close_ int fd = openat(host->root, LOCK_FILE,
                O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* What a writer that was killed left beside the record. Whoever has the lock is the only one that
 * writes there. */
static void remove_unfinished(const Host *host)
{
        _cleanup_directory_ DIR *directory = NULL;
        const struct dirent *entry;

        if (host_open_directory(host->root, DIRECTORY, &directory) < 0)
                return;
        while ((entry = readdir(directory)))
                if (startswith(entry->d_name, UNFINISHED))
                        (void) unlinkat(dirfd(directory), entry->d_name, 0);
}

int host_devices_write(const Host *host, const char *path, const HostDevices *devices)
{
        _cleanup_free_ char *text = NULL;

        int r = host_devices_format(devices, &text);
        if (r < 0)
                return r;
        if (path)
                return write_file_durable_at(AT_FDCWD, path, text, strlen(text), 0644);
        r = make_directories(host);
        if (r < 0)
                return r;
        _cleanup_close_ int locked = lock(host);
        if (locked < 0)
                return locked;
        remove_unfinished(host);
        return write_file_durable_at(host->root, HOST_DEVICES_FILE, text, strlen(text), 0644);
}

int host_devices_hand_on(const Host *host, const HostDevices *devices)
{
        _cleanup_free_ char *text = NULL;

        int r = host_devices_format(devices, &text);
        if (r < 0)
                return r;
        return write_file_atomic_at(host->root, HANDED_ON, text, strlen(text), 0644);
}

/* The functions whose serial number nobody has read yet, alone: all others may be asleep. */
static int list_unread(const Snapshot *snapshot, const HostDevices *devices,
        const HostDevices *previous, Snapshot *unread)
{
        for (size_t i = 0; i < devices->n_items; i++) {
                HostDevice *item = &devices->items[i];
                const Device *device = snapshot_find(snapshot, &item->address);
                const HostDevice *before = previous ? host_devices_find(previous, item->path)
                                                    : NULL;
                Device *copy;
                int r;

                if (!device || device->serial.known)
                        continue;
                if (before && host_device_is(before, device)) {
                        r = replace_string(&item->serial, before->serial);
                        if (r < 0)
                                return r;
                        continue;
                }
                r = snapshot_add(unread, &item->address, &copy);
                if (r == 0)
                        r = replace_string(&copy->path, item->path);
                if (r < 0)
                        return r;
        }
        return snapshot_finish(unread);
}

static int read_serials(const Host *host, const Snapshot *snapshot, HostDevices *devices,
        const HostDevices *previous)
{
        _cleanup_snapshot_ Snapshot *unread = NULL;

        int r = snapshot_new(&unread);
        if (r == 0)
                r = list_unread(snapshot, devices, previous, unread);
        if (r < 0 || unread->n_devices == 0)
                return r;
        Scan scan = { .host = host, .facts = SNAPSHOT_FACT_SERIALS, .snapshot = unread };
        r = scan_serials(&scan);
        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < unread->n_devices; i++) {
                HostDevice *item = host_devices_find(devices, unread->devices[i].path);

                if (item && !isempty(unread->devices[i].serial.text))
                        r = replace_string(&item->serial, unread->devices[i].serial.text);
        }
        return r;
}

int host_devices_collect(const Host *host, const Snapshot *snapshot, const Plan *plan,
        const HostDevices *previous, HostDevices **ret)
{
        _cleanup_host_devices_ HostDevices *devices = NULL;

        int r = host_devices_new(&devices);
        if (r == 0)
                r = host_devices_add_uses(devices, plan);
        if (r == 0)
                r = host_devices_add_platform(devices, plan);
        if (r == 0)
                r = host_tables_scan(host, snapshot, devices);
        if (r < 0)
                return r;
        host_devices_finish(devices);
        r = read_serials(host, snapshot, devices, previous);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(devices);
        return 0;
}
