/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "lib/fake-sysfs.h"

/* Writes lines "WORD KEY VALUE" ("alias pci:v0000F00Dd*sv*sd*bc*sc*i* e1000e") as a binary index,
 * modules.alias.bin for instance. */
void module_index_write(FakeSysfs *fake, const char *path, const char *lines);
