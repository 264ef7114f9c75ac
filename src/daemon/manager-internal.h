/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "core/host-devices.h"
#include "daemon/manager.h"
#include "daemon/uses-watch.h"
#include "daemon/watcher.h"
#include "exec/executor.h"
#include "host/kernel-command-line.h"

/* What the files of the manager share. One turn of the loop:
 *
 *     event, reload, request, deadline
 *           └─ manager_wake() ── deferred, coalesced ── manager_reconcile() [reconcile.c]
 *                 scan ─ judge (judge.c) ─ plan ─ work_start() (work.c) ─ settle (settle.c)
 *                                                      │                       │
 *     executor: group done ── work_group_done() ───────┘      manager_publish() (view.c)
 *           └─ manager_wake()                                        └─ listener, requests
 *
 * All functions that return int return 0 or a negative errno. */

/* A configuration that views and works share. */
struct SharedConfig {
        unsigned references;
        Config *config;
        char files_digest[sizeof(((Config *) NULL)->digest)]; /* of the files as they were read */
};
typedef struct SharedConfig SharedConfig;

SharedConfig *shared_config_ref(SharedConfig *shared);
SharedConfig *shared_config_unref(SharedConfig *shared);
DEFINE_CLEANUP(SharedConfig, shared_config_unref)

/* configuration.c: reads the files, applies the kernel command line, keeps the last good version
 * of claims with an error if there is a `previous` configuration. */
int configuration_read(const Host *host, const char *config_root, const KernelCommandLine *line,
        const SharedConfig *previous, SharedConfig **ret) _must_check_;
/* Are the files as they were when they were read last? Sets the manager's configuration_state.
 * Returns 1 if that has changed, 0, or a negative errno. */
int configuration_look(Manager *manager) _must_check_;
/* What the next boot will read, were the files as they are now: nothing of /run, and no last good
 * version of what has errors. Returns as configuration_read(). */
int configuration_read_next_boot(const Host *host, const char *config_root,
        const KernelCommandLine *line, SharedConfig **ret) _must_check_;

/* A group, as it is named over several snapshots: its number, or without one its only function. */
typedef struct GroupKey {
        int64_t number;
        PciAddress function; /* the first one */
} GroupKey;

static inline GroupKey group_plan_key(const GroupPlan *group)
{
        return (GroupKey){ .number = group->number,
                .function = group->members[0].device->address };
}

bool group_key_equal(const GroupKey *a, const GroupKey *b);

/* A plan handed to the executor; kept until the executor is idle, because it points into them. */
typedef struct Work Work;
struct Work {
        Work *next;
        View *view; /* whose snapshot and configuration the plan was made from */
        Plan *plan;
        ClaimSettings *settings; /* of a request by hand, NULL: none */
        int64_t request;         /* identifier of the request it serves, 0: the daemon's own */
        size_t n_open;           /* groups and physical functions that have not been reported */
        bool *group_done;        /* per group of the plan: has no work, or was reported */
        bool *pf_done;           /* per physical function of the plan, likewise */
};

/* What was tried for a group last, so that the same is not tried for ever. */
typedef struct Attempt Attempt;

/* A function that was announced as new, or appeared in a scan; it counts as hot-plugged once both
 * are true. */
typedef struct Arrival {
        PciAddress address;
        uint64_t inode; /* 0: announced, not seen yet */
        bool announced;
        uint64_t since_usec; /* CLOCK_MONOTONIC */
} Arrival;

/* Something about a device instance at a moment, CLOCK_MONOTONIC. */
typedef struct Moment {
        PciAddress address;
        uint64_t inode;
        uint64_t usec;
} Moment;

typedef struct Moments {
        Moment *items;
        size_t n_items;
} Moments;

/* A group whose transaction was cut off. */
typedef struct Intent {
        int64_t group;
        ResumeCount count;   /* as it is in the file, or should be: */
        bool is_uncounted;   /* it could not be written */
        uint64_t look_usec;  /* CLOCK_MONOTONIC: when to see whether its worker still lives */
        uint64_t pause_usec; /* before that look; 0: the worker was not seen yet */
} Intent;

typedef struct ApplyCall ApplyCall;
typedef struct Lookup Lookup;
typedef struct NodeMemory NodeMemory;
typedef struct StuckMemory StuckMemory;
typedef struct HostNeeds HostNeeds;
#define INITRAMFS_N_WATCHES 11

struct Manager {
        sd_event *event;
        const Host *host;
        char *config_root;
        Operations operations;
        bool may_act; /* false: a saved tree, everything is only read */
        KernelCommandLine command_line;
        const char *interrupt_remapping; /* as in the view */
        const char *initramfs_state, *booted_initramfs_state; /* likewise; initramfs.c */
        const char *configuration_state; /* likewise; configuration.c */
        sd_event_source *initramfs_watches[INITRAMFS_N_WATCHES], *initramfs_timer;
        bool is_enabled; /* the switch of the boot service; else only requests act */

        SharedConfig *config;
        char config_digest[sizeof(((Config *) NULL)->digest)]; /* the executor points here */
        View *view;
        unsigned asked_facts; /* beside what the configuration needs, for a request */
        uint64_t generation;
        ManagerListener listener;
        uint64_t started_usec; /* CLOCK_MONOTONIC */
        bool is_settled;

        Watcher *watcher;
        UsesWatch *uses_watch;
        HostNeeds *needs; /* host-needs.c; NULL: a saved tree */
        sd_event_source *needs_writing; /* while their record is being written */
        uint64_t coming_until_usec; /* CLOCK_MONOTONIC: virtual-functions.c */
        int watching; /* tells the helper that the watcher is ours; -1: not told */
        sd_event_source *wake_deferred, *wake_timer; /* reconcile.c */
        uint64_t next_scan_usec;                     /* not before: a scan took long */
        uint64_t wake_usec, events_since_usec;       /* USEC_INFINITY: none */
        sd_event_source *deadline_timer;             /* settle.c */

        Executor *executor;
        sd_event_source *executor_source;
        Work *works;
        Attempt *attempts;
        size_t n_attempts;

        Arrival *arrivals;
        size_t n_arrivals;
        Moments waiting; /* for workers that are not ours: when they are late */
        Moments drifts;  /* when a function was taken from us last */
        Moments departures; /* that lost their driver: until when they may be about to go */
        Moments unbindings; /* that other programs began and that have not returned: since when */
        Moments accounts_asked; /* functions whose node's accounts were asked of the name service */
        StuckMemory *stuck; /* devices that are stuck, and who keeps them */
        sd_event_source *coldplug_watch, *coldplug_timer; /* coldplug.c; NULL: it is over */
        Intent *intents; /* that are left of transactions which were cut off */
        size_t n_intents;

        Plan *dry_runs[4]; /* of the present view, see manager_plan(); NULL: not asked for */
        SharedConfig *next_boot_config; /* of those for the next boot; NULL: not asked for */

        ApplyCall *applies;
        sd_event_source *apply_deferred;
        Lookup *lookups; /* for holders of nodes */
        int64_t last_identifier;

        NodeMemory *nodes; /* what the nodes of groups at rest should be */
        size_t n_nodes;
        sd_event_source *nodes_source; /* inotify on /dev/vfio */
        bool nodes_touched;            /* since the last look */
        int64_t nodes_asked;           /* the group whose holders are looked for, -1: none */
};

/* manager.c. Tests come in here, with operations of their own. */
typedef struct ManagerOptions {
        const char *config_root; /* NULL: the host's root */
        const Operations *operations;
        bool may_act; /* else nothing is written, and no worker started */
        bool watch;   /* install the udev monitor */
} ManagerOptions;
int manager_new_with_options(sd_event *event, const Host *host, const ManagerOptions *options,
        Manager **ret) _must_check_;
/* What the watcher calls for each event. */
void manager_handle_event(void *userdata, const WatcherEvent *event);
/* Not switched off by kernel command line, nor a saved tree. */
bool manager_may_execute(const Manager *manager);
/* The switch may be turned while the daemon runs: asked right before anything is done unasked. */
void manager_read_switch(Manager *manager);
/* … and enabled: acts by itself. */
bool manager_acts_by_itself(const Manager *manager);
int64_t manager_next_identifier(Manager *manager);

/* view.c */
int view_new(SharedConfig *config, View **ret) _must_check_;
GroupPlan *view_find_group(View *view, const GroupKey *key);
/* Reads the nodes of the snapshot's groups. */
int view_read_nodes(View *view, const Host *host) _must_check_;
/* Shows the groups that are being worked on as such. */
void view_show_work(View *view, Manager *manager);
/* Shows what came of a group instead of the work that the plan still sees. */
void view_show_outcome(View *view, GroupPlan *group, State state, Reason reason, const char *text);
/* Shows the drifted members of a group as about to go. */
void plan_show_departing(Plan *plan, GroupPlan *group);
void view_show_pf_outcome(PhysicalFunctionPlan *pf, State state, Reason reason, const char *text);
/* Counts the claims, finds the state. */
void view_summarize(View *view);
/* Replaces the manager's view and tells everybody. Takes the reference. */
void manager_publish(Manager *manager, View *view);

/* announce.c: logs what changed from one view to the next; `old` NULL: the first one. */
void announce_changes(const View *old, const View *new);

/* reconcile.c */
int reconcile_prepare(Manager *manager) _must_check_; /* makes the event sources */
void manager_wake(Manager *manager);                  /* a reconcile is due now */
void manager_wake_after_events(Manager *manager);     /* … when no more events come */
int manager_reconcile(Manager *manager) _must_check_;
/* A new view, not published: scanned now, planned without leave to unbind. */
int manager_look(Manager *manager, View **ret) _must_check_;
/* Completes such a view with what is underway, and publishes it. */
int manager_show(Manager *manager, View *view) _must_check_;

/* judge.c: what a snapshot alone does not show. */
int arrivals_announce(Manager *manager, const PciAddress *address) _must_check_;
/* Compares with the present view; forgets what is gone. */
int arrivals_update(Manager *manager, const Snapshot *snapshot) _must_check_;
/* Forgets what the plan has nothing left to do for. */
void arrivals_settle(Manager *manager, const Plan *plan);
/* The hot-plugged functions, an array that the caller frees. */
int arrivals_list(const Manager *manager, PciAddress **ret, size_t *ret_n) _must_check_;
/* Functions whose record says that a worker is at them, though none of ours is: past the claim's
 * Timeout the record is closed (probe-failed; stuck, while the worker still lives). */
int waiting_update(Manager *manager, Snapshot *snapshot) _must_check_;
/* Since when this is so, by the list: `now` if it was not in it. */
int moments_since(Moments *moments, const Device *device, uint64_t now, uint64_t *ret)
        _must_check_;
void moments_forget(Moments *moments, const Device *device);
void moments_forget_gone(Moments *moments, const Snapshot *snapshot);
/* Whether a worker, of whatever program of ours, is at its group. */
bool manager_worker_lives(const Manager *manager, const Device *device);
/* The next moment at which waiting_update(), stuck_update() or departures_wait() has something to
 * say; USEC_INFINITY: none. */
uint64_t waiting_deadline(const Manager *manager);
int drift_update(Manager *manager, Snapshot *snapshot) _must_check_;
/* Functions that have just lost their driver are not called drifted before it is clear that they
 * stay: in a plan they are shown as releasing, and nothing is done about them. */
int departures_wait(Manager *manager, const Snapshot *snapshot, Plan *plan) _must_check_;
/* Accounts that whoever came before did not know (from files; before us, the name service may not
 * have been there): plans to have their nodes done again, by a worker that asks the name service,
 * once for each function. */
void accounts_plan(Manager *manager, const Snapshot *snapshot, Plan *plan);
int accounts_note(Manager *manager, const Plan *work) _must_check_;
/* Counts, in their records, functions that somebody took from us since the present view. */
int drift_record(Manager *manager, const View *view) _must_check_;

/* attempt.c */
bool attempt_allowed(const Manager *manager, const GroupPlan *group);
bool attempt_allowed_pf(const Manager *manager, const PhysicalFunctionPlan *pf);
int attempt_note(Manager *manager, const GroupPlan *group) _must_check_;
int attempt_note_pf(Manager *manager, const PhysicalFunctionPlan *pf) _must_check_;
void attempt_report(Manager *manager, const GroupPlan *group, const GroupReport *report);
void attempt_report_pf(Manager *manager, const PhysicalFunctionReport *report);
void attempts_show(Manager *manager, View *view);
void attempts_forget(Manager *manager);

/* work.c */
int work_prepare(Manager *manager) _must_check_; /* makes the executor */
/* Removes from a plan what is being worked on already and, unless it was asked for, what was tried
 * before without a change since. Returns whether work is left. */
bool work_filter(Manager *manager, Plan *plan, bool is_request);
/* Takes a group's work out of a plan. */
void work_drop_group(GroupPlan *group);
/* Hands the plan to the executor; takes plan and settings, on failure too. */
int work_start(Manager *manager, View *view, Plan *plan, ClaimSettings *settings, int64_t request)
        _must_check_;
/* Who works on the group; NULL: nobody. */
const Work *work_find(const Manager *manager, const GroupKey *key, size_t *ret_index);
const GroupPlan *work_find_group(const Manager *manager, const GroupKey *key);
bool work_has_physical_function(const Manager *manager, const PciAddress *address);
bool work_has_physical_functions(const Manager *manager);
bool work_is_open(const Manager *manager, int64_t request);
void works_free(Manager *manager);

/* virtual-functions.c: the kernel has made this virtual function, or all of this PF: then the work
 * that is due for them is started. */
int virtual_functions_changed(Manager *manager, const PciAddress *address) _must_check_;
/* The kernel is making virtual functions: what is seen of the machine now is out of date soon. */
bool virtual_functions_are_coming(const Manager *manager);
/* Tells the helper that this daemon completes virtual functions, or that it does not. */
void virtual_functions_watch(Manager *manager);

/* recover.c: groups whose transaction was cut off. */
int recover_prepare(Manager *manager) _must_check_;
int recover_resume(Manager *manager, View *view) _must_check_;
/* The next moment at which it may have something to do; USEC_INFINITY: none. */
uint64_t recover_deadline(const Manager *manager);

/* coldplug.c: whether host drivers were offered what was there at the start. */
int coldplug_prepare(Manager *manager) _must_check_;
bool coldplug_is_over(const Manager *manager);
void coldplug_done(Manager *manager);

/* host-needs.c: the record of what the host needs */
int host_needs_prepare(Manager *manager) _must_check_;
/* Renews it from a view whose functions the guard has looked at. */
int host_needs_update(Manager *manager, const View *view) _must_check_;
/* What it says; borrowed, NULL: there is none. */
const HostDevices *host_needs_recorded(const Manager *manager);
HostNeeds *host_needs_free(HostNeeds *needs);
DEFINE_CLEANUP(HostNeeds, host_needs_free)

/* settle.c */
void settle_update(Manager *manager, View *view);
/* Arms the one timer for whatever is next. */
int settle_arm(Manager *manager) _must_check_;

/* request.c */
bool request_concerns(const ApplyRequest *request, const GroupPlan *group);
/* -ENOENT: no such function or claim; -EINVAL: by hand, but for no function. */
int request_check(const View *view, const ApplyRequest *request) _must_check_;
/* Does it hand devices to user space? */
bool request_driver_is_allowed(const Manager *manager, const char *driver);
/* Settings for a bind by hand: the claim's or [Defaults], and what the request says instead. */
int request_make_settings(const View *view, const ApplyRequest *request, ClaimSettings **ret)
        _must_check_;
ClaimSettings *settings_free(ClaimSettings *settings);
DEFINE_CLEANUP(ClaimSettings, settings_free)
int request_plan(const View *view, const ApplyRequest *request, const ClaimSettings *settings,
        Plan **ret) _must_check_;
void request_set_no_probe(Plan *plan);
void dry_runs_forget(Manager *manager);
/* Those for the next boot: the files have changed that it will read. */
void dry_runs_forget_next_boot(Manager *manager);

/* apply.c */
int applies_prepare(Manager *manager) _must_check_;
void applies_group_done(Manager *manager, int64_t request, const GroupReport *report);
/* After a view was published: starts what waited, finishes what is done. */
void applies_published(Manager *manager);
void applies_free(Manager *manager);

/* holders.c */
void lookups_free(Manager *manager);

/* links.c: of functions that others move; compares with the present view. */
void links_update(const Manager *manager, const View *view);

/* stuck.c: devices that do not come back. */
/* Functions that another program unbinds from vfio for more than a moment: they are stuck. */
int stuck_update(Manager *manager, Snapshot *snapshot) _must_check_;
/* Says who keeps them, as far as that is known; looks for it. */
int stuck_show(Manager *manager, View *view) _must_check_;
void stuck_free(Manager *manager);

/* nodes.c: nodes that somebody else changes. */
void nodes_watch(Manager *manager); /* before they are read, so that no change is missed */
int nodes_update(Manager *manager, const View *view) _must_check_;
/* A worker is through with the group: what it gave the node is right. */
void nodes_group_done(Manager *manager, const GroupReport *report);
void nodes_free(Manager *manager);

/* initramfs.c: the states of the initramfs, kept current from here on. */
int initramfs_prepare(Manager *manager) _must_check_;
void initramfs_done(Manager *manager);
