/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "ctl/ctl-bus.h"
#include "lib/fake-sysfs.h"

/* "doctor" on this machine, with a daemon that says how the initramfs is: not everybody may read
 * the boot images. For the test, and for it alone, /etc is one in which vfio-bindd is enabled. */

static const char config[] = "claim gpu 0000:01:00.0\n";
static const char machine[] = "0000:01:00.0 id=10de:2482 class=030000 group=14\n";

static void write_file(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        ASSERT_TRUE(fd >= 0);
        ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
        (void) close(fd);
}

static void write_map(const char *path, unsigned id)
{
        char text[32];

        (void) snprintf(text, sizeof(text), "%u %u 1", id, id);
        write_file(path, text);
}

/* A mount namespace of our own; as an ordinary user, in a user namespace. */
static void enter_namespace(void)
{
        unsigned user = getuid(), group = getgid();
        int flags = CLONE_NEWNS | (user == 0 ? 0 : CLONE_NEWUSER);

        if (unshare(flags) < 0 && (errno == EPERM || errno == ENOSPC || errno == EINVAL))
                TEST_SKIP("no mount namespace is to be had here");
        if (user != 0) {
                write_map("/proc/self/uid_map", user);
                write_file("/proc/self/setgroups", "deny");
                write_map("/proc/self/gid_map", group);
        }
        ASSERT_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static FakeSysfs *replace_etc(void)
{
        FakeSysfs *fake = fake_sysfs_new();
        char path[256];

        fake_sysfs_add(fake, "file etc/passwd root:x:0:0::/root:/bin/sh\n"
                             "file etc/group root:x:0:\n"
                             "link etc/systemd/system/sysinit.target.wants/"
                             "vfio-bindd-early.service "
                             "usr/lib/systemd/system/vfio-bindd-early.service\n");
        (void) snprintf(path, sizeof(path), "%s/etc", fake->root);
        if (mount(path, "/etc", NULL, MS_BIND, NULL) < 0) {
                fake_sysfs_free(fake);
                TEST_SKIP("nothing can be mounted here");
        }
        return fake;
}

static void publish(CtlBus *f, const char *state)
{
        View *view = fake_view_new(config, machine);

        view->initramfs_state = state;
        fake_manager_publish(&f->manager, view);
}

static bool finds(const CtlBus *f, const char *code)
{
        CtlRun run = CTL_RUN(&f->options, "doctor");
        bool found;

        ASSERT_TRUE(run.code == 0 || run.code == 1);
        ASSERT_TRUE(!strstr(run.out, "not-enabled"));
        found = strstr(run.out, code) != NULL;
        ctl_run_done(&run);
        return found;
}

static void test_initramfs(CtlBus *f)
{
        publish(f, "stale");
        ASSERT_TRUE(finds(f, "warning initramfs-stale: The initramfs holds another "
                             "configuration"));
        publish(f, "missing");
        ASSERT_TRUE(finds(f, "warning initramfs-without-us: The initramfs has no vfio-bindd"));
        publish(f, "current");
        ASSERT_TRUE(!finds(f, "initramfs-"));
        publish(f, "unused");
        ASSERT_TRUE(!finds(f, "initramfs-"));
}

int main(int argc, char **argv)
{
        _cleanup_ctl_bus_ CtlBus f;
        FakeSysfs *fake;

        ASSERT_EQ(argc, 3);
        ctl_run_set_program(argv[1]);
        ctl_bus_set_policy(argv[2]);
        ctl_bus_init(&f, config, machine);
        enter_namespace();
        fake = replace_etc();
        test_initramfs(&f);
        ASSERT_OK(umount("/etc"));
        fake_sysfs_free(fake);
        return 0;
}
