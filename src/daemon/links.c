/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "daemon/manager-internal.h"
#include "host/nodes.h"
#include "log/log.h"

/* Links to the nodes of functions that other programs take from VFIO and put back: a link that
 * leads nowhere is removed, one to a node that is there again is made again. What workers do, they
 * do with links and all; for a node that is new, the udev helper does it. */

static bool is_on_vfio(const MemberPlan *member)
{
        return driver_is_vfio(member->device->driver);
}

static void update_link(const Manager *manager, const GroupPlan *group, const MemberPlan *before,
        const MemberPlan *now)
{
        const PciAddress *address = &now->device->address;
        int r = 0;

        if (is_on_vfio(before) && !is_on_vfio(now))
                r = node_unlink(manager->host, address);
        else if (!is_on_vfio(before) && is_on_vfio(now) && now->state == STATE_BOUND)
                r = node_link(manager->host, address, group->number,
                        now->claim ? now->claim->name : NULL);
        if (r < 0)
                log_warning("Cannot update the links of %s in /dev/vfio, ignoring: %s",
                        PCI_ADDRESS_TEXT(address), strerror(-r));
}

void links_update(const Manager *manager, const View *view)
{
        for (size_t i = 0; manager->view && i < view->plan->n_groups; i++) {
                const GroupPlan *group = &view->plan->groups[i];
                GroupKey key = group_plan_key(group);

                if (group->number < 0 || work_find_group(manager, &key))
                        continue;
                for (size_t j = 0; j < group->n_members; j++) {
                        const MemberPlan *now = &group->members[j];
                        const MemberPlan *before = plan_find(manager->view->plan,
                                &now->device->address, NULL);

                        if (!before || before->device->inode != now->device->inode ||
                            !now->device->record || is_on_vfio(before) == is_on_vfio(now) ||
                            manager_worker_lives(manager, now->device))
                                continue;
                        update_link(manager, group, before, now);
                }
        }
}
