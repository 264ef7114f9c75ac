/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "host/accounts.h"
#include "host/nodes.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"

static const PciAddress gpu = {.bus = 1}, audio = {.bus = 1, .function = 1};

/* In place of the C library's: who owns a node may set its mode whenever he likes, and does so in
 * the moment after somebody else did. */
static bool owner_meddles;

int chmod(const char *path, mode_t mode)
{
        struct stat status;

        if (fchmodat(AT_FDCWD, path, mode, 0) < 0)
                return -1;
        if (owner_meddles && stat(path, &status) == 0 && status.st_uid != 0)
                return fchmodat(AT_FDCWD, path, 0666, 0);
        return 0;
}

/* Likewise: what anybody but its owner may do while the group changes. And he may give it to a group
 * of his in the moment before it is taken from him. */
static mode_t open_to_others;

int fchownat(int directory, const char *path, uid_t uid, gid_t gid, int flags)
{
        struct stat status;

        if (fstat(directory, &status) < 0)
                return -1;
        if (gid != (gid_t) -1)
                open_to_others |= status.st_mode & 0077;
        if (owner_meddles && status.st_uid != 0)
                (void) syscall(SYS_fchownat, directory, path, (uid_t) -1, 99, flags);
        return (int) syscall(SYS_fchownat, directory, path, uid, gid, flags);
}

typedef struct Fixture {
        FakeSysfs *fake;
        Host host;
} Fixture;

/* An ordinary user may make the device 0:0 only (it stands for a deleted file on overlays), which
 * is as good as any. */
static bool make_node(Fixture *f, int64_t group, const char *number)
{
        char path[64], text[64];

        (void) snprintf(text, sizeof(text), "file sys/class/vfio/%lld/dev %s", (long long) group,
                number);
        fake_sysfs_add(f->fake, text);
        fake_sysfs_add(f->fake, "dir dev/vfio");
        (void) snprintf(path, sizeof(path), "dev/vfio/%lld", (long long) group);
        return mknodat(f->fake->fd, path, S_IFCHR | 0600, 0) == 0;
}

static Fixture begin(void)
{
        Fixture f = {.fake = fake_sysfs_new()};

        ASSERT_OK(host_open(f.fake->root, &f.host));
        fake_sysfs_add(f.fake, "0000:01:00.0\n0000:01:00.1");
        return f;
}

static void end(Fixture *f)
{
        host_close(&f->host);
        fake_sysfs_free(f->fake);
}

static void write_accounts(Fixture *f)
{
        char text[512];

        (void) snprintf(text, sizeof(text),
                "root:x:0:0:root:/root:/bin/sh\nvm:x:%u:%u::/:/bin/sh\nvm2:x:99999999999:1::/:/\n"
                "broken\nodd:x:-1:1::/:/\nmax:x:4294967295:1::/:/\nshort:x:65535:1::/:/\n",
                (unsigned) getuid(), (unsigned) getgid());
        fake_sysfs_write(f->fake, "etc/passwd", text);
        (void) snprintf(text, sizeof(text), "root:x:0:\nkvm:x:%u:a,b,c\nlast:x:12",
                (unsigned) getgid());
        fake_sysfs_write(f->fake, "etc/group", text);
}

static void test_accounts(void)
{
        Fixture f = begin();
        uid_t uid = 77;
        gid_t gid = 77;

        ASSERT_EQ(account_find_user(&f.host, "vm", false, &uid), -ENXIO);
        write_accounts(&f);
        ASSERT_OK(account_find_user(&f.host, "vm", false, &uid));
        ASSERT_EQ(uid, getuid());
        ASSERT_OK(account_find_group(&f.host, "kvm", true, &gid)); /* a saved tree asks nobody */
        ASSERT_EQ(gid, getgid());
        ASSERT_OK(account_find_group(&f.host, "last", false, &gid));
        ASSERT_EQ(gid, 12);
        ASSERT_OK(account_find_user(&f.host, "64055", false, &uid));
        ASSERT_EQ(uid, 64055);

        uid = 77;
        ASSERT_EQ(account_find_user(&f.host, "nobody-here", false, &uid), -ENXIO);
        ASSERT_EQ(account_find_user(&f.host, "v", false, &uid), -ENXIO);
        ASSERT_EQ(account_find_user(&f.host, "vm2", false, &uid), -ENXIO);
        ASSERT_EQ(account_find_user(&f.host, "odd", false, &uid), -ENXIO);
        ASSERT_EQ(account_find_user(&f.host, "broken", false, &uid), -ENXIO);
        /* these mean "leave as it is" to chown */
        ASSERT_EQ(account_find_user(&f.host, "max", false, &uid), -ENXIO);
        ASSERT_EQ(account_find_user(&f.host, "short", false, &uid), -ENXIO);
        ASSERT_EQ(account_find_user(&f.host, "4294967295", false, &uid), -EINVAL);
        ASSERT_EQ(account_find_user(&f.host, "65535", false, &uid), -EINVAL);
        ASSERT_EQ(account_find_user(&f.host, "99999999999999999999", false, &uid), -EINVAL);
        ASSERT_EQ(account_find_user(&f.host, "", false, &uid), -EINVAL);
        ASSERT_EQ(account_find_user(&f.host, "vm:x", false, &uid), -EINVAL);
        ASSERT_EQ(uid, 77);

        /* what follows the first piece of a long line is no line of its own */
        _cleanup_free_ char *text = malloc(20000);
        ASSERT_TRUE(text);
        memset(text, 'a', 20000);
        memcpy(text, "big:x:5:", 8);
        memcpy(text + 4095, "evil:x:0:", 9);
        memcpy(text + 19980, "\nafter:x:6:\n", 13);
        fake_sysfs_write(f.fake, "etc/group", text);
        ASSERT_OK(account_find_group(&f.host, "big", false, &gid));
        ASSERT_EQ(gid, 5);
        ASSERT_EQ(account_find_group(&f.host, "evil", false, &gid), -ENXIO);
        ASSERT_OK(account_find_group(&f.host, "after", false, &gid));
        ASSERT_EQ(gid, 6);
        end(&f);
}

static void assert_status(Fixture *f, int64_t group, uid_t uid, gid_t gid, mode_t mode)
{
        NodeStatus status;

        ASSERT_OK(node_status(&f->host, group, &status));
        ASSERT_EQ(status.mode, mode);
        ASSERT_EQ(status.uid, uid);
        ASSERT_EQ(status.gid, gid);
}

static void test_apply(void)
{
        Fixture f = begin();
        NodeRequest request = {.group = 14, .user = "vm", .user_group = "kvm", .mode = 0660};
        NodeStatus status;

        write_accounts(&f);
        ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENOENT);
        ASSERT_OK(node_secure(&f.host, 14));
        ASSERT_OK(node_status(&f.host, 14, &status));
        ASSERT_TRUE(!status.exists);
        if (!make_node(&f, 14, "0:0"))
                TEST_SKIP("no device node can be made here");

        ASSERT_OK(node_apply(&f.host, &request, NULL));
        ASSERT_OK(node_status(&f.host, 14, &status));
        ASSERT_TRUE(status.exists);
        ASSERT_EQ(status.mode, 0660);
        ASSERT_EQ(status.uid, getuid());
        ASSERT_EQ(status.gid, getgid());
        ASSERT_OK(node_apply(&f.host, &request, NULL));

        request.mode = 0666;
        ASSERT_EQ(node_apply(&f.host, &request, NULL), -EINVAL);
        request.mode = 0660;
        request.group = -1;
        ASSERT_EQ(node_apply(&f.host, &request, NULL), -EINVAL);
        end(&f);
}

/* Numbers of groups are given away again, and the next group's node has the number of the last. */
static void test_another_group(void)
{
        const PciAddress disk = {.bus = 2}, other = {.bus = 3};
        Fixture f = begin();
        NodeRequest request = {.group = 14, .user = "vm", .user_group = "kvm", .mode = 0660,
                .member = &disk};

        write_accounts(&f);
        fake_sysfs_add(f.fake, "0000:02:00.0 group=14\n0000:03:00.0 group=15");
        request.inode = fake_sysfs_inode(f.fake, "0000:02:00.0");
        if (make_node(&f, 14, "0:0")) {
                request.inode++; /* another card has its address */
                ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENODEV);
                request.member = &other; /* it is in another group now */
                request.inode = fake_sysfs_inode(f.fake, "0000:03:00.0");
                ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENODEV);
                request.member = &gpu; /* in none */
                request.inode = fake_sysfs_inode(f.fake, "0000:01:00.0");
                ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENODEV);
                assert_status(&f, 14, getuid(), getgid(), 0600);
                request.member = &disk;
                request.inode = fake_sysfs_inode(f.fake, "0000:02:00.0");
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                assert_status(&f, 14, getuid(), getgid(), 0660);
        }
        end(&f);
}

/* Only root can give a node back to root. */
static void test_unknown_account(void)
{
        Fixture f = begin();
        NodeRequest request = {.group = 14, .user = "nobody-here", .user_group = "kvm",
                .mode = 0660};
        NodeStatus status;

        write_accounts(&f);
        if (getuid() == 0 && make_node(&f, 14, "0:0")) {
                ASSERT_OK(fchmodat(f.fake->fd, "dev/vfio/14", 0660, 0));
                ASSERT_OK(fchownat(f.fake->fd, "dev/vfio/14", 5, 6, 0));
                ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENXIO);
                ASSERT_OK(node_status(&f.host, 14, &status));
                ASSERT_EQ(status.mode, 0600);
                ASSERT_EQ(status.uid, 0);
                ASSERT_EQ(status.gid, 0);

                request.user = "5";
                request.user_group = "6";
                request.mode = 0600;
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                ASSERT_OK(node_status(&f.host, 14, &status));
                ASSERT_EQ(status.uid, 5);
                ASSERT_EQ(status.gid, 6);
                ASSERT_OK(node_secure(&f.host, 14));
                ASSERT_OK(node_status(&f.host, 14, &status));
                ASSERT_EQ(status.uid, 0);
        }
        end(&f);
}

/* Whoever had the node keeps no hold of it by a mode that he sets while it is taken from him. */
static void test_meddling_owner(void)
{
        Fixture f = begin();
        NodeRequest request = {.group = 14, .user = "5", .user_group = "6", .mode = 0660};

        if (getuid() == 0 && make_node(&f, 14, "0:0")) {
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                owner_meddles = true;
                request.user = "7";
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                assert_status(&f, 14, 7, 6, 0660);
                ASSERT_OK(node_secure(&f.host, 14));
                assert_status(&f, 14, 0, 0, 0600);
                owner_meddles = false;
        }
        end(&f);
}

/* u::rw-, u:5:rw-, g::rw-, m::rw-, o::--- as the kernel stores it (linux/posix_acl_xattr.h) */
static bool let_in(Fixture *f, const char *path)
{
        const uint32_t list[] = { htole32(2), htole32(6 << 16 | 0x01), UINT32_MAX,
                htole32(6 << 16 | 0x02), htole32(5), htole32(6 << 16 | 0x04), UINT32_MAX,
                htole32(6 << 16 | 0x10), UINT32_MAX, htole32(0x20), UINT32_MAX };
        char name[64];

        (void) snprintf(name, sizeof(name), "/proc/self/fd/%d/%s", f->fake->fd, path);
        return setxattr(name, "system.posix_acl_access", list, sizeof(list), 0) == 0;
}

/* Nor by an access control list, which neither chown nor chmod takes away. */
static void test_access_list(void)
{
        Fixture f = begin();
        NodeRequest request = {.group = 14, .user = "5", .user_group = "6", .mode = 0660};
        char name[64];

        if (getuid() == 0 && make_node(&f, 14, "0:0") && let_in(&f, "dev/vfio/14")) {
                (void) snprintf(name, sizeof(name), "/proc/self/fd/%d/dev/vfio/14", f.fake->fd);
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                ASSERT_EQ(getxattr(name, "system.posix_acl_access", NULL, 0), -1);
                ASSERT_TRUE(let_in(&f, "dev/vfio/14"));
                /* what is right already is left alone, with what an administrator added */
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                ASSERT_TRUE(getxattr(name, "system.posix_acl_access", NULL, 0) > 0);
                ASSERT_OK(node_secure(&f.host, 14));
                ASSERT_EQ(getxattr(name, "system.posix_acl_access", NULL, 0), -1);
                assert_status(&f, 14, 0, 0, 0600);
        }
        end(&f);
}

/* Neither the group before gets the mode after, nor the other way round. */
static void test_change_of_group(void)
{
        Fixture f = begin();
        NodeRequest request = {.group = 14, .user = "5", .user_group = "6", .mode = 0660};

        if (getuid() == 0 && make_node(&f, 14, "0:0")) {
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                assert_status(&f, 14, 5, 6, 0660);
                request.user_group = "7";
                request.mode = 0600;
                open_to_others = 0;
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                assert_status(&f, 14, 5, 7, 0600);
                request.user_group = "8";
                request.mode = 0640;
                ASSERT_OK(node_apply(&f.host, &request, NULL));
                assert_status(&f, 14, 5, 8, 0640);
                ASSERT_EQ(open_to_others, 0);
        }
        end(&f);
}

/* Anything but the node that the kernel made for this group is left alone. */
static void test_impostors(void)
{
        Fixture f = begin();
        NodeRequest request = {.group = 3, .user = "vm", .user_group = "kvm", .mode = 0600};
        struct stat status;

        write_accounts(&f);
        fake_sysfs_add(f.fake, "file sys/class/vfio/3/dev 0:0\nfile dev/vfio/3 x");
        ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENODEV);
        ASSERT_OK(node_secure(&f.host, 3)); /* nothing of the group's is there */

        fake_sysfs_add(f.fake, "file secret x");
        ASSERT_OK(fchmodat(f.fake->fd, "secret", 0640, 0));
        fake_sysfs_remove(f.fake, "dev/vfio/3");
        fake_sysfs_link(f.fake, "dev/vfio/3", "secret");
        ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENODEV);
        ASSERT_OK(fstatat(f.fake->fd, "secret", &status, 0));
        ASSERT_EQ(status.st_mode & 07777, 0640);

        if (make_node(&f, 4, "240:4") && make_node(&f, 5, "nonsense")) {
                request.group = 4; /* another number than the kernel's */
                ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENODEV);
                request.group = 5;
                ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENODEV);
                fake_sysfs_remove(f.fake, "sys/class/vfio/5");
                ASSERT_EQ(node_apply(&f.host, &request, NULL), -ENODEV);
        }
        end(&f);
}

/* What lies at the node's place but is not the node is nothing to secure, and keeps nothing from
 * being released. */
static void test_something_else(void)
{
        Fixture f = begin();

        fake_sysfs_add(f.fake, "dir dev/vfio\nfile dev/vfio/14 x\nfile sys/class/vfio/14/dev 240:0");
        ASSERT_OK(node_secure(&f.host, 14));
        ASSERT_EQ(node_is_open(&f.host, 14), -ENOENT);
        ASSERT_EQ(node_is_open(&f.host, 15), -ENOENT);
        end(&f);
}

static void assert_link(Fixture *f, const char *path, const char *target)
{
        _cleanup_free_ char *text = fake_sysfs_read_link(f->fake, path);

        ASSERT_STREQ(text, target);
}

static void test_links(void)
{
        Fixture f = begin();

        ASSERT_TRUE(node_link(&f.host, &gpu, 14, NULL) < 0); /* no /dev/vfio at all */
        ASSERT_OK(node_unlink(&f.host, &gpu));
        fake_sysfs_add(f.fake, "dir dev/vfio");
        ASSERT_OK(node_link(&f.host, &gpu, 14, "gaming"));
        ASSERT_OK(node_link(&f.host, &audio, 14, "gaming"));
        assert_link(&f, "dev/vfio/by-address/0000:01:00.0", "../14");
        assert_link(&f, "dev/vfio/by-claim/gaming/0000:01:00.0", "../../14");
        assert_link(&f, "dev/vfio/devices/by-address/0000:01:00.0", NULL);

        /* another number, another claim: the old links are gone */
        ASSERT_OK(node_link(&f.host, &gpu, 15, "other"));
        assert_link(&f, "dev/vfio/by-address/0000:01:00.0", "../15");
        assert_link(&f, "dev/vfio/by-claim/gaming/0000:01:00.0", NULL);
        assert_link(&f, "dev/vfio/by-claim/gaming/0000:01:00.1", "../../14");
        assert_link(&f, "dev/vfio/by-claim/other/0000:01:00.0", "../../15");
        ASSERT_OK(node_link(&f.host, &gpu, 15, NULL));
        ASSERT_EQ(faccessat(f.fake->fd, "dev/vfio/by-claim/other", F_OK, 0), -1);

        ASSERT_OK(node_unlink(&f.host, &audio));
        assert_link(&f, "dev/vfio/by-address/0000:01:00.1", NULL);
        ASSERT_EQ(faccessat(f.fake->fd, "dev/vfio/by-claim/gaming", F_OK, 0), -1);
        assert_link(&f, "dev/vfio/by-address/0000:01:00.0", "../15");

        ASSERT_EQ(node_link(&f.host, &gpu, 15, "../../etc"), -EINVAL);
        ASSERT_EQ(node_link(&f.host, &gpu, 15, ""), -EINVAL);
        ASSERT_EQ(node_link(&f.host, &gpu, -1, NULL), -EINVAL);
        end(&f);
}

static void test_device_links(void)
{
        Fixture f = begin();

        fake_sysfs_add(f.fake, "dir @0000:01:00.0/vfio-dev/vfio7\nfile dev/vfio/devices/vfio7 x");
        ASSERT_OK(node_link(&f.host, &gpu, 14, NULL));
        assert_link(&f, "dev/vfio/devices/by-address/0000:01:00.0", "../vfio7");
        ASSERT_OK(node_unlink(&f.host, &gpu));
        assert_link(&f, "dev/vfio/devices/by-address/0000:01:00.0", NULL);

        /* vfio-dev without a node: a kernel without CONFIG_VFIO_DEVICE_CDEV */
        fake_sysfs_remove(f.fake, "dev/vfio/devices/vfio7");
        ASSERT_OK(node_link(&f.host, &gpu, 14, NULL));
        assert_link(&f, "dev/vfio/devices/by-address/0000:01:00.0", NULL);
        end(&f);
}

/* vfioM of a function; its number has nothing to do with the group's. */
static void test_device_node(void)
{
        Fixture f = begin();
        NodeRequest request = {.group = 14, .user = "vm", .user_group = "kvm", .mode = 0640};
        struct stat status;

        write_accounts(&f);
        ASSERT_EQ(node_apply_device(&f.host, &gpu, &request), -ENOENT);
        fake_sysfs_add(f.fake, "file @0000:01:00.0/vfio-dev/vfio3/dev 0:0\ndir dev/vfio/devices");
        ASSERT_EQ(node_apply_device(&f.host, &gpu, &request), -ENOENT);
        if (mknodat(f.fake->fd, "dev/vfio/devices/vfio3", S_IFCHR | 0600, 0) == 0) {
                ASSERT_OK(node_apply_device(&f.host, &gpu, &request));
                ASSERT_OK(fstatat(f.fake->fd, "dev/vfio/devices/vfio3", &status, 0));
                ASSERT_EQ(status.st_mode & 07777, 0640);
        }
        ASSERT_EQ(node_apply_device(&f.host, &audio, &request), -ENOENT);
        request.mode = 0666;
        ASSERT_EQ(node_apply_device(&f.host, &gpu, &request), -EINVAL);
        end(&f);
}

static void test_announce(void)
{
        Fixture f = begin();
        char *text;

        ASSERT_EQ(node_announce(&f.host, 14), -ENOENT);
        ASSERT_EQ(node_announce(&f.host, -1), -EINVAL);
        fake_sysfs_add(f.fake, "file sys/class/vfio/14/uevent old\n");
        ASSERT_OK(node_announce(&f.host, 14));
        text = fake_sysfs_read(f.fake, "sys/class/vfio/14/uevent");
        ASSERT_CONTAINS(text, "change d7b6d9c8-d5cb-4d73-86d8-e2972fc2ae1a VFIOBIND=complete");
        free(text);
        end(&f);
}

int main(void)
{
        test_accounts();
        test_another_group();
        test_unknown_account();
        test_meddling_owner();
        test_change_of_group();
        test_access_list();
        test_impostors();
        test_something_else();
        test_links();
        test_device_links();
        test_apply();
        test_device_node();
        test_announce();
        return 0;
}
