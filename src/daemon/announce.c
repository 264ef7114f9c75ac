/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager-internal.h"
#include "daemon/service.h"
#include "log/log.h"
#include "log/message-ids.h"
#include "util/strings.h"

/* Logs what changed from one view to the next, and nothing else: a reconcile that finds what was
 * there before is silent. What a worker did is logged from its report, by whoever ran it, the
 * helper or this daemon: its record shows it. */

static bool is_at_work(State state)
{
        return state == STATE_BINDING || state == STATE_RELEASING;
}

static bool is_good(State state)
{
        return state == STATE_UNCLAIMED || state == STATE_BOUND || state == STATE_DETACHED ||
               state == STATE_RELEASED;
}

static bool is_result_of_work(State state)
{
        return is_good(state) || state == STATE_FAILED || state == STATE_STUCK;
}

static bool is_same_outcome(const DeviceRecord *a, const DeviceRecord *b)
{
        return a->state == b->state && a->reason == b->reason && a->bound_usec == b->bound_usec;
}

/* The state is an outcome that came on record since the view before. */
static bool was_logged(const MemberPlan *before, const MemberPlan *now)
{
        const DeviceRecord *record = now->device->record;
        const DeviceRecord *old = before ? before->device->record : NULL;

        if (!record || record->state != now->state || record->reason != now->reason)
                return false;
        return !old || !is_same_outcome(old, record);
}

/* The daemon just started: what is as it should be needs no word. */
static bool is_news(const MemberPlan *before, const MemberPlan *now)
{
        State state = before ? before->state : STATE_UNCLAIMED;
        Reason reason = before ? before->reason : REASON_NONE;

        if (is_at_work(now->state))
                return false;
        if (state == now->state && reason == now->reason)
                return false;
        if (is_at_work(state) && is_result_of_work(now->state))
                return false;
        return before || !is_good(now->state) || now->reason != REASON_NONE;
}

static void announce_good(const GroupPlan *group, const MemberPlan *before,
        const MemberPlan *member)
{
        LogFields fields = LOG_FIELDS_NONE;

        fields.message_id = member->state == STATE_BOUND ? MESSAGE_DEVICE_BOUND
                            : member->state == STATE_DETACHED ? MESSAGE_DEVICE_DETACHED
                                                              : MESSAGE_DEVICE_RELEASED;
        fields.device = &member->device->address;
        fields.group = group->number;
        fields.claim = member->claim ? member->claim->name : NULL;
        fields.from = before ? before->device->driver : NULL;
        fields.to = member->device->driver;
        log_full(LOG_INFO, &fields, "%s (%04x:%04x) is %s now.",
                PCI_ADDRESS_TEXT(&member->device->address), member->device->vendor,
                member->device->device, state_to_string(member->state));
}

static const MemberPlan *find_before(const View *old, const Device *device)
{
        const MemberPlan *before = old ? plan_find(old->plan, &device->address, NULL) : NULL;

        return before && before->device->inode == device->inode ? before : NULL;
}

static void announce_group(const View *old, const GroupPlan *group)
{
        bool is_worth_explaining = false;

        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];
                const MemberPlan *before = find_before(old, member->device);

                if (!is_news(before, member) || (old && was_logged(before, member)))
                        continue;
                if (is_good(member->state) && member->reason == REASON_NONE)
                        announce_good(group, before, member);
                else
                        is_worth_explaining = true;
        }
        if (is_worth_explaining)
                log_group_plan(group, false);
}

static void announce_physical_function(const View *old, const PhysicalFunctionPlan *pf)
{
        const PhysicalFunctionPlan *before = NULL;

        if (old)
                before = plan_find_physical_function(old->plan, &pf->device->address);
        if (pf->reason != REASON_NONE && (!before || before->reason != pf->reason))
                log_physical_function_plan(pf, false);
}

static void announce_claim(const View *old, const ClaimPlan *claim)
{
        if (!streq(claim_plan_state(claim), "absent"))
                return;
        for (size_t i = 0; old && i < old->plan->n_claims; i++)
                if (streq(old->plan->claims[i].claim->name, claim->claim->name) &&
                    old->plan->claims[i].absent)
                        return;
        log_absent_claim(claim);
}

static void announce_gone(const View *old, const View *new)
{
        for (size_t i = 0; old && i < old->snapshot->n_devices; i++) {
                const Device *device = &old->snapshot->devices[i];
                const Device *now = snapshot_find(new->snapshot, &device->address);
                const MemberPlan *member = plan_find(old->plan, &device->address, NULL);
                LogFields fields = LOG_FIELDS_NONE;

                if (now && now->inode == device->inode)
                        continue;
                if (!member || !member->claim)
                        continue;
                fields.device = &device->address;
                fields.group = device->group;
                fields.claim = member->claim->name;
                log_full(LOG_INFO, &fields, "%s (%04x:%04x) is gone.",
                        PCI_ADDRESS_TEXT(&device->address), device->vendor, device->device);
        }
}

static void announce_state(const View *old, const View *new)
{
        _cleanup_free_ char *status = NULL;

        if (old && streq(old->state, new->state))
                return;
        if (service_format_status(new, &status) >= 0)
                log_info("%s; %s.", status, new->state);
}

void announce_changes(const View *old, const View *new)
{
        announce_gone(old, new);
        for (size_t i = 0; i < new->plan->n_groups; i++)
                announce_group(old, &new->plan->groups[i]);
        for (size_t i = 0; i < new->plan->n_physical_functions; i++)
                announce_physical_function(old, &new->plan->physical_functions[i]);
        for (size_t i = 0; i < new->plan->n_claims; i++)
                announce_claim(old, &new->plan->claims[i]);
        announce_state(old, new);
}
