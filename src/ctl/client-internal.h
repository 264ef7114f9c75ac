/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/client.h"

/* Between client.c, which calls, client-model.c, which reads objects, and client-list.c. */

static inline void bus_message_unref(sd_bus_message **message)
{
        sd_bus_message_unref(*message);
}
#define _cleanup_bus_message_ _cleanup_(bus_message_unref)

/* The address in an object path of a device. Returns 0, -EINVAL. */
int client_parse_device(const char *path, PciAddress *ret) _must_check_;

/* Reads the properties of the manager, as GetAll returns them, and what GetManagedObjects returns,
 * which are the objects below it. Objects, interfaces and properties that are not known, and
 * values of another type than they should be, are passed over. Returns 0 or a negative errno. */
int client_read_model(sd_bus_message *manager, sd_bus_message *objects, Model **ret) _must_check_;

/* The same of what ListClaims and ListDevices return. */
int client_read_list(sd_bus_message *manager, sd_bus_message *claims, sd_bus_message *devices,
        Model **ret) _must_check_;

/* What the two have in common: the name of the claim with this path, NULL if it is none; the
 * manager's properties; what is done once everything was added. Each returns 0 or a negative
 * errno. */
int client_set_claim_name(char **target, const char *path) _must_check_;
int client_read_manager(sd_bus_message *manager, Model *model) _must_check_;
int client_finish_model(Model *model) _must_check_;

/* Brings the model up to date with one of the signals PropertiesChanged, InterfacesAdded and
 * InterfacesRemoved of the daemon; pointers into it become invalid. Returns 0 or a negative
 * errno. */
int client_read_signal(sd_bus_message *signal, Model *model) _must_check_;
