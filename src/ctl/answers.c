/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/answers.h"

#include <errno.h>

#include "core/planner.h"
#include "util/array.h"

int answers_add(ModelAnswers *answers, ModelAnswer **ret)
{
        int r = ARRAY_GROW(answers->items, answers->n_items);

        if (r < 0)
                return r;
        *ret = &answers->items[answers->n_items++];
        **ret = (ModelAnswer){};
        return 0;
}

void answers_done(ModelAnswers *answers)
{
        for (size_t i = 0; i < answers->n_items; i++) {
                free(answers->items[i].claim);
                free(answers->items[i].file);
                free(answers->items[i].term);
                free(answers->items[i].answer);
        }
        free(answers->items);
        *answers = (ModelAnswers){};
}

static int add(const Explanation *explanation, ModelAnswers *answers)
{
        const Term *term = explanation->term;
        ModelAnswer *answer;
        int r;

        r = answers_add(answers, &answer);
        if (r < 0)
                return r;
        answer->line = explanation->match->location.line;
        answer->is_exclude = explanation->is_exclude;
        r = model_set(&answer->claim, explanation->claim ? explanation->claim->name : NULL);
        if (r >= 0)
                r = model_set(&answer->file, explanation->match->location.file);
        if (r >= 0)
                r = model_set(&answer->answer, answer_to_string(explanation->answer));
        if (r >= 0 && term)
                r = format_string(&answer->term, "%s=%s", term_type_to_string(term->type),
                        term->value);
        return r;
}

int machine_explain(const Machine *machine, const PciAddress *address, ModelAnswers *answers)
{
        const Snapshot *snapshot = machine_snapshot(machine);
        const Device *device = snapshot_find(snapshot, address);
        _cleanup_free_ Explanation *explanations = NULL;
        size_t n = 0;
        int r;

        if (!device)
                return -ENODEV;
        r = planner_explain(snapshot, machine_config(machine), STAGE_RUNTIME, device,
                &explanations, &n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add(&explanations[i], answers);
        return r;
}
