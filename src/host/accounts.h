/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "host/host.h"

/* Names or decimal numbers of accounts, from /etc/passwd and /etc/group below the root, and on this
 * machine, if asked to, by the name service, which gets a second to answer in a process of its own
 * (workers only). Returns 0, -ENXIO if there is none of that name or no answer, -EINVAL for what
 * cannot be a name, -ENOMEM. */
int account_find_user(const Host *host, const char *name, bool use_name_service, uid_t *ret)
        _must_check_;
int account_find_group(const Host *host, const char *name, bool use_name_service, gid_t *ret)
        _must_check_;
