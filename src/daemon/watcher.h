/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/pci-address.h"

/* Wakes the daemon: the udev monitor for PCI functions, VFIO groups and VFIO devices, and the
 * kernel's own events of PCI functions (daemon/kernel-events.h), attached to an event loop. It says
 * that something happened; what is so now is read from sysfs. */

typedef struct sd_event sd_event;
typedef struct Watcher Watcher;

typedef struct WatcherEvent {
        bool lost;     /* events were lost (ENOBUFS): everything may have changed; no other field */
        bool is_added; /* a PCI function came into being just now; not a replayed ("udevadm
                        * trigger") event */
        bool is_kernel; /* the kernel says that a PCI function changed; udevd will, later */
        PciAddress address; /* if is_added or is_kernel */
} WatcherEvent;

typedef void (*WatcherHandler)(void *userdata, const WatcherEvent *event);

/* Events queue up from here on; the handler is called from the loop, once for each. Returns 0 or a
 * negative errno. */
int watcher_new(sd_event *event, WatcherHandler handler, void *userdata, Watcher **ret)
        _must_check_;
/* udevd's events are left where they are for a second at most, or until watcher_go_on(): while many
 * functions are being bound, each of them costs a wake-up and more than the look at a function. */
void watcher_rest(Watcher *watcher);
void watcher_go_on(Watcher *watcher);
/* Delivers what the kernel has sent by now. */
void watcher_drain(Watcher *watcher);
Watcher *watcher_free(Watcher *watcher);
DEFINE_CLEANUP(Watcher, watcher_free)
