/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "exec/transaction-internal.h"

/* release, probe-host: functions go (back) to the host */

static char **split_lines(char *text)
{
        char **list = NULL;

        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
                if (strlen(line) < DRIVER_NAME_MAX && string_list_append(&list, line) < 0)
                        break;
        return list;
}

/* Before anything is unbound, so that the driver is there when it is needed. Finding none is no
 * failure: nobody on this host may want the function. */
void transaction_load_host_drivers(Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];
                _cleanup_free_ char *drivers = NULL;
                Action action = member->plan->action;

                if (action != ACTION_RELEASE && action != ACTION_PROBE_HOST)
                        continue;
                if (member->plan->no_probe || member->provenance == PROVENANCE_ADOPTED ||
                    member_is_released(member) ||
                    (action == ACTION_PROBE_HOST && member->driver[0]))
                        continue;
                if (member_perform(transaction, member, OPERATION_LOAD_HOST_DRIVERS, NULL,
                            &drivers) < 0 || !drivers)
                        continue;
                member->host_drivers = split_lines(drivers);
        }
}

/* A VF of a PF with autoprobe off is bound by name under an override of that name. Turning
 * autoprobe on for a moment would do too, but in that moment the kernel may probe host drivers on
 * other VFs of the PF that are being created. *ret_refusal: what the last driver that did not take
 * it said, 0 if one did. Returns 0, or the error of a step that is not the driver's answer. */
static int bind_by_override(const Transaction *transaction, Member *member, int *ret_refusal)
{
        *ret_refusal = 0;
        for (char **driver = member->host_drivers; driver && *driver; driver++) {
                int r;

                r = member_write_override(transaction, member, *driver);
                if (r < 0)
                        return r;
                *ret_refusal = member_bind(transaction, member, *driver);
                if (*ret_refusal >= 0)
                        return 0;
                /* the kernel may have been faster: it honours the override as well */
                r = member_read_driver(transaction, member);
                if (r < 0)
                        return r;
                if (member->driver[0]) {
                        *ret_refusal = 0;
                        return 0;
                }
        }
        return 0;
}

static const char *original_override(const Member *member)
{
        return member->previous ? member->previous->original_override : NULL;
}

/* The kernel may have reset it (vfio-pci leaves "on" behind), a driver may want it otherwise: so
 * before probing, where the driver is to have the last word. */
static int restore_power_control(const Transaction *transaction, const Member *member)
{
        const char *original = member->previous ? member->previous->original_power_control : NULL;

        if (!original)
                return 0;
        return member_perform(transaction, member, OPERATION_WRITE_POWER_CONTROL, original, NULL);
}

static int probe(Transaction *transaction, Member *member)
{
        int refusal, r;

        if (!original_override(member) && member_needs_override_to_probe(transaction, member)) {
                r = bind_by_override(transaction, member, &refusal);
                if (r >= 0)
                        r = member_write_override(transaction, member, NULL);
                return r < 0 ? r : member_read_driver(transaction, member);
        }
        member->touched = true;
        r = member_perform(transaction, member, OPERATION_PROBE, NULL, NULL);
        if (r < 0)
                return r;
        return member_read_driver(transaction, member);
}

static int give_back(Transaction *transaction, Member *member)
{
        const DeviceRecord *record = member->previous;
        const char *override = original_override(member);
        int r;

        if (member->provenance == PROVENANCE_ADOPTED) {
                char driver[DRIVER_NAME_MAX];

                strcpy(driver, member->driver);
                return member_put_back(transaction, member, driver, override, NULL);
        }
        if (record && record->original_driver && !member->plan->no_probe && !member->driver[0])
                return member_put_back(transaction, member, record->original_driver, override,
                        record->original_power_control);

        r = member_write_override(transaction, member, member->plan->no_probe ? NULL : override);
        if (r < 0)
                return r;
        r = restore_power_control(transaction, member);
        if (r < 0)
                return r;
        if (member->plan->no_probe || member->driver[0])
                return 0;
        return probe(transaction, member);
}

static bool release_member(Transaction *transaction, Member *member)
{
        const char *original = member->previous ? member->previous->original_driver : NULL;
        int r;

        if (member_is_released(member)) {
                member->state = STATE_RELEASED;
                return true;
        }
        r = give_back(transaction, member);
        if (r == -ENODEV && member_read_driver(transaction, member) == -ENODEV)
                return transaction_stop_operation(transaction, member, OPERATION_READ_DRIVER, r);
        if (r == -ENOENT && original)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_DRIVER_MISSING,
                        r, "Its driver %s is not there any more. Load its module, or release it "
                        "without a driver", original);
        if (r < 0)
                return transaction_stop(transaction, member, STATE_FAILED, REASON_PROBE_FAILED, r,
                        "The host's driver%s%s did not take it back (%s). See \"journalctl -k\", "
                        "or release it without a driver", original ? " " : "", original ?: "",
                        strerror(-r));
        member->state = STATE_RELEASED;
        return true;
}

static bool unbind_members(Transaction *transaction)
{
        bool any = false;
        int r;

        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (member->plan->action != ACTION_RELEASE)
                        continue;
                any = true;
                if (transaction->group->number < 0 || !driver_is_vfio(member->driver))
                        continue;
                r = member_perform(transaction, member, OPERATION_UNLINK_NODE, NULL, NULL);
                if (r < 0)
                        return transaction_stop_operation(transaction, member,
                                OPERATION_UNLINK_NODE, r);
        }
        if (any && transaction->group->number >= 0) {
                transaction->node_secured = true;
                r = group_perform(transaction, OPERATION_SECURE_NODE, NULL);
                if (r < 0)
                        return transaction_stop_operation(transaction, NULL,
                                OPERATION_SECURE_NODE, r);
        }

        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (member->plan->action != ACTION_RELEASE || !member_must_unbind(member))
                        continue;
                r = member_unbind(transaction, member);
                if (r < 0)
                        return transaction_stop_unbind(transaction, member, r);
        }
        return true;
}

static void put_back_override(const Transaction *transaction, Member *member)
{
        int r;

        r = member_write_override(transaction, member, member->found_override);
        if (r >= 0)
                r = member_read_driver(transaction, member);
        if (r < 0)
                member_set(member, STATE_FAILED, REASON_ROLLBACK_FAILED, r,
                        "Its driver_override may still be %s (%s). Clear it by hand if it is",
                        member->host_drivers ? member->host_drivers[0] : member->driver,
                        strerror(-r));
}

/* A worker of ours waited for the host's driver for as long as it may; what the kernel said in the
 * end, nobody heard. */
static bool was_given_up(const Member *member)
{
        const DeviceRecord *record = member->previous;

        return record && record->has_original && record->state == STATE_FAILED &&
               record->reason == REASON_WORKER_TIMEOUT;
}

/* Each for itself: virtual functions of the host have no part in any claim. */
static void probe_host(const Transaction *transaction, Member *member)
{
        int refusal, r;

        member->state = STATE_UNCLAIMED;
        if (member->driver[0] || !member->host_drivers || was_given_up(member))
                put_back_override(transaction, member);
        if (member->driver[0] || member->state != STATE_UNCLAIMED)
                return;
        if (was_given_up(member)) {
                member_set(member, STATE_FAILED, REASON_WORKER_TIMEOUT, 0,
                        "The host's driver took its time with this virtual function, and did not "
                        "take it. See \"journalctl -k\", then run \"vfio-bindctl apply\"");
                return;
        }
        if (!member->host_drivers) {
                member->reason = REASON_DRIVER_MISSING;
                (void) strcpy(member->text,
                        "No driver of the host answers for this virtual function");
                return;
        }

        r = bind_by_override(transaction, member, &refusal);
        if (r >= 0 && (refusal == -EAGAIN || (refusal == -ENODEV && member->plan->fresh))) {
                /* being added to the bus right now: the override stays, it lets the kernel's own
                 * attach probe the driver that it names */
                member_set(member, STATE_BINDING, REASON_NONE, 0,
                        "The kernel attaches it to %s by itself", member->override);
                return;
        }
        if (r >= 0)
                r = refusal;
        if (r < 0)
                member_set(member, STATE_FAILED, REASON_PROBE_FAILED, r,
                        "No driver of the host took this virtual function (%s). See "
                        "\"journalctl -k\"", strerror(-r));
        put_back_override(transaction, member);
        /* the link is what counts, not what was said on the way */
        if (member->driver[0] && member->reason == REASON_PROBE_FAILED)
                member_set(member, STATE_UNCLAIMED, REASON_NONE, 0, "%s", "");
}

bool transaction_give(Transaction *transaction)
{
        if (!unbind_members(transaction))
                return false;
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (member->plan->action == ACTION_PROBE_HOST)
                        probe_host(transaction, member);
        }
        for (size_t i = 0; i < transaction->n_members; i++) {
                Member *member = &transaction->members[i];

                if (member->plan->action == ACTION_RELEASE &&
                    !release_member(transaction, member))
                        return false;
        }
        return true;
}
