/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "util/array.h"
#include "util/io.h"
#include "util/strings.h"

#define FILE_NAME    "vfio-bind.conf"
#define MAXIMUM_SIZE (1024 * 1024)
#define MAXIMUM_DROP_INS 256

/* The first one that is there counts. */
static const char *const main_files[] = {
        "/etc/" FILE_NAME,
        "/run/" FILE_NAME,
        "/usr/lib/" FILE_NAME,
};

/* A later directory masks an earlier one. */
static const char *const drop_in_directories[] = {
        "/usr/lib/" FILE_NAME ".d",
        "/usr/local/lib/" FILE_NAME ".d",
        "/run/" FILE_NAME ".d",
        "/etc/" FILE_NAME ".d",
};

static bool is_left_out(const char *path, const ConfigLoadOptions *options)
{
        return options->without_run && startswith(path, "/run/");
}

typedef struct DropIn {
        char *path;
        const char *name; /* in path */
        size_t rank;      /* of its directory */
} DropIn;

typedef struct DropInList {
        DropIn *items;
        size_t n_items;
} DropInList;

static void drop_in_list_done(DropInList *list)
{
        for (size_t i = 0; i < list->n_items; i++)
                free(list->items[i].path);
        free(list->items);
}

/* Opens an absolute path below the root, where absolute links stay within the root too. */
static int open_below(int root_fd, const char *path, int flags)
{
        struct open_how how = {
                .flags = (uint64_t) flags | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };

        int fd = (int) syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        /* Before Linux 5.6, or where a filter does not know the call yet. */
        if (fd < 0 && (errno == ENOSYS || errno == EPERM))
                fd = openat(root_fd, path + 1, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Is something there, be it a link that leads nowhere? When in doubt yes: reading it will tell. */
static bool path_exists(int root_fd, const char *path)
{
        _cleanup_close_ int fd = open_below(root_fd, path, O_PATH | O_NOFOLLOW);

        return fd >= 0 || (fd != -ENOENT && fd != -ENOTDIR);
}

static bool is_link_to_null(int root_fd, const char *path)
{
        static const char null[] = "/dev/null";
        _cleanup_close_ int fd = open_below(root_fd, path, O_PATH | O_NOFOLLOW);
        char target[sizeof(null)];

        ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target));
        return n == (ssize_t) strlen(null) && memcmp(target, null, strlen(null)) == 0;
}

static bool name_is_drop_in(const char *name)
{
        size_t n = strlen(name), n_suffix = strlen(".conf");

        return name[0] != '.' && n > n_suffix && streq(name + n - n_suffix, ".conf");
}

static int drop_in_list_add(DropInList *list, size_t rank, const char *name)
{
        _cleanup_free_ char *path = NULL;

        int r = format_string(&path, "%s/%s", drop_in_directories[rank], name);
        if (r == 0)
                r = ARRAY_GROW(list->items, list->n_items);
        if (r < 0)
                return r;
        list->items[list->n_items++] = (DropIn){
                .path = path,
                .name = path + strlen(drop_in_directories[rank]) + 1,
                .rank = rank,
        };
        path = NULL;
        return 0;
}

static void close_directory(DIR **directory)
{
        if (*directory)
                closedir(*directory);
}

static int list_directory(int root_fd, size_t rank, DropInList *list)
{
        _cleanup_(close_directory) DIR *directory = NULL;

        _cleanup_close_ int fd =
                open_below(root_fd, drop_in_directories[rank], O_RDONLY | O_DIRECTORY);
        if (fd == -ENOENT && !path_exists(root_fd, drop_in_directories[rank]))
                return 0;
        if (fd < 0)
                return fd;
        directory = fdopendir(fd);
        if (!directory)
                return -errno;
        fd = -1; /* closed with the directory */

        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(directory);
                if (!entry)
                        return -errno;
                if (!name_is_drop_in(entry->d_name))
                        continue;
                int r = drop_in_list_add(list, rank, entry->d_name);
                if (r < 0)
                        return r;
        }
}

/* By name, then the one that masks the others first. */
static int compare_drop_ins(const void *a, const void *b)
{
        const DropIn *x = a, *y = b;

        int r = strcmp(x->name, y->name);
        if (r != 0)
                return r;
        return x->rank > y->rank ? -1 : x->rank < y->rank;
}

static int add_replaced(const char *path, DropInList *list)
{
        for (size_t rank = 0; path && rank < ELEMENTSOF(drop_in_directories); rank++) {
                const char *rest = startswith(path, drop_in_directories[rank]);

                if (!rest || *rest != '/')
                        continue;
                for (size_t i = 0; i < list->n_items; i++)
                        if (streq(list->items[i].path, path))
                                return 0;
                return drop_in_list_add(list, rank, rest + 1);
        }
        return 0;
}

static int complain(char problem[static FILE_PROBLEM_MAX], const char *text)
{
        (void) snprintf(problem, FILE_PROBLEM_MAX, "%s", text);
        return -EINVAL;
}

/* Returns 0; -EINVAL with `problem` filled if not all of them could be listed; -ENOMEM. */
static int list_directories(int root_fd, const ConfigLoadOptions *options, DropInList *list,
        char problem[static FILE_PROBLEM_MAX])
{
        int result = 0;

        for (size_t rank = 0; rank < ELEMENTSOF(drop_in_directories); rank++) {
                if (is_left_out(drop_in_directories[rank], options))
                        continue;
                int r = list_directory(root_fd, rank, list);
                if (r == -ENOMEM)
                        return r;
                if (r == 0 || result < 0)
                        continue;
                (void) snprintf(problem, FILE_PROBLEM_MAX, "%s cannot be listed: %s",
                        drop_in_directories[rank], strerror(-r));
                result = -EINVAL;
        }
        return result;
}

static int list_drop_ins(int root_fd, const ConfigLoadOptions *options, char ***paths,
        char problem[static FILE_PROBLEM_MAX])
{
        _cleanup_(drop_in_list_done) DropInList list = {};
        unsigned maximum = options->maximum_drop_ins ?: MAXIMUM_DROP_INS, n = 0;

        int listed = list_directories(root_fd, options, &list, problem);
        if (listed == -ENOMEM)
                return listed;
        int r = add_replaced(options->replace_path, &list);
        if (r < 0)
                return r;
        if (list.n_items > 0)
                qsort(list.items, list.n_items, sizeof(DropIn), compare_drop_ins);

        for (size_t i = 0; i < list.n_items; i++) {
                if (i > 0 && streq(list.items[i].name, list.items[i - 1].name))
                        continue;
                if (n++ >= maximum)
                        return complain(problem, "there are too many drop-in files");
                r = string_list_append(paths, list.items[i].path);
                if (r < 0)
                        return r;
        }
        return listed;
}

int config_files_list(int root_fd, const ConfigLoadOptions *options, char ***ret,
        char problem[static FILE_PROBLEM_MAX])
{
        _cleanup_string_list_ char **paths = NULL;

        for (size_t i = 0; i < ELEMENTSOF(main_files); i++) {
                bool is_replaced =
                        options->replace_path && streq(options->replace_path, main_files[i]);

                if (is_left_out(main_files[i], options) ||
                    (!is_replaced && !path_exists(root_fd, main_files[i])))
                        continue;
                int r = string_list_append(&paths, main_files[i]);
                if (r < 0)
                        return r;
                break;
        }

        int r = list_drop_ins(root_fd, options, &paths, problem);
        if (r < 0 && r != -EINVAL)
                return r;
        *ret = TAKE_POINTER(paths);
        return r;
}

bool config_path_is_candidate(const char *path)
{
        for (size_t i = 0; i < ELEMENTSOF(main_files); i++)
                if (streq(path, main_files[i]))
                        return true;
        for (size_t i = 0; i < ELEMENTSOF(drop_in_directories); i++) {
                const char *rest = startswith(path, drop_in_directories[i]);

                if (rest && *rest == '/' && !strchr(rest + 1, '/') && name_is_drop_in(rest + 1))
                        return true;
        }
        return false;
}

static int complain_errno(char problem[static FILE_PROBLEM_MAX], int error)
{
        if (error == -ENOMEM)
                return error;
        (void) snprintf(problem, FILE_PROBLEM_MAX, "cannot be read: %s", strerror(-error));
        return -EINVAL;
}

/* Whoever can write the configuration decides what a root process takes from the host. */
static int check_owner(const struct stat *status, char problem[static FILE_PROBLEM_MAX])
{
        if (status->st_uid != 0)
                return complain(problem, "refused: it does not belong to root");
        if (status->st_mode & (S_IWGRP | S_IWOTH)) {
                (void) snprintf(problem, FILE_PROBLEM_MAX,
                        "refused: others than root can write it (mode %04o)",
                        (unsigned) status->st_mode & 07777);
                return -EINVAL;
        }
        return 0;
}

/* Opens what stands for the path. Returns a descriptor; -ENODATA: a link to /dev/null, which
 * need not be there below a foreign root; or another errno. */
static int open_file(int root_fd, const char *path, const ConfigLoadOptions *options,
        bool is_replaced)
{
        const int flags = O_RDONLY | O_NOCTTY | O_NONBLOCK; /* a fifo must not block us */

        if (is_replaced) {
                int fd = open(options->replace_file, flags | O_CLOEXEC);
                return fd < 0 ? -errno : fd;
        }
        if (is_link_to_null(root_fd, path))
                return -ENODATA;
        return open_below(root_fd, path, flags);
}

/* Does the file that stands for the path stand there already? Then it is no draft. */
static bool is_in_place(int root_fd, const char *path, const struct stat *status)
{
        _cleanup_close_ int fd = open_below(root_fd, path, O_PATH);
        struct stat there;

        return fd >= 0 && fstat(fd, &there) == 0 && there.st_dev == status->st_dev &&
               there.st_ino == status->st_ino;
}

int config_file_read(int root_fd, const char *path, const ConfigLoadOptions *options, char **ret,
        size_t *ret_length, char problem[static FILE_PROBLEM_MAX])
{
        bool is_replaced = options->replace_path && streq(options->replace_path, path);
        size_t maximum = options->maximum_size ?: MAXIMUM_SIZE;
        struct stat status;

        _cleanup_close_ int fd = open_file(root_fd, path, options, is_replaced);
        if (fd < 0 && fd != -ENODATA)
                return complain_errno(problem, fd);
        if (fd >= 0 && fstat(fd, &status) < 0)
                return complain_errno(problem, -errno);
        if (fd < 0 || (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3))) {
                *ret_length = 0;
                return replace_string(ret, "");
        }
        if (!S_ISREG(status.st_mode))
                return complain(problem, "refused: it is no regular file");
        if (options->check_owner && (!is_replaced || is_in_place(root_fd, path, &status))) {
                int r = check_owner(&status, problem);
                if (r < 0)
                        return r;
        }

        int r = read_file(fd, maximum, ret, ret_length);
        if (r == -EFBIG) {
                (void) snprintf(problem, FILE_PROBLEM_MAX, "refused: it is longer than %zu bytes",
                        maximum);
                return -EINVAL;
        }
        return r < 0 ? complain_errno(problem, r) : 0;
}
