/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "daemon/manager-internal.h"
#include "log/log.h"
#include "util/array.h"
#include "util/io.h"

/* Nodes that somebody else gives to another owner, as libvirt's dynamic ownership does when it
 * begins and when it ends. A change is seen by inotify. What the last work on the group gave the
 * node is what it should be; where there was none, what it was when its group came to rest.
 *
 *     changed ─ who has it open? ── somebody: theirs, until the next change
 *                     └─ nobody ─ the group's nodes are done again, in a worker ─ looked at anew
 *
 * After RESTORES_MAX times in RESTORES_USEC it is left as it is, and said so. */

#define RESTORES_MAX  3
#define RESTORES_USEC (600 * USEC_PER_SEC)

struct NodeMemory {
        int64_t group;
        ino_t inode;         /* 0: it has not been looked at yet */
        bool is_new;         /* made by the kernel, not seen as it should be yet */
        bool is_known;
        NodeStatus final;    /* if is_known: what it should be */
        bool is_restoring;
        NodeStatus found;    /* if is_restoring: what it was instead */
        NodeStatus asked;    /* what it was when it was asked who has it open */
        bool is_theirs;      /* somebody had it open when we looked */
        unsigned n_restored;
        uint64_t since_usec; /* of the first restore that counts */
        bool is_reported;
};

static bool status_equal(const NodeStatus *a, const NodeStatus *b)
{
        return a->exists == b->exists && a->uid == b->uid && a->gid == b->gid &&
               a->mode == b->mode;
}

static NodeMemory *find_memory(const Manager *manager, int64_t group)
{
        for (size_t i = 0; i < manager->n_nodes; i++)
                if (manager->nodes[i].group == group)
                        return &manager->nodes[i];
        return NULL;
}

static const NodeStatus *find_status(const View *view, int64_t group)
{
        for (size_t i = 0; i < view->n_nodes; i++)
                if (view->nodes[i].group == group)
                        return &view->nodes[i].status;
        return NULL;
}

/* Bound, with nothing underway: its node should be as it was left. */
static bool is_at_rest(const Manager *manager, const GroupPlan *group)
{
        GroupKey key = group_plan_key(group);

        return group->number >= 0 && group->wants_node && group->state == STATE_BOUND &&
               !group->has_work && !work_find_group(manager, &key);
}

static void plan_restore(GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++) {
                MemberPlan *member = &group->members[i];

                if (member->state != STATE_BOUND || !member->target)
                        continue;
                member->action = ACTION_ADOPT;
                group->has_work = true;
        }
}

static int restore(Manager *manager, NodeMemory *memory, const NodeStatus *found)
{
        const GroupPlan *shown = plan_find_group(manager->view->plan, memory->group);
        _cleanup_plan_ Plan *plan = NULL;
        GroupPlan *group;
        int r;

        manager_read_switch(manager);
        if (!shown || !is_at_rest(manager, shown) || !manager_acts_by_itself(manager))
                return 0;
        r = planner_plan(manager->view->snapshot, manager->view->config,
                &(PlanRequest){
                        .stage = STAGE_RUNTIME,
                        .only_function = &shown->members[0].device->address,
                },
                &plan);
        if (r < 0)
                return r;
        group = (GroupPlan *) plan_find_group(plan, memory->group);
        if (!group || group->has_work)
                return 0; /* the next reconcile has its own work for it */
        plan_restore(group);
        if (!work_filter(manager, plan, true))
                return 0;
        memory->is_restoring = true;
        memory->found = *found;
        return work_start(manager, manager->view, TAKE_POINTER(plan), NULL, 0);
}

static void on_holders(void *userdata, int error, const Holder *holders, size_t n)
{
        Manager *manager = userdata;
        NodeMemory *memory = find_memory(manager, manager->nodes_asked);
        const NodeStatus *status = find_status(manager->view, manager->nodes_asked);

        manager->nodes_asked = -1;
        manager_wake(manager); /* another one may have waited for its turn */
        if (!memory || !memory->is_known || !status)
                return;
        /* Who cannot be looked at may have it open. Changed while we asked: whoever had it may have
         * closed it before. */
        memory->is_theirs = error < 0 || n > 0;
        if (memory->is_theirs && !status_equal(status, &memory->asked)) {
                memory->is_theirs = false;
                return;
        }
        if (!memory->is_theirs && !status_equal(status, &memory->final) &&
            restore(manager, memory, status) < 0)
                log_warning("Cannot set /dev/vfio/%" PRIi64 " back, ignoring.", memory->group);
}

static void look_for_holders(Manager *manager, NodeMemory *memory, const NodeStatus *status)
{
        int64_t identifier;

        identifier = manager_list_holders(manager, memory->group, on_holders, manager);
        if (identifier >= 0) {
                manager->nodes_asked = memory->group;
                memory->asked = *status;
        } else
                log_debug("Cannot look who has /dev/vfio/%" PRIi64 " open, ignoring: %s",
                        memory->group, strerror((int) -identifier));
}

/* If we had set it back and it was that already, it had not been changed, only finished late (by
 * udev's helper). */
static void learn(NodeMemory *memory, const NodeStatus *status)
{
        bool was_changed = memory->is_restoring && !memory->is_new &&
                           !status_equal(status, &memory->found);

        memory->final = *status;
        memory->is_known = true;
        memory->is_restoring = false;
        memory->is_new = false;
        if (!was_changed)
                return;
        if (memory->n_restored++ == 0)
                memory->since_usec = now_monotonic();
        log_info("/dev/vfio/%" PRIi64 " had been given to %u:%u with mode %04o; set back to %u:%u, "
                 "%04o.",
                memory->group, memory->found.uid, memory->found.gid, memory->found.mode,
                status->uid, status->gid, status->mode);
}

/* A group that was emptied and filled again has another node: nobody has changed that one, it is
 * as the kernel made it until udev's helper has seen it. */
static void follow_node(NodeMemory *memory, const NodeStatus *status)
{
        if (memory->inode != 0 && memory->inode != status->inode) {
                memory->is_new = true;
                memory->is_theirs = false;
        }
        memory->inode = status->inode;
        if (memory->is_known && status_equal(status, &memory->final))
                memory->is_new = false;
}

static void judge(Manager *manager, NodeMemory *memory, const NodeStatus *status)
{
        follow_node(memory, status);
        if (!memory->is_known) {
                learn(memory, status);
                return;
        }
        /* until the next change; who has it then is asked when it is its turn */
        if (manager->nodes_touched)
                memory->is_theirs = false;
        if (status_equal(status, &memory->final) || manager->nodes_asked >= 0 || memory->is_theirs)
                return;
        if (memory->n_restored > 0 && memory->since_usec + RESTORES_USEC < now_monotonic()) {
                memory->n_restored = 0;
                memory->is_reported = false;
        }
        if (memory->n_restored < RESTORES_MAX) {
                look_for_holders(manager, memory, status);
                return;
        }
        if (!memory->is_reported)
                log_node_problem(memory->group, REASON_DRIFTED,
                        "somebody changes its owner again and again; it is left as it is. With "
                        "libvirt, see dynamic_ownership in qemu.conf.");
        memory->is_reported = true;
}

static int obtain_memory(Manager *manager, int64_t group, NodeMemory **ret)
{
        NodeMemory *memory = find_memory(manager, group);

        if (!memory) {
                int r = ARRAY_GROW(manager->nodes, manager->n_nodes);
                if (r < 0)
                        return r;
                memory = &manager->nodes[manager->n_nodes++];
                *memory = (NodeMemory){ .group = group };
        }
        *ret = memory;
        return 0;
}

void nodes_group_done(Manager *manager, const GroupReport *report)
{
        NodeMemory *memory = find_memory(manager, report->number);

        if (memory)
                memory->is_known = false;
        /* Without memory it is learnt when the group is seen at rest. */
        if (!report->node.is_known || obtain_memory(manager, report->number, &memory) < 0)
                return;
        learn(memory, &(NodeStatus){
                .exists = true,
                .uid = report->node.user,
                .gid = report->node.group,
                .mode = report->node.mode,
        });
}

static bool is_remembered_for(const Manager *manager, const View *view, int64_t number)
{
        const GroupPlan *group = plan_find_group(view->plan, number);
        GroupKey key = { .number = number };

        return group && group->wants_node &&
               (group->state == STATE_BOUND || work_find_group(manager, &key));
}

static void forget_gone(Manager *manager, const View *view)
{
        for (size_t i = manager->n_nodes; i-- > 0;)
                if (!is_remembered_for(manager, view, manager->nodes[i].group))
                        manager->nodes[i] = manager->nodes[--manager->n_nodes];
}

int nodes_update(Manager *manager, const View *view)
{
        forget_gone(manager, view);
        for (size_t i = 0; i < view->plan->n_groups; i++) {
                const GroupPlan *group = &view->plan->groups[i];
                const NodeStatus *status = find_status(view, group->number);
                NodeMemory *memory;
                int r;

                if (!manager_acts_by_itself(manager) || !status || !is_at_rest(manager, group))
                        continue;
                r = obtain_memory(manager, group->number, &memory);
                if (r < 0)
                        return r;
                judge(manager, memory, status);
        }
        manager->nodes_touched = false;
        return 0;
}

/* One event is enough until we look, which is done at a bearable rate: a node's owner may change it
 * as often as he likes. */
static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
        Manager *manager = userdata;

        manager->nodes_source = sd_event_source_disable_unref(manager->nodes_source);
        manager->nodes_touched = true;
        /* Our own workers touch them as well. */
        if (manager->works)
                manager_wake_after_events(manager);
        else
                manager_wake(manager);
        return 0;
}

void nodes_watch(Manager *manager)
{
        char path[64];
        int r;

        if (manager->nodes_source || !manager_acts_by_itself(manager))
                return;
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d/dev/vfio", manager->host->root);
        r = sd_event_add_inotify(manager->event, &manager->nodes_source, path,
                IN_ATTRIB | IN_ONLYDIR, on_inotify, manager);
        /* There is none before the first node; with it comes an event that brings us here. */
        if (r < 0 && r != -ENOENT)
                log_debug("Cannot watch /dev/vfio, ignoring: %s", strerror(-r));
}

void nodes_free(Manager *manager)
{
        sd_event_source_disable_unref(manager->nodes_source);
        free(manager->nodes);
}
