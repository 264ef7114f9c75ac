/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "config/config-load.h"
#include "daemon/manager-internal.h"
#include "host/initramfs.h"
#include "host/switch.h"
#include "log/log.h"
#include "util/strings.h"

/* Does the initramfs hold what it would hold if it were made now? What that depends on are files;
 * the directories in which they are, or would be, are watched. What changes there may be the
 * configuration, which is looked at as well (configuration.c). */

/* What belongs together happens within this time: a file is written, an image and its manifest. */
#define SETTLE_USEC (500 * USEC_PER_MSEC)

#define CHANGES                                                                                    \
        (IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |        \
                IN_ONLYDIR)

typedef struct WatchedDirectory {
        const char *path;
        const char *prefix; /* of the names that count; NULL: all */
} WatchedDirectory;

static const WatchedDirectory directories[INITRAMFS_N_WATCHES] = {
        { "etc", "vfio-bind.conf" },
        { "etc/vfio-bind.conf.d", NULL },
        { "usr/lib", "vfio-bind" },
        { "usr/lib/vfio-bind.conf.d", NULL },
        { "usr/local/lib/vfio-bind.conf.d", NULL },
        { PROGRAM_DIRECTORY, "vfio-bindd-helper" },
        { "etc/systemd/system", "vfio-bindd-early.service" },
        { "etc/systemd/system/sysinit.target.wants", "vfio-bindd-early.service" },
        { "var/lib/vfio-bindd", "initramfs" },
        { "var/lib/vfio-bindd/initramfs", NULL },
        { "boot", "init" },
};

static int find_digest(const Host *host, char digest[static INITRAMFS_DIGEST_SIZE])
{
        _cleanup_config_ Config *config = NULL;
        ConfigLoadOptions options = { .check_owner = host->is_live, .without_run = true };

        int r = config_load(host->root, &options, &config);
        return r < 0 ? r : initramfs_digest(host, config->digest, digest);
}

/* Returns whether something that is shown has changed. */
static int look(Manager *manager)
{
        const char *booted, *previous = manager->initramfs_state;
        char digest[INITRAMFS_DIGEST_SIZE];
        _cleanup_free_ char *kernel = NULL;
        InitramfsState state;

        int r = find_digest(manager->host, digest);
        if (r < 0)
                return r;
        bool is_enabled = host_is_enabled(manager->host);
        r = initramfs_look(manager->host, digest, is_enabled, &state, &kernel);
        if (r < 0)
                return r;
        booted = initramfs_state_to_string(
                initramfs_look_booted(manager->host, digest, is_enabled));
        bool is_changed = !streq_null(previous, initramfs_state_to_string(state));
        if (!is_changed && streq_null(manager->booted_initramfs_state, booted))
                return 0;

        manager->initramfs_state = initramfs_state_to_string(state);
        manager->booted_initramfs_state = booted;
        if (is_changed && manager->may_act && kernel)
                log_initramfs(kernel, manager->initramfs_state, is_enabled, previous != NULL);
        return 1;
}

static void watch(Manager *manager);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Manager *manager = userdata;

        watch(manager);
        int r = look(manager);
        if (r < 0)
                log_warning("Cannot tell whether the initramfs is current, ignoring: %s",
                        strerror(-r));
        int k = configuration_look(manager);
        if (k < 0)
                log_warning("Cannot tell whether the configuration has changed, ignoring: %s",
                        strerror(-k));
        if (r > 0 || k > 0)
                manager_wake(manager);
        return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
        Manager *manager = userdata;
        int is_due;

        for (size_t i = 0; i < INITRAMFS_N_WATCHES; i++)
                if (manager->initramfs_watches[i] == source && directories[i].prefix &&
                    event->len > 0 && !startswith(event->name, directories[i].prefix))
                        return 0;
        dry_runs_forget_next_boot(manager);
        if (sd_event_source_get_enabled(manager->initramfs_timer, &is_due) < 0 || is_due)
                return 0;
        int r = sd_event_source_set_time_relative(manager->initramfs_timer, SETTLE_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(manager->initramfs_timer, SD_EVENT_ONESHOT);
        if (r < 0)
                log_warning("Cannot look at the initramfs later, ignoring: %s", strerror(-r));
        return 0;
}

/* Anew each time: directories come, go and are replaced. */
static void watch(Manager *manager)
{
        for (size_t i = 0; i < INITRAMFS_N_WATCHES; i++) {
                sd_event_source **source = &manager->initramfs_watches[i];
                char path[256];

                *source = sd_event_source_disable_unref(*source);
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", manager->host->root,
                        directories[i].path + strspn(directories[i].path, "/"));
                int r = sd_event_add_inotify(manager->event, source, path, CHANGES, on_inotify,
                        manager);
                if (r < 0 && r != -ENOENT && r != -ENOTDIR)
                        log_debug("Cannot watch /%s, ignoring: %s", directories[i].path,
                                strerror(-r));
        }
}

int initramfs_prepare(Manager *manager)
{
        int r = sd_event_add_time_relative(manager->event, &manager->initramfs_timer,
                CLOCK_MONOTONIC, 0, 0, on_timer, manager);
        if (r >= 0)
                r = sd_event_source_set_enabled(manager->initramfs_timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        /* First the watches: nothing that changes meanwhile is lost. */
        watch(manager);
        r = look(manager);
        if (r < 0 && r != -ENOMEM) {
                log_warning("Cannot tell whether the initramfs is current, ignoring: %s",
                        strerror(-r));
                r = 0;
        }
        return r < 0 ? r : 0;
}

void initramfs_done(Manager *manager)
{
        sd_event_source_disable_unref(manager->initramfs_timer);
        for (size_t i = 0; i < INITRAMFS_N_WATCHES; i++)
                sd_event_source_disable_unref(manager->initramfs_watches[i]);
}
