/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/config.h"

#include <errno.h>
#include <string.h>

#include "util/strings.h"

static const char *const companion_policy_words[] = {
        [COMPANIONS_SLOT] = "slot",
        [COMPANIONS_ALL] = "all",
        [COMPANIONS_NONE] = "none",
        [COMPANIONS_DETACH] = "detach",
};
_Static_assert(ELEMENTSOF(companion_policy_words) == _COMPANIONS_MAX, "every policy has a word");

static const char *const drift_policy_words[] = {
        [DRIFT_REPORT] = "report",
        [DRIFT_RECLAIM] = "reclaim",
};
_Static_assert(ELEMENTSOF(drift_policy_words) == _DRIFT_MAX, "every policy has a word");

static int find_word(const char *const *words, size_t n_words, const char *text)
{
        for (size_t i = 0; i < n_words; i++)
                if (streq(words[i], text))
                        return (int) i;
        return -EINVAL;
}

const char *companion_policy_to_string(CompanionPolicy policy)
{
        return (size_t) policy < _COMPANIONS_MAX ? companion_policy_words[policy] : NULL;
}

int companion_policy_from_string(const char *text)
{
        return find_word(companion_policy_words, _COMPANIONS_MAX, text);
}

const char *drift_policy_to_string(DriftPolicy policy)
{
        return (size_t) policy < _DRIFT_MAX ? drift_policy_words[policy] : NULL;
}

int drift_policy_from_string(const char *text)
{
        return find_word(drift_policy_words, _DRIFT_MAX, text);
}

int config_new(Config **ret)
{
        static const ClaimSettings builtin = {
                .driver = (char *) "vfio-pci",
                .companions = COMPANIONS_SLOT,
                .node_user = (char *) "root",
                .node_group = (char *) "kvm",
                .node_mode = 0660,
                .on_drift = DRIFT_REPORT,
                .timeout_usec = 30 * USEC_PER_SEC,
        };
        _cleanup_config_ Config *config = calloc(1, sizeof(*config));
        if (!config)
                return -ENOMEM;

        config->boot_timeout_usec = 10 * USEC_PER_SEC;
        int r = claim_settings_copy(&builtin, &config->defaults);
        if (r < 0)
                return r;
        r = config_update_digest(config);
        if (r < 0)
                return r;

        *ret = TAKE_POINTER(config);
        return 0;
}

static void matches_done(Match **matches, size_t n_matches)
{
        for (size_t i = 0; i < n_matches; i++)
                match_free(matches[i]);
        free(matches);
}

void claim_done(Claim *claim)
{
        free(claim->name);
        matches_done(claim->matches, claim->n_matches);
        matches_done(claim->excludes, claim->n_excludes);
        claim_settings_done(&claim->settings);
        *claim = (Claim){};
}

void physical_function_done(PhysicalFunction *function)
{
        free(function->name);
        matches_done(function->matches, function->n_matches);
        *function = (PhysicalFunction){};
}

Config *config_free(Config *config)
{
        if (!config)
                return NULL;

        claim_settings_done(&config->defaults);
        matches_done(config->excludes, config->n_excludes);
        for (size_t i = 0; i < config->n_claims; i++)
                claim_done(&config->claims[i]);
        free(config->claims);
        for (size_t i = 0; i < config->n_physical_functions; i++)
                physical_function_done(&config->physical_functions[i]);
        free(config->physical_functions);
        diagnostic_list_done(&config->diagnostics);
        string_list_free(config->files);
        string_list_free(config->more_files);
        free(config);
        return NULL;
}

void claim_settings_done(ClaimSettings *settings)
{
        free(settings->driver);
        free(settings->node_user);
        free(settings->node_group);
        *settings = (ClaimSettings){};
}

int claim_settings_copy(const ClaimSettings *from, ClaimSettings *ret)
{
        _cleanup_free_ char *driver = strdup(from->driver), *user = strdup(from->node_user),
                            *group = strdup(from->node_group);
        if (!driver || !user || !group)
                return -ENOMEM;

        *ret = *from;
        ret->driver = TAKE_POINTER(driver);
        ret->node_user = TAKE_POINTER(user);
        ret->node_group = TAKE_POINTER(group);
        return 0;
}

Claim *config_find_claim(const Config *config, const char *name)
{
        for (size_t i = 0; i < config->n_claims; i++)
                if (streq(config->claims[i].name, name))
                        return &config->claims[i];
        return NULL;
}

PhysicalFunction *config_find_physical_function(const Config *config, const char *name)
{
        for (size_t i = 0; i < config->n_physical_functions; i++)
                if (streq(config->physical_functions[i].name, name))
                        return &config->physical_functions[i];
        return NULL;
}

static bool is_alphanumeric(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool config_name_is_valid(const char *name)
{
        size_t n = 0;

        if (!is_alphanumeric(name[0]))
                return false;
        for (; name[n]; n++)
                if (n >= CONFIG_NAME_MAX || (!is_alphanumeric(name[n]) && !strchr("._-", name[n])))
                        return false;
        return true;
}

static unsigned matches_needed_facts(Match *const *matches, size_t n_matches)
{
        unsigned facts = 0;

        for (size_t i = 0; i < n_matches; i++)
                facts |= match_needed_facts(matches[i]);
        return facts;
}

unsigned config_needed_facts(const Config *config)
{
        unsigned facts = matches_needed_facts(config->excludes, config->n_excludes);

        for (size_t i = 0; i < config->n_claims; i++) {
                const Claim *claim = &config->claims[i];

                facts |= matches_needed_facts(claim->matches, claim->n_matches);
                facts |= matches_needed_facts(claim->excludes, claim->n_excludes);
                if (streq(claim->settings.driver, "auto"))
                        facts |= SNAPSHOT_FACT_VFIO_DRIVERS;
        }
        for (size_t i = 0; i < config->n_physical_functions; i++) {
                const PhysicalFunction *function = &config->physical_functions[i];

                facts |= matches_needed_facts(function->matches, function->n_matches);
        }
        if (config->n_claims > 0)
                facts |= SNAPSHOT_FACT_USES;
        if (streq(config->defaults.driver, "auto")) /* for a bind without a claim */
                facts |= SNAPSHOT_FACT_VFIO_DRIVERS;
        return facts;
}

/* A line of a [PhysicalFunction] section with its guard: another card there is not meant. */
static Answer evaluate_guarded(const Match *match, const MatchContext *context,
        const Device *device)
{
        Answer answer = match_evaluate(match, context, device);

        if (answer != ANSWER_YES)
                return answer;
        switch (match_guard(match, device)) {
        case GUARD_MISMATCH:
                return ANSWER_NO;
        case GUARD_UNKNOWN:
                return ANSWER_UNKNOWN;
        default:
                return ANSWER_YES;
        }
}

bool config_lookup_physical_function(const MatchContext *context, const char *name,
        const Device *device, Answer *ret)
{
        const PhysicalFunction *function = config_find_physical_function(context->userdata, name);
        if (!function)
                return false;

        /* The lines of these sections cannot use pf= themselves: no lookup below a lookup. */
        MatchContext inner = {.snapshot = context->snapshot, .stage = context->stage};
        Answer best = ANSWER_NO;
        for (size_t i = 0; i < function->n_matches; i++) {
                Answer answer = evaluate_guarded(function->matches[i], &inner, device);

                if (answer == ANSWER_YES || answer == ANSWER_AMBIGUOUS) {
                        best = answer;
                        if (answer == ANSWER_YES)
                                break;
                } else if (answer == ANSWER_UNKNOWN && best == ANSWER_NO)
                        best = answer;
        }
        /* What could not be read of it may have meant this one. */
        if (function->has_error && best != ANSWER_YES)
                best = ANSWER_UNKNOWN;
        *ret = best;
        return true;
}
