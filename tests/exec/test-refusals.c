/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transactions that change nothing, or are undone: the guard, who has it open, the kernel's no. */
#include <errno.h>

#include "lib/test.h"
#include "run.h"
#include "util/strings.h"

static void test_guard(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        strcpy(run_function(&run, SOUND_ADDRESS)->in_use, "/dev/snd/pcm is open in 77 (mpv)");
        run_function(&run, SOUND_ADDRESS)->use = IN_USE_PROCESS;
        run_carry_out(&run);
        run_expect(&run, STATE_REFUSED, REASON_IN_USE_PROCESS, "/dev/snd/pcm is open in 77 (mpv)");
        run_expect_member(&run, 0, STATE_REFUSED, REASON_GROUP_REFUSED);
        run_expect_member(&run, 1, STATE_REFUSED, REASON_IN_USE_PROCESS);
        run_expect_no_write(&run);
        ASSERT_EQ(run_function(&run, SOUND_ADDRESS)->record.state, STATE_REFUSED);
        ASSERT_TRUE(!run_function(&run, SOUND_ADDRESS)->record.has_original);
}

static void test_guard_allowed(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        strcpy(run_function(&run, SOUND_ADDRESS)->in_use, "open");
        run_function(&run, SOUND_ADDRESS)->use = IN_USE_PROCESS;
        /* what a claim allows is the planner's to say, and nobody else's */
        for (size_t i = 0; i < run.stand.group.n_members; i++)
                run.stand.group.members[i].allow_in_use = 1U << IN_USE_PROCESS;
        ASSERT_OK(transaction_run(&run.stand.group, &run.stand.options, &run.stand.operations,
                &run.report));
        run_expect(&run, STATE_BOUND, REASON_NONE, "");
}

static uint64_t udev_usec;

static void note_udev_time(FakeKernel *kernel, const Operation *operation)
{
        if (operation->type == OPERATION_GUARD && operation->udev_usec > udev_usec)
                udev_usec = operation->udev_usec;
}

static uint64_t carry_out_waiting(bool waits_for_udev, uint64_t timeout_usec)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        ClaimSettings settings = *run.stand.group.settings;
        settings.timeout_usec = timeout_usec;
        run.stand.group.settings = &settings;
        run.stand.options.waits_for_udev = waits_for_udev;
        run.stand.kernel->hook = note_udev_time;
        udev_usec = 0;
        run_carry_out(&run);
        return udev_usec;
}

/* Neither a boot nor udev itself is kept waiting, nor a worker so long that it is given up. */
static void test_guard_waits_for_udev(void)
{
        uint64_t usual = carry_out_waiting(true, 30 * USEC_PER_SEC);
        uint64_t little = carry_out_waiting(true, 4 * USEC_PER_SEC);

        ASSERT_TRUE(usual > 5 * USEC_PER_SEC && usual <= 10 * USEC_PER_SEC);
        ASSERT_TRUE(little > 0 && little <= 2 * USEC_PER_SEC);
        ASSERT_EQ(carry_out_waiting(false, 30 * USEC_PER_SEC), 0);
}

/* The first one had been free before the second one was waited for. */
static void use_while_waiting(FakeKernel *kernel, const Operation *operation)
{
        FakeFunction *gpu = fake_kernel_function(kernel, GPU_ADDRESS);

        if (fake_kernel_function(kernel, SOUND_ADDRESS)->waits || gpu->in_use[0])
                return;
        strcpy(gpu->in_use, "/dev/dri/card0 is open in 77 (Xorg)");
        gpu->use = IN_USE_PROCESS;
}

static void test_guard_looks_again_after_waiting(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        run.stand.options.waits_for_udev = true;
        run_function(&run, SOUND_ADDRESS)->waits = true;
        run.stand.kernel->hook = use_while_waiting;
        run_carry_out(&run);
        run_expect(&run, STATE_REFUSED, REASON_IN_USE_PROCESS, "Xorg");
        run_expect_no_write(&run);
}

/* What udev looks at for longer than we wait is tried again: it was neither refused nor let go. */
static void test_guard_does_not_refuse_for_udev(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "undo-reclaim");
        run_function(&run, GPU_ADDRESS)->passing = true;
        run_function(&run, GPU_ADDRESS)->use = IN_USE_PROCESS;
        strcpy(run_function(&run, GPU_ADDRESS)->in_use, "udev looks at it");
        run_carry_out(&run);
        run_expect(&run, STATE_PENDING, REASON_IN_USE_PROCESS, "udev looks at it");
        run_expect_no_write(&run);
        ASSERT_EQ(run_function(&run, GPU_ADDRESS)->record.state, STATE_BOUND);
}

static void test_guard_blind(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        fake_kernel_inject(run.stand.kernel, 12, FAKE_FAIL_BEFORE, -EACCES);
        run_carry_out(&run);
        ASSERT_CONTAINS(run.stand.kernel->trace, "guard 0000:01:00.0 ! EACCES");
        run_expect(&run, STATE_REFUSED, REASON_GUARD_BLIND, "Permission denied");
        run_expect_no_write(&run);
}

static void test_hotplug_in_use(void)
{
        _cleanup_run_ Run run = {};

        /* lost to the host's driver, and in use at once: it stays the host's, untouched */
        run_prepare(&run, "bind-hotplug-lost");
        strcpy(run_function(&run, NIC_ADDRESS)->in_use, "eth0 is in br0");
        run_function(&run, NIC_ADDRESS)->use = IN_USE_NETWORK;
        run_carry_out(&run);
        run_expect(&run, STATE_REFUSED, REASON_IN_USE_NETWORK, "eth0 is in br0");
        ASSERT_STREQ(run_function(&run, NIC_ADDRESS)->driver, "e1000e");
        ASSERT_STREQ(run_function(&run, NIC_ADDRESS)->override, "");
}

static void test_needs_apply(void)
{
        _cleanup_run_ Run run = {};

        /* the plan knew of no driver, and nobody gave leave to unbind one */
        run_prepare(&run, "bind-hotplug-lost");
        run.stand.group.members[0].fresh = false;
        run_carry_out(&run);
        run_expect(&run, STATE_PENDING, REASON_NEEDS_APPLY, "vfio-bindctl apply");
        ASSERT_STREQ(run_function(&run, NIC_ADDRESS)->driver, "e1000e");
        ASSERT_STREQ(run_function(&run, NIC_ADDRESS)->override, "");
}

/* Another program unbound it and gives it to the host's driver; its probe took longer than it took
 * us to plan. It is still what was taken from us, and is reclaimed when that is planned. */
static void test_reclaim_came_too_early(void)
{
        _cleanup_(run_done) Run run;
        FakeRecord *record;

        run_prepare(&run, "bind-clean");
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
        run_carry_out(&run);
        run_expect(&run, STATE_PENDING, REASON_NEEDS_APPLY, "nouveau has taken it meanwhile");
        record = &run_function(&run, GPU_ADDRESS)->record;
        ASSERT_EQ(record->state, STATE_BOUND);
        ASSERT_TRUE(record->has_original);
        run_expect_no_write(&run);
}

static void test_driver_came_before_lock(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-hotplug");
        run.stand.group.members[0].fresh = false;
        fake_kernel_add_driver(run.stand.kernel, "e1000e", true);
        strcpy(run_function(&run, NIC_ADDRESS)->driver, "e1000e");
        run_carry_out(&run);
        run_expect(&run, STATE_PENDING, REASON_NEEDS_APPLY, "e1000e");
        run_expect_no_write(&run);
}

static void test_open(const char *scenario)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, scenario);
        for (size_t i = 0; i < run.stand.kernel->n_functions; i++)
                if (driver_is_vfio(run.stand.kernel->functions[i].driver))
                        strcpy(run.stand.kernel->functions[i].open_by, "1234 (qemu)");
        run_carry_out(&run);
        run_expect(&run, STATE_REFUSED, REASON_BUSY_VFIO, "1234 (qemu)");
        run_expect_no_write(&run);
}

static void test_module_missing(const char *module, const char *text)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        fake_kernel_remove_driver(run.stand.kernel, module);
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_DRIVER_MISSING, text);
        run_expect_no_write(&run);
        ASSERT_TRUE(!strstr(run.stand.kernel->trace, "save-original"));
}

static void test_bind_error(int error, Reason reason, const char *text)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        run_refuse(&run, SOUND_ADDRESS, "vfio-pci", error);
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, reason, text);
        run_expect_member(&run, 0, STATE_FAILED, REASON_ROLLED_BACK);
        run_expect_member(&run, 1, STATE_FAILED, reason);
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->driver, "nouveau");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->driver, "snd_hda_intel");
        /* so that it is not tried again under this configuration */
        ASSERT_EQ(run_function(&run, GPU_ADDRESS)->record.state, STATE_FAILED);
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->record.config_digest, "0123456789abcdef");
}

static void test_denylist(void)
{
        _cleanup_run_ Run run = {};
        Device *device;

        run_prepare(&run, "bind-taken");
        device = (Device *) run.stand.group.members[1].device;
        device->vendor = 0x8086;
        device->device = 0x37c8;
        run_refuse(&run, GPU_ADDRESS, "vfio-pci", -EINVAL);
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_DRIVER_DENIED, "8086:37c8");
}

static void test_pf_has_vfs(void)
{
        _cleanup_run_ Run run = {};
        Device *device;

        run_prepare(&run, "bind-taken");
        device = (Device *) run.stand.group.members[1].device;
        device->sriov_total_vfs = 4;
        run_function(&run, GPU_ADDRESS)->total_vfs = 4;
        run_function(&run, GPU_ADDRESS)->num_vfs = 2;
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_PF_HAS_VFS, "sriov_numvfs");
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

        run_prepare(&run, "bind-taken");
        run.stand.kernel->hook = grab_between_unbind_and_bind;
        run_carry_out(&run);
        run_expect(&run, STATE_FAILED, REASON_ROLLBACK_FAILED, "nvidia");
        /* somebody else's doing is left alone; the other member is put back all the same */
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->driver, "nvidia");
        ASSERT_STREQ(run_function(&run, GPU_ADDRESS)->override, "something");
        ASSERT_STREQ(run_function(&run, SOUND_ADDRESS)->driver, "snd_hda_intel");
        run_expect_member(&run, 0, STATE_FAILED, REASON_ROLLBACK_FAILED);
        run_expect_member(&run, 1, STATE_FAILED, REASON_ROLLED_BACK);
        ASSERT_TRUE(run_function(&run, GPU_ADDRESS)->record.has_original);
}

static void test_no_override(void)
{
        _cleanup_run_ Run run = {};

        run_prepare(&run, "bind-taken");
        run_function(&run, GPU_ADDRESS)->has_override_file = false;
        run_carry_out(&run);
        run_expect(&run, STATE_REFUSED, REASON_NO_DRIVER_OVERRIDE, "driver_override");
}

int main(void)
{
        test_guard();
        test_guard_allowed();
        test_guard_waits_for_udev();
        test_guard_looks_again_after_waiting();
        test_guard_does_not_refuse_for_udev();
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
        return 0;
}
