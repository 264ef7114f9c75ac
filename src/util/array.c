/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/array.h"

#include <errno.h>
#include <string.h>

int array_grow(void **array, size_t count, size_t element_size)
{
        /* The capacity is always the next power of two, so that it need not be stored: there is
         * room unless count itself is 0 or a power of two. */
        if (count & (count - 1))
                return 0;

        size_t capacity = count ? count * 2 : 1, size;
        if (capacity < count || __builtin_mul_overflow(capacity, element_size, &size))
                return -ENOMEM;

        char *grown = realloc(*array, size);
        if (!grown)
                return -ENOMEM;

        memset(grown + count * element_size, 0, (capacity - count) * element_size);
        *array = grown;
        return 0;
}
