/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/config.h"

/* Reads vfio-bind.conf(5). What is wrong in the files is data (Config.diagnostics), errors fail
 * closed:
 *  - a claim with an error has has_error set and at least one error diagnostic whose section is
 *    "Claim NAME"; its readable Match= lines stay in `matches`, so that they are reserved;
 *  - a file that cannot be read or is refused, or a directory that cannot be listed, could have
 *    said anything: every claim is out;
 *  - an error in [Defaults] takes out the claims that use the key, and all claims if no key can
 *    be read. */

typedef struct ConfigLoadOptions {
        /* Refuse files that are not owned by root or that others can write. Off with --root=. */
        bool check_owner;
        /* Read replace_file (any path of the caller's) where replace_path, an absolute path below
         * the root, would be read; it need not exist. Both NULL: nothing is replaced. The owner
         * of replace_file is not checked. Diagnostics name replace_file. */
        const char *replace_path;
        const char *replace_file;
        /* Leave out what is in /run, as it will be after a reboot. */
        bool without_run;
        size_t maximum_size;      /* bytes of one file; 0: 1 MiB */
        unsigned maximum_drop_ins; /* 0: 256 */
} ConfigLoadOptions;

/* Main file and drop-ins below the directory root_fd; links are followed within it. options may
 * be NULL: check owners, replace nothing. No file at all is an empty configuration.
 * Returns 0; -EINVAL: replace_path is no path of a configuration file; -ENOMEM. */
int config_load(int root_fd, const ConfigLoadOptions *options, Config **ret) _must_check_;

/* One text as if it were the main file, alone. Returns 0, -ENOMEM. */
int config_load_text(const char *file_name, const char *text, size_t length, Config **ret)
        _must_check_;

/* For a reload: claims and physical functions that have errors in `new` and were good in `old`
 * become what they were in `old`, and so do the [Defaults] if they have errors; excludes are
 * joined. The diagnostics stay. Returns 0, or -ENOMEM with `new` still valid. */
int config_merge_last_good(const Config *old, Config *new) _must_check_;
