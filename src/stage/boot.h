/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/config.h"
#include "core/vocabulary.h"

typedef struct BootOptions {
        Stage stage; /* STAGE_INITRD or STAGE_BOOT */
        const char *root; /* NULL: this machine */
        bool dry_run; /* plan and say, touch nothing */
} BootOptions;

/* The early pass: before udevd starts, everything that is claimed is bound before any host driver
 * can be loaded for it. NumVFs= is left to the daemon: writing it takes a PF driver's own time,
 * and with automatic probing off no VF can be lost meanwhile. Bounded by BootTimeout=
 * and by one minute. Returns 0, refusals and failures included, or a negative errno if it could
 * not do its work at all. */
int boot_run(const BootOptions *options) _must_check_;

/* After which the executor gives up in an early pass, in microseconds: BootTimeout=, bounded. */
uint64_t boot_timeout(const Config *config);
