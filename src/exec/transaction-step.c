/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/transaction-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/io.h"

/* One for which the group has a node; NULL: there is none. */
static const Device *node_member(const Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++)
                if (driver_is_vfio(transaction->members[i].driver))
                        return transaction->members[i].plan->device;
        return NULL;
}

static NodeSettings node_settings(const Transaction *transaction)
{
        const ClaimSettings *settings = transaction->group->settings;
        const Device *member = node_member(transaction);

        if (!settings)
                return (NodeSettings){};
        return (NodeSettings){
                .user = settings->node_user,
                .group = settings->node_group,
                .mode = settings->node_mode,
                .member = member ? &member->address : NULL,
                .inode = member ? member->inode : 0,
        };
}

static Operation member_operation(const Transaction *transaction, const Member *member,
        OperationType type, const char *text)
{
        return (Operation){
                .type = type,
                .address = member->plan->device->address,
                .inode = member->plan->device->inode,
                .text = text,
                .number = transaction->group->number,
        };
}

int member_perform(const Transaction *transaction, const Member *member, OperationType type,
        const char *text, char **ret_text)
{
        const Operations *operations = transaction->operations;
        Operation operation = member_operation(transaction, member, type, text);
        NodeSettings node = node_settings(transaction);

        operation.node = &node;
        return operations->perform(operations->userdata, &operation, ret_text);
}

int group_perform(Transaction *transaction, OperationType type, const char *text)
{
        const Operations *operations = transaction->operations;
        NodeSettings node = node_settings(transaction);
        Operation operation = {
                .type = type,
                .text = text,
                .number = transaction->group->number,
                .node = &node,
                .ret_node = &transaction->node,
        };

        return operations->perform(operations->userdata, &operation, NULL);
}

bool transaction_stop(Transaction *transaction, const Member *member, State state, Reason reason,
        int error, const char *format, ...)
{
        Cause *cause = &transaction->cause;
        va_list arguments;

        if (cause->state != STATE_UNCLAIMED)
                return false;

        cause->state = state;
        cause->reason = reason;
        cause->error = error;
        cause->member = member;
        va_start(arguments, format);
        (void) vsnprintf(cause->text, sizeof(cause->text), format, arguments);
        va_end(arguments);
        return false;
}

void member_set(Member *member, State state, Reason reason, int error, const char *format, ...)
{
        va_list arguments;

        member->state = state;
        member->reason = reason;
        member->error = error;
        va_start(arguments, format);
        (void) vsnprintf(member->text, sizeof(member->text), format, arguments);
        va_end(arguments);
}

static bool is_own_bookkeeping(OperationType type)
{
        switch (type) {
        case OPERATION_LOCK_GROUP:
        case OPERATION_LOAD_RECORD:
        case OPERATION_SAVE_ORIGINAL:
        case OPERATION_REPLACE_ORIGINAL:
        case OPERATION_SAVE_RECORD:
        case OPERATION_REMOVE_RECORD:
        case OPERATION_BEGIN_INTENT:
                return true;
        default:
                return false;
        }
}

bool transaction_stop_operation(Transaction *transaction, const Member *member,
        OperationType type, int error)
{
        if (error == -ENODEV)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_ABSENT, error,
                        "It was removed or replaced while it was worked on. What stands in its "
                        "place is judged anew");
        if (is_own_bookkeeping(type))
                return transaction_stop(transaction, member, STATE_FAILED, REASON_ROLLED_BACK,
                        error, "/run/vfio-bindd could not be used (%s: %s). Make room on /run and "
                        "see that it is writable, then run \"vfio-bindctl apply\"",
                        operation_type_to_string(type), strerror(-error));
        if (error == -EPERM || error == -EACCES)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_PROBE_FAILED,
                        error, "The kernel forbids it (%s: %s). See that /sys is writable, then "
                        "run \"vfio-bindctl apply\"",
                        operation_type_to_string(type), strerror(-error));
        return transaction_stop(transaction, member, STATE_FAILED, REASON_PROBE_FAILED, error,
                "The step %s failed (%s). See \"journalctl -k\" for what its driver says, then "
                "run \"vfio-bindctl apply\"", operation_type_to_string(type), strerror(-error));
}

int member_read_driver(const Transaction *transaction, Member *member)
{
        _cleanup_free_ char *driver = NULL;
        int r;

        r = member_perform(transaction, member, OPERATION_READ_DRIVER, NULL, &driver);
        if (r < 0)
                return r;
        if (driver && strlen(driver) >= sizeof(member->driver))
                return -ENAMETOOLONG;
        strcpy(member->driver, driver ?: "");
        return 0;
}

int member_write_override(const Transaction *transaction, Member *member, const char *override)
{
        int r;

        if (!member->override_unknown && streq_null(member->override, override))
                return 0;

        member->touched = true;
        member->override_unknown = true;
        r = member_perform(transaction, member, OPERATION_WRITE_OVERRIDE, override, NULL);
        if (r < 0)
                return r;
        member->override_unknown = false;
        member->override = override;
        return 0;
}

int member_check_closed(const Transaction *transaction, Member *member)
{
        _cleanup_free_ char *who = NULL;
        int r;

        r = member_perform(transaction, member, OPERATION_IS_OPEN, NULL, &who);
        if (r < 0)
                return r;
        if (!who)
                return 0;
        (void) snprintf(member->open_by, sizeof(member->open_by), "%s", who);
        return -EBUSY;
}

int member_unbind(const Transaction *transaction, Member *member)
{
        int r;

        /* A try would already eject it from its guest, and never end (vfio_unregister_group_dev()
         * waits in drivers/vfio/vfio_main.c). The group was looked at before the first write; since
         * then drivers were loaded and others unbound, or this is an undo. */
        if (driver_is_vfio(member->driver)) {
                r = member_check_closed(transaction, member);
                if (r < 0)
                        return r;
        }
        member->touched = true;
        r = member_perform(transaction, member, OPERATION_UNBIND, member->driver, NULL);
        if (r == -ENODEV || r == -ENOENT) {
                char before[DRIVER_NAME_MAX];

                /* not bound to it any more, the driver is gone, or the function: the link tells */
                strcpy(before, member->driver);
                r = member_read_driver(transaction, member);
                if (r < 0)
                        return r;
                if (member->driver[0])
                        return streq(member->driver, before) ? -ENODEV : -EBUSY;
                return 0;
        }
        if (r < 0)
                return r;
        member->driver[0] = '\0';
        return 0;
}

int member_bind(const Transaction *transaction, Member *member, const char *driver)
{
        int r;

        if (strlen(driver) >= sizeof(member->driver))
                return -ENAMETOOLONG;

        member->touched = true;
        r = member_perform(transaction, member, OPERATION_BIND, driver, NULL);
        if (r < 0)
                return r;
        strcpy(member->driver, driver);
        return 0;
}

bool transaction_stop_unbind(Transaction *transaction, const Member *member, int error)
{
        if (member->open_by[0])
                return transaction_stop(transaction, member, STATE_REFUSED, REASON_BUSY_VFIO,
                        error, "Its group is open in %s. Stop that program or detach the device "
                        "from its guest, then try again", member->open_by);
        if (error == -EBUSY)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_BIND_RACED,
                        error, "Another program has moved it to %s meanwhile. Find out which one, "
                        "then run \"vfio-bindctl apply\"", member->driver);
        return transaction_stop_operation(transaction, member, OPERATION_UNBIND, error);
}

uint64_t group_timeout(const GroupPlan *group)
{
        if (group->settings)
                return group->settings->timeout_usec;
        return group->timeout_usec > 0 ? group->timeout_usec : TRANSACTION_DEFAULT_TIMEOUT_USEC;
}

static uint64_t time_left(uint64_t until_usec)
{
        uint64_t now = until_usec > 0 ? now_monotonic() : 0;

        return until_usec > now ? until_usec - now : 0;
}

bool member_check_guard(Transaction *transaction, Member *member)
{
        const Operations *operations = transaction->operations;
        Operation operation = member_operation(transaction, member, OPERATION_GUARD, NULL);
        _cleanup_free_ char *why = NULL;
        GuardAnswer answer = {};
        int r;

        operation.number = member->plan->allow_in_use;
        if (member->plan->fresh)
                operation.number |= ALLOW_PASSING;
        operation.udev_usec = time_left(transaction->udev_until_usec);
        operation.ret_answer = &answer;
        r = operations->perform(operations->userdata, &operation, &why);
        if (r == -ENODEV)
                return transaction_stop_operation(transaction, member, OPERATION_GUARD, r);
        if (r < 0)
                return transaction_stop(transaction, member, STATE_REFUSED, REASON_GUARD_BLIND, r,
                        "It cannot be told whether the host uses it (%s). Unbind it by hand if it "
                        "is free, then run \"vfio-bindctl apply\"", strerror(-r));
        transaction->has_waited = transaction->has_waited || answer.has_waited;
        /* of what is over by itself no record is to say that it was refused */
        if (why)
                return transaction_stop(transaction, member,
                        answer.is_passing ? STATE_PENDING : STATE_REFUSED,
                        in_use_reason(answer.use), 0, "%s", why);
        return true;
}

bool member_check_open(Transaction *transaction, Member *member)
{
        _cleanup_free_ char *who = NULL;
        int r;

        r = member_perform(transaction, member, OPERATION_IS_OPEN, NULL, &who);
        if (r == -ENODEV)
                return transaction_stop_operation(transaction, member, OPERATION_IS_OPEN, r);
        if (r < 0)
                return transaction_stop(transaction, member, STATE_REFUSED, REASON_GUARD_BLIND, r,
                        "It cannot be told whether a program has its group open (%s). Stop the "
                        "programs that use it, then try again", strerror(-r));
        if (who)
                return transaction_stop(transaction, member, STATE_REFUSED, REASON_BUSY_VFIO, 0,
                        "Its group is open in %s. Stop that program or detach the device from "
                        "its guest, then try again", who);
        return true;
}

/* On something that an action of ours put it on. */
static bool is_on_our_driver(const Member *member)
{
        if (driver_is_vfio(member->driver))
                return true;
        return member->previous && member->previous->target_driver &&
                streq(member->driver, member->previous->target_driver);
}

bool member_is_released(const Member *member)
{
        const DeviceRecord *record = member->previous;

        if (member->plan->action != ACTION_RELEASE)
                return false;
        return !record || (record->state == STATE_RELEASED &&
                                  (!record->has_original ||
                                          device_record_is_for_autoprobe_alone(record)));
}

bool member_must_unbind(const Member *member)
{
        if (!member->driver[0])
                return false;

        switch (member->plan->action) {
        case ACTION_BIND:
                return !streq(member->driver, member->plan->target);
        case ACTION_DETACH:
                return true;
        case ACTION_RELEASE:
                return !member_is_released(member) && is_on_our_driver(member) &&
                        member->provenance != PROVENANCE_ADOPTED;
        default:
                return false;
        }
}

const char *member_wanted_override(const Member *member)
{
        if (member->plan->action == ACTION_DETACH || !member->plan->target)
                return DETACHED_OVERRIDE;
        return member->plan->target;
}

bool member_needs_override_to_probe(const Transaction *transaction, const Member *member)
{
        const Device *device = member->plan->device;
        const Operations *operations = transaction->operations;
        _cleanup_free_ char *autoprobe = NULL;
        Operation operation = {
                .type = OPERATION_READ_AUTOPROBE,
                .address = device->physical_function,
        };

        if (!device->is_virtual_function)
                return false;
        /* what cannot be read counts as off: an override permits probing in either case */
        if (operations->perform(operations->userdata, &operation, &autoprobe) < 0)
                return true;
        return !autoprobe || !streq(autoprobe, "1");
}
