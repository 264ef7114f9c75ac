/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "util/macro.h"

/* org.freedesktop.LogControl1 (see its man page), for "systemctl service-log-level". Reading is
 * for everyone; sd-bus lets only callers with CAP_SYS_ADMIN write. Registers for the connection's
 * life. Returns 0 or a negative errno. */
int log_control_register(sd_bus *connection) _must_check_;
