/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "exec/transaction.h"
#include "util/strings.h"

/* What the parts of a transaction share. Steps return true to go on; false: a cause is noted, and
 * what was touched so far is to be put back. */

#define DRIVER_NAME_MAX 64 /* with NUL, as in MemberReport */

/* One function that the plan has an action for. */
typedef struct Member {
        const MemberPlan *plan;
        DeviceRecord *previous; /* what the record said when the group was locked; NULL: none */

        char *read_override, *read_power_control; /* as they were read under the lock */

        /* how it was found, and is put back to: by a transaction before this one that was cut off,
         * where there was one; texts point to what was read, or into `previous` */
        char found_driver[DRIVER_NAME_MAX]; /* "": none */
        const char *found_override;
        const char *found_power_control; /* NULL: not there */

        /* how it is now, as far as we know */
        char driver[DRIVER_NAME_MAX];
        const char *override; /* points to whoever owns the text */
        bool override_unknown; /* a write of it failed, and may have come through */

        char **host_drivers; /* that could take it after us */
        Provenance provenance;
        bool saved_original;  /* by this transaction */
        bool original_is_wrong; /* saved by one that was cut off: to be replaced */
        char open_by[128];    /* "", or who has its group open and so kept us from a step */
        bool touched;         /* a write was tried: undoing has something to look at */
        bool attached_later;  /* the kernel attaches it by itself */
        bool lost;            /* a hold that came too late */

        State state;
        Reason reason;
        int error;
        char text[256];
} Member;

/* Why the transaction does not go on. */
typedef struct Cause {
        State state; /* STATE_UNCLAIMED: none */
        Reason reason;
        int error;
        const Member *member; /* NULL: the group as a whole */
        char text[256];
} Cause;

typedef struct Transaction {
        const GroupPlan *group;
        const TransactionOptions *options;
        const Operations *operations;
        Member *members;
        size_t n_members;
        Cause cause;
        bool has_intent;
        bool node_secured;
        NodeOutcome node;
        uint64_t udev_until_usec; /* until then udev is waited for, 0: it is not */
        bool has_waited;
} Transaction;

/* transaction-step.c: single operations and what their failure means */
int member_perform(const Transaction *transaction, const Member *member, OperationType type,
        const char *text, char **ret_text) _must_check_;
int group_perform(Transaction *transaction, OperationType type, const char *text);
/* Notes the cause, unless there is one already; always returns false. */
bool transaction_stop(Transaction *transaction, const Member *member, State state, Reason reason,
        int error, const char *format, ...) _printf_(6, 7);
/* For an operation that failed with no meaning of its own. */
bool transaction_stop_operation(Transaction *transaction, const Member *member,
        OperationType type, int error);
void member_set(Member *member, State state, Reason reason, int error, const char *format, ...)
        _printf_(5, 6);
/* Reads the driver link into member->driver. Returns 0, -ENODEV (gone), -ENAMETOOLONG, another. */
int member_read_driver(const Transaction *transaction, Member *member) _must_check_;
/* Writes the override unless it is that already. */
int member_write_override(const Transaction *transaction, Member *member, const char *override)
        _must_check_;
/* Is its group closed at this moment? Returns 0, -EBUSY: open_by says who has it open; -ENODEV, or
 * another errno where that cannot be told. */
int member_check_closed(const Transaction *transaction, Member *member) _must_check_;
/* -EBUSY: somebody has its vfio device open (open_by), or has moved it to another driver. */
int member_unbind(const Transaction *transaction, Member *member) _must_check_;
/* For an unbind that failed: an open device is refused, not failed. */
bool transaction_stop_unbind(Transaction *transaction, const Member *member, int error);
int member_bind(const Transaction *transaction, Member *member, const char *driver) _must_check_;
/* The guard's second look; a refusal is the cause. Waits for udev until the transaction's time for
 * that is over, and says so in has_waited. */
bool member_check_guard(Transaction *transaction, Member *member);
bool member_check_open(Transaction *transaction, Member *member);
/* The driver it is on now is to be unbound. */
bool member_must_unbind(const Member *member);
/* Nothing of it is ours any more: it was released since the plan was made, or is on its VFIO driver
 * by somebody else's doing. */
bool member_is_released(const Member *member);
/* bind, detach, hold: the driver's name, or one that nobody answers to */
const char *member_wanted_override(const Member *member);
/* A VF that is not probed without an override (pci_device_can_probe). */
bool member_needs_override_to_probe(const Transaction *transaction, const Member *member);

/* transaction-bind.c: bind, detach, hold, adopt */
bool transaction_take(Transaction *transaction);
/* Owner and mode of the group's node, and links for the members on a VFIO driver, if the group is
 * claimed; in the initramfs there are no accounts, and the udev helper of the real root does it.
 * Returns the first error; -ENXIO: unknown account. */
int transaction_set_node(Transaction *transaction);

/* transaction-release.c: release, probe-host */
void transaction_load_host_drivers(Transaction *transaction);
bool transaction_give(Transaction *transaction);

/* transaction-undo.c */
void transaction_undo(Transaction *transaction);
/* Brings a function to this driver ("" none) and this override; goes as far as it can and returns
 * the first error, 0 if the driver link reads as wanted in the end. */
int member_put_back(Transaction *transaction, Member *member, const char *driver,
        const char *override, const char *power_control) _must_check_;

/* transaction-record.c */
bool transaction_load_records(Transaction *transaction);
/* Where a transaction was cut off in the middle, the record says how the member was before it;
 * an original that it saved is this transaction's now. */
void member_resume(Member *member);
void member_decide_provenance(const Transaction *transaction, Member *member);
bool transaction_save_originals(Transaction *transaction);
/* It was on this driver before us after all: the original is written anew. */
bool member_replace_original(Transaction *transaction, Member *member);
/* Stores what came of each member, success and failure alike. */
void transaction_save_records(Transaction *transaction);
