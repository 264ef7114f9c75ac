/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <net/if.h>
#include <netinet/in.h>

#include "host/host.h"

/* What makes a network interface one that the host needs. */

typedef struct InterfaceFact {
        char interface[IFNAMSIZ];
        /* "": it carries a default route; else the address that it has */
        char address[INET6_ADDRSTRLEN];
} InterfaceFact;

/* Default routes of IPv4 and IPv6 in all routing tables, and addresses other than link-local
 * ones. Asks the kernel on this machine, and reads /proc/net of a saved tree, which has the main
 * table only. The caller frees the list. Returns 0; -ETIMEDOUT: the kernel's network tables were
 * locked for two seconds; another negative errno. */
int guard_read_routes(const Host *host, InterfaceFact **ret, size_t *ret_n) _must_check_;

/* The kernel's answers, for guard_read_routes() alone: writes facts and, at the end of all, one
 * whose interface is ".", which no interface can be called. */
void guard_ask_routes(int output, void *userdata);
