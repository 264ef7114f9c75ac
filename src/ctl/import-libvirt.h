/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/pci-address.h"

/* What a domain or a network of libvirt says about PCI functions of the host
 * (https://libvirt.org/formatdomain.html, formatnetwork.html). */
typedef struct LibvirtObject {
        char *name; /* NULL: the text has none */
        bool is_network;
        bool is_managed; /* some of them with managed='yes' */
        PciAddress *addresses;
        size_t n_addresses;
        char **pools; /* interfaces whose virtual functions a network hands out; NULL: none */
} LibvirtObject;

/* Reads a text, which is written to. Returns 0; -EINVAL with the line and what is wrong about it;
 * -ENOMEM. */
int libvirt_read(char *text, LibvirtObject *object, unsigned *ret_line,
        const char **ret_problem) _must_check_;
void libvirt_object_done(LibvirtObject *object);
