/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl-run.h"
#include "host/store.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"

/* What "doctor" finds where a session cannot make it: owners of device nodes, and records. */

static const char machine[] =
        "file proc/net/route Iface\\tDestination\n"
        "file proc/net/ipv6_route\n"
        "file proc/interrupts 16: 0 IR-IO-APIC 16-fasteoi ahci\n"
        "file etc/passwd root:x:0:0::/root:/bin/sh\n"
        "file etc/group root:x:0:\\nkvm:x:104:\n"
        "file sys/class/vfio/14/dev 0:0\n"
        "link etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service "
        "usr/lib/systemd/system/vfio-bindd-early.service\n"
        "0000:01:00.0 id=f00d:2482 class=030000 group=14 driver=vfio-pci reset=flr\n";

typedef struct Fixture {
        FakeSysfs *fake;
        Host host;
        char *root; /* the option */
        CtlRunOptions options;
} Fixture;

static Fixture begin(void)
{
        Fixture f = { .fake = fake_sysfs_new() };

        fake_sysfs_add(f.fake, machine);
        fake_sysfs_write(f.fake, "etc/vfio-bind.conf", "[Claim gpu]\nMatch=0000:01:00.0\n");
        ASSERT_OK(host_open(f.fake->root, &f.host));
        ASSERT_TRUE(asprintf(&f.root, "--root=%s", f.fake->root) > 0);
        return f;
}

static void end(Fixture *f)
{
        host_close(&f->host);
        fake_sysfs_free(f->fake);
        free(f->root);
}

static void test_stuck(void)
{
        DeviceRecord record = { .state = STATE_STUCK, .reason = REASON_WORKER_TIMEOUT,
                                .reason_text = "nouveau does not return", .claim = "gpu",
                                .role = ROLE_SELECTED };
        PciAddress address = { .bus = 1 };
        Fixture f = begin();

        ASSERT_OK(store_prepare(&f.host));
        ASSERT_OK(store_save(&f.host, &address, fake_sysfs_inode(f.fake, "0000:01:00.0"),
                &record));
        CtlRun run = CTL_RUN(&f.options, "doctor", f.root);
        ASSERT_EQ(run.code, 1);
        ASSERT_CONTAINS(run.out, "error stuck: 0000:01:00.0 is stuck in the kernel: nouveau");
        ASSERT_CONTAINS(run.out, "RebootWatchdogSec=");
        ctl_run_done(&run);
        end(&f);
}

/* A file that root alone may read is no mistake in it. */
static void test_unreadable(void)
{
        Fixture f = begin();

        ASSERT_OK(fchmodat(f.fake->fd, "etc/vfio-bind.conf", 0, 0));
        ASSERT_OK(chmod(f.fake->root, 0755));
        if (geteuid() == 0)
                f.options.user = 65534;
        CtlRun run = CTL_RUN(&f.options, "doctor", "--no-legend", f.root);
        if (run.code == 127) {
                ctl_run_done(&run);
                end(&f);
                TEST_SKIP("another user cannot run the program here");
        }
        ASSERT_CONTAINS(run.out,
                "warning configuration-unreadable: /etc/vfio-bind.conf is not readable for this "
                "user, and without it nothing is known of the claims.\n"
                "  Run this as root.\n");
        ASSERT_TRUE(!strstr(run.out, "configuration-error"));
        ASSERT_TRUE(!strstr(run.out, "no-claims"));

        /* unlike one in what may be read */
        ctl_run_done(&run);
        fake_sysfs_write(f.fake, "etc/vfio-bind.conf.d/10-x.conf", "[Claim x]\nMatchh=01:00.0\n");
        run = CTL_RUN(&f.options, "doctor", "--no-legend", f.root);
        ASSERT_EQ(run.code, 1);
        ASSERT_CONTAINS(run.out, "warning configuration-unreadable: /etc/vfio-bind.conf is not");
        ASSERT_CONTAINS(run.out, "error configuration-error: /etc/vfio-bind.conf.d/10-x.conf:2");
        ctl_run_done(&run);
        end(&f);
}

/* A node that is no device of the group's number is none; making one takes root. */
static void test_owner(void)
{
        Fixture f = begin();

        ASSERT_OK(mkdirat(f.fake->fd, "dev", 0755));
        ASSERT_OK(mkdirat(f.fake->fd, "dev/vfio", 0755));
        if (mknodat(f.fake->fd, "dev/vfio/14", S_IFCHR | 0600, 0) < 0) {
                end(&f);
                TEST_SKIP("device nodes cannot be made here");
        }
        CtlRun run = CTL_RUN(&f.options, "doctor", f.root);
        ASSERT_EQ(run.code, 1);
        ASSERT_STREQ(run.out,
                "error node-owner: /dev/vfio/14 belongs to 0:0 with mode 0600, and claim gpu wants "
                "root:kvm with 0660.\n"
                "  Run \"vfio-bindctl apply gpu\". If it comes back, somebody else changes it: "
                "libvirt's dynamic_ownership, or a rule in /etc/udev/rules.d.\n"
                "\n"
                "1 error, 0 warnings.\n");
        ctl_run_done(&run);

        ASSERT_OK(fchownat(f.fake->fd, "dev/vfio/14", 0, 104, 0));
        ASSERT_OK(fchmodat(f.fake->fd, "dev/vfio/14", 0660, 0));
        run = CTL_RUN(&f.options, "doctor", f.root);
        ASSERT_STREQ(run.out, "Nothing is wrong.\n");
        ASSERT_EQ(run.code, 0);
        ctl_run_done(&run);
        end(&f);
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 2);
        ctl_run_set_program(argv[1]);
        test_stuck();
        test_unreadable();
        test_owner();
        return 0;
}
