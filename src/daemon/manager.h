/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/planner.h"
#include "host/nodes.h"

/* The daemon's state: configuration, last snapshot, last plan; reconcile = scan, plan, execute,
 * publish. Knows nothing of D-Bus; bus/ watches it through ManagerListener. */

typedef struct sd_event sd_event;
typedef struct Manager Manager;

/* The node of one IOMMU group, as the file system shows it. */
typedef struct GroupNode {
        int64_t group;
        NodeStatus status; /* exists is true */
} GroupNode;

/* One moment, complete and never changed after it is published. Counted references. */
typedef struct View {
        unsigned references;
        uint64_t generation;
        Config *config; /* belongs to shared_config */
        Snapshot *snapshot; /* with SNAPSHOT_FACT_DETAILS, _NAMES, _HOST_DRIVERS */
        Plan *plan;         /* with request.may_unbind = false: what is and what waits */
        bool settled;       /* the boot's claims are settled */
        const char *state;  /* "starting" "running" "degraded" */
        unsigned n_bound, n_refused, n_failed, n_stuck, n_absent, n_pending; /* claims */

        GroupNode *nodes; /* the /dev/vfio/N that exist, sorted by group */
        size_t n_nodes;
        bool has_device_nodes; /* /dev/vfio/devices exists: this kernel makes device nodes */
        /* The words of DESIGN §10; static strings; NULL: nobody looked, shown as "unknown". */
        const char *interrupt_remapping;    /* "yes" "no" */
        const char *initramfs_state; /* "current" "stale" "missing" "unused" "unknown" */
        const char *booted_initramfs_state; /* of the initramfs that this boot came from */
        const char *configuration_state;    /* "current" "changed" since it was read */

        struct SharedConfig *shared_config; /* the daemon's own: several views share one */
} View;

View *view_ref(View *view);
View *view_unref(View *view);
DEFINE_CLEANUP(View, view_unref)

typedef struct ManagerListener {
        /* A new view replaces the old one (NULL the first time). Called from the event loop. */
        void (*changed)(void *userdata, View *old, View *new);
        void *userdata;
        /* Asks the service manager how the system is; the answer, or that there is none, goes to
         * manager_take_system_state(), from the event loop and never from within. Returns 0, or a
         * negative errno: nobody can be asked. May be NULL, as if nobody could. */
        int (*ask_system_state)(void *userdata);
} ManagerListener;

typedef enum SystemState {
        SYSTEM_UNKNOWN, /* being booted, in rescue mode, or nobody tells */
        SYSTEM_UP,
        SYSTEM_STOPPING, /* a shutdown has begun */
} SystemState;
void manager_take_system_state(Manager *manager, SystemState state);

/* Installs the monitor and reads the configuration (below config_root, NULL: the host's root); the
 * first view comes from the loop. With a host that is not live everything is only read. The host
 * must outlive the manager. Returns 0 or a negative errno. */
int manager_new(sd_event *event, const Host *host, const char *config_root, Manager **ret)
        _must_check_;
/* Before the end: does what it had taken on itself and has not begun, for a few seconds at most. */
void manager_finish(Manager *manager);
/* Workers that are at a group finish it by themselves. */
Manager *manager_free(Manager *manager);
DEFINE_CLEANUP(Manager, manager_free)
void manager_set_listener(Manager *manager, const ManagerListener *listener);
View *manager_view(Manager *manager); /* borrowed; NULL before the first scan */

/* Reads the configuration again; with errors the claims concerned keep their last good version.
 * Never unbinds. Returns 0; -EBADMSG if there are errors (the rest is in force all the same, and
 * the next view names them); or another negative errno: everything stays as it was, or what was
 * read is in force and shown as soon as the machine can be looked at. */
int manager_reload(Manager *manager);

/* One outcome per object that the request touched, for the reply of Apply and Bind. */
typedef struct ApplyResult {
        const PciAddress *addresses;
        const State *states;
        const Reason *reasons;
        const char *const *texts; /* what is in the way, and a remedy; NULL: no more to say */
        size_t n;
} ApplyResult;
typedef void (*ManagerApplyDone)(void *userdata, int error, const ApplyResult *result);

typedef struct ApplyRequest {
        char *const *claims; /* NULL or empty: all */
        bool prune;
        const PciAddress *function; /* NULL: all; else the group of this function */
        uint64_t inode; /* of `function`: -ENOENT if it is another one by then; 0: whichever */
        /* With `function` only, a request by hand that is honoured until reboot or removal:
         * MANUAL_BOUND binds its whole group, MANUAL_RELEASED gives it back, MANUAL_NONE carries
         * out what the claims want. */
        Manual manual;
        /* MANUAL_BOUND, each in place of what the claim or [Defaults] says: */
        const char *driver;      /* NULL: as configured; not checked by the caller */
        int companions;          /* a CompanionPolicy, -1: as configured */
        unsigned allow_in_use;   /* bits 1 << InUse, beside the claim's; for `function` alone;
                                  * never IN_USE_SYSTEM, IN_USE_VFIO, IN_USE_BLIND */
        /* MANUAL_RELEASED: leave the functions without a driver, under no override. */
        bool no_probe;
        bool next_boot; /* for manager_plan(), see there; nothing to manager_apply() */
} ApplyRequest;
#define APPLY_REQUEST_ALL ((ApplyRequest){ .companions = -1 })

/* Plans with may_unbind and carries it out; done is called once, from the event loop and never
 * from within this function, when every group concerned has settled and the view shows it
 * (error 0), or with -EBUSY if a group concerned is being worked on already, -ENOENT if there is
 * no such function or claim. The work goes on if the caller is gone: the caller cancels only its
 * callback (manager_forget_apply). The request is copied.
 * Returns an identifier > 0, or a negative errno, the two above among them, -EROFS for a saved tree
 * (done is not called then). */
int64_t manager_apply(Manager *manager, const ApplyRequest *request, ManagerApplyDone done,
        void *userdata);
void manager_forget_apply(Manager *manager, int64_t identifier);

/* A dry run for everything, with may_unbind, on the snapshot of the present view; `next_boot`: what
 * the early pass of the next boot would do, were the hardware and the files of the configuration as
 * they are now and no driver bound; requests by hand do not count then. Anybody may ask: it is
 * planned once for each view. The plan belongs to the manager, until the view is replaced or the
 * loop goes on. Returns 0, -ENODATA before the first scan, or another negative errno. */
int manager_plan(Manager *manager, bool prune, bool next_boot, const Plan **ret);

/* Who has the node of a group open: one entry for a process. */
typedef struct Holder {
        uint32_t pid;
        const char *command; /* "" where it could not be read, as below */
        const char *unit;    /* systemd unit of its control group */
        const char *machine; /* name that systemd-machined or its command line gives it */
} Holder;
typedef void (*ManagerHoldersDone)(void *userdata, int error, const Holder *holders, size_t n);

/* Looks for holders of /dev/vfio/GROUP and of its functions' device nodes, in a process of its
 * own. `done` is called once, from the event loop and never from within this function.
 * Returns an identifier > 0, or a negative errno (done is not called then). */
int64_t manager_list_holders(Manager *manager, int64_t group, ManagerHoldersDone done,
        void *userdata);
void manager_forget_holders(Manager *manager, int64_t identifier);
