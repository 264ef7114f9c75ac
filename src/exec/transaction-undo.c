/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "exec/transaction-internal.h"

/* Puts back what a transaction that cannot go on has touched, last member first. What fails here is
 * "rollback-failed"; the other members are still put back. */

static void note_error(int *error, int r)
{
        if (r < 0 && *error == 0)
                *error = r;
}

/* Put there by somebody else while we were at it: that is left alone. */
static bool is_foreign(const Member *member)
{
        return member->driver[0] && member->plan->action != ACTION_RELEASE &&
                !streq_null(member->driver, member->plan->target);
}

/* It was found without a driver, and the host has found one for it meanwhile: as it should be. */
static bool is_taken_by_host(const Member *member, const char *wanted)
{
        return !wanted[0] && is_foreign(member);
}

/* A host driver that we have just given it back to may be in use by now: it is not torn away. */
static int unbind_ours(Transaction *transaction, Member *member)
{
        if (is_foreign(member))
                return -EBUSY;
        if (!driver_is_harmless(member->driver) && !member_check_guard(transaction, member))
                return -EBUSY;
        return member_unbind(transaction, member);
}

static bool group_has_vfio(const Transaction *transaction)
{
        const GroupPlan *group = transaction->group;

        for (size_t i = 0; i < transaction->n_members; i++)
                if (driver_is_vfio(transaction->members[i].driver))
                        return true;
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].action == ACTION_NONE &&
                    driver_is_vfio(group->members[i].device->driver))
                        return true;
        return false;
}

static int bind_back(Transaction *transaction, Member *member, const char *driver,
        const char *override)
{
        const char *bridge = override;
        int r;

        /* before 5.18 that stops the kernel (BUG_ON in vfio_group_nb_verify), after it fails */
        if (!driver_is_harmless(driver) && group_has_vfio(transaction)) {
                r = member_check_closed(transaction, member);
                if (r < 0) /* what cannot be told counts as open */
                        return r;
        }
        /* the driver must match at this moment: an override for another one would forbid it, and
         * a VF under autoprobe 0 is not probed without one */
        if ((override && !streq(override, driver)) ||
            (!override && member_needs_override_to_probe(transaction, member)))
                bridge = driver;
        r = member_write_override(transaction, member, bridge);
        if (r < 0)
                return r;
        return member_bind(transaction, member, driver);
}

static int move(Transaction *transaction, Member *member, const char *driver,
        const char *override)
{
        int error = 0;

        if (member->driver[0]) {
                note_error(&error, unbind_ours(transaction, member));
                /* it may have happened all the same */
                if (error < 0)
                        note_error(&error, member_read_driver(transaction, member));
        }
        if (driver[0] && !member->driver[0])
                note_error(&error, bind_back(transaction, member, driver, override));
        return error;
}

int member_put_back(Transaction *transaction, Member *member, const char *driver,
        const char *override, const char *power_control)
{
        int error = 0, moving = 0, r;

        note_error(&moving, member_read_driver(transaction, member));
        if (!streq(member->driver, driver) && !is_taken_by_host(member, driver)) {
                note_error(&moving, move(transaction, member, driver, override));
                /* still on ours: the override goes with that driver */
                if (member->driver[0] && !streq(member->driver, driver) && !is_foreign(member))
                        return moving < 0 ? moving : -EBUSY;
        }

        note_error(&error, member_write_override(transaction, member, override));
        if (power_control)
                note_error(&error, member_perform(transaction, member,
                        OPERATION_WRITE_POWER_CONTROL, power_control, NULL));
        r = member_read_driver(transaction, member);
        if (r < 0)
                return r;
        /* the link is what counts, not what was said on the way */
        if (!streq(member->driver, driver) && !is_taken_by_host(member, driver))
                return moving < 0 ? moving : -EBUSY;
        return error;
}

/* Functions that joined a group in use keep their override: a host driver that took one of them
 * would stop the kernel before 5.18 (BUG_ON in vfio_group_nb_verify) and fail after. */
static bool stays_held(const Transaction *transaction, const Member *member)
{
        if (!member->plan->fresh || member->found_driver[0])
                return false;
        for (size_t i = 0; i < transaction->group->n_members; i++) {
                const MemberPlan *other = &transaction->group->members[i];

                if (other != member->plan && !other->device->is_bridge &&
                    (other->action == ACTION_NONE || other->action == ACTION_ADOPT) &&
                    driver_is_vfio(other->device->driver))
                        return true;
        }
        return false;
}

static void undo_member(Transaction *transaction, Member *member)
{
        const char *override = stays_held(transaction, member)
                ? member_wanted_override(member) : member->found_override;
        int r;

        r = member_put_back(transaction, member, member->found_driver, override,
                member->found_power_control);
        if (r >= 0)
                return;
        if (member->open_by[0]) {
                member_set(member, STATE_FAILED, REASON_ROLLBACK_FAILED, r,
                        "It stays on %s, because its group is open in %s now. Stop that program, "
                        "then run \"vfio-bindctl apply\", or call ReleaseDevice over D-Bus",
                        member->driver[0] ? member->driver : "no driver", member->open_by);
                return;
        }
        member_set(member, STATE_FAILED, REASON_ROLLBACK_FAILED, r,
                "It could not be put back on %s and is on %s now (%s). See \"journalctl -k\", then "
                "run \"vfio-bindctl apply\", or call ReleaseDevice over D-Bus",
                member->found_driver[0] ? member->found_driver : "no driver",
                member->driver[0] ? member->driver : "no driver", strerror(-r));
}

/* No vfio driver holds a member then, and the number of the group's node may be given away. */
static bool empties_group(const Transaction *transaction)
{
        const GroupPlan *group = transaction->group;
        bool moves = false;

        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].action == ACTION_NONE &&
                    driver_is_vfio(group->members[i].device->driver))
                        return false;
        for (size_t i = 0; i < transaction->n_members; i++) {
                const Member *member = &transaction->members[i];

                if (driver_is_vfio(member->found_driver))
                        return false;
                moves = moves || driver_is_vfio(member->driver);
        }
        return moves;
}

static bool has_node(const Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++)
                if (driver_is_vfio(transaction->members[i].driver))
                        return true;
        return false;
}

/* Its node is made anew then, or was secured by a transaction that was cut off. */
static bool returns_to_vfio(const Transaction *transaction)
{
        for (size_t i = 0; i < transaction->n_members; i++) {
                const Member *member = &transaction->members[i];

                if (member->touched && driver_is_vfio(member->found_driver) &&
                    !driver_is_vfio(member->driver))
                        return true;
        }
        return false;
}

void transaction_undo(Transaction *transaction)
{
        bool needs_node = transaction->node_secured || returns_to_vfio(transaction);

        /* best effort: the kernel's own node is root 0600 from the start */
        if (empties_group(transaction))
                (void) group_perform(transaction, OPERATION_SECURE_NODE, NULL);

        for (size_t i = transaction->n_members; i > 0; i--) {
                Member *member = &transaction->members[i - 1];

                if (member->touched && member->plan->action != ACTION_HOLD)
                        undo_member(transaction, member);
        }
        if (needs_node && has_node(transaction))
                (void) transaction_set_node(transaction);
}
