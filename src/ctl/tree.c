/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/io.h"
#include "util/strings.h"

#define DIRECTORY_MAX 4096

static int open_below(const Host *host, const char *path, int flags)
{
        struct open_how how = {
                .flags = (uint64_t) flags | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT,
        };
        int fd = (int) syscall(SYS_openat2, host->root, path, &how, sizeof(how));

        /* Before Linux 5.6, or where a filter does not know the call yet. */
        if (fd < 0 && (errno == ENOSYS || errno == EPERM))
                fd = openat(host->root, path + 1, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int read_text(int fd, char **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r;

        r = read_file(fd, TREE_FILE_MAX, &text, &length);
        if (r < 0)
                return r;
        if (strlen(text) != length)
                return -EINVAL;
        *ret = TAKE_POINTER(text);
        return 0;
}

int tree_read(const Host *host, const char *path, char **ret)
{
        /* O_NONBLOCK: a fifo in a file's place must not block us. */
        _cleanup_close_ int fd = open_below(host, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return fd == -ENOTDIR ? -ENOENT : fd;
        return read_text(fd, ret);
}

int tree_read_here(const char *path, char **ret)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? -errno : read_text(fd, ret);
}

bool tree_exists(const Host *host, const char *path)
{
        _cleanup_close_ int fd = open_below(host, path, O_PATH | O_NOFOLLOW);

        return fd >= 0;
}

static bool ends_with(const char *text, const char *suffix)
{
        size_t n = strlen(text), k = strlen(suffix);

        return n >= k && streq(text + n - k, suffix);
}

int tree_list(const Host *host, const char *path, const char *suffix, char ***ret)
{
        _cleanup_close_ int fd = open_below(host, path, O_RDONLY | O_DIRECTORY);
        _cleanup_string_list_ char **names = NULL, **list = NULL;
        int r;

        if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR)
                return fd;
        r = fd < 0 ? 0 : host_list_directory(fd, ".", DIRECTORY_MAX, &names);
        for (char **name = names; r >= 0 && name && *name; name++)
                if (ends_with(*name, suffix))
                        r = string_list_append(&list, *name);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(list);
        return 0;
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int compare_base_names(const void *a, const void *b)
{
        return strcmp(base_name(*(char *const *) a), base_name(*(char *const *) b));
}

static bool has_base_name(char *const *paths, const char *name)
{
        for (; paths && *paths; paths++)
                if (streq(base_name(*paths), name))
                        return true;
        return false;
}

static int add_directory(const Host *host, const char *directory, const char *suffix,
        char ***paths)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        r = tree_list(host, directory, suffix, &names);
        for (char **name = names; r >= 0 && name && *name; name++) {
                _cleanup_free_ char *path = NULL;

                if (has_base_name(*paths, *name))
                        continue;
                r = format_string(&path, "%s/%s", directory, *name);
                if (r >= 0)
                        r = string_list_append(paths, path);
        }
        return r;
}

int tree_list_drop_ins(const Host *host, const char *const *directories, size_t n_directories,
        const char *suffix, char ***ret)
{
        _cleanup_string_list_ char **paths = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n_directories; i++)
                r = add_directory(host, directories[i], suffix, &paths);
        if (r < 0)
                return r;
        if (paths)
                qsort(paths, string_list_length(paths), sizeof(char *), compare_base_names);
        *ret = TAKE_POINTER(paths);
        return 0;
}

char *tree_next_line(char **text, unsigned *number)
{
        char *line = *text, *end;

        if (!line || !*line)
                return NULL;
        end = strchr(line, '\n');
        *text = end ? end + 1 : line + strlen(line);
        if (end)
                *end = '\0';
        if (number)
                (*number)++;
        return line;
}
