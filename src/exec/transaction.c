/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/transaction.h"

#include <errno.h>
#include <stdio.h>

#include "exec/intent.h"
#include "exec/transaction-internal.h"
#include "util/io.h"

/* As long as a drive may take that has to spin up first. */
#define UDEV_LOOK_USEC (10 * USEC_PER_SEC)

static void transaction_done(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                device_record_free(member->previous);
                free(member->read_override);
                free(member->read_power_control);
                string_list_free(member->host_drivers);
        }
        free(transaction->members);
}

static int collect_members(Transaction *transaction)
{
        const GroupPlan *group = transaction->group;

        transaction->members = calloc(group->n_members + 1, sizeof(Member));
        if (!transaction->members)
                return -ENOMEM;

        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].action != ACTION_NONE)
                        transaction->members[transaction->n_members++].plan = &group->members[i];
        return 0;
}

static bool load_module(Transaction *transaction, const Member *member, const char *name,
        const char *what_for)
{
        int r = member_perform(transaction, member, OPERATION_LOAD_MODULE, name, NULL);

        if (r == -ENOENT)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_DRIVER_MISSING,
                        r, "There is no module %s for this kernel, %s. Install the kernel's "
                        "modules%s, then run \"vfio-bindctl apply\"", name, what_for,
                        transaction->options->stage == STAGE_INITRD ? " in the initramfs" : "");
        if (r < 0)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_DRIVER_MISSING,
                        r, "The module %s could not be loaded (%s). See \"journalctl -k\" and "
                        "whether the loading of modules is locked, then run "
                        "\"vfio-bindctl apply\"", name, strerror(-r));
        return true;
}

static bool is_loaded_before(const Transaction *transaction, size_t n, const char *target)
{
        for (size_t i = 0; i < n; i++)
                if (transaction->members[i].plan->action == ACTION_BIND &&
                    streq(transaction->members[i].plan->target, target))
                        return true;
        return false;
}

/* Before any override: with one in place, loading the driver would bind at once, and the guard
 * has not looked yet. */
static bool load_modules(Transaction *transaction)
{
        bool any_vfio = false;

        for (size_t i = 0; i < transaction->n_members; i++) {
                const Member *member = &transaction->members[i];
                const char *target = member->plan->target;

                if (member->plan->action != ACTION_BIND || is_loaded_before(transaction, i, target))
                        continue;
                if (!load_module(transaction, member, target, "the claim's driver"))
                        return false;
                /* a softdep of vfio that not every loader honours */
                if (driver_is_vfio(target) && !any_vfio &&
                    !load_module(transaction, member, "vfio_iommu_type1",
                            "without which no program can open the group"))
                        return false;
                any_vfio = any_vfio || driver_is_vfio(target);
        }
        return true;
}

static bool read_override(Transaction *transaction, Member *member)
{
        Action action = member->plan->action;
        int r;

        r = member_perform(transaction, member, OPERATION_READ_OVERRIDE, NULL,
                &member->read_override);
        if (r == -ENOENT && !member->plan->device->has_override_file &&
            (action == ACTION_ADOPT || action == ACTION_RELEASE))
                return true;
        if (r == -ENOENT)
                return transaction_stop(transaction, member, STATE_REFUSED,
                        REASON_NO_DRIVER_OVERRIDE, r, "This kernel gives it no driver_override. "
                        "A kernel of 3.16 or later is needed");
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_READ_OVERRIDE, r);
        member->override = member->found_override = member->read_override;
        return true;
}

static bool look_at(Transaction *transaction, Member *member)
{
        int r;

        r = member_read_driver(transaction, member);
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_READ_DRIVER, r);
        strcpy(member->found_driver, member->driver);

        if (!read_override(transaction, member))
                return false;
        if (member->plan->action == ACTION_PROBE_HOST) {
                /* one that was cut off, or that the kernel was to finish, left its override */
                if (member->previous && member->previous->has_original) {
                        member->saved_original = member->touched = true;
                        member->found_override = member->previous->original_override;
                }
                return true;
        }

        r = member_perform(transaction, member, OPERATION_READ_POWER_CONTROL, NULL,
                &member->read_power_control);
        if (r < 0 && r != -ENOENT)
                return transaction_stop_operation(transaction, member,
                        OPERATION_READ_POWER_CONTROL, r);
        member->found_power_control = member->read_power_control;
        member_resume(member);
        member_decide_provenance(transaction, member);
        return true;
}

/* The lock may have been waited for: is it still what the plan was made for? */
static bool check_plan_holds(Transaction *transaction, const Member *member)
{
        const Device *device = member->plan->device;
        bool may_unbind = member->plan->fresh || device->driver ||
                transaction->options->stage != STAGE_RUNTIME;

        switch (member->plan->action) {
        case ACTION_ADOPT:
                if (streq(member->driver, member->plan->target ?: ""))
                        return true;
                return transaction_stop(transaction, member, STATE_PENDING, REASON_NONE, 0,
                        "It is on %s now. It is judged again",
                        member->driver[0] ? member->driver : "no driver");
        case ACTION_BIND:
        case ACTION_DETACH:
                if (!member_must_unbind(member) || may_unbind)
                        return true;
                return transaction_stop(transaction, member, STATE_PENDING, REASON_NEEDS_APPLY, 0,
                        "%s has taken it meanwhile. Run \"vfio-bindctl apply\"", member->driver);
        default:
                return true;
        }
}

static bool look(Transaction *transaction)
{
        if (!transaction_load_records(transaction))
                return false;
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (!look_at(transaction, member) || !check_plan_holds(transaction, member))
                        return false;
        }
        return true;
}

static bool guard_all(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (member_must_unbind(member) && !driver_is_harmless(member->driver) &&
                    !member_check_guard(transaction, member))
                        return false;
        }
        return true;
}

/* For half of the time that the operation has, so that it is not over before that. */
static uint64_t udev_deadline(const Transaction *transaction)
{
        uint64_t time = group_timeout(transaction->group) / 2;

        if (!transaction->options->waits_for_udev)
                return 0;
        return now_monotonic() + (time < UDEV_LOOK_USEC ? time : UDEV_LOOK_USEC);
}

/* Once udev was waited for, what had been free before that may be in use. */
static bool guard(Transaction *transaction)
{
        bool is_free;

        transaction->udev_until_usec = udev_deadline(transaction);
        do {
                transaction->has_waited = false;
                is_free = guard_all(transaction);
        } while (is_free && transaction->has_waited);
        transaction->udev_until_usec = 0;
        return is_free;
}

/* Unbinding an open vfio device ejects it from its guest and never ends; a host driver in a group
 * that is open stops kernels before 5.18. */
static bool check_open(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];
                Action action = member->plan->action;
                bool to_host = transaction->group->number >= 0 && !member->driver[0] &&
                        (action == ACTION_PROBE_HOST || action == ACTION_RELEASE);

                if (!to_host && action == ACTION_RELEASE && driver_is_vfio(member->driver))
                        to_host = true; /* an adopted one too: its node changes hands */
                if (!to_host &&
                    !(member_must_unbind(member) && driver_is_vfio(member->driver)))
                        continue;
                if (!member_check_open(transaction, member))
                        return false;
        }
        return true;
}

static bool begin_intent(Transaction *transaction)
{
        _cleanup_free_ char *text = NULL;
        int r;

        if (transaction->group->number < 0)
                return true;
        r = intent_format(transaction->group, transaction->options->stage, &text);
        if (r >= 0 && !text)
                return true;
        if (r >= 0)
                r = group_perform(transaction, OPERATION_BEGIN_INTENT, text);
        if (r < 0)
                return transaction_stop_operation(transaction, NULL, OPERATION_BEGIN_INTENT, r);
        transaction->has_intent = true;
        return true;
}

/* Whoever asked for this member learns what is in the way of the other one. */
static void share_cause_with(Member *member, const Cause *cause, Reason reason, const char *how)
{
        member_set(member, cause->state, reason, 0, "%s %s%s%s", how,
                PCI_ADDRESS_TEXT(&cause->member->plan->device->address),
                *cause->text ? ": " : "", cause->text);
}

/* What was not worked on shares the group's fate; what was put back says so. */
static void share_cause(Transaction *transaction)
{
        const Cause *cause = &transaction->cause;

        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];
                const MemberPlan *plan = member->plan;

                if (member->reason == REASON_ROLLBACK_FAILED || member->lost)
                        continue;
                if (plan->action == ACTION_PROBE_HOST && member->state != STATE_UNCLAIMED)
                        continue;
                if (plan->action == ACTION_HOLD && member->override != member->found_override)
                        member_set(member, STATE_PENDING, plan->reason, 0, "%s", plan->text ?: "");
                else if (plan->action == ACTION_ADOPT && plan->target &&
                         streq(member->driver, plan->target))
                        member_set(member, STATE_BOUND, REASON_NONE, 0, "%s", "");
                else if (!cause->member || cause->member == member)
                        member_set(member, cause->state, cause->reason, cause->error, "%s",
                                cause->text);
                else if (cause->state == STATE_FAILED)
                        share_cause_with(member, cause, REASON_ROLLED_BACK,
                                "Left as it was found, because of");
                else
                        share_cause_with(member, cause, REASON_GROUP_REFUSED,
                                "Its group waits for");
        }
}

static void carry_out(Transaction *transaction)
{
        bool done = load_modules(transaction) && look(transaction);

        done = done && guard(transaction) && check_open(transaction);
        if (done) {
                transaction_load_host_drivers(transaction);
                done = begin_intent(transaction) && transaction_save_originals(transaction) &&
                        transaction_take(transaction) && transaction_give(transaction);
        }
        if (!done) {
                transaction_undo(transaction);
                share_cause(transaction);
        }
        transaction_save_records(transaction);
        /* one that stays is looked at by the next run, which finds nothing to do */
        if (transaction->has_intent)
                (void) group_perform(transaction, OPERATION_END_INTENT, NULL);
}

static void run_locked(Transaction *transaction)
{
        bool has_group = transaction->group->number >= 0;
        int r = 0;

        if (has_group)
                r = group_perform(transaction, OPERATION_LOCK_GROUP, NULL);
        if (r < 0) {
                (void) transaction_stop_operation(transaction, NULL, OPERATION_LOCK_GROUP, r);
                share_cause(transaction);
                return;
        }
        carry_out(transaction);
        if (has_group)
                (void) group_perform(transaction, OPERATION_UNLOCK_GROUP, NULL);
}

/* Which member's state speaks for the group. */
static unsigned state_weight(State state)
{
        static const State order[] = {
                STATE_UNCLAIMED, STATE_DETACHED, STATE_RELEASED, STATE_BOUND,
                STATE_PENDING,   STATE_BINDING,  STATE_REFUSED,  STATE_FAILED,
        };

        for (unsigned i = 0; i < ELEMENTSOF(order); i++)
                if (order[i] == state)
                        return i;
        return ELEMENTSOF(order);
}

static void report_member(const Member *member, MemberReport *report)
{
        report->address = member->plan->device->address;
        report->state = member->state;
        report->reason = member->reason;
        report->error = member->error;
        report->was_done = member->plan->action == ACTION_BIND && !member->touched;
        strcpy(report->from, member->found_driver);
        strcpy(report->to, member->driver);
        strcpy(report->text, member->text);
}

static void fill_report(const Transaction *transaction, GroupReport *report)
{
        const Cause *cause = &transaction->cause;
        bool first = true;

        report->number = transaction->group->number;
        report->n_members = transaction->n_members;
        report->node = transaction->node;
        for (size_t i = 0; i < transaction->n_members; i++) {
                const Member *member = &transaction->members[i];

                report_member(member, &report->members[i]);
                if (!first && state_weight(member->state) <= state_weight(report->state) &&
                    member->reason != REASON_ROLLBACK_FAILED)
                        continue;
                if (report->reason == REASON_ROLLBACK_FAILED)
                        continue;
                first = false;
                report->state = member->state;
                report->reason = member->reason;
                strcpy(report->text, member->text);
        }
        if (cause->state == STATE_UNCLAIMED || report->reason == REASON_ROLLBACK_FAILED)
                return;
        report->state = cause->state;
        report->reason = cause->reason;
        strcpy(report->text, cause->text);
}

int transaction_run(const GroupPlan *group, const TransactionOptions *options,
        const Operations *operations, GroupReport *ret)
{
        _cleanup_(transaction_done) Transaction transaction = {
                .group = group,
                .options = options,
                .operations = operations,
        };
        uint64_t started = now_monotonic();
        GroupReport report = {};
        int r;

        r = collect_members(&transaction);
        if (r < 0)
                return r;
        report.members = calloc(transaction.n_members + 1, sizeof(MemberReport));
        if (!report.members)
                return -ENOMEM;

        run_locked(&transaction);
        fill_report(&transaction, &report);
        report.duration_usec = now_monotonic() - started;
        *ret = report;
        return 0;
}
