/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "core/planner-internal.h"
#include "util/strings.h"

/* Functions that no claim wants, or that are to go back by request: what of them is ours, and what
 * keeps it here. */

/* Where an action of ours put it. */
static bool is_ours(const Device *device)
{
        const DeviceRecord *record = device->record;

        if (!record)
                return false;
        if (!device->driver)
                return record->state == STATE_DETACHED;
        if (record->provenance == PROVENANCE_NONE)
                return false;
        return driver_is_vfio(device->driver) ||
               (record->state == STATE_BOUND && streq_null(device->driver, record->target_driver));
}

/* Has no driver because of our override, and was never judged to the end. */
static bool is_held(const Device *device)
{
        return device->record && !device->driver && device->record->state == STATE_PENDING &&
               device->record->provenance != PROVENANCE_NONE;
}

/* Taken from the host, but on no driver: a transaction came to no end or could not be undone, or
 * another program unbound it. */
static bool is_left_between(const Device *device)
{
        const DeviceRecord *record = device->record;

        if (!record || !record->has_original || device_record_is_for_autoprobe_alone(record))
                return false;
        return !device->driver || driver_is_vfio(device->driver);
}

static bool group_is_held_by_us(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (driver_is_vfio(group->members[i].device->driver) &&
                    group->members[i].device->record)
                        return true;
        return false;
}

/* On kernels before 5.18 a host driver in an open group is a BUG_ON (vfio_group_nb_verify). Nobody
 * is unbound for it. */
void planner_hold_joined(GroupPlan *group)
{
        if (!group_is_held_by_us(group))
                return;
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (member->fresh && !member->device->driver && member->action == ACTION_NONE &&
                    member->role != ROLE_BRIDGE && member->device->has_override_file &&
                    !is_held(member->device))
                        member->action = ACTION_HOLD;
        }
}

/* Unbinding a PF from vfio-pci removes its VFs, and waits for whoever uses them
 * (vfio_pci_core_sriov_configure() from vfio_pci_core_unregister_device()). */
static bool is_kept_by_virtual_functions(const Planning *planning, const Device *device)
{
        return driver_is_vfio(device->driver) &&
               device->record->provenance != PROVENANCE_ADOPTED &&
               planning_notes(planning, device)->n_virtual_functions > 0;
}

static MemberPlan *find_kept(const Planning *planning, GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const Device *device = group->members[i].device;

                if (!device->is_bridge && is_ours(device) &&
                    is_kept_by_virtual_functions(planning, device))
                        return &group->members[i];
        }
        return NULL;
}

static int describe_kept(MemberPlan *member)
{
        return format_string(&member->text,
                "%s has virtual functions, which go when it is unbound. Stop what uses them, write "
                "0 to its sriov_numvfs and try again.",
                PCI_ADDRESS_TEXT(&member->device->address));
}

static void plan_release(MemberPlan *member)
{
        member->action = ACTION_RELEASE;
        member->target = member->device->record->original_driver;
}

static int refuse_release(GroupPlan *group, MemberPlan *kept)
{
        int r;

        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (member->role == ROLE_BRIDGE || !is_ours(member->device))
                        continue;
                member->state = member->device->driver ? STATE_BOUND : STATE_DETACHED;
                member->reason = REASON_GROUP_REFUSED;
        }
        kept->state = group->state = STATE_REFUSED;
        kept->reason = group->reason = REASON_PF_HAS_VFS;
        r = describe_kept(kept);
        return r < 0 ? r : replace_string(&group->text, kept->text);
}

/* By request: everything in the group that is ours, or that we have left without a driver. */
int planner_decide_release(const Planning *planning, GroupPlan *group)
{
        MemberPlan *kept = find_kept(planning, group);

        if (kept)
                return refuse_release(group, kept);
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (member->role == ROLE_BRIDGE ||
                    (!is_ours(member->device) && !is_held(member->device) &&
                            !is_left_between(member->device)))
                        continue;
                plan_release(member);
                member->state = STATE_PENDING;
                member->manual = MANUAL_RELEASED;
        }
        planner_summarize_group(group);
        return 0;
}

/* A record of a bind or a release; others only say what came of an attempt, or that there is
 * something to judge. */
static bool record_says_something(const Device *device)
{
        return device->record && (device->record->provenance != PROVENANCE_NONE ||
                                         device->record->manual != MANUAL_NONE);
}

/* The host's driver did not take it, there is none, or it took it and let go of it later (nvme does
 * so when the device does not become ready): that is not tried at every event again, but by whoever
 * may do more, or under another configuration. */
static bool was_probed_in_vain(const Planning *planning, const Device *device)
{
        const DeviceRecord *record = device->record;

        return record && !planning->request->may_unbind &&
               (record->state == STATE_FAILED || record->reason == REASON_DRIVER_MISSING ||
                       (record->state == STATE_UNCLAIMED && !isempty(record->target_driver))) &&
               streq_null(record->config_digest, planning->config->digest);
}

/* Functions of a PF whose autoprobe we switched off get no driver by themselves. While there is
 * configuration that cannot be read, it may be that which claims them, or says HostVFs=leave. */
static bool wants_host_driver(const Planning *planning, const MemberPlan *member)
{
        const Device *device = member->device;
        const Device *pf;
        const PhysicalFunction *section;

        if (!device->is_virtual_function || device->driver || record_says_something(device))
                return false;
        pf = snapshot_find(planning->snapshot, &device->physical_function);
        if (!pf || pf->sriov_autoprobe != 0 || driver_is_vfio(pf->driver) ||
            planning->config->incomplete || planner_may_have_bad_section(planning, pf))
                return false;
        if (!planner_switched_autoprobe_off(pf) && !planner_covers_virtual_functions(planning, pf))
                return false;

        section = planner_find_section(planning, pf);
        return !section || !section->leave_host_vfs;
}

/* It never was ours. Where there is an original, and no outcome or that of a worker which did not
 * come back, nobody can tell from the record alone: then it must not have been bound. */
static bool was_never_ours(const DeviceRecord *record)
{
        if (record->provenance != PROVENANCE_UNKNOWN)
                return record->provenance == PROVENANCE_NONE;
        return record->bound_usec == 0 &&
               (record->state == STATE_UNCLAIMED || record->state == STATE_FAILED);
}

/* Its driver was bound under an override of that name, which has to go; that was cut off, or left
 * to the kernel. */
static bool is_half_given(const Device *device)
{
        const DeviceRecord *record = device->record;

        return device->is_virtual_function && record && record->has_original &&
               !record->original_driver && was_never_ours(record) &&
               record->manual == MANUAL_NONE && !driver_is_vfio(device->driver);
}

static void give_to_host(const Planning *planning, MemberPlan *member)
{
        const Device *device = member->device;

        if (is_half_given(device)) {
                member->action = ACTION_PROBE_HOST;
        } else if (wants_host_driver(planning, member)) {
                if (!was_probed_in_vain(planning, device)) {
                        member->action = ACTION_PROBE_HOST;
                        return;
                }
                member->state = device->record->state;
                if (member->reason == REASON_NONE)
                        member->reason = device->record->reason;
        }
}

static void decide_member(const Planning *planning, MemberPlan *member)
{
        const Device *device = member->device;
        bool is_excluded = member->role == ROLE_EXCLUDED && !member->claim;

        if (is_ours(device)) {
                member->state = device->driver ? STATE_BOUND : STATE_DETACHED;
                if (member->reason != REASON_NONE)
                        return;
                if (device_recorded_manual(device) != MANUAL_BOUND)
                        member->reason = REASON_CLAIM_REMOVED;
                else if (is_excluded)
                        member->reason = REASON_EXCLUDED;
        } else if (is_excluded) {
                member->reason = REASON_EXCLUDED;
                give_to_host(planning, member);
        } else if (device_recorded_manual(device) == MANUAL_RELEASED) {
                member->state = STATE_RELEASED;
        } else if (member->role == ROLE_NONE && member->reason == REASON_NONE) {
                give_to_host(planning, member);
        }
}

/* Does something of ours stay in the group? */
static bool stays_ours(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (driver_is_vfio(group->members[i].device->driver) &&
                    group->members[i].device->record && group->members[i].action == ACTION_NONE)
                        return true;
        return false;
}

/* Is anything of ours to stay, because its claim has an error, say? Then the group stays whole. */
static bool is_wanted_in_part(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];

                if (member->role != ROLE_BRIDGE && is_ours(member->device) &&
                    member->reason != REASON_CLAIM_REMOVED)
                        return true;
        }
        return false;
}

/* Of what was cut off or could not be undone, its outcome says nothing about whose it is. */
static bool is_to_be_pruned(const MemberPlan *member)
{
        if (member->reason == REASON_CLAIM_REMOVED)
                return true;
        return member->role != ROLE_BRIDGE && member->action == ACTION_NONE &&
               member->manual != MANUAL_RELEASED &&
               (member->reason == REASON_NONE || member->reason == REASON_EXCLUDED) &&
               !is_held(member->device) && is_left_between(member->device);
}

/* What no claim wants any more goes back when that is asked for, unless what cannot be read may be
 * its claim. What was only held goes back by itself once there is nothing left in its group that it
 * could harm. */
static int give_back(const Planning *planning, GroupPlan *group)
{
        bool prunes = planning->request->prune && !planning->config->incomplete &&
                      !is_wanted_in_part(group);
        MemberPlan *kept = prunes ? find_kept(planning, group) : NULL;

        for (size_t i = 0; i < group->n_members && prunes && !kept; i++)
                if (is_to_be_pruned(&group->members[i]))
                        plan_release(&group->members[i]);
        for (size_t i = 0; i < group->n_members && !stays_ours(group); i++) {
                MemberPlan *member = &group->members[i];

                if (is_held(member->device) && member->role != ROLE_BRIDGE &&
                    (member->reason == REASON_NONE || member->reason == REASON_EXCLUDED))
                        plan_release(member);
        }
        return kept && !kept->text ? describe_kept(kept) : 0;
}

/* Something about the group that its operator should know: claims that cannot be heeded. */
static int say_what_is_reserved(const Planning *planning, GroupPlan *group)
{
        const ClaimSettings nothing = { .driver = (char *) "vfio-pci" };
        State state;
        Reason reason;
        int r;

        r = planner_refuse_group(planning, group, &nothing, &state, &reason);
        if (r < 0)
                return r;
        group->state = state;
        group->reason = reason;
        return 0;
}

int planner_decide_unclaimed(const Planning *planning, GroupPlan *group)
{
        int r;

        if (planner_is_stuck(group))
                return planner_decide_stuck(group);

        r = say_what_is_reserved(planning, group);
        if (r < 0)
                return r;
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].role != ROLE_BRIDGE)
                        decide_member(planning, &group->members[i]);
        r = give_back(planning, group);
        if (r < 0)
                return r;
        planner_hold_joined(group);
        planner_summarize_group(group);
        return 0;
}
