/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/watching.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/io.h"

#define LOCK_FILE "run/vfio-bindd/daemon.lock"

/* Of the open file, not of the process: fcntl(2), "Open file description locks". Unlike flock(2)
 * they can be asked for without being taken. */
static const struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

int watching_begin(const Host *host)
{
        _cleanup_close_ int fd = -1;
        struct flock lock = whole_file;

        fd = openat(host->root, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
                0600);
        if (fd < 0)
                return -errno;
        if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
                return errno == EACCES ? -EAGAIN : -errno;
        return TAKE_FD(fd);
}

int watching_is_on(const Host *host)
{
        _cleanup_close_ int fd = -1;
        struct flock lock = whole_file;

        fd = openat(host->root, LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
                return -errno;
        return lock.l_type != F_UNLCK;
}
