/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "core/pci-address.h"
#include "core/vocabulary.h"
#include "host/host.h"

/* The udev helper: called by the rules as IMPORT{program} in the event of a PCI function that
 * appeared or changed, or of a VFIO node. What it prints becomes properties of that event's
 * device:
 *   VFIO_BIND_PENDING=1|vf|0  a PCI function: not judged to the end; "vf": only if it turns out to
 *                             be a virtual function, whose physfn link may be missing at `add`; 0
 *   VFIO_BIND_CLAIMED=1       a function that appeared after boot and that a claim has: host
 *                             agents keep off what grows below it (rules, children)
 *   SYSTEMD_READY=0           a node whose group is not complete */

/* The time within which everything is done or left to the kernel; udevd has other events that wait
 * for this one (those of the children), and kills after three minutes. */
#define UDEV_TIMEOUT_USEC (8 * USEC_PER_SEC)

/* One event, taken from the environment, which is not trusted. */
typedef enum UdevAction {
        UDEV_ADD,
        UDEV_CHANGE,
        UDEV_BIND,
        UDEV_REMOVE,
} UdevAction;

typedef enum UdevSubject {
        UDEV_PCI,  /* address */
        UDEV_GROUP, /* group: /dev/vfio/N */
        UDEV_DEVICE_NODE, /* address: /dev/vfio/devices/vfioM */
} UdevSubject;

typedef enum UdevPending {
        UDEV_JUDGED,
        UDEV_PENDING,
        UDEV_PENDING_IF_VF,
} UdevPending;

typedef struct UdevEvent {
        UdevAction action;
        UdevSubject subject;
        PciAddress address;
        int64_t group;
        bool is_synthetic;
        UdevPending pending; /* what an earlier event left */
} UdevEvent;

typedef const char *(*UdevLookup)(void *userdata, const char *name);

/* Reads the event through `lookup` (getenv). Returns 0; -EOPNOTSUPP for an event that is none of
 * ours; -EINVAL if something is missing or not shaped as udev and the kernel shape it. */
int udev_event_parse(UdevLookup lookup, void *userdata, UdevEvent *ret) _must_check_;

/* STAGE_INITRD inside an initramfs, else STAGE_RUNTIME. root NULL: this machine. */
Stage udev_stage(const char *root);

/* Handles one event; properties go to `output`. root NULL: this machine. Returns 0, refusals and
 * failures included, or a negative errno. Ends within ten seconds even if a driver does not. */
int udev_run(const char *root, UdevLookup lookup, void *userdata, FILE *output) _must_check_;
