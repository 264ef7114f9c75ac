/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include "host/threads.h"
#include "lib/test.h"
#include "util/io.h"

/* How much processor time it takes to know what the threads of this process have open: where the
 * kernel tells what they share, and where each one's files have to be looked at.
 *   meson test --benchmark threads --verbose */

#define FILES 100

static uint64_t processor_usec(void)
{
        struct timespec time;

        ASSERT_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time));
        return (uint64_t) time.tv_sec * USEC_PER_SEC + (uint64_t) time.tv_nsec / 1000;
}

static int read_links(int thread, unsigned parts, void *userdata)
{
        _cleanup_directory_ DIR *directory = NULL;
        const struct dirent *entry;
        char target[256];

        ASSERT_OK(host_open_directory(thread, "fd", &directory));
        while (parts & THREAD_FILES && (entry = readdir(directory)))
                *(unsigned *) userdata +=
                        readlinkat(dirfd(directory), entry->d_name, target, sizeof(target)) > 0;
        return 0;
}

static void measure(bool is_live, unsigned n_threads)
{
        _cleanup_close_ int process = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const Host host = {.root = -1, .is_live = is_live};
        unsigned n_links = 0;

        uint64_t begin = processor_usec();
        ASSERT_OK(threads_show(&host, process, (uint32_t) getpid(), read_links, &n_links));
        uint64_t usec = processor_usec() - begin;
        printf("%7u  %-8s  %10u  %9.2f  %9.2f\n", n_threads, is_live ? "yes" : "no", n_links,
                (double) usec / 1000, n_threads > 0 ? (double) usec / n_threads : 0);
}

static void *sleep_for_ever(void *unused)
{
        for (;;)
                (void) pause();
        return unused;
}

int main(void)
{
        static const unsigned sizes[] = {0, 100, 2000};
        pthread_attr_t attributes;
        unsigned n = 0;

        for (unsigned i = 0; i < FILES; i++)
                ASSERT_TRUE(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
        ASSERT_EQ(pthread_attr_init(&attributes), 0);
        ASSERT_EQ(pthread_attr_setstacksize(&attributes, 64 * 1024), 0);
        printf("threads  compared  links read         ms  us/thread\n");
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                for (; n < sizes[i]; n++) {
                        pthread_t thread;

                        ASSERT_EQ(pthread_create(&thread, &attributes, sleep_for_ever, NULL), 0);
                }
                measure(true, n);
                measure(false, n);
        }
        return 0;
}
