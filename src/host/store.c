/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "host/record-text.h"
#include "util/array.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

#define BASE       "run/vfio-bindd"
#define ORIGINALS  BASE "/originals"
#define FUNCTIONS  BASE "/functions"
#define LOCKS      BASE "/locks"
#define INTENTS    BASE "/intents"
#define INTENT_MAX 65536
#define PATH_SIZE  64

#define STORE_SAVED_INODE "INODE=0\n" /* no file has this one */

int store_prepare(const Host *host)
{
        static const char *const directories[] = {BASE, ORIGINALS, FUNCTIONS, LOCKS, INTENTS};

        if (mkdirat(host->root, "run", 0755) < 0 && errno != EEXIST)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                if (mkdirat(host->root, directories[i], 0755) < 0 && errno != EEXIST)
                        return -errno;
                /* Not something that a link leads to, and not subject to our umask. */
                _cleanup_close_ int fd = openat(host->root, directories[i],
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
                if (fchmod(fd, 0755) < 0)
                        return -errno;
        }
        return 0;
}

static void make_path(char path[static PATH_SIZE], const char *directory,
        const PciAddress *address)
{
        (void) snprintf(path, PATH_SIZE, "%s/%s", directory, PCI_ADDRESS_TEXT(address));
}

/* 0 and *ret NULL if there is no such file, or one that cannot be a record at all. */
static int read_text(const Host *host, const char *directory, const PciAddress *address,
        char **ret)
{
        char path[PATH_SIZE];
        char *text = NULL;

        make_path(path, directory, address);
        int r = read_file_at(host->root, path, RECORD_TEXT_MAX, &text, NULL);
        if (r == -ENOENT || r == -ENOTDIR || r == -EFBIG || r == -EISDIR) {
                *ret = NULL;
                return 0;
        }
        if (r < 0)
                return r;
        *ret = text; /* up to the first NUL byte, which is damage */
        return 0;
}

/* Fills `record` from the file, if it is of this instance. *ret_state as record_text_parse(). */
static int load_part(const Host *host, const char *directory, const PciAddress *address,
        uint64_t inode, DeviceRecord *record, RecordState *ret_state)
{
        _cleanup_free_ char *text = NULL;

        int r = read_text(host, directory, address, &text);
        if (r < 0)
                return r;
        if (!text) {
                *ret_state = RECORD_FOREIGN;
                return 0;
        }
        /* What was saved cannot know the inodes that it is unpacked to. */
        if (!host->is_live && startswith(text, STORE_SAVED_INODE))
                inode = 0;
        return record_text_parse(text, inode, record, ret_state);
}

/* Half of what was known is lost, so nobody can tell any more how the function was got. That it
 * was on a VFIO driver before us needs no original. */
static void judge_partial(DeviceRecord *record, RecordState original, RecordState function)
{
        bool needs_original = record->provenance == PROVENANCE_CLEAN ||
                record->provenance == PROVENANCE_TAKEN ||
                (record->provenance == PROVENANCE_NONE && record->state == STATE_BOUND);

        if (function != RECORD_WHOLE || original == RECORD_DAMAGED || needs_original)
                record->provenance = PROVENANCE_UNKNOWN;
}

int store_load(const Host *host, const PciAddress *address, uint64_t inode, DeviceRecord **ret)
{
        _cleanup_(device_record_freep) DeviceRecord *record = calloc(1, sizeof(*record));
        RecordState original, function;

        if (!record)
                return -ENOMEM;
        int r = load_part(host, ORIGINALS, address, inode, record, &original);
        if (r < 0)
                return r;
        record->has_original = original == RECORD_WHOLE;
        r = load_part(host, FUNCTIONS, address, inode, record, &function);
        if (r < 0)
                return r;

        if (original == RECORD_FOREIGN && function == RECORD_FOREIGN) {
                *ret = NULL;
                return 0;
        }
        if (original != RECORD_WHOLE || function != RECORD_WHOLE)
                judge_partial(record, original, function);
        *ret = TAKE_POINTER(record);
        return 0;
}

static int create(const Host *host, const char *directory, const PciAddress *address,
        uint64_t inode, const char *text)
{
        _cleanup_free_ char *present = NULL;
        char path[PATH_SIZE];
        int r;

        make_path(path, directory, address);
        r = create_file_atomic_at(host->root, path, text, strlen(text), 0644);
        if (r != -EEXIST)
                return r;

        /* Only what says that it is another instance's may go: a damaged one may be ours. */
        r = read_text(host, directory, address, &present);
        if (r < 0)
                return r;
        if (!present || !record_text_is_of_another(present, inode))
                return -EEXIST;
        return write_file_atomic_at(host->root, path, text, strlen(text), 0644);
}

int store_save_original(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record)
{
        _cleanup_free_ char *text = NULL;

        int r = record_text_format_original(record, inode, &text);
        return r < 0 ? r : create(host, ORIGINALS, address, inode, text);
}

int store_replace_original(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record)
{
        _cleanup_free_ char *text = NULL;
        char path[PATH_SIZE];

        int r = record_text_format_original(record, inode, &text);
        if (r < 0)
                return r;
        make_path(path, ORIGINALS, address);
        return write_file_atomic_at(host->root, path, text, strlen(text), 0644);
}

int store_save(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record)
{
        _cleanup_free_ char *text = NULL;
        char path[PATH_SIZE];

        int r = record_text_format(record, inode, &text);
        if (r < 0)
                return r;
        make_path(path, FUNCTIONS, address);
        return write_file_atomic_at(host->root, path, text, strlen(text), 0644);
}

int store_create(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record)
{
        _cleanup_free_ char *text = NULL;

        int r = record_text_format(record, inode, &text);
        return r < 0 ? r : create(host, FUNCTIONS, address, inode, text);
}

int store_remove(const Host *host, const PciAddress *address)
{
        static const char *const directories[] = {FUNCTIONS, ORIGINALS};
        char path[PATH_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                make_path(path, directories[i], address);
                if (unlinkat(host->root, path, 0) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}

int store_for_each(const Host *host, int (*callback)(void *userdata, const PciAddress *address),
        void *userdata)
{
        static const char *const directories[] = {ORIGINALS, FUNCTIONS};

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                _cleanup_directory_ DIR *opened = NULL;

                int r = host_open_directory(host->root, directories[i], &opened);
                if (r == -ENOENT || r == -ENOTDIR)
                        continue;
                if (r < 0)
                        return r;
                for (struct dirent *entry; (entry = readdir(opened));) {
                        PciAddress address;

                        if (pci_address_parse(entry->d_name, &address) < 0 ||
                            !streq(PCI_ADDRESS_TEXT(&address), entry->d_name))
                                continue;
                        r = callback(userdata, &address);
                        if (r != 0)
                                return r;
                }
        }
        return 0;
}

static int make_group_path(char path[static PATH_SIZE], const char *directory, int64_t group)
{
        if (group < 0)
                return -EINVAL;
        (void) snprintf(path, PATH_SIZE, "%s/%" PRIi64, directory, group);
        return 0;
}

int store_lock_group(const Host *host, int64_t group, bool wait)
{
        char path[PATH_SIZE];

        int r = make_group_path(path, LOCKS, group);
        if (r < 0)
                return r;
        _cleanup_close_ int fd =
                openat(host->root, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        do
                r = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
        while (r < 0 && errno == EINTR);
        return r < 0 ? -errno : TAKE_FD(fd);
}

int store_begin_intent(const Host *host, int64_t group, const char *text)
{
        char path[PATH_SIZE];

        int r = make_group_path(path, INTENTS, group);
        if (r < 0)
                return r;
        if (strlen(text) > INTENT_MAX)
                return -EFBIG;
        return write_file_atomic_at(host->root, path, text, strlen(text), 0644);
}

int store_end_intent(const Host *host, int64_t group)
{
        char path[PATH_SIZE];

        int r = make_group_path(path, INTENTS, group);
        if (r < 0)
                return r;
        return unlinkat(host->root, path, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int store_read_intent(const Host *host, int64_t group, char **ret)
{
        char path[PATH_SIZE];

        int r = make_group_path(path, INTENTS, group);
        return r < 0 ? r : read_file_at(host->root, path, INTENT_MAX, ret, NULL);
}

static int compare_groups(const void *a, const void *b)
{
        int64_t first = *(const int64_t *) a, second = *(const int64_t *) b;

        return first < second ? -1 : first > second;
}

int store_list_intents(const Host *host, int64_t **ret, size_t *ret_n)
{
        _cleanup_directory_ DIR *opened = NULL;
        _cleanup_free_ int64_t *groups = NULL;
        size_t n_groups = 0;

        int r = host_open_directory(host->root, INTENTS, &opened);
        if (r < 0 && r != -ENOENT)
                return r;
        for (struct dirent *entry; opened && (entry = readdir(opened));) {
                uint64_t number;

                if (parse_unsigned(entry->d_name, INT32_MAX, &number) < 0)
                        continue;
                r = ARRAY_GROW(groups, n_groups);
                if (r < 0)
                        return r;
                groups[n_groups++] = (int64_t) number;
        }
        if (n_groups > 1)
                qsort(groups, n_groups, sizeof(*groups), compare_groups);
        *ret = TAKE_POINTER(groups);
        *ret_n = n_groups;
        return 0;
}
