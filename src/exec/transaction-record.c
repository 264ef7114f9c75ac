/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "exec/transaction-internal.h"
#include "util/io.h"

/* What /run remembers of a function: how it was before us, written once before the first write,
 * and what came of the last transaction. */

static int perform_with_record(const Transaction *transaction, const Member *member,
        OperationType type, const DeviceRecord *record)
{
        const Operations *operations = transaction->operations;
        Operation operation = {
                .type = type,
                .address = member->plan->device->address,
                .inode = member->plan->device->inode,
                .number = transaction->group->number,
                .record = record,
        };

        return operations->perform(operations->userdata, &operation, NULL);
}

/* Read again under the lock: the plan was made before it was held. */
bool transaction_load_records(Transaction *transaction)
{
        const Operations *operations = transaction->operations;

        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];
                Operation operation = {
                        .type = OPERATION_LOAD_RECORD,
                        .address = member->plan->device->address,
                        .inode = member->plan->device->inode,
                        .ret_record = &member->previous,
                };
                int r;

                r = operations->perform(operations->userdata, &operation, NULL);
                if (r < 0)
                        return transaction_stop_operation(transaction, member,
                                OPERATION_LOAD_RECORD, r);
        }
        return true;
}

/* An original is removed when what it is of was put back. One beside an outcome that left nothing
 * with us is of a transaction that did not come to its end; but what is held has one rightly, and a
 * PF's may be there for its autoprobe alone. */
static bool taking_was_cut_off(const Member *member)
{
        const DeviceRecord *record = member->previous;

        if (member->plan->action != ACTION_BIND && member->plan->action != ACTION_DETACH)
                return false;
        if (!record->has_original || device_record_is_for_autoprobe_alone(record))
                return false;
        if (record->state == STATE_PENDING)
                return record->original_driver;
        return !device_record_was_bound(record) && record->state != STATE_DETACHED &&
                record->state != STATE_BINDING;
}

/* From one driver of ours to another one. */
static bool moving_was_cut_off(const Member *member)
{
        const DeviceRecord *record = member->previous;

        return (member->plan->action == ACTION_BIND || member->plan->action == ACTION_DETACH) &&
               device_record_was_bound(record) && record->target_driver && !member->driver[0] &&
               !streq_null(record->target_driver, member->plan->target);
}

/* It is planned for what is on our driver only. */
static bool releasing_was_cut_off(const Member *member)
{
        const DeviceRecord *record = member->previous;

        return member->plan->action == ACTION_RELEASE && device_record_was_bound(record) &&
                record->target_driver && !streq(member->driver, record->target_driver);
}

static bool was_ours(const DeviceRecord *record)
{
        return device_record_was_bound(record) || record->state == STATE_DETACHED;
}

/* Another program had given it to the host, and taking it back was cut off: the record is of before
 * that, and the override that it is under is not the host's. Returns the driver, NULL: not so. */
static const char *reclaiming_was_cut_off(const Member *member)
{
        const MemberPlan *plan = member->plan;
        const char *driver = plan->found_driver ?: plan->device->driver;

        if ((plan->action != ACTION_BIND && plan->action != ACTION_DETACH) ||
            !was_ours(member->previous))
                return NULL;
        if (member->driver[0]) {
                driver = member->driver;
                if (!streq_null(member->read_override, member_wanted_override(member)))
                        return NULL;
        }
        return driver_is_harmless(driver) ? NULL : driver;
}

static void resume_from(Member *member, const char *driver, const char *override,
        const char *power_control)
{
        if (strlen(driver) >= sizeof(member->found_driver))
                return;
        strcpy(member->found_driver, driver);
        member->found_override = override;
        member->found_power_control = power_control;
        member->touched = true;
}

void member_resume(Member *member)
{
        const DeviceRecord *record = member->previous;
        const char *original = record ? record->original_driver ?: "" : "";
        bool is_foreign = member->driver[0] && !streq(member->driver, original) &&
                !streq_null(member->driver, member->plan->target);
        const char *reclaimed = record ? reclaiming_was_cut_off(member) : NULL;

        if (!record)
                return;
        if (taking_was_cut_off(member)) {
                /* a host driver that was faster was there before us after all */
                member->original_is_wrong = is_foreign && !original[0];
                if (is_foreign && original[0])
                        return;
                resume_from(member, is_foreign ? member->driver : original,
                        record->original_override, record->original_power_control);
                member->saved_original = true;
        } else if (reclaimed) {
                resume_from(member, reclaimed, record->original_override,
                        record->original_power_control);
        } else if (moving_was_cut_off(member) ||
                   (releasing_was_cut_off(member) &&
                           (!member->driver[0] || streq(member->driver, original)))) {
                /* binding sets the power control */
                resume_from(member, record->target_driver, record->target_driver, NULL);
        }
}

/* A transaction was cut off after the original was recorded. */
static Provenance provenance_of_original(const DeviceRecord *record)
{
        if (!record->original_driver || device_record_is_for_autoprobe_alone(record))
                return PROVENANCE_UNKNOWN;
        return driver_is_vfio(record->original_driver) ? PROVENANCE_ADOPTED : PROVENANCE_TAKEN;
}

/* Whoever reads an original alone cannot tell how the function was got; its original does. */
static bool is_without_outcome(const DeviceRecord *record)
{
        return record->has_original && record->provenance == PROVENANCE_UNKNOWN &&
               record->state == STATE_UNCLAIMED;
}

void member_decide_provenance(const Transaction *transaction, Member *member)
{
        const DeviceRecord *previous = member->previous;
        const char *target = member->plan->target;

        if (member->plan->action == ACTION_RELEASE)
                member->provenance = previous ? previous->provenance : PROVENANCE_UNKNOWN;
        else if (member->driver[0] && !driver_is_vfio(member->driver) &&
                 !streq_null(member->driver, target))
                member->provenance = PROVENANCE_TAKEN;
        else if (previous && previous->provenance != PROVENANCE_NONE &&
                 !is_without_outcome(previous))
                member->provenance = previous->provenance;
        else if (previous && previous->has_original)
                member->provenance = provenance_of_original(previous);
        else if (member->driver[0])
                member->provenance = PROVENANCE_ADOPTED;
        else if (member->plan->fresh || member->plan->untouched ||
                 transaction->options->stage != STAGE_RUNTIME)
                member->provenance = PROVENANCE_CLEAN;
        else
                member->provenance = PROVENANCE_UNKNOWN;
}

static DeviceRecord original_of(const Member *member)
{
        return (DeviceRecord){
                .has_original = true,
                .original_driver = member->found_driver[0] ? (char *) member->found_driver : NULL,
                .original_override = (char *) member->found_override,
                .original_power_control = (char *) member->found_power_control,
                .original_autoprobe = member->previous ? member->previous->original_autoprobe
                                                       : NULL,
        };
}

static bool save_original(Transaction *transaction, Member *member)
{
        DeviceRecord record = original_of(member);
        bool exists = member->previous && member->previous->has_original;
        int r;

        r = perform_with_record(transaction, member,
                exists ? OPERATION_REPLACE_ORIGINAL : OPERATION_SAVE_ORIGINAL, &record);
        if (r == -EEXIST)
                return true;
        member->saved_original = true; /* a failed one too may be there */
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_SAVE_ORIGINAL, r);
        return true;
}

static bool wants_original(const Member *member)
{
        if (member->previous && member->previous->has_original &&
            !device_record_is_for_autoprobe_alone(member->previous))
                return false;

        switch (member->plan->action) {
        case ACTION_HOLD:
                return !member->driver[0];
        case ACTION_PROBE_HOST:
                return !member->driver[0] && member->host_drivers;
        case ACTION_BIND:
        case ACTION_DETACH:
        case ACTION_ADOPT:
                return true;
        default:
                return false;
        }
}

bool transaction_save_originals(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (wants_original(member) && !save_original(transaction, member))
                        return false;
                if (member->original_is_wrong && !member_replace_original(transaction, member))
                        return false;
        }
        return true;
}

bool member_replace_original(Transaction *transaction, Member *member)
{
        DeviceRecord record = original_of(member);
        int r;

        if (!member->saved_original)
                return true;

        r = perform_with_record(transaction, member, OPERATION_REPLACE_ORIGINAL, &record);
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_REPLACE_ORIGINAL,
                        r);
        return true;
}

static bool holds_it_now(const Member *member)
{
        return member->state == STATE_BOUND || member->state == STATE_DETACHED ||
                member->state == STATE_BINDING || member->reason == REASON_ROLLBACK_FAILED ||
                (member->plan->action == ACTION_HOLD && !member->lost);
}

/* It was ours, another program gave it to the host, and there it is again: the host has it as if it
 * had never been ours. */
static bool is_with_host_again(const Member *member)
{
        return member->touched && member->driver[0] && !driver_is_harmless(member->driver) &&
               (member->plan->action == ACTION_BIND || member->plan->action == ACTION_DETACH);
}

static DeviceRecord new_record(const Transaction *transaction, const Member *member)
{
        const DeviceRecord *previous = member->previous;
        const MemberPlan *plan = member->plan;
        bool was_bound = previous && previous->state == STATE_BOUND && previous->bound_usec > 0 &&
                plan->action == ACTION_ADOPT;
        DeviceRecord record = {
                .provenance = PROVENANCE_NONE,
                .stage = was_bound ? previous->stage : transaction->options->stage,
                .target_driver = (char *) plan->target,
                .claim = plan->claim ? plan->claim->name : NULL,
                .role = plan->role,
                .config_digest = (char *) transaction->options->config_digest,
                .state = member->state,
                .reason = member->reason,
                .reason_text = member->text[0] ? (char *) member->text : NULL,
                .manual = plan->manual,
                .manual_driver = plan->manual == MANUAL_BOUND ? (char *) plan->target : NULL,
                .drift_count = previous ? previous->drift_count : 0,
        };

        if (member->state == STATE_RELEASED)
                record.target_driver = NULL;
        else if (plan->action == ACTION_PROBE_HOST)
                record.target_driver = member->driver[0] ? (char *) member->driver : NULL;
        else if (holds_it_now(member))
                record.provenance = member->provenance;
        else if (previous && previous->has_original && !is_with_host_again(member))
                record.provenance = previous->provenance;

        if (member->state == STATE_BOUND)
                record.bound_usec = was_bound ? previous->bound_usec : now_realtime();
        /* judged to the end only when the kernel is done with it too */
        if (member->state == STATE_BINDING || plan->action == ACTION_HOLD)
                record.hotplug_pending = previous && previous->hotplug_pending;
        return record;
}

static bool outcome_is_kept(const Transaction *transaction, const Member *member)
{
        bool stopped = transaction->cause.state != STATE_UNCLAIMED;

        /* The plan did not hold any more, and nothing was done: that it was ours stays known, or
         * nobody would know later that it was taken from us. */
        if (stopped && member->state == STATE_PENDING && !member->touched && member->previous &&
            (member->previous->state == STATE_BOUND || member->previous->state == STATE_DETACHED))
                return false;
        switch (member->plan->action) {
        case ACTION_PROBE_HOST:
                /* so that it is not tried again at every event, even if the driver lets go of it */
                return member->state == STATE_FAILED || member->reason == REASON_DRIVER_MISSING ||
                       member->state == STATE_UNCLAIMED;
        case ACTION_ADOPT:
        case ACTION_RELEASE:
                /* still bound as before: so is its record */
                return !stopped || member->reason == REASON_ROLLBACK_FAILED;
        default:
                return true;
        }
}

/* Nothing of the function is ours any more; what automatic probing of a PF's VFs was stays known
 * for as long as it is off by our doing. */
static int forget_original(const Transaction *transaction, const Member *member)
{
        DeviceRecord record = {
                .has_original = true,
                .original_driver = member->driver[0] ? (char *) member->driver : NULL,
                .original_autoprobe = member->previous ? member->previous->original_autoprobe
                                                       : NULL,
        };

        if (!record.original_autoprobe)
                return perform_with_record(transaction, member, OPERATION_REMOVE_RECORD, NULL);
        return perform_with_record(transaction, member, OPERATION_REPLACE_ORIGINAL, &record);
}

static int save_member(const Transaction *transaction, const Member *member)
{
        DeviceRecord record = new_record(transaction, member);
        bool released = member->state == STATE_RELEASED;
        bool undone = (member->saved_original || is_with_host_again(member)) &&
                !holds_it_now(member);
        bool keeps_autoprobe = member->previous && member->previous->original_autoprobe;
        int r;

        if (released || undone) {
                r = forget_original(transaction, member);
                if (r < 0)
                        return r;
        }
        if (released && member->plan->manual != MANUAL_RELEASED) {
                if (!keeps_autoprobe)
                        return 0;
                record = (DeviceRecord){};
        }
        return perform_with_record(transaction, member, OPERATION_SAVE_RECORD, &record);
}

void transaction_save_records(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];
                int r;

                if (!outcome_is_kept(transaction, member))
                        continue;
                r = save_member(transaction, member);
                /* what is bound stays bound: /sys is the truth, and a later run says it again */
                if (r < 0 && !member->text[0])
                        (void) snprintf(member->text, sizeof(member->text),
                                "Its record in /run/vfio-bindd could not be saved (%s). Make room "
                                "on /run and run \"vfio-bindctl apply\"", strerror(-r));
        }
}
