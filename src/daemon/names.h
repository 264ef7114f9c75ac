/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"

/* Names of vendors and models from udev's hardware database, for scan_machine(). What the previous
 * snapshot knows is not looked up again, and the database (a mapping of some 10 MiB) is open only
 * while a scan runs. */


typedef struct Names {
        const Snapshot *previous; /* may be NULL */
        struct udev *udev;
        struct udev_hwdb *hwdb;
        int error; /* the database cannot be read: not tried again during this scan */
} Names;

/* Between the two calls, scans of this process get names from here. */
void names_begin(Names *names, const Snapshot *previous);
void names_end(Names *names);
#define _cleanup_names_ _cleanup_(names_end)
