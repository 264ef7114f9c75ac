/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include "util/macro.h"

static inline void close_descriptor(int *fd)
{
        if (*fd >= 0)
                (void) close(*fd);
}
#define _cleanup_close_ _cleanup_(close_descriptor)

/* Reads a whole small file, relative to a directory descriptor. The text is NUL-terminated, must
 * be freed, and may hold NUL bytes (see ret_length, which may be NULL). Returns 0; -EFBIG if the
 * file is longer than maximum; else the errno of open or read. */
int read_file_at(int directory, const char *path, size_t maximum, char **ret, size_t *ret_length)
        _must_check_;

/* The same for an open file, from its present position. */
int read_file(int fd, size_t maximum, char **ret, size_t *ret_length) _must_check_;

/* Reads at most size-1 bytes of a sysfs attribute into a caller's buffer and removes one trailing
 * newline. Returns the length, or a negative errno; -EFBIG if it does not fit. */
ssize_t read_attribute_at(int directory, const char *path, char *buffer, size_t size) _must_check_;

/* Writes with one write(2), as sysfs needs it. Returns 0 or a negative errno. */
int write_attribute_at(int directory, const char *path, const char *text) _must_check_;

/* Reads the target of a symbolic link and keeps what follows its last '/'. Returns 0, -ENOENT if
 * there is no such link, -ENAMETOOLONG, or another negative errno. */
int read_link_name_at(int directory, const char *path, char *buffer, size_t size) _must_check_;

/* Replaces a file in one step: temporary file beside it, fsync not wanted (used on /run), rename.
 * Returns 0 or a negative errno. */
int write_file_atomic_at(int directory, const char *path, const void *data, size_t length,
        mode_t mode) _must_check_;

/* The same for disks: after a power cut there is the old file or the new one, whole. */
int write_file_durable_at(int directory, const char *path, const void *data, size_t length,
        mode_t mode) _must_check_;

/* As write_file_atomic_at(), but fails with -EEXIST if the file exists (link(2) on the
 * temporary file). */
int create_file_atomic_at(int directory, const char *path, const void *data, size_t length,
        mode_t mode) _must_check_;

/* CLOCK_MONOTONIC and CLOCK_REALTIME in microseconds. */
uint64_t now_monotonic(void);

/* As now_monotonic(), by up to a tick of the kernel late (CLOCK_MONOTONIC_COARSE, at most 10 ms):
 * never a system call, where the other one is one on machines without a steady TSC. */
uint64_t now_monotonic_coarse(void);

uint64_t now_realtime(void);
