/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/guard.h"

/* Between the files of the guard only. */

/* A device node of something below a function that has a host driver. */
typedef struct GuardNode {
        bool is_block;
        unsigned major_number, minor_number;
        char *path; /* of its sysfs directory, from the root */
        bool is_open; /* in some process */
} GuardNode;

/* What the host would do with a function, as far as its class and what is below it tell. */
typedef enum GuardKind {
        GUARD_STORAGE, /* mass storage, or block devices below it */
        GUARD_NETWORK, /* network, or network interfaces below it */
        GUARD_NODES,   /* any device node below it */
        _GUARD_KIND_MAX,
} GuardKind;

/* What shows the console of the host. */
typedef struct GuardConsole {
        bool is_framebuffer, is_vga; /* what draws it; neither: nothing does */
        char active[512];            /* "tty0 ttyS0" */
} GuardConsole;

typedef struct Guard {
        const Host *host;
        Snapshot *snapshot;
        unsigned char *kinds; /* of each device of the snapshot: a set of 1 << GuardKind */
        GuardNode *nodes; /* sorted by type and number */
        size_t n_nodes;
        /* the process that is to be named, NULL: none; see guard_scan_processes() */
        const char *namespace_owner;
        dev_t *mounted; /* what other mount namespaces need not name again */
        size_t n_mounted;
        uint64_t *network_mounts; /* identifiers */
        size_t n_network_mounts;
        GuardConsole console;
        bool has_zfs; /* a pool's file system is mounted */
} Guard;

/* The host may be using it: it has a driver, and none that hands it to others. */
bool guard_is_driven(const Device *device);

/* The functions in a sysfs path, bridges left out; at most `size`. */
size_t guard_find_in_path(const Guard *guard, const char *path, Device **ret, size_t size);
#define GUARD_PATH_MAX 8

void guard_add_kind(Guard *guard, const Device *device, GuardKind kind);

/* The same note is added once, and no more than some of each use, passing or not; `remedy` may be
 * NULL. Takes nothing. */
int guard_add_note(Device *device, const UseNote *note) _must_check_;

bool guard_has_system_use(const Device *device);

/* Notes the use on every function in a sysfs path: what lies on the way down to the thing (a VMD
 * controller, say) is as much in use as the last one. */
int guard_add_by_path(Guard *guard, const char *path, InUse use, const char *what,
        const char *remedy) _must_check_;
int guard_add_note_by_path(Guard *guard, const char *path, const UseNote *note) _must_check_;

/* On every function that has a device of this driver of the virtio bus: which of them it is that
 * serves something, the kernel does not tell. */
int guard_add_by_virtio(Guard *guard, const char *driver, InUse use, const char *what,
        const char *remedy) _must_check_;

/* "What is in the way" cannot be looked at: every function of that kind with a host driver counts
 * as in use. */
int guard_add_blind(Guard *guard, GuardKind kind, const char *what, const char *remedy)
        _must_check_;

/* Where a link leads, as a path from the root, without resolving links on the way: enough for
 * sysfs, whose links lead to directories. -ENOENT: no such link; -EINVAL: it leads out. */
int guard_resolve_link(const Host *host, const char *path, char **ret) _must_check_;

/* The last component. */
const char *guard_name(const char *path);

/* A copy of foreign text for people, at most 200 bytes: what is no UTF-8 and control characters
 * become "?". */
int guard_printable(const char *text, char **ret) _must_check_;

/* "\040" and the like of /proc, in place. */
void guard_unescape(char *text);

/* "8:1". */
bool guard_parse_number(const char *text, unsigned *ret_major, unsigned *ret_minor);

/* What a saved tree says was seen when it was made. Returns 1; 0 if it says nothing. */
int guard_read_saved(Guard *guard) _must_check_;

/* Fills the nodes and the kinds; before all others. */
int guard_load_nodes(Guard *guard) _must_check_;
GuardNode *guard_find_node(const Guard *guard, bool is_block, unsigned major_number,
        unsigned minor_number);
/* Paths whose functions the node belongs to: its own, those of all controllers of a multipath NVMe
 * drive, and those of the adapters' ports that controllers are reached through. */
int guard_node_owners(const Guard *guard, const char *path, char ***ret) _must_check_;

/* The mounts of another mount namespace: guard->namespace_owner says whose. */
int guard_read_mounts(Guard *guard, int directory, const char *path, size_t *ret_length)
        _must_check_;
/* Whether the file that a process has open is on a file system whose server may never answer. */
bool guard_is_network_mount(const Guard *guard, int process, const char *descriptor);

int guard_scan_mounts(Guard *guard) _must_check_;
int guard_scan_file_systems(Guard *guard) _must_check_;
int guard_scan_swaps(Guard *guard) _must_check_;
int guard_scan_zfs(Guard *guard) _must_check_;
int guard_scan_holders(Guard *guard) _must_check_;
int guard_scan_network(Guard *guard) _must_check_;
int guard_scan_console(Guard *guard) _must_check_;
int guard_scan_display(Guard *guard) _must_check_; /* after the console */
int guard_scan_keyboard(Guard *guard) _must_check_;
int guard_scan_processes(Guard *guard) _must_check_;
int guard_scan_mediated(Guard *guard) _must_check_;
int guard_scan_targets(Guard *guard) _must_check_;

/* Is a function on the driver whose nodes are not in sysfs? */
bool guard_has_nvidia(const Guard *guard);
/* A process has the node of that number mapped into its memory, by the name `name`. */
int guard_note_mapped(Guard *guard, uint32_t pid, bool is_block, unsigned major_number,
        unsigned minor_number, const char *name) _must_check_;
/* Asks each process what it has mapped, after the scan; waits 20 s at most, 5 for a process. */
int guard_check_mappings(Guard *guard) _must_check_;

/* Opens each block device below the function once with O_EXCL, after the scan. */
int guard_check_exclusive(Guard *guard, Device *device) _must_check_;
