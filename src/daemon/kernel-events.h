/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/pci-address.h"

/* The kernel's own `change` events of PCI functions, at the moment it sends them. udevd passes them
 * on when it has handled those before them, which with many virtual functions takes seconds. */

/* Opens a socket that is readable when there is one; other events do not wake its owner. Returns
 * the descriptor or a negative errno. */
int kernel_events_open(void) _must_check_;

/* Takes the next event. Returns 1 with the function that changed; 0 if there is none now, -EBADMSG
 * for one that is dropped (not the kernel's, not of a PCI function, replayed, or of an error
 * recovery), -ENOBUFS if some were lost, another negative errno. */
int kernel_events_receive(int fd, PciAddress *ret) _must_check_;

/* Reads "change@/devices/…/0000:06:00.0", then KEY=VALUE, each with its NUL, `length` bytes in
 * all. Returns 0 or -EBADMSG. */
int kernel_event_parse(const char *event, size_t length, PciAddress *ret) _must_check_;
