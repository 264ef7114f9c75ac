/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log/log-record.h"
#include "util/io.h"
#include "util/strings.h"

/* Where records go. The journal's socket is addressed anew for each record: it survives a restart
 * of journald, and a journal that appears after us (early boot) is used from then on. */
static struct {
        const char *identifier;
        LogTarget target;
        Stage stage;
        int max_level;
        int socket;
        const char *journal_path, *kernel_path;
} state = {
        .identifier = "vfio-bindd",
        .stage = STAGE_RUNTIME,
        .max_level = LOG_INFO,
        .socket = -1,
        .journal_path = "/run/systemd/journal/socket",
        .kernel_path = "/dev/kmsg",
};

void log_close(void)
{
        close_descriptor(&state.socket);
        state.socket = -1;
}

void log_open(const char *identifier, LogTarget target, Stage stage)
{
        log_close();
        state.identifier = identifier;
        state.stage = stage;
        log_set_target(target);
}

void log_set_target(LogTarget target)
{
        if (target == LOG_TARGET_AUTO && isatty(STDERR_FILENO))
                target = LOG_TARGET_STDERR;
        state.target = target;
}

LogTarget log_get_target(void)
{
        return state.target;
}

void log_set_paths(const char *journal_socket, const char *kernel_log)
{
        state.journal_path = journal_socket;
        state.kernel_path = kernel_log;
}

void log_set_max_level(int level)
{
        state.max_level = level;
}

int log_get_max_level(void)
{
        return state.max_level;
}

static bool write_journal(const LogRecord *record)
{
        char buffer[LOG_RECORD_MAX];
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length;

        if (strlen(state.journal_path) >= sizeof(address.sun_path))
                return false;
        memcpy(address.sun_path, state.journal_path, strlen(state.journal_path) + 1);
        if (state.socket < 0)
                state.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (state.socket < 0)
                return false;
        length = log_format_journal(record, buffer, sizeof(buffer));
        /* Early in the boot nobody reads the socket yet, and a full one would block for ever. */
        return sendto(state.socket, buffer, length, MSG_NOSIGNAL | MSG_DONTWAIT,
                       (const struct sockaddr *) &address, sizeof(address)) >= 0;
}

/* Opened for each record: the kernel allows ten records per five seconds and open file
 * (devkmsg_open() in kernel/printk/printk.c), and a boot with many refusals says more. */
static bool write_kernel(const LogRecord *record)
{
        char buffer[LOG_KERNEL_LINE_MAX];
        _cleanup_close_ int fd = open(state.kernel_path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

        if (fd < 0)
                return false;
        return write(fd, buffer, log_format_line(record, true, buffer, sizeof(buffer))) >= 0;
}

static void write_stderr(const LogRecord *record)
{
        char buffer[LOG_MESSAGE_MAX + 128];
        size_t length = log_format_line(record, false, buffer, sizeof(buffer) - 1);
        ssize_t n _unused_;

        buffer[length++] = '\n';
        n = write(STDERR_FILENO, buffer, length);
}

void log_full(int level, const LogFields *fields, const char *format, ...)
{
        static const char cut[] = "…";
        char message[LOG_MESSAGE_MAX];
        LogRecord record = {
                .level = level,
                .identifier = state.identifier,
                .message = message,
                .stage = state.stage,
                .fields = fields ? fields : &LOG_FIELDS_NONE,
        };
        int saved_errno = errno, length;
        va_list list;

        if (level > state.max_level || state.target == LOG_TARGET_NULL)
                return;
        va_start(list, format);
        length = vsnprintf(message, sizeof(message), format, list);
        va_end(list);
        if (length < 0)
                message[0] = '\0';
        if (length >= (int) sizeof(message))
                memcpy(message + sizeof(message) - sizeof(cut), cut, sizeof(cut));
        log_clean_text(message); /* after the cut, which may go through a character */
        if (state.target == LOG_TARGET_STDERR ||
            (!write_journal(&record) && !write_kernel(&record)))
                write_stderr(&record);
        errno = saved_errno;
}
