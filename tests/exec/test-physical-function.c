/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* autoprobe and the number of VFs of a physical function. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"
#include "scenarios.h"
#include "util/strings.h"

#define PF "0000:06:00.0"

static const char *const machine =
        "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=1\n";

typedef struct Run {
        Config *config;
        TextMachine machine;
        PhysicalFunctionPlan plan;
        FakeKernel *kernel;
        FakeFunction *pf;
        PhysicalFunctionReport report;
} Run;

static void run_done(Run *run)
{
        run->kernel = fake_kernel_free(run->kernel);
        text_machine_done(&run->machine);
        run->config = config_free(run->config);
}
#define _cleanup_run_ _cleanup_(run_done)

static void prepare_machine(Run *run, const char *text, bool autoprobe_off, unsigned num_vfs)
{
        ASSERT_OK(config_new(&run->config));
        text_machine_parse(text, run->config, &run->machine);
        run->plan = (PhysicalFunctionPlan){
                .device = &run->machine.snapshot->devices[0],
                .autoprobe_off = autoprobe_off,
                .set_num_vfs = num_vfs > 0,
                .num_vfs = num_vfs,
                .state = STATE_PENDING,
        };
        run->kernel = fake_kernel_new(run->machine.snapshot);
        run->kernel->keep_trace = true;
        run->pf = fake_kernel_function(run->kernel, PF);
}

static void prepare(Run *run, bool autoprobe_off, unsigned num_vfs)
{
        prepare_machine(run, machine, autoprobe_off, num_vfs);
}

static void carry_out(Run *run)
{
        TransactionOptions options = { .stage = STAGE_RUNTIME, .config_digest = "digest" };
        Operations operations;

        fake_kernel_operations(run->kernel, &operations);
        ASSERT_OK(physical_function_run(&run->plan, &options, &operations, &run->report));
        ASSERT_TRUE(!run->kernel->locked[20]);
}

static void expect(const Run *run, State state, Reason reason, const char *text)
{
        ASSERT_STREQ(state_to_string(run->report.state), state_to_string(state));
        ASSERT_STREQ(reason_to_string(run->report.reason), reason_to_string(reason));
        ASSERT_CONTAINS(run->report.text, text);
}

static void test_set_up(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, true, 4);
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        /* the order matters: no VF may come while autoprobe is on */
        ASSERT_STREQ(run.kernel->trace,
                "lock-group 20\n"
                "load-record 0000:06:00.0\n"
                "read-autoprobe 0000:06:00.0 = 1\n"
                "read-driver 0000:06:00.0 = igb\n"
                "save-original 0000:06:00.0\n"
                "write-autoprobe 0000:06:00.0 0\n"
                "read-autoprobe 0000:06:00.0 = 0\n"
                "read-num-vfs 0000:06:00.0 = 0\n"
                "read-driver 0000:06:00.0 = igb\n"
                "write-num-vfs 0000:06:00.0 4\n"
                "read-num-vfs 0000:06:00.0 = 4\n"
                "unlock-group 20\n");
        ASSERT_STREQ(run.pf->record.original_autoprobe, "1");
        ASSERT_STREQ(run.pf->record.original_driver, "igb");
}

static void test_restore(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, true, 0);
        carry_out(&run);
        ASSERT_EQ(run.pf->autoprobe, 0);
        run.plan.autoprobe_off = false;
        run.plan.autoprobe_restore = true;
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_EQ(run.pf->autoprobe, 1);
        ASSERT_TRUE(!run.pf->record.has_original);
}

static void test_restore_nothing(void)
{
        _cleanup_run_ Run run = {};

        /* it was off before us: nothing was recorded, nothing is written */
        prepare(&run, true, 0);
        run.pf->autoprobe = 0;
        carry_out(&run);
        run.plan.autoprobe_off = false;
        run.plan.autoprobe_restore = true;
        carry_out(&run);
        ASSERT_EQ(run.pf->autoprobe, 0);
        ASSERT_TRUE(!strstr(run.kernel->trace, "write-"));
}

static void test_joins_original(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, true, 0);
        run.pf->record = (FakeRecord){ .has_original = true, .original_driver = "older",
                .exists = true, .manual = MANUAL_BOUND };
        carry_out(&run);
        ASSERT_STREQ(run.pf->record.original_driver, "older");
        ASSERT_STREQ(run.pf->record.original_autoprobe, "1");
        ASSERT_EQ(run.pf->record.manual, MANUAL_BOUND);
}

static void test_not_from_another_number(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, false, 4);
        run.pf->num_vfs = 2;
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_NUMVFS_DIFFERS, "2 virtual functions");
        ASSERT_EQ(run.pf->num_vfs, 2);
}

static const char *const machine_with_vfs =
        "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=0\n"
        "0000:06:10.0 id=8086:10ca class=020000 group=21 driver=vfio-pci pf=0000:06:00.0 vf=0\n"
        "0000:06:10.2 id=8086:10ca class=020000 group=22 driver=igbvf pf=0000:06:00.0 vf=1\n"
        "0000:06:10.4 id=8086:10ca class=020000 group=23 pf=0000:06:00.0 vf=2\n";

/* A plan to have `wanted` VFs in place of three. */
static void prepare_change(Run *run, const Device *virtual_functions[static 3], unsigned wanted)
{
        prepare_machine(run, machine_with_vfs, false, wanted);
        for (unsigned i = 0; i < 3; i++)
                virtual_functions[i] = &run->machine.snapshot->devices[1 + i];
        run->plan.set_num_vfs = true;
        run->plan.reason = REASON_NUMVFS_DIFFERS;
        run->plan.virtual_functions = virtual_functions;
        run->plan.n_virtual_functions = 3;
        run->pf->num_vfs = 3;
}

static void test_change(void)
{
        _cleanup_run_ Run run = {};
        const Device *virtual_functions[3];

        prepare_change(&run, virtual_functions, 5);
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_STREQ(run.kernel->trace,
                "lock-group 20\n"
                "load-record 0000:06:00.0\n"
                "read-num-vfs 0000:06:00.0 = 3\n"
                "read-driver 0000:06:00.0 = igb\n"
                "read-driver 0000:06:10.0 = vfio-pci\n"
                "is-open 0000:06:10.0\n"
                "read-driver 0000:06:10.2 = igbvf\n"
                "guard 0000:06:10.2\n"
                "read-driver 0000:06:10.4\n"
                "is-open 0000:06:10.4\n"
                "write-num-vfs 0000:06:00.0 0\n"
                "write-num-vfs 0000:06:00.0 5\n"
                "read-num-vfs 0000:06:00.0 = 5\n"
                "unlock-group 20\n");
}

static void test_change_to_none(void)
{
        _cleanup_run_ Run run = {};
        const Device *virtual_functions[3];

        prepare_change(&run, virtual_functions, 0);
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_EQ(run.pf->num_vfs, 0);
}

static void test_change_while_open(void)
{
        _cleanup_run_ Run run = {};
        const Device *virtual_functions[3];

        prepare_change(&run, virtual_functions, 5);
        strcpy(fake_kernel_function(run.kernel, "0000:06:10.0")->open_by, "42 (qemu)");
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_NUMVFS_DIFFERS, "0000:06:10.0 may be in use");
        ASSERT_EQ(run.pf->num_vfs, 3);
}

/* Somebody unbinds it while it is open: its driver's link is gone, its lock is not free. */
static void test_change_while_unbind_is_stuck(void)
{
        _cleanup_run_ Run run = {};
        const Device *virtual_functions[3];

        prepare_change(&run, virtual_functions, 5);
        strcpy(fake_kernel_function(run.kernel, "0000:06:10.4")->open_by, "42 (qemu)");
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_NUMVFS_DIFFERS, "0000:06:10.4 may be in use");
        ASSERT_CONTAINS(run.report.text, "42 (qemu)");
        ASSERT_EQ(run.pf->num_vfs, 3);
}

static void test_change_while_in_use(void)
{
        _cleanup_run_ Run run = {};
        const Device *virtual_functions[3];
        FakeFunction *vf;

        prepare_change(&run, virtual_functions, 5);
        vf = fake_kernel_function(run.kernel, "0000:06:10.2");
        strcpy(vf->in_use, "eno1v1 carries the default route");
        vf->use = IN_USE_NETWORK;
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_NUMVFS_DIFFERS, "eno1v1 carries the default route");
        ASSERT_EQ(run.pf->num_vfs, 3);
}

/* Somebody changed it after the plan was made: those that the plan does not know were not judged. */
static void test_change_of_others(void)
{
        _cleanup_run_ Run run = {};
        const Device *virtual_functions[3];

        prepare_change(&run, virtual_functions, 5);
        run.pf->num_vfs = 4;
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_NUMVFS_DIFFERS, "4 virtual functions");
        ASSERT_EQ(run.pf->num_vfs, 4);
}

static void test_change_that_fails(void)
{
        _cleanup_run_ Run run = {};
        const Device *virtual_functions[3];

        /* the write of 5, after that of 0 */
        prepare_change(&run, virtual_functions, 5);
        fake_kernel_inject(run.kernel, 12, FAKE_FAIL_BEFORE, -ENOMEM);
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_VFS_FEWER_THAN_ASKED, "no room for 5");
        ASSERT_EQ(run.pf->num_vfs, 3);
}

static void test_already_there(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, false, 4);
        run.pf->num_vfs = 4;
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_TRUE(!strstr(run.kernel->trace, "write-"));
}

static void test_fewer(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, false, 4);
        run.pf->possible_vfs = 3;
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_VFS_FEWER_THAN_ASKED, "3 came");
        /* remembered, so that it is not tried again by itself */
        ASSERT_EQ(run.pf->record.state, STATE_FAILED);
        ASSERT_STREQ(run.pf->record.config_digest, "digest");

        run.pf->num_vfs = 0;
        run.pf->possible_vfs = 7;
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_EQ(run.pf->record.state, STATE_UNCLAIMED);
}

static void test_no_driver(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, false, 4);
        run.pf->driver[0] = '\0';
        carry_out(&run);
        expect(&run, STATE_PENDING, REASON_PF_NOT_BOUND, "host driver");
}

static void test_driver_without_sriov(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, false, 4);
        strcpy(run.pf->driver, "vfio-pci");
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_SRIOV_UNSUPPORTED, "vfio-pci");
}

static void test_no_sriov(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, true, 4);
        run.pf->autoprobe = -1;
        carry_out(&run);
        expect(&run, STATE_REFUSED, REASON_SRIOV_UNSUPPORTED, "firmware");
}

static void test_too_many(void)
{
        _cleanup_run_ Run run = {};

        prepare(&run, false, 9);
        carry_out(&run);
        expect(&run, STATE_FAILED, REASON_VFS_FEWER_THAN_ASKED, "cannot have 9");
}

/* Every kind of plan for a physical function. */
typedef enum Kind {
        KIND_SET_UP,
        KIND_AUTOPROBE,
        KIND_RESTORE,
        KIND_CHANGE,
        _KIND_MAX,
} Kind;

static void prepare_kind(Run *run, Kind kind, const Device *virtual_functions[static 3])
{
        if (kind == KIND_CHANGE) {
                prepare_change(run, virtual_functions, 5);
                return;
        }
        prepare(run, kind != KIND_RESTORE, kind == KIND_SET_UP ? 4 : 0);
        if (kind != KIND_RESTORE)
                return;
        run->plan.autoprobe_restore = true;
        run->pf->autoprobe = 0;
        run->pf->record = (FakeRecord){ .has_original = true, .original_driver = "igb",
                .original_autoprobe = "1" };
}

static bool is_as_wanted(const Run *run, Kind kind)
{
        switch (kind) {
        case KIND_SET_UP:
                return run->pf->autoprobe == 0 && run->pf->num_vfs == 4;
        case KIND_AUTOPROBE:
                return run->pf->autoprobe == 0;
        case KIND_RESTORE:
                return run->pf->autoprobe == 1 && !run->pf->record.has_original;
        default:
                return run->pf->num_vfs == 5;
        }
}

static void check_rules(const Run *run, Kind kind)
{
        ASSERT_STREQ(run->pf->driver, "igb");
        /* no VF comes while automatic probing is on, and what was changed is on record */
        if (kind == KIND_SET_UP)
                ASSERT_TRUE(run->pf->num_vfs == 0 || run->pf->autoprobe == 0);
        if (kind != KIND_CHANGE && run->pf->autoprobe == 0)
                ASSERT_STREQ(run->pf->record.original_autoprobe, "1");
        ASSERT_STREQ(run->kernel->violations, "");
}

/* The process dies, or not, and whoever comes next finishes. */
static unsigned run_kind(Kind kind, unsigned at, FakeFailure failure, int error)
{
        _cleanup_run_ Run run = {};
        const Device *virtual_functions[3];
        bool is_kill = failure == FAKE_KILL || failure == FAKE_KILL_AFTER;
        pid_t child = 0;
        unsigned n;

        prepare_kind(&run, kind, virtual_functions);
        if (at > 0)
                fake_kernel_inject(run.kernel, at, failure, error);
        if (at > 0 && is_kill)
                child = fork();
        ASSERT_TRUE(child >= 0);
        if (child == 0)
                carry_out(&run);
        if (child == 0 && at > 0 && is_kill)
                _exit(EXIT_SUCCESS); /* there was no such operation */
        if (child > 0)
                ASSERT_EQ(waitpid(child, NULL, 0), child);
        n = run.kernel->n_operations;
        if (at == 0) {
                ASSERT_TRUE(is_as_wanted(&run, kind));
                return n;
        }

        check_rules(&run, kind);
        if (child == 0 && run.report.state == STATE_BOUND)
                ASSERT_TRUE(is_as_wanted(&run, kind) || kind == KIND_RESTORE);
        if (child == 0 && run.report.state != STATE_BOUND)
                ASSERT_TRUE(run.report.text[0]);
        /* as many as there were are better than none */
        if (child == 0 && kind == KIND_CHANGE)
                ASSERT_TRUE(run.pf->num_vfs > 0);

        run.kernel->injections[0].at = 0;
        run.kernel->locked[20] = false;
        carry_out(&run);
        expect(&run, STATE_BOUND, REASON_NONE, "");
        ASSERT_TRUE(is_as_wanted(&run, kind));
        check_rules(&run, kind);
        return n;
}

static void test_failures(void)
{
        static const int errors[] = { EIO, EBUSY, EINVAL, ENOENT, EPERM, ENOMEM };

        for (Kind kind = 0; kind < _KIND_MAX; kind++) {
                unsigned n = run_kind(kind, 0, FAKE_FAIL_BEFORE, 0);

                /* the lock is for whoever else works on the group */
                for (unsigned at = 2; at < n; at++) {
                        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                                (void) run_kind(kind, at, FAKE_FAIL_BEFORE, -errors[i]);
                                (void) run_kind(kind, at, FAKE_FAIL_AFTER, -errors[i]);
                        }
                        (void) run_kind(kind, at, FAKE_KILL, 0);
                        (void) run_kind(kind, at, FAKE_KILL_AFTER, 0);
                }
        }
}

int main(void)
{
        test_set_up();
        test_restore();
        test_restore_nothing();
        test_joins_original();
        test_not_from_another_number();
        test_change();
        test_change_to_none();
        test_change_while_open();
        test_change_while_unbind_is_stuck();
        test_change_while_in_use();
        test_change_of_others();
        test_change_that_fails();
        test_already_there();
        test_fewer();
        test_no_driver();
        test_driver_without_sriov();
        test_no_sriov();
        test_too_many();
        test_failures();
        return 0;
}
