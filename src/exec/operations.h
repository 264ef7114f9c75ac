/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/report.h"
#include "core/snapshot.h"

/* Everything that carrying out a plan does to the machine goes through one function, so that a
 * fake kernel can stand in for the real one and a failure can be injected at every single step.
 * exec/operations-host.c is the only file that gives it the real machine. */

typedef enum OperationType {
        OPERATION_LOCK_GROUP,   /* number: group; waits; held until unlocked or the process ends */
        OPERATION_UNLOCK_GROUP, /* number: group */
        OPERATION_TEST_LOCK,    /* number: group; does not wait; -EWOULDBLOCK: it is held */
        OPERATION_LOAD_MODULE,  /* text: module or driver name, "-" is "_"; -ENOENT: none */
        /* loads the modules that its modalias names; *ret_text: host drivers that could take it,
         * one a line, NULL: none */
        OPERATION_LOAD_HOST_DRIVERS,
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
        OPERATION_GUARD, /* look again; number: allowed 1 << InUse, ALLOW_PASSING; *ret_text: NULL
                          * free, else a sentence with a remedy; *ret_answer: what kind of use */
        OPERATION_IS_OPEN, /* is the function, or the group `number`, open through vfio?
                            * *ret_text: NULL no, else who: "1234 (qemu-system-x86)" */
        OPERATION_LOAD_RECORD,   /* *ret_record: NULL = none for this instance */
        OPERATION_SAVE_ORIGINAL, /* record: its original_*; created, never overwritten: -EEXIST */
        OPERATION_REPLACE_ORIGINAL, /* the same, in the place of what turned out to be wrong */
        OPERATION_SAVE_RECORD,   /* record: all but its original_*; replaced */
        OPERATION_REMOVE_RECORD, /* the original too */
        OPERATION_SECURE_NODE,   /* number: group; its node goes back to root 0600 */
        OPERATION_FINISH_NODE,   /* number: group, node: owner and mode; -ENXIO: unknown account;
                                  * *ret_node: what it was given */
        OPERATION_LINK_NODE,     /* links to the nodes, and node: owner and mode of its device node;
                                  * number: group, text: claim or NULL; -ENXIO as above */
        OPERATION_ANNOUNCE_NODE, /* number: group; it is complete: udev looks at its node again */
        OPERATION_UNLINK_NODE,
        OPERATION_BEGIN_INTENT, /* number: group, text: what is about to be done */
        OPERATION_END_INTENT,   /* number: group */
        _OPERATION_MAX,
} OperationType;

typedef struct NodeSettings {
        const char *user, *group;
        mode_t mode;
        const PciAddress *member; /* a function of the group, which is another one without it */
        uint64_t inode;           /* of its directory; NULL and 0: any group of that number */
} NodeSettings;

typedef struct Operation {
        OperationType type;
        PciAddress address;
        /* of the function's sysfs directory when the plan was made: where another instance has
         * taken its place, every operation on the function gives -ENODEV, those on its record too;
         * 0: any instance */
        uint64_t inode;
        const char *text;
        int64_t number;
        const DeviceRecord *record;
        const NodeSettings *node;
        uint64_t udev_usec;        /* OPERATION_GUARD: how long udev's own look may still take */
        GuardAnswer *ret_answer;    /* OPERATION_GUARD */
        DeviceRecord **ret_record; /* OPERATION_LOAD_RECORD; belongs to the caller */
        NodeOutcome *ret_node;     /* OPERATION_FINISH_NODE; NULL: not of interest */
} Operation;

typedef struct Operations {
        void *userdata;
        /* Returns 0 or a negative errno as the kernel gave it; -ENODEV: the function is gone.
         * *ret_text (may be NULL where the operation reads nothing) belongs to the caller. May
         * block for ever: call it only where that is provided for (exec/executor.h); the record
         * operations and intents do not block. */
        int (*perform)(void *userdata, const Operation *operation, char **ret_text);
        /* file descriptors that perform() needs: they stay open in workers */
        const int *descriptors;
        size_t n_descriptors;
} Operations;

/* "write-override"; never NULL. */
const char *operation_type_to_string(OperationType type);

/* Changes the machine in a way that has to be undone or finished. */
bool operation_is_write(OperationType type);
