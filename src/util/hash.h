/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* FNV-1a, 64 bits: tells texts apart, does not protect against anybody. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t hash_update(uint64_t hash, const void *data, size_t length);
