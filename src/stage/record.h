/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* Writes the record of what the host needs, as the daemon does while it runs: what the guard would
 * refuse now, what the host's tables name.
 *
 * `output` NULL: the record itself (/var/lib/vfio-bindd/host-devices) is written anew. Else that
 * file, for an initramfs (whose copy belongs at the same path in the image): what the daemon's
 * record lists is in it too, because the image may be made when file systems are unmounted already.
 *
 * Only the machine itself can tell: inside of a chroot, and where no PCI functions are, nothing is
 * written. root NULL: this machine; else a saved tree. Returns 0; -EXDEV: a chroot; -ENODEV: no PCI
 * functions; or another negative errno; each is logged. */
int record_run(const char *root, const char *output) _must_check_;
