/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "host/accounts.h"
#include "host/binding.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

#define MODE_MAX  0660
#define PATH_SIZE 128
#define DESCRIPTOR_PATH_SIZE 40
/* Written with an event of our own it becomes SYNTH_UUID=; arguments, only allowed beside such an
 * id, become SYNTH_ARG_… (kernel: Documentation/ABI/testing/sysfs-uevent). */
#define ANNOUNCEMENT_ID "d7b6d9c8-d5cb-4d73-86d8-e2972fc2ae1a"

/* "240:3" */
static int parse_device_number(char *text, dev_t *ret)
{
        uint64_t major_number, minor_number;
        char *colon = strchr(text, ':');

        if (!colon)
                return -EINVAL;
        *colon = '\0';
        if (parse_unsigned(text, UINT32_MAX, &major_number) < 0 ||
            parse_unsigned(colon + 1, UINT32_MAX, &minor_number) < 0)
                return -EINVAL;
        *ret = makedev((unsigned) major_number, (unsigned) minor_number);
        return 0;
}

/* Group numbers are used again, and anybody might have left something of that name: the node is
 * the group's only if it has the number that the kernel gives it. Nothing is opened by this. */
static int open_node_at(const Host *host, const char *path, const char *attribute, int *ret,
        struct stat *ret_status)
{
        char text[32];
        dev_t number;

        _cleanup_close_ int fd = openat(host->root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOTDIR ? -ENOENT : -errno;
        if (fstat(fd, ret_status) < 0)
                return -errno;

        ssize_t n = read_attribute_at(host->root, attribute, text, sizeof(text));
        if (n < 0)
                return n == -ENOENT ? -ENODEV : (int) n;
        if (parse_device_number(text, &number) < 0 || !S_ISCHR(ret_status->st_mode) ||
            ret_status->st_rdev != number)
                return -ENODEV;

        *ret = TAKE_FD(fd);
        return 0;
}

static int open_node(const Host *host, int64_t group, int *ret, struct stat *ret_status)
{
        char path[PATH_SIZE], attribute[PATH_SIZE];

        if (group < 0)
                return -EINVAL;
        (void) snprintf(path, sizeof(path), "dev/vfio/%" PRIi64, group);
        (void) snprintf(attribute, sizeof(attribute), "sys/class/vfio/%" PRIi64 "/dev", group);
        return open_node_at(host, path, attribute, ret, ret_status);
}

/* Numbers of groups are used again as well. While the function is where it was when the group was
 * looked at, so is the group, and the node that was opened before this is its node. */
static int check_member(const Host *host, const NodeRequest *request)
{
        char path[PATH_SIZE], name[32], number[32];

        if (!request->member)
                return 0;
        (void) snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/iommu_group",
                PCI_ADDRESS_TEXT(request->member));
        (void) snprintf(number, sizeof(number), "%" PRIi64, request->group);
        int r = read_link_name_at(host->root, path, name, sizeof(name));
        if (r < 0)
                return r == -ENOENT ? -ENODEV : r;
        if (!streq(name, number))
                return -ENODEV;
        return binding_check_instance(host, request->member, request->inode);
}

/* vfioM of a function; the number has nothing to do with the group's. */
static int open_device_node(const Host *host, const PciAddress *address, int *ret,
        struct stat *ret_status)
{
        _cleanup_string_list_ char **devices = NULL;
        char directory[PATH_SIZE], path[PATH_SIZE], attribute[PATH_SIZE + 64];

        if (faccessat(host->root, "dev/vfio/devices", F_OK, 0) < 0)
                return -errno;
        (void) snprintf(directory, sizeof(directory), "sys/bus/pci/devices/%s/vfio-dev",
                PCI_ADDRESS_TEXT(address));
        int r = host_list_directory(host->root, directory, 1, &devices);
        if (r < 0)
                return r == -ENOTDIR ? -ENOENT : r;
        if (!devices || !startswith(devices[0], "vfio") || strlen(devices[0]) > 32)
                return -ENOENT;
        (void) snprintf(path, sizeof(path), "dev/vfio/devices/%s", devices[0]);
        (void) snprintf(attribute, sizeof(attribute), "%s/%s/dev", directory, devices[0]);
        return open_node_at(host, path, attribute, ret, ret_status);
}

/* For what refuses O_PATH descriptors. */
static const char *descriptor_path(int fd, char path[static DESCRIPTOR_PATH_SIZE])
{
        (void) snprintf(path, DESCRIPTOR_PATH_SIZE, "/proc/self/fd/%d", fd);
        return path;
}

static int change_mode(int fd, mode_t mode)
{
        char path[DESCRIPTOR_PATH_SIZE];

        /* fchmod() refuses O_PATH descriptors; fchmodat2() is newer than the kernels we know. */
        return chmod(descriptor_path(fd, path), mode) < 0 ? -errno : 0;
}

static int change_owner(int fd, uid_t uid, gid_t gid)
{
        return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* An access control list stays when the owner goes. A mode without rights for the group makes it
 * sleep, and the next one with such rights wakes it. */
static int drop_access_list(int fd)
{
        char path[DESCRIPTOR_PATH_SIZE];

        if (removexattr(descriptor_path(fd, path), "system.posix_acl_access") < 0 &&
            errno != ENODATA && errno != EOPNOTSUPP)
                return -errno;
        return 0;
}

/* Who owns it can set its mode and, among his, its group until it is root's: only then is it what
 * we make it, whatever it was when it was looked at. */
static int take_from_owner(int fd)
{
        int r = change_owner(fd, 0, (gid_t) -1);

        if (r == 0)
                r = drop_access_list(fd);
        return r < 0 ? r : change_mode(fd, 0600);
}

/* While the group changes nobody has rights by it: neither the old one those of the new mode, nor
 * the new one those of the old mode. What is right already is not touched, so that nobody who
 * watches the node is woken. */
static int set_owner_and_mode(int fd, const struct stat *now, uid_t uid, gid_t gid, mode_t mode)
{
        int r;

        if (now->st_uid == uid && now->st_gid == gid && (now->st_mode & 07777) == mode)
                return 0;
        r = take_from_owner(fd);
        if (r == 0)
                r = change_owner(fd, (uid_t) -1, gid);
        if (r == 0)
                r = change_mode(fd, mode);
        if (r == 0 && uid != 0)
                r = change_owner(fd, uid, (gid_t) -1);
        return r;
}

/* For taking away: nobody but root, and nobody may have changed it meanwhile. */
static int make_private(int fd, const struct stat *now)
{
        if (now->st_uid == 0 && now->st_gid == 0 && (now->st_mode & 07777) == 0600)
                return 0;
        int r = take_from_owner(fd);
        return r < 0 ? r : change_owner(fd, (uid_t) -1, 0);
}

static int apply(const Host *host, const NodeRequest *request, int fd, const struct stat *status,
        NodeStatus *ret)
{
        uid_t uid = 0;
        gid_t gid = 0;

        int r = account_find_user(host, request->user, request->use_name_service, &uid);
        if (r == 0)
                r = account_find_group(host, request->user_group, request->use_name_service, &gid);
        if (r == -ENXIO && !request->keep_if_unknown) {
                int k = make_private(fd, status);
                if (ret && k == 0)
                        *ret = (NodeStatus){ .exists = true, .mode = 0600 };
                return k < 0 ? k : -ENXIO;
        }
        if (r == 0)
                r = set_owner_and_mode(fd, status, uid, gid, request->mode);
        if (ret && r == 0)
                *ret = (NodeStatus){
                        .exists = true,
                        .uid = uid,
                        .gid = gid,
                        .mode = request->mode,
                };
        return r;
}

int node_apply(const Host *host, const NodeRequest *request, NodeStatus *ret)
{
        _cleanup_close_ int fd = -1;
        struct stat status;

        if (request->mode & ~(mode_t) MODE_MAX)
                return -EINVAL;
        int r = open_node(host, request->group, &fd, &status);
        if (r == 0)
                r = check_member(host, request);
        return r < 0 ? r : apply(host, request, fd, &status, ret);
}

int node_apply_device(const Host *host, const PciAddress *address, const NodeRequest *request)
{
        _cleanup_close_ int fd = -1;
        struct stat status;

        if (request->mode & ~(mode_t) MODE_MAX)
                return -EINVAL;
        int r = open_device_node(host, address, &fd, &status);
        return r < 0 ? r : apply(host, request, fd, &status, NULL);
}

int node_announce(const Host *host, int64_t group)
{
        char path[PATH_SIZE];

        if (group < 0)
                return -EINVAL;
        (void) snprintf(path, sizeof(path), "sys/class/vfio/%" PRIi64 "/uevent", group);
        return write_attribute_at(host->root, path, "change " ANNOUNCEMENT_ID " VFIOBIND=complete");
}

int node_secure(const Host *host, int64_t group)
{
        _cleanup_close_ int fd = -1;
        struct stat status;

        int r = open_node(host, group, &fd, &status);
        if (r == -ENOENT || r == -ENODEV) /* there is nothing of the group's */
                return 0;
        return r < 0 ? r : make_private(fd, &status);
}

int node_is_open(const Host *host, int64_t group)
{
        _cleanup_close_ int node = -1;
        char path[DESCRIPTOR_PATH_SIZE];
        struct stat status;
        int fd;

        int r = open_node(host, group, &node, &status);
        if (r < 0)
                return r == -ENODEV ? -ENOENT : r;
        fd = open(descriptor_path(node, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return errno == EBUSY ? 1 : -errno;
        (void) close(fd);
        return 0;
}

int node_status(const Host *host, int64_t group, NodeStatus *ret)
{
        _cleanup_close_ int fd = -1;
        struct stat status;

        int r = open_node(host, group, &fd, &status);
        if (r == -ENOENT || r == -ENODEV) {
                *ret = (NodeStatus){};
                return 0;
        }
        if (r < 0)
                return r;
        *ret = (NodeStatus){
                .exists = true,
                .uid = status.st_uid,
                .gid = status.st_gid,
                .mode = status.st_mode & 07777,
                .inode = status.st_ino,
        };
        return 0;
}
