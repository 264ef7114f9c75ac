/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"

/* Everything that carrying out a plan does to the machine goes through one function, so that a
 * fake kernel can stand in for the real one and a failure can be injected at every single step.
 * exec/operations-host.c is the only file that gives it the real machine. */

typedef enum OperationType {
        OPERATION_LOAD_MODULE,    /* text: module or driver name; "-" and "_" are alike */
        OPERATION_READ_DRIVER,    /* *ret_text: driver name, NULL = no driver link */
        OPERATION_READ_OVERRIDE,  /* *ret_text: NULL = none */
        OPERATION_WRITE_OVERRIDE, /* text: NULL clears, with "\n" */
        OPERATION_UNBIND,         /* text: the driver */
        OPERATION_BIND,           /* text: the driver */
        OPERATION_PROBE,          /* drivers_probe; success says nothing */
        OPERATION_READ_POWER_CONTROL,
        OPERATION_WRITE_POWER_CONTROL, /* text */
        OPERATION_READ_AUTOPROBE,      /* of a PF; *ret_text "0", "1" */
        OPERATION_WRITE_AUTOPROBE,     /* text */
        OPERATION_READ_NUM_VFS,        /* *ret_text */
        OPERATION_WRITE_NUM_VFS,       /* text */
        OPERATION_GUARD, /* look again; *ret_text: NULL free, else why not; number: allowed InUse */
        OPERATION_IS_OPEN,       /* is a vfio device or its group open? *ret_text: NULL no, else who */
        OPERATION_SAVE_ORIGINAL, /* record: create, never overwrite (-EEXIST is success) */
        OPERATION_SAVE_RECORD,   /* record: replace */
        OPERATION_REMOVE_RECORD,
        OPERATION_SECURE_NODE, /* number: group; its node goes back to root 0600 */
        OPERATION_FINISH_NODE, /* number: group; node: owner, mode, links; *ret_text: warning */
        OPERATION_BEGIN_INTENT, /* number: group, text: what is about to be done */
        OPERATION_END_INTENT,   /* number: group */
        _OPERATION_MAX,
} OperationType;

typedef struct NodeSettings {
        const char *user, *group;
        mode_t mode;
} NodeSettings;

typedef struct Operation {
        OperationType type;
        PciAddress address;
        const char *text;
        int64_t number;
        const DeviceRecord *record;
        const NodeSettings *node;
} Operation;

typedef struct Operations {
        void *userdata;
        /* Returns 0 or a negative errno as the kernel gave it; *ret_text (may be NULL where the
         * operation reads nothing) belongs to the caller. May block for ever: call it only where
         * that is provided for (exec/executor.h). */
        int (*perform)(void *userdata, const Operation *operation, char **ret_text);
} Operations;

const char *operation_type_to_string(OperationType type);
