/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/names.h"
#include "core/pci-address.h"

/* Object paths. A label is what follows the prefix; every object has exactly one label, so that
 * another spelling of the same thing is no object. */

/* The longest prefix, a name of 32 bytes that are all escaped, and NUL. */
#define BUS_PATH_MAX 160

char *path_of_device(const PciAddress *address, char text[static BUS_PATH_MAX]);
char *path_of_group(int64_t number, char text[static BUS_PATH_MAX]);
/* Escapes as sd_bus_path_encode(3) does. "/" if the name does not fit, which no valid one does. */
char *path_of_name(const char *prefix, const char *name, char text[static BUS_PATH_MAX]);

/* What follows prefix and a "/"; NULL if the path does not stand right below the prefix. */
const char *path_label(const char *path, const char *prefix);

/* Each returns 0, or -EINVAL if the label is not the one label of anything. */
int path_parse_device(const char *label, PciAddress *ret) _must_check_;
int path_parse_group(const char *label, int64_t *ret) _must_check_;
int path_parse_name(const char *label, char name[static BUS_PATH_MAX]) _must_check_;
