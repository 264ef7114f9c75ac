/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "core/pci-address.h"
#include "util/hash.h"

/* Where a property's value goes: into a message, or, without one, into a digest that tells
 * whether the value changed. One getter serves both, so they cannot differ.
 * All functions return 0 or a negative errno of sd-bus. */
typedef struct Sink {
        sd_bus_message *message; /* NULL: digest */
        uint64_t digest;
} Sink;

#define SINK_DIGEST ((Sink){ .digest = HASH_START })
#define SINK_MESSAGE(to) ((Sink){ .message = (to) })

/* Foreign text may be no UTF-8, which would break the whole message: what is not becomes "?".
 * NULL is "". */
int sink_string(Sink *sink, const char *text) _must_check_;
int sink_path(Sink *sink, const char *path) _must_check_;
int sink_boolean(Sink *sink, bool value) _must_check_;
int sink_unsigned(Sink *sink, uint32_t value) _must_check_;
int sink_integer(Sink *sink, int32_t value) _must_check_;
int sink_timestamp(Sink *sink, uint64_t value) _must_check_;
/* `width` hex digits. */
int sink_hex(Sink *sink, uint32_t value, int width) _must_check_;
int sink_strings(Sink *sink, char *const *list) _must_check_; /* NULL is empty */
/* All of the list in one string with "," between. */
int sink_joined(Sink *sink, char *const *list) _must_check_;
int sink_device_path(Sink *sink, const PciAddress *address) _must_check_; /* NULL: none */
int sink_group_path(Sink *sink, int64_t number) _must_check_;             /* < 0: none */

int sink_open_array(Sink *sink, const char *contents) _must_check_;
int sink_open_struct(Sink *sink, const char *contents) _must_check_;
int sink_close(Sink *sink) _must_check_;
