/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/guard-internal.h"

/* The sysfs directory of a block device, as a path from the root that the caller frees. -ENOENT:
 * there is none. By device number, by kernel name, by path of its node ("/dev/…"). */
int guard_block_find_number(const Host *host, unsigned major_number, unsigned minor_number,
        char **ret) _must_check_;
int guard_block_find_name(const Host *host, const char *name, char **ret) _must_check_;
int guard_block_find_node(const Host *host, const char *node, char **ret) _must_check_;

/* Appends the sysfs directories of the controllers that a multipath NVMe drive can be reached by;
 * none for any other device. */
int guard_block_list_controllers(const Host *host, const char *directory, char ***list)
        _must_check_;

/* For each path of a list that is one of NVMe over Fibre Channel, appends those of the adapter's
 * ports that it goes through. */
int guard_fabrics_list_ports(const Host *host, char ***list) _must_check_;

/* Notes system use on every function that the block device of this sysfs directory rests on. */
int guard_block_add(Guard *guard, const char *directory, const char *what, const char *remedy)
        _must_check_;
/* The same, but leaves out functions that have such a note. */
int guard_block_add_more(Guard *guard, const char *directory, const char *what, const char *remedy)
        _must_check_;
