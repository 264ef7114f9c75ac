/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/fixture.h"
#include "daemon/service.h"
#include "util/io.h"
#include "util/strings.h"

#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        "0000:01:00.0 parent=0000:00:1c.0 id=10de:2482 class=030000 group=14\n"
#define CONFIG "[Claim gpu]\nMatch=01:00.0\n"

static int listen_as_service_manager(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t length = sizeof(sa_family_t);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        char name[sizeof(address.sun_path) + 1] = "@";

        ASSERT_TRUE(fd >= 0);
        /* an abstract name that the kernel chooses: unix(7), autobind */
        ASSERT_OK(bind(fd, (struct sockaddr *) &address, length));
        length = sizeof(address);
        ASSERT_OK(getsockname(fd, (struct sockaddr *) &address, &length));
        memcpy(name + 1, address.sun_path + 1,
                length - offsetof(struct sockaddr_un, sun_path) - 1);
        ASSERT_OK(setenv("NOTIFY_SOCKET", name, 1));
        return fd;
}

/* The next notification, "" if there is none. */
static const char *receive(int fd)
{
        static char text[4096];
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

        text[n < 0 ? 0 : n] = '\0';
        return text;
}

static bool is_ready(const char *text)
{
        return startswith(text, "READY=1\n");
}

static void test_ready_when_settled(int fd)
{
        Fixture fixture;
        const char *text;

        fixture_init(&fixture, TREE, CONFIG);
        machine_close_gate(&fixture.machine);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        text = receive(fd);
        ASSERT_TRUE(!is_ready(text));
        ASSERT_CONTAINS(text, "STATUS=1 claim: 1 pending");

        /* a reload before readiness says nothing about it */
        service_reloading(manager_view(fixture.manager));
        service_reloaded(manager_view(fixture.manager));
        ASSERT_STREQ(receive(fd), "");

        machine_let_pass(&fixture.machine, 1);
        fixture_settle(&fixture);
        text = receive(fd);
        ASSERT_TRUE(is_ready(text));
        ASSERT_CONTAINS(text, "STATUS=1 claim: 1 bound");

        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        text = receive(fd);
        ASSERT_STREQ(text, "STATUS=1 claim: 1 bound");

        service_reloading(manager_view(fixture.manager));
        ASSERT_TRUE(startswith(receive(fd), "RELOADING=1\nMONOTONIC_USEC="));
        service_reloaded(manager_view(fixture.manager));
        ASSERT_TRUE(is_ready(receive(fd)));
        service_stopping();
        ASSERT_STREQ(receive(fd), "STOPPING=1");
        fixture_done(&fixture);
}

int main(void)
{
        _cleanup_close_ int fd = listen_as_service_manager();

        test_ready_when_settled(fd);
        return EXIT_SUCCESS;
}
