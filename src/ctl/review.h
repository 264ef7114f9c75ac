/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/diagnostic.h"
#include "ctl/machine.h"

/* What is allowed, but may not be what was meant: lines that are not pinned to a device or take
 * more than one can foresee, leave given to take what the host uses, and claims and physical
 * functions that cannot be carried out on this machine. */
typedef struct Review {
        DiagnosticList warnings; /* claims, then physical functions */
        char **absent;           /* names of claims that match nothing here; NULL: none */
        char **absent_physical_functions; /* the same of those sections */
} Review;

/* What was released by hand is looked at as if it had not been: that ends, the configuration stays.
 * The machine forgets it, and must outlive the review. Returns 0, -ENOMEM. */
int review_config(Machine *machine, Review *ret) _must_check_;
void review_done(Review *review);
#define _cleanup_review_ _cleanup_(review_done)
