/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/import.h"

/* Commands that remove what prepared a machine for vfio-pci. */

/* Lines of modprobe.d about vfio-pci, soft dependencies on it, blacklists of the host drivers of
 * listed functions; lists of modules to load early. */
int import_remove_module_options(Import *import) _must_check_;

/* Words of the kernel command line likewise. */
int import_remove_boot_words(Import *import) _must_check_;

/* Is it a module that would take a listed function? */
bool import_is_host_driver(const Import *import, const char *module);
