/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* What the service manager is told: readiness once the boot's claims are settled, and one line of
 * status. Without a service manager all of this does nothing. */

/* "6 claims: 4 bound, 1 refused (lab-nic: in-use-network), 1 absent"; the caller frees it.
 * Returns 0, -ENOMEM. */
int service_format_status(const View *view, char **ret) _must_check_;

/* READY=1 with the first settled view, STATUS= with every one. `old` may be NULL. */
void service_view_changed(const View *old, const View *new);
/* Around a reload; nothing is said before the first READY=1. `view` may be NULL. */
void service_reloading(const View *view);
void service_reloaded(const View *view);
void service_stopping(void);
