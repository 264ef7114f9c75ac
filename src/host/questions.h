/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* The questions for passphrases that systemd's agents put to people (systemd's "Password Agents"):
 * a file "ask.…" in /run/systemd/ask-password for each, as long as it is open. */

/* Waits until no question is open and the last one has been gone for `quiet_usec`. Where none was
 * ever put there is nothing to wait for. Returns 0 or a negative errno. */
int questions_await(const Host *host, uint64_t quiet_usec) _must_check_;
