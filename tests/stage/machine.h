/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A machine on which vfio-bindd is enabled, with a configuration, for the helper to work on. What
 * it logs goes to a pipe in place of standard error. */

#include "lib/fake-sysfs.h"
#include "lib/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "log/log.h"

#define SWITCH_PATH "etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service"

static inline FakeSysfs *machine_new(const char *devices, const char *configuration)
{
        FakeSysfs *machine = fake_sysfs_new();

        fake_sysfs_add(machine, devices);
        fake_sysfs_link(machine, SWITCH_PATH, "/usr/lib/systemd/system/vfio-bindd-early.service");
        fake_sysfs_write(machine, "etc/vfio-bind.conf", configuration);
        fake_sysfs_write(machine, "proc/cmdline", "root=/dev/vda1 quiet\n");
        return machine;
}

/* What is logged from here on, until log_taken(). */
typedef struct LogTaken {
        int saved, reader;
        char text[16384];
} LogTaken;

static inline void log_take(LogTaken *taken, Stage stage)
{
        int fds[2];

        ASSERT_OK(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
        taken->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        ASSERT_TRUE(taken->saved >= 0 && dup2(fds[1], STDERR_FILENO) >= 0);
        close(fds[1]);
        taken->reader = fds[0];
        log_open("test", LOG_TARGET_STDERR, stage);
}

static inline const char *log_taken(LogTaken *taken)
{
        ssize_t n = read(taken->reader, taken->text, sizeof(taken->text) - 1);

        taken->text[n > 0 ? n : 0] = '\0';
        ASSERT_TRUE(dup2(taken->saved, STDERR_FILENO) >= 0);
        close(taken->saved);
        close(taken->reader);
        return taken->text;
}
