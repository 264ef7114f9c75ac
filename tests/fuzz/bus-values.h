/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

/* Signatures and values of D-Bus, made from bytes. When the bytes are used up, everything is the
 * first of its choices. */

typedef struct Bytes {
        const uint8_t *data;
        size_t size;
} Bytes;

/* 0 … n - 1 */
unsigned bytes_pick(Bytes *bytes, size_t n);

#define SIGNATURE_MAX 128

/* Some complete types, as many as there happen to be. Returns `signature`. */
char *bytes_signature(Bytes *bytes, char signature[static SIGNATURE_MAX]);

/* Appends values of these types: words that mean something here, and others. */
void append_values(Bytes *bytes, sd_bus_message *message, const char *signature);
