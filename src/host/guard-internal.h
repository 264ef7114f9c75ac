/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/guard.h"

/* Between the files of the guard only. */

typedef struct Guard {
        const Host *host;
        Snapshot *snapshot;
} Guard;

/* Notes the use on every function in a sysfs path, bridges left out: what lies on the way down to
 * the thing (a VMD controller, say) is as much in use as the last one. The same note is added
 * once. Takes nothing; `remedy` may be NULL. */
int guard_add_by_path(Guard *guard, const char *path, InUse use, const char *what,
        const char *remedy) _must_check_;

/* "What is in the way" cannot be looked at: every function of the base class with a host driver
 * counts as in use. */
int guard_add_blind(Guard *guard, uint8_t base_class, const char *what, const char *remedy)
        _must_check_;

/* Where a link leads, as a path from the root, without resolving links on the way: enough for
 * sysfs, whose links lead to directories. -ENOENT: no such link; -EINVAL: it leads out. */
int guard_resolve_link(const Host *host, const char *path, char **ret) _must_check_;

/* A copy of foreign text for people: control characters become "?", at most 200 bytes. */
int guard_printable(const char *text, char **ret) _must_check_;

int guard_scan_block(Guard *guard) _must_check_;
int guard_scan_network(Guard *guard) _must_check_;
