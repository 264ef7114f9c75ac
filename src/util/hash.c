/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/hash.h"

uint64_t hash_update(uint64_t hash, const void *data, size_t length)
{
        const unsigned char *bytes = data;

        for (size_t i = 0; i < length; i++)
                hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
        return hash;
}
