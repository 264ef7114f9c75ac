/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/pci-address.h"
#include "host/host.h"

/* The sysfs primitives. Each may block for as long as a driver pleases: workers only. Each returns
 * 0 or the kernel's errno; -EINVAL for names that cannot be a file's. */

/* -ENODEV: the function is gone, or another one stands at its address. */
int binding_check_instance(const Host *host, const PciAddress *address, uint64_t inode)
        _must_check_;
/* What is asked of this instance from here on is looked up below a descriptor of its directory, in
 * place of the one that was kept before. In the directory of one that is gone nothing is found: who
 * gets -ENOENT then asks binding_check_instance(). The host must outlive it. Returns as above. */
int binding_keep_directory(const Host *host, const PciAddress *address, uint64_t inode)
        _must_check_;
void binding_drop_directory(void);

/* Texts belong to the caller. NULL: no driver link; -ENODEV: no such function. */
int binding_read_driver(const Host *host, const PciAddress *address, char **ret) _must_check_;
/* NULL: none, which the kernel writes as "(null)". -ENOENT: this kernel has no override. */
int binding_read_override(const Host *host, const PciAddress *address, char **ret) _must_check_;
/* NULL clears with "\n": a write of no bytes never reaches the driver core. */
int binding_write_override(const Host *host, const PciAddress *address, const char *driver)
        _must_check_;
/* -ENOENT: no such driver. The kernel's other codes: facts of drivers/base/bus.c. */
int binding_unbind(const Host *host, const PciAddress *address, const char *driver) _must_check_;
int binding_bind(const Host *host, const PciAddress *address, const char *driver) _must_check_;
/* Success says nothing about what was bound. */
int binding_probe(const Host *host, const PciAddress *address) _must_check_;
/* `name` may be a path below the function ("power/control"), without "." and "..". */
int binding_read_device_attribute(const Host *host, const PciAddress *address, const char *name,
        char **ret) _must_check_;
int binding_write_device_attribute(const Host *host, const PciAddress *address, const char *name,
        const char *text) _must_check_;
