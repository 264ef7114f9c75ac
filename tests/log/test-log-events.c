/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log/log-capture.h"

#include "log/message-ids.h"
#include "version.h"

static char claim_name[] = "scratch-nvme", driver[] = "nvme", file[] = "/etc/vfio-bind.conf";
static Claim claim = { .name = claim_name, .location = { file, 11, 1 } };
static Match match = { .location = { file, 12, 7 } };
static Device device = {
        .address = { 0, 3, 0, 0 },
        .vendor = 0x1b36,
        .device = 0x0010,
        .group = 14,
        .driver = driver,
};
static Device sibling = {
        .address = { 0, 3, 0, 1 },
        .vendor = 0x8086,
        .device = 0x10d3,
        .group = 14,
};
static char use_text[] = "/dev/nvme1n1p2 is mounted on /srv. Unmount it and run \"vfio-bindctl "
                         "apply\", or add Exclude=0000:03:00.0";

static void expect(Capture *capture, const char *message, const char *fields)
{
        ASSERT_TRUE(capture_next(capture));
        ASSERT_CONTAINS(capture->text, message);
        ASSERT_CONTAINS(capture->text, fields);
}

static void expect_no_more(Capture *capture)
{
        if (capture_next(capture))
                ASSERT_STREQ(capture->text, "");
}

static void test_refusal(Capture *capture)
{
        MemberPlan member = {
                .device = &device,
                .role = ROLE_SELECTED,
                .state = STATE_REFUSED,
                .reason = REASON_IN_USE_SYSTEM,
                .text = use_text,
                .claim = &claim,
                .match = &match,
        };
        GroupPlan group = { .number = 14, .members = &member, .n_members = 1 };
        Plan plan = { .groups = &group, .n_groups = 1 };

        log_plan(&plan, false);
        expect(capture,
                "MESSAGE=0000:03:00.0 (1b36:0010) not bound: /dev/nvme1n1p2 is mounted on /srv. "
                "Unmount it and run \"vfio-bindctl apply\", or add Exclude=0000:03:00.0 "
                "(/etc/vfio-bind.conf:12).\n",
                "VFIO_BIND_DEVICE=0000:03:00.0\nVFIO_BIND_GROUP=14\n"
                "VFIO_BIND_CLAIM=scratch-nvme\nVFIO_BIND_REASON=in-use-system\n"
                "VFIO_BIND_FROM=nvme\n");
        ASSERT_CONTAINS(capture->text, MESSAGE_DEVICE_REFUSED);
        expect_no_more(capture);
}

/* The selected function carries what is in the way of its group; the culprit has no line. */
static void test_group_refusal(Capture *capture)
{
        char group_text[] = "0000:03:00.1 shares its group and no claim names it.";
        MemberPlan members[] = {
                { .device = &device, .role = ROLE_SELECTED, .state = STATE_REFUSED,
                        .reason = REASON_GROUP_REFUSED, .claim = &claim },
                { .device = &sibling, .role = ROLE_COMPANION, .state = STATE_REFUSED,
                        .reason = REASON_COMPANION_NOT_LISTED, .text = group_text },
        };
        GroupPlan group = { .number = 14, .members = members, .n_members = 2,
                .reason = REASON_COMPANION_NOT_LISTED, .text = group_text };
        Plan plan = { .groups = &group, .n_groups = 1 };

        log_plan(&plan, true);
        expect(capture,
                "MESSAGE=0000:03:00.0 (1b36:0010) not bound: 0000:03:00.1 shares its group and no "
                "claim names it (/etc/vfio-bind.conf:11).\n",
                "VFIO_BIND_REASON=companion-not-listed\n");
        expect_no_more(capture);
}

static void test_work(Capture *capture)
{
        MemberPlan member = {
                .device = &device,
                .role = ROLE_SELECTED,
                .state = STATE_PENDING,
                .claim = &claim,
                .action = ACTION_BIND,
                .target = "vfio-pci",
        };
        GroupPlan group = { .number = 14, .members = &member, .n_members = 1, .has_work = true };
        Plan plan = { .groups = &group, .n_groups = 1 };

        log_plan(&plan, false);
        expect_no_more(capture);
        log_plan(&plan, true);
        expect(capture, "MESSAGE=0000:03:00.0 (1b36:0010) would be bound to vfio-pci, taken from "
                        "nvme.\n",
                "VFIO_BIND_TO=vfio-pci\n");
        expect_no_more(capture);
}

/* Reasons that the planner leaves without a sentence have one here, with a way out. */
static void test_reasons_without_a_sentence(Capture *capture)
{
        MemberPlan member = { .device = &device, .role = ROLE_SELECTED, .claim = &claim,
                .state = STATE_PENDING, .reason = REASON_NEEDS_APPLY };
        GroupPlan group = { .number = 14, .members = &member, .n_members = 1 };

        log_group_plan(&group, false);
        expect(capture, "0000:03:00.0 (1b36:0010) waiting: nvme has it. Run \"vfio-bindctl apply\" "
                        "to take it (/etc/vfio-bind.conf:11).\n",
                "VFIO_BIND_REASON=needs-apply\n");
        member.state = STATE_DRIFTED;
        member.reason = REASON_DRIFTED;
        log_group_plan(&group, false);
        expect(capture, "0000:03:00.0 (1b36:0010) drifted: another program changed it, it is on "
                        "nvme now. Run \"vfio-bindctl apply\" to take it again "
                        "(/etc/vfio-bind.conf:11).\n",
                "PRIORITY=4\n");
        expect_no_more(capture);
}

static void test_given(Capture *capture)
{
        MemberReport reports[] = {
                { .address = { 0, 3, 0, 0 }, .state = STATE_UNCLAIMED, .to = "nvme" },
                { .address = { 0, 3, 0, 1 }, .state = STATE_RELEASED, .from = "vfio-pci" },
                { .address = { 0, 3, 0, 2 }, .state = STATE_DETACHED, .from = "nvme" },
        };
        GroupReport report = { .number = 14, .members = reports, .n_members = 3 };

        log_group_report(&report, NULL);
        expect(capture, "MESSAGE=0000:03:00.0 given to nvme.\n", "PRIORITY=6\n");
        expect(capture, "MESSAGE=0000:03:00.1 given back to the host.\n", "PRIORITY=5\n");
        expect(capture, "MESSAGE=0000:03:00.2 detached, taken from nvme.\n", "PRIORITY=5\n");
        expect_no_more(capture);
}

static void test_absent(Capture *capture)
{
        char text[] = "nothing matches 03:00.0 (/etc/vfio-bind.conf:12)";
        ClaimPlan claims[] = { { .claim = &claim, .absent = true, .reason = REASON_ABSENT } };
        Plan plan = { .claims = claims, .n_claims = 1 };

        /* the early pass: hardware may come yet; the daemon says it */
        log_plan(&plan, false);
        expect_no_more(capture);
        log_plan(&plan, true);
        expect(capture, "MESSAGE=Claim scratch-nvme: no such function is present "
                        "(/etc/vfio-bind.conf:11).\n",
                "VFIO_BIND_CLAIM=scratch-nvme\nVFIO_BIND_REASON=absent\n");
        expect_no_more(capture);

        /* one place is enough: the sentence may know a better one than the claim's */
        claims[0].text = text;
        log_absent_claim(&claims[0]);
        expect(capture, "MESSAGE=Claim scratch-nvme: nothing matches 03:00.0 "
                        "(/etc/vfio-bind.conf:12).\n",
                "PRIORITY=6\n");
}

static void test_reports(Capture *capture)
{
        MemberPlan member = { .device = &device, .role = ROLE_SELECTED, .claim = &claim,
                .match = &match };
        GroupPlan plan = { .number = 14, .members = &member, .n_members = 1 };
        MemberReport reports[] = {
                { .address = { 0, 3, 0, 0 }, .state = STATE_BOUND, .from = "nvme",
                        .to = "vfio-pci" },
                { .address = { 0, 3, 0, 1 }, .state = STATE_BOUND, .to = "vfio-pci",
                        .reason = REASON_ACCOUNT_UNKNOWN, .text = "no user \"qemu\"" },
                { .address = { 0, 3, 0, 2 }, .state = STATE_FAILED, .to = "vfio-pci",
                        .reason = REASON_PROBE_FAILED, .error = -22,
                        .text = "vfio-pci refused it: Invalid argument." },
                { .address = { 0, 3, 0, 3 }, .state = STATE_STUCK,
                        .reason = REASON_WORKER_TIMEOUT },
        };
        GroupReport report = { .number = 14, .members = reports, .n_members = 4 };

        log_group_report(&report, &plan);
        expect(capture, "MESSAGE=0000:03:00.0 (1b36:0010) bound to vfio-pci, taken from nvme.\n",
                "PRIORITY=5\n");
        ASSERT_CONTAINS(capture->text, "VFIO_BIND_FROM=nvme\nVFIO_BIND_TO=vfio-pci\n");
        ASSERT_CONTAINS(capture->text, "VFIO_BIND_CLAIM=scratch-nvme\n");
        expect(capture, "MESSAGE=0000:03:00.1 bound to vfio-pci, but: no user \"qemu\".\n",
                "PRIORITY=4\n");
        expect(capture, "MESSAGE=0000:03:00.2 not bound: vfio-pci refused it: Invalid argument.\n",
                "PRIORITY=3\n");
        expect(capture, "MESSAGE=0000:03:00.3 stuck: worker-timeout.\n",
                "MESSAGE_ID=" MESSAGE_DEVICE_STUCK "\n");
        expect_no_more(capture);
}

/* A node done again, after a reload or because somebody changed it, is no second binding. */
static void test_nothing_new(Capture *capture)
{
        DeviceRecord record = { .state = STATE_BOUND };
        Device bound = device;
        MemberPlan member = { .device = &bound, .role = ROLE_SELECTED, .claim = &claim,
                .action = ACTION_ADOPT, .target = "vfio-pci" };
        GroupPlan plan = { .number = 14, .members = &member, .n_members = 1, .has_work = true };
        MemberReport member_report = { .address = { 0, 3, 0, 0 }, .state = STATE_BOUND,
                .from = "vfio-pci", .to = "vfio-pci" };
        GroupReport report = { .number = 14, .members = &member_report, .n_members = 1 };

        log_group_report(&report, &plan);
        expect(capture, "MESSAGE=0000:03:00.0 (1b36:0010) bound to vfio-pci.\n", "PRIORITY=5\n");
        /* the helper and the daemon want the same: the second finds it done */
        member.action = ACTION_BIND;
        member_report.was_done = true;
        log_group_report(&report, &plan);
        expect_no_more(capture);
        member.action = ACTION_ADOPT;
        member_report.was_done = false;
        bound.record = &record;
        log_group_report(&report, &plan);
        expect_no_more(capture);
        log_set_max_level(LOG_DEBUG);
        log_group_report(&report, &plan);
        log_set_max_level(LOG_INFO);
        expect(capture, "MESSAGE=0000:03:00.0 (1b36:0010) bound to vfio-pci.\n", "PRIORITY=7\n");
        member_report.reason = REASON_ACCOUNT_UNKNOWN;
        log_group_report(&report, &plan);
        expect(capture, "bound to vfio-pci, but: account-unknown", "PRIORITY=4\n");
        expect_no_more(capture);
}

static void test_physical_functions(Capture *capture)
{
        PhysicalFunctionReport good = { .address = { 0, 6, 0, 0 } };
        PhysicalFunctionReport bad = { .address = { 0, 6, 0, 0 }, .error = -16,
                .reason = REASON_NUMVFS_DIFFERS };

        /* somebody else had done it, and said so */
        log_physical_function_report(&good);
        expect_no_more(capture);
        good.autoprobe_off = true;
        log_physical_function_report(&good);
        expect(capture, "MESSAGE=0000:06:00.0 automatic probing of new virtual functions switched "
                "off.\n", MESSAGE_PF_CONFIGURED);
        good.num_vfs_written = true;
        good.num_vfs = 8;
        log_physical_function_report(&good);
        expect(capture, "switched off, 8 virtual functions created.\n", MESSAGE_PF_CONFIGURED);
        good.autoprobe_off = false;
        good.num_vfs = 1;
        log_physical_function_report(&good);
        expect(capture, "MESSAGE=0000:06:00.0 1 virtual function created.\n",
                MESSAGE_PF_CONFIGURED);
        log_physical_function_report(&bad);
        expect(capture, "MESSAGE=0000:06:00.0 virtual functions: numvfs-differs\n",
                MESSAGE_PF_NOT_CONFIGURED);
        expect_no_more(capture);
}

static void test_configuration(Capture *capture)
{
        Config *config = NULL;

        ASSERT_OK(config_new(&config));
        diagnostic_error(&config->diagnostics, (Location){ file, 14, 7 }, "Claim scratch-nvme",
                "No such term \"adress\", did you mean \"address\"?");
        diagnostic_warning(&config->diagnostics, (Location){ file, 20, 1 }, NULL, "Odd.");
        log_config(config);
        expect(capture, "MESSAGE=/etc/vfio-bind.conf:14:7: No such term",
                "VFIO_BIND_CLAIM=scratch-nvme\nVFIO_BIND_REASON=config-error\n");
        ASSERT_CONTAINS(capture->text, "PRIORITY=3\n");
        expect(capture, "MESSAGE=/etc/vfio-bind.conf:20:1: Odd.\n", "PRIORITY=4\n");
        expect_no_more(capture);
        config_free(config);
}

static void test_switch_and_nodes(Capture *capture)
{
        log_switched_off("vfio_bindd=off", false);
        expect(capture, "MESSAGE=Nothing is done: vfio_bindd=off.\n",
                "VFIO_BIND_REASON=disabled-by-kernel-command-line\n");
        log_switched_off("vfio_bindd=plan", true);
        expect(capture, "MESSAGE=Nothing is touched, only planned: vfio_bindd=plan.\n",
                MESSAGE_SWITCHED_OFF);
        log_node_problem(14, REASON_ACCOUNT_UNKNOWN, "no such account.");
        expect(capture, "MESSAGE=/dev/vfio/14: no such account.\n", "VFIO_BIND_GROUP=14\n");
        expect_no_more(capture);
}

static void test_initramfs(Capture *capture)
{
        log_initramfs("6.1", "stale", true, true);
        expect(capture, "MESSAGE=The initramfs of Linux 6.1 is not of the present configuration "
                        "and program, and the next boot goes by it. Run \"" PROGRAM_DIRECTORY
                        "/rebuild-initramfs\".\n",
                "VFIO_BIND_REASON=initramfs-stale\n");
        log_initramfs("6.1", "stale", false, true);
        expect(capture, "still binds. Run \"", MESSAGE_INITRAMFS);
        log_initramfs("6.1", "missing", true, false);
        expect(capture, "holds nothing of vfio-bindd", "VFIO_BIND_REASON=initramfs-stale\n");
        log_initramfs("6.1", "current", true, true);
        expect(capture, "is of the present configuration and program.\n", "PRIORITY=6\n");
        /* what was so all the time, or does not matter */
        log_initramfs("6.1", "current", true, false);
        log_initramfs("6.1", "unused", false, true);
        log_initramfs("6.1", "unknown", true, true);
        expect_no_more(capture);
}

int main(void)
{
        Capture capture;

        capture_start(&capture);
        test_refusal(&capture);
        test_group_refusal(&capture);
        test_work(&capture);
        test_reasons_without_a_sentence(&capture);
        test_given(&capture);
        test_absent(&capture);
        test_reports(&capture);
        test_nothing_new(&capture);
        test_physical_functions(&capture);
        test_configuration(&capture);
        test_switch_and_nodes(&capture);
        test_initramfs(&capture);
        capture_stop(&capture);
        return 0;
}
