/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* The C library's readers of these files know no other root and may load name service modules,
 * which an initramfs does not have; hence a reader of our own. */

#define LINE_MAX_LENGTH  4096
#define LINES_MAX        1000000
#define NAME_BUFFER_MAX  (1U << 20)
#define ACCOUNT_NAME_MAX 256
/* Less than any Timeout=, so that a node waits, and not its group. */
#define NAME_SERVICE_MSEC 900

static bool is_account_name(const char *name)
{
        size_t n = strlen(name);

        return n > 0 && n <= ACCOUNT_NAME_MAX && !strpbrk(name, ":\n/");
}

/* 0xffff and 0xffffffff mean "no change" to chown. */
static int check_number(uint64_t number, uint32_t *ret)
{
        if (number >= UINT32_MAX || number == UINT16_MAX)
                return -EINVAL;
        *ret = (uint32_t) number;
        return 0;
}

/* "name:password:NUMBER:…" */
static bool parse_account_line(char *line, const char *name, uint32_t *ret)
{
        char *rest = (char *) startswith(line, name);
        uint64_t number;

        if (!rest || *rest != ':')
                return false;
        rest = strchr(rest + 1, ':');
        if (!rest)
                return false;
        rest++;
        rest[strcspn(rest, ":\n")] = '\0';
        return parse_unsigned(rest, UINT32_MAX, &number) == 0 && check_number(number, ret) == 0;
}

static void close_file(FILE **file)
{
        if (*file)
                (void) fclose(*file);
}

static int search_file(const Host *host, const char *path, const char *name, uint32_t *ret)
{
        _cleanup_(close_file) FILE *file = NULL;
        char line[LINE_MAX_LENGTH];
        bool continues = false;

        _cleanup_close_ int fd = openat(host->root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return errno == ENOENT ? -ENXIO : -errno;
        file = fdopen(fd, "re");
        if (!file)
                return -errno;
        (void) TAKE_FD(fd);

        for (unsigned i = 0; i < LINES_MAX && fgets(line, sizeof(line), file); i++) {
                bool is_whole = strchr(line, '\n');

                /* The rest of a long line (a group with many members) is no line of its own. */
                if (!continues && parse_account_line(line, name, ret))
                        return 0;
                continues = !is_whole;
        }
        return -ENXIO;
}

/* What was found last, and in which version of which file: a worker asks the same of each group. */
typedef struct FoundAccount {
        char name[ACCOUNT_NAME_MAX + 1];
        struct stat file;
        uint32_t number;
} FoundAccount;

static bool is_same_version(const struct stat *a, const struct stat *b)
{
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
               a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
               a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int find_in_file(const Host *host, const char *path, const char *name, FoundAccount *last,
        uint32_t *ret)
{
        struct stat status;

        if (fstatat(host->root, path, &status, 0) < 0)
                return errno == ENOENT ? -ENXIO : -errno;
        if (!streq(last->name, name) || !is_same_version(&last->file, &status)) {
                int r = search_file(host, path, name, ret);
                if (r < 0)
                        return r;
                *last = (FoundAccount){ .file = status, .number = *ret };
                strcpy(last->name, name); /* find_number() has looked at its length */
        }
        *ret = last->number;
        return 0;
}

static int ask_for_user(const char *name, uint32_t *ret)
{
        struct passwd entry, *found;

        for (size_t size = 4096; size <= NAME_BUFFER_MAX; size *= 2) {
                _cleanup_free_ char *buffer = malloc(size);
                if (!buffer)
                        return -ENOMEM;
                int r = getpwnam_r(name, &entry, buffer, size, &found);
                if (r == ERANGE)
                        continue;
                return r == 0 && found ? check_number(entry.pw_uid, ret) : -ENXIO;
        }
        return -ENXIO;
}

static int ask_for_group(const char *name, uint32_t *ret)
{
        struct group entry, *found;

        for (size_t size = 4096; size <= NAME_BUFFER_MAX; size *= 2) {
                _cleanup_free_ char *buffer = malloc(size);
                if (!buffer)
                        return -ENOMEM;
                int r = getgrnam_r(name, &entry, buffer, size, &found);
                if (r == ERANGE)
                        continue;
                return r == 0 && found ? check_number(entry.gr_gid, ret) : -ENXIO;
        }
        return -ENXIO;
}

typedef int (*AccountQuestion)(const char *name, uint32_t *ret);

typedef struct AccountAnswer {
        int result;
        uint32_t number;
} AccountAnswer;

/* Nothing of the caller's stays open in it, locks least of all: it may never end. */
static _Noreturn void answer(AccountQuestion question, const char *name, int fd)
{
        AccountAnswer answer = {};
        sigset_t none;

        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) setsid();
        if (fd != 3 && dup2(fd, 3) < 0)
                _exit(EXIT_FAILURE);
        (void) close_range(4, ~0U, 0);
        answer.result = question(name, &answer.number);
        _exit(write(3, &answer, sizeof(answer)) == sizeof(answer) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int receive_answer(int fd, uint32_t *ret)
{
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        AccountAnswer answer;

        if (poll(&poll_fd, 1, NAME_SERVICE_MSEC) <= 0)
                return -ETIMEDOUT;
        if (read(fd, &answer, sizeof(answer)) != sizeof(answer))
                return -ENXIO;
        if (answer.result == 0)
                *ret = answer.number;
        return answer.result;
}

/* Name services ask the network, or a daemon that waits for it, and may not answer for ever; a
 * process of its own asks. Who does not answer once is not asked again by this process. */
static int ask_name_service(AccountQuestion question, const char *name, uint32_t *ret)
{
        static bool is_silent;
        int fds[2], r;
        pid_t pid;

        if (is_silent)
                return -ENXIO;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                answer(question, name, fds[1]);
        r = pid < 0 ? -errno : 0;
        (void) close(fds[1]);
        if (r == 0)
                r = receive_answer(fds[0], ret);
        (void) close(fds[0]);
        if (pid < 0)
                return r;

        /* one that cannot be killed is not waited for */
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, r == -ETIMEDOUT ? WNOHANG : 0);
        is_silent = r == -ETIMEDOUT;
        return r == -ETIMEDOUT ? -ENXIO : r;
}

/* 0 if the name is a number. */
static int find_number(const char *name, uint32_t *ret)
{
        uint64_t number;

        if (!is_account_name(name))
                return -EINVAL;
        int r = parse_unsigned(name, UINT32_MAX, &number);
        if (r == -ERANGE)
                return -EINVAL;
        return r < 0 ? -ENXIO : check_number(number, ret);
}

int account_find_user(const Host *host, const char *name, bool use_name_service, uid_t *ret)
{
        static FoundAccount last;

        int r = find_number(name, ret);
        if (r != -ENXIO)
                return r;
        r = find_in_file(host, "etc/passwd", name, &last, ret);
        if (r != -ENXIO || !use_name_service || !host->is_live)
                return r;
        return ask_name_service(ask_for_user, name, ret);
}

int account_find_group(const Host *host, const char *name, bool use_name_service, gid_t *ret)
{
        static FoundAccount last;

        int r = find_number(name, ret);
        if (r != -ENXIO)
                return r;
        r = find_in_file(host, "etc/group", name, &last, ret);
        if (r != -ENXIO || !use_name_service || !host->is_live)
                return r;
        return ask_name_service(ask_for_group, name, ret);
}
