/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* The words that journal, D-Bus, command line and tests share. Every enum has
 * X_to_string(), which never returns NULL for a valid value, and X_from_string(), which returns
 * the value or -EINVAL. */

typedef enum Role {
        ROLE_NONE,      /* nothing to do with us */
        ROLE_SELECTED,  /* a claim selects it */
        ROLE_COMPANION, /* shares a group with a selected function, no claim selects it */
        ROLE_EXCLUDED,  /* Exclude= names it, or a claim with an error reserves it */
        ROLE_BRIDGE,    /* not an endpoint */
        _ROLE_MAX,
} Role;

typedef enum State {
        STATE_UNCLAIMED,
        STATE_PENDING,   /* wanted, not acted on yet */
        STATE_BINDING,   /* the kernel or a worker is at it */
        STATE_BOUND,     /* driver link read back, node final */
        STATE_DETACHED,  /* held without a driver (Companions=detach) */
        STATE_RELEASING,
        STATE_RELEASED,  /* given back by hand; honoured until bind, reboot, removal */
        STATE_REFUSED,   /* a rule says no; nothing was touched */
        STATE_FAILED,    /* tried, undone */
        STATE_STUCK,     /* a worker did not come back */
        STATE_DRIFTED,   /* was bound, someone else changed it */
        STATE_GAVE_BACK, /* initramfs gave it back for want of a root */
        _STATE_MAX,
} State;

typedef enum Provenance {
        PROVENANCE_NONE,    /* not ours: "" */
        PROVENANCE_CLEAN,   /* no driver when we first looked and none before */
        PROVENANCE_TAKEN,   /* from a host driver, see taken_from */
        PROVENANCE_ADOPTED, /* on a VFIO driver before us */
        PROVENANCE_UNKNOWN, /* cannot be told; never shown as clean */
        _PROVENANCE_MAX,
} Provenance;

typedef enum Stage {
        STAGE_INITRD,
        STAGE_BOOT,    /* early service on the real root */
        STAGE_RUNTIME, /* udev helper, daemon, command line */
        _STAGE_MAX,
} Stage;

typedef enum Reason {
        REASON_NONE, /* "" */
        REASON_CONFIG_ERROR,
        REASON_CLAIM_CONFLICT,
        REASON_CLAIMS_DISAGREE,
        REASON_CLAIM_REMOVED,
        REASON_NEEDS_APPLY,
        REASON_DEFERRED_TO_NEXT_STAGE,
        REASON_ABSENT,
        REASON_AMBIGUOUS,
        REASON_IDENTITY_MISMATCH,
        REASON_COMPANION_NOT_LISTED,
        REASON_COMPANION_IS_PLATFORM,
        REASON_BRIDGE_DRIVER_HOLDS_GROUP,
        REASON_EXCLUDED,
        REASON_GROUP_REFUSED,
        REASON_PF_IN_GROUP,
        REASON_PF_HAS_VFS,
        REASON_NUMVFS_DIFFERS,
        REASON_VFS_FEWER_THAN_ASKED,
        REASON_SRIOV_UNSUPPORTED,
        REASON_PF_NOT_BOUND,
        REASON_IN_USE_SYSTEM,
        REASON_IN_USE_HOLDERS,
        REASON_IN_USE_NETWORK,
        REASON_IN_USE_DISPLAY,
        REASON_IN_USE_PROCESS,
        REASON_BUSY_VFIO,
        REASON_GUARD_BLIND,
        REASON_HOST_DEVICE,
        REASON_HOST_DEVICE_MOVED,
        REASON_NO_IOMMU,
        REASON_NO_DRIVER_OVERRIDE,
        REASON_DRIVER_MISSING,
        REASON_DRIVER_NOT_VFIO,
        REASON_DRIVER_DENIED,
        REASON_PROBE_FAILED,
        REASON_BIND_RACED,
        REASON_WORKER_TIMEOUT,
        REASON_ROLLED_BACK,
        REASON_ROLLBACK_FAILED,
        REASON_ACCOUNT_UNKNOWN,
        REASON_DRIFTED,
        REASON_RECLAIM_GAVE_UP,
        REASON_INITRAMFS_STALE,
        REASON_DISABLED_BY_KERNEL_COMMAND_LINE,
        _REASON_MAX,
} Reason;

/* What in-use means; holders, network, display and process can be named in AllowInUse=. */
typedef enum InUse {
        IN_USE_SYSTEM,
        IN_USE_HOLDERS,
        IN_USE_NETWORK,
        IN_USE_DISPLAY,
        IN_USE_PROCESS,
        IN_USE_VFIO, /* a vfio device or group is open */
        IN_USE_BLIND, /* could not be looked at, counts as in use */
        _IN_USE_MAX,
} InUse;

/* What the host can do without if somebody says so. */
#define ALLOWABLE_USES                                                                             \
        (1U << IN_USE_HOLDERS | 1U << IN_USE_NETWORK | 1U << IN_USE_DISPLAY | 1U << IN_USE_PROCESS)

const char *role_to_string(Role role);
const char *state_to_string(State state);
const char *provenance_to_string(Provenance provenance);
const char *stage_to_string(Stage stage);
const char *reason_to_string(Reason reason);
const char *in_use_to_string(InUse use);

int role_from_string(const char *text);
int state_from_string(const char *text);
int provenance_from_string(const char *text);
int stage_from_string(const char *text);
int reason_from_string(const char *text);
int in_use_from_string(const char *text);

Reason in_use_reason(InUse use);
