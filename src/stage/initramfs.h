/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "util/macro.h"

/* For the hooks that make an initramfs: what it has to hold, as a machine that boots from this
 * root would have it (what lies in /run is left out), one item per line:
 *
 *     switch on           or off: then nothing of us belongs into it, and no further line follows
 *     file PATH           of the configuration, with the same path inside
 *     module NAME         may be missing or built in
 *     variants            Driver=auto: all modules with an alias that begins with "vfio_pci:"
 *     digest HEX          for the manifest, see host/initramfs.h
 *     timeout SECONDS     after which the early pass is over, whatever happens
 *
 * root NULL: this machine. Returns 0; -EINVAL if the name of a file cannot be shown; or another
 * negative errno; what is wrong is logged. */
int initramfs_print_needs(const char *root, FILE *output) _must_check_;
