/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "core/planner-internal.h"
#include "util/array.h"
#include "util/strings.h"

/* What came of each claim: the sum of what came of its functions. */

static unsigned claim_weight(State state)
{
        switch (state) {
        case STATE_STUCK:
                return 9;
        case STATE_FAILED:
                return 8;
        case STATE_REFUSED:
                return 7;
        case STATE_DRIFTED:
                return 6;
        case STATE_BINDING:
                return 5;
        case STATE_PENDING:
                return 4;
        case STATE_GAVE_BACK:
                return 3;
        case STATE_RELEASED:
                return 2;
        case STATE_BOUND:
                return 1;
        default:
                return 0;
        }
}

/* The claim's reason is that of its worst function; a function that only follows its group says
 * what the group says. */
static int take_over(ClaimPlan *claim, const GroupPlan *group, const MemberPlan *member)
{
        bool follows = member->reason == REASON_GROUP_REFUSED || !member->text;
        const char *text = follows && group->text ? group->text : member->text;
        Reason reason = member->reason == REASON_GROUP_REFUSED ? group->reason : member->reason;

        claim->state = member->state;
        claim->reason = reason;
        return replace_string(&claim->text, text);
}

static int add_function(ClaimPlan *claim, const GroupPlan *group, const MemberPlan *member,
        bool *bound, bool *other)
{
        claim->n_functions++;
        if (member->state == STATE_BOUND)
                *bound = true;
        else
                *other = true;
        if (claim->n_functions > 1 && claim_weight(member->state) <= claim_weight(claim->state))
                return 0;
        return take_over(claim, group, member);
}

/* planner_plan() made plan->claims parallel to config->claims. */
static ClaimPlan *plan_of(const Planning *planning, const Claim *claim)
{
        return &planning->plan->claims[claim - planning->config->claims];
}

static int sum_up_functions(const Planning *planning, bool *bound, bool *other)
{
        for (size_t i = 0; i < planning->plan->n_groups; i++) {
                const GroupPlan *group = &planning->plan->groups[i];

                for (size_t j = 0; j < group->n_members; j++) {
                        const MemberPlan *member = &group->members[j];
                        size_t k;
                        int r;

                        if (!member->claim || member->role == ROLE_COMPANION)
                                continue;
                        k = (size_t) (member->claim - planning->config->claims);
                        r = add_function(plan_of(planning, member->claim), group, member, &bound[k],
                                &other[k]);
                        if (r < 0)
                                return r;
                        if (planning_selection(planning, member->device)->verdict !=
                            VERDICT_CONFLICT)
                                continue;
                        k = (size_t) (planning_selection(planning, member->device)->other -
                                      planning->config->claims);
                        r = add_function(&planning->plan->claims[k], group, member, &bound[k],
                                &other[k]);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static Answer line_answer(const Planning *planning, const Match *match,
        bool *ret_is_elsewhere)
{
        MatchContext context = planner_match_context(planning);
        Answer best = ANSWER_NO;
        size_t n;

        for (size_t i = 0; i < planning->snapshot->n_devices; i++) {
                const Device *device = &planning->snapshot->devices[i];
                Answer answer;

                if (device->is_bridge)
                        continue;
                answer = match_evaluate(match, &context, device);
                if (answer == ANSWER_YES)
                        return ANSWER_YES;
                if (answer == ANSWER_AMBIGUOUS || (answer == ANSWER_UNKNOWN && best == ANSWER_NO))
                        best = answer;
        }
        if (best == ANSWER_NO)
                *ret_is_elsewhere = match_find_identity(match, planning->snapshot, &n);
        return best;
}

/* A bridge that the claim means: one that passes the line's guard, too. */
static const Device *find_bridge(const Planning *planning, const Claim *claim,
        const Match **ret_line)
{
        MatchContext context = planner_match_context(planning);

        for (size_t i = 0; i < planning->snapshot->n_devices; i++) {
                const Device *device = &planning->snapshot->devices[i];

                for (size_t j = 0; device->is_bridge && j < claim->n_matches; j++)
                        if (match_evaluate(claim->matches[j], &context, device) == ANSWER_YES &&
                            match_guard(claim->matches[j], device) != GUARD_MISMATCH) {
                                *ret_line = claim->matches[j];
                                return device;
                        }
        }
        return NULL;
}

typedef struct Lines {
        bool unknown, any;
        const Match *ambiguous;
        const Match *moved; /* what it expects is elsewhere */
} Lines;

static int describe_moved(const Planning *planning, ClaimPlan *claim, const Match *line,
        const char *location)
{
        _cleanup_free_ char *where = NULL;
        int r;

        r = planner_format_elsewhere(line, planning->snapshot, &where);
        if (r < 0)
                return r;
        return format_string(&claim->text,
                "nothing in this machine matches; what \"%s\" expects %s%s", line->text, where,
                location);
}

static int describe_absent(const Planning *planning, ClaimPlan *claim, const Lines *lines)
{
        const Claim *section = claim->claim;
        const Match *line = lines->ambiguous ?: lines->moved;
        const Device *bridge = NULL;
        _cleanup_free_ char *location = NULL;
        int r;

        if (!lines->ambiguous && !lines->any)
                bridge = find_bridge(planning, section, &line);
        if (!line && section->n_matches > 0)
                line = section->matches[0];
        r = planner_format_location(line ? &line->location : &section->location, &location);
        if (r < 0)
                return r;
        free(claim->text);
        claim->text = NULL;
        claim->reason = lines->ambiguous ? REASON_AMBIGUOUS : REASON_ABSENT;
        if (lines->ambiguous)
                return format_string(&claim->text,
                        "a path= fits more than one function and therefore selects none. Use "
                        "address= there%s.", location);
        if (lines->any)
                return format_string(&claim->text, "its own Exclude= takes out all that it "
                        "matches%s", location);
        if (bridge)
                return format_string(&claim->text,
                        "%s is a bridge, and bridges stay with the host. Name the functions behind "
                        "it%s.", PCI_ADDRESS_TEXT(&bridge->address), location);
        if (lines->moved)
                return describe_moved(planning, claim, lines->moved, location);
        return format_string(&claim->text, "nothing in this machine matches %s%s",
                line ? line->text : "it", location);
}

/* A function that the claim selects and somebody else has a say in; NULL: none. */
static const Device *find_withheld(const Planning *planning, const Claim *claim)
{
        MatchContext context = planner_match_context(planning);

        for (size_t i = 0; i < planning->snapshot->n_devices; i++) {
                const Match *match, *guard;

                if (planning->selections[i].verdict != VERDICT_NOT_SELECTED &&
                    claim_evaluate(claim, &context, &planning->snapshot->devices[i], &match,
                            &guard) == ANSWER_YES)
                        return &planning->snapshot->devices[i];
        }
        return NULL;
}

static int describe_withheld(const Planning *planning, ClaimPlan *claim, const Device *device)
{
        const Selection *selection = planning_selection(planning, device);
        const MemberPlan *member = plan_find(planning->plan, &device->address, NULL);
        _cleanup_free_ char *one = NULL, *other = NULL;
        int r;

        claim->state = STATE_REFUSED;
        if (selection->verdict != VERDICT_EXCLUDED) {
                if (selection->verdict == VERDICT_DEFERRED)
                        claim->state = STATE_PENDING;
                claim->reason = member->reason;
                return replace_string(&claim->text, member->text);
        }

        claim->reason = REASON_EXCLUDED;
        r = planner_format_location(&selection->exclude->location, &one);
        if (r >= 0)
                r = planner_format_location(&claim->claim->location, &other);
        if (r < 0)
                return r;
        free(claim->text);
        claim->text = NULL;
        return format_string(&claim->text,
                "Exclude=%s%s of [Defaults] keeps %s with the host. Remove that, or the claim%s.",
                selection->exclude->text, one, PCI_ADDRESS_TEXT(&device->address), other);
}

static void check_lines(const Planning *planning, ClaimPlan *claim, Lines *lines)
{
        const Claim *section = claim->claim;

        for (size_t i = 0; i < section->n_matches; i++) {
                bool is_elsewhere = false;
                Answer answer = line_answer(planning, section->matches[i], &is_elsewhere);

                claim->missing[i] = answer != ANSWER_YES;
                lines->any = lines->any || answer == ANSWER_YES;
                if (answer == ANSWER_AMBIGUOUS)
                        lines->ambiguous = section->matches[i];
                lines->unknown = lines->unknown || answer == ANSWER_UNKNOWN;
                if (is_elsewhere && !lines->moved)
                        lines->moved = section->matches[i];
        }
}

/* Which lines select nothing; and, if the claim has no function, why. */
static int judge_lines(const Planning *planning, ClaimPlan *claim)
{
        const Claim *section = claim->claim;
        const Device *withheld;
        Lines lines = {};

        check_lines(planning, claim, &lines);
        if (claim->n_functions > 0 || section->has_error || section->is_skipped ||
            !section->enabled)
                return 0;
        withheld = lines.any ? find_withheld(planning, section) : NULL;
        if (withheld)
                return describe_withheld(planning, claim, withheld);
        if (lines.unknown) {
                claim->state = STATE_PENDING;
                claim->reason = REASON_DEFERRED_TO_NEXT_STAGE;
                return 0;
        }
        claim->absent = true;
        return describe_absent(planning, claim, &lines);
}

static int allocate(const Planning *planning)
{
        const Config *config = planning->config;

        planning->plan->claims = calloc(config->n_claims + 1, sizeof(ClaimPlan));
        if (!planning->plan->claims)
                return -ENOMEM;
        for (size_t i = 0; i < config->n_claims; i++) {
                ClaimPlan *claim = &planning->plan->claims[i];

                claim->claim = &config->claims[i];
                claim->missing = calloc(config->claims[i].n_matches + 1, sizeof(bool));
                if (!claim->missing)
                        return -ENOMEM;
                planning->plan->n_claims++;
        }
        return 0;
}

static int finish_claim(const Planning *planning, ClaimPlan *claim, bool bound, bool other)
{
        int r;

        claim->partial = bound && other;
        r = judge_lines(planning, claim);
        if (r < 0)
                return r;
        if (claim->claim->has_error) {
                _cleanup_free_ char *location = NULL;

                r = planner_format_location(&claim->claim->location, &location);
                if (r < 0)
                        return r;
                claim->state = STATE_FAILED;
                claim->reason = REASON_CONFIG_ERROR;
                free(claim->text);
                claim->text = NULL;
                return format_string(&claim->text,
                        "its section has errors, which the journal names%s", location);
        }
        if (claim->claim->is_skipped) {
                claim->absent = false;
                claim->state = STATE_UNCLAIMED;
                claim->reason = REASON_DISABLED_BY_KERNEL_COMMAND_LINE;
                return replace_string(&claim->text,
                        "vfio_bindd.skip= on the kernel command line names it");
        }
        return 0;
}

int planner_summarize_claims(const Planning *planning)
{
        _cleanup_free_ bool *bound = calloc(planning->config->n_claims + 1, sizeof(bool));
        _cleanup_free_ bool *other = calloc(planning->config->n_claims + 1, sizeof(bool));
        int r;

        if (!bound || !other)
                return -ENOMEM;

        r = allocate(planning);
        if (r < 0)
                return r;
        r = sum_up_functions(planning, bound, other);
        if (r < 0)
                return r;
        for (size_t i = 0; i < planning->config->n_claims; i++) {
                r = finish_claim(planning, &planning->plan->claims[i], bound[i], other[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}
