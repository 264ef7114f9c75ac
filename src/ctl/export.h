/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "ctl/model.h"

/* Bound functions in the form of other tools. */

typedef struct Export {
        const Model *model;
        char *const *claims; /* of the command line; empty: all */
} Export;

/* Is it to be told of: of one of these claims, and bound? */
bool export_has(const Export *export, const ModelDevice *device);
bool export_has_claim(const Export *export, const ModelDevice *device);
bool device_has_class(const ModelDevice *device, const char *digits);

/* Each prints, and returns 0 or -ENOMEM. */
int export_libvirt(const Export *export, FILE *file) _must_check_;
int export_qemu(const Export *export, FILE *file) _must_check_;
int export_opennebula(const Export *export, FILE *file) _must_check_;
int export_kubevirt(const Export *export, FILE *file) _must_check_;
int export_device_plugin(const Export *export, FILE *file) _must_check_;
int export_prometheus(const Export *export, FILE *file) _must_check_;
