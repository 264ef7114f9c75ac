/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A failed check prints what was compared and aborts: meson shows standard error. */
#define ASSERT_TRUE(expression)                                                                    \
        do {                                                                                       \
                if (!(expression)) {                                                               \
                        fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #expression); \
                        abort();                                                                   \
                }                                                                                  \
        } while (0)
#define ASSERT_EQ(a, b)                                                                            \
        do {                                                                                       \
                long long _a = (long long) (a), _b = (long long) (b);                              \
                if (_a != _b) {                                                                    \
                        fprintf(stderr, "%s:%d: %s is %lld, %s is %lld\n", __FILE__, __LINE__, #a, \
                                _a, #b, _b);                                                       \
                        abort();                                                                   \
                }                                                                                  \
        } while (0)
#define ASSERT_OK(expression) ASSERT_EQ(expression, 0)
#define ASSERT_STREQ(a, b)                                                                         \
        do {                                                                                       \
                const char *_a = (a), *_b = (b);                                                   \
                if ((!_a != !_b) || (_a && strcmp(_a, _b) != 0)) {                                 \
                        fprintf(stderr, "%s:%d: %s is \"%s\"\n  wanted \"%s\"\n", __FILE__,        \
                                __LINE__, #a, _a ? _a : "(null)", _b ? _b : "(null)");             \
                        abort();                                                                   \
                }                                                                                  \
        } while (0)
#define ASSERT_CONTAINS(text, part)                                                                \
        do {                                                                                       \
                const char *_t = (text), *_p = (part);                                             \
                if (!_t || !strstr(_t, _p)) {                                                      \
                        fprintf(stderr, "%s:%d: \"%s\"\n  does not contain \"%s\"\n", __FILE__,    \
                                __LINE__, _t ? _t : "(null)", _p);                                 \
                        abort();                                                                   \
                }                                                                                  \
        } while (0)

#define TEST_SKIP(why)                                                                             \
        do {                                                                                       \
                printf("SKIP: %s\n", why);                                                         \
                exit(77);                                                                          \
        } while (0)
