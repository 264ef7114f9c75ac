/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "host/nodes.h"
#include "host/scan.h"
#include "host/watching.h"
#include "log/log.h"
#include "stage/udev-internal.h"

/* The node is set up in the event that announces it, so that it is right on every creation and
 * every `udevadm trigger`; the rules set no OWNER, GROUP or MODE, which udev would apply after us
 * and which systemd 258 and 259 refuse for accounts of people. */

static int scan(const Pass *pass, const UdevEvent *event, Snapshot **ret)
{
        unsigned facts = pass_facts(pass);

        if (event->subject == UDEV_GROUP)
                return scan_group(&pass->host, event->group, facts, ret);
        return scan_neighbourhood(&pass->host, &event->address, facts, NULL, ret);
}

static const GroupPlan *find_group(const Plan *plan, const UdevEvent *event)
{
        const GroupPlan *group = NULL;

        if (event->subject == UDEV_GROUP)
                return plan_find_group(plan, event->group);
        return plan_find(plan, &event->address, &group) ? group : NULL;
}

/* The daemon, which asks the name service too, has seen this node. */
static bool is_left_to_daemon(const Pass *pass, const UdevEvent *event)
{
        return event->is_synthetic && watching_is_on(&pass->host) > 0;
}

static int apply_owner(const Pass *pass, const UdevEvent *event, const GroupPlan *group,
        bool keep_if_unknown)
{
        const Device *member = group->members[0].device;
        const NodeRequest request = {
                .group = group->number,
                .user = group->settings->node_user,
                .user_group = group->settings->node_group,
                .mode = group->settings->node_mode,
                .keep_if_unknown = keep_if_unknown,
                .member = &member->address,
                .inode = member->inode,
        };

        if (event->subject == UDEV_GROUP)
                return node_apply(&pass->host, &request, NULL);
        return node_apply_device(&pass->host, &event->address, &request);
}

static void say_owner_problem(const GroupPlan *group, int error)
{
        char text[512];

        if (error == -ENXIO) {
                (void) snprintf(text, sizeof(text),
                        "The account %s or %s is not known in /etc/passwd and /etc/group, so root "
                        "keeps the node. Make the account, then run \"udevadm trigger "
                        "--subsystem-match=vfio\".",
                        group->settings->node_user, group->settings->node_group);
                log_node_problem(group->number, REASON_ACCOUNT_UNKNOWN, text);
                return;
        }
        (void) snprintf(text, sizeof(text), "Owner and mode could not be set: %s.",
                strerror(-error));
        log_node_problem(group->number, REASON_NONE, text);
}

static void link_members(const Pass *pass, const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];
                char text[256];
                int r;

                if (!driver_is_vfio(member->device->driver))
                        continue;
                r = node_link(&pass->host, &member->device->address, group->number,
                        member->claim ? member->claim->name : NULL);
                if (r >= 0)
                        continue;
                (void) snprintf(text, sizeof(text), "The links for %s could not be made: %s.",
                        PCI_ADDRESS_TEXT(&member->device->address), strerror(-r));
                log_node_problem(group->number, REASON_NONE, text);
        }
}

/* It was finished once, and nothing was taken from it since: whoever has the node open goes on, and
 * a unit that is bound to dev-vfio-N.device is not to be stopped, because the configuration wants
 * something else by now. */
static bool is_complete(const GroupPlan *group)
{
        bool any = false;

        for (size_t i = 0; i < group->n_members; i++) {
                const Device *device = group->members[i].device;
                bool was_bound = device->record && device->record->state == STATE_BOUND;

                if (!driver_is_harmless(device->driver) ||
                    (driver_is_vfio(device->driver) && !was_bound) ||
                    (was_bound && !device->driver))
                        return false;
                any = any || driver_is_vfio(device->driver);
        }
        return any;
}

static bool is_ready(const GroupPlan *group)
{
        if (group->wants_node && (group->state == STATE_BOUND || group->state == STATE_DETACHED))
                return true;
        return is_complete(group);
}

int udev_node(Pass *pass, const UdevEvent *event, FILE *output)
{
        const PlanRequest request = { .stage = pass->stage };
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_plan_ Plan *plan = NULL;
        const GroupPlan *group;
        bool is_left;
        int r;

        r = scan(pass, event, &snapshot);
        if (r >= 0)
                r = planner_plan(snapshot, pass->config, &request, &plan);
        if (r < 0)
                return r;
        group = find_group(plan, event);
        if (!group || !group->settings)
                return 0; /* nobody's, or somebody else's */

        /* Units that wait for the node of a group get a whole group: dev-vfio-N.device comes
         * with the `change` event that whoever completes the group causes. */
        if (!is_ready(group))
                fprintf(output, "SYSTEMD_READY=0\n");
        /* The accounts of an initramfs are not those of the host, which gets a new `add`. */
        if (!group->wants_node || pass->stage == STAGE_INITRD ||
            pass->command_line.mode == SWITCH_PLAN)
                return 0;
        is_left = is_left_to_daemon(pass, event);
        r = apply_owner(pass, event, group, is_left);
        if (r < 0 && r != -ENOENT && !(r == -ENXIO && is_left))
                say_owner_problem(group, r);
        link_members(pass, group);
        return 0;
}
