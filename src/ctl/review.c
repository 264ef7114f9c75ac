/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/review.h"

#include <errno.h>
#include <stdio.h>

#include "ctl/identity.h"
#include "ctl/machine-internal.h"
#include "ctl/node-accounts.h"
#include "ctl/physical-functions.h"

#define TERMS(term) (1U << (term))

/* Say where the device is … */
#define TERMS_OF_PLACE (TERMS(TERM_ADDRESS) | TERMS(TERM_PATH) | TERMS(TERM_PHYSICAL_SLOT))
/* … or which one, or one of which kind, stands there; … */
#define TERMS_OF_IDENTITY                                                                          \
        (TERMS(TERM_ID) | TERMS(TERM_SUBSYSTEM) | TERMS(TERM_SERIAL) | TERMS(TERM_EXPECT) |       \
                TERMS(TERM_EXPECT_SERIAL))
/* … these name a device, or one model of device, wherever it is. */
#define TERMS_OF_ONE                                                                               \
        (TERMS(TERM_SERIAL) | TERMS(TERM_EXPECT) | TERMS(TERM_EXPECT_SERIAL) | TERMS(TERM_PF))

/* Do not say what a line selects. */
#define TERMS_OF_GUARDS (TERMS(TERM_EXPECT) | TERMS(TERM_EXPECT_SERIAL))

static unsigned terms_of(const Match *match)
{
        unsigned terms = 0;

        for (size_t i = 0; i < match->n_terms; i++)
                terms |= TERMS(match->terms[i].type);
        return terms;
}

static bool is_alike(const Device *a, const Device *b)
{
        return a->vendor == b->vendor && a->device == b->device &&
               a->subsystem_vendor == b->subsystem_vendor &&
               a->subsystem_device == b->subsystem_device;
}

/* The first that this line selects here, and another one of another identity; NULL: there is
 * none. */
static const Device *find_selected(const Machine *machine, const Match *match,
        const Device **ret_other)
{
        MatchContext context = { .snapshot = machine->snapshot, .stage = STAGE_RUNTIME,
                                 .lookup = config_lookup_physical_function,
                                 .userdata = machine->config };
        const Device *first = NULL;

        *ret_other = NULL;
        for (size_t i = 0; i < machine->snapshot->n_devices; i++) {
                const Device *device = &machine->snapshot->devices[i];

                if (device->is_bridge ||
                    match_evaluate(match, &context, device) != ANSWER_YES)
                        continue;
                first = first ?: device;
                if (is_alike(first, device))
                        continue;
                *ret_other = device;
                break;
        }
        return first;
}

static void review_unpinned(const Machine *machine, const Match *match, const char *section,
        DiagnosticList *list)
{
        const Device *other, *device = find_selected(machine, match, &other);
        char identity[IDENTITY_TEXT_MAX];

        if (other) /* the expect= of the one would refuse the other */
                diagnostic_warning(list, match->location, section,
                        "not pinned: other devices may stand there one day, and would be taken. "
                        "expect= holds for all that a line selects, and these are not alike: write "
                        "a line for each function, as \"vfio-bindctl suggest NAME %s %s\" prints "
                        "them", PCI_ADDRESS_TEXT(&device->address),
                        PCI_ADDRESS_TEXT(&other->address));
        else if (device)
                diagnostic_warning(list, match->location, section,
                        "not pinned: another device may stand there one day, and would be taken. "
                        "Add expect=%s",
                        identity_format(device, identity));
        else
                diagnostic_warning(list, match->location, section,
                        "not pinned: another device may stand there one day, and would be taken. "
                        "Add expect=VENDOR:DEVICE, as \"vfio-bindctl suggest\" prints it");
}

static bool is_whole(const Match *match, TermType type)
{
        for (size_t i = 0; i < match->n_terms; i++)
                if (match->terms[i].type == type)
                        return !match->terms[i].id.any_vendor && !match->terms[i].id.any_device;
        return false;
}

/* Vendor and device; else the model of one vendor by its subsystem. */
static bool names_model(const Match *match, unsigned terms)
{
        return is_whole(match, TERM_ID) ||
               (terms & TERMS(TERM_ID) && is_whole(match, TERM_SUBSYSTEM));
}

static void review_match(const Machine *machine, const Match *match, const char *section,
        DiagnosticList *list)
{
        unsigned terms = terms_of(match);

        if ((terms & ~TERMS_OF_GUARDS) == TERMS(TERM_NAME))
                diagnostic_warning(list, match->location, section,
                        "late: name= is known when udev has run, and until then what other claims "
                        "select has to wait, too. Add id=");
        if ((terms & ~TERMS_OF_GUARDS) == TERMS(TERM_HOST_DRIVER))
                diagnostic_warning(list, match->location, section,
                        "late: hostdriver= is known to an initramfs only of modules that it has, "
                        "and what other claims select has to wait there, too. Add id=");
        if (terms & TERMS_OF_PLACE) {
                if (!(terms & (TERMS_OF_IDENTITY | TERMS(TERM_VF))))
                        review_unpinned(machine, match, section, list);
        } else if (!(terms & TERMS_OF_ONE) && !names_model(match, terms)) {
                diagnostic_warning(list, match->location, section,
                        "unsafe: takes every device of this kind, those that are added later too. "
                        "Name devices, as \"vfio-bindctl suggest\" prints them, or give id= with "
                        "vendor and device");
        }
}

/* What is wrong whatever the host happens to do just now. */
static bool is_lasting(Reason reason)
{
        switch (reason) {
        case REASON_CLAIM_CONFLICT:
        case REASON_CLAIMS_DISAGREE:
        case REASON_AMBIGUOUS:
        case REASON_IDENTITY_MISMATCH:
        case REASON_COMPANION_NOT_LISTED:
        case REASON_COMPANION_IS_PLATFORM:
        case REASON_BRIDGE_DRIVER_HOLDS_GROUP:
        case REASON_EXCLUDED:
        case REASON_PF_IN_GROUP:
        case REASON_PF_HAS_VFS:
        case REASON_IN_USE_SYSTEM:
        case REASON_NO_IOMMU:
        case REASON_NO_DRIVER_OVERRIDE:
        case REASON_DRIVER_NOT_VFIO:
        case REASON_DRIVER_MISSING:
                return true;
        default:
                return false;
        }
}

static void review_outcome(const ClaimPlan *plan, const char *section, DiagnosticList *list)
{
        const char *text = plan->text;

        if (!is_lasting(plan->reason))
                return;
        diagnostic_warning(list, plan->claim->location, section, "%s: %s",
                reason_to_string(plan->reason),
                text ?: "it could not be carried out on this machine");
}

/* Once for all claims that name it. */
static void review_accounts(const Machine *machine, const Claim *claim, const char *section,
        DiagnosticList *list)
{
        for (NodeAccount account = 0; account < _NODE_ACCOUNT_MAX; account++) {
                const char *name = node_account_name(&claim->settings, account);

                if (node_account_is_first(machine->config, claim, account) &&
                    node_account_is_unknown(&machine->host, &claim->settings, account))
                        diagnostic_warning(list, claim->location, section,
                                "%s: there is no account \"%s\", which this claim has as %s=: only "
                                "root could open the devices. Create it, or name another one",
                                reason_to_string(REASON_ACCOUNT_UNKNOWN), name,
                                node_account_key(account));
        }
}

/* That what it matches may not be taken is another matter, and has another text. */
static bool matches_nothing(const ClaimPlan *plan)
{
        return plan->absent && plan->reason == REASON_ABSENT &&
               (!plan->text || startswith(plan->text, "nothing in this machine matches"));
}

static int review_claim(const Machine *machine, const ClaimPlan *plan, Review *review)
{
        DiagnosticList *list = &review->warnings;
        const Claim *claim = plan->claim;
        char section[CONFIG_NAME_MAX + sizeof("Claim ")];

        if (claim->has_error) /* says more than any of these */
                return 0;
        (void) snprintf(section, sizeof(section), "Claim %s", claim->name);
        if (claim->allow_in_use)
                diagnostic_warning(list, claim->location, section,
                        "unsafe: AllowInUse= takes devices from under what uses them");
        for (size_t i = 0; i < claim->n_matches; i++)
                review_match(machine, claim->matches[i], section, list);
        review_accounts(machine, claim, section, list);
        review_outcome(plan, section, list);
        if (plan->absent && plan->reason == REASON_ABSENT && !matches_nothing(plan))
                diagnostic_warning(list, claim->location, section, "absent: %s", plan->text);
        if (list->failed)
                return -ENOMEM;
        return matches_nothing(plan) ? string_list_append(&review->absent, claim->name) : 0;
}

static void review_lines_of_physical_functions(const Machine *machine, DiagnosticList *list)
{
        for (size_t i = 0; i < machine->config->n_physical_functions; i++) {
                const PhysicalFunction *function = &machine->config->physical_functions[i];
                char section[CONFIG_NAME_MAX + sizeof("PhysicalFunction ")];

                (void) snprintf(section, sizeof(section), "PhysicalFunction %s", function->name);
                for (size_t j = 0; !function->has_error && j < function->n_matches; j++)
                        review_match(machine, function->matches[j], section, list);
        }
}

static int review_physical_function(const Machine *machine, const ModelPhysicalFunction *shown,
        Review *review)
{
        const PhysicalFunction *function = shown->name
                ? config_find_physical_function(machine->config, shown->name)
                : NULL;
        char section[CONFIG_NAME_MAX + sizeof("PhysicalFunction ")];

        if (!function)
                return 0;
        if (streq_null(shown->state, "absent"))
                return string_list_append(&review->absent_physical_functions, shown->name);
        if (!physical_function_is_refused(shown))
                return 0;
        (void) snprintf(section, sizeof(section), "PhysicalFunction %s", shown->name);
        diagnostic_warning(&review->warnings, function->location, section, "%s: %s",
                shown->reason ?: shown->state,
                shown->text ?: "it could not be carried out on this machine");
        return 0;
}

static int review_physical_functions(const Machine *machine, const Plan *plan, Review *review)
{
        _cleanup_model_physical_functions_ ModelPhysicalFunctions functions = {};
        int r = physical_functions_of_plan(machine->config, machine->snapshot, plan, &functions);

        review_lines_of_physical_functions(machine, &review->warnings);
        for (size_t i = 0; r >= 0 && i < functions.n_items; i++)
                r = review_physical_function(machine, &functions.items[i], review);
        return r >= 0 && review->warnings.failed ? -ENOMEM : r;
}

static void forget_releases(Snapshot *snapshot)
{
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                DeviceRecord *record = snapshot->devices[i].record;

                if (record && record->manual == MANUAL_RELEASED)
                        record->manual = MANUAL_NONE;
        }
}

void review_done(Review *review)
{
        diagnostic_list_done(&review->warnings);
        string_list_free(review->absent);
        string_list_free(review->absent_physical_functions);
        *review = (Review){};
}

int review_config(Machine *machine, Review *ret)
{
        PlanRequest request = { .stage = STAGE_RUNTIME, .may_unbind = true };
        _cleanup_plan_ Plan *plan = NULL;
        int r;

        forget_releases(machine->snapshot);
        r = planner_plan(machine->snapshot, machine->config, &request, &plan);
        for (size_t i = 0; r >= 0 && i < plan->n_claims; i++)
                r = review_claim(machine, &plan->claims[i], ret);
        return r < 0 ? r : review_physical_functions(machine, plan, ret);
}
