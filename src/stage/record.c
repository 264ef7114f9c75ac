/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/record.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config-load.h"
#include "core/planner.h"
#include "host/guard.h"
#include "host/host-devices.h"
#include "host/scan.h"
#include "log/log.h"

/* PROC_PID_INIT_INO of the kernel: the inode of the first PID namespace. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

/* In a chroot or container /sys and /proc, if they are there, are those of the machine that makes
 * an image. */
static bool is_chroot(const Host *host)
{
        struct stat ours, theirs, namespace;

        if (host->is_live && stat("/proc/self/ns/pid", &namespace) == 0 &&
            namespace.st_ino != FIRST_PID_NAMESPACE)
                return true;
        if (!host->is_live || stat("/", &ours) < 0 || stat("/proc/1/root", &theirs) < 0)
                return false;
        return ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino;
}

static int look(const Host *host, HostDevices **ret)
{
        const ConfigLoadOptions options = { .check_owner = host->is_live };
        const PlanRequest request = { .stage = STAGE_RUNTIME };
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_config_ Config *config = NULL;
        _cleanup_plan_ Plan *plan = NULL;
        int r;

        r = config_load(host->root, &options, &config);
        if (r >= 0)
                r = scan_machine(host, config_needed_facts(config), NULL, &snapshot);
        if (r >= 0 && snapshot->n_devices == 0)
                r = -ENODEV;
        if (r >= 0)
                r = guard_scan(host, snapshot);
        if (r >= 0)
                r = planner_plan(snapshot, config, &request, &plan);
        if (r < 0)
                return r;
        return host_devices_collect(host, snapshot, plan, NULL, ret);
}

static int run(const Host *host, const char *output)
{
        _cleanup_host_devices_ HostDevices *devices = NULL, *kept = NULL;
        int r;

        if (is_chroot(host))
                return -EXDEV;
        r = look(host, &devices);
        if (r >= 0 && output) {
                r = host_devices_read(host, &kept);
                if (r >= 0)
                        r = host_devices_merge(devices, kept);
                else if (r == -ENOENT || r == -EBADMSG)
                        r = 0;
        }
        return r < 0 ? r : host_devices_write(host, output, devices);
}

int record_run(const char *root, const char *output)
{
        _cleanup_host_ Host host = { .root = -1 };
        int r;

        r = host_open(root, &host);
        if (r >= 0)
                r = run(&host, output);
        if (r == -EXDEV)
                log_error("This is a chroot or container: what its host needs is for itself to "
                          "tell. Nothing is written.");
        else if (r == -ENODEV)
                log_error("There are no PCI functions in /sys. Nothing is written.");
        else if (r < 0)
                log_error("The record of what the host needs cannot be written: %s", strerror(-r));
        return r;
}
