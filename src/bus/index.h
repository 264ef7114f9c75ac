/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* A view, joined: what the objects of the bus show of it, found without searching. Each object is
 * one entry; entries live as long as the index, which holds the view. */

typedef struct Entry {
        uint64_t digest; /* of all properties; 0: not computed yet (bus/signals.c) */
} Entry;

typedef struct DeviceEntry DeviceEntry;

typedef struct GroupEntry {
        Entry entry;
        int64_t number;
        const GroupPlan *plan;  /* NULL: none */
        const GroupNode *node;  /* NULL: none */
        DeviceEntry **members;  /* by address */
        size_t n_members;
} GroupEntry;

struct DeviceEntry {
        Entry entry;
        const Device *device;
        const MemberPlan *plan; /* NULL: none */
        GroupEntry *group;      /* NULL: none */
};

typedef struct ClaimEntry {
        Entry entry;
        const Claim *claim;
        const ClaimPlan *plan; /* NULL: none */
        DeviceEntry **devices; /* selected and companions, by address */
        size_t n_devices;
        GroupEntry **groups;   /* by number */
        size_t n_groups;
} ClaimEntry;

typedef struct PhysicalFunctionEntry {
        Entry entry;
        const PhysicalFunction *section;
        const PhysicalFunctionPlan *plan; /* NULL: selects nothing */
        DeviceEntry *device;              /* NULL: as above */
        DeviceEntry **virtual_functions;  /* by index */
        size_t n_virtual_functions;
} PhysicalFunctionEntry;

typedef struct ViewIndex {
        View *view;    /* NULL before the first scan; then there are no entries but `manager` */
        Entry manager; /* the one object that is always there */
        DeviceEntry *devices; /* by address */
        size_t n_devices;
        GroupEntry *groups; /* by number */
        size_t n_groups;
        ClaimEntry *claims; /* as in the configuration */
        size_t n_claims;
        PhysicalFunctionEntry *physical_functions; /* as in the configuration */
        size_t n_physical_functions;

        DeviceEntry **by_group;  /* GroupEntry.members points into it */
        DeviceEntry **functions; /* virtual functions by PF and index; PF entries point into it */
        size_t n_functions;
        ClaimEntry **claims_by_name;
        PhysicalFunctionEntry **physical_functions_by_name;
} ViewIndex;

/* Takes a reference on the view, which may be NULL. Returns 0, -ENOMEM. */
int view_index_new(View *view, ViewIndex **ret) _must_check_;
ViewIndex *view_index_free(ViewIndex *index);
DEFINE_CLEANUP(ViewIndex, view_index_free)

/* The claim of a member; NULL if it has none, or one that a member before it has too. */
const Claim *group_entry_claim(const GroupEntry *group, size_t member);

DeviceEntry *view_index_device(const ViewIndex *index, const PciAddress *address);
GroupEntry *view_index_group(const ViewIndex *index, int64_t number);
ClaimEntry *view_index_claim(const ViewIndex *index, const char *name);
PhysicalFunctionEntry *view_index_physical_function(const ViewIndex *index, const char *name);
