/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* Is vfio-bindd-early.service enabled: a link in sysinit.target.wants/ of /etc or /run, or of
 * /usr/lib inside an initramfs, and not masked? Everything that acts asks this first. */
bool host_is_enabled(const Host *host);
