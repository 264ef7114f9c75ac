/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"

/* The machine, or a saved tree that looks like one. All paths are resolved below the root. */
typedef struct Host {
        int root;   /* descriptor of "/" or of the directory given with --root= */
        bool is_live; /* root is this machine's own: modules, accounts, nodes may be used */
} Host;

/* root NULL or "/" means this machine. Returns 0 or the errno of open. */
int host_open(const char *root, Host *ret) _must_check_;
void host_close(Host *host);
#define _cleanup_host_ _cleanup_(host_close)

/* host/scan.h: reads the machine. `facts` is a set of SNAPSHOT_FACT_*; what is not asked for stays
 * unknown. Reads no attribute that can take device_lock (driver_override, uevent, sriov_numvfs,
 * config) in this process: serial numbers are read in a bounded child. Records of /run are joined
 * by address and inode. A function that vanishes meanwhile is left out. `previous` (may be NULL)
 * lends what cannot have changed for the same instance. Returns 0 or a negative errno. */
int scan_machine(const Host *host, unsigned facts, const Snapshot *previous, Snapshot **ret)
        _must_check_;

/* Lends hwdb names (the udev hwdb is not available to the helper): called for each function if
 * SNAPSHOT_FACT_NAMES is asked for. Returns 0, -ENOENT if the database cannot be read. */
typedef int (*ScanNames)(void *userdata, const char *modalias, char **ret_vendor,
        char **ret_device);
void scan_set_names(ScanNames names, void *userdata);

/* host/kernel-command-line.h */
typedef enum Switch {
        SWITCH_ON,
        SWITCH_PLAN, /* log the plan, touch nothing */
        SWITCH_OFF,
} Switch;

typedef struct KernelCommandLine {
        Switch mode;
        char **skip;   /* claims */
        char *why;     /* what set it: "vfio_bindd=off", "single", "kdump kernel", NULL */
} KernelCommandLine;

/* Pure part: `text` is /proc/cmdline. rd.* words count only in the initrd stage. */
int kernel_command_line_parse(const char *text, Stage stage, KernelCommandLine *ret) _must_check_;
/* Reads /proc/cmdline, and looks for /proc/vmcore. */
int kernel_command_line_read(const Host *host, Stage stage, KernelCommandLine *ret) _must_check_;
void kernel_command_line_done(KernelCommandLine *line);

/* host/switch.h: is vfio-bindd-early.service enabled (a link in sysinit.target.wants of
 * /etc, /run or the initramfs's /usr/lib)? Everything that acts asks this first. */
bool host_is_enabled(const Host *host);

/* host/store.h: /run/vfio-bindd. One small file per function, "KEY=value" lines, bound to the
 * inode of its sysfs directory. Unknown keys and damaged files are ignored (a damaged file is as
 * none: state unknown, never clean). */
int store_prepare(const Host *host) _must_check_; /* makes the directories, 0755 */
int store_load(const Host *host, const PciAddress *address, uint64_t inode, DeviceRecord **ret)
        _must_check_; /* *ret NULL if there is none for this instance */
int store_save_original(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record) _must_check_; /* -EEXIST if this instance has one */
int store_save(const Host *host, const PciAddress *address, uint64_t inode,
        const DeviceRecord *record) _must_check_;
int store_remove(const Host *host, const PciAddress *address) _must_check_;
/* flock on a file per group; the descriptor is the lock. wait: block (workers only).
 * Returns the descriptor, -EWOULDBLOCK, or another errno. */
int store_lock_group(const Host *host, int64_t group, bool wait) _must_check_;
int store_begin_intent(const Host *host, int64_t group, const char *text) _must_check_;
int store_end_intent(const Host *host, int64_t group) _must_check_;
/* Groups with an intent left over from a crash. */
int store_list_intents(const Host *host, int64_t **ret, size_t *ret_n) _must_check_;

/* host/binding.h: the sysfs primitives. Each may block for as long as a driver pleases: workers
 * only. Each returns 0 or the kernel's errno. */
int binding_read_driver(const Host *host, const PciAddress *address, char **ret) _must_check_;
int binding_read_override(const Host *host, const PciAddress *address, char **ret) _must_check_;
int binding_write_override(const Host *host, const PciAddress *address, const char *driver)
        _must_check_; /* NULL clears with "\n" */
int binding_unbind(const Host *host, const PciAddress *address, const char *driver) _must_check_;
int binding_bind(const Host *host, const PciAddress *address, const char *driver) _must_check_;
int binding_probe(const Host *host, const PciAddress *address) _must_check_;
int binding_read_device_attribute(const Host *host, const PciAddress *address, const char *name,
        char **ret) _must_check_;
int binding_write_device_attribute(const Host *host, const PciAddress *address, const char *name,
        const char *text) _must_check_;

/* host/modules.h: libkmod. */
int modules_load(const Host *host, const char *name) _must_check_; /* -ENOENT: no such module */
/* Modules whose alias fits a modalias ("pci:v…"), vfio ones left out. */
int modules_host_drivers(const Host *host, const char *modalias, char ***ret) _must_check_;
/* The variant driver module that fits best ("vfio_pci:" aliases, fewest wildcards; ties: name),
 * "vfio_pci" if none fits better. */
int modules_best_vfio_driver(const Host *host, const char *modalias, char **ret) _must_check_;
/* The PCI driver name of a loaded module: /sys/module/M/drivers/pci:*. */
int modules_driver_name(const Host *host, const char *module, char **ret) _must_check_;
bool modules_is_vfio(const Host *host, const char *module); /* has a vfio_pci: alias, or is vfio_pci */

/* host/nodes.h: /dev/vfio. */
typedef struct NodeRequest {
        int64_t group;
        const char *user, *user_group; /* names or decimal numbers */
        mode_t mode;
        bool use_name_service; /* else /etc/passwd and /etc/group only */
} NodeRequest;

/* Sets owner and mode of /dev/vfio/GROUP as DESIGN §9 says: O_PATH, rdev checked against sysfs,
 * group, then mode, then owner. An unknown account leaves root 0600 and gives -ENXIO.
 * -ENOENT: no node (yet). */
int node_apply(const Host *host, const NodeRequest *request) _must_check_;
int node_secure(const Host *host, int64_t group) _must_check_; /* root 0600; no node is success */
/* /dev/vfio/by-address/ADDRESS, by-claim/CLAIM/ADDRESS; makes or removes (claim NULL: none). */
int node_link(const Host *host, const PciAddress *address, int64_t group, const char *claim)
        _must_check_;
int node_unlink(const Host *host, const PciAddress *address) _must_check_;
typedef struct NodeStatus {
        bool exists;
        uid_t uid;
        gid_t gid;
        mode_t mode;
} NodeStatus;
int node_status(const Host *host, int64_t group, NodeStatus *ret) _must_check_;

/* host/guard.h: passive part. Fills uses of every device of the snapshot. What cannot be looked
 * at counts as in use (IN_USE_BLIND). */
int guard_scan(const Host *host, Snapshot *snapshot) _must_check_;
/* One function, right before the first write. *ret: NULL free, else a sentence. */
int guard_check(const Host *host, const PciAddress *address, unsigned allow, char **ret)
        _must_check_;
