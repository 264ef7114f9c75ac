/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/parse.h"

#include <errno.h>
#include <strings.h>

#include "util/strings.h"

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Reads the digits at *text in the base and moves *text behind them. */
static int take_digits(const char **text, unsigned base, uint64_t *ret)
{
        const char *p = *text;
        uint64_t value = 0;

        for (; *p >= '0' && *p < (char) ('0' + base); p++)
                if (__builtin_mul_overflow(value, base, &value) ||
                    __builtin_add_overflow(value, (uint64_t) (*p - '0'), &value))
                        return -ERANGE;
        if (p == *text)
                return -EINVAL;

        *text = p;
        *ret = value;
        return 0;
}

int parse_unsigned(const char *text, uint64_t maximum, uint64_t *ret)
{
        uint64_t value;

        /* A foreign form is -EINVAL even where its beginning would not fit. */
        if (!*text || text[strspn(text, "0123456789")] != '\0')
                return -EINVAL;

        int r = take_digits(&text, 10, &value);
        if (r < 0)
                return r;
        if (value > maximum)
                return -ERANGE;

        *ret = value;
        return 0;
}

static int hex_digit(char c)
{
        if (is_digit(c))
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int parse_hex(const char *text, size_t digits, uint64_t *ret)
{
        uint64_t value = 0;
        size_t n = 0;

        for (; text[n]; n++) {
                int digit = hex_digit(text[n]);
                if (digit < 0)
                        return -EINVAL;
                if (n < 16)
                        value = value << 4 | (unsigned) digit;
        }
        if (n == 0 || (digits > 0 && n != digits))
                return -EINVAL;
        if (n > 16)
                return -ERANGE;

        *ret = value;
        return 0;
}

int parse_octal_mode(const char *text, unsigned *ret)
{
        uint64_t value;

        if (!*text || text[strspn(text, "01234567")] != '\0')
                return -EINVAL;

        int r = take_digits(&text, 8, &value);
        if (r < 0)
                return r;
        if (value > 07777)
                return -ERANGE;

        *ret = (unsigned) value;
        return 0;
}

int parse_boolean(const char *text, bool *ret)
{
        static const char *const words[][2] = {
                {"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                for (unsigned value = 0; value < 2; value++)
                        if (strcasecmp(text, words[i][value]) == 0) {
                                *ret = value;
                                return 0;
                        }
        return -EINVAL;
}

static const struct {
        const char *name;
        uint64_t usec;
} time_units[] = {
        {"us", 1},
        {"usec", 1},
        {"ms", USEC_PER_MSEC},
        {"msec", USEC_PER_MSEC},
        {"s", USEC_PER_SEC},
        {"sec", USEC_PER_SEC},
        {"second", USEC_PER_SEC},
        {"seconds", USEC_PER_SEC},
        {"m", 60 * USEC_PER_SEC},
        {"min", 60 * USEC_PER_SEC},
        {"minute", 60 * USEC_PER_SEC},
        {"minutes", 60 * USEC_PER_SEC},
        {"h", 3600 * USEC_PER_SEC},
        {"hr", 3600 * USEC_PER_SEC},
        {"hour", 3600 * USEC_PER_SEC},
        {"hours", 3600 * USEC_PER_SEC},
};

/* The unit at *text; none at all means seconds. */
static int take_unit(const char **text, uint64_t *ret)
{
        size_t n = 0;

        while ((*text)[n] && (*text)[n] != ' ' && !is_digit((*text)[n]))
                n++;
        if (n == 0) {
                *ret = USEC_PER_SEC;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(time_units); i++)
                if (strlen(time_units[i].name) == n &&
                    memcmp(time_units[i].name, *text, n) == 0) {
                        *ret = time_units[i].usec;
                        *text += n;
                        return 0;
                }
        return -EINVAL;
}

int parse_timespan(const char *text, uint64_t *ret_usec)
{
        uint64_t total = 0, number, unit;

        do {
                int r = take_digits(&text, 10, &number);
                if (r < 0)
                        return r;
                text += strspn(text, " ");
                r = take_unit(&text, &unit);
                if (r < 0)
                        return r;
                if (__builtin_mul_overflow(number, unit, &number) ||
                    __builtin_add_overflow(total, number, &total) || total == USEC_INFINITY)
                        return -ERANGE;
                text += strspn(text, " ");
        } while (*text);

        *ret_usec = total;
        return 0;
}
