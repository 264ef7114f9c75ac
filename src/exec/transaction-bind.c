/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "exec/transaction-internal.h"

/* bind, detach, hold, adopt */

/* vfio_pci_dev_in_denylist() in drivers/vfio/pci/vfio_pci.c: QAT c3xxx, c62x, dh895xcc and their
 * VFs, DSA and IAX of Sapphire Rapids. */
static bool is_in_vfio_denylist(const Device *device)
{
        static const uint16_t ids[] = {
                0x19e2, 0x19e3, 0x37c8, 0x37c9, 0x0435, 0x0443, 0x0b25, 0x0cfe,
        };

        for (size_t i = 0; i < ELEMENTSOF(ids); i++)
                if (device->vendor == 0x8086 && device->device == ids[i])
                        return true;
        return false;
}

static bool takes_hold(const Member *member)
{
        return member->plan->action == ACTION_BIND || member->plan->action == ACTION_DETACH ||
                member->plan->action == ACTION_HOLD;
}

/* May this transaction unbind a host driver that the plan did not know of? Early passes may, and
 * whoever handles functions that have just appeared. */
static bool may_take_from_newcomer(const Transaction *transaction, const Member *member)
{
        return member->plan->fresh || transaction->options->stage != STAGE_RUNTIME ||
                (member->plan->device->driver && !driver_is_vfio(member->plan->device->driver));
}

/* A host driver was faster than the override: the kernel attaches a new function right after its
 * `add` event, or a module was loaded at this moment. */
static bool handle_newcomer(Transaction *transaction, Member *member)
{
        if (member->plan->action == ACTION_HOLD) {
                int r = member_write_override(transaction, member, member->found_override);

                member->lost = true;
                member_set(member, STATE_PENDING, REASON_BIND_RACED, r < 0 ? r : 0,
                        "The host's driver %s was faster. It is judged again with its group",
                        member->driver);
                return true;
        }
        if (driver_is_vfio(member->driver))
                return transaction_stop(transaction, member, STATE_FAILED, REASON_BIND_RACED, 0,
                        "Another program has bound it to %s meanwhile. Find out which one, then "
                        "run \"vfio-bindctl apply\"", member->driver);
        if (!may_take_from_newcomer(transaction, member))
                return transaction_stop(transaction, member, STATE_PENDING, REASON_NEEDS_APPLY, 0,
                        "The host's driver %s has taken it meanwhile. Run \"vfio-bindctl apply\"",
                        member->driver);

        strcpy(member->found_driver, member->driver);
        member->provenance = PROVENANCE_TAKEN;
        return member_replace_original(transaction, member) &&
                member_check_guard(transaction, member);
}

static bool set_override(Transaction *transaction, Member *member)
{
        char before[DRIVER_NAME_MAX];
        int r;

        strcpy(before, member->driver);
        r = member_write_override(transaction, member, member_wanted_override(member));
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_WRITE_OVERRIDE,
                        r);
        /* the write does not stop a probe that runs already */
        r = member_read_driver(transaction, member);
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_READ_DRIVER, r);

        if (!member->driver[0] || streq(member->driver, before) ||
            streq_null(member->driver, member->plan->target))
                return true;
        return handle_newcomer(transaction, member);
}

/* Failing to hold one function is no reason to put back the others. */
static void hold(Transaction *transaction, Member *member)
{
        Cause before = transaction->cause;

        if (member->driver[0]) {
                member->lost = true;
                member_set(member, STATE_PENDING, REASON_BIND_RACED, 0,
                        "The host's driver %s has it. It is judged again with its group",
                        member->driver);
                return;
        }
        if (!set_override(transaction, member)) {
                member->lost = true;
                member_set(member, STATE_FAILED, transaction->cause.reason,
                        transaction->cause.error, "%s", transaction->cause.text);
                transaction->cause = before;
        }
}

static bool set_overrides(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (!takes_hold(member))
                        continue;
                if (member->plan->action == ACTION_HOLD)
                        hold(transaction, member);
                else if (!set_override(transaction, member))
                        return false;
        }
        return true;
}

static bool unbind_members(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];
                int r;

                if (!takes_hold(member) || !member_must_unbind(member))
                        continue;
                if (driver_is_vfio(member->driver) && !transaction->node_secured) {
                        /* the number of the node is given to another group when it is emptied */
                        r = group_perform(transaction, OPERATION_SECURE_NODE, NULL);
                        if (r < 0)
                                return transaction_stop_operation(transaction, member,
                                        OPERATION_SECURE_NODE, r);
                        transaction->node_secured = true;
                }
                r = member_unbind(transaction, member);
                if (r < 0)
                        return transaction_stop_unbind(transaction, member, r);
        }
        return true;
}

static bool has_virtual_functions(const Transaction *transaction, const Member *member)
{
        _cleanup_free_ char *number = NULL;

        if (member->plan->device->sriov_total_vfs == 0)
                return false;
        if (member_perform(transaction, member, OPERATION_READ_NUM_VFS, NULL, &number) < 0)
                return false;
        return number && !streq(number, "0");
}

static bool explain_busy(Transaction *transaction, Member *member, const char *driver)
{
        _cleanup_free_ char *who = NULL;

        if (has_virtual_functions(transaction, member))
                return transaction_stop(transaction, member, STATE_FAILED, REASON_PF_HAS_VFS,
                        -EBUSY, "It has virtual functions. Write 0 to its sriov_numvfs, then run "
                        "\"vfio-bindctl apply\"");
        if (member_perform(transaction, member, OPERATION_IS_OPEN, NULL, &who) >= 0 && who)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_BUSY_VFIO,
                        -EBUSY, "Its group is open in %s. Stop that program, then run "
                        "\"vfio-bindctl apply\"", who);
        return transaction_stop(transaction, member, STATE_FAILED, REASON_PROBE_FAILED, -EBUSY,
                "%s answered that it is busy. See \"journalctl -k\", then run "
                "\"vfio-bindctl apply\"", driver);
}

static bool explain_invalid(Transaction *transaction, Member *member, const char *driver)
{
        const Device *device = member->plan->device;

        if (driver_is_vfio(driver) && is_in_vfio_denylist(device))
                return transaction_stop(transaction, member, STATE_FAILED, REASON_DRIVER_DENIED,
                        -EINVAL, "vfio-pci refuses %04x:%04x, it is not safe in other hands. Load "
                        "vfio_pci with disable_denylist=1 only if every user of it is trusted",
                        device->vendor, device->device);
        if (driver_is_vfio(driver) && device->group < 0)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_NO_IOMMU,
                        -EINVAL, "No IOMMU stands before it. Turn the IOMMU on in the firmware "
                        "and, for Intel, with intel_iommu=on");
        return transaction_stop(transaction, member, STATE_FAILED, REASON_PROBE_FAILED, -EINVAL,
                "%s does not take it. See \"journalctl -k\" for its reason, then run "
                "\"vfio-bindctl apply\"", driver);
}

/* The bind was refused. Where the kernel will attach the function by itself, that is no failure. */
static bool handle_bind_error(Transaction *transaction, Member *member, int error)
{
        const char *target = member->plan->target;
        int r;

        if (error == -EAGAIN && member->plan->fresh) {
                /* -EPROBE_DEFER: the driver core tries it again. What had a driver does not wait
                 * for that without one: its group would be half here and half there. */
                member->attached_later = true;
                return true;
        }

        r = member_read_driver(transaction, member);
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_READ_DRIVER, r);
        if (streq(member->driver, target))
                return true;
        if (member->driver[0])
                return transaction_stop(transaction, member, STATE_FAILED, REASON_BIND_RACED,
                        error, "%s was faster. Find out who binds it (driverctl, libvirt), then "
                        "run \"vfio-bindctl apply\"", member->driver);
        if (error == -ENODEV && member->plan->fresh) {
                /* between its `add` event and pci_bus_add_device() nothing matches it; the
                 * kernel's own attach finds our override */
                member->attached_later = true;
                return true;
        }
        if (error == -EBUSY)
                return explain_busy(transaction, member, target);
        if (error == -EINVAL)
                return explain_invalid(transaction, member, target);
        if (error == -ENOENT)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_DRIVER_MISSING,
                        error, "The driver %s is not there any more. Load its module, then run "
                        "\"vfio-bindctl apply\"", target);
        if (error == -ENODEV)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_PROBE_FAILED,
                        error, "%s does not match it or failed on it. See \"journalctl -k\", then "
                        "run \"vfio-bindctl apply\"", target);
        return transaction_stop_operation(transaction, member, OPERATION_BIND, error);
}

static bool bind_members(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];
                int r;

                if (member->plan->action != ACTION_BIND ||
                    streq(member->driver, member->plan->target))
                        continue;
                r = member_bind(transaction, member, member->plan->target);
                if (r < 0 && !handle_bind_error(transaction, member, r))
                        return false;
        }
        return true;
}

static bool verify_member(Transaction *transaction, Member *member)
{
        const char *wanted = member->plan->target ?: "";
        int r;

        r = member_read_driver(transaction, member);
        if (r < 0)
                return transaction_stop_operation(transaction, member, OPERATION_READ_DRIVER, r);
        if (streq(member->driver, wanted)) {
                member->attached_later = false;
                member->state = member->driver[0] ? STATE_BOUND : STATE_DETACHED;
                return true;
        }
        if (member->attached_later && !member->driver[0]) {
                member_set(member, STATE_BINDING, REASON_NONE, 0,
                        "The kernel attaches it to %s by itself", wanted);
                return true;
        }
        return transaction_stop(transaction, member, STATE_FAILED, REASON_BIND_RACED, 0,
                "It is on %s now. Find out who binds it (driverctl, libvirt), then run "
                "\"vfio-bindctl apply\"", member->driver[0] ? member->driver : "no driver");
}

static bool verify_members(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                switch (member->plan->action) {
                case ACTION_BIND:
                case ACTION_DETACH:
                case ACTION_ADOPT:
                        if (!verify_member(transaction, member))
                                return false;
                        break;
                case ACTION_HOLD:
                        if (!member->lost)
                                member_set(member, STATE_PENDING, member->plan->reason, 0, "%s",
                                        member->plan->text ?: "");
                        break;
                default:
                        break;
                }
        }
        return true;
}

int transaction_set_node(Transaction *transaction)
{
        int r;

        if (!transaction->group->settings || transaction->options->stage == STAGE_INITRD)
                return 0;

        r = group_perform(transaction, OPERATION_FINISH_NODE, NULL);
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];
                const Claim *claim = member->plan->claim;
                int k;

                if (!driver_is_vfio(member->driver))
                        continue;
                k = member_perform(transaction, member, OPERATION_LINK_NODE,
                        claim ? claim->name : NULL, NULL);
                if (r >= 0 && k < 0)
                        r = k;
        }
        /* complete with an unknown account too; udev may not even run yet */
        if (r >= 0 || r == -ENXIO)
                (void) group_perform(transaction, OPERATION_ANNOUNCE_NODE, NULL);
        return r;
}

/* An unknown account leaves the node with root, which is safe, and never stops the binding; any
 * other trouble keeps the members "binding", for a node that is not final is not announced. */
static void note_node_trouble(Transaction *transaction, int error)
{
        const ClaimSettings *settings = transaction->group->settings;

        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (member->state != STATE_BOUND || !driver_is_vfio(member->driver))
                        continue;
                if (error == -ENXIO)
                        member_set(member, STATE_BOUND, REASON_ACCOUNT_UNKNOWN, error,
                                "The account %s or %s is not known, or its name service does not "
                                "answer, so root keeps /dev/vfio/%" PRIi64 ". Make the account, "
                                "then run \"vfio-bindctl apply\"", settings->node_user,
                                settings->node_group, transaction->group->number);
                else
                        member_set(member, STATE_BINDING, REASON_NONE, error,
                                "It is on %s, but /dev/vfio/%" PRIi64 " could not be set up (%s). "
                                "Run \"vfio-bindctl apply\"", member->driver,
                                transaction->group->number, strerror(-error));
        }
}

static void finish_nodes(Transaction *transaction)
{
        bool any_bound = false;
        int r;

        if (!transaction->group->wants_node)
                return;
        for (size_t i = 0; i < transaction->n_members; i++) {
                const Member *member = &transaction->members[i];

                if (member->state == STATE_BINDING)
                        return;
                any_bound = any_bound || (member->state == STATE_BOUND &&
                        driver_is_vfio(member->driver));
        }
        if (!any_bound)
                return;

        r = transaction_set_node(transaction);
        if (r < 0)
                note_node_trouble(transaction, r);
}

bool transaction_take(Transaction *transaction)
{
        if (!set_overrides(transaction) || !unbind_members(transaction) ||
            !bind_members(transaction) || !verify_members(transaction))
                return false;
        finish_nodes(transaction);
        return true;
}
