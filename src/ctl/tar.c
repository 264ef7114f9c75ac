/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/tar.h"

#include <string.h>

#define BLOCK 512

/* POSIX.1-1988 ustar, as tar(5) describes it. */
typedef struct Header {
        char name[100];
        char mode[8], uid[8], gid[8];
        char size[12], time[12];
        char checksum[8];
        char type;
        char link[100];
        char magic[6];
        char version[2];
        char user[32], group[32];
        char major_number[8], minor_number[8];
        char prefix[155];
        char padding[12];
} Header;
_Static_assert(sizeof(Header) == BLOCK, "a header is one block");

static void set_octal(char *field, size_t size, uint64_t value)
{
        char text[24];

        (void) snprintf(text, sizeof(text), "%0*llo", (int) size - 1, (unsigned long long) value);
        memcpy(field, text, size);
}

static void set_text(char *field, size_t size, const char *text)
{
        size_t length = strlen(text);

        memcpy(field, text, length < size ? length : size);
}

static void write_padded(const Tar *tar, const void *data, size_t length)
{
        static const char zeros[BLOCK];
        size_t rest = length % BLOCK;

        if (length > 0)
                (void) fwrite(data, 1, length, tar->file);
        if (rest > 0)
                (void) fwrite(zeros, 1, BLOCK - rest, tar->file);
}

static void write_header(const Tar *tar, const char *path, const char *target, char type,
        size_t size)
{
        Header header = { .type = type };
        unsigned sum = 0;

        set_text(header.name, sizeof(header.name), path);
        set_text(header.link, sizeof(header.link), target);
        set_octal(header.mode, sizeof(header.mode), type == '5' ? 0755 : 0644);
        set_octal(header.uid, sizeof(header.uid), 0);
        set_octal(header.gid, sizeof(header.gid), 0);
        set_octal(header.size, sizeof(header.size), size);
        set_octal(header.time, sizeof(header.time), tar->time_sec);
        memcpy(header.magic, "ustar", sizeof(header.magic));
        memcpy(header.version, "00", sizeof(header.version));
        memset(header.checksum, ' ', sizeof(header.checksum));
        for (size_t i = 0; i < sizeof(header); i++)
                sum += ((const unsigned char *) &header)[i];
        set_octal(header.checksum, 7, sum);
        (void) fwrite(&header, sizeof(header), 1, tar->file);
}

/* GNU: the name, or what the link leads to, of the member that follows. */
static void write_long(const Tar *tar, const char *text, char type)
{
        if (strlen(text) < sizeof(((Header *) NULL)->name))
                return;
        write_header(tar, "././@LongLink", "", type, strlen(text) + 1);
        write_padded(tar, text, strlen(text) + 1);
}

static void add(const Tar *tar, const char *path, const char *target, char type, const void *data,
        size_t length)
{
        write_long(tar, target, 'K');
        write_long(tar, path, 'L');
        write_header(tar, path, target, type, length);
        write_padded(tar, data, length);
}

void tar_add_file(const Tar *tar, const char *path, const void *data, size_t length)
{
        add(tar, path, "", '0', data, length);
}

void tar_add_text(const Tar *tar, const char *path, const char *text)
{
        tar_add_file(tar, path, text, strlen(text));
}

void tar_add_link(const Tar *tar, const char *path, const char *target)
{
        add(tar, path, target, '2', NULL, 0);
}

void tar_add_directory(const Tar *tar, const char *path)
{
        add(tar, path, "", '5', NULL, 0);
}

void tar_finish(const Tar *tar)
{
        static const char zeros[2 * BLOCK];

        (void) fwrite(zeros, 1, sizeof(zeros), tar->file);
}
