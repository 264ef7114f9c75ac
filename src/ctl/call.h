/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/client.h"
#include "ctl/exit-code.h"
#include "ctl/machine.h"
#include "ctl/options.h"

/* What verbs share: whom to ask, and what to say when that fails. */

/* A call that failed: says why, and what to do; `verb` is what works without the daemon ("apply
 * --dry-run"), NULL: nothing does. Returns the exit code. */
ExitCode call_complain(int error, const sd_bus_error *bus_error, const char *verb);

/* Says that there is no such claim, and which name is near, unless there is one. */
bool check_claim(const Model *model, const char *name);

/* What an address looks like, for somebody who gave something else. */
void complain_no_address(const char *text);

/* The function that the text names; NULL after having said what is wrong: EXIT_CODE_USAGE if it is
 * no address, EXIT_CODE_ABSENT if there is no such function (and which claim waits for it). */
const ModelDevice *check_device(const Model *model, const char *text, ExitCode *ret);

/* Where a verb that only reads gets what it shows: from the daemon; without one, or with --root=,
 * from its own eyes. */
typedef struct Source {
        sd_bus *bus;      /* NULL: looked by ourselves */
        Machine *machine; /* NULL: asked the daemon */
        Model *model;
} Source;

ExitCode source_open(Source *source, const MachineOptions *options);
/* From a daemon no more than client_get_list() has. */
ExitCode source_open_list(Source *source, const MachineOptions *options);
void source_done(Source *source);
#define _cleanup_source_ _cleanup_(source_done)

/* What the daemon says, and does, is not what the files say. */
#define CONFIGURATION_HAS_CHANGED                                                                  \
        "The configuration was changed since vfio-bindd read it. Run "                             \
        "\"systemctl reload vfio-bindd\"."
bool configuration_has_changed(const Model *model);

/* Says so if the next boot begins with an initramfs that does not know what is configured. */
void complain_initramfs(const Model *model);

/* "vfio-bindd does not run: read from /sys …", where that is worth a word. Returns 0, -ENOMEM. */
int source_print_legend(const Source *source, const Options *options) _must_check_;
