/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "core/pci-address.h"
#include "core/vocabulary.h"

/* Everything read from the machine at one moment: the planner's only view of it. */

/* A fact that may not be known at this stage (hwdb names, interface names, a slot that could not
 * be read). known && !text means: known to have none. */
typedef struct Fact {
        bool known;
        char *text;
} Fact;

typedef struct FactList {
        bool known;
        char **list; /* NULL = empty */
} FactList;

/* A reason not to unbind a host driver from this function. */
typedef struct UseNote {
        InUse use;
        char *what; /* names the thing in the way: "/dev/nvme1n1p2 is mounted on /srv" */
        char *remedy; /* a safe way out: "Unmount it", may be NULL */
        /* a bare address, or udev looking at it: no use on a function that has just appeared */
        bool is_passing;
} UseNote;

/* In a set of 1 << InUse: notes that are passing do not count. */
#define ALLOW_PASSING (1U << _IN_USE_MAX)

/* What is said of a second look, beside what is in the way. */
typedef struct GuardAnswer {
        bool has_waited; /* for udev: what was looked at before it may be in use by now */
        InUse use;       /* of what is in the way … */
        bool is_passing; /* … which is udev's look alone */
} GuardAnswer;

typedef enum Manual {
        MANUAL_NONE,
        MANUAL_BOUND,    /* bound by request without a claim */
        MANUAL_RELEASED, /* given back by request */
        _MANUAL_MAX,
} Manual;

/* What /run/vfio-bindd says about this very device instance (same address and sysfs inode).
 * Nothing here is needed to know what is bound: sysfs tells that. */
typedef struct DeviceRecord {
        /* how it was before us; written once, before the first write */
        bool has_original;
        char *original_driver;        /* NULL: none */
        char *original_override;      /* NULL: none */
        char *original_power_control; /* NULL: not there */
        char *original_autoprobe;     /* PF, sriov_drivers_autoprobe; NULL: not changed by us */
        /* how we got it */
        Provenance provenance;
        Stage stage;
        char *target_driver;
        uint64_t bound_usec; /* CLOCK_REALTIME; 0: not bound */
        /* why we have it */
        char *claim;         /* NULL: none; of a companion, its claim's */
        Role role;           /* selected by that claim, or a companion */
        char *config_digest; /* configuration that decided the claim */
        /* last outcome; STATE_UNCLAIMED when there is none */
        State state;
        Reason reason;
        char *reason_text;
        /* by request, over D-Bus */
        Manual manual;
        char *manual_driver;
        /* seen by the udev helper as hot-plugged and not judged to the end yet */
        bool hotplug_pending;
        unsigned drift_count;
} DeviceRecord;

/* It is bound by us, or was until a worker that was to change that got stuck: of that only the
 * outcome is on record, beside what was known before. */
static inline bool device_record_was_bound(const DeviceRecord *record)
{
        return record->state == STATE_BOUND ||
               (record->reason == REASON_WORKER_TIMEOUT && record->bound_usec > 0);
}

/* A physical function's original may be of its autoprobe alone: power/control, which every function
 * has, is in every other one. */
static inline bool device_record_is_for_autoprobe_alone(const DeviceRecord *record)
{
        return record->original_autoprobe && !record->original_power_control;
}

typedef struct Device {
        PciAddress address;
        uint64_t inode; /* of its sysfs directory: another instance has another one */
        char *path;     /* "0000:00:1c.0/00.0": root-bus function, then each hop; never NULL */
        uint16_t vendor, device, subsystem_vendor, subsystem_device;
        uint32_t class_code; /* 24 bits: base, sub, programming interface */
        bool is_bridge;      /* header type other than 0 */
        int64_t group;       /* IOMMU group number, -1: none */
        char *driver;        /* NULL: no driver link */
        bool has_override_file;

        bool is_virtual_function;
        PciAddress physical_function; /* if is_virtual_function */
        int vf_index;                 /* -1: none or not known yet */
        uint32_t sriov_total_vfs;     /* 0: not a PF */
        uint32_t sriov_offset, sriov_stride;
        uint16_t sriov_vf_device;
        int sriov_autoprobe; /* PF: 0, 1 (always read); -1: not there */

        Fact physical_slot;
        Fact serial;           /* 16 lower-case hex digits */
        Fact vendor_name, device_name;
        FactList host_drivers; /* modules whose alias matches, vfio ones left out */
        Fact vfio_driver;      /* what Driver=auto means for it: the driver's name */
        FactList interfaces;   /* network interfaces directly below */
        char *modalias;        /* never NULL */

        UseNote *uses;
        size_t n_uses;
        DeviceRecord *record; /* NULL: none */

        /* details for display, filled when the scan was asked for them */
        bool has_details;
        uint8_t revision;
        int numa_node; /* -1: none */
        bool boot_vga;
        char **reset_methods;
        int64_t vfio_device; /* M of /sys/.../vfio-dev/vfioM, -1: none */
} Device;

typedef struct Snapshot {
        Device *devices; /* sorted by address */
        size_t n_devices;
        bool has_iommu; /* some function has a group that is not a noiommu one */
        /* names under /sys/bus/pci/drivers; sorted */
        char **drivers;
        char *kernel_release;
        /* What the host needed when it last ran, for the early stages: NULL if nobody knows. It
         * belongs to whoever read it, and must outlive the snapshot. */
        const struct HostDevices *host_devices;
        /* … and then: the boot waits for a file system on something that has no driver yet. */
        bool awaits_storage;
} Snapshot;

int snapshot_new(Snapshot **ret) _must_check_;
Snapshot *snapshot_free(Snapshot *snapshot);
DEFINE_CLEANUP(Snapshot, snapshot_free)
#define _cleanup_snapshot_ _cleanup_(snapshot_freep)

/* Adds a zeroed device with driver-less defaults (group -1, vf_index -1); pointers to earlier
 * devices become invalid. Call snapshot_finish() after the last one. Returns 0, -ENOMEM. */
int snapshot_add(Snapshot *snapshot, const PciAddress *address, Device **ret) _must_check_;

/* Sorts by address. Returns 0, -EEXIST if an address stands twice. */
int snapshot_finish(Snapshot *snapshot) _must_check_;

Device *snapshot_find(const Snapshot *snapshot, const PciAddress *address);
bool snapshot_has_driver(const Snapshot *snapshot, const char *driver);
bool device_in_slot(const Device *device, const PciAddress *slot);

/* Any function present whose physical function is this one. */
bool snapshot_has_virtual_functions(const Snapshot *snapshot, const Device *physical_function);

/* A virtual function that no driver was probed on since it came into being: while the automatic
 * probing of its PF is off, it stays without one until somebody acts. */
bool snapshot_is_untouched(const Snapshot *snapshot, const Device *device);

void device_done(Device *device);
DeviceRecord *device_record_free(DeviceRecord *record);
DEFINE_CLEANUP(DeviceRecord, device_record_free)

/* vfio-pci, or a variant driver: its name contains "vfio" as pci drivers name themselves
 * ("mlx5-vfio-pci", "nvgrace-gpu-vfio-pci", "vfio-pci"). */
bool driver_is_vfio(const char *driver);

/* Drivers that do not own the group for the host: vfio ones, pci-stub, pcieport
 * (drivers with .driver_managed_dma in the kernel). NULL (no driver) counts as harmless. */
bool driver_is_harmless(const char *driver);
