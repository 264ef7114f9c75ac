/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log/log-capture.h"

#include <errno.h>

#include "util/io.h"

static void read_kernel(const Capture *capture, char *text, size_t size)
{
        int fd = open(capture->kernel, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        ASSERT_TRUE(fd >= 0);
        n = read(fd, text, size - 1);
        ASSERT_TRUE(n >= 0);
        text[n] = '\0';
        close(fd);
}

static void test_journal(Capture *capture)
{
        errno = ENOTTY;
        log_warning("value %d", 7);
        ASSERT_EQ(errno, ENOTTY);
        ASSERT_TRUE(capture_next(capture));
        ASSERT_CONTAINS(capture->text, "MESSAGE=value 7\nPRIORITY=4\n");
        ASSERT_CONTAINS(capture->text, "SYSLOG_IDENTIFIER=vfio-bindd-test\n");
        ASSERT_CONTAINS(capture->text, "VFIO_BIND_STAGE=boot\n");
}

static void test_level(Capture *capture)
{
        log_debug("not said");
        ASSERT_TRUE(!capture_next(capture));
        log_set_max_level(LOG_DEBUG);
        log_debug("said");
        ASSERT_TRUE(capture_next(capture));
        log_set_max_level(LOG_INFO);
}

static void test_long_message(Capture *capture)
{
        char message[8000], expected[] = "m…\n";

        memset(message, 'm', sizeof(message));
        message[sizeof(message) - 1] = '\0';
        log_info("%s", message);
        ASSERT_TRUE(capture_next(capture));
        ASSERT_CONTAINS(capture->text, expected);
}

/* Nobody reads: records go to the kernel log, and nothing blocks. */
static void test_full_journal(Capture *capture)
{
        char text[65536];
        unsigned n = 0;

        do {
                log_info("record %u of many", n);
                read_kernel(capture, text, sizeof(text));
        } while (!*text && ++n < 10000);
        ASSERT_CONTAINS(text, "<30>vfio-bindd-test[");
        ASSERT_CONTAINS(text, "of many");
        while (capture_next(capture))
                ;
        ASSERT_OK(truncate(capture->kernel, 0));
}

static void test_journal_restarts(Capture *capture)
{
        char text[4096];

        close(capture->socket);
        ASSERT_OK(unlink(capture->journal));
        log_info("while it is away");
        read_kernel(capture, text, sizeof(text));
        ASSERT_CONTAINS(text, "]: while it is away");
        capture_listen(capture);
        log_info("back again");
        ASSERT_TRUE(capture_next(capture));
        ASSERT_CONTAINS(capture->text, "MESSAGE=back again\n");
}

/* Neither journal nor kernel log: standard error is what is left. */
static void test_standard_error(Capture *capture)
{
        int pipe_fds[2], saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        char text[256];
        ssize_t n;

        ASSERT_OK(pipe2(pipe_fds, O_CLOEXEC));
        ASSERT_TRUE(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
        log_set_paths("/nonexistent/journal", "/nonexistent/kmsg");
        log_error("two\nlines");
        log_set_paths(capture->journal, capture->kernel);
        ASSERT_TRUE(dup2(saved, STDERR_FILENO) >= 0);
        n = read(pipe_fds[0], text, sizeof(text) - 1);
        ASSERT_TRUE(n > 0);
        text[n] = '\0';
        ASSERT_STREQ(text, "vfio-bindd-test: two lines\n");
        close(saved);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

static void test_null(Capture *capture)
{
        log_open("vfio-bindd-test", LOG_TARGET_NULL, STAGE_BOOT);
        log_error("nowhere");
        ASSERT_TRUE(!capture_next(capture));
}

int main(void)
{
        Capture capture;

        capture_start(&capture);
        test_journal(&capture);
        test_level(&capture);
        test_long_message(&capture);
        test_full_journal(&capture);
        test_journal_restarts(&capture);
        test_standard_error(&capture);
        test_null(&capture);
        capture_stop(&capture);
        return 0;
}
