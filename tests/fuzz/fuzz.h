/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The entry point that libFuzzer calls; replay.c calls it too. Must survive any bytes, and check
 * by itself that what came of them is sane. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Words that a mutation may insert; NULL-terminated. */
extern const char *const fuzz_dictionary[];
