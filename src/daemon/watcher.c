/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/watcher.h"

#include <errno.h>
#include <libudev.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "daemon/kernel-events.h"
#include "log/log.h"
#include "util/io.h"
#include "util/strings.h"

/* A PF that brings 256 VFs into being sends some 1,000 events within a second; the kernel accounts
 * about 2 KiB for each. Only what is queued takes memory. */
#define RECEIVE_BUFFER_SIZE (16 * 1024 * 1024)

/* A burst is read in few pieces: each event costs a wake-up and the parsing of it, while the work
 * that the first ones asked for is being done. */
#define BURST_EVENTS        16
#define BURST_INTERVAL_USEC (500 * USEC_PER_MSEC)

/* udevd's events, which say nothing that is not known, are not read meanwhile. */
#define REST_USEC (USEC_PER_SEC)

/* What one wakeup takes from the queue at most, so that other sources get their turn. */
#define EVENTS_PER_WAKEUP 1024

struct Watcher {
        WatcherHandler handler;
        void *userdata;
        struct udev *udev;
        struct udev_monitor *monitor;
        sd_event_source *source, *rest;
        bool has_rested; /* since it read last */
        int kernel;
        sd_event_source *kernel_source;
};

static void watcher_deliver(Watcher *watcher, struct udev_device *device)
{
        const char *subsystem = udev_device_get_subsystem(device);
        const char *action = udev_device_get_action(device);
        const char *name = udev_device_get_sysname(device);
        WatcherEvent event = {};

        if (!subsystem || !action)
                return;
        /* Replayed events carry SYNTH_UUID= (kernel: Documentation/ABI/testing/sysfs-uevent). */
        if (streq(subsystem, "pci") && streq(action, "add") && name &&
            !udev_device_get_property_value(device, "SYNTH_UUID"))
                event.is_added = pci_address_parse(name, &event.address) >= 0;

        log_debug("Event: %s of %s %s", action, subsystem, name ?: "?");
        watcher->handler(watcher->userdata, &event);
}

static int watcher_receive(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Watcher *watcher = userdata;

        watcher->has_rested = false;
        for (unsigned i = 0; i < EVENTS_PER_WAKEUP; i++) {
                struct udev_device *device;

                errno = 0;
                device = udev_monitor_receive_device(watcher->monitor);
                if (device) {
                        watcher_deliver(watcher, device);
                        udev_device_unref(device);
                        continue;
                }
                if (errno == ENOBUFS) {
                        log_warning("Events of the kernel were lost, reading everything again.");
                        watcher->handler(watcher->userdata, &(WatcherEvent){ .lost = true });
                        continue;
                }
                break;
        }
        return 0;
}

/* What is lost here udevd tells in its time. */
static int watcher_receive_kernel(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Watcher *watcher = userdata;

        for (unsigned i = 0; i < EVENTS_PER_WAKEUP; i++) {
                WatcherEvent event = { .is_kernel = true };
                int r = kernel_events_receive(fd, &event.address);

                if (r == 0)
                        break;
                if (r > 0)
                        watcher->handler(watcher->userdata, &event);
        }
        return 0;
}

void watcher_drain(Watcher *watcher)
{
        (void) watcher_receive_kernel(NULL, watcher->kernel, EPOLLIN, watcher);
}

void watcher_go_on(Watcher *watcher)
{
        (void) sd_event_source_set_enabled(watcher->rest, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(watcher->source, SD_EVENT_ON);
}

static int watcher_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
        watcher_go_on(userdata);
        return 0;
}

void watcher_rest(Watcher *watcher)
{
        if (watcher->has_rested ||
            sd_event_source_set_time_relative(watcher->rest, REST_USEC) < 0 ||
            sd_event_source_set_enabled(watcher->rest, SD_EVENT_ONESHOT) < 0)
                return;
        watcher->has_rested = true;
        (void) sd_event_source_set_enabled(watcher->source, SD_EVENT_OFF);
}

static int watcher_prepare_rest(Watcher *watcher, sd_event *event)
{
        int r;

        r = sd_event_add_time_relative(event, &watcher->rest, CLOCK_MONOTONIC, 0, 0,
                watcher_rested, watcher);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(watcher->rest, "udev-monitor-rest");
        return sd_event_source_set_enabled(watcher->rest, SD_EVENT_OFF);
}

static int watcher_open(Watcher *watcher)
{
        static const char *const subsystems[] = { "pci", "vfio", "vfio-dev" };
        int r;

        watcher->udev = udev_new();
        if (!watcher->udev)
                return -ENOMEM;
        watcher->monitor = udev_monitor_new_from_netlink(watcher->udev, "udev");
        if (!watcher->monitor)
                return errno > 0 ? -errno : -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(subsystems); i++) {
                r = udev_monitor_filter_add_match_subsystem_devtype(
                        watcher->monitor, subsystems[i], NULL);
                if (r < 0)
                        return r;
        }
        r = udev_monitor_set_receive_buffer_size(watcher->monitor, RECEIVE_BUFFER_SIZE);
        if (r < 0)
                log_debug("Cannot enlarge the receive buffer for events, ignoring: %s",
                        strerror(-r));
        return udev_monitor_enable_receiving(watcher->monitor);
}

static int watcher_open_kernel(Watcher *watcher, sd_event *event)
{
        int r;

        watcher->kernel = kernel_events_open();
        if (watcher->kernel < 0)
                return watcher->kernel;
        r = sd_event_add_io(event, &watcher->kernel_source, watcher->kernel, EPOLLIN,
                watcher_receive_kernel, watcher);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(watcher->kernel_source, "kernel-events");
        return sd_event_source_set_priority(watcher->kernel_source, SD_EVENT_PRIORITY_IMPORTANT);
}

int watcher_new(sd_event *event, WatcherHandler handler, void *userdata, Watcher **ret)
{
        _cleanup_(watcher_freep) Watcher *watcher = calloc(1, sizeof(*watcher));
        int r;

        if (!watcher)
                return -ENOMEM;
        watcher->handler = handler;
        watcher->userdata = userdata;
        watcher->kernel = -1;
        r = watcher_open(watcher);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &watcher->source, udev_monitor_get_fd(watcher->monitor),
                EPOLLIN, watcher_receive, watcher);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(watcher->source, "udev-monitor");
        r = sd_event_source_set_ratelimit(watcher->source, BURST_INTERVAL_USEC, BURST_EVENTS);
        if (r < 0)
                return r;
        r = watcher_prepare_rest(watcher, event);
        if (r < 0)
                return r;
        r = watcher_open_kernel(watcher, event);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(watcher);
        return 0;
}

Watcher *watcher_free(Watcher *watcher)
{
        if (!watcher)
                return NULL;
        sd_event_source_disable_unref(watcher->source);
        sd_event_source_disable_unref(watcher->rest);
        sd_event_source_disable_unref(watcher->kernel_source);
        close_descriptor(&watcher->kernel);
        udev_monitor_unref(watcher->monitor);
        udev_unref(watcher->udev);
        free(watcher);
        return NULL;
}
