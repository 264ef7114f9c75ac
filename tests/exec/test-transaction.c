/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the outcome of a transaction says where it went on: provenance, what is put back, nodes. */
#include <errno.h>

#include "lib/test.h"
#include "run.h"
#include "util/strings.h"

static void pull_out(FakeKernel *kernel, const Operation *operation)
{
        if (operation->type == OPERATION_UNBIND)
                fake_kernel_function(kernel, SOUND_ADDRESS)->gone = true;
}

static void test_pulled_out(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        run.stand.kernel->hook = pull_out;
        run_carry_out(&run);
        run_expect_member(&run, 0, STATE_FAILED, REASON_ROLLED_BACK);
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->driver, "nouveau");
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->override, "something");
}

static void test_other_instance(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        run_function(&run, GPU_ADDRESS)->inode++;
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_ABSENT, "replaced");
        run_expect_no_write(&run);
}

static void test_account_unknown(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        run.stand.kernel->account_error = -ENXIO;
        run_carry_out(&run);
        run_expect(&run, STATE_BOUND, REASON_ACCOUNT_UNKNOWN, "kvm");
        ASSERT_TRUE(run.stand.kernel->announced[14]);
        ASSERT_EQ(run_function(&run, GPU_ADDRESS)->record.reason, REASON_ACCOUNT_UNKNOWN);
}

static void test_node_fails(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        run.stand.kernel->account_error = -EROFS;
        run_carry_out(&run);
        run_expect(&run, STATE_BINDING, REASON_NONE, "/dev/vfio/14");
        ASSERT_TRUE(!run.stand.kernel->announced[14]);
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->driver, "vfio-pci");
}

static void test_hold_lost(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "hold");
        fake_kernel_add_driver(run.stand.kernel, "snd_hda_intel", true);
        strcpy(run_function(&run, SOUND_ADDRESS)->attached_at_write, "snd_hda_intel");
        run_carry_out(&run);
        run_expect(&run, STATE_PENDING, REASON_BIND_RACED, "snd_hda_intel");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->driver, "snd_hda_intel");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->override, "");
}

static Provenance provenance_of(const char *scenario, const char *address, Stage stage, bool fresh)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, scenario);
        run.stand.options.stage = stage;
        for (size_t i = 0; i < run.stand.group.n_members; i++)
                run.stand.group.members[i].fresh = fresh;
        run_carry_out(&run);
        return run_function(&run, address)->record.provenance;
}

static void test_provenance(void)
{
        ASSERT_EQ(provenance_of("bind-clean", GPU_ADDRESS, STAGE_INITRD, false),
                PROVENANCE_CLEAN);
        ASSERT_EQ(provenance_of("bind-clean", GPU_ADDRESS, STAGE_BOOT, false), PROVENANCE_CLEAN);
        ASSERT_EQ(provenance_of("bind-clean", GPU_ADDRESS, STAGE_RUNTIME, true), PROVENANCE_CLEAN);
        ASSERT_EQ(provenance_of("bind-clean", GPU_ADDRESS, STAGE_RUNTIME, false),
                PROVENANCE_UNKNOWN);
        ASSERT_EQ(provenance_of("bind-taken", GPU_ADDRESS, STAGE_INITRD, false), PROVENANCE_TAKEN);
        ASSERT_EQ(provenance_of("adopt", GPU_ADDRESS, STAGE_RUNTIME, false), PROVENANCE_ADOPTED);
}

static void test_provenance_after_crash(void)
{
        _cleanup_run_ Run run = {};

        /* cut off after the bind: the original is there, the record is not */
        run_prepare(&run, "adopt");
        run_function(&run, GPU_ADDRESS)->record = (FakeRecord){ .has_original = true,
                .original_driver = "nouveau" };
        run_function(&run, SOUND_ADDRESS)->record = (FakeRecord){ .has_original = true };
        run_carry_out(&run);
        ASSERT_EQ(run_function(&run, GPU_ADDRESS)->record.provenance, PROVENANCE_TAKEN);
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->record.original_driver, "nouveau");
        ASSERT_EQ(run_function(&run, SOUND_ADDRESS)->record.provenance, PROVENANCE_UNKNOWN);
}

static void test_release_to_busy_host(void)
{
        _cleanup_run_ Run run = {};

        /* the second one is not taken back, and the first is in use already: it is not torn away */
        run_prepare(&run, "release-taken");
        run_refuse(&run, SOUND_ADDRESS, "snd_hda_intel", -EIO);
        strcpy(run_function(&run, GPU_ADDRESS)->in_use, "the console is on it");
        run_function(&run, GPU_ADDRESS)->use = IN_USE_DISPLAY;
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_ROLLBACK_FAILED, "nouveau");
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->driver, "nouveau");
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->override, "");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->override, "vfio-pci");
}

static void test_release_host_refuses(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "release-taken");
        run_refuse(&run, SOUND_ADDRESS, "snd_hda_intel", -EIO);
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_PROBE_FAILED, "snd_hda_intel");
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->driver, "vfio-pci");
        ASSERT_EQ(run_function(&run, GPU_ADDRESS)->record.state, STATE_BOUND);
        ASSERT_TRUE(run.stand.kernel->node_is_set[14]);
        ASSERT_TRUE(run_function(&run, GPU_ADDRESS)->linked);
}

static void test_release_finds_no_driver(void)
{
        _cleanup_run_ Run run = {};

        /* drivers_probe says nothing of it: clean functions may well have no driver here */
        run_prepare(&run, "release-clean");
        fake_kernel_remove_driver(run.stand.kernel, "nouveau");
        run_carry_out(&run);
        run_expect(&run, STATE_RELEASED, REASON_NONE, "");
        ASSERT_STREQ(run.report.members[0].to, "");
        ASSERT_STREQ(run.report.members[1].to, "snd_hda_intel");
}

static void test_probe_host_refused(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "probe-host");
        run_refuse(&run, "0000:06:10.0", "igbvf", -ENODEV);
        run.stand.group.members[0].fresh = false;
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_PROBE_FAILED, "journalctl");
        ASSERT_STREQ(run_function(&run, "0000:06:10.0")->override, "");
        /* on record, or every event would try it again */
        ASSERT_EQ(run_function(&run, "0000:06:10.0")->record.state, STATE_FAILED);
        ASSERT_EQ(run_function(&run, "0000:06:10.0")->record.reason, REASON_PROBE_FAILED);
        ASSERT_EQ(run_function(&run, "0000:06:10.0")->record.provenance, PROVENANCE_NONE);
}

/* Helper and daemon may want the same: who comes second finds it done, and does not say it again. */
static void test_somebody_was_faster(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-hotplug");
        run_carry_out(&run);
        ASSERT_TRUE(!run.report.members[0].was_done);
        group_report_done(&run.report);
        run_carry_out(&run);
        run_expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_TRUE(run.report.members[0].was_done);
}

static void test_record_cannot_be_saved(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-hotplug");
        fake_kernel_inject(run.stand.kernel, 17, FAKE_FAIL_BEFORE, -ENOSPC);
        run_carry_out(&run);
        ASSERT_CONTAINS(run.stand.kernel->trace, "save-record 0000:05:00.0 ! ENOSPC");
        run_expect(&run, STATE_BOUND, REASON_NONE, "could not be saved");
}

/* Its group is open: without our override a host driver would be probed in it. */
static void test_joined_stays_held(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-joined");
        run_refuse(&run, SOUND_ADDRESS, "vfio-pci", -EINVAL);
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_PROBE_FAILED, "does not take it");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->driver, "");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->override, "vfio-pci");
}

static void test_hotplug_pending(void)
{
        _cleanup_run_ Run run = {};

        /* judged to the end only when the kernel is done with it */
        run_prepare(&run, "bind-hotplug-window");
        run_function(&run, NIC_ADDRESS)->record.exists = true;
        run_function(&run, NIC_ADDRESS)->record.hotplug_pending = true;
        run_carry_out(&run);
        ASSERT_TRUE(run_function(&run, NIC_ADDRESS)->record.hotplug_pending);

        group_report_done(&run.report);
        run_function(&run, NIC_ADDRESS)->not_ready = false;
        run_carry_out(&run);
        run_expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_TRUE(!run_function(&run, NIC_ADDRESS)->record.hotplug_pending);
        ASSERT_EQ(run_function(&run, NIC_ADDRESS)->record.provenance, PROVENANCE_CLEAN);
}

static void test_failed_move_keeps_provenance(void)
{
        _cleanup_run_ Run run = {};

        /* bound before and put back to that: still ours, still taken */
        run_prepare(&run, "bind-other-driver");
        run_refuse(&run, "0000:07:00.0", "mlx5-vfio-pci", -EIO);
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_PROBE_FAILED, "");
        ASSERT_STREQ(run_function(&run, "0000:07:00.0")->driver, "vfio-pci");
        ASSERT_EQ(run_function(&run, "0000:07:00.0")->record.provenance, PROVENANCE_TAKEN);
        ASSERT_STREQ(run_function(&run, "0000:07:00.0")->record.original_driver, "mlx5_core");
        ASSERT_TRUE(run.stand.kernel->node_is_set[31]);
}

/* The second time there is nothing to do to the machine. */
static bool name_failed_bind(const FakeKernel *kernel)
{
        return strstr(kernel->trace, "bind " SOUND_ADDRESS " vfio-pci ! EINVAL");
}

static void open_before_undo(FakeKernel *kernel, const Operation *operation)
{
        FakeFunction *gpu = fake_kernel_function(kernel, GPU_ADDRESS);

        if (name_failed_bind(kernel) && !gpu->open_by[0])
                strcpy(gpu->open_by, "1234 (qemu)");
}

/* Bound, until a worker got stuck unbinding it from vfio-pci for something else; it is taken up
 * when that has come back. */
static void leave_unbound_by_a_stuck_worker(Run *run, const char *address, const char *override)
{
        FakeFunction *member = run_function(run, address);

        member->driver[0] = '\0';
        strcpy(member->override, override);
        member->record.state = STATE_FAILED;
        member->record.reason = REASON_WORKER_TIMEOUT;
        member->record.bound_usec = 1;
}

/* What was asked for then fails: it is put back to where it had been before the stuck worker. */
static void test_failed_after_a_stuck_worker(void)
{
        _cleanup_run_ Run released = {}, moved = {};

        run_prepare(&released, "release-taken");
        leave_unbound_by_a_stuck_worker(&released, GPU_ADDRESS, "vfio-pci");
        run_refuse(&released, SOUND_ADDRESS, "snd_hda_intel", -EIO);
        run_carry_out(&released);
        run_expect(&released, STATE_FAILED, REASON_PROBE_FAILED, "snd_hda_intel");
        ASSERT_STREQ(run_function(&released, SOUND_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(run_function(&released, GPU_ADDRESS)->driver, "vfio-pci");

        run_prepare(&moved, "bind-other-driver");
        leave_unbound_by_a_stuck_worker(&moved, "0000:07:00.0", "mlx5-vfio-pci");
        moved.stand.kernel->node_is_set[31] = false;
        run_refuse(&moved, "0000:07:00.0", "mlx5-vfio-pci", -EIO);
        run_carry_out(&moved);
        run_expect(&moved, STATE_FAILED, REASON_PROBE_FAILED, "");
        ASSERT_STREQ(run_function(&moved, "0000:07:00.0")->driver, "vfio-pci");
        ASSERT_STREQ(run_function(&moved, "0000:07:00.0")->override, "vfio-pci");
        ASSERT_STREQ(run_function(&moved, "0000:07:00.0")->record.original_driver, "mlx5_core");
        ASSERT_TRUE(moved.stand.kernel->node_is_set[31]);
}

/* Somebody opened the first one while the second one was refused: it is not torn away from him, and
 * no host driver is probed beside it. */
static void test_opened_before_undo(void)
{
        _cleanup_(run_done) Run run;

        run_prepare(&run, "undo-bind");
        run.stand.kernel->hook = open_before_undo;
        run_carry_out(&run);
        run_expect_member(&run, 0, STATE_FAILED, REASON_ROLLBACK_FAILED);
        ASSERT_CONTAINS(run.report.members[0].text, "open in 1234 (qemu)");
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->override, "vfio-pci");
        run_expect_member(&run, 1, STATE_FAILED, REASON_ROLLBACK_FAILED);
        ASSERT_TRUE(!strstr(run.stand.kernel->trace, "unbind " GPU_ADDRESS " vfio-pci"));
}

static void open_after_look(FakeKernel *kernel, const Operation *operation)
{
        FakeFunction *gpu = fake_kernel_function(kernel, GPU_ADDRESS);

        if (operation->type == OPERATION_SECURE_NODE && !strstr(kernel->trace, "\nunbind"))
                strcpy(gpu->open_by, "1234 (qemu)");
}

/* Opened between the look at the group and the unbind: everything stays as it was. */
static void test_opened_after_look(void)
{
        _cleanup_(run_done) Run run;

        run_prepare(&run, "release-taken");
        run.stand.kernel->hook = open_after_look;
        run_carry_out(&run);
        run_expect(&run, STATE_REFUSED, REASON_BUSY_VFIO, "open in 1234 (qemu)");
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->driver, "vfio-pci");
        ASSERT_TRUE(run_function(&run, GPU_ADDRESS)->linked);
        ASSERT_TRUE(run.stand.kernel->node_is_set[14]);
        ASSERT_TRUE(!strstr(run.stand.kernel->trace, "\nunbind"));
}

/* What automatic probing was outlives release and bind of the physical function. */
static void test_autoprobe_is_kept(void)
{
        _cleanup_(run_done) Run run;
        const FakeFunction *pf;

        run_prepare(&run, "release-physical-function");
        run_carry_out(&run);
        run_expect(&run, STATE_RELEASED, REASON_NONE, "");
        pf = run_function(&run, "0000:06:00.0");
        ASSERT_STREQ(pf->record.original_autoprobe, "1");
        ASSERT_EQ(pf->record.state, STATE_UNCLAIMED);
}

static void expect_member_of_node(FakeKernel *kernel, const Operation *operation)
{
        const NodeSettings *node = operation->node;

        if (operation->type != OPERATION_FINISH_NODE)
                return;
        ASSERT_TRUE(node->member);
        ASSERT_EQ(node->inode,
                fake_kernel_function(kernel, PCI_ADDRESS_TEXT(node->member))->inode);
}

/* A group is known by what is in it: its number is given away again. */
static void test_node_is_of_the_group(void)
{
        _cleanup_(run_done) Run run;

        run_prepare(&run, "bind-taken");
        run.stand.kernel->hook = expect_member_of_node;
        run_carry_out(&run);
        run_expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_CONTAINS(run.stand.kernel->trace, "finish-node");
}

static void test_idempotent(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        run_carry_out(&run);
        group_report_done(&run.report);
        run.stand.kernel->trace[0] = '\0';
        run_carry_out(&run);
        run_expect(&run, STATE_BOUND, REASON_NONE, "");
        run_expect_no_write(&run);
        ASSERT_EQ(run_function(&run, GPU_ADDRESS)->record.provenance, PROVENANCE_TAKEN);
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->record.original_driver, "nouveau");
}

/* Bound and released, everything is as it was. */
static void test_round_trip(void)
{
        _cleanup_run_ Run run = {};
        static FakeKernel before;

        run_prepare(&run, "bind-taken");
        before = *run.stand.kernel;
        run_carry_out(&run);
        group_report_done(&run.report);
        for (size_t i = 0; i < run.stand.group.n_members; i++)
                if (run.stand.group.members[i].action == ACTION_BIND)
                        run.stand.group.members[i].action = ACTION_RELEASE;
        run_carry_out(&run);
        run_expect(&run, STATE_RELEASED, REASON_NONE, "");
        for (size_t i = 0; i < before.n_functions; i++) {
                const FakeFunction *now = &run.stand.kernel->functions[i];

                ASSERT_STREQ(now->driver, before.functions[i].driver);
                ASSERT_STREQ(now->override, before.functions[i].override);
                ASSERT_STREQ(now->power_control, before.functions[i].power_control);
                ASSERT_TRUE(!now->record.exists && !now->record.has_original && !now->linked);
        }
}

int main(void)
{
        test_pulled_out();
        test_other_instance();
        test_account_unknown();
        test_node_fails();
        test_hold_lost();
        test_provenance();
        test_provenance_after_crash();
        test_release_to_busy_host();
        test_release_host_refuses();
        test_release_finds_no_driver();
        test_probe_host_refused();
        test_somebody_was_faster();
        test_record_cannot_be_saved();
        test_joined_stays_held();
        test_hotplug_pending();
        test_failed_move_keeps_provenance();
        test_failed_after_a_stuck_worker();
        test_opened_before_undo();
        test_opened_after_look();
        test_autoprobe_is_kept();
        test_node_is_of_the_group();
        test_idempotent();
        test_round_trip();
        return 0;
}
