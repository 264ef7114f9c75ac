/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A journal of our own: a socket in a temporary directory that the log is pointed to. */

#include "lib/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log/log.h"

typedef struct Capture {
        char directory[64], journal[96], kernel[96];
        int socket;
        char text[16384]; /* the record that capture_next() took, NUL-terminated */
} Capture;

static inline void capture_listen(Capture *capture)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        capture->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ASSERT_TRUE(capture->socket >= 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", capture->journal);
        ASSERT_OK(bind(capture->socket, (struct sockaddr *) &address, sizeof(address)));
}

static inline void capture_start(Capture *capture)
{
        int fd;

        snprintf(capture->directory, sizeof(capture->directory), "/tmp/vfio-bindd-log-XXXXXX");
        ASSERT_TRUE(mkdtemp(capture->directory) != NULL);
        snprintf(capture->journal, sizeof(capture->journal), "%s/journal", capture->directory);
        snprintf(capture->kernel, sizeof(capture->kernel), "%s/kmsg", capture->directory);
        fd = open(capture->kernel, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ASSERT_TRUE(fd >= 0);
        close(fd);
        capture_listen(capture);
        /* Standard error may be a terminal, where records would go there. */
        ASSERT_TRUE((fd = open("/dev/null", O_WRONLY | O_CLOEXEC)) >= 0);
        ASSERT_TRUE(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100) >= 0);
        if (isatty(STDERR_FILENO))
                ASSERT_TRUE(dup2(fd, STDERR_FILENO) >= 0);
        close(fd);
        log_set_paths(capture->journal, capture->kernel);
        log_open("vfio-bindd-test", LOG_TARGET_AUTO, STAGE_BOOT);
}

static inline bool capture_next(Capture *capture)
{
        ssize_t n = recv(capture->socket, capture->text, sizeof(capture->text) - 1, 0);

        if (n < 0)
                return false;
        capture->text[n] = '\0';
        return true;
}

static inline void capture_stop(Capture *capture)
{
        log_close();
        close(capture->socket);
        unlink(capture->journal);
        unlink(capture->kernel);
        ASSERT_OK(rmdir(capture->directory));
}
