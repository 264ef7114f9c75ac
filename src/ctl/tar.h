/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "util/macro.h"

/* Writes an archive as tar(1) reads it: POSIX ustar, with GNU's entries for long names. Members
 * belong to root. What could not be written is seen by ferror(3). Paths are relative. */

typedef struct Tar {
        FILE *file;
        uint64_t time_sec; /* of all members */
} Tar;

void tar_add_file(const Tar *tar, const char *path, const void *data, size_t length);
void tar_add_text(const Tar *tar, const char *path, const char *text);
void tar_add_link(const Tar *tar, const char *path, const char *target);
void tar_add_directory(const Tar *tar, const char *path);
/* The two blocks that end it. */
void tar_finish(const Tar *tar);
