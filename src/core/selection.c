/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/selection.h"

#include <errno.h>

#include "util/strings.h"

static bool claim_takes_part(const Claim *claim)
{
        return claim->enabled && !claim->has_error && !claim->is_skipped;
}

/* A claim with an error or one skipped by the kernel command line keeps what it names out of
 * other claims' hands: the operator meant something by it. */
static bool claim_reserves(const Claim *claim)
{
        return claim->enabled && (claim->has_error || claim->is_skipped);
}

static Answer evaluate_any(Match *const *lines, size_t n_lines, const MatchContext *context,
        const Device *device, const Match **ret)
{
        Answer best = ANSWER_NO;

        for (size_t i = 0; i < n_lines; i++) {
                Answer answer = match_evaluate(lines[i], context, device);

                if (answer == ANSWER_YES) {
                        *ret = lines[i];
                        return ANSWER_YES;
                }
                if (answer == ANSWER_UNKNOWN && best == ANSWER_NO) {
                        best = ANSWER_UNKNOWN;
                        *ret = lines[i];
                }
        }
        return best;
}

/* Every line that selects the function may carry a guard; all of them must hold. */
static const Match *find_failed_guard(const Claim *claim, const MatchContext *context,
        const Device *device, bool *ret_unknown)
{
        *ret_unknown = false;

        for (size_t i = 0; i < claim->n_matches; i++) {
                GuardVerdict verdict = match_guard(claim->matches[i], device);

                if (verdict != GUARD_MISMATCH && verdict != GUARD_UNKNOWN)
                        continue;
                if (match_evaluate(claim->matches[i], context, device) != ANSWER_YES)
                        continue;
                if (verdict == GUARD_MISMATCH)
                        return claim->matches[i];
                *ret_unknown = true;
        }
        return NULL;
}

Answer claim_evaluate(const Claim *claim, const MatchContext *context, const Device *device,
        const Match **ret_match, const Match **ret_guard)
{
        const Match *match = NULL, *exclude = NULL, *guard;
        bool guard_unknown;
        Answer answer, excluded;

        *ret_match = NULL;
        *ret_guard = NULL;

        if (device->is_bridge)
                return ANSWER_NO;

        answer = evaluate_any(claim->matches, claim->n_matches, context, device, &match);
        if (answer == ANSWER_NO)
                return ANSWER_NO;

        excluded = evaluate_any(claim->excludes, claim->n_excludes, context, device, &exclude);
        if (excluded == ANSWER_YES)
                return ANSWER_NO;
        if (excluded == ANSWER_UNKNOWN)
                answer = ANSWER_UNKNOWN;

        *ret_match = match;
        if (answer != ANSWER_YES)
                return answer;

        guard = find_failed_guard(claim, context, device, &guard_unknown);
        if (guard) {
                *ret_guard = guard;
                return ANSWER_YES;
        }
        return guard_unknown ? ANSWER_UNKNOWN : ANSWER_YES;
}

/* What was decided for this instance under the same configuration stays decided, even if the
 * fact that decided it (an interface name, say) is gone since: it went when we took the device. */
static const Claim *decided_earlier(const Device *device, const Config *config)
{
        const Claim *claim;

        if (!device->record || device->record->role != ROLE_SELECTED ||
            isempty(device->record->claim) || device->is_bridge)
                return NULL;
        if (!streq_null(device->record->config_digest, config->digest))
                return NULL;

        claim = config_find_claim(config, device->record->claim);
        return claim && claim_takes_part(claim) ? claim : NULL;
}

static void judge_claims(const MatchContext *context, const Config *config, const Device *device,
        Selection *selection)
{
        const Claim *earlier = decided_earlier(device, config);

        for (size_t i = 0; i < config->n_claims; i++) {
                const Claim *claim = &config->claims[i];
                const Match *match, *guard;
                Answer answer;

                if (!claim_takes_part(claim) && !claim_reserves(claim))
                        continue;

                answer = claim_evaluate(claim, context, device, &match, &guard);
                if (answer != ANSWER_YES && claim == earlier)
                        answer = ANSWER_YES;
                if (answer != ANSWER_YES && answer != ANSWER_UNKNOWN)
                        continue;

                if (claim_reserves(claim)) {
                        *selection = (Selection){ .verdict = VERDICT_RESERVED, .claim = claim,
                                                  .match = match };
                        return;
                }
                if (selection->verdict == VERDICT_SELECTED && answer == ANSWER_YES) {
                        selection->verdict = VERDICT_CONFLICT;
                        selection->other = claim;
                        selection->other_match = match;
                        continue; /* a reserving claim may still follow */
                }
                if (selection->verdict == VERDICT_CONFLICT)
                        continue;
                if (answer == ANSWER_UNKNOWN) {
                        if (selection->verdict == VERDICT_DEFERRED)
                                continue;
                        /* also over an earlier yes: this one may turn into a conflict */
                        *selection = (Selection){ .verdict = VERDICT_DEFERRED, .claim = claim,
                                                  .match = match };
                        continue;
                }
                if (selection->verdict == VERDICT_DEFERRED)
                        continue;
                *selection = (Selection){ .verdict = VERDICT_SELECTED, .claim = claim,
                                          .match = match, .guard = guard,
                                          .guard_failed = guard != NULL };
        }
}

static void judge_device(const MatchContext *context, const Config *config, const Device *device,
        Selection *selection)
{
        const Match *exclude = NULL;
        Answer answer;

        answer = evaluate_any(config->excludes, config->n_excludes, context, device, &exclude);
        if (answer == ANSWER_YES) {
                *selection = (Selection){ .verdict = VERDICT_EXCLUDED, .exclude = exclude };
                return;
        }

        judge_claims(context, config, device, selection);

        /* until that is known nobody takes it along as a companion either */
        if (answer == ANSWER_UNKNOWN && (selection->verdict == VERDICT_SELECTED ||
                                                selection->verdict == VERDICT_NOT_SELECTED)) {
                selection->verdict = VERDICT_DEFERRED;
                selection->exclude = exclude;
        }
}

int selection_judge(const Snapshot *snapshot, const Config *config, Stage stage, Selection **ret)
{
        MatchContext context = {
                .snapshot = snapshot,
                .stage = stage,
                .lookup = config_lookup_physical_function,
                .userdata = (void *) config,
        };
        Selection *selections;

        selections = calloc(snapshot->n_devices + 1, sizeof(Selection));
        if (!selections)
                return -ENOMEM;

        for (size_t i = 0; i < snapshot->n_devices; i++)
                judge_device(&context, config, &snapshot->devices[i], &selections[i]);

        *ret = selections;
        return 0;
}
