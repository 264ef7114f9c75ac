/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/plan.h"

/* What came of a plan, as data. */

typedef struct MemberReport {
        PciAddress address;
        State state; /* bound detached released failed stuck refused pending */
        Reason reason;
        int error; /* negative errno of the step that failed, 0 */
        bool was_done; /* somebody else was faster: nothing was left to be written to /sys */
        char from[64]; /* driver before, "" = none */
        char to[64];   /* driver after */
        char text[256];
} MemberReport;

/* What the group's node was given. */
typedef struct NodeOutcome {
        bool is_known; /* it was made right, or, without the account, root's */
        uint32_t user, group, mode;
} NodeOutcome;

typedef struct GroupReport {
        int64_t number;
        State state;
        Reason reason;
        char text[256];
        MemberReport *members;
        size_t n_members;
        NodeOutcome node;
        uint64_t duration_usec;
} GroupReport;

typedef struct PhysicalFunctionReport {
        PciAddress address;
        State state;
        Reason reason;
        int error;
        /* what this transaction has done, if it was not so already */
        bool autoprobe_off, autoprobe_restored, num_vfs_written;
        unsigned num_vfs;
        char text[256];
} PhysicalFunctionReport;

typedef struct Report {
        GroupReport *groups;
        size_t n_groups;
        PhysicalFunctionReport *physical_functions;
        size_t n_physical_functions;
} Report;

Report *report_free(Report *report);
DEFINE_CLEANUP(Report, report_free)
void group_report_done(GroupReport *group);
