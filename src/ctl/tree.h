/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* Text files of the machine or of a saved tree. Links are followed within the root. Paths begin
 * with "/". */

#define TREE_FILE_MAX (16 * 1024 * 1024)

/* Reads a whole text, which the caller frees. Returns 0, -ENOENT, -EINVAL for what is no text (it
 * has NUL bytes), -EFBIG, or another negative errno. */
int tree_read(const Host *host, const char *path, char **ret) _must_check_;
/* The same for any path of the caller's. */
int tree_read_here(const char *path, char **ret) _must_check_;

bool tree_exists(const Host *host, const char *path);

/* Sorted names that end so, *ret NULL: none. A directory that is not there is empty. Returns 0 or
 * a negative errno. */
int tree_list(const Host *host, const char *path, const char *suffix, char ***ret) _must_check_;

/* Paths of the files of drop-in directories, sorted by name; one in an earlier directory masks
 * those of the same name in later ones. *ret NULL: none. Returns 0 or a negative errno. */
int tree_list_drop_ins(const Host *host, const char *const *directories, size_t n_directories,
        const char *suffix, char ***ret) _must_check_;

/* Cuts off and returns the first line, NULL at the end. Counts lines if `number` is not NULL. */
char *tree_next_line(char **text, unsigned *number);
