/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/holders.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host/nodes.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
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
        host_close(&host);
        fake_sysfs_free(fake);
}

/* Where the number of the node cannot be had, the name has to do. */
static void test_number_unknown(void)
{
        FakeSysfs *fake = fake_sysfs_new();
        unsigned found = 0;
        Host host;

        fake_sysfs_write(fake, "some/vfio/14", "");
        add_process(fake, "100", "some/vfio/14");
        ASSERT_OK(host_open(fake->root, &host));
        host.is_live = true;
        ASSERT_OK(holders_find(&host, 14, NULL, 0, count, &found));
        ASSERT_EQ(found, 100);
        host_close(&host);
        fake_sysfs_free(fake);
}

static void write_flags(FakeSysfs *fake, const char *flags)
{
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(format_string(&text, "pos:\t0\nflags:\t%s\nmnt_id:\t26\n", flags));
        fake_sysfs_write(fake, "proc/100/fdinfo/7", text);
}

/* udev has such a descriptor while it sets the permissions of a node; it keeps nothing open. */
static void test_path_descriptor(void)
{
        FakeSysfs *fake = fake_sysfs_new();
        unsigned found = 0;
        Host host;

        fake_sysfs_write(fake, "some/vfio/14", "");
        add_process(fake, "100", "some/vfio/14");
        ASSERT_OK(host_open(fake->root, &host));
        write_flags(fake, "012000000");
        ASSERT_OK(holders_find(&host, 14, NULL, 0, count, &found));
        ASSERT_EQ(found, 0);
        write_flags(fake, "02100002");
        ASSERT_OK(holders_find(&host, 14, NULL, 0, count, &found));
        ASSERT_EQ(found, 100);
        host_close(&host);
        fake_sysfs_free(fake);
}

int main(void)
{
        test_a_name_is_not_enough();
        test_number_unknown();
        test_path_descriptor();
        return 0;
}
