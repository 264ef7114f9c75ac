/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the outcome of a transaction says, and why: refusals, the kernel's answers, provenance. */
#include <errno.h>

#include "lib/test.h"
#include "scenarios.h"
#include "util/strings.h"

#define GPU_ADDRESS   "0000:01:00.0"
#define SOUND_ADDRESS "0000:01:00.1"
#define NIC_ADDRESS   "0000:05:00.0"

typedef struct Run {
        Stand stand;
        GroupReport report;
} Run;

static void run_done(Run *run)
{
        group_report_done(&run->report);
        stand_done(&run->stand);
}
#define _cleanup_run_ _cleanup_(run_done)

static void prepare(Run *run, const char *scenario)
{
        stand_set_up(&run->stand, scenario_find(scenario));
        run->stand.kernel->keep_trace = true;
}

static void carry_out(Run *run)
{
        ASSERT_OK(transaction_run(&run->stand.group, &run->stand.options, &run->stand.operations,
                &run->report));
        ASSERT_STREQ(run->stand.kernel->violations, "");
}

static FakeFunction *function(Run *run, const char *address)
{
        return fake_kernel_function(run->stand.kernel, address);
}

static void expect(const Run *run, State state, Reason reason, const char *text)
{
        ASSERT_STREQ(state_to_string(run->report.state), state_to_string(state));
        ASSERT_STREQ(reason_to_string(run->report.reason), reason_to_string(reason));
        ASSERT_CONTAINS(run->report.text, text);
}

static void expect_member(const Run *run, size_t i, State state, Reason reason)
{
        ASSERT_STREQ(state_to_string(run->report.members[i].state), state_to_string(state));
        ASSERT_STREQ(reason_to_string(run->report.members[i].reason), reason_to_string(reason));
}

static void expect_no_write(const Run *run)
{
        ASSERT_TRUE(!strstr(run->stand.kernel->trace, "write-"));
        ASSERT_TRUE(!strstr(run->stand.kernel->trace, "\nbind "));
        ASSERT_TRUE(!strstr(run->stand.kernel->trace, "unbind "));
        ASSERT_TRUE(!strstr(run->stand.kernel->trace, "\nprobe "));
}

static void test_guard(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        strcpy(function(&run, SOUND_ADDRESS)->in_use, "/dev/snd/pcm is open in 77 (mpv)");
        function(&run, SOUND_ADDRESS)->use = IN_USE_PROCESS;
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_IN_USE_PROCESS, "/dev/snd/pcm is open in 77 (mpv)");
        expect_member(&run, 0, STATE_REFUSED, REASON_GROUP_REFUSED);
        expect_member(&run, 1, STATE_REFUSED, REASON_IN_USE_PROCESS);
        expect_no_write(&run);
        ASSERT_EQ(function(&run, SOUND_ADDRESS)->record.state, STATE_REFUSED);
        ASSERT_TRUE(!function(&run, SOUND_ADDRESS)->record.has_original);
}

static void test_guard_allowed(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        strcpy(function(&run, SOUND_ADDRESS)->in_use, "open");
        function(&run, SOUND_ADDRESS)->use = IN_USE_PROCESS;
        /* what a claim allows is the planner's to say, and nobody else's */
        for (size_t i = 0; i < run.stand.group.n_members; i++)
                run.stand.group.members[i].allow_in_use = 1U << IN_USE_PROCESS;
        ASSERT_OK(transaction_run(&run.stand.group, &run.stand.options, &run.stand.operations,
                &run.report));
        expect(&run, STATE_BOUND, REASON_NONE, "");
}

static uint64_t udev_usec;

static void note_udev_time(FakeKernel *kernel, const Operation *operation)
{
        if (operation->type == OPERATION_GUARD)
                udev_usec = operation->udev_usec;
}

static uint64_t carry_out_waiting(bool waits_for_udev, uint64_t timeout_usec)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        ClaimSettings settings = *run.stand.group.settings;
        settings.timeout_usec = timeout_usec;
        run.stand.group.settings = &settings;
        run.stand.options.waits_for_udev = waits_for_udev;
        run.stand.kernel->hook = note_udev_time;
        udev_usec = UINT64_MAX;
        carry_out(&run);
        return udev_usec;
}

/* Neither a boot nor udev itself is kept waiting, nor a worker so long that it is given up. */
static void test_guard_waits_for_udev(void)
{
        ASSERT_EQ(carry_out_waiting(true, 30 * USEC_PER_SEC), 10 * USEC_PER_SEC);
        ASSERT_EQ(carry_out_waiting(true, 4 * USEC_PER_SEC), 2 * USEC_PER_SEC);
        ASSERT_EQ(carry_out_waiting(false, 30 * USEC_PER_SEC), 0);
}

static void test_guard_blind(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        fake_kernel_inject(run.stand.kernel, 12, FAKE_FAIL_BEFORE, -EACCES);
        carry_out(&run);
        ASSERT_CONTAINS(run.stand.kernel->trace, "guard 0000:01:00.0 ! EACCES");
        expect(&run, STATE_REFUSED, REASON_GUARD_BLIND, "Permission denied");
        expect_no_write(&run);
}

static void test_hotplug_in_use(void)
{
        _cleanup_run_ Run run = {};

        /* lost to the host's driver, and in use at once: it stays the host's, untouched */
        prepare(&run, "bind-hotplug-lost");
        strcpy(function(&run, NIC_ADDRESS)->in_use, "eth0 is in br0");
        function(&run, NIC_ADDRESS)->use = IN_USE_NETWORK;
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_IN_USE_NETWORK, "eth0 is in br0");
        ASSERT_STREQ(function(&run, NIC_ADDRESS)->driver, "e1000e");
        ASSERT_STREQ(function(&run, NIC_ADDRESS)->override, "");
}

static void test_needs_apply(void)
{
        _cleanup_run_ Run run = {};

        /* the plan knew of no driver, and nobody gave leave to unbind one */
        prepare(&run, "bind-hotplug-lost");
        run.stand.group.members[0].fresh = false;
        carry_out(&run);
        expect(&run, STATE_PENDING, REASON_NEEDS_APPLY, "vfio-bindctl apply");
        ASSERT_STREQ(function(&run, NIC_ADDRESS)->driver, "e1000e");
        ASSERT_STREQ(function(&run, NIC_ADDRESS)->override, "");
}

/* Another program unbound it and gives it to the host's driver; its probe took longer than it took
 * us to plan. It is still what was taken from us, and is reclaimed when that is planned. */
static void test_reclaim_came_too_early(void)
{
        _cleanup_(run_done) Run run;
        FakeRecord *record;

        prepare(&run, "bind-clean");
        run.stand.options.stage = STAGE_RUNTIME;
        for (size_t i = 1; i < run.stand.kernel->n_functions; i++) {
                FakeFunction *member = &run.stand.kernel->functions[i];

                strcpy(member->driver, member->host_drivers[0]);
                fake_kernel_add_driver(run.stand.kernel, member->driver, true);
                record = &member->record;
                record->exists = record->has_original = true;
                record->state = STATE_BOUND;
                strcpy(record->target_driver, "vfio-pci");
        }
        carry_out(&run);
        expect(&run, STATE_PENDING, REASON_NEEDS_APPLY, "nouveau has taken it meanwhile");
        record = &function(&run, GPU_ADDRESS)->record;
        ASSERT_EQ(record->state, STATE_BOUND);
        ASSERT_TRUE(record->has_original);
        expect_no_write(&run);
}

static void test_driver_came_before_lock(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-hotplug");
        run.stand.group.members[0].fresh = false;
        fake_kernel_add_driver(run.stand.kernel, "e1000e", true);
        strcpy(function(&run, NIC_ADDRESS)->driver, "e1000e");
        carry_out(&run);
        expect(&run, STATE_PENDING, REASON_NEEDS_APPLY, "e1000e");
        expect_no_write(&run);
}

static void test_open(const char *scenario)
{
        _cleanup_run_ Run run = {};

        prepare(&run, scenario);
        for (size_t i = 0; i < run.stand.kernel->n_functions; i++)
                if (driver_is_vfio(run.stand.kernel->functions[i].driver))
                        strcpy(run.stand.kernel->functions[i].open_by, "1234 (qemu)");
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_BUSY_VFIO, "1234 (qemu)");
        expect_no_write(&run);
}

static void test_module_missing(const char *module, const char *text)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        fake_kernel_remove_driver(run.stand.kernel, module);
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_DRIVER_MISSING, text);
        expect_no_write(&run);
        ASSERT_TRUE(!strstr(run.stand.kernel->trace, "save-original"));
}

static void refuse(Run *run, const char *address, const char *driver, int error)
{
        strcpy(function(run, address)->refused_by, driver);
        function(run, address)->refusal = error;
}

static void test_bind_error(int error, Reason reason, const char *text)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        refuse(&run, SOUND_ADDRESS, "vfio-pci", error);
        carry_out(&run);
        expect(&run, STATE_FAILED, reason, text);
        expect_member(&run, 0, STATE_FAILED, REASON_ROLLED_BACK);
        expect_member(&run, 1, STATE_FAILED, reason);
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->driver, "nouveau");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->driver, "snd_hda_intel");
        /* so that it is not tried again under this configuration */
        ASSERT_EQ(function(&run, GPU_ADDRESS)->record.state, STATE_FAILED);
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->record.config_digest, "0123456789abcdef");
}

static void test_denylist(void)
{
        _cleanup_run_ Run run = {};
        Device *device;

        prepare(&run, "bind-taken");
        device = (Device *) run.stand.group.members[1].device;
        device->vendor = 0x8086;
        device->device = 0x37c8;
        refuse(&run, GPU_ADDRESS, "vfio-pci", -EINVAL);
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_DRIVER_DENIED, "8086:37c8");
}

static void test_pf_has_vfs(void)
{
        _cleanup_run_ Run run = {};
        Device *device;

        prepare(&run, "bind-taken");
        device = (Device *) run.stand.group.members[1].device;
        device->sriov_total_vfs = 4;
        function(&run, GPU_ADDRESS)->total_vfs = 4;
        function(&run, GPU_ADDRESS)->num_vfs = 2;
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_PF_HAS_VFS, "sriov_numvfs");
}

static void grab_between_unbind_and_bind(FakeKernel *kernel, const Operation *operation)
{
        FakeFunction *nic = fake_kernel_function(kernel, GPU_ADDRESS);

        if (operation->type == OPERATION_BIND && streq(operation->text, "vfio-pci") &&
            nic->driver[0] == '\0')
                strcpy(nic->driver, "nvidia");
}

static void test_bind_raced(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        run.stand.kernel->hook = grab_between_unbind_and_bind;
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_ROLLBACK_FAILED, "nvidia");
        /* somebody else's doing is left alone; the other member is put back all the same */
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->driver, "nvidia");
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->override, "something");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->driver, "snd_hda_intel");
        expect_member(&run, 0, STATE_FAILED, REASON_ROLLBACK_FAILED);
        expect_member(&run, 1, STATE_FAILED, REASON_ROLLED_BACK);
        ASSERT_TRUE(function(&run, GPU_ADDRESS)->record.has_original);
}

static void test_no_override(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        function(&run, GPU_ADDRESS)->has_override_file = false;
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_NO_DRIVER_OVERRIDE, "driver_override");
}

static void pull_out(FakeKernel *kernel, const Operation *operation)
{
        if (operation->type == OPERATION_UNBIND)
                fake_kernel_function(kernel, SOUND_ADDRESS)->gone = true;
}

static void test_pulled_out(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        run.stand.kernel->hook = pull_out;
        carry_out(&run);
        expect_member(&run, 0, STATE_FAILED, REASON_ROLLED_BACK);
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->driver, "nouveau");
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->override, "something");
}

static void test_other_instance(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        function(&run, GPU_ADDRESS)->inode++;
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_ABSENT, "replaced");
        expect_no_write(&run);
}

static void test_account_unknown(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        run.stand.kernel->account_error = -ENXIO;
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_ACCOUNT_UNKNOWN, "kvm");
        ASSERT_TRUE(run.stand.kernel->announced[14]);
        ASSERT_EQ(function(&run, GPU_ADDRESS)->record.reason, REASON_ACCOUNT_UNKNOWN);
}

static void test_node_fails(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        run.stand.kernel->account_error = -EROFS;
        carry_out(&run);
        expect(&run, STATE_BINDING, REASON_NONE, "/dev/vfio/14");
        ASSERT_TRUE(!run.stand.kernel->announced[14]);
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->driver, "vfio-pci");
}

static void test_hold_lost(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "hold");
        fake_kernel_add_driver(run.stand.kernel, "snd_hda_intel", true);
        strcpy(function(&run, SOUND_ADDRESS)->attached_at_write, "snd_hda_intel");
        carry_out(&run);
        expect(&run, STATE_PENDING, REASON_BIND_RACED, "snd_hda_intel");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->driver, "snd_hda_intel");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->override, "");
}

static Provenance provenance_of(const char *scenario, const char *address, Stage stage, bool fresh)
{
        _cleanup_run_ Run run = {};

        prepare(&run, scenario);
        run.stand.options.stage = stage;
        for (size_t i = 0; i < run.stand.group.n_members; i++)
                run.stand.group.members[i].fresh = fresh;
        carry_out(&run);
        return function(&run, address)->record.provenance;
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
        prepare(&run, "adopt");
        function(&run, GPU_ADDRESS)->record = (FakeRecord){ .has_original = true,
                .original_driver = "nouveau" };
        function(&run, SOUND_ADDRESS)->record = (FakeRecord){ .has_original = true };
        carry_out(&run);
        ASSERT_EQ(function(&run, GPU_ADDRESS)->record.provenance, PROVENANCE_TAKEN);
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->record.original_driver, "nouveau");
        ASSERT_EQ(function(&run, SOUND_ADDRESS)->record.provenance, PROVENANCE_UNKNOWN);
}

static void test_release_to_busy_host(void)
{
        _cleanup_run_ Run run = {};

        /* the second one is not taken back, and the first is in use already: it is not torn away */
        prepare(&run, "release-taken");
        refuse(&run, SOUND_ADDRESS, "snd_hda_intel", -EIO);
        strcpy(function(&run, GPU_ADDRESS)->in_use, "the console is on it");
        function(&run, GPU_ADDRESS)->use = IN_USE_DISPLAY;
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_ROLLBACK_FAILED, "nouveau");
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->driver, "nouveau");
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->override, "");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->override, "vfio-pci");
}

static void test_release_host_refuses(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "release-taken");
        refuse(&run, SOUND_ADDRESS, "snd_hda_intel", -EIO);
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_PROBE_FAILED, "snd_hda_intel");
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->driver, "vfio-pci");
        ASSERT_EQ(function(&run, GPU_ADDRESS)->record.state, STATE_BOUND);
        ASSERT_TRUE(run.stand.kernel->node_is_set[14]);
        ASSERT_TRUE(function(&run, GPU_ADDRESS)->linked);
}

static void test_release_finds_no_driver(void)
{
        _cleanup_run_ Run run = {};

        /* drivers_probe says nothing of it: clean functions may well have no driver here */
        prepare(&run, "release-clean");
        fake_kernel_remove_driver(run.stand.kernel, "nouveau");
        carry_out(&run);
        expect(&run, STATE_RELEASED, REASON_NONE, "");
        ASSERT_STREQ(run.report.members[0].to, "");
        ASSERT_STREQ(run.report.members[1].to, "snd_hda_intel");
}

static void test_probe_host_refused(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "probe-host");
        refuse(&run, "0000:06:10.0", "igbvf", -ENODEV);
        run.stand.group.members[0].fresh = false;
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_PROBE_FAILED, "journalctl");
        ASSERT_STREQ(function(&run, "0000:06:10.0")->override, "");
        /* on record, or every event would try it again */
        ASSERT_EQ(function(&run, "0000:06:10.0")->record.state, STATE_FAILED);
        ASSERT_EQ(function(&run, "0000:06:10.0")->record.reason, REASON_PROBE_FAILED);
        ASSERT_EQ(function(&run, "0000:06:10.0")->record.provenance, PROVENANCE_NONE);
}

/* Helper and daemon may want the same: who comes second finds it done, and does not say it again. */
static void test_somebody_was_faster(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-hotplug");
        carry_out(&run);
        ASSERT_TRUE(!run.report.members[0].was_done);
        group_report_done(&run.report);
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_TRUE(run.report.members[0].was_done);
}

static void test_record_cannot_be_saved(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-hotplug");
        fake_kernel_inject(run.stand.kernel, 17, FAKE_FAIL_BEFORE, -ENOSPC);
        carry_out(&run);
        ASSERT_CONTAINS(run.stand.kernel->trace, "save-record 0000:05:00.0 ! ENOSPC");
        expect(&run, STATE_BOUND, REASON_NONE, "could not be saved");
}

/* Its group is open: without our override a host driver would be probed in it. */
static void test_joined_stays_held(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-joined");
        refuse(&run, SOUND_ADDRESS, "vfio-pci", -EINVAL);
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_PROBE_FAILED, "does not take it");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->driver, "");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->override, "vfio-pci");
}

static void test_hotplug_pending(void)
{
        _cleanup_run_ Run run = {};

        /* judged to the end only when the kernel is done with it */
        prepare(&run, "bind-hotplug-window");
        function(&run, NIC_ADDRESS)->record.exists = true;
        function(&run, NIC_ADDRESS)->record.hotplug_pending = true;
        carry_out(&run);
        ASSERT_TRUE(function(&run, NIC_ADDRESS)->record.hotplug_pending);

        group_report_done(&run.report);
        function(&run, NIC_ADDRESS)->not_ready = false;
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_TRUE(!function(&run, NIC_ADDRESS)->record.hotplug_pending);
        ASSERT_EQ(function(&run, NIC_ADDRESS)->record.provenance, PROVENANCE_CLEAN);
}

static void test_failed_move_keeps_provenance(void)
{
        _cleanup_run_ Run run = {};

        /* bound before and put back to that: still ours, still taken */
        prepare(&run, "bind-other-driver");
        refuse(&run, "0000:07:00.0", "mlx5-vfio-pci", -EIO);
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_PROBE_FAILED, "");
        ASSERT_STREQ(function(&run, "0000:07:00.0")->driver, "vfio-pci");
        ASSERT_EQ(function(&run, "0000:07:00.0")->record.provenance, PROVENANCE_TAKEN);
        ASSERT_STREQ(function(&run, "0000:07:00.0")->record.original_driver, "mlx5_core");
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
        FakeFunction *member = function(run, address);

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

        prepare(&released, "release-taken");
        leave_unbound_by_a_stuck_worker(&released, GPU_ADDRESS, "vfio-pci");
        refuse(&released, SOUND_ADDRESS, "snd_hda_intel", -EIO);
        carry_out(&released);
        expect(&released, STATE_FAILED, REASON_PROBE_FAILED, "snd_hda_intel");
        ASSERT_STREQ(function(&released, SOUND_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(function(&released, GPU_ADDRESS)->driver, "vfio-pci");

        prepare(&moved, "bind-other-driver");
        leave_unbound_by_a_stuck_worker(&moved, "0000:07:00.0", "mlx5-vfio-pci");
        moved.stand.kernel->node_is_set[31] = false;
        refuse(&moved, "0000:07:00.0", "mlx5-vfio-pci", -EIO);
        carry_out(&moved);
        expect(&moved, STATE_FAILED, REASON_PROBE_FAILED, "");
        ASSERT_STREQ(function(&moved, "0000:07:00.0")->driver, "vfio-pci");
        ASSERT_STREQ(function(&moved, "0000:07:00.0")->override, "vfio-pci");
        ASSERT_STREQ(function(&moved, "0000:07:00.0")->record.original_driver, "mlx5_core");
        ASSERT_TRUE(moved.stand.kernel->node_is_set[31]);
}

/* Somebody opened the first one while the second one was refused: it is not torn away from him, and
 * no host driver is probed beside it. */
static void test_opened_before_undo(void)
{
        _cleanup_(run_done) Run run;

        prepare(&run, "undo-bind");
        run.stand.kernel->hook = open_before_undo;
        carry_out(&run);
        expect_member(&run, 0, STATE_FAILED, REASON_ROLLBACK_FAILED);
        ASSERT_CONTAINS(run.report.members[0].text, "open in 1234 (qemu)");
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->override, "vfio-pci");
        expect_member(&run, 1, STATE_FAILED, REASON_ROLLBACK_FAILED);
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

        prepare(&run, "release-taken");
        run.stand.kernel->hook = open_after_look;
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_BUSY_VFIO, "open in 1234 (qemu)");
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->driver, "vfio-pci");
        ASSERT_STREQ(function(&run, SOUND_ADDRESS)->driver, "vfio-pci");
        ASSERT_TRUE(function(&run, GPU_ADDRESS)->linked);
        ASSERT_TRUE(run.stand.kernel->node_is_set[14]);
        ASSERT_TRUE(!strstr(run.stand.kernel->trace, "\nunbind"));
}

/* What automatic probing was outlives release and bind of the physical function. */
static void test_autoprobe_is_kept(void)
{
        _cleanup_(run_done) Run run;
        const FakeFunction *pf;

        prepare(&run, "release-physical-function");
        carry_out(&run);
        expect(&run, STATE_RELEASED, REASON_NONE, "");
        pf = function(&run, "0000:06:00.0");
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

        prepare(&run, "bind-taken");
        run.stand.kernel->hook = expect_member_of_node;
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_CONTAINS(run.stand.kernel->trace, "finish-node");
}

static void test_idempotent(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, "bind-taken");
        carry_out(&run);
        group_report_done(&run.report);
        run.stand.kernel->trace[0] = '\0';
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        expect_no_write(&run);
        ASSERT_EQ(function(&run, GPU_ADDRESS)->record.provenance, PROVENANCE_TAKEN);
        ASSERT_STREQ(function(&run, GPU_ADDRESS)->record.original_driver, "nouveau");
}

/* Bound and released, everything is as it was. */
static void test_round_trip(void)
{
        _cleanup_run_ Run run = {};
        static FakeKernel before;

        prepare(&run, "bind-taken");
        before = *run.stand.kernel;
        carry_out(&run);
        group_report_done(&run.report);
        for (size_t i = 0; i < run.stand.group.n_members; i++)
                if (run.stand.group.members[i].action == ACTION_BIND)
                        run.stand.group.members[i].action = ACTION_RELEASE;
        carry_out(&run);
        expect(&run, STATE_RELEASED, REASON_NONE, "");
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
        test_guard();
        test_guard_allowed();
        test_guard_waits_for_udev();
        test_guard_blind();
        test_hotplug_in_use();
        test_needs_apply();
        test_driver_came_before_lock();
        test_reclaim_came_too_early();
        test_open("release-taken");
        test_open("release-adopted");
        test_open("bind-other-driver");
        test_module_missing("vfio-pci", "no module vfio-pci");
        test_module_missing("vfio_iommu_type1", "no program can open the group");
        test_bind_error(-EINVAL, REASON_PROBE_FAILED, "does not take it");
        test_bind_error(-EBUSY, REASON_PROBE_FAILED, "busy");
        test_bind_error(-EPERM, REASON_PROBE_FAILED, "forbids");
        test_bind_error(-ENODEV, REASON_PROBE_FAILED, "does not match");
        test_bind_error(-EIO, REASON_PROBE_FAILED, "Input/output error");
        test_denylist();
        test_pf_has_vfs();
        test_bind_raced();
        test_no_override();
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
