/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util/hash.h"
#include "util/io.h"
#include "util/strings.h"

#define HELPER          PROGRAM_DIRECTORY "/vfio-bindd-helper"
#define HELPER_MAX      (64 * 1024 * 1024)
#define MANIFEST_MAX    4096
#define BOOTED          "run/vfio-bindd/initramfs"
#define IMAGE_MANIFESTS "var/lib/vfio-bindd/initramfs"
#define KERNELS_MAX     256

/* Our absolute paths, below the root of the machine. */
static const char *below_root(const char *path)
{
        return path + strspn(path, "/");
}

bool host_is_initramfs(const Host *host)
{
        return faccessat(host->root, "etc/initrd-release", F_OK, 0) == 0 ||
               faccessat(host->root, below_root(INITRAMFS_MANIFEST), F_OK, 0) == 0;
}

int initramfs_digest(const Host *host, const char *config_digest,
        char ret[static INITRAMFS_DIGEST_SIZE])
{
        _cleanup_free_ char *helper = NULL;
        size_t length = 0;

        int r = read_file_at(host->root, below_root(HELPER), HELPER_MAX, &helper, &length);
        if (r == -ENOMEM)
                return r;
        uint64_t hash = hash_update(HASH_START, config_digest, strlen(config_digest) + 1);
        hash = hash_update(hash, helper ?: "", length);
        (void) snprintf(ret, INITRAMFS_DIGEST_SIZE, "%016" PRIx64, hash);
        return 0;
}

int initramfs_note_booted(const Host *host)
{
        _cleanup_free_ char *text = NULL;
        size_t length;

        int r = read_file_at(host->root, below_root(INITRAMFS_MANIFEST), MANIFEST_MAX, &text,
                &length);
        if (r < 0)
                return r;
        return write_file_atomic_at(host->root, BOOTED, text, length, 0644);
}

const char *initramfs_state_to_string(InitramfsState state)
{
        static const char *const names[_INITRAMFS_STATE_MAX] = {
                [INITRAMFS_CURRENT] = "current",
                [INITRAMFS_STALE] = "stale",
                [INITRAMFS_MISSING] = "missing",
                [INITRAMFS_UNUSED] = "unused",
                [INITRAMFS_UNKNOWN] = "unknown",
        };

        return names[state];
}

/* Is the Digest= of the manifest this one? */
static bool manifest_has_digest(char *text, const char *digest)
{
        char *rest = NULL;

        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                const char *value = startswith(line, "Digest=");

                if (value)
                        return streq(value, digest);
        }
        return false;
}

/* Without waking an automount: whoever looks at an image there would wait for a disk. */
static bool directory_is_at_hand(const Host *host, const char *path)
{
        _cleanup_close_ int fd =
                openat(host->root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct statfs status;

        return fd >= 0 && fstatfs(fd, &status) == 0 && status.f_type != AUTOFS_SUPER_MAGIC;
}

/* mkinitcpio names images after the kernel's package: /usr/lib/modules/RELEASE/pkgbase. */
static bool find_image_of_package(const Host *host, const char *kernel, struct stat *ret)
{
        char path[384], package[128];

        (void) snprintf(path, sizeof(path), "usr/lib/modules/%s/pkgbase", kernel);
        ssize_t n = read_attribute_at(host->root, path, package, sizeof(package));
        if (n <= 0 || strchr(package, '/'))
                return false;
        (void) snprintf(path, sizeof(path), "boot/initramfs-%s.img", package);
        return fstatat(host->root, path, ret, 0) == 0;
}

static bool find_image(const Host *host, const char *kernel, struct stat *ret)
{
        static const struct {
                const char *before, *after;
        } names[] = {
                { "boot/initrd.img-", "" }, /* Debian, whatever makes it */
                { "boot/initramfs-", ".img" }, /* dracut's own */
                { "boot/initrd-", "" },
                { "usr/lib/modules/", "/initrd" },
        };
        bool has_boot = directory_is_at_hand(host, "boot");

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = NULL;

                if ((!has_boot && startswith(names[i].before, "boot/")) ||
                    format_string(&path, "%s%s%s", names[i].before, kernel, names[i].after) < 0)
                        continue;
                if (fstatat(host->root, path, ret, 0) == 0 && S_ISREG(ret->st_mode))
                        return true;
        }
        return has_boot && find_image_of_package(host, kernel, ret);
}

/* The newest kernel with modules and an image; else the running one, without. */
static int find_kernel(const Host *host, char **ret, bool *ret_has_image, struct stat *ret_image)
{
        _cleanup_string_list_ char **names = NULL;
        const char *newest = NULL;

        int r = host_list_directory(host->root, "usr/lib/modules", KERNELS_MAX, &names);
        if (r == -ENOENT)
                r = host_list_directory(host->root, "lib/modules", KERNELS_MAX, &names);
        if (r < 0 && r != -ENOENT)
                return r;
        for (char **name = names; name && *name; name++) {
                struct stat image;

                if (strlen(*name) > 255 || (newest && strverscmp(*name, newest) < 0) ||
                    !find_image(host, *name, &image))
                        continue;
                newest = *name;
                *ret_image = image;
        }
        *ret_has_image = newest;
        if (newest)
                return format_string(ret, "%s", newest);
        return host_kernel_release(host, ret);
}

static bool is_older(const struct stat *a, const struct stat *b)
{
        return a->st_mtim.tv_sec != b->st_mtim.tv_sec ?
                a->st_mtim.tv_sec < b->st_mtim.tv_sec :
                a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

int initramfs_look(const Host *host, const char *digest, bool is_enabled, InitramfsState *ret,
        char **ret_kernel)
{
        _cleanup_free_ char *kernel = NULL, *path = NULL, *text = NULL;
        struct stat image = {}, manifest;
        bool has_image = false;

        int r = find_kernel(host, &kernel, &has_image, &image);
        if (r == -ENOENT) { /* a saved tree that does not tell */
                *ret = is_enabled ? INITRAMFS_UNKNOWN : INITRAMFS_UNUSED;
                if (ret_kernel)
                        *ret_kernel = NULL;
                return 0;
        }
        if (r >= 0)
                r = format_string(&path, IMAGE_MANIFESTS "/%s", kernel);
        if (r < 0)
                return r;

        r = read_file_at(host->root, path, MANIFEST_MAX, &text, NULL);
        if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -EFBIG)
                return r;
        if (r == -EFBIG)
                *ret = INITRAMFS_STALE;
        else if (r < 0)
                *ret = !is_enabled ? INITRAMFS_UNUSED :
                        has_image ? INITRAMFS_MISSING : INITRAMFS_UNKNOWN;
        else if (!is_enabled || !manifest_has_digest(text, digest) ||
                 (has_image && fstatat(host->root, path, &manifest, 0) == 0 &&
                         is_older(&image, &manifest)))
                *ret = INITRAMFS_STALE;
        else
                *ret = INITRAMFS_CURRENT;
        if (ret_kernel)
                *ret_kernel = TAKE_POINTER(kernel);
        return 0;
}

InitramfsState initramfs_look_booted(const Host *host, const char *digest, bool is_enabled)
{
        _cleanup_free_ char *text = NULL;

        int r = read_file_at(host->root, BOOTED, MANIFEST_MAX, &text, NULL);
        if (r == -ENOENT)
                return is_enabled ? INITRAMFS_MISSING : INITRAMFS_UNUSED;
        if (r < 0)
                return INITRAMFS_UNKNOWN;
        return is_enabled && manifest_has_digest(text, digest) ? INITRAMFS_CURRENT :
                                                                 INITRAMFS_STALE;
}
