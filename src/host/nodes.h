/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "core/pci-address.h"
#include "host/host.h"

/* /dev/vfio: owner, mode and links of nodes. */

typedef struct NodeRequest {
        int64_t group;
        const char *user, *user_group; /* names or decimal numbers */
        mode_t mode;
        bool keep_if_unknown;  /* an unknown account changes nothing: -ENXIO all the same */
        bool use_name_service; /* else /etc/passwd and /etc/group only */
        /* Unless NULL, the function that the group was found by, and the inode of its directory: a
         * group that it is not in, or not any more, is not the one that is meant. */
        const PciAddress *member;
        uint64_t inode;
} NodeRequest;

typedef struct NodeStatus {
        bool exists;
        uid_t uid;
        gid_t gid;
        mode_t mode; /* permission bits */
        ino_t inode; /* another one is another node, made anew; 0: not looked at */
} NodeStatus;

/* Sets owner and mode of /dev/vfio/GROUP: opened with O_PATH, rdev checked against
 * /sys/class/vfio/GROUP/dev, then its member; then taken from its owner, group, mode, owner. An
 * unknown account leaves root 0600 and gives -ENXIO. -ENOENT: no node (yet); -ENODEV: what stands
 * there is not the node of the group that is meant; -EINVAL: a mode beyond 0660. With success and
 * -ENXIO, *ret (unless NULL) is what it was given, which somebody else may have changed again. */
int node_apply(const Host *host, const NodeRequest *request, NodeStatus *ret) _must_check_;
/* The same for the device node of one function, /dev/vfio/devices/vfioM, where the kernel has them
 * (CONFIG_VFIO_DEVICE_CDEV); -ENOENT elsewhere. The group of the request and its member do
 * not count. */
int node_apply_device(const Host *host, const PciAddress *address, const NodeRequest *request)
        _must_check_;

/* Lets udev look at the group's node again, with a `change` event that says VFIOBIND=complete: for
 * systemd the node counts only once the group is complete, and the rules execute nothing more for
 * it then. -ENOENT: no such group. */
int node_announce(const Host *host, int64_t group);

int node_secure(const Host *host, int64_t group) _must_check_; /* root 0600; no node is success */

/* Makes /dev/vfio/by-address/ADDRESS and, unless claim is NULL, /dev/vfio/by-claim/CLAIM/ADDRESS,
 * both to the group's node; /dev/vfio/devices/by-address/ADDRESS too where the kernel has device
 * nodes. Links of this function below other claims are removed. */
int node_link(const Host *host, const PciAddress *address, int64_t group, const char *claim)
        _must_check_;
/* Removes every link of the function, and directories of claims that are empty then. */
int node_unlink(const Host *host, const PciAddress *address) _must_check_;

/* Is the group open, by whomever? Where it is not, it is taken for a moment, when a program that
 * is about to open it gets -EBUSY: right before the group is to be emptied only. Returns 1, 0;
 * -ENOENT: no node; another negative errno where it may not be opened. */
int node_is_open(const Host *host, int64_t group) _must_check_;

int node_status(const Host *host, int64_t group, NodeStatus *ret) _must_check_;
