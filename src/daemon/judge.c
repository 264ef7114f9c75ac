/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/manager-internal.h"
#include "host/store.h"
#include "log/log.h"
#include "log/message-ids.h"
#include "util/array.h"
#include "util/io.h"
#include "util/strings.h"

/* What one snapshot alone does not show, because it takes memory or time to judge:
 *
 * - which functions came into being just now. The event and the scan that first shows the function
 *   come in any order; both are needed: a function that a scan missed is not new, and neither is
 *   one whose event was replayed;
 * - whether a worker that is not ours, the udev helper's or of a daemon before this one, is late;
 * - whether a worker that was given up has come back;
 * - how often a function was taken from us lately;
 * - whether a function that lost its driver was taken from us, or is being removed: the kernel
 *   unbinds it first (`unbind`, then `remove`: device_del() in drivers/base/core.c). */

/* An announcement or appearance without its counterpart counts for nothing after this time. */
#define ARRIVAL_USEC (60 * USEC_PER_SEC)
/* DESIGN §5: OnDrift=reclaim, at most three times in this time. */
#define DRIFT_USEC (600 * USEC_PER_SEC)
/* A worker that was given up ends a moment after the event that shows its return. */
#define RETURN_USEC (1 * USEC_PER_SEC)
/* Between losing its driver and being removed a function has less than that. */
#define DEPARTURE_USEC (1 * USEC_PER_SEC)

static bool is_same_instance(const Device *device, uint64_t inode)
{
        return device && device->inode == inode;
}

static Arrival *find_arrival(const Manager *manager, const PciAddress *address)
{
        for (size_t i = 0; i < manager->n_arrivals; i++)
                if (pci_address_equal(&manager->arrivals[i].address, address))
                        return &manager->arrivals[i];
        return NULL;
}

static int add_arrival(Manager *manager, const PciAddress *address, Arrival **ret)
{
        int r;

        r = ARRAY_GROW(manager->arrivals, manager->n_arrivals);
        if (r < 0)
                return r;
        *ret = &manager->arrivals[manager->n_arrivals++];
        **ret = (Arrival){ .address = *address, .since_usec = now_monotonic() };
        return 0;
}

static void remove_arrival(Manager *manager, size_t index)
{
        manager->arrivals[index] = manager->arrivals[--manager->n_arrivals];
}

int arrivals_announce(Manager *manager, const PciAddress *address)
{
        Arrival *arrival = find_arrival(manager, address);
        int r;

        if (!arrival) {
                r = add_arrival(manager, address, &arrival);
                if (r < 0)
                        return r;
        }
        arrival->announced = true;
        return 0;
}

static int note_appearance(Manager *manager, const Device *device)
{
        Arrival *arrival = find_arrival(manager, &device->address);
        int r;

        if (!arrival) {
                r = add_arrival(manager, &device->address, &arrival);
                if (r < 0)
                        return r;
        }
        arrival->inode = device->inode;
        return 0;
}

int arrivals_update(Manager *manager, const Snapshot *snapshot)
{
        uint64_t now = now_monotonic();

        /* What is there at the first look was there before us. */
        for (size_t i = 0; manager->view && i < snapshot->n_devices; i++) {
                const Device *device = &snapshot->devices[i];
                int r;

                if (is_same_instance(snapshot_find(manager->view->snapshot, &device->address),
                            device->inode))
                        continue;
                r = note_appearance(manager, device);
                if (r < 0)
                        return r;
        }
        for (size_t i = manager->n_arrivals; i-- > 0;) {
                const Arrival *arrival = &manager->arrivals[i];
                const Device *device = snapshot_find(snapshot, &arrival->address);

                if (arrival->since_usec + ARRIVAL_USEC < now ||
                    (arrival->inode != 0 && !is_same_instance(device, arrival->inode)))
                        remove_arrival(manager, i);
        }
        return 0;
}

static bool is_hotplugged(const Arrival *arrival)
{
        return arrival->announced && arrival->inode != 0;
}

/* Only what may still be decided keeps the leave to unbind that comes with being new. */
void arrivals_settle(Manager *manager, const Plan *plan)
{
        for (size_t i = manager->n_arrivals; i-- > 0;) {
                const GroupPlan *group;
                const MemberPlan *member;

                if (!is_hotplugged(&manager->arrivals[i]))
                        continue;
                member = plan_find(plan, &manager->arrivals[i].address, &group);
                if (member && (group->has_work ||
                                      member->reason == REASON_DEFERRED_TO_NEXT_STAGE))
                        continue;
                remove_arrival(manager, i);
        }
}

int arrivals_list(const Manager *manager, PciAddress **ret, size_t *ret_n)
{
        PciAddress *list;
        size_t n = 0;

        list = calloc(manager->n_arrivals + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < manager->n_arrivals; i++)
                if (is_hotplugged(&manager->arrivals[i]))
                        list[n++] = manager->arrivals[i].address;
        *ret = list;
        *ret_n = n;
        return 0;
}

static Moment *find_moment(const Moments *moments, const Device *device)
{
        for (size_t i = 0; i < moments->n_items; i++)
                if (pci_address_equal(&moments->items[i].address, &device->address) &&
                    moments->items[i].inode == device->inode)
                        return &moments->items[i];
        return NULL;
}

static int note_moment(Moments *moments, const Device *device, uint64_t usec)
{
        Moment *moment = find_moment(moments, device);
        int r;

        if (!moment) {
                r = ARRAY_GROW(moments->items, moments->n_items);
                if (r < 0)
                        return r;
                moment = &moments->items[moments->n_items++];
        }
        *moment = (Moment){ .address = device->address, .inode = device->inode, .usec = usec };
        return 0;
}

void moments_forget(Moments *moments, const Device *device)
{
        Moment *moment = find_moment(moments, device);

        if (moment)
                *moment = moments->items[--moments->n_items];
}

int moments_since(Moments *moments, const Device *device, uint64_t now, uint64_t *ret)
{
        const Moment *moment = find_moment(moments, device);
        int r = 0;

        if (!moment)
                r = note_moment(moments, device, now);
        if (r >= 0)
                *ret = moment ? moment->usec : now;
        return r;
}

void moments_forget_gone(Moments *moments, const Snapshot *snapshot)
{
        for (size_t i = moments->n_items; i-- > 0;) {
                const Moment *moment = &moments->items[i];

                if (!is_same_instance(snapshot_find(snapshot, &moment->address), moment->inode))
                        moments->items[i] = moments->items[--moments->n_items];
        }
}

static uint64_t device_timeout(const Config *config, const Device *device)
{
        const Claim *claim = NULL;

        if (device->record->claim)
                claim = config_find_claim(config, device->record->claim);
        return claim ? claim->settings.timeout_usec : config->defaults.timeout_usec;
}

static int close_record(const Manager *manager, Device *device, State state, Reason reason,
        const char *text)
{
        LogFields fields = LOG_FIELDS_NONE;
        DeviceRecord *record = device->record;
        int r;

        fields.message_id = state == STATE_STUCK ? MESSAGE_DEVICE_STUCK : MESSAGE_DEVICE_FAILED;
        fields.device = &device->address;
        fields.group = device->group;
        fields.claim = record->claim;
        fields.from = state_to_string(record->state);
        fields.to = state_to_string(state);
        fields.reason = reason;
        log_full(LOG_ERR, &fields, "%s (%04x:%04x) %s, %s: %s",
                PCI_ADDRESS_TEXT(&device->address), device->vendor, device->device,
                state_to_string(state), reason_to_string(reason), text);

        record->state = state;
        record->reason = reason;
        record->hotplug_pending = false;
        r = replace_string(&record->reason_text, text);
        if (r < 0)
                return r;
        r = replace_string(&record->config_digest, manager->config_digest);
        if (r < 0)
                return r;
        if (!manager->may_act)
                return 0;
        /* without room on /run it is judged again at every look, but it is looked */
        r = store_save(manager->host, &device->address, device->inode, record);
        if (r < 0)
                log_warning("Cannot write the record of %s in /run/vfio-bindd, ignoring: %s",
                        PCI_ADDRESS_TEXT(&device->address), strerror(-r));
        return r == -ENOMEM ? r : 0;
}

/* The lock of the group says whether a worker lives: it is held for as long as it does. */
bool manager_worker_lives(const Manager *manager, const Device *device)
{
        _cleanup_close_ int lock = -1;

        if (!manager->may_act || device->group < 0)
                return false;
        lock = store_lock_group(manager->host, device->group, false);
        return lock == -EWOULDBLOCK;
}

static int judge_late_worker(Manager *manager, Device *device)
{
        if (manager_worker_lives(manager, device))
                return close_record(manager, device, STATE_STUCK, REASON_WORKER_TIMEOUT,
                        "a worker is at it and does not come back");
        return close_record(manager, device, STATE_FAILED, REASON_PROBE_FAILED,
                "no driver took it within its Timeout=");
}

static int wait_for_worker(Manager *manager, Device *device, uint64_t now)
{
        const Moment *moment = find_moment(&manager->waiting, device);
        uint64_t deadline;

        deadline = moment ? moment->usec : now + device_timeout(manager->config->config, device);
        if (now < deadline)
                return moment ? 0 : note_moment(&manager->waiting, device, deadline);
        moments_forget(&manager->waiting, device);
        return judge_late_worker(manager, device);
}

static int judge_stuck(Manager *manager, Device *device, uint64_t now)
{
        const Moment *moment = find_moment(&manager->waiting, device);

        if (manager_worker_lives(manager, device)) {
                /* Perhaps the event of its return caused this scan: look once more. */
                if (!moment || now > moment->usec + RETURN_USEC)
                        return note_moment(&manager->waiting, device, now + RETURN_USEC);
                return 0;
        }
        moments_forget(&manager->waiting, device);
        return close_record(manager, device, STATE_FAILED, REASON_WORKER_TIMEOUT,
                "its worker came back after the time had passed");
}

/* A worker changes the driver before the record, and what it does is nobody's drift; a record that
 * were written meanwhile would outlive the worker's own. */
static bool is_at_work(const Manager *manager, const Device *device)
{
        GroupKey key = { .number = device->group, .function = device->address };

        return work_find_group(manager, &key);
}

/* Where a worker takes it from one driver to another, no outcome says so yet. One that a daemon
 * before this one left behind has nobody who gives it up when it does not come back. */
static bool is_between_drivers(const Manager *manager, const Device *device)
{
        const DeviceRecord *record = device->record;

        return record && record->has_original && !device_record_is_for_autoprobe_alone(record) &&
               !device->driver && record->state != STATE_DETACHED &&
               record->state != STATE_PENDING && manager_worker_lives(manager, device);
}

int waiting_update(Manager *manager, Snapshot *snapshot)
{
        uint64_t now = now_monotonic();

        moments_forget_gone(&manager->waiting, snapshot);
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                Device *device = &snapshot->devices[i];
                State state = device->record ? device->record->state : STATE_UNCLAIMED;
                int r = 0;

                if (is_at_work(manager, device))
                        continue;
                if (state == STATE_BINDING || state == STATE_RELEASING)
                        r = wait_for_worker(manager, device, now);
                else if (state == STATE_STUCK)
                        r = judge_stuck(manager, device, now);
                else if (is_between_drivers(manager, device))
                        r = wait_for_worker(manager, device, now);
                else
                        moments_forget(&manager->waiting, device);
                if (r < 0)
                        return r;
        }
        return 0;
}

static uint64_t next_moment(const Moments *moments, uint64_t now, uint64_t deadline)
{
        for (size_t i = 0; i < moments->n_items; i++)
                /* One that has passed was a stuck worker's second look, or is a drift. */
                if (moments->items[i].usec > now && moments->items[i].usec < deadline)
                        deadline = moments->items[i].usec;
        return deadline;
}

/* (A function that is being unbound is departing since the same moment.) */
uint64_t waiting_deadline(const Manager *manager)
{
        uint64_t now = now_monotonic();

        return next_moment(&manager->departures, now,
                next_moment(&manager->waiting, now, USEC_INFINITY));
}

/* Not one that was there when the daemon started. */
static int is_departing(Manager *manager, const Device *device, uint64_t now)
{
        const Moment *moment = find_moment(&manager->departures, device);
        uint64_t until = manager->view ? now + DEPARTURE_USEC : now;
        int r;

        if (moment)
                return now < moment->usec;
        r = note_moment(&manager->departures, device, until);
        return r < 0 ? r : now < until;
}

static bool has_drifted(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].state == STATE_DRIFTED)
                        return true;
        return false;
}

/* Whether all that makes the group drifted may be about to go, or is a worker's doing that was
 * not started by this daemon. */
static int group_is_departing(Manager *manager, const GroupPlan *group, uint64_t now)
{
        bool any = false;

        if (has_drifted(group) && !is_at_work(manager, group->members[0].device) &&
            manager_worker_lives(manager, group->members[0].device))
                return 1;

        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];
                int r;

                if (member->state != STATE_DRIFTED) {
                        moments_forget(&manager->departures, member->device);
                        continue;
                }
                if (member->device->driver)
                        return 0;
                r = is_departing(manager, member->device, now);
                if (r <= 0)
                        return r;
                any = true;
        }
        return any;
}

int departures_wait(Manager *manager, const Snapshot *snapshot, Plan *plan)
{
        uint64_t now = now_monotonic();

        moments_forget_gone(&manager->departures, snapshot);
        for (size_t i = 0; i < plan->n_groups; i++) {
                int r = group_is_departing(manager, &plan->groups[i], now);

                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                work_drop_group(&plan->groups[i]);
                plan_show_departing(plan, &plan->groups[i]);
        }
        return 0;
}

static bool is_to_be_asked(const Manager *manager, const MemberPlan *member)
{
        return member->action == ACTION_NONE && member->state == STATE_BOUND && member->target &&
               member->reason == REASON_ACCOUNT_UNKNOWN &&
               !find_moment(&manager->accounts_asked, member->device);
}

void accounts_plan(Manager *manager, const Snapshot *snapshot, Plan *plan)
{
        moments_forget_gone(&manager->accounts_asked, snapshot);
        for (size_t i = 0; i < plan->n_groups; i++) {
                GroupPlan *group = &plan->groups[i];

                /* with other work, the node is done along with it */
                if (group->has_work || !group->wants_node)
                        continue;
                for (size_t j = 0; j < group->n_members; j++)
                        if (is_to_be_asked(manager, &group->members[j])) {
                                group->members[j].action = ACTION_ADOPT;
                                group->has_work = true;
                        }
        }
}

int accounts_note(Manager *manager, const Plan *work)
{
        for (size_t i = 0; i < work->n_groups; i++) {
                const GroupPlan *group = &work->groups[i];

                for (size_t j = 0; group->has_work && j < group->n_members; j++) {
                        int r = 0;

                        if (group->members[j].action != ACTION_NONE)
                                r = note_moment(&manager->accounts_asked, group->members[j].device,
                                        0);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Counts again from nothing where the last time is long ago. */
int drift_update(Manager *manager, Snapshot *snapshot)
{
        uint64_t now = now_monotonic();

        moments_forget_gone(&manager->drifts, snapshot);
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                const Device *device = &snapshot->devices[i];
                const Moment *moment = find_moment(&manager->drifts, device);
                int r;

                if (!device->record || device->record->drift_count == 0)
                        continue;
                if (moment && moment->usec + DRIFT_USEC < now)
                        device->record->drift_count = 0;
                if (moment)
                        continue;
                r = note_moment(&manager->drifts, device, now);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool drifted_before(const Manager *manager, const MemberPlan *member)
{
        const MemberPlan *before = NULL;

        if (manager->view)
                before = plan_find(manager->view->plan, &member->device->address, NULL);
        return before && before->state == STATE_DRIFTED &&
               before->device->inode == member->device->inode;
}

int drift_record(Manager *manager, const View *view)
{
        for (size_t i = 0; i < view->snapshot->n_devices; i++) {
                const Device *device = &view->snapshot->devices[i];
                const MemberPlan *member = plan_find(view->plan, &device->address, NULL);
                int r;

                if (!manager->may_act || !member || member->state != STATE_DRIFTED ||
                    !device->record || is_at_work(manager, device) ||
                    drifted_before(manager, member))
                        continue;
                device->record->drift_count++;
                r = note_moment(&manager->drifts, device, now_monotonic());
                if (r < 0)
                        return r;
                r = store_save(manager->host, &device->address, device->inode, device->record);
                if (r < 0)
                        log_warning("Cannot note that %s was taken from us, ignoring: %s",
                                PCI_ADDRESS_TEXT(&device->address), strerror(-r));
        }
        return 0;
}
