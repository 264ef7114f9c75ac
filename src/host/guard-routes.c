/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/guard-routes.h"

#include <errno.h>
#include <net/route.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "host/aside.h"
#include "util/array.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

#define ROUTES_MAX   (64U << 20)
#define FACTS_MAX    (1U << 20)
#define DEADLINE_SEC 2

typedef struct Facts {
        InterfaceFact *list;
        size_t n;
} Facts;

static int add_fact(Facts *facts, const InterfaceFact *fact)
{
        int r = ARRAY_GROW(facts->list, facts->n);
        if (r == 0)
                facts->list[facts->n++] = *fact;
        return r;
}

/* Drivers hold the lock of the network tables while they bring an interface up or down, and some
 * never return from that. */
static int receive(int input, Facts *facts)
{
        uint64_t deadline = now_monotonic() + DEADLINE_SEC * USEC_PER_SEC;
        struct pollfd entry = {.fd = input, .events = POLLIN};
        InterfaceFact fact;

        while (facts->n < FACTS_MAX) {
                uint64_t now = now_monotonic();
                if (now >= deadline)
                        return -ETIMEDOUT;
                int r = poll(&entry, 1, (int) ((deadline - now) / USEC_PER_MSEC) + 1);
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r <= 0)
                        continue;
                ssize_t n = read(input, &fact, sizeof(fact));
                if (n != sizeof(fact))
                        return now_monotonic() >= deadline ? -ETIMEDOUT : -EPROTO;
                if (streq(fact.interface, "."))
                        return 0;
                r = add_fact(facts, &fact);
                if (r < 0)
                        return r;
        }
        return -EFBIG;
}

static int ask_kernel(Facts *facts)
{
        _cleanup_close_ int input = aside_start(guard_ask_routes, NULL, -1, DEADLINE_SEC);

        return input < 0 ? input : receive(input, facts);
}

static bool set_text(char *target, size_t size, const char *text)
{
        if (strlen(text) >= size)
                return false;
        strcpy(target, text);
        return true;
}

/* /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask …, in hexadecimal. */
static bool default_of_ipv4(char *line, InterfaceFact *ret)
{
        char *fields[8], *rest = NULL;
        uint64_t destination, flags, mask;
        size_t n = 0;

        for (char *field = strtok_r(line, " \t", &rest); field && n < ELEMENTSOF(fields);
             field = strtok_r(NULL, " \t", &rest))
                fields[n++] = field;
        if (n < ELEMENTSOF(fields) || parse_hex(fields[1], 8, &destination) < 0 ||
            parse_hex(fields[3], 0, &flags) < 0 || parse_hex(fields[7], 8, &mask) < 0)
                return false;
        return destination == 0 && mask == 0 && flags & RTF_UP && !(flags & RTF_REJECT) &&
                set_text(ret->interface, sizeof(ret->interface), fields[0]);
}

/* /proc/net/ipv6_route: destination length source length next-hop metric references use flags
 * interface. The kernel's own "unreachable" default on lo is flagged as rejecting. */
static bool default_of_ipv6(char *line, InterfaceFact *ret)
{
        char *fields[10], *rest = NULL;
        uint64_t length, flags;
        size_t n = 0;

        for (char *field = strtok_r(line, " \t", &rest); field && n < ELEMENTSOF(fields);
             field = strtok_r(NULL, " \t", &rest))
                fields[n++] = field;
        if (n < ELEMENTSOF(fields) || strspn(fields[0], "0") != 32 ||
            parse_hex(fields[1], 0, &length) < 0 || parse_hex(fields[8], 0, &flags) < 0)
                return false;
        return length == 0 && flags & RTF_UP && !(flags & RTF_REJECT) &&
                set_text(ret->interface, sizeof(ret->interface), fields[9]);
}

/* /proc/net/if_inet6: address index prefix-length scope flags interface; scope 20 is link-local. */
static bool address_of_ipv6(char *line, InterfaceFact *ret)
{
        char *fields[6], *rest = NULL;
        size_t n = 0;

        for (char *field = strtok_r(line, " \t", &rest); field && n < ELEMENTSOF(fields);
             field = strtok_r(NULL, " \t", &rest))
                fields[n++] = field;
        return n == ELEMENTSOF(fields) && !streq(fields[3], "20") && fields[0][0] &&
                set_text(ret->address, sizeof(ret->address), fields[0]) &&
                set_text(ret->interface, sizeof(ret->interface), fields[5]);
}

static int read_table(const Host *host, const char *path,
        bool (*find)(char *line, InterfaceFact *ret), Facts *facts)
{
        _cleanup_free_ char *text = NULL;
        char *lines = NULL;

        int r = read_file_at(host->root, path, ROUTES_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                InterfaceFact fact = {};

                r = find(line, &fact) ? add_fact(facts, &fact) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_tables(const Host *host, Facts *facts)
{
        static const struct {
                const char *path;
                bool (*find)(char *line, InterfaceFact *ret);
        } tables[] = { /* IPv6 may be switched off */
                {"proc/net/ipv6_route", default_of_ipv6}, {"proc/net/if_inet6", address_of_ipv6},
        };

        int r = read_table(host, "proc/net/route", default_of_ipv4, facts);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(tables); i++) {
                r = read_table(host, tables[i].path, tables[i].find, facts);
                if (r == -ENOENT)
                        r = 0;
        }
        return r;
}

int guard_read_routes(const Host *host, InterfaceFact **ret, size_t *ret_n)
{
        Facts facts = {};

        int r = host->is_live ? ask_kernel(&facts) : read_tables(host, &facts);
        if (r < 0) {
                free(facts.list);
                return r;
        }
        *ret = facts.list;
        *ret_n = facts.n;
        return 0;
}
