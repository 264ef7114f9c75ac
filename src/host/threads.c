/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/scan-internal.h"
#include "util/io.h"
#include "util/parse.h"

#define TID_MAX         UINT64_C(4194304) /* kernel: PID_MAX_LIMIT */
#define SHOWN_MAX       8
#define UNTOLD_MAX      16
#define ALL_PARTS       (THREAD_FILES | THREAD_FILE_SYSTEM)
#define LINKS_OF_SINGLE 3 /* of "task", whose links are two and the threads (fs/proc/base.c) */

typedef struct Visit {
        const Host *host;
        ThreadLook look;
        void *userdata;
        /* Those that others are compared with. With more tables than that in one program, what
         * shares one of the others is looked at all the same. */
        uint32_t shown[SHOWN_MAX];
        size_t n_shown;
        size_t n_left; /* how many may be looked at where the kernel does not compare */
} Visit;

/* Has the thread ended whose directory it is? proc_ns_readlink(): ENOENT without namespaces. */
static bool has_ended(int thread)
{
        char target[64];

        return readlinkat(thread, "ns/mnt", target, sizeof(target)) < 0 &&
                (errno == ENOENT || errno == ESRCH);
}

static bool has_one_thread(int process)
{
        struct stat status;

        return fstatat(process, "task", &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                status.st_nlink == LINKS_OF_SINGLE;
}

/* Of what it cannot compare (a thread has ended, the call is not there or forbidden) the kernel
 * does not say that it is one. It waits for an execve(2), but that has ended all other threads
 * before. */
static bool is_one(uint32_t first, uint32_t second, int type)
{
        return syscall(SYS_kcmp, (pid_t) first, (pid_t) second, type, 0UL, 0UL) == 0;
}

/* Not by a kernel without the call, or one that forbids it. */
static bool is_compared(uint32_t thread)
{
        return is_one(thread, thread, KCMP_FILES);
}

static unsigned parts_of_its_own(const Visit *visit, uint32_t thread)
{
        unsigned parts = ALL_PARTS;

        for (size_t i = 0; i < visit->n_shown && parts > 0; i++) {
                uint32_t other = visit->shown[i];

                if (other == thread)
                        return 0;
                if (!visit->host->is_live) /* the numbers of a saved tree mean nothing here */
                        continue;
                if (parts & THREAD_FILES && is_one(other, thread, KCMP_FILES))
                        parts &= ~(unsigned) THREAD_FILES;
                /* unshare(2), setns(2): who leaves a mount namespace shares no such view */
                if (parts & THREAD_FILE_SYSTEM && is_one(other, thread, KCMP_FS))
                        parts &= ~(unsigned) THREAD_FILE_SYSTEM;
        }
        return parts;
}

static int show(Visit *visit, int directory, uint32_t thread, unsigned parts)
{
        if (visit->n_shown < SHOWN_MAX)
                visit->shown[visit->n_shown++] = thread;
        return visit->look(directory, parts, visit->userdata);
}

static int show_thread(Visit *visit, int threads, const char *name)
{
        uint64_t number;

        if (parse_unsigned(name, TID_MAX, &number) < 0)
                return 0;
        unsigned parts = parts_of_its_own(visit, (uint32_t) number);
        if (parts == 0)
                return 0;
        if (visit->host->is_live && !is_compared((uint32_t) number))
                visit->n_left--;
        _cleanup_close_ int thread = openat(threads, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (thread < 0)
                return scan_error_is_fatal(-errno) ? -errno : 0;
        return has_ended(thread) ? 0 : show(visit, thread, (uint32_t) number, parts);
}

static int show_threads(Visit *visit, DIR *threads)
{
        const struct dirent *entry;
        int r = 0;

        while (r == 0 && visit->n_left > 0 && (entry = readdir(threads)))
                r = show_thread(visit, dirfd(threads), entry->d_name);
        return r == 0 && visit->n_shown == 0 ? -ESRCH : r;
}

int threads_show(const Host *host, int process, uint32_t pid, ThreadLook look, void *userdata)
{
        Visit visit = {
                .host = host, .look = look, .userdata = userdata, .n_left = UNTOLD_MAX,
        };
        _cleanup_directory_ DIR *threads = NULL;
        int r = 0;

        if (!has_ended(process)) {
                r = show(&visit, process, pid, ALL_PARTS);
                if (r != 0 || has_one_thread(process))
                        return r;
        }
        r = host_open_directory(process, "task", &threads);
        if (r == 0)
                return show_threads(&visit, threads);
        if (visit.n_shown > 0)
                return scan_error_is_fatal(r) ? r : 0;
        return r == -ENOENT ? show(&visit, process, pid, ALL_PARTS) : r;
}
