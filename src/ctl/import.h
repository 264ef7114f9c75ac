/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "core/snapshot.h"
#include "host/host.h"

/* What another tool is told to bind, on its way to a configuration of ours. */

typedef struct ImportClaim {
        char *name;
        char *comment; /* where it comes from; NULL: none */
        char *driver;  /* NULL: vfio-pci */
        char **lines;  /* Match= lines and comments */
        PciAddress *listed; /* what the tool takes by name */
        size_t n_listed;
} ImportClaim;

typedef struct Import {
        const Host *host;
        const Snapshot *snapshot;
        const char *tool;
        ImportClaim *claims;
        size_t n_claims;
        char **sections; /* [PhysicalFunction] sections, as text */
        char **commands; /* what to delete, for standard error */
        char **notes;    /* what was left out and why, likewise, as comments */
        char *node_user, *node_group; /* of the tool's udev rules; NULL: none */
        bool has_node_mode;
        mode_t node_mode;
        bool found; /* there is a configuration of that tool */
        bool is_in_initramfs; /* something that goes is copied into the initramfs */
} Import;

void import_done(Import *import);
#define _cleanup_import_ _cleanup_(import_done)

/* Begins a claim, or goes on with the one of that name; what a name cannot have is replaced. The
 * pointer is good until the next call. Returns 0, -ENOMEM. */
int import_claim(Import *import, const char *name, const char *comment, ImportClaim **ret)
        _must_check_;

/* Adds a function that the tool names, pinned to what stands there now. */
int import_add_function(Import *import, ImportClaim *claim, const PciAddress *address)
        _must_check_;
/* The same, commented out, unless it is listed already. */
int import_add_further(Import *import, ImportClaim *claim, const Device *device) _must_check_;
/* Likewise what is of the same kind as those that it lists: new_id, which a tool writes beside
 * driver_override, takes all that have no driver then. bound_only: those that vfio-pci has. */
int import_add_same_kind(Import *import, ImportClaim *claim, bool bound_only) _must_check_;
/* That for all claims of vfio-pci, where driverctl bound (import-driverctl.c): its new_id. */
int import_add_taken_by_driverctl(Import *import) _must_check_;
bool import_lists(const Import *import, const PciAddress *address);
int import_add_comment(ImportClaim *claim, const char *format, ...) _printf_(2, 3) _must_check_;

/* "0000:01:00.0 expect=10de:2482:1043:8769", or "pf=0000:06:00.0 vf=2 expect=…" */
int import_match_text(const Device *device, char **ret) _must_check_;

int import_add_command(Import *import, const char *format, ...) _printf_(2, 3) _must_check_;
/* "rm -f", if the file is there: two tools may name the same file. */
int import_add_removal(Import *import, const char *path) _must_check_;
/* "systemctl disable" and "rm -f", if the unit is there. */
int import_add_unit_removal(Import *import, const char *unit) _must_check_;

/* Says on standard error what was left out: a comment, since what stands there gets executed. */
int import_note(Import *import, const char *format, ...) _printf_(2, 3) _must_check_;

/* Reads a file that was named on the command line. Returns 0; -EINVAL after a complaint;
 * -ENOMEM. */
int import_read_file(const char *path, char **ret) _must_check_;

/* A text in single quotes, as sh(1) wants it where it has other characters than the usual ones.
 * Returns 0, -ENOMEM. */
int shell_quote(const char *text, char **ret) _must_check_;

/* The configuration, with what will differ from the old tool as comments. Returns 0 or a negative
 * errno. */
int import_print(const Import *import, FILE *file) _must_check_;

/* One tool each: read its files, or `files` (NULL or empty: where it keeps them). Return 0;
 * -EINVAL after a complaint about what is wrong in them; another negative errno. */
int import_opennebula(Import *import, char *const *files) _must_check_;
int import_one_deploy(Import *import, char *const *files) _must_check_;
int import_driverctl(Import *import, char *const *files) _must_check_;
int import_kernel(Import *import, char *const *files) _must_check_;
int import_libvirt(Import *import, char *const *files) _must_check_;

/* Rules in /etc/udev/rules.d that give /dev/vfio to somebody. */
int import_udev_rules(Import *import) _must_check_;
