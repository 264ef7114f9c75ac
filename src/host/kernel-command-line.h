/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/vocabulary.h"
#include "host/host.h"

typedef enum Switch {
        SWITCH_ON,
        SWITCH_PLAN, /* log the plan, touch nothing */
        SWITCH_OFF,
} Switch;

typedef struct KernelCommandLine {
        Switch mode;
        char **skip; /* claims, NULL: none */
        char *why;   /* what set it: "vfio_bindd=off", "single", "kdump kernel", NULL */
} KernelCommandLine;

/* Pure part: `text` is /proc/cmdline. Words are split and unquoted as the kernel does it, "-" and
 * "_" in names are alike. vfio_bindd= counts at every stage, rd.vfio_bindd= in the initrd stage
 * only; the last one wins, and any value but on, plan and off acts as plan. A kdump kernel and the
 * rescue words are off whatever vfio_bindd= says. vfio_bindd.skip= accumulates.
 * Returns 0, -ENOMEM. */
int kernel_command_line_parse(const char *text, Stage stage, KernelCommandLine *ret) _must_check_;

/* Reads /proc/cmdline, and looks for /proc/vmcore. A saved tree may be without one. Returns 0 or a
 * negative errno. */
int kernel_command_line_read(const Host *host, Stage stage, KernelCommandLine *ret) _must_check_;

void kernel_command_line_done(KernelCommandLine *line);
#define _cleanup_kernel_command_line_ _cleanup_(kernel_command_line_done)
