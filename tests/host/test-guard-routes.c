/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/guard-routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

/* What the kernel answers holds at least what its tables in /proc/net say, on the machine that
 * runs the test. */

static bool holds(const InterfaceFact *facts, size_t n, const char *interface, const char *address)
{
        for (size_t i = 0; i < n; i++)
                if (streq(facts[i].interface, interface) && streq(facts[i].address, address))
                        return true;
        return false;
}

/* /proc has 32 digits and nothing between them. */
static void spell(const char *digits, char *ret, size_t size)
{
        struct in6_addr address;

        ASSERT_EQ(strlen(digits), 32);
        for (size_t i = 0; i < 16; i++) {
                unsigned byte;

                ASSERT_EQ(sscanf(digits + 2 * i, "%2x", &byte), 1);
                address.s6_addr[i] = (uint8_t) byte;
        }
        ASSERT_TRUE(inet_ntop(AF_INET6, &address, ret, (socklen_t) size));
}

int main(void)
{
        _cleanup_host_ Host live = {.root = -1}, tree = {.root = -1};
        _cleanup_free_ InterfaceFact *asked = NULL, *read = NULL;
        size_t n_asked = 0, n_read = 0;

        ASSERT_OK(host_open(NULL, &live));
        ASSERT_OK(host_open(NULL, &tree));
        tree.is_live = false;
        int r = guard_read_routes(&tree, &read, &n_read);
        if (r < 0 || guard_read_routes(&live, &asked, &n_asked) < 0)
                return 77; /* neither /proc nor netlink where packages are built */
        for (size_t i = 0; i < n_read; i++) {
                char address[INET6_ADDRSTRLEN] = "";

                if (read[i].address[0])
                        spell(read[i].address, address, sizeof(address));
                ASSERT_TRUE(holds(asked, n_asked, read[i].interface, address));
        }
        printf("%zu facts, %zu of them in /proc/net\n", n_asked, n_read);
        return 0;
}
