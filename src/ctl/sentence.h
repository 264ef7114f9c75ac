/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/model.h"

/* The words in which reasons are told. */

/* Text with " (file:line)" before its full stop, unless it names a line of that file itself; with
 * `full_stop` it ends with one. `file` may be NULL. Returns 0, -ENOMEM. */
int sentence_with_place(const char *text, const char *file, unsigned line, bool full_stop,
        char **ret) _must_check_;

/* What a reason means that came without a text of its own, NULL if the token has to do. */
const char *reason_explanation(const char *reason);

/* Why this function is not as wanted: its own text, that of its group where it only follows that,
 * the explanation of the reason; else the token. Belongs to the model. NULL: there is no reason. */
const char *model_explain(const Model *model, const ModelDevice *device, const char *reason);
