/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "exec/operations.h"

/* A machine behind the operations table: PCI functions with the semantics and error codes of
 * driver_override, bind, unbind and drivers_probe as drivers/base and drivers/pci have them, and
 * what /run remembers. It lies in shared memory, so that a forked worker's doings are seen here.
 * The operation with a given number (from 1) can be made to fail, before or after its effect, to
 * block or to kill its process. What no sound transaction does is noted as a violation. */

#define FAKE_FUNCTIONS_MAX  16
#define FAKE_DRIVERS_MAX    16
#define FAKE_GROUPS_MAX     256
#define FAKE_INJECTIONS_MAX 4
#define FAKE_NAME_MAX       64

typedef struct FakeDriver {
        char name[FAKE_NAME_MAX]; /* a module without a driver of its own, such as vfio_iommu_type1,
                                   * matches nothing */
        bool registered;
} FakeDriver;

typedef struct FakeRecord {
        bool has_original;
        char original_driver[FAKE_NAME_MAX], original_override[FAKE_NAME_MAX];
        char original_power_control[FAKE_NAME_MAX], original_autoprobe[FAKE_NAME_MAX];
        bool exists;
        Provenance provenance;
        State state;
        Reason reason;
        Manual manual;
        bool hotplug_pending;
        uint64_t bound_usec;
        char target_driver[FAKE_NAME_MAX], claim[FAKE_NAME_MAX], config_digest[FAKE_NAME_MAX];
        char reason_text[256];
} FakeRecord;

typedef struct FakeFunction {
        bool gone;
        PciAddress address;
        uint64_t inode;
        int64_t group;
        bool is_virtual_function;
        PciAddress physical_function;
        bool has_override_file;
        char driver[FAKE_NAME_MAX];   /* "": none, here and below */
        char override[FAKE_NAME_MAX];
        char power_control[FAKE_NAME_MAX];
        char host_drivers[2][FAKE_NAME_MAX]; /* whose id tables match it */
        unsigned total_vfs, num_vfs, possible_vfs;
        int autoprobe; /* -1: not there */

        bool not_ready;               /* between its `add` event and pci_bus_add_device() */
        char attached_at_write[FAKE_NAME_MAX]; /* takes it just before the next override write */
        bool passing;                 /* that of in_use */
        bool waits;                   /* the guard waits for udev, once */
        char in_use[FAKE_NAME_MAX];   /* what the guard says of it while on a host driver */
        InUse use;
        char open_by[FAKE_NAME_MAX];  /* who has it open while on a vfio driver, or on none: its
                                       * unbind has not come back */
        char refused_by[FAKE_NAME_MAX]; /* this driver's probe fails with … */
        int refusal;                    /* … this errno */
        bool override_may_differ; /* no violation: an adopted function's override is put back */

        FakeRecord record;
        bool linked;
} FakeFunction;

typedef enum FakeFailure {
        FAKE_FAIL_BEFORE, /* returns the error, nothing happened */
        FAKE_FAIL_AFTER,  /* returns the error although it happened */
        FAKE_BLOCK,       /* never returns */
        FAKE_KILL,        /* the process dies before anything happened, */
        FAKE_KILL_AFTER,  /* or right after it happened */
} FakeFailure;

typedef struct FakeInjection {
        unsigned at; /* number of the operation, 0: unused */
        FakeFailure failure;
        int error; /* negative errno */
} FakeInjection;

typedef struct FakeKernel {
        FakeFunction functions[FAKE_FUNCTIONS_MAX];
        size_t n_functions;
        FakeDriver drivers[FAKE_DRIVERS_MAX];
        size_t n_drivers;
        bool locked[FAKE_GROUPS_MAX], has_intent[FAKE_GROUPS_MAX], node_is_set[FAKE_GROUPS_MAX];
        pid_t locked_by[FAKE_GROUPS_MAX]; /* who dies lets go of it */
        bool announced[FAKE_GROUPS_MAX];
        int account_error; /* of FINISH_NODE */

        FakeInjection injections[FAKE_INJECTIONS_MAX];
        unsigned n_operations; /* counts on */
        bool hit_write;        /* an injection hit an operation_is_write() */
        bool keep_trace;
        /* called before each operation, may be NULL */
        void (*hook)(struct FakeKernel *kernel, const Operation *operation);
        char trace[32 * 1024]; /* a line for each operation */
        char violations[4096];
} FakeKernel;

/* A machine from a snapshot: functions, their drivers (registered), the host drivers of their
 * modaliases and "vfio-pci", "pci-stub", "vfio_iommu_type1" (not loaded yet), their records. */
FakeKernel *fake_kernel_new(const Snapshot *snapshot);
FakeKernel *fake_kernel_free(FakeKernel *kernel);
DEFINE_CLEANUP(FakeKernel, fake_kernel_free)
#define _cleanup_fake_kernel_ _cleanup_(fake_kernel_freep)

void fake_kernel_operations(FakeKernel *kernel, Operations *ret);

/* Both abort the test if there is none. */
FakeFunction *fake_kernel_function(FakeKernel *kernel, const char *address);
FakeDriver *fake_kernel_driver(FakeKernel *kernel, const char *name);
void fake_kernel_add_driver(FakeKernel *kernel, const char *name, bool registered);
void fake_kernel_remove_driver(FakeKernel *kernel, const char *name);

void fake_kernel_inject(FakeKernel *kernel, unsigned at, FakeFailure failure, int error);
