/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/ctl-run.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

/* A saved machine says the same as the machine, also of what cannot be copied: what its processes
 * have open, what was recorded under other inodes. tar(1) has to understand the archive. */

static const char machine[] =
        "file proc/net/route Iface\\tDestination\n"
        "file proc/net/ipv6_route\n"
        "file proc/cmdline quiet vfio_bindd.skip=off\n"
        "file proc/cpuinfo GenuineIntel\n"
        "file etc/passwd root:x:0:0::/root:/bin/sh\\nalice:x:1000:1000::/home/alice:/bin/sh\n"
        "file etc/group root:x:0:\\nkvm:x:104:\n"
        "file etc/modprobe.d/a.conf softdep nouveau pre: vfio-pci\n"
        "file etc/udev/rules.d/a.rules ATTR{driver_override}=\"vfio-pci\"\n"
        "file etc/security/limits.conf alice - memlock unlimited\n"
        "link etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service "
        "usr/lib/systemd/system/vfio-bindd-early.service\n"
        "file proc/self/mountinfo 29 1 259:0 / /srv rw - ext4 /dev/nvme0n1 rw\n"
        "0000:00:1c.0 id=f00d:7ab8 class=060400 bridge driver=pcieport group=5\n"
        "0000:00:1d.0 id=f00d:7ab9 class=060400 bridge driver=pcieport group=6\n"
        "0000:01:00.0 parent=0000:00:1c.0 id=f00d:2482 class=030000 subsystem=f00e:0001 "
        "group=14 driver=vfio-pci revision=a1 numa=1 reset=flr,bus slot=7 "
        "serial=0011223344556677\n"
        "0000:01:00.1 parent=0000:00:1c.0 id=f00d:228b class=040300 group=14 driver=vfio-pci "
        "config=256\n"
        "0000:03:00.0 parent=0000:00:1d.0 id=f00d:0010 class=010802 group=76 driver=nvme\n"
        "0000:06:00.0 id=f00d:1572 class=020000 group=20 driver=i40e net=ens1 vfs=4 offset=16 "
        "stride=1 vf-device=154c autoprobe=0\n"
        "0000:06:02.0 id=f00d:154c class=020000 group=21 pf=0000:06:00.0 vf=0 no-override\n"
        "0000:07:00.0 id=f00d:0001 class=ff0000\n"
        "block nvme0n1 259:0 @0000:03:00.0/nvme/nvme0/nvme0n1\n";

static const char config[] =
        "[Claim gpu]\nMatch=physical-slot=7 expect-serial=0011223344556677\nNodeUser=alice\n"
        "[Claim disk]\nMatch=0000:03:00.0\n"
        "[Claim network]\nMatch=pf=ens1 vf=0\n"
        "[Claim off]\nMatch=0000:07:00.0\n";

static void save_record(FakeSysfs *fake, const char *address, const char *text)
{
        _cleanup_free_ char *path = NULL, *record = NULL;

        ASSERT_OK(format_string(&path, "run/vfio-bindd/%s", address));
        ASSERT_OK(format_string(&record, "INODE=%llu\n%s",
                (unsigned long long) fake_sysfs_inode(fake, strchr(address, '/') + 1), text));
        fake_sysfs_write(fake, path, record);
}

static void unpack(const char *archive, const char *directory)
{
        int status;
        pid_t pid;

        pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0) {
                (void) execlp("tar", "tar", "-xf", archive, "-C", directory, NULL);
                _exit(127);
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
}

static void compare(const char *root, const char *saved)
{
        static const char *const commands[][5] = {
                { "list", "--json=short" },
                { "groups", "--json=short" },
                { "plan", "--json=short" },
                { "plan", "--next-boot" },
                { "status", "--json=short" },
                { "status", "01:00.0", "--json=short" },
                { "status", "01:00.1", "--json=short" },
                { "status", "06:00.0", "--json=short" },
                { "status", "06:02.0", "--json=short" },
                { "explain", "03:00.0" },
                { "check" },
                { "doctor" },
                { "suggest", "x", "01:00.0", "06:02.0" },
        };

        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                const char *arguments[6] = {};
                _cleanup_ctl_run_ CtlRun before = {}, after = {};
                size_t n = 0;

                for (; n < ELEMENTSOF(commands[i]) && commands[i][n]; n++)
                        arguments[n] = commands[i][n];
                arguments[n] = root;
                before = ctl_run(&(CtlRunOptions){}, arguments);
                arguments[n] = saved;
                after = ctl_run(&(CtlRunOptions){}, arguments);
                /* one of its claims is refused */
                ASSERT_EQ(before.code, streq(arguments[0], "doctor") ? 1 : 0);
                ASSERT_EQ(after.code, before.code);
                ASSERT_STREQ(after.out, before.out);
                ASSERT_STREQ(after.err, before.err);
        }
}

/* A tree from elsewhere tells of itself, not of what its links lead to. */
static void test_links_that_lead_out(void)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new(), *outside = fake_sysfs_new();
        _cleanup_free_ char *root = NULL, *secret = NULL, *archive = NULL;
        _cleanup_ctl_run_ CtlRun run = {}, check = {};

        if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 0)
                return;
        fake_sysfs_write(outside, "file", "[Claim gpu]\nMatch=f00d:2482\n");
        ASSERT_OK(format_string(&secret, "%s/file", outside->root));
        fake_sysfs_add(fake, "0000:01:00.0 id=f00d:2482 class=030000 group=14\n"
                             "file etc/modprobe.d/inside.conf softdep nouveau pre: vfio-pci\n"
                             "link etc/modprobe.d/linked.conf etc/modprobe.d/inside.conf");
        ASSERT_EQ(symlinkat(secret, fake->fd, "etc/modprobe.d/outside.conf"), 0);
        ASSERT_OK(format_string(&root, "--root=%s", fake->root));
        ASSERT_OK(format_string(&archive, "%s/archive", outside->root));

        run = CTL_RUN(&(CtlRunOptions){}, "snapshot", root, "-o", archive);
        ASSERT_STREQ(run.err, "");
        ASSERT_EQ(run.code, 0);
        _cleanup_fake_sysfs_ FakeSysfs *saved = fake_sysfs_new();
        unpack(archive, saved->root);
        ASSERT_EQ(faccessat(saved->fd, "etc/modprobe.d/inside.conf", F_OK, 0), 0);
        ASSERT_EQ(faccessat(saved->fd, "etc/modprobe.d/linked.conf", F_OK, 0), 0);
        ASSERT_EQ(faccessat(saved->fd, "etc/modprobe.d/outside.conf", F_OK, 0), -1);

        /* what was named beside it is no part of the tree */
        check = CTL_RUN(&(CtlRunOptions){}, "check", root, secret);
        ASSERT_CONTAINS(check.out, "1 claim, 0 errors");
}

int main(int argc, char **argv)
{
        _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new(), *saved = fake_sysfs_new();
        _cleanup_free_ char *root = NULL, *saved_root = NULL, *archive = NULL, *output = NULL;
        _cleanup_ctl_run_ CtlRun run = {}, terminal = {}, full = {};
        struct stat status;

        ASSERT_EQ(argc, 2);
        ctl_run_set_program(argv[1]);
        fake_sysfs_add(fake, machine);
        fake_sysfs_write(fake, "etc/vfio-bind.conf", config);
        fake_sysfs_write(fake, "etc/vfio-bind.conf.d/10-more.conf", "[Defaults]\nNodeGroup=kvm\n");
        save_record(fake, "functions/0000:01:00.0",
                "PROVENANCE=taken\nSTAGE=boot\nTARGET_DRIVER=vfio-pci\nCLAIM=gpu\n"
                "ROLE=selected\nSTATE=bound\n");
        save_record(fake, "originals/0000:01:00.0", "DRIVER=nouveau\n");
        ASSERT_OK(format_string(&root, "--root=%s", fake->root));
        ASSERT_OK(format_string(&saved_root, "--root=%s", saved->root));
        ASSERT_OK(format_string(&archive, "%s/../machine-%d.tar", saved->root, (int) getpid()));
        ASSERT_OK(format_string(&output, "--output=%s", archive));

        run = CTL_RUN(&(CtlRunOptions){}, "snapshot", root, output);
        ASSERT_STREQ(run.err, "");
        ASSERT_EQ(run.code, 0);
        /* it has what root alone may read */
        ASSERT_EQ(stat(archive, &status), 0);
        ASSERT_EQ(status.st_mode & 07777, 0600);
        unpack(archive, saved->root);
        ASSERT_OK(unlink(archive));
        /* nothing that only the first tree has is looked at any more */
        fake_sysfs_remove(saved, "proc/self");
        compare(root, saved_root);

        terminal = CTL_RUN((&(CtlRunOptions){ .columns = 80 }), "snapshot", root);
        ASSERT_EQ(terminal.code, 1);
        ASSERT_CONTAINS(terminal.err, "That is nothing for a terminal");
        full = CTL_RUN((&(CtlRunOptions){}), "snapshot", root, "-o", "/dev/full");
        ASSERT_EQ(full.code, 1);
        ASSERT_CONTAINS(full.err, "Cannot write the snapshot: ");
        test_links_that_lead_out();
        return 0;
}
