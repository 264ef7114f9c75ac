/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/selector-internal.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/name-pattern.h"

static const char *const term_words[] = {
        [TERM_ADDRESS] = "address",
        [TERM_ID] = "id",
        [TERM_SUBSYSTEM] = "subsystem",
        [TERM_CLASS] = "class",
        [TERM_PATH] = "path",
        [TERM_PHYSICAL_SLOT] = "physical-slot",
        [TERM_SERIAL] = "serial",
        [TERM_NAME] = "name",
        [TERM_HOST_DRIVER] = "hostdriver",
        [TERM_PF] = "pf",
        [TERM_VF] = "vf",
        [TERM_EXPECT] = "expect",
        [TERM_EXPECT_SERIAL] = "expect-serial",
};
_Static_assert(ELEMENTSOF(term_words) == _TERM_MAX, "every term has a name");

const char *term_type_to_string(TermType type)
{
        return (size_t) type < _TERM_MAX ? term_words[type] : NULL;
}

int term_type_from_name(const char *name, size_t length)
{
        for (size_t i = 0; i < _TERM_MAX; i++)
                if (strlen(term_words[i]) == length &&
                    strncasecmp(term_words[i], name, length) == 0)
                        return (int) i;
        return -EINVAL;
}

const char *answer_to_string(Answer answer)
{
        static const char *const words[] = {
                [ANSWER_NO] = "no",
                [ANSWER_UNKNOWN] = "unknown",
                [ANSWER_YES] = "yes",
                [ANSWER_AMBIGUOUS] = "ambiguous",
        };

        return (size_t) answer < ELEMENTSOF(words) ? words[answer] : NULL;
}

void term_done(Term *term)
{
        free(term->value);
        switch (term->type) {
        case TERM_PATH:
                free(term->path);
                break;
        case TERM_NAME:
                name_pattern_free(term->name);
                break;
        case TERM_PF:
                free(term->pf.path);
                break;
        case TERM_VF:
                free(term->vf.ranges);
                break;
        default:
                break;
        }
        *term = (Term){};
}

Match *match_free(Match *match)
{
        if (!match)
                return NULL;

        for (size_t i = 0; i < match->n_terms; i++)
                term_done(&match->terms[i]);
        free(match->terms);
        free(match->text);
        free(match);
        return NULL;
}

static unsigned term_needed_facts(const Term *term)
{
        switch (term->type) {
        case TERM_PHYSICAL_SLOT:
                return SNAPSHOT_FACT_SLOTS;
        case TERM_SERIAL:
        case TERM_EXPECT_SERIAL:
                return SNAPSHOT_FACT_SERIALS;
        case TERM_NAME:
                return SNAPSHOT_FACT_NAMES;
        case TERM_HOST_DRIVER:
                return SNAPSHOT_FACT_HOST_DRIVERS;
        case TERM_PF:
                return term->pf.naming == PF_BY_NAME ? SNAPSHOT_FACT_INTERFACES : 0;
        default:
                return 0;
        }
}

bool match_has_term(const Match *match, TermType type)
{
        for (size_t i = 0; match && i < match->n_terms; i++)
                if (match->terms[i].type == type)
                        return true;
        return false;
}

unsigned match_needed_facts(const Match *match)
{
        unsigned facts = 0;

        for (size_t i = 0; i < match->n_terms; i++)
                facts |= term_needed_facts(&match->terms[i]);
        return facts;
}
