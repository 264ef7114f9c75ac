/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* The last resort of an initramfs that does not find its root: what its early pass took goes back
 * to the host's drivers, whole groups, and is not taken again until the next boot, unless by hand
 * (state gave-back). A group stays if all its endpoints are what no root is ever found on or
 * through: display controllers other than the firmware's screen, multimedia, signal processing,
 * accelerators and co-processors (base classes 03, 04, 11, 12 and 40).
 *
 * Goes by /run/vfio-bindd alone, whatever configuration, record and kernel command line say now.
 * root NULL: this machine; else a saved tree. Takes a minute at most. Returns the number of
 * functions that went back, failures left out, or a negative errno. */
int giveback_run(const char *root) _must_check_;

/* What is to be waited for before that: somebody who is asked for a passphrase, and then a minute
 * for the root's device to appear. Not where nobody was asked. */
int giveback_await_answers(const char *root) _must_check_;
