/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/machine.h"

/* How the lines of the configuration answer for one function: rows of what Manager.Explain
 * returns. The terms of a line stand before the line as a whole. */
typedef struct ModelAnswer {
        char *claim; /* NULL: [Defaults] */
        char *file;
        unsigned line;
        char *term; /* NULL: the line as a whole */
        char *answer;
        bool is_exclude;
} ModelAnswer;

typedef struct ModelAnswers {
        ModelAnswer *items;
        size_t n_items;
} ModelAnswers;

int answers_add(ModelAnswers *answers, ModelAnswer **ret) _must_check_;
void answers_done(ModelAnswers *answers);
#define _cleanup_answers_ _cleanup_(answers_done)

/* Returns 0, -ENOMEM, -ENODEV. */
int machine_explain(const Machine *machine, const PciAddress *address, ModelAnswers *answers)
        _must_check_;
