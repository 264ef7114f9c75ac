/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/plan.h"

/* What a transaction is about to do to a group, as text for OPERATION_BEGIN_INTENT: whoever finds
 * it after a crash knows from it what was asked for.
 *
 *     release 0000:01:00.0 vfio-pci -> nouveau by-hand; release 0000:01:00.1 vfio-pci -> -
 *     bind 0000:02:00.0 nvme -> vfio-pci inode=24711 may-unbind
 *     bind 0000:03:00.0 nvme -> vfio-pci inode=24712 by-hand may-unbind asked companions=all
 *
 * Words that are not known, of a later version, say nothing: each of ours only asks for more. A
 * second line, which earlier versions do not read, counts how often it was taken up again:
 *
 *     tries=2 timeouts=1 */

typedef struct IntentEntry {
        Action action;
        PciAddress address;
        uint64_t inode;  /* of its sysfs directory: another instance has another one; 0: any */
        char driver[64]; /* before the action; "": none */
        char target[64]; /* driver after the action; "": none, or the host's choice */
        bool by_hand;    /* bind: lasts until reboot or release; release: until bind or reboot */
        bool no_probe;
        bool may_unbind; /* bind, detach: it was decided with leave to unbind another driver */

        /* a bind by hand of this very function, and what its group was bound by: */
        bool is_asked_for;
        bool is_auto;          /* the driver was Driver=auto, of which `target` came */
        int companions;        /* a CompanionPolicy, -1: as configured */
        unsigned allow_in_use; /* bits 1 << InUse, beside the claim's: only what may be allowed */
} IntentEntry;

/* *ret NULL: the plan does nothing that would have to be finished or undone. Returns 0, -ENOMEM. */
int intent_format(const GroupPlan *group, Stage stage, char **ret) _must_check_;

/* Entries that make no sense are left out: the file may be damaged. The array belongs to the
 * caller. Returns 0, -ENOMEM. */
int intent_parse(const char *text, IntentEntry **ret, size_t *ret_n) _must_check_;

/* How often it was taken up: 0 where the text does not say so, or nothing that makes sense. */
ResumeCount intent_parse_count(const char *text);

/* The text with this count in place of its own. Returns 0, -ENOMEM. */
int intent_set_count(const char *text, ResumeCount count, char **ret) _must_check_;
