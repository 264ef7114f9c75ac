/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/manager-internal.h"
#include "host/interrupt-remapping.h"
#include "host/store.h"
#include "host/switch.h"
#include "log/log.h"
#include "util/io.h"
#include "util/strings.h"

/* Puts the parts together, in the order that loses nothing: the monitor before the first scan. */

bool manager_may_execute(const Manager *manager)
{
        return manager->may_act && manager->command_line.mode == SWITCH_ON;
}

bool manager_acts_by_itself(const Manager *manager)
{
        return manager_may_execute(manager) && manager->is_enabled;
}

int64_t manager_next_identifier(Manager *manager)
{
        return ++manager->last_identifier;
}

void manager_handle_event(void *userdata, const WatcherEvent *event)
{
        Manager *manager = userdata;
        int r;

        if (event->is_kernel) {
                r = virtual_functions_changed(manager, &event->address);
                if (r < 0)
                        log_warning("Cannot look at virtual functions of %s at once, ignoring: %s",
                                PCI_ADDRESS_TEXT(&event->address), strerror(-r));
                return;
        }
        if (event->is_added && arrivals_announce(manager, &event->address) < 0)
                log_warning("No memory to note that %s is new, ignoring.",
                        PCI_ADDRESS_TEXT(&event->address));
        if (event->lost)
                manager_wake(manager);
        else
                manager_wake_after_events(manager);
}

static void use_config(Manager *manager, SharedConfig *config)
{
        shared_config_unref(manager->config);
        manager->config = config;
        memcpy(manager->config_digest, config->config->digest, sizeof(manager->config_digest));
}

static int read_config(Manager *manager)
{
        SharedConfig *config;
        int r;

        r = configuration_read(manager->host, manager->config_root, &manager->command_line,
                manager->config, &config);
        if (r < 0)
                return r;
        use_config(manager, config);
        manager->configuration_state = "current";
        return 0;
}

void manager_read_switch(Manager *manager)
{
        bool was_enabled = manager->is_enabled;

        manager->is_enabled = host_is_enabled(manager->host);
        if (manager->is_enabled != was_enabled && manager_may_execute(manager))
                log_notice("vfio-bindd-early.service is %s now: %s.",
                        manager->is_enabled ? "enabled" : "not enabled",
                        manager->is_enabled ? "what claims want is done"
                                            : "nothing is done to any device unless it is asked "
                                              "for");
}

static int read_switches(Manager *manager)
{
        int r;

        r = kernel_command_line_read(manager->host, STAGE_RUNTIME, &manager->command_line);
        if (r < 0)
                return r;
        manager->is_enabled = host_is_enabled(manager->host);
        if (!manager->may_act)
                return 0;
        if (manager->command_line.mode != SWITCH_ON)
                log_switched_off(manager->command_line.why,
                        manager->command_line.mode == SWITCH_PLAN);
        else if (!manager->is_enabled)
                log_notice("vfio-bindd-early.service is not enabled: nothing is done to any device "
                           "unless it is asked for.");
        return 0;
}

static void read_interrupt_remapping(Manager *manager)
{
        int r = host_remaps_interrupts(manager->host);

        if (r >= 0)
                manager->interrupt_remapping = r > 0 ? "yes" : "no";
        else if (r != -ENODATA)
                log_debug("Cannot tell whether interrupts are remapped, ignoring: %s",
                        strerror(-r));
}

static void on_uses_changed(void *userdata)
{
        manager_wake(userdata);
}

static int watch(Manager *manager)
{
        int r;

        r = watcher_new(manager->event, manager_handle_event, manager, &manager->watcher);
        if (r < 0)
                return r;
        return uses_watch_new(manager->event, on_uses_changed, manager, &manager->uses_watch);
}

static int prepare(Manager *manager, const ManagerOptions *options)
{
        int r;

        r = replace_string(&manager->config_root, options->config_root);
        if (r < 0)
                return r;
        r = reconcile_prepare(manager);
        if (r < 0)
                return r;
        r = applies_prepare(manager);
        if (r < 0)
                return r;
        if (options->watch) {
                r = watch(manager);
                if (r < 0)
                        return r;
        }
        r = read_switches(manager);
        if (r < 0)
                return r;
        r = read_config(manager);
        if (r < 0)
                return r;
        read_interrupt_remapping(manager);
        r = initramfs_prepare(manager);
        if (r < 0)
                return r;
        if (!manager->may_act)
                return 0;
        r = store_prepare(manager->host);
        if (r < 0)
                return r;
        r = coldplug_prepare(manager);
        if (r < 0)
                return r;
        r = host_needs_prepare(manager);
        if (r < 0)
                return r;
        r = work_prepare(manager);
        if (r < 0)
                return r;
        return recover_prepare(manager);
}

int manager_new_with_options(sd_event *event, const Host *host, const ManagerOptions *options,
        Manager **ret)
{
        _cleanup_(manager_freep) Manager *manager = calloc(1, sizeof(*manager));
        int r;

        if (!manager)
                return -ENOMEM;
        manager->event = sd_event_ref(event);
        manager->host = host;
        manager->may_act = options->may_act;
        manager->nodes_asked = manager->watching = -1;
        manager->wake_usec = manager->events_since_usec = USEC_INFINITY;
        manager->started_usec = now_monotonic();
        manager->operations = *options->operations;
        r = prepare(manager, options);
        if (r < 0)
                return r;
        manager_wake(manager);
        *ret = TAKE_POINTER(manager);
        return 0;
}

Manager *manager_free(Manager *manager)
{
        if (!manager)
                return NULL;
        close_descriptor(&manager->watching);
        watcher_free(manager->watcher);
        uses_watch_free(manager->uses_watch);
        sd_event_source_disable_unref(manager->needs_writing);
        host_needs_free(manager->needs);
        sd_event_source_disable_unref(manager->wake_deferred);
        sd_event_source_disable_unref(manager->wake_timer);
        sd_event_source_disable_unref(manager->deadline_timer);
        coldplug_done(manager);
        applies_free(manager);
        stuck_free(manager);
        lookups_free(manager);
        nodes_free(manager);
        initramfs_done(manager);
        works_free(manager);
        attempts_forget(manager);
        free(manager->arrivals);
        free(manager->waiting.items);
        free(manager->drifts.items);
        free(manager->departures.items);
        free(manager->accounts_asked.items);
        free(manager->intents);
        dry_runs_forget(manager);
        view_unref(manager->view);
        shared_config_unref(manager->config);
        kernel_command_line_done(&manager->command_line);
        free(manager->config_root);
        sd_event_unref(manager->event);
        free(manager);
        return NULL;
}

void manager_set_listener(Manager *manager, const ManagerListener *listener)
{
        manager->listener = listener ? *listener : (ManagerListener){};
}

View *manager_view(Manager *manager)
{
        return manager->view;
}

int manager_reload(Manager *manager)
{
        int r;

        manager->is_enabled = host_is_enabled(manager->host);
        r = read_config(manager);
        if (r < 0)
                return r;
        attempts_forget(manager);
        manager->accounts_asked.n_items = 0;
        r = manager_reconcile(manager);
        if (r < 0) {
                manager_wake(manager); /* it is in force all the same */
                return r;
        }
        return manager->config->config->diagnostics.n_errors > 0 ? -EBADMSG : 0;
}
