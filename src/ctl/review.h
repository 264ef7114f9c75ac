/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/diagnostic.h"
#include "ctl/machine.h"

/* What is allowed, but may not be what was meant: lines that are not pinned to a device or take
 * more than one can foresee, leave given to take what the host uses, and claims that cannot be
 * carried out on this machine. Warnings, in the order of the configuration; their locations belong
 * to the machine. Returns 0, -ENOMEM. */
int review_config(const Machine *machine, DiagnosticList *ret) _must_check_;
