/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/ctl-bus.h"
#include "util/strings.h"

/* "bind" and "release": what is asked of the daemon, what is said of the outcome. */

static const char config[] = "claim gpu 0000:01:00.0\nclaim nic 0000:02:00.0\n";

static const char before[] =
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=vfio-pci\n"
        "0000:01:00.1 id=10de:228b class=040300 group=14 driver=vfio-pci\n"
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=vfio-pci\n"
        "0000:03:00.0 id=1b36:0010 class=010802 group=76 driver=nvme\n"
        "record 0000:01:00.0 state=bound claim=gpu provenance=taken from=nouveau\n"
        "record 0000:01:00.1 state=bound claim=gpu provenance=taken from=snd_hda_intel\n"
        "record 0000:02:00.0 state=bound claim=nic provenance=clean\n";
static const char disk_bound[] =
        "0000:03:00.0 id=1b36:0010 class=010802 group=76 driver=vfio-pci\n"
        "record 0000:03:00.0 state=bound manual=bound provenance=taken from=nvme\n";

static void test_bind(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, before);
        /* it has what it asks for */
        ctl_expect(CTL_RUN(&f.options, "bind", "gpu"), 0, "Nothing to do.\n", "");
        ASSERT_EQ(f.n_asked, 0);
        f.state = STATE_BOUND;
        f.machine_after = disk_bound;
        ctl_expect(CTL_RUN(&f.options, "bind", "03:00.0"), 0,
                "0000:03:00.0 (1b36:0010) bound to vfio-pci, taken from nvme.\n", "");
        ASSERT_EQ(f.n_asked, 1);
        ASSERT_EQ(f.manual_asked, MANUAL_BOUND);
        ASSERT_STREQ(PCI_ADDRESS_TEXT(&f.functions_asked[0]), "0000:03:00.0");
        f.machine_after = NULL;
        ctl_expect(CTL_RUN(&f.options, "bind", "03:00.0"), 0, "Nothing to do.\n", "");
        ctl_expect(CTL_RUN(&f.options, "bind", "0a:00.0"), 4, "",
                "No device 0000:0a:00.0. \"vfio-bindctl groups\" shows them.\n");
        ctl_expect(CTL_RUN(&f.options, "bind", "01:00.0"), 4, "",
                "No device 0000:01:00.0. Claim gpu waits for it (/etc/vfio-bind.conf:1).\n");
        ctl_expect(CTL_RUN(&f.options, "bind", "gpu"), 4, "",
                "Claim gpu is absent: nothing in this machine matches 0000:01:00.0 "
                "(/etc/vfio-bind.conf:1).\n");
        ctl_expect(CTL_RUN(&f.options, "bind", "eno1"), 2, "",
                "eno1 is no address of a PCI function: that is 0000:01:00.0, 01:00.0 or "
                "pci_0000_01_00_0.\n");
        ASSERT_EQ(f.n_asked, 2);
}

/* What was released of a claim, every group once. */
static void test_bind_claim(void)
{
        static const char released[] =
                "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=nouveau\n"
                "0000:01:00.1 id=10de:228b class=040300 group=14 driver=snd_hda_intel\n"
                "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3\n"
                "record 0000:01:00.0 state=released manual=released claim=gpu\n"
                "record 0000:01:00.1 state=released manual=released claim=gpu\n"
                "record 0000:02:00.0 state=released manual=released claim=nic\n";
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, released);
        f.state = STATE_BOUND;
        f.machine_after = before;
        ctl_expect(CTL_RUN(&f.options, "bind", "gpu"), 0,
                "0000:01:00.0 (10de:2482) bound to vfio-pci, taken from nouveau.\n"
                "0000:01:00.1 (10de:228b) bound to vfio-pci, taken from snd_hda_intel.\n", "");
        ASSERT_EQ(f.n_asked, 1);
        ASSERT_EQ(f.manual_asked, MANUAL_BOUND);
        ASSERT_STREQ(PCI_ADDRESS_TEXT(&f.functions_asked[0]), "0000:01:00.0");
}

static void test_bind_refused(void)
{
        static const struct {
                State state;
                Reason reason;
                int code;
        } cases[] = {
                { STATE_REFUSED, REASON_IN_USE_SYSTEM, 3 },
                { STATE_FAILED, REASON_PROBE_FAILED, 1 },
                { STATE_STUCK, REASON_WORKER_TIMEOUT, 5 },
        };
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, before);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_ctl_run_ CtlRun run = {};

                f.state = cases[i].state;
                f.reason = cases[i].reason;
                run = CTL_RUN(&f.options, "bind", "03:00.0");
                if (run.code != cases[i].code)
                        fprintf(stderr, "%s%s", run.out, run.err);
                ASSERT_EQ(run.code, cases[i].code);
                ASSERT_STREQ(run.out, "");
                ASSERT_TRUE(startswith(run.err, "vfio-bindd says: "));
        }
        f.manager.apply_result = -EBUSY;
        ctl_expect(CTL_RUN(&f.options, "bind", "03:00.0"), 1, "",
                "vfio-bindd says: A group concerned is being worked on already.\n");
}

static void test_release(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, before);
        f.state = STATE_RELEASED;
        {
                /* every group once */
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "release", "--all");

                ASSERT_EQ(run.code, 0);
                ASSERT_EQ(f.n_asked, 2);
                ASSERT_EQ(f.manual_asked, MANUAL_RELEASED);
                ASSERT_STREQ(PCI_ADDRESS_TEXT(&f.functions_asked[0]), "0000:01:00.0");
                ASSERT_STREQ(PCI_ADDRESS_TEXT(&f.functions_asked[1]), "0000:02:00.0");
        }
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "release", "gpu", "-j");

                ASSERT_EQ(run.code, 0);
                ASSERT_EQ(f.n_asked, 3);
                ASSERT_TRUE(is_json(run.out, "release"));
                ASSERT_CONTAINS(run.out, "\"0000:01:00.1\"");
                ASSERT_TRUE(!strstr(run.out, "\"0000:02:00.0\""));
        }
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "release", "01:00.1");

                ASSERT_EQ(run.code, 0);
                ASSERT_STREQ(PCI_ADDRESS_TEXT(&f.functions_asked[3]), "0000:01:00.1");
        }
        ctl_expect(CTL_RUN(&f.options, "release", "gpux"), 4, "",
                "No claim gpux. Did you mean gpu?\n");
        ctl_expect(CTL_RUN(&f.options, "release"), 2, "",
                "release needs a device, a claim, or --all for everything.\n");
        ctl_expect(CTL_RUN(&f.options, "release", "--all", "gpu"), 2, "",
                "release takes --all or a device or claim, not both.\n");
        /* one that is refused does not keep the others from being released */
        f.n_asked = 0;
        f.state = STATE_REFUSED;
        f.reason = REASON_BUSY_VFIO;
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "release", "--all");

                ASSERT_EQ(run.code, 3);
                ASSERT_EQ(f.n_asked, 2);
        }
}

static void test_without_daemon(void)
{
        for (unsigned i = 0; i < 2; i++)
                ctl_expect(CTL_RUN(&(CtlRunOptions){}, i ? "bind" : "release", "01:00.0"), 1, "",
                        "vfio-bindd does not run. Start it with \"systemctl enable --now "
                        "vfio-bindd\" and run this again.\n");
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 3);
        ctl_run_set_program(argv[1]);
        ctl_bus_set_policy(argv[2]);
        test_bind();
        test_bind_claim();
        test_bind_refused();
        test_release();
        test_without_daemon();
        return 0;
}
