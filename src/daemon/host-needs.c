/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/manager-internal.h"
#include "host/aside.h"
#include "host/host-devices.h"
#include "log/log.h"
#include "util/io.h"
#include "util/strings.h"

/* The record of what the host needs, renewed with every view and written when it changed.
 *
 * A shutdown unmounts and takes down everything before it ends us, a boot mounts and sets up one
 * thing after the other: what is not in use in such a moment is needed all the same. So functions
 * are added at once, but forgotten only if the service manager says, after we looked, that the
 * system is up and not on its way down:
 *
 *     view ─ host_needs_update() ─ nothing lost? ──────────────────────────── write
 *                   └─ something lost ─ ManagerListener.ask_system_state()
 *                                          └─ manager_take_system_state() ─┬ up: write
 *                                                                          ├ down: leave it
 *                                                                          └ else: add, ask later
 *
 * Disks can take seconds, or forever: a process of its own writes, and nobody waits for it. What
 * changes meanwhile is looked at when it is done.
 *
 * Where the kernel command line keeps claims from being carried out, the host has devices that it
 * has in no other boot: then the record stays as it is. */

/* Within this time a boot that has mounted all is up, and udev is done with what appeared. */
#define ASK_AGAIN_FIRST_USEC (10 * USEC_PER_SEC)
#define ASK_AGAIN_LAST_USEC  (3600 * USEC_PER_SEC)
/* Nobody waits for it; one whose disk does not answer is in no way but that of the next one. */
#define WRITE_SEC            3600U

struct HostNeeds {
        HostDevices *recorded; /* what the file says; NULL: nothing valid */
        char *text;            /* of that */
        HostDevices *seen;     /* waits for the answer; NULL: nobody was asked */
        HostDevices *writing;  /* is on its way to the file; NULL: nothing is */
        char *writing_text;
        int written; /* tells what came of that */
        bool again;            /* there was a view since */
        bool failed;           /* writing did, and that was said */
        sd_event_source *ask_again;
        uint64_t ask_again_usec;
};

HostNeeds *host_needs_free(HostNeeds *needs)
{
        if (!needs)
                return NULL;
        sd_event_source_disable_unref(needs->ask_again);
        host_devices_free(needs->recorded);
        host_devices_free(needs->seen);
        host_devices_free(needs->writing);
        close_descriptor(&needs->written);
        free(needs->writing_text);
        free(needs->text);
        free(needs);
        return NULL;
}

static bool is_frozen(const Manager *manager)
{
        return manager->command_line.mode != SWITCH_ON || manager->command_line.skip;
}

static int on_ask_again(sd_event_source *source, uint64_t usec, void *userdata)
{
        manager_wake(userdata);
        return 0;
}

int host_needs_prepare(Manager *manager)
{
        _cleanup_(host_needs_freep) HostNeeds *needs = calloc(1, sizeof(*needs));
        int r;

        if (!needs)
                return -ENOMEM;
        needs->ask_again_usec = ASK_AGAIN_FIRST_USEC;
        needs->written = -1;
        r = sd_event_add_time(manager->event, &needs->ask_again, CLOCK_MONOTONIC, 0, USEC_PER_SEC,
                on_ask_again, manager);
        if (r >= 0)
                r = sd_event_source_set_enabled(needs->ask_again, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(needs->ask_again, "host-needs");

        r = host_devices_read(manager->host, &needs->recorded);
        if (r >= 0)
                r = host_devices_format(needs->recorded, &needs->text);
        if (r == -ENOMEM)
                return r;
        if (r < 0 && r != -ENOENT)
                log_warning("The record of what the host needs (/%s) cannot be used (%s), writing "
                            "it anew.",
                        HOST_DEVICES_FILE, r == -EBADMSG ? "it is damaged" : strerror(-r));
        manager->needs = TAKE_POINTER(needs);
        return 0;
}

const HostDevices *host_needs_recorded(const Manager *manager)
{
        return manager->needs ? manager->needs->recorded : NULL;
}

/* An hour apart at last, for a system that is never up, or has nobody who could tell. */
static void ask_later(HostNeeds *needs)
{
        (void) sd_event_source_set_time(needs->ask_again, now_monotonic() + needs->ask_again_usec);
        (void) sd_event_source_set_enabled(needs->ask_again, SD_EVENT_ONESHOT);
        needs->ask_again_usec *= 2;
        if (needs->ask_again_usec > ASK_AGAIN_LAST_USEC)
                needs->ask_again_usec = ASK_AGAIN_LAST_USEC;
}

static void ask_no_more(HostNeeds *needs)
{
        (void) sd_event_source_set_enabled(needs->ask_again, SD_EVENT_OFF);
        needs->ask_again_usec = ASK_AGAIN_FIRST_USEC;
}

static void end_writing(Manager *manager)
{
        HostNeeds *needs = manager->needs;

        manager->needs_writing = sd_event_source_disable_unref(manager->needs_writing);
        close_descriptor(&needs->written);
        needs->written = -1;
        host_devices_free(needs->writing);
        needs->writing = NULL;
        free(needs->writing_text);
        needs->writing_text = NULL;
}

static void take_result(HostNeeds *needs, int error)
{
        if (error < 0) {
                if (!needs->failed)
                        log_warning("Cannot record what the host needs, ignoring: %s",
                                strerror(-error));
                needs->failed = true;
                return;
        }
        log_debug("Recorded that the host needs %zu functions.", needs->writing->n_items);
        needs->failed = false;
        host_devices_free(needs->recorded);
        needs->recorded = TAKE_POINTER(needs->writing);
        free(needs->text);
        needs->text = TAKE_POINTER(needs->writing_text);
}

/* Its end without a word is that of its time. */
static int on_written(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Manager *manager = userdata;
        HostNeeds *needs = manager->needs;
        int result = 0;

        if (read(fd, &result, sizeof(result)) != sizeof(result))
                result = -ETIMEDOUT;
        take_result(needs, result);
        end_writing(manager);
        dry_runs_forget_next_boot(manager);
        if (needs->again)
                manager_wake(manager);
        needs->again = false;
        return 0;
}

static void write_record(int output, void *userdata)
{
        const Manager *manager = userdata;
        int result = host_devices_write(manager->host, NULL, manager->needs->writing);

        (void) !write(output, &result, sizeof(result));
}

/* Takes both. */
static void start_writing(Manager *manager, HostDevices *devices, char *text)
{
        HostNeeds *needs = manager->needs;
        int r;

        needs->writing = devices;
        needs->writing_text = text;
        needs->written = aside_start(write_record, manager, manager->host->root, WRITE_SEC);
        r = needs->written < 0 ? needs->written
                               : sd_event_add_io(manager->event, &manager->needs_writing,
                                         needs->written, EPOLLIN, on_written, manager);
        if (r >= 0)
                return;
        take_result(needs, r);
        end_writing(manager);
}

/* Takes the list. After a change there is one more look: the guard may have seen somebody who had a
 * device open for a moment, and no event tells when that is over. */
static int record(Manager *manager, HostDevices *list)
{
        _cleanup_host_devices_ HostDevices *devices = list;
        _cleanup_free_ char *text = NULL;
        HostNeeds *needs = manager->needs;
        int r;

        r = host_devices_format(devices, &text);
        if (r < 0)
                return r;
        if (streq_null(text, needs->text)) {
                ask_no_more(needs);
                return 0;
        }
        ask_later(needs);
        start_writing(manager, TAKE_POINTER(devices), TAKE_POINTER(text));
        return 0;
}

/* Something is to be forgotten, when that can be told. */
static int record_and_ask_later(Manager *manager, HostDevices *list)
{
        uint64_t usec = manager->needs->ask_again_usec;
        int r = record(manager, list);

        manager->needs->ask_again_usec = usec;
        ask_later(manager->needs);
        return r;
}

static int take_answer(Manager *manager, SystemState state)
{
        HostNeeds *needs = manager->needs;
        _cleanup_host_devices_ HostDevices *seen = TAKE_POINTER(needs->seen);
        int r;

        switch (state) {
        case SYSTEM_UP:
                return record(manager, TAKE_POINTER(seen));
        case SYSTEM_STOPPING:
                ask_no_more(needs);
                return 0;
        default:
                r = host_devices_merge(seen, needs->recorded);
                return r < 0 ? r : record_and_ask_later(manager, TAKE_POINTER(seen));
        }
}

void manager_take_system_state(Manager *manager, SystemState state)
{
        HostNeeds *needs = manager->needs;
        int r;

        if (!needs || !needs->seen)
                return;
        r = take_answer(manager, state);
        if (r < 0)
                log_warning("Cannot record what the host needs, ignoring: %s", strerror(-r));
        if (needs->again)
                manager_wake(manager);
        needs->again = false;
}

/* The answer comes later, from the loop. */
static int ask(Manager *manager)
{
        const ManagerListener *listener = &manager->listener;
        int r = listener->ask_system_state ? listener->ask_system_state(listener->userdata)
                                           : -EOPNOTSUPP;

        return r < 0 ? take_answer(manager, SYSTEM_UNKNOWN) : 0;
}

int host_needs_update(Manager *manager, const View *view)
{
        _cleanup_host_devices_ HostDevices *seen = NULL;
        HostNeeds *needs = manager->needs;
        int r;

        if (!needs || is_frozen(manager))
                return 0;
        if (needs->seen || needs->writing) {
                needs->again = true;
                return 0;
        }
        r = host_devices_collect(manager->host, view->snapshot, view->plan, needs->recorded, &seen);
        if (r < 0)
                return r;
        if (!needs->recorded || host_devices_cover(seen, needs->recorded)) {
                return record(manager, TAKE_POINTER(seen));
        }
        needs->seen = TAKE_POINTER(seen);
        return ask(manager);
}
