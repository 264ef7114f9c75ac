/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "util/macro.h"

/* GetManagedObjects and ListDevices take some microseconds for each function, and everybody may
 * call them as often as he likes. Their calls are served one after the other, with a pause after
 * each that is as long as it took, and by turns of the callers; all other calls are answered in
 * between. */

typedef struct Turns Turns;

#define TURNS_MAX        1024 /* that wait, in all */
#define TURNS_SENDER_MAX 8    /* and of one connection */

/* For one connection. Returns 0 or a negative errno. */
int turns_new(sd_bus *connection, Turns **ret) _must_check_;
Turns *turns_free(Turns *turns);
DEFINE_CLEANUP(Turns, turns_free)
