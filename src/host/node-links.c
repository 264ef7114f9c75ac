/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"
#include "host/nodes.h"
#include "util/io.h"
#include "util/strings.h"

/* Links in /dev/vfio. Group numbers change from boot to boot, addresses and claims do not. */

#define BY_ADDRESS        "dev/vfio/by-address"
#define BY_CLAIM          "dev/vfio/by-claim"
#define DEVICES           "dev/vfio/devices"
#define DEVICE_BY_ADDRESS DEVICES "/by-address"
#define PATH_SIZE         128
#define CLAIMS_MAX        4096
#define ATTEMPTS          5

static bool link_is(const Host *host, const char *path, const char *target)
{
        char present[PATH_SIZE];

        ssize_t n = readlinkat(host->root, path, present, sizeof(present));
        return n >= 0 && (size_t) n == strlen(target) && memcmp(present, target, (size_t) n) == 0;
}

/* Replaces the link in one step: a reader sees the old one or the new one. 1 if there was none. */
static int replace_link(const Host *host, const char *directory, const char *name,
        const char *target)
{
        char path[PATH_SIZE], temporary[PATH_SIZE];

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        if (symlinkat(target, host->root, path) == 0)
                return 1;
        if (errno != EEXIST)
                return -errno;
        if (link_is(host, path, target))
                return 0;
        (void) snprintf(temporary, sizeof(temporary), "%s/.%s.%d", directory, name, (int) getpid());
        (void) unlinkat(host->root, temporary, 0); /* of an earlier process of our number */
        if (symlinkat(target, host->root, temporary) < 0)
                return -errno;
        if (renameat(host->root, temporary, host->root, path) < 0) {
                int r = -errno;
                (void) unlinkat(host->root, temporary, 0);
                return r;
        }
        return 0;
}

static int make_directory(const Host *host, const char *path)
{
        if (mkdirat(host->root, path, 0755) < 0)
                return errno == EEXIST ? 0 : -errno;
        return fchmodat(host->root, path, 0755, 0) < 0 ? -errno : 0; /* not subject to umask */
}

static int make_directories(const Host *host, const char *above, const char *directory)
{
        int r = above ? make_directory(host, above) : 0;

        return r < 0 ? r : make_directory(host, directory);
}

/* The directories are nearly always there; but somebody who removes the last link of a claim
 * removes its directory too. Returns 1 if there was no such link. */
static int make_link(const Host *host, const char *above, const char *directory, const char *name,
        const char *target)
{
        int r = 0;

        for (unsigned i = 0; i < ATTEMPTS; i++) {
                r = replace_link(host, directory, name, target);
                if (r != -ENOENT)
                        break;
                r = make_directories(host, above, directory);
                if (r < 0)
                        return r;
                r = -ENOENT;
        }
        return r;
}

static int remove_link(const Host *host, const char *directory, const char *name)
{
        char path[PATH_SIZE];

        if ((size_t) snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
                return -ENAMETOOLONG;
        if (unlinkat(host->root, path, 0) == 0 || errno == ENOENT || errno == ENOTDIR)
                return 0;
        return -errno;
}

static int unlink_from_claims(const Host *host, const char *name, const char *except)
{
        _cleanup_string_list_ char **claims = NULL;
        char path[PATH_SIZE];
        int first_error = 0;

        int r = host_list_directory(host->root, BY_CLAIM, CLAIMS_MAX, &claims);
        if (r < 0)
                return r == -ENOENT || r == -ENOTDIR ? 0 : r;
        for (char **claim = claims; claim && *claim; claim++) {
                if (!config_name_is_valid(*claim) || (except && streq(*claim, except)))
                        continue;
                (void) snprintf(path, sizeof(path), "%s/%s", BY_CLAIM, *claim);
                r = remove_link(host, path, name);
                if (r < 0 && first_error == 0)
                        first_error = r;
                (void) unlinkat(host->root, path, AT_REMOVEDIR); /* if it is empty */
        }
        return first_error;
}

/* /dev/vfio/devices/vfioM is there with CONFIG_VFIO_DEVICE_CDEV only. */
static int link_device_node(const Host *host, const char *name)
{
        _cleanup_string_list_ char **devices = NULL;
        char path[PATH_SIZE], target[PATH_SIZE];

        if (faccessat(host->root, DEVICES, F_OK, 0) < 0)
                return 0;
        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/vfio-dev", name);
        int r = host_list_directory(host->root, path, 1, &devices);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !devices || !startswith(devices[0], "vfio") || strlen(devices[0]) > 32)
                return remove_link(host, DEVICE_BY_ADDRESS, name);

        (void) snprintf(path, sizeof(path), DEVICES "/%s", devices[0]);
        if (faccessat(host->root, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return remove_link(host, DEVICE_BY_ADDRESS, name);
        (void) snprintf(target, sizeof(target), "../%s", devices[0]);
        return make_link(host, NULL, DEVICE_BY_ADDRESS, name, target);
}

int node_link(const Host *host, const PciAddress *address, int64_t group, const char *claim)
{
        const char *name = PCI_ADDRESS_TEXT(address);
        char target[PATH_SIZE], directory[PATH_SIZE];

        if (group < 0 || (claim && !config_name_is_valid(claim)))
                return -EINVAL;
        (void) snprintf(target, sizeof(target), "../%" PRIi64, group);
        int r = make_link(host, NULL, BY_ADDRESS, name, target);
        bool is_new = r > 0;
        if (r >= 0)
                r = link_device_node(host, name);
        if (r >= 0 && claim) {
                (void) snprintf(target, sizeof(target), "../../%" PRIi64, group);
                (void) snprintf(directory, sizeof(directory), BY_CLAIM "/%s", claim);
                r = make_link(host, BY_CLAIM, directory, name, target);
        }
        if (r < 0)
                return r;
        /* the link by address is made first and goes last, see node_unlink() */
        return is_new ? 0 : unlink_from_claims(host, name, claim);
}

int node_unlink(const Host *host, const PciAddress *address)
{
        const char *name = PCI_ADDRESS_TEXT(address);

        int by_claim = unlink_from_claims(host, name, NULL);
        int by_device = remove_link(host, DEVICE_BY_ADDRESS, name);
        int by_address = by_claim < 0 ? 0 : remove_link(host, BY_ADDRESS, name);
        return by_address < 0 ? by_address : by_device < 0 ? by_device : by_claim;
}
