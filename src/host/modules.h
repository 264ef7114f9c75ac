/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* Kernel modules by libkmod: those of the running kernel, or of the one that a saved tree has.
 * "-" and "_" in module names are alike; names that are returned have "_". */

/* Loads a module and what it depends on, unless it is there already or built in. Blacklists do not
 * count (it was asked for by name), and `install` lines of modprobe.d are not run: the module
 * itself is inserted. May block: workers only. -ENOENT: no such module; -EOPNOTSUPP: not this
 * machine's own tree. */
int modules_load(const Host *host, const char *name) _must_check_;

/* The same for one that nobody asked for, but that fits a device: as when udev loads it, blacklists
 * count. -ENOENT: there is none that may be loaded. */
int modules_load_fitting(const Host *host, const char *name) _must_check_;

/* Modules whose alias fits a modalias ("pci:v…"), vfio ones left out; sorted, NULL if none.
 * Returns 0 or a negative errno (-ENOENT: no module index). */
int modules_host_drivers(const Host *host, const char *modalias, char ***ret) _must_check_;

/* The variant driver module that fits best ("vfio_pci:" aliases, fewest wildcards; ties: name),
 * "vfio_pci" if none fits better. */
int modules_best_vfio_driver(const Host *host, const char *modalias, char **ret) _must_check_;

/* The PCI driver name of a loaded module: /sys/module/M/drivers/pci:*. -ENOENT: it is not loaded,
 * or has none. */
int modules_driver_name(const Host *host, const char *module, char **ret) _must_check_;

/* Has a vfio_pci: alias, or is vfio_pci. Takes the driver's name too where that is the module's
 * but for "-" and "_". */
bool modules_is_vfio(const Host *host, const char *module);

/* The same, for many lookups in a row. */
typedef struct ModuleIndex ModuleIndex;
/* Returns 0 or a negative errno (-ENOENT: it is not known which kernel's modules). */
int module_index_new(const Host *host, ModuleIndex **ret) _must_check_;
ModuleIndex *module_index_free(ModuleIndex *index);
DEFINE_CLEANUP(ModuleIndex, module_index_free)
#define _cleanup_module_index_ _cleanup_(module_index_freep)
int module_index_host_drivers(ModuleIndex *index, const char *modalias, char ***ret) _must_check_;
int module_index_best_vfio_driver(ModuleIndex *index, const char *modalias, char **ret)
        _must_check_;
/* The name of the driver that the best module has: asked of the kernel if it is loaded, else the
 * module's own name, which is what variant drivers register ("vfio-pci" for vfio_pci). */
int module_index_vfio_driver(ModuleIndex *index, const char *modalias, char **ret) _must_check_;
bool module_index_is_vfio(ModuleIndex *index, const char *module);
