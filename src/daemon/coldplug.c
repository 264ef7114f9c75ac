/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "daemon/manager-internal.h"
#include "host/udev-queue.h"
#include "log/log.h"
#include "util/io.h"

/* A daemon that starts during boot comes while udev still goes through what is there and loads the
 * host's drivers for it. What the early pass left to the host has no driver in that moment either,
 * and would be taken from it. So a function without a driver is left alone until udev is idle for
 * the first time; by then a module that it loaded has probed all that it was to probe
 * (do_init_module() in the kernel waits for asynchronous probes).
 *
 * udev has been told of all that is there when we start: we come after
 * systemd-udev-trigger.service. */

/* Whoever keeps udev busy for so long is not the boot. */
#define COLDPLUG_MAX_USEC (60 * USEC_PER_SEC)

bool coldplug_is_over(const Manager *manager)
{
        return !manager->coldplug_timer;
}

void coldplug_done(Manager *manager)
{
        manager->coldplug_watch = sd_event_source_disable_unref(manager->coldplug_watch);
        manager->coldplug_timer = sd_event_source_disable_unref(manager->coldplug_timer);
}

static int end(Manager *manager)
{
        coldplug_done(manager);
        manager_wake(manager);
        return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
        const Manager *manager = userdata;

        return udev_queue_is_busy(manager->host) ? 0 : end(userdata);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        log_notice("udev is still busy; claimed functions without a driver are not left to it any "
                   "longer.");
        return end(userdata);
}

int coldplug_prepare(Manager *manager)
{
        char path[64];
        int r;

        if (!udev_queue_is_busy(manager->host))
                return 0;
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d/" UDEV_DIRECTORY,
                manager->host->root);
        r = sd_event_add_inotify(manager->event, &manager->coldplug_watch, path,
                IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR, on_inotify, manager);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                log_debug("Cannot watch /run/udev, waiting for the whole time: %s", strerror(-r));
        if (!udev_queue_is_busy(manager->host)) {
                coldplug_done(manager);
                return 0;
        }
        r = sd_event_add_time(manager->event, &manager->coldplug_timer, CLOCK_MONOTONIC,
                now_monotonic() + COLDPLUG_MAX_USEC, 0, on_timer, manager);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(manager->coldplug_timer, "coldplug");
        return 0;
}
