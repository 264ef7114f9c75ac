/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dirent.h>

#include "util/macro.h"

/* The machine, or a saved tree that looks like one. All paths are resolved below the root. */
typedef struct Host {
        int root;     /* descriptor of "/" or of the directory given with --root= */
        bool is_live; /* root is this machine's own: modules, accounts, nodes may be used */
} Host;

/* root NULL or "/" means this machine. Returns 0 or the errno of open. */
int host_open(const char *root, Host *ret) _must_check_;
void host_close(Host *host);
#define _cleanup_host_ _cleanup_(host_close)

/* The running kernel's release, or that of a saved tree, which the caller frees. -ENOENT: the tree
 * does not tell. */
int host_kernel_release(const Host *host, char **ret) _must_check_;

/* Directories below any descriptor. */
int host_open_directory(int directory, const char *path, DIR **ret) _must_check_;
/* Sorted names without those that begin with ".", at most `maximum`; *ret NULL: empty. */
int host_list_directory(int directory, const char *path, size_t maximum, char ***ret)
        _must_check_;
/* Whether a process, whose directory in /proc this is, can use what its descriptor leads to: not
 * with one that O_PATH made (open(2)), as udev has one while it sets a node's permissions. What
 * was closed meanwhile may have been moved to another number, and a saved tree does not tell:
 * true. */
bool host_descriptor_is_usable(int process, const char *descriptor) _must_check_;
/* For qsort() of char *. */
int host_compare_names(const void *a, const void *b);

static inline void close_directory(DIR **directory)
{
        if (*directory)
                (void) closedir(*directory);
}
#define _cleanup_directory_ _cleanup_(close_directory)
