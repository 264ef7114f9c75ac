/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/manager.h"

/* Stands in for the daemon's manager where only the bus is tested: it shows views made from text,
 * remembers what it was asked, and answers as the test says. It plans with the real planner and
 * carries out nothing. */

typedef struct FakeApply {
        struct FakeApply *next;
        int64_t identifier;
        ManagerApplyDone done;
        ManagerHoldersDone holders_done; /* instead of done */
        void *userdata;
        /* the request, copied */
        char **claims;
        bool prune, has_function, no_probe;
        PciAddress function;
        uint64_t inode;
        Manual manual;
        char *driver;
        int companions;
        unsigned allow_in_use;
} FakeApply;

struct Manager {
        sd_event *event;
        ManagerListener listener;
        View *view;
        int reload_result;
        unsigned n_reloads;
        int64_t apply_result; /* if negative: refused right away */
        unsigned n_applies, n_forgotten;
        FakeApply *pending;   /* newest first */
        bool nothing_to_do;   /* results name no function */
        SystemState system_state; /* the last one that it was told */
        unsigned n_system_states;
        /* the last request planned */
        bool planned_prune, planned_next_boot;
        Plan *dry_run;
};

void fake_manager_init(Manager *manager, sd_event *event);
void fake_manager_done(Manager *manager);

/* Makes a view. `config` has one line for each thing:
 *   claim NAME TERMS…      pf NAME NUMBER TERMS…      error FILE LINE COLUMN MESSAGE…
 * `machine` is text as in lib/snapshot-text.h. */
View *fake_view_new(const char *config, const char *machine);
void fake_view_add_node(View *view, int64_t group, uid_t uid, gid_t gid, mode_t mode);

/* Takes the view over and tells the listener. */
void fake_manager_publish(Manager *manager, View *view);

/* Ends the newest request: with an error, or with this outcome for every function of the group of
 * its function (without one: for every function that has a claim). */
void fake_manager_finish(Manager *manager, int error, State state, Reason reason);
void fake_manager_finish_holders(Manager *manager, int error, const Holder *holders, size_t n);
