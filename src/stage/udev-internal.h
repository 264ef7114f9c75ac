/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stage/pass.h"
#include "stage/udev.h"

/* Between the files of the udev helper only. The pass is configured and the switch is on. */

/* udev-pci.c: a function appeared, changed, or got a driver. */
int udev_pci(Pass *pass, const UdevEvent *event, FILE *output) _must_check_;
/* A function is gone: what stands for it in /run and /dev goes too. */
int udev_pci_removed(const Host *host, const UdevEvent *event) _must_check_;

/* udev-node.c: a node of a group or of a device was announced. */
int udev_node(Pass *pass, const UdevEvent *event, FILE *output) _must_check_;
