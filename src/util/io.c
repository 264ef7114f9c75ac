/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "util/strings.h"

/* read(2) until the buffer is full or the file ends. */
static ssize_t read_full(int fd, char *buffer, size_t size)
{
        size_t n = 0;

        while (n < size) {
                ssize_t k = read(fd, buffer + n, size - n);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
        }
        return (ssize_t) n;
}

int read_file(int fd, size_t maximum, char **ret, size_t *ret_length)
{
        _cleanup_free_ char *text = NULL;
        size_t capacity = 0, length = 0;

        for (;;) {
                if (length == capacity) {
                        /* One byte more than allowed tells a file that is too long. */
                        capacity = capacity ? capacity * 2 : 4096;
                        if (capacity > maximum + 1)
                                capacity = maximum + 1;
                        char *grown = realloc(text, capacity + 1);
                        if (!grown)
                                return -ENOMEM;
                        text = grown;
                }

                ssize_t n = read_full(fd, text + length, capacity - length);
                if (n < 0)
                        return (int) n;
                length += (size_t) n;
                if (length > maximum)
                        return -EFBIG;
                if (length < capacity)
                        break;
        }

        text[length] = '\0';
        if (ret_length)
                *ret_length = length;
        *ret = TAKE_POINTER(text);
        return 0;
}

int read_file_at(int directory, const char *path, size_t maximum, char **ret, size_t *ret_length)
{
        /* O_NONBLOCK: a fifo in a file's place must not block us. */
        _cleanup_close_ int fd =
                openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        return fd < 0 ? -errno : read_file(fd, maximum, ret, ret_length);
}

ssize_t read_attribute_at(int directory, const char *path, char *buffer, size_t size)
{
        _cleanup_close_ int fd =
                openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        char extra;

        if (size == 0)
                return -EFBIG;
        if (fd < 0)
                return -errno;

        ssize_t n = read_full(fd, buffer, size - 1);
        if (n < 0)
                return n;
        if ((size_t) n == size - 1) {
                ssize_t more = read_full(fd, &extra, 1);
                if (more < 0)
                        return more;
                /* A newline that alone does not fit would have been removed anyway. */
                if (more > 0 && (extra != '\n' || read_full(fd, &extra, 1) != 0))
                        return -EFBIG;
                if (more > 0) {
                        buffer[n] = '\0';
                        return n;
                }
        }
        if (n > 0 && buffer[n - 1] == '\n')
                n--;
        buffer[n] = '\0';
        return n;
}

int write_attribute_at(int directory, const char *path, const char *text)
{
        _cleanup_close_ int fd = openat(directory, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        size_t length = strlen(text);
        ssize_t n;

        if (fd < 0)
                return -errno;
        do
                n = write(fd, text, length);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return (size_t) n == length ? 0 : -EIO;
}

int read_link_name_at(int directory, const char *path, char *buffer, size_t size)
{
        char target[PATH_MAX];

        ssize_t n = readlinkat(directory, path, target, sizeof(target));
        if (n < 0)
                return errno == EINVAL ? -ENOENT : -errno; /* EINVAL: not a link */
        if ((size_t) n >= sizeof(target))
                return -ENAMETOOLONG;
        target[n] = '\0';

        const char *slash = strrchr(target, '/');
        const char *name = slash ? slash + 1 : target;
        size_t length = strlen(name);
        if (length >= size)
                return -ENAMETOOLONG;
        memcpy(buffer, name, length + 1);
        return 0;
}

static int write_all(int fd, const char *data, size_t length)
{
        while (length > 0) {
                ssize_t n = write(fd, data, length);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                length -= (size_t) n;
        }
        return 0;
}

/* A new file beside `path`, under a name that nobody else uses. */
static int open_temporary(int directory, const char *path, char **ret_name, int *ret_fd)
{
        static unsigned counter;

        for (unsigned attempt = 0; attempt < 100; attempt++) {
                _cleanup_free_ char *name = NULL;
                const char *slash = strrchr(path, '/');
                int prefix = slash ? (int) (slash - path + 1) : 0;

                int r = format_string(&name, "%.*s.%s.%d.%u", prefix, path, path + prefix,
                        (int) getpid(), counter++);
                if (r < 0)
                        return r;

                int fd = openat(directory, name,
                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (fd >= 0) {
                        *ret_name = TAKE_POINTER(name);
                        *ret_fd = fd;
                        return 0;
                }
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

static int write_beside(int directory, const char *path, const void *data, size_t length,
        mode_t mode, bool replace, bool sync)
{
        _cleanup_free_ char *name = NULL;
        _cleanup_close_ int fd = -1;

        int r = open_temporary(directory, path, &name, &fd);
        if (r < 0)
                return r;

        r = write_all(fd, data, length);
        if (r == 0 && fchmod(fd, mode) < 0) /* not subject to umask */
                r = -errno;
        if (r == 0 && sync && fsync(fd) < 0)
                r = -errno;
        if (r == 0 && replace && renameat(directory, name, directory, path) < 0)
                r = -errno;
        if (r == 0 && !replace && linkat(directory, name, directory, path, 0) < 0)
                r = -errno;
        if (r < 0 || !replace)
                (void) unlinkat(directory, name, 0);
        return r;
}

int write_file_atomic_at(int directory, const char *path, const void *data, size_t length,
        mode_t mode)
{
        return write_beside(directory, path, data, length, mode, true, false);
}

int create_file_atomic_at(int directory, const char *path, const void *data, size_t length,
        mode_t mode)
{
        return write_beside(directory, path, data, length, mode, false, false);
}

int write_file_durable_at(int directory, const char *path, const void *data, size_t length,
        mode_t mode)
{
        return write_beside(directory, path, data, length, mode, true, true);
}

static uint64_t now(clockid_t clock)
{
        struct timespec time;

        if (clock_gettime(clock, &time) < 0)
                return 0;
        return (uint64_t) time.tv_sec * USEC_PER_SEC + (uint64_t) time.tv_nsec / 1000;
}

uint64_t now_monotonic(void)
{
        return now(CLOCK_MONOTONIC);
}

uint64_t now_monotonic_coarse(void)
{
        return now(CLOCK_MONOTONIC_COARSE);
}

uint64_t now_realtime(void)
{
        return now(CLOCK_REALTIME);
}
