/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "exec/operations.h"
#include "host/host.h"

/* The real machine. `host` must outlive the table. Accounts of nodes are looked up in /etc/passwd
 * and /etc/group alone, as befits early stages and udev's workers. A lock of a group belongs to the
 * process: it does one transaction at a time. */
void operations_host(const Host *host, Operations *ret);

/* The same for the daemon: accounts by the name service, which may block, and does in a worker. */
void operations_host_with_name_service(const Host *host, Operations *ret);
