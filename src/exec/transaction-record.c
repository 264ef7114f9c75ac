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

                if (member->plan->action == ACTION_PROBE_HOST)
                        continue;
                r = operations->perform(operations->userdata, &operation, NULL);
                if (r < 0)
                        return transaction_stop_operation(transaction, member,
                                OPERATION_LOAD_RECORD, r);
        }
        return true;
}

/* A transaction was cut off after the original was recorded. */
static Provenance provenance_of_original(const DeviceRecord *record)
{
        if (!record->original_driver)
                return PROVENANCE_UNKNOWN;
        return driver_is_vfio(record->original_driver) ? PROVENANCE_ADOPTED : PROVENANCE_TAKEN;
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
        else if (previous && previous->provenance != PROVENANCE_NONE)
                member->provenance = previous->provenance;
        else if (previous && previous->has_original)
                member->provenance = provenance_of_original(previous);
        else if (member->driver[0])
                member->provenance = PROVENANCE_ADOPTED;
        else if (member->plan->fresh || transaction->options->stage != STAGE_RUNTIME)
                member->provenance = PROVENANCE_CLEAN;
        else
                member->provenance = PROVENANCE_UNKNOWN;
}

static bool save_original(Transaction *transaction, Member *member)
{
        DeviceRecord record = {
                .has_original = true,
                .original_driver = member->found_driver[0] ? member->found_driver : NULL,
                .original_override = member->found_override,
                .original_power_control = member->found_power_control,
        };
        int r;

        r = perform_with_record(transaction, member, OPERATION_SAVE_ORIGINAL, &record);
        if (r == -EEXIST)
                return true;
        member->saved_original = true; /* a failed one too may be there */
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_SAVE_ORIGINAL, r);
        return true;
}

static bool wants_original(const Member *member)
{
        if (member->previous && member->previous->has_original)
                return false;

        switch (member->plan->action) {
        case ACTION_HOLD:
                return !member->driver[0];
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
        for (size_t i = 0; i < transaction->n_members; i++)
                if (wants_original(&transaction->members[i]) &&
                    !save_original(transaction, &transaction->members[i]))
                        return false;
        return true;
}

bool member_replace_original(Transaction *transaction, Member *member)
{
        int r;

        if (!member->saved_original)
                return true;

        r = perform_with_record(transaction, member, OPERATION_REMOVE_RECORD, NULL);
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_REMOVE_RECORD, r);
        member->saved_original = false;
        return save_original(transaction, member);
}

static bool holds_it_now(const Member *member)
{
        return member->state == STATE_BOUND || member->state == STATE_DETACHED ||
                member->state == STATE_BINDING || member->reason == REASON_ROLLBACK_FAILED ||
                (member->plan->action == ACTION_HOLD && !member->lost);
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
        else if (holds_it_now(member))
                record.provenance = member->provenance;
        else if (previous && previous->has_original)
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

        switch (member->plan->action) {
        case ACTION_PROBE_HOST:
                return false;
        case ACTION_ADOPT:
        case ACTION_RELEASE:
                /* still bound as before: so is its record */
                return !stopped || member->reason == REASON_ROLLBACK_FAILED;
        default:
                return true;
        }
}

static int save_member(const Transaction *transaction, const Member *member)
{
        DeviceRecord record = new_record(transaction, member);
        bool released = member->state == STATE_RELEASED;
        bool undone = member->saved_original && !holds_it_now(member);
        int r;

        if (released || undone) {
                r = perform_with_record(transaction, member, OPERATION_REMOVE_RECORD, NULL);
                if (r < 0)
                        return r;
        }
        if (released && member->plan->manual != MANUAL_RELEASED)
                return 0;
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
