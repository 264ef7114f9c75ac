/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/aside.h"
#include "host/guard-internal.h"
#include "host/scan-internal.h"
#include "host/threads.h"
#include "util/io.h"
#include "util/parse.h"
#include "util/strings.h"

/* Process use that no descriptor tells of: a program may close a device that it has mapped into its
 * memory. The kernel tells what is mapped under the lock of that memory, which a program may hold
 * for as long as a file system or a driver keeps it, so a process aside asks, right before the
 * first write only. */

#define PID_NUMBER_MAX UINT64_C(4194304) /* kernel: PID_MAX_LIMIT */
#define PROCESS_SEC    5                 /* for one program, which may be the one that hangs */
#define DEADLINE_SEC   20                /* for all of them */

/* What the process aside tells, in order: of each program first that it is asked. */
typedef struct Mapping {
        uint32_t pid; /* 0: that was the last one */
        bool is_node, is_block;
        unsigned major_number, minor_number;
        char path[128]; /* as the program had it */
} Mapping;

typedef struct Question {
        int output;
        uint32_t pid;
} Question;

static int tell(const Question *question, const Mapping *mapping)
{
        return write(question->output, mapping, sizeof(*mapping)) < 0 ? -errno : 0;
}

/* "7f0000001000-7f0000002000 rw-s 00000000 00:06 321    /dev/uio0" (proc(5), "maps") */
static bool parse_line(char *line, uint64_t *ret_begin, uint64_t *ret_end, const char **ret_path)
{
        char *rest = NULL, *range = strtok_r(line, " ", &rest), *dash = strchr(range ?: "", '-');
        uint64_t begin, end;

        for (size_t i = 0; i < 4; i++)
                if (!strtok_r(NULL, " ", &rest))
                        return false;
        char *path = rest + strspn(rest, " ");
        /* a program in a chroot(2) has nodes elsewhere */
        if (!dash || !strstr(path, "/dev/") || startswith(path, "/dev/shm/"))
                return false;
        *dash = '\0';
        path[strcspn(path, "\n")] = '\0';
        if (parse_hex(range, 0, &begin) < 0 || parse_hex(dash + 1, 0, &end) < 0)
                return false;
        *ret_begin = begin;
        *ret_end = end;
        *ret_path = path;
        return true;
}

/* By the mapping itself. Who may not (that takes CAP_SYS_ADMIN) goes by the name of what is mapped,
 * which somebody else's file may have, too. */
static bool look_at_mapped(int thread, const char *mapping, const char *path, struct statx *ret)
{
        const int flags = AT_STATX_DONT_SYNC;

        if (statx(thread, mapping, flags, STATX_TYPE, ret) == 0)
                return true;
        return (errno == EPERM || errno == EACCES) && startswith(path, "/dev/") &&
                statx(AT_FDCWD, path, flags, STATX_TYPE, ret) == 0;
}

static bool find_device(int thread, char *line, Mapping *ret)
{
        struct statx status;
        uint64_t begin, end;
        const char *path;
        char name[64];

        if (!parse_line(line, &begin, &end, &path))
                return false;
        (void) snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, begin, end);
        if (!look_at_mapped(thread, name, path, &status) ||
            (!S_ISCHR(status.stx_mode) && !S_ISBLK(status.stx_mode)))
                return false;
        *ret = (Mapping){
                .is_node = true, .is_block = S_ISBLK(status.stx_mode),
                .major_number = status.stx_rdev_major, .minor_number = status.stx_rdev_minor,
        };
        (void) snprintf(ret->path, sizeof(ret->path), "%s", path);
        return true;
}

static void close_file(FILE **file)
{
        if (*file)
                (void) fclose(*file);
}

/* 1: all threads have one memory. */
static int look_at_thread(int thread, unsigned parts, void *userdata)
{
        const Question *question = userdata;
        _cleanup_(close_file) FILE *file = NULL;
        _cleanup_free_ char *line = NULL;
        size_t size = 0;

        _cleanup_close_ int fd = openat(thread, "maps", O_RDONLY | O_CLOEXEC);
        if (fd < 0) /* the files of others are not seen then either, which is told by that */
                return scan_error_is_fatal(-errno) ? -errno : 1;
        file = fdopen(fd, "r");
        if (!file)
                return -errno;
        (void) TAKE_FD(fd);
        while (getline(&line, &size, file) >= 0) {
                Mapping mapping;

                if (!find_device(thread, line, &mapping))
                        continue;
                mapping.pid = question->pid;
                int r = tell(question, &mapping);
                if (r < 0)
                        return r;
        }
        if (ferror(file) && errno != ESRCH) /* ended meanwhile */
                return -errno;
        return 1;
}

static int look_at_process(const Host *host, Question *question, int processes, const char *name)
{
        uint64_t pid;

        if (parse_unsigned(name, PID_NUMBER_MAX, &pid) < 0)
                return 0;
        _cleanup_close_ int process = openat(processes, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
                return scan_error_is_fatal(-errno) ? -errno : 0;
        question->pid = (uint32_t) pid;
        int r = tell(question, &(Mapping){ .pid = question->pid });
        if (r == 0)
                r = threads_show(host, process, question->pid, look_at_thread, question);
        return r == 1 || r == -ESRCH ? 0 : r;
}

static void look(int output, void *userdata)
{
        _cleanup_directory_ DIR *directory = NULL;
        Question question = { .output = output };
        const Host *host = userdata;
        const struct dirent *entry;

        int r = host_open_directory(host->root, "proc", &directory);
        while (r == 0 && (entry = readdir(directory)))
                r = look_at_process(host, &question, dirfd(directory), entry->d_name);
        if (r == 0 && tell(&question, &(Mapping){}) < 0)
                return; /* nobody listens any more */
}

/* Returns 1; 0 at the deadline. */
static int receive(int input, uint64_t deadline, Mapping *ret)
{
        int r = aside_wait(input, deadline);
        if (r <= 0)
                return r;
        ssize_t n = read(input, ret, sizeof(*ret));
        if (n == sizeof(*ret))
                return 1;
        return now_monotonic() >= deadline ? 0 : -EPROTO;
}

/* 0: it was not the fault of one. */
static int add_blind(Guard *guard, uint32_t pid, int error)
{
        _cleanup_free_ char *what = NULL, *remedy = NULL;

        int r = pid > 0 ? format_string(&what,
                                  "what process %" PRIu32 " has mapped cannot be seen (%s)", pid,
                                  strerror(-error)) :
                          format_string(&what, "what programs have mapped cannot be seen (%s)",
                                  strerror(-error));
        if (r == 0)
                r = format_string(&remedy, "%s", pid > 0 ? "Wait for that process, or end it" :
                                                           "Try again later");
        return r < 0 ? r : guard_add_blind(guard, GUARD_NODES, what, remedy);
}

/* Until the process aside has told all. */
static int receive_all(Guard *guard, int input, uint64_t last)
{
        Mapping mapping = { .pid = 0 };
        uint64_t deadline = last;
        int r;

        do {
                uint32_t pid = mapping.pid;

                r = receive(input, deadline, &mapping);
                if (r <= 0)
                        return add_blind(guard, deadline < last ? pid : 0, r < 0 ? r : -ETIMEDOUT);
                r = mapping.is_node ? guard_note_mapped(guard, mapping.pid, mapping.is_block,
                                              mapping.major_number, mapping.minor_number,
                                              mapping.path)
                                    : 0;
                if (mapping.pid != pid) {
                        deadline = now_monotonic() + PROCESS_SEC * USEC_PER_SEC;
                        deadline = deadline < last ? deadline : last;
                }
        } while (r == 0 && mapping.pid > 0);
        return r;
}

int guard_check_mappings(Guard *guard)
{
        uint64_t last = now_monotonic() + DEADLINE_SEC * USEC_PER_SEC;

        if (!guard->host->is_live || (guard->n_nodes == 0 && !guard_has_nvidia(guard)))
                return 0;
        _cleanup_close_ int input = aside_start(look, (void *) guard->host, guard->host->root,
                DEADLINE_SEC);
        if (input < 0)
                return scan_error_is_fatal(input) ? input : add_blind(guard, 0, input);
        return receive_all(guard, input, last);
}
