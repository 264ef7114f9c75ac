/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "util/macro.h"

/* Tells when the host may have begun or ceased to use something: file systems mounted or not, swap
 * spaces, addresses, default routes; of bridges and bonds only what joins. Without polling, and no
 * more often than every ten seconds, whatever happens. */

typedef struct UsesWatch UsesWatch;

/* From the event loop: look again. */
typedef void (*UsesHandler)(void *userdata);

/* What cannot be watched on this machine is left out. Returns 0 or a negative errno. */
int uses_watch_new(sd_event *event, UsesHandler handler, void *userdata, UsesWatch **ret)
        _must_check_;
UsesWatch *uses_watch_free(UsesWatch *watch);
DEFINE_CLEANUP(UsesWatch, uses_watch_free)
