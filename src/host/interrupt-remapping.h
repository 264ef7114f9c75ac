/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* Are interrupts remapped, which is fixed when the kernel boots? Returns 1 or 0, -ENODATA if
 * nothing tells (anything but x86, Xen), or another negative errno. */
int host_remaps_interrupts(const Host *host) _must_check_;
