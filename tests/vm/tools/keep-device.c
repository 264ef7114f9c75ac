/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Uses a device so that the first thread's descriptors do not tell, until standard input ends; says
 * "ready" when it does.
 *
 *     keep-device --mapped NODE   maps its first page and closes it
 *     keep-device --thread NODE   opens it in a thread with a table of open files of its own
 */

static pthread_barrier_t barrier;

static void fail(const char *step) __attribute__((noreturn));

static void fail(const char *step)
{
        fprintf(stderr, "keep-device: %s: %s\n", step, strerror(errno));
        exit(1);
}

static int open_node(const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                fail(path);
        return fd;
}

static void map(const char *path)
{
        int fd = open_node(path);

        if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
                fail("mmap");
        close(fd);
}

static void *open_apart(void *userdata)
{
        if (unshare(CLONE_FILES) < 0)
                fail("unshare");
        (void) open_node(userdata);
        (void) pthread_barrier_wait(&barrier);
        for (;;)
                pause();
}

static void open_in_thread(char *path)
{
        pthread_t thread;

        errno = pthread_barrier_init(&barrier, NULL, 2);
        if (errno == 0)
                errno = pthread_create(&thread, NULL, open_apart, path);
        if (errno != 0)
                fail("pthread_create");
        (void) pthread_barrier_wait(&barrier);
}

int main(int argc, char **argv)
{
        if (argc == 3 && strcmp(argv[1], "--mapped") == 0)
                map(argv[2]);
        else if (argc == 3 && strcmp(argv[1], "--thread") == 0)
                open_in_thread(argv[2]);
        else
                return 2;
        puts("ready");
        fflush(stdout);
        while (getchar() != EOF)
                ;
        return 0;
}
