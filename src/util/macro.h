/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Attributes and small macros that every layer uses. */

#define _cleanup_(f) __attribute__((__cleanup__(f)))
#define _cleanup_free_ _cleanup_(free_pointer)
#define _printf_(a, b) __attribute__((__format__(__printf__, a, b)))
#define _must_check_ __attribute__((__warn_unused_result__))
#define _unused_ __attribute__((__unused__))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_INFINITY UINT64_MAX

/* Defines type##_freep(), for _cleanup_(type_freep), from a function `type *f(type *)`. */
#define DEFINE_CLEANUP(type, function)                                                             \
        static inline void function##p(type **object)                                              \
        {                                                                                          \
                if (*object)                                                                       \
                        function(*object);                                                         \
        }

static inline void free_pointer(void *pointer)
{
        free(*(void **) pointer);
}

/* Takes the value out of a `_cleanup_` variable and leaves NULL there. */
#define TAKE_POINTER(pointer)                                                                      \
        ({                                                                                         \
                __typeof__(pointer) _taken = (pointer);                                            \
                (pointer) = NULL;                                                                  \
                _taken;                                                                            \
        })

/* Takes a file descriptor out of a `_cleanup_close_` variable and leaves -1 there. */
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int _taken_fd = (fd);                                                              \
                (fd) = -1;                                                                         \
                _taken_fd;                                                                         \
        })
