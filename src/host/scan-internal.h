/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/scan.h"

/* Between the files of the scan only. */

typedef struct Scan {
        const Host *host;
        unsigned facts;
        const Snapshot *previous; /* NULL: none */
        Snapshot *snapshot;
        bool has_overrides; /* some function has driver_override: then all of its bus have */
} Scan;

/* Errors that say something of this process, not of one function. */
bool scan_error_is_fatal(int error);

/* Parses an address in the kernel's own spelling only. */
bool scan_parse_address(const char *text, PciAddress *ret);

/* The device of `previous` that is the same instance, NULL: none. */
const Device *scan_find_previous(const Scan *scan, const Device *device);

/* Facts that are read function by function, `directory` is that of the function. */
int scan_interfaces(int directory, Device *device) _must_check_;
int scan_details(int directory, Device *device) _must_check_;

/* Facts of the whole machine, after all functions were read and sorted. */
int scan_slots(Scan *scan) _must_check_;
int scan_modalias_facts(Scan *scan) _must_check_;
int scan_serials(Scan *scan) _must_check_;

/* Reads one function, whose name is looked up in the directory `devices`, into the snapshot, which
 * is not sorted by this. One that is not there (any more) is left out. */
int scan_add_function(Scan *scan, int devices, const char *name) _must_check_;

/* Where the link in `devices` that lists the function leads: its path. Returns 0, -ENODATA (gone,
 * or not shaped so), -ENOMEM. */
int scan_read_path(int devices, const char *name, Device *device) _must_check_;

/* Path and index of the virtual functions, after snapshot_finish(). */
int scan_virtual_functions(Scan *scan) _must_check_;

/* What remains after the functions were read and snapshot_finish() was called, records apart. */
int scan_finish(Scan *scan) _must_check_;

/* Joins what /run says of this instance, and reads its driver link after that: a record is saved
 * when the binding is done, so that a binding by another program between the two reads would
 * otherwise look as if somebody had taken the driver away. */
int scan_join_record(const Scan *scan, Device *device) _must_check_;
