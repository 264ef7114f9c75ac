/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "core/vocabulary.h"

/* Outcomes as errors of the bus. The setters return a negative errno for the handler to return. */

#define BUS_ERROR_NAME_MAX 96

/* "in-use-network" -> "org.vfio.Bind1.Error.InUseNetwork"; REASON_NONE gives the general
 * org.freedesktop.DBus.Error.Failed. */
char *bus_error_name(Reason reason, char name[static BUS_ERROR_NAME_MAX]);

/* What became of a device, with the sentence of the plan if there is one (else NULL). */
int bus_error_outcome(sd_bus_error *error, const char *device, State state, Reason reason,
        const char *text);

/* What the manager returns instead of doing its work. */
int bus_error_manager(sd_bus_error *error, int code);

int bus_error_no_such_device(sd_bus_error *error, const char *what);
int bus_error_no_such_group(sd_bus_error *error, uint32_t number);
int bus_error_no_such_claim(sd_bus_error *error, const char *name);
