/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accounts in files and in a name service that may not answer. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/accounts.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"

/* The name service, in place of the C library's. */
int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
        struct passwd **ret)
{
        while (strcmp(name, "hangs") == 0)
                (void) pause();
        *entry = (struct passwd){ .pw_uid = 4711 };
        *ret = strcmp(name, "remote") == 0 ? entry : NULL;
        return 0;
}

int getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size,
        struct group **ret)
{
        if (strcmp(name, "crashes") == 0)
                _exit(1);
        *entry = (struct group){ .gr_gid = 4712 };
        *ret = strcmp(name, "remote") == 0 ? entry : NULL;
        return 0;
}

static void test_files_come_first(Host *host)
{
        uid_t user;
        gid_t group;

        ASSERT_OK(account_find_user(host, "kvm", true, &user));
        ASSERT_EQ(user, 108);
        ASSERT_OK(account_find_group(host, "kvm", true, &group));
        ASSERT_EQ(group, 109);
        ASSERT_OK(account_find_user(host, "12", true, &user));
        ASSERT_EQ(user, 12);
        ASSERT_EQ(account_find_user(host, "remote", false, &user), -ENXIO);
}

static void test_name_service(Host *host)
{
        uid_t user;
        gid_t group;

        ASSERT_OK(account_find_user(host, "remote", true, &user));
        ASSERT_EQ(user, 4711);
        ASSERT_OK(account_find_group(host, "remote", true, &group));
        ASSERT_EQ(group, 4712);
        ASSERT_EQ(account_find_user(host, "nobody-there", true, &user), -ENXIO);
        ASSERT_EQ(account_find_group(host, "crashes", true, &group), -ENXIO);
}

/* Nobody waits for it for long, it takes no lock of ours with it, and it is not asked again. */
static void test_silent_name_service(Host *host)
{
        uint64_t begin = now_monotonic();
        int lock, other;
        uid_t user;

        lock = openat(host->root, "etc/passwd", O_RDONLY | O_CLOEXEC);
        ASSERT_TRUE(lock >= 0);
        ASSERT_OK(flock(lock, LOCK_EX));
        ASSERT_EQ(account_find_user(host, "hangs", true, &user), -ENXIO);
        ASSERT_TRUE(now_monotonic() - begin < 5 * USEC_PER_SEC);
        close(lock);
        other = openat(host->root, "etc/passwd", O_RDONLY | O_CLOEXEC);
        ASSERT_OK(flock(other, LOCK_EX | LOCK_NB));
        close(other);

        begin = now_monotonic();
        ASSERT_EQ(account_find_user(host, "hangs", true, &user), -ENXIO);
        ASSERT_TRUE(now_monotonic() - begin < USEC_PER_SEC / 2);
        ASSERT_OK(account_find_user(host, "kvm", true, &user));
}

int main(void)
{
        FakeSysfs *fake = fake_sysfs_new();
        Host host;

        fake_sysfs_write(fake, "etc/passwd", "root:x:0:0::/:\nkvm:x:108:109::/:\n");
        fake_sysfs_write(fake, "etc/group", "root:x:0:\nkvm:x:109:\n");
        ASSERT_OK(host_open(fake->root, &host));
        host.is_live = true;
        test_files_come_first(&host);
        test_name_service(&host);
        test_silent_name_service(&host);
        host_close(&host);
        fake_sysfs_free(fake);
        return EXIT_SUCCESS;
}
