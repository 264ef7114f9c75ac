/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/boot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/initramfs.h"
#include "host/scan.h"
#include "host/store.h"
#include "host/switch.h"
#include "log/log.h"
#include "stage/pass.h"
#include "util/io.h"

/* Below TimeoutStartSec= of vfio-bindd-early.service: the end is ours, and is said. */
#define BOOT_TIMEOUT_MAX_USEC (60 * USEC_PER_SEC)

/* At boot the unit comes before udevd. Enabled while the system runs, it is started by whatever
 * starts a target again (`systemctl isolate`, `systemctl default`); host drivers are at work then.
 * cgroup.events: Documentation/admin-guide/cgroup-v2.rst of the kernel. */
static bool udevd_is_running(const Host *host)
{
        static const char *const hierarchies[] = { "sys/fs/cgroup", "sys/fs/cgroup/unified" };

        for (size_t i = 0; i < ELEMENTSOF(hierarchies); i++) {
                _cleanup_free_ char *text = NULL;
                char path[128];

                (void) snprintf(path, sizeof(path),
                        "%s/system.slice/systemd-udevd.service/cgroup.events", hierarchies[i]);
                if (read_file_at(host->root, path, 4096, &text, NULL) >= 0 &&
                    strstr(text, "populated 1"))
                        return true;
        }
        return false;
}

uint64_t boot_timeout(const Config *config)
{
        return config->boot_timeout_usec < BOOT_TIMEOUT_MAX_USEC ? config->boot_timeout_usec :
                                                                   BOOT_TIMEOUT_MAX_USEC;
}

static int carry_out(Pass *pass, const Plan *plan)
{
        Report *report = NULL;
        int r;

        r = store_prepare(&pass->host);
        if (r < 0) {
                log_error("/run/vfio-bindd cannot be used (%s), nothing is done.", strerror(-r));
                return r;
        }
        r = pass_execute(pass, plan, boot_timeout(pass->config), &report);
        if (r < 0)
                return r;
        report_free(report);
        return 0;
}

/* The next stage may not reach /var yet. */
static void hand_on_host_devices(const Pass *pass)
{
        int r;

        if (pass->stage != STAGE_INITRD || !pass->host_devices)
                return;
        r = store_prepare(&pass->host);
        if (r >= 0)
                r = host_devices_hand_on(&pass->host, pass->host_devices);
        if (r < 0)
                log_warning("Cannot hand the record of what the host needs on to the next stage, "
                            "ignoring: %s",
                        strerror(-r));
}

static int run(Pass *pass, const BootOptions *options)
{
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_plan_ Plan *plan = NULL;
        PlanRequest request = { .stage = options->stage, .may_unbind = true };
        bool plan_only = options->dry_run || pass->command_line.mode == SWITCH_PLAN;
        int r;

        log_config(pass->config);
        if (!plan_only)
                hand_on_host_devices(pass);
        r = scan_machine(&pass->host, pass_facts(pass), NULL, &snapshot);
        if (r < 0) {
                log_error("The machine cannot be read (%s), nothing is done.", strerror(-r));
                return r;
        }
        r = pass_plan(pass, snapshot, &request, &plan);
        if (r < 0)
                return r;
        pass_leave_num_vfs(plan);
        log_plan(plan, plan_only);
        return plan_only || plan_is_empty(plan) ? 0 : carry_out(pass, plan);
}

/* For the daemon: which initramfs it was, whatever comes of it. */
static void note_initramfs(const Host *host)
{
        int r = store_prepare(host);

        if (r >= 0)
                r = initramfs_note_booted(host);
        if (r < 0 && r != -ENOENT)
                log_warning("Cannot note in /run which initramfs this is, ignoring: %s",
                        strerror(-r));
}

int boot_run(const BootOptions *options)
{
        _cleanup_pass_ Pass pass = {};
        int r;

        r = pass_open(&pass, options->root, options->stage);
        if (r < 0) {
                log_error("%s cannot be opened: %s", options->root ? options->root : "/",
                        strerror(-r));
                return r;
        }
        if (!options->dry_run && options->stage == STAGE_INITRD)
                note_initramfs(&pass.host);
        if (!options->dry_run && !host_is_enabled(&pass.host)) {
                log_notice("vfio-bindd-early.service is not enabled, nothing is done.");
                return 0;
        }
        if (!options->dry_run && options->stage == STAGE_BOOT && udevd_is_running(&pass.host)) {
                log_notice("systemd-udevd is running already, so this is no boot, and nothing is "
                           "done. Run \"vfio-bindctl apply\" to take devices from the host.");
                return 0;
        }
        r = pass_configure(&pass);
        if (r < 0) {
                log_error("The configuration cannot be read (%s), nothing is done.", strerror(-r));
                return r;
        }
        if (pass.command_line.mode != SWITCH_ON)
                log_switched_off(pass.command_line.why, pass.command_line.mode == SWITCH_PLAN);
        if (pass.command_line.mode == SWITCH_OFF)
                return 0;
        return run(&pass, options);
}
