/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/planner.h"
#include "host/host.h"

/* The daemon's state: configuration, last snapshot, last plan; reconcile = scan, plan, execute,
 * publish. Knows nothing of D-Bus; bus/ watches it through ManagerListener. */

typedef struct sd_event sd_event;
typedef struct Manager Manager;

/* One moment, complete and never changed after it is published. Counted references. */
typedef struct View {
        unsigned references;
        uint64_t generation;
        Config *config; /* shared between views; counted inside the manager */
        Snapshot *snapshot; /* with SNAPSHOT_FACT_DETAILS, _NAMES, _HOST_DRIVERS */
        Plan *plan;         /* with request.may_unbind = false: what is and what waits */
        bool settled;       /* the boot's claims are settled */
        const char *state;  /* "starting" "running" "degraded" */
        unsigned n_bound, n_refused, n_failed, n_stuck, n_absent, n_pending; /* claims */
} View;

View *view_ref(View *view);
View *view_unref(View *view);
DEFINE_CLEANUP(View, view_unref)

typedef struct ManagerListener {
        /* A new view replaces the old one (NULL the first time). Called from the event loop. */
        void (*changed)(void *userdata, View *old, View *new);
        void *userdata;
} ManagerListener;

int manager_new(sd_event *event, const Host *host, const char *config_root, Manager **ret);
Manager *manager_free(Manager *manager);
void manager_set_listener(Manager *manager, const ManagerListener *listener);
View *manager_view(Manager *manager); /* borrowed; NULL before the first scan */

/* Reads the configuration again; with errors the claims concerned keep their last good version.
 * Never unbinds. Returns 0, or a negative errno. */
int manager_reload(Manager *manager);

/* One outcome per object that the request touched, for the reply of Apply and Bind. */
typedef struct ApplyResult {
        const PciAddress *addresses;
        const State *states;
        const Reason *reasons;
        size_t n;
} ApplyResult;
typedef void (*ManagerApplyDone)(void *userdata, int error, const ApplyResult *result);

typedef struct ApplyRequest {
        char *const *claims; /* NULL or empty: all */
        bool prune;
        const PciAddress *function; /* NULL: all */
} ApplyRequest;

/* Plans with may_unbind and carries it out; done is called once when every group concerned has
 * settled (error 0), or with -EBUSY if a group concerned is being worked on already. The work
 * goes on if the caller is gone: the caller cancels only its callback (manager_forget_apply).
 * Returns an identifier > 0, or a negative errno (done is not called then). */
int64_t manager_apply(Manager *manager, const ApplyRequest *request, ManagerApplyDone done,
        void *userdata);
void manager_forget_apply(Manager *manager, int64_t identifier);

/* A dry run with may_unbind on the last snapshot. */
int manager_plan(Manager *manager, bool prune, Plan **ret);
