/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "util/io.h"
#include "util/strings.h"

int host_open(const char *root, Host *ret)
{
        bool is_live = !root || streq(root, "/");

        int fd = open(is_live ? "/" : root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        *ret = (Host){.root = fd, .is_live = is_live};
        return 0;
}

void host_close(Host *host)
{
        close_descriptor(&host->root);
        host->root = -1;
}

int host_open_directory(int directory, const char *path, DIR **ret)
{
        _cleanup_close_ int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        DIR *opened = fdopendir(fd);
        if (!opened)
                return -errno;

        (void) TAKE_FD(fd); /* closedir() closes it */
        *ret = opened;
        return 0;
}

int host_list_directory(int directory, const char *path, size_t maximum, char ***ret)
{
        _cleanup_string_list_ char **list = NULL;
        _cleanup_directory_ DIR *opened = NULL;
        size_t n = 0;

        int r = host_open_directory(directory, path, &opened);
        if (r < 0)
                return r;

        while (n < maximum) {
                errno = 0;
                struct dirent *entry = readdir(opened);
                if (!entry && errno > 0)
                        return -errno;
                if (!entry)
                        break;
                if (entry->d_name[0] == '.')
                        continue;
                r = string_list_append(&list, entry->d_name);
                if (r < 0)
                        return r;
                n++;
        }

        if (n > 1)
                qsort(list, n, sizeof(char *), host_compare_names);
        *ret = TAKE_POINTER(list);
        return 0;
}

int host_compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* "flags:\t02100000", octal (proc(5)) */
static bool has_path_flag(char *text)
{
        char *flags = strstr(text, "flags:");

        return flags && strtoul(flags + strlen("flags:"), NULL, 8) & O_PATH;
}

bool host_descriptor_is_usable(int process, const char *descriptor)
{
        char name[NAME_MAX + 16], text[4096];
        struct stat status;

        /* The link's permissions are those of the descriptor (fs/proc/fd.c); what may be read or
         * written is none. Only of the others fdinfo is asked, for it asks the driver, too. */
        (void) snprintf(name, sizeof(name), "fd/%s", descriptor);
        if (fstatat(process, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_mode & 0777)
                return true;
        (void) snprintf(name, sizeof(name), "fdinfo/%s", descriptor);
        return read_attribute_at(process, name, text, sizeof(text)) <= 0 || !has_path_flag(text);
}

/* A saved tree's kernel: what it says itself, else the newest of those that it has modules of. */
static int release_of_tree(const Host *host, char **ret)
{
        static const char *const directories[] = {"lib/modules", "usr/lib/modules"};
        char text[256];

        ssize_t n = read_attribute_at(host->root, "proc/sys/kernel/osrelease", text, sizeof(text));
        if (n > 0 && !strchr(text, '/'))
                return format_string(ret, "%s", text);

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                _cleanup_string_list_ char **names = NULL;
                const char *newest = NULL;

                int r = host_list_directory(host->root, directories[i], 1024, &names);
                if (r == -ENOENT || r == -ENOTDIR)
                        continue;
                if (r < 0)
                        return r;
                for (char **name = names; name && *name; name++)
                        if (!newest || strverscmp(*name, newest) > 0)
                                newest = *name;
                if (newest)
                        return format_string(ret, "%s", newest);
        }
        return -ENOENT;
}

int host_kernel_release(const Host *host, char **ret)
{
        struct utsname name;

        if (!host->is_live)
                return release_of_tree(host, ret);
        if (uname(&name) < 0)
                return -errno;
        return format_string(ret, "%s", name.release);
}
