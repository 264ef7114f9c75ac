/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/vocabulary.h"

#include <errno.h>

#include "util/strings.h"

/* Defines X_to_string() and X_from_string() over a table that must name every value. */
#define DEFINE_WORDS(name, Type, maximum, words)                                                   \
        _Static_assert(ELEMENTSOF(words) == (maximum), #words " names every value");              \
        const char *name##_to_string(Type value)                                                   \
        {                                                                                          \
                return (size_t) value < ELEMENTSOF(words) ? words[value] : NULL;                   \
        }                                                                                          \
        int name##_from_string(const char *text)                                                   \
        {                                                                                          \
                for (size_t i = 0; i < ELEMENTSOF(words); i++)                                     \
                        if (streq(words[i], text))                                                 \
                                return (int) i;                                                    \
                return -EINVAL;                                                                    \
        }

static const char *const role_words[] = {
        [ROLE_NONE] = "none",
        [ROLE_SELECTED] = "selected",
        [ROLE_COMPANION] = "companion",
        [ROLE_EXCLUDED] = "excluded",
        [ROLE_BRIDGE] = "bridge",
};
DEFINE_WORDS(role, Role, _ROLE_MAX, role_words)

static const char *const state_words[] = {
        [STATE_UNCLAIMED] = "unclaimed",
        [STATE_PENDING] = "pending",
        [STATE_BINDING] = "binding",
        [STATE_BOUND] = "bound",
        [STATE_DETACHED] = "detached",
        [STATE_RELEASING] = "releasing",
        [STATE_RELEASED] = "released",
        [STATE_REFUSED] = "refused",
        [STATE_FAILED] = "failed",
        [STATE_STUCK] = "stuck",
        [STATE_DRIFTED] = "drifted",
        [STATE_GAVE_BACK] = "gave-back",
};
DEFINE_WORDS(state, State, _STATE_MAX, state_words)

static const char *const provenance_words[] = {
        [PROVENANCE_NONE] = "",
        [PROVENANCE_CLEAN] = "clean",
        [PROVENANCE_TAKEN] = "taken",
        [PROVENANCE_ADOPTED] = "adopted",
        [PROVENANCE_UNKNOWN] = "unknown",
};
DEFINE_WORDS(provenance, Provenance, _PROVENANCE_MAX, provenance_words)

static const char *const stage_words[] = {
        [STAGE_INITRD] = "initrd",
        [STAGE_BOOT] = "boot",
        [STAGE_RUNTIME] = "runtime",
};
DEFINE_WORDS(stage, Stage, _STAGE_MAX, stage_words)

static const char *const reason_words[] = {
        [REASON_NONE] = "",
        [REASON_CONFIG_ERROR] = "config-error",
        [REASON_CLAIM_CONFLICT] = "claim-conflict",
        [REASON_CLAIMS_DISAGREE] = "claims-disagree",
        [REASON_CLAIM_REMOVED] = "claim-removed",
        [REASON_NEEDS_APPLY] = "needs-apply",
        [REASON_DEFERRED_TO_NEXT_STAGE] = "deferred-to-next-stage",
        [REASON_ABSENT] = "absent",
        [REASON_AMBIGUOUS] = "ambiguous",
        [REASON_IDENTITY_MISMATCH] = "identity-mismatch",
        [REASON_COMPANION_NOT_LISTED] = "companion-not-listed",
        [REASON_COMPANION_IS_PLATFORM] = "companion-is-platform",
        [REASON_BRIDGE_DRIVER_HOLDS_GROUP] = "bridge-driver-holds-group",
        [REASON_EXCLUDED] = "excluded",
        [REASON_GROUP_REFUSED] = "group-refused",
        [REASON_PF_IN_GROUP] = "pf-in-group",
        [REASON_PF_HAS_VFS] = "pf-has-vfs",
        [REASON_NUMVFS_DIFFERS] = "numvfs-differs",
        [REASON_VFS_FEWER_THAN_ASKED] = "vfs-fewer-than-asked",
        [REASON_SRIOV_UNSUPPORTED] = "sriov-unsupported",
        [REASON_PF_NOT_BOUND] = "pf-not-bound",
        [REASON_IN_USE_SYSTEM] = "in-use-system",
        [REASON_IN_USE_HOLDERS] = "in-use-holders",
        [REASON_IN_USE_NETWORK] = "in-use-network",
        [REASON_IN_USE_DISPLAY] = "in-use-display",
        [REASON_IN_USE_PROCESS] = "in-use-process",
        [REASON_BUSY_VFIO] = "busy-vfio",
        [REASON_GUARD_BLIND] = "guard-blind",
        [REASON_HOST_DEVICE] = "host-device",
        [REASON_HOST_DEVICE_MOVED] = "host-device-moved",
        [REASON_NO_IOMMU] = "no-iommu",
        [REASON_NO_DRIVER_OVERRIDE] = "no-driver-override",
        [REASON_DRIVER_MISSING] = "driver-missing",
        [REASON_DRIVER_NOT_VFIO] = "driver-not-vfio",
        [REASON_DRIVER_DENIED] = "driver-denied",
        [REASON_PROBE_FAILED] = "probe-failed",
        [REASON_BIND_RACED] = "bind-raced",
        [REASON_WORKER_TIMEOUT] = "worker-timeout",
        [REASON_ROLLED_BACK] = "rolled-back",
        [REASON_ROLLBACK_FAILED] = "rollback-failed",
        [REASON_ACCOUNT_UNKNOWN] = "account-unknown",
        [REASON_DRIFTED] = "drifted",
        [REASON_RECLAIM_GAVE_UP] = "reclaim-gave-up",
        [REASON_INITRAMFS_STALE] = "initramfs-stale",
        [REASON_DISABLED_BY_KERNEL_COMMAND_LINE] = "disabled-by-kernel-command-line",
};
DEFINE_WORDS(reason, Reason, _REASON_MAX, reason_words)

static const char *const in_use_words[] = {
        [IN_USE_SYSTEM] = "system",
        [IN_USE_HOLDERS] = "holders",
        [IN_USE_NETWORK] = "network",
        [IN_USE_DISPLAY] = "display",
        [IN_USE_PROCESS] = "process",
        [IN_USE_VFIO] = "vfio",
        [IN_USE_BLIND] = "blind",
};
DEFINE_WORDS(in_use, InUse, _IN_USE_MAX, in_use_words)

Reason in_use_reason(InUse use)
{
        static const Reason reasons[] = {
                [IN_USE_SYSTEM] = REASON_IN_USE_SYSTEM,
                [IN_USE_HOLDERS] = REASON_IN_USE_HOLDERS,
                [IN_USE_NETWORK] = REASON_IN_USE_NETWORK,
                [IN_USE_DISPLAY] = REASON_IN_USE_DISPLAY,
                [IN_USE_PROCESS] = REASON_IN_USE_PROCESS,
                [IN_USE_VFIO] = REASON_BUSY_VFIO,
                [IN_USE_BLIND] = REASON_GUARD_BLIND,
        };
        _Static_assert(ELEMENTSOF(reasons) == _IN_USE_MAX, "reasons name every use");

        return (size_t) use < ELEMENTSOF(reasons) ? reasons[use] : REASON_GUARD_BLIND;
}
