/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "exec/operations.h"
#include "host/host.h"
#include "lib/fake-sysfs.h"

/* A fake kernel on a tree in a temporary directory: operations change the tree, so that workers,
 * which are processes of their own, and the manager's scans see the same. */
typedef struct Machine {
        FakeSysfs *tree;
        Host host;
        int gate[2];        /* see machine_close_gate() */
        int at_gate[2];     /* a byte for each that waits there */
        int descriptors[4]; /* that workers need */
        Operations operations;
} Machine;

void machine_init(Machine *machine, const char *tree);
void machine_done(Machine *machine);

/* The configuration file's text. */
void machine_configure(Machine *machine, const char *text);
void machine_set_command_line(Machine *machine, const char *text);
void machine_enable(Machine *machine, bool enabled);

/* This operation on this function fails from now on: with a negative errno, 0: no more. */
void machine_fail(Machine *machine, const char *address, OperationType type, int error);
/* … and every bind to this driver. */
void machine_fail_driver(Machine *machine, const char *driver, int error);
/* The functions that come into being when a number of VFs is written. */
void machine_prepare_virtual_functions(Machine *machine, const char *tree);
/* Binding and unbinding wait until the gate lets them pass, one for each call. */
void machine_close_gate(Machine *machine);
/* The same for this operation in their place. */
void machine_close_gate_before(Machine *machine, OperationType type);
/* Who waits there already goes on waiting. */
void machine_open_gate(Machine *machine);
void machine_let_pass(Machine *machine, size_t n);
/* Whether one more call waits there, or comes within a moment. */
bool machine_is_at_gate(Machine *machine);

/* The next node that is finished is changed at once by somebody else, to mode 0600. */
void machine_spoil_node(Machine *machine);

/* What another program does: "" no driver. */
void machine_set_driver(Machine *machine, const char *address, const char *driver);
/* The driver, "" none; the caller frees it. */
char *machine_driver(Machine *machine, const char *address);
void machine_remove(Machine *machine, const char *address);

/* Writes to /sys so far. */
size_t machine_count_writes(Machine *machine);
