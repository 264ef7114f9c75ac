/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "core/planner-internal.h"
#include "util/strings.h"

/* One IOMMU group: whole or not at all. */

static bool decided_under(const Device *device, const Config *config)
{
        return device->record && streq_null(device->record->config_digest, config->digest);
}

static bool holds(const GroupPlan *group, const PciAddress *address)
{
        for (size_t i = 0; address && i < group->n_members; i++)
                if (pci_address_equal(&group->members[i].device->address, address))
                        return true;
        return false;
}

bool planner_is_requested(const Planning *planning, const GroupPlan *group, Manual manual)
{
        return planning->request->manual == manual &&
               holds(group, planning->request->manual_function);
}

static bool is_asked_for(const Planning *planning, const Device *device)
{
        const PlanRequest *request = planning->request;

        return request->manual == MANUAL_BOUND && request->manual_function &&
               pci_address_equal(request->manual_function, &device->address);
}

static void classify_member(const Planning *planning, MemberPlan *member)
{
        const Device *device = member->device;
        const Selection *selection = planning_selection(planning, device);

        member->fresh = planning_notes(planning, device)->fresh;
        member->untouched = snapshot_is_untouched(planning->snapshot, device);
        member->manual = device_recorded_manual(device);
        if (is_asked_for(planning, device)) {
                member->is_asked_for = true;
                member->allow_by_hand = planning->request->manual_allow_in_use;
        }
        if (device->is_bridge) {
                member->role = ROLE_BRIDGE;
                return;
        }

        switch (selection->verdict) {
        case VERDICT_SELECTED:
        case VERDICT_CONFLICT:
        case VERDICT_DEFERRED:
                member->role = selection->verdict == VERDICT_DEFERRED ? ROLE_NONE : ROLE_SELECTED;
                if (!selection->claim)
                        return;
                member->claim = selection->claim;
                member->match = selection->match;
                member->allow_in_use = selection->claim->allow_in_use;
                member->allow_in_use |= member->allow_by_hand;
                return;
        case VERDICT_EXCLUDED:
                member->role = ROLE_EXCLUDED;
                return;
        case VERDICT_RESERVED:
                member->role = ROLE_EXCLUDED;
                member->claim = selection->claim;
                return;
        case VERDICT_NOT_SELECTED:
                break;
        }
        /* bound without a claim: asked for now, or before; lasts until release or reboot */
        member->allow_in_use = member->allow_by_hand;
        if (!member->is_asked_for && device_recorded_manual(device) != MANUAL_BOUND)
                return;
        member->role = ROLE_SELECTED;
}

static const ClaimSettings *member_settings(const Planning *planning, const MemberPlan *member)
{
        if (is_asked_for(planning, member->device) && planning->request->manual_settings)
                return planning->request->manual_settings;
        return member->claim ? &member->claim->settings : &planning->config->defaults;
}

/* What is asked for by hand now speaks for its group; a claim comes before what was bound by hand
 * some time ago, which has no settings but those of [Defaults]. */
static unsigned settings_weight(const Planning *planning, const MemberPlan *member)
{
        if (member->role != ROLE_SELECTED)
                return 0;
        if (is_asked_for(planning, member->device))
                return 3;
        return member->claim ? 2 : 1;
}

/* Returns the settings of the group's claims (of what is asked for by hand, else the first one's;
 * that they agree is checked with the refusals), NULL if nothing is selected. Endpoints beside a
 * selected one are companions. */
static const ClaimSettings *classify(const Planning *planning, GroupPlan *group)
{
        const ClaimSettings *settings = NULL;
        const Claim *claim = NULL;
        unsigned weight = 0;

        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                classify_member(planning, member);
                if (settings_weight(planning, member) <= weight)
                        continue;
                weight = settings_weight(planning, member);
                claim = member->claim;
                settings = member_settings(planning, member);
        }
        if (!settings)
                return NULL;

        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (member->role != ROLE_NONE ||
                    planning_selection(planning, member->device)->verdict == VERDICT_DEFERRED)
                        continue;
                member->role = ROLE_COMPANION;
                member->claim = claim;
        }
        return settings;
}

/* Moves with the group: is to end on the target driver, or detached. */
static bool takes_part(const MemberPlan *member)
{
        if (member->role == ROLE_SELECTED)
                return true;
        return member->role == ROLE_COMPANION && !planner_is_ignorable(member->device);
}

/* By hand without a claim, or, while its claim wanted another driver, for this claim's function. */
static bool is_bound_by_hand(const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;

        if (member->manual != MANUAL_BOUND || !record)
                return false;
        return !member->claim || streq_null(record->claim, member->claim->name);
}

/* What a bind by hand put it on, *ret NULL: it was detached. Another such request counts more. */
static bool was_bound_by_hand(const Planning *planning, const MemberPlan *member,
        const ClaimSettings *settings, const char **ret)
{
        const DeviceRecord *record = member->device->record;

        if (!is_bound_by_hand(member) || settings == planning->request->manual_settings)
                return false;
        *ret = record->manual_driver;
        return !isempty(record->manual_driver) || record->state == STATE_DETACHED;
}

static const char *resolve_driver(const MemberPlan *member, const char *driver)
{
        if (!streq(driver, "auto"))
                return driver;
        return isempty(member->device->vfio_driver.text) ? "vfio-pci"
                                                         : member->device->vfio_driver.text;
}

const char *planner_target_driver(const Planning *planning, const MemberPlan *member,
        const ClaimSettings *settings)
{
        const char *driver;

        if (member->role == ROLE_COMPANION && settings->companions == COMPANIONS_DETACH)
                return NULL;
        if (was_bound_by_hand(planning, member, settings, &driver))
                return driver;
        return resolve_driver(member, settings->driver);
}

/* Ours already: nothing in /sys needs to change. */
static bool is_in_place(const MemberPlan *member)
{
        if (!member->target)
                return !member->device->driver &&
                       device_recorded_state(member->device) == STATE_DETACHED;
        return streq_null(member->device->driver, member->target);
}

static void set_pending(MemberPlan *member, Reason reason)
{
        member->state = STATE_PENDING;
        member->reason = reason;
}

static void keep_in_place(const Planning *planning, MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;
        const char *claim = member->claim ? member->claim->name : NULL;

        member->state = member->target ? STATE_BOUND : STATE_DETACHED;
        if (record && record->reason == REASON_ACCOUNT_UNKNOWN)
                member->reason = REASON_ACCOUNT_UNKNOWN;
        /* the account may be there by now: whoever asks has it looked up again */
        if (planning->request->may_unbind && planning->request->stage == STAGE_RUNTIME &&
            member->reason == REASON_ACCOUNT_UNKNOWN) {
                member->action = ACTION_ADOPT;
                return;
        }
        if (record && record->state == member->state && !record->hotplug_pending &&
            record->manual == member->manual && streq_null(record->claim, claim) &&
            decided_under(member->device, planning->config))
                return;
        member->action = ACTION_ADOPT;
}

/* Something went before that only a request (apply, bind) may repeat: a failed attempt, whether the
 * host's driver has the function again or not, one that the kernel is still busy with, or one that
 * was refused right before its first write: what was in the way then, no plan can see. */
static int keep_last_outcome(const Planning *planning, MemberPlan *member, bool *ret_kept)
{
        const DeviceRecord *record = member->device->record;
        State state = device_recorded_state(member->device);

        *ret_kept = false;
        if (planning->request->may_unbind || planning->request->retry || member->fresh)
                return 0;
        if ((state == STATE_FAILED || (state == STATE_REFUSED && member->device->driver)) &&
            decided_under(member->device, planning->config)) {
                member->reason = record->reason;
                *ret_kept = true;
        } else if (state == STATE_BINDING && !member->device->driver) {
                *ret_kept = true;
        }
        if (!*ret_kept)
                return 0;
        member->state = state;
        return replace_string(&member->text, record->reason_text);
}

/* Not on the driver that we bound it to, or not without one any more. (Where we put it, but not
 * where it is wanted now, it only waits for apply: a changed Driver= is nobody's intrusion.) */
static bool was_taken_from_us(const MemberPlan *member)
{
        const DeviceRecord *record = member->device->record;

        if (device_recorded_state(member->device) == STATE_DETACHED)
                return member->device->driver;
        return device_recorded_state(member->device) == STATE_BOUND &&
               !streq_null(record->target_driver ? record->target_driver : member->target,
                       member->device->driver);
}

static bool may_take(const PlanRequest *request, const MemberPlan *member)
{
        return request->may_unbind || member->fresh || (request->retry && !member->device->driver);
}

static bool may_reclaim(const MemberPlan *member, const ClaimSettings *settings)
{
        return settings->on_drift == DRIFT_RECLAIM && member->device->record->drift_count < 3;
}

/* Without leave to unbind. */
static Reason why_not_yet(const Planning *planning, const Device *device)
{
        if (device->driver)
                return REASON_NEEDS_APPLY;
        return planning->request->awaits_drivers ? REASON_DEFERRED_TO_NEXT_STAGE : REASON_NONE;
}

static int explain_awaited(MemberPlan *member)
{
        return format_string(&member->text, "udev is still loading the host's drivers; %s is "
                "looked at again when that is over", PCI_ADDRESS_TEXT(&member->device->address));
}

/* *ret_waits: the member keeps the whole group waiting. */
static int decide_member(const Planning *planning, MemberPlan *member,
        const ClaimSettings *settings, bool *ret_waits)
{
        const Device *device = member->device;
        bool may_take_it = may_take(planning->request, member);
        int r;

        *ret_waits = false;
        member->target = planner_target_driver(planning, member, settings);
        if (is_in_place(member)) {
                keep_in_place(planning, member);
                return 0;
        }

        if (!may_take_it && was_taken_from_us(member)) {
                bool reclaim = may_reclaim(member, settings);

                member->state = STATE_DRIFTED;
                member->reason = reclaim || settings->on_drift == DRIFT_REPORT
                                         ? REASON_DRIFTED : REASON_RECLAIM_GAVE_UP;
                *ret_waits = !reclaim;
        } else {
                r = keep_last_outcome(planning, member, ret_waits);
                if (r < 0)
                        return r;
                if (!*ret_waits) {
                        Reason reason = may_take_it ? REASON_NONE : why_not_yet(planning, device);

                        *ret_waits = reason != REASON_NONE;
                        set_pending(member, reason);
                        if (reason == REASON_DEFERRED_TO_NEXT_STAGE)
                                return explain_awaited(member);
                }
        }

        if (!*ret_waits)
                member->action = member->target ? ACTION_BIND : ACTION_DETACH;
        return 0;
}

/* Which state speaks for the group: the worst one. */
static unsigned state_weight(State state)
{
        switch (state) {
        case STATE_STUCK:
                return 9;
        case STATE_REFUSED:
                return 8;
        case STATE_FAILED:
                return 7;
        case STATE_DRIFTED:
                return 6;
        case STATE_PENDING:
                return 5;
        case STATE_BINDING:
        case STATE_RELEASING:
                return 4;
        case STATE_RELEASED:
        case STATE_GAVE_BACK:
                return 3;
        case STATE_BOUND:
                return 2;
        case STATE_DETACHED:
                return 1;
        default:
                return 0;
        }
}

void planner_summarize_group(GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];

                if (member->action != ACTION_NONE)
                        group->has_work = true;
                if (state_weight(member->state) <= state_weight(group->state))
                        continue;
                group->state = member->state;
                if (group->reason == REASON_NONE || !group->text)
                        group->reason = member->reason;
        }
}

static void clear_actions(GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].action != ACTION_ADOPT)
                        group->members[i].action = ACTION_NONE;
}

/* Nothing of ours is unbound because its group is refused now. */
static bool stays_in_place(const MemberPlan *member)
{
        if (!member->device->record || !is_in_place(member))
                return false;
        return !member->target || device_recorded_state(member->device) == STATE_BOUND;
}

static void decide_refused(const Planning *planning, GroupPlan *group, State state, Reason reason,
        const ClaimSettings *settings)
{
        group->state = state;
        group->reason = reason;
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (!takes_part(member) && member->role != ROLE_EXCLUDED)
                        continue;
                member->target = planner_target_driver(planning, member, settings);
                if (stays_in_place(member))
                        member->state = member->target ? STATE_BOUND : STATE_DETACHED;
                else if (member->reason == REASON_NONE && takes_part(member))
                        member->state = state;
                if (member->reason == REASON_NONE && takes_part(member))
                        member->reason = REASON_GROUP_REFUSED;
                if (member->role == ROLE_EXCLUDED && !member->claim)
                        member->state = STATE_UNCLAIMED;
                member->target = NULL;
        }
        planner_hold_joined(group);
        for (size_t i = 0; i < group->n_members; i++)
                group->has_work = group->has_work || group->members[i].action != ACTION_NONE;
}

/* Members that could go ahead but wait for another say why, too. */
static void share_reason(GroupPlan *group)
{
        Reason reason = group->reason;

        for (size_t i = 0; i < group->n_members && reason == REASON_NONE; i++)
                if (group->members[i].state == group->state)
                        reason = group->members[i].reason;
        group->reason = reason;
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].state == STATE_PENDING &&
                    group->members[i].reason == REASON_NONE)
                        group->members[i].reason = reason;
}

bool planner_is_stuck(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (device_recorded_state(group->members[i].device) == STATE_STUCK)
                        return true;
        return false;
}

int planner_decide_stuck(GroupPlan *group)
{
        group->state = STATE_STUCK;
        group->reason = REASON_WORKER_TIMEOUT;
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];
                const DeviceRecord *record = member->device->record;
                int r;

                if (device_recorded_state(member->device) != STATE_STUCK)
                        continue;
                member->state = STATE_STUCK;
                member->reason = REASON_WORKER_TIMEOUT;
                r = replace_string(&member->text, record->reason_text);
                if (r >= 0)
                        r = replace_string(&group->text, record->reason_text);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool was_released_by_hand(const Planning *planning, const GroupPlan *group)
{
        if (planner_is_requested(planning, group, MANUAL_BOUND))
                return false;
        for (size_t i = 0; i < group->n_members; i++)
                if (device_recorded_manual(group->members[i].device) == MANUAL_RELEASED)
                        return true;
        return false;
}

static int show_released(MemberPlan *member)
{
        member->state = STATE_RELEASED;
        if (device_recorded_state(member->device) != STATE_GAVE_BACK)
                return 0;
        member->state = STATE_GAVE_BACK;
        return format_string(&member->text,
                "the initramfs gave %s back because it did not find its root. \"vfio-bindctl "
                "bind %s\" takes it if the host can do without it.",
                PCI_ADDRESS_TEXT(&member->device->address),
                PCI_ADDRESS_TEXT(&member->device->address));
}

static int decide_released(GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                int r = takes_part(&group->members[i]) ? show_released(&group->members[i]) : 0;

                if (r < 0)
                        return r;
        }
        planner_summarize_group(group);
        return 0;
}

/* A bind by hand of what a claim wants anyway leaves the rest to that claim. */
static bool differs_from_claim(const MemberPlan *member, const ClaimSettings *settings)
{
        return !member->claim || !streq(resolve_driver(member, settings->driver),
                resolve_driver(member, member->claim->settings.driver));
}

static void mark_by_hand(GroupPlan *group, const ClaimSettings *settings)
{
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (takes_part(member))
                        member->manual = differs_from_claim(member, settings) ? MANUAL_BOUND
                                                                              : MANUAL_NONE;
        }
}

static int decide_claimed(const Planning *planning, GroupPlan *group,
        const ClaimSettings *settings)
{
        State state;
        Reason reason;
        bool waits = false;
        int r;

        group->settings = settings;
        if (planner_is_stuck(group))
                return planner_decide_stuck(group);
        if (was_released_by_hand(planning, group))
                return decide_released(group);

        r = planner_refuse_group(planning, group, settings, &state, &reason);
        if (r < 0)
                return r;
        if (reason != REASON_NONE) {
                decide_refused(planning, group, state, reason, settings);
                return 0;
        }

        if (planner_is_requested(planning, group, MANUAL_BOUND))
                mark_by_hand(group, settings);
        group->wants_node = true;
        for (size_t i = 0; i < group->n_members; i++) {
                bool member_waits = false;

                if (!takes_part(&group->members[i]))
                        continue;
                r = decide_member(planning, &group->members[i], settings, &member_waits);
                if (r < 0)
                        return r;
                waits = waits || member_waits;
        }
        if (waits) {
                clear_actions(group);
                planner_hold_joined(group);
        }
        planner_summarize_group(group);
        if (waits)
                share_reason(group);
        return 0;
}

static bool in_scope(const Planning *planning, const GroupPlan *group)
{
        const PlanRequest *request = planning->request;

        if (request->only_function && !holds(group, request->only_function))
                return false;
        if (request->manual != MANUAL_NONE && !holds(group, request->manual_function))
                return false;
        if (!request->only_claims)
                return true;
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].claim &&
                    string_list_contains(request->only_claims, group->members[i].claim->name))
                        return true;
        return false;
}

/* Not asked for now: what is pending stays so. */
static void drop_work(GroupPlan *group)
{
        if (!group->has_work)
                return;
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                member->action = ACTION_NONE;
                if (member->state == STATE_PENDING && member->reason == REASON_NONE)
                        member->reason = REASON_NEEDS_APPLY;
        }
        if (group->state == STATE_PENDING && group->reason == REASON_NONE)
                group->reason = REASON_NEEDS_APPLY;
        group->has_work = false;
}

/* A virtual function of the host is as slow as its physical function. */
static uint64_t unclaimed_timeout(const Planning *planning, const GroupPlan *group)
{
        uint64_t timeout = planning->config->defaults.timeout_usec;

        for (size_t i = 0; i < group->n_members; i++) {
                const Device *device = group->members[i].device;
                const Device *pf = !device->is_virtual_function ? NULL
                        : snapshot_find(planning->snapshot, &device->physical_function);
                const PhysicalFunction *section = pf ? planner_find_section(planning, pf) : NULL;

                if (section && section->timeout_usec > timeout)
                        timeout = section->timeout_usec;
        }
        return timeout;
}

int planner_decide_group(const Planning *planning, GroupPlan *group)
{
        const ClaimSettings *settings = classify(planning, group);
        int r = 0;

        if (planner_is_requested(planning, group, MANUAL_RELEASED) && !planner_is_stuck(group)) {
                group->settings = settings;
                r = planner_decide_release(planning, group);
        } else if (settings) {
                r = decide_claimed(planning, group, settings);
        } else {
                r = planner_decide_unclaimed(planning, group);
        }
        if (r < 0)
                return r;

        if (!in_scope(planning, group))
                drop_work(group);
        if (!group->settings)
                group->timeout_usec = unclaimed_timeout(planning, group);
        return 0;
}
