/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* systemd-udevd has a file for as long as there are events that it has not handled
 * (event_queue_insert() in systemd's src/udev/udev-manager.c). */

#define UDEV_DIRECTORY "run/udev"

/* Not where there is no udev. */
bool udev_queue_is_busy(const Host *host);

/* Blocks until udev is idle, or `usec` have passed, whichever is first; for workers only. Where
 * that cannot be watched, and where udev is idle already, it takes the whole time. */
void udev_queue_wait(const Host *host, uint64_t usec);
