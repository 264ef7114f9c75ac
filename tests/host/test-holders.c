/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/holders.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/nodes.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

/* A descriptor in the tree's /proc leads to a file of that name in the tree. */
static void add_process(FakeSysfs *fake, const char *pid, const char *file)
{
        _cleanup_free_ char *comm = NULL, *link = NULL, *target = NULL;

        ASSERT_OK(format_string(&comm, "proc/%s/comm", pid));
        fake_sysfs_write(fake, comm, "program\n");
        ASSERT_OK(format_string(&link, "proc/%s/fd", pid));
        ASSERT_OK(mkdirat(fake->fd, link, 0755));
        ASSERT_OK(format_string(&target, "%s/%s", fake->root, file));
        free(link);
        ASSERT_OK(format_string(&link, "proc/%s/fd/7", pid));
        ASSERT_OK(symlinkat(target, fake->fd, link));
}

static int count(void *userdata, const HolderProcess *process)
{
        *(unsigned *) userdata = process->pid;
        return 0;
}

/* Whoever may make files could otherwise keep a group from ever being released. */
static void test_a_name_is_not_enough(void)
{
        FakeSysfs *fake = fake_sysfs_new();
        unsigned found = 0;
        struct stat null;
        char text[32];
        Host host;

        fake_sysfs_write(fake, "home/user/vfio/14", "");
        add_process(fake, "100", "home/user/vfio/14");
        ASSERT_OK(mkdirat(fake->fd, "dev", 0755));
        ASSERT_OK(mkdirat(fake->fd, "dev/vfio", 0755));
        ASSERT_OK(symlinkat("/dev/null", fake->fd, "dev/vfio/15"));
        ASSERT_OK(stat("/dev/null", &null));
        (void) snprintf(text, sizeof(text), "%u:%u\n", major(null.st_rdev), minor(null.st_rdev));
        fake_sysfs_write(fake, "sys/class/vfio/14/dev", "240:0\n");
        fake_sysfs_write(fake, "sys/class/vfio/15/dev", text);
        add_process(fake, "101", "dev/vfio/15");

        ASSERT_OK(host_open(fake->root, &host));
        host.is_live = true;
        ASSERT_OK(holders_find(&host, 14, NULL, 0, count, &found));
        ASSERT_EQ(found, 0);
        ASSERT_OK(holders_find(&host, 15, NULL, 0, count, &found));
        ASSERT_EQ(found, 101);

        /* what this kernel has no node of: a group without VFIO, a kernel without CDEV */
        found = 0;
        fake_sysfs_write(fake, "home/user/vfio/16", "");
        add_process(fake, "102", "home/user/vfio/16");
        ASSERT_OK(holders_find(&host, 16, NULL, 0, count, &found));
        ASSERT_EQ(found, 0);
        fake_sysfs_write(fake, "home/user/vfio/devices/vfio3", "");
        add_process(fake, "103", "home/user/vfio/devices/vfio3");
        ASSERT_OK(holders_find(&host, 14, (int64_t[]){ 3 }, 1, count, &found));
        ASSERT_EQ(found, 0);
        host_close(&host);
        fake_sysfs_free(fake);
}

/* In a saved tree there are no numbers, the name has to do. */
static void test_saved_tree(void)
{
        FakeSysfs *fake = fake_sysfs_new();
        unsigned found = 0;
        Host host;

        fake_sysfs_write(fake, "some/vfio/14", "");
        add_process(fake, "100", "some/vfio/14");
        ASSERT_OK(host_open(fake->root, &host));
        ASSERT_OK(holders_find(&host, 14, NULL, 0, count, &found));
        ASSERT_EQ(found, 100);
        host_close(&host);
        fake_sysfs_free(fake);
}

static bool is_usable(int process, int fd)
{
        char name[16];

        (void) snprintf(name, sizeof(name), "%d", fd);
        return host_descriptor_is_usable(process, name);
}

/* udev has one of O_PATH while it sets the permissions of a node; it keeps nothing open. One that
 * serves ioctl(2) alone looks much the same. */
static void test_usable_descriptors(void)
{
        static const struct {
                int flags;
                bool usable;
        } cases[] = { { O_PATH, false }, { O_PATH | O_NOFOLLOW, false }, { O_RDONLY, true },
                { O_WRONLY, true }, { O_RDWR, true }, { O_ACCMODE, true } };
        _cleanup_close_ int process = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ASSERT_TRUE(process >= 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_close_ int fd = open("/dev/null", cases[i].flags | O_CLOEXEC);

                ASSERT_TRUE(fd >= 0);
                ASSERT_EQ(is_usable(process, fd), cases[i].usable);
        }
        ASSERT_TRUE(host_descriptor_is_usable(process, "4711"));
}

/* This program itself, as others see it. */
static void test_path_descriptor(void)
{
        _cleanup_close_ int directory = -1;
        unsigned found = 0;
        char path[80];
        Host host;

        ASSERT_OK(host_open(NULL, &host));
        host.is_live = false; /* by name alone */
        (void) snprintf(path, sizeof(path), "/tmp/test-holders-%d", (int) getpid());
        ASSERT_OK(mkdir(path, 0700));
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(mkdirat(directory, "vfio", 0700));
        for (int i = 0; i < 2; i++) {
                _cleanup_close_ int fd = openat(directory, "vfio/987654",
                        i ? O_PATH | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC, 0600);

                ASSERT_TRUE(fd >= 0);
                found = 0;
                ASSERT_OK(holders_find(&host, 987654, NULL, 0, count, &found));
                ASSERT_EQ(found, i ? 0U : (unsigned) getpid());
        }
        ASSERT_OK(unlinkat(directory, "vfio/987654", 0));
        ASSERT_OK(unlinkat(directory, "vfio", AT_REMOVEDIR));
        ASSERT_OK(rmdir(path));
        host_close(&host);
}

static void *wait_forever(void *ready)
{
        ASSERT_EQ(write((int) (intptr_t) ready, "", 1), 1);
        for (;;)
                (void) pause();
}

/* The first thread is gone, the one that has the file open is not. */
static void run_without_first_thread(int ready, const char *path)
{
        pthread_t thread;

        ASSERT_TRUE(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0);
        ASSERT_EQ(pthread_create(&thread, NULL, wait_forever, (void *) (intptr_t) ready), 0);
        pthread_exit(NULL);
}

static void wait_until_first_thread_ended(pid_t pid)
{
        char path[64], target[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int) pid);
        while (readlink(path, target, sizeof(target)) >= 0)
                (void) sched_yield();
}

static void test_first_thread_has_ended(void)
{
        char directory[] = "/tmp/test-holders-XXXXXX", path[64], byte;
        unsigned found = 0;
        int ready[2];
        pid_t pid;
        Host host;

        ASSERT_TRUE(mkdtemp(directory));
        (void) snprintf(path, sizeof(path), "%s/vfio", directory);
        ASSERT_OK(mkdir(path, 0700));
        (void) snprintf(path, sizeof(path), "%s/vfio/987655", directory);
        ASSERT_OK(pipe2(ready, O_CLOEXEC));
        pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0)
                run_without_first_thread(ready[1], path);
        ASSERT_EQ(read(ready[0], &byte, 1), 1);
        wait_until_first_thread_ended(pid);

        ASSERT_OK(host_open(NULL, &host));
        host.is_live = false; /* by name alone */
        ASSERT_OK(holders_find(&host, 987655, NULL, 0, count, &found));
        ASSERT_EQ(found, (unsigned) pid);
        host_close(&host);
        ASSERT_OK(kill(pid, SIGKILL));
        ASSERT_EQ(waitpid(pid, NULL, 0), pid);
        ASSERT_OK(unlink(path));
        (void) snprintf(path, sizeof(path), "%s/vfio", directory);
        ASSERT_OK(rmdir(path));
        ASSERT_OK(rmdir(directory));
        (void) close(ready[0]);
        (void) close(ready[1]);
}

int main(void)
{
        test_a_name_is_not_enough();
        test_saved_tree();
        test_usable_descriptors();
        test_path_descriptor();
        test_first_thread_has_ended();
        return 0;
}
