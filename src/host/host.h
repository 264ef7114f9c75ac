/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

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
