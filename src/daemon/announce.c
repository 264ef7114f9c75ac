/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "daemon/manager-internal.h"
#include "log/log.h"
#include "log/message-ids.h"
#include "util/strings.h"

/* Logs what changed from one view to the next, and nothing else: a reconcile that finds what was
 * there before is silent. What a worker did is logged from its report, by whoever ran it. */

typedef struct Announcement {
        State state;
        int level;
        const char *message_id;
} Announcement;

static const Announcement announcements[] = {
        { STATE_PENDING, LOG_NOTICE, MESSAGE_DEVICE_PENDING },
        { STATE_BOUND, LOG_INFO, MESSAGE_DEVICE_BOUND },
        { STATE_DETACHED, LOG_INFO, MESSAGE_DEVICE_DETACHED },
        { STATE_RELEASED, LOG_INFO, MESSAGE_DEVICE_RELEASED },
        { STATE_GAVE_BACK, LOG_WARNING, MESSAGE_DEVICE_RELEASED },
        { STATE_REFUSED, LOG_WARNING, MESSAGE_DEVICE_REFUSED },
        { STATE_FAILED, LOG_ERR, MESSAGE_DEVICE_FAILED },
        { STATE_STUCK, LOG_ERR, MESSAGE_DEVICE_STUCK },
        { STATE_DRIFTED, LOG_WARNING, MESSAGE_DEVICE_DRIFTED },
};

static const Announcement *find_announcement(State state)
{
        for (size_t i = 0; i < ELEMENTSOF(announcements); i++)
                if (announcements[i].state == state)
                        return &announcements[i];
        return NULL; /* being worked on, or nothing to do with us */
}

static bool is_at_work(const MemberPlan *member)
{
        return member && (member->state == STATE_BINDING || member->state == STATE_RELEASING);
}

static bool is_result_of_work(State state)
{
        return state == STATE_BOUND || state == STATE_DETACHED || state == STATE_RELEASED ||
               state == STATE_FAILED || state == STATE_STUCK;
}

static bool is_silent(const MemberPlan *before, const MemberPlan *now)
{
        if (!before) /* the daemon just started: what is well needs no word */
                return now->state == STATE_BOUND || now->state == STATE_DETACHED ||
                       now->state == STATE_RELEASED;
        if (before->state == now->state && before->reason == now->reason)
                return true;
        return is_at_work(before) && is_result_of_work(now->state);
}

static void announce_member(const GroupPlan *group, const MemberPlan *before,
        const MemberPlan *member)
{
        const Announcement *announcement = find_announcement(member->state);
        LogFields fields = LOG_FIELDS_NONE;
        int level;

        if (!announcement || is_silent(before, member))
                return;
        fields.message_id = announcement->message_id;
        fields.device = &member->device->address;
        fields.group = group->number;
        fields.claim = member->claim ? member->claim->name : NULL;
        fields.from = before ? state_to_string(before->state) : NULL;
        fields.to = state_to_string(member->state);
        fields.reason = member->reason;

        /* The member that stands in the way has said it already. */
        level = member->reason == REASON_GROUP_REFUSED ? LOG_INFO : announcement->level;
        log_full(level, &fields, "%s (%04x:%04x) %s%s%s%s%s",
                PCI_ADDRESS_TEXT(&member->device->address), member->device->vendor,
                member->device->device, state_to_string(member->state),
                member->reason != REASON_NONE ? ", " : "", reason_to_string(member->reason),
                isempty(member->text) ? "" : ": ", member->text ?: "");
}

static void announce_claims(const View *old, const View *new)
{
        for (size_t i = 0; i < new->plan->n_claims; i++) {
                const ClaimPlan *claim = &new->plan->claims[i];
                LogFields fields = LOG_FIELDS_NONE;
                bool was_absent = false;

                if (!claim->absent || !streq(claim_plan_state(claim), "absent"))
                        continue;
                for (size_t j = 0; old && j < old->plan->n_claims; j++)
                        if (streq(old->plan->claims[j].claim->name, claim->claim->name))
                                was_absent = old->plan->claims[j].absent;
                if (was_absent)
                        continue;
                fields.message_id = MESSAGE_CLAIM_ABSENT;
                fields.claim = claim->claim->name;
                fields.reason = REASON_ABSENT;
                log_full(LOG_INFO, &fields, "Claim %s selects no function that is present.",
                        claim->claim->name);
        }
}

static void announce_state(const View *old, const View *new)
{
        if (old && streq(old->state, new->state))
                return;
        log_info("%zu claims: %u bound, %u pending, %u refused, %u failed, %u stuck, %u absent; "
                 "%s.",
                new->plan->n_claims, new->n_bound, new->n_pending, new->n_refused, new->n_failed,
                new->n_stuck, new->n_absent, new->state);
}

void announce_changes(const View *old, const View *new)
{
        for (size_t i = 0; i < new->plan->n_groups; i++) {
                const GroupPlan *group = &new->plan->groups[i];

                for (size_t j = 0; j < group->n_members; j++) {
                        const MemberPlan *member = &group->members[j], *before = NULL;

                        if (old)
                                before = plan_find(old->plan, &member->device->address, NULL);
                        announce_member(group, before, member);
                }
        }
        announce_claims(old, new);
        announce_state(old, new);
}
