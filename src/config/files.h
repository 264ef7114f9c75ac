/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/config-load.h"

/* Which files make up the configuration, in the order in which they are read, and what they hold.
 * The main file is the first that is there; a drop-in is masked by one of the same name in a
 * later directory. */

#define FILE_PROBLEM_MAX 160

/* Absolute paths below the root. Returns 0; -EINVAL with `problem` filled if these are not all,
 * because a directory cannot be listed or there are more drop-ins than allowed; -ENOMEM. */
int config_files_list(int root_fd, const ConfigLoadOptions *options, char ***ret,
        char problem[static FILE_PROBLEM_MAX]) _must_check_;

/* Whether a file of that path could be a part of the configuration. */
bool config_path_is_candidate(const char *path);

/* Reads one of them; a link to /dev/null reads as empty. Returns 0; -EINVAL with `problem` filled
 * ("cannot be read: Permission denied"); -ENOMEM. */
int config_file_read(int root_fd, const char *path, const ConfigLoadOptions *options, char **ret,
        size_t *ret_length, char problem[static FILE_PROBLEM_MAX]) _must_check_;
