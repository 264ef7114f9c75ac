/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/progress.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define PROGRESS_MAGIC UINT64_C(0x7666696f2d62646e)

void progress_send(int fd, ProgressMessage *message)
{
        ssize_t n;

        message->magic = PROGRESS_MAGIC;
        do
                n = send(fd, message, sizeof(*message), MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
}

static bool outcome_is_valid(State state, Reason reason)
{
        return (unsigned) state < _STATE_MAX && (unsigned) reason < _REASON_MAX;
}

/* Texts get their NUL in any case; enums are looked at as what they are in memory. */
static bool check(ProgressMessage *message)
{
        switch (message->type) {
        case PROGRESS_MEMBER:
                message->member.from[sizeof(message->member.from) - 1] = '\0';
                message->member.to[sizeof(message->member.to) - 1] = '\0';
                message->member.text[sizeof(message->member.text) - 1] = '\0';
                return outcome_is_valid(message->member.state, message->member.reason);
        case PROGRESS_GROUP:
                message->group.text[sizeof(message->group.text) - 1] = '\0';
                message->group.members = NULL;
                return outcome_is_valid(message->group.state, message->group.reason);
        case PROGRESS_PHYSICAL_FUNCTION:
                message->physical_function.text[sizeof(message->physical_function.text) - 1] = '\0';
                return outcome_is_valid(message->physical_function.state,
                        message->physical_function.reason);
        default:
                return false;
        }
}

/* *ret_is_valid: it has the size and look of a message. */
static int receive(int fd, int flags, ProgressMessage *ret, bool *ret_is_valid)
{
        ssize_t n;

        do
                n = recv(fd, ret, sizeof(*ret), MSG_DONTWAIT | MSG_TRUNC | flags);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EAGAIN || errno == EWOULDBLOCK ? 0 :
                        errno == ECONNRESET ? -ENOTCONN : -errno;
        if (n == 0)
                return -ENOTCONN;
        *ret_is_valid = (size_t) n == sizeof(*ret) && ret->magic == PROGRESS_MAGIC;
        return 1;
}

int progress_receive(int fd, ProgressMessage *ret)
{
        ProgressMessage message = {};
        bool is_valid = false;
        int r;

        r = receive(fd, 0, &message, &is_valid);
        if (r <= 0)
                return r;
        if (!is_valid || !check(&message))
                return -EBADMSG;
        *ret = message;
        return 1;
}

int progress_peek(int fd, uint64_t *ret_task)
{
        ProgressMessage message = {};
        bool is_valid = false;
        int r;

        r = receive(fd, MSG_PEEK, &message, &is_valid);
        if (r <= 0)
                return r;
        if (!is_valid) {
                r = receive(fd, 0, &message, &is_valid);
                return r < 0 ? r : -EBADMSG;
        }
        *ret_task = message.task;
        return 1;
}
