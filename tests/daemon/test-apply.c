/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>

#include "daemon/fixture.h"
#include "daemon/manager-internal.h"

#define DISK  "0000:02:00.0"
#define OTHER "0000:03:00.0"

#define TREE                                                                                       \
        "0000:00:1d.0 id=8086:7ab0 class=060400 bridge driver=pcieport group=6\n"                  \
        DISK " parent=0000:00:1d.0 id=1b36:0010 class=010802 driver=nvme group=15\n"               \
        "0000:00:1e.0 id=8086:7ab0 class=060400 bridge driver=pcieport group=7\n"                  \
        OTHER " parent=0000:00:1e.0 id=8086:10d3 class=020000 driver=e1000e group=16\n"
#define CONFIG "[Claim disk]\nMatch=02:00.0\n"

typedef struct Answered {
        size_t n_calls;
        int error;
        size_t n;
        PciAddress addresses[8];
        State states[8];
        Reason reasons[8];
        char texts[8][256];
} Answered;

static void on_done(void *userdata, int error, const ApplyResult *result)
{
        Answered *answered = userdata;

        answered->n_calls++;
        answered->error = error;
        answered->n = result->n;
        ASSERT_TRUE(result->n <= ELEMENTSOF(answered->states));
        for (size_t i = 0; i < result->n; i++) {
                answered->addresses[i] = result->addresses[i];
                answered->states[i] = result->states[i];
                answered->reasons[i] = result->reasons[i];
                (void) snprintf(answered->texts[i], sizeof(answered->texts[i]), "%s",
                        result->texts[i] ?: "");
        }
}

static int64_t request(Fixture *fixture, ApplyRequest apply, const char *address,
        Answered *answered)
{
        PciAddress parsed;

        if (address) {
                ASSERT_OK(pci_address_parse(address, &parsed));
                apply.function = &parsed;
        }
        return manager_apply(fixture->manager, &apply, on_done, answered);
}

static void run_request(Fixture *fixture, ApplyRequest apply, const char *address,
        Answered *answered)
{
        *answered = (Answered){};
        ASSERT_TRUE(request(fixture, apply, address, answered) > 0);
        ASSERT_EQ(answered->n_calls, 0);
        FIXTURE_RUN_UNTIL(fixture, answered->n_calls > 0);
        ASSERT_EQ(answered->n_calls, 1);
}

static void start(Fixture *fixture, const char *config)
{
        fixture_init(fixture, TREE, config);
        fixture_start(fixture);
        fixture_settle(fixture);
}

/* What waited for somebody to ask is taken; asking again changes nothing. */
static void test_apply_takes(void)
{
        Fixture fixture;
        Answered answered;
        size_t writes;

        start(&fixture, CONFIG);
        ASSERT_DEVICE(&fixture, DISK, "pending", "needs-apply");
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_OK(answered.error);
        ASSERT_EQ(answered.n, 1);
        ASSERT_EQ(answered.states[0], STATE_BOUND);
        ASSERT_DEVICE(&fixture, DISK, "bound", "");
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        ASSERT_DRIVER(&fixture, OTHER, "e1000e");
        ASSERT_EQ(fixture_member(&fixture, DISK)->device->record->provenance, PROVENANCE_TAKEN);

        writes = machine_count_writes(&fixture.machine);
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_EQ(answered.states[0], STATE_BOUND);
        ASSERT_EQ(machine_count_writes(&fixture.machine), writes);
        fixture_done(&fixture);
}

static void test_unknown_names(void)
{
        Fixture fixture;
        Answered answered = {};
        char *claims[] = { (char *) "nothing", NULL };
        ApplyRequest apply = APPLY_REQUEST_ALL;

        start(&fixture, CONFIG);
        apply.claims = claims;
        ASSERT_EQ(request(&fixture, apply, NULL, &answered), -ENOENT);
        ASSERT_EQ(request(&fixture, APPLY_REQUEST_ALL, "0000:7f:00.0", &answered), -ENOENT);
        /* another card has the address by now */
        apply = APPLY_REQUEST_ALL;
        apply.inode = fixture_member(&fixture, DISK)->device->inode + 1;
        ASSERT_EQ(request(&fixture, apply, DISK, &answered), -ENOENT);
        fixture_settle(&fixture);
        ASSERT_EQ(answered.n_calls, 0);
        fixture_done(&fixture);
}

/* The group is busy while a request works on it; other groups are not. */
static void test_busy(void)
{
        Fixture fixture;
        Answered first = {}, second = {}, other = {};
        ApplyRequest bind = APPLY_REQUEST_ALL;

        bind.manual = MANUAL_BOUND;
        start(&fixture, CONFIG);
        bind.inode = fixture_member(&fixture, OTHER)->device->inode;
        machine_close_gate(&fixture.machine);
        ASSERT_TRUE(request(&fixture, APPLY_REQUEST_ALL, DISK, &first) > 0);
        ASSERT_DEVICE(&fixture, DISK, "binding", "");
        ASSERT_EQ(request(&fixture, APPLY_REQUEST_ALL, DISK, &second), -EBUSY);
        ASSERT_EQ(request(&fixture, APPLY_REQUEST_ALL, NULL, &second), -EBUSY);
        ASSERT_TRUE(request(&fixture, bind, OTHER, &other) > 0);
        machine_let_pass(&fixture.machine, 4);
        FIXTURE_RUN_UNTIL(&fixture, first.n_calls > 0 && other.n_calls > 0);
        ASSERT_EQ(second.n_calls, 0);
        ASSERT_EQ(first.states[0], STATE_BOUND);
        ASSERT_EQ(other.states[0], STATE_BOUND);
        fixture_done(&fixture);
}

/* A request for a group that the daemon itself is at waits for it. */
static void test_waits_for_the_daemon(void)
{
        Fixture fixture;
        Answered answered = {};

        fixture_init(&fixture, TREE, CONFIG);
        machine_set_driver(&fixture.machine, DISK, "");
        machine_close_gate(&fixture.machine);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_DEVICE(&fixture, DISK, "binding", "");
        ASSERT_TRUE(request(&fixture, APPLY_REQUEST_ALL, NULL, &answered) > 0);
        machine_let_pass(&fixture.machine, 1);
        FIXTURE_RUN_UNTIL(&fixture, answered.n_calls > 0);
        ASSERT_OK(answered.error);
        ASSERT_EQ(answered.states[0], STATE_BOUND);
        fixture_done(&fixture);
}

/* The work outlives a caller that went away. */
static void test_forgotten(void)
{
        Fixture fixture;
        Answered answered = {};
        int64_t identifier;

        start(&fixture, CONFIG);
        machine_close_gate(&fixture.machine);
        identifier = request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_TRUE(identifier > 0);
        manager_forget_apply(fixture.manager, identifier);
        manager_forget_apply(fixture.manager, identifier + 1);
        machine_let_pass(&fixture.machine, 2);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, DISK, "bound", "");
        FIXTURE_RUN_UNTIL(&fixture, !fixture.manager->applies);
        ASSERT_EQ(answered.n_calls, 0);
        fixture_done(&fixture);
}

static void test_failure_is_answered(void)
{
        Fixture fixture;
        Answered answered;

        start(&fixture, CONFIG);
        machine_fail(&fixture.machine, DISK, OPERATION_BIND, -EINVAL);
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_OK(answered.error);
        ASSERT_EQ(answered.n, 1);
        ASSERT_EQ(answered.states[0], STATE_FAILED);
        ASSERT_TRUE(answered.reasons[0] != REASON_NONE);
        fixture_done(&fixture);
}

/* Given back by hand, it stays given back, until somebody binds it again. */
static void test_release_and_bind_by_hand(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest release = APPLY_REQUEST_ALL, bind = APPLY_REQUEST_ALL;

        release.manual = MANUAL_RELEASED;
        bind.manual = MANUAL_BOUND;
        start(&fixture, CONFIG);
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        run_request(&fixture, release, DISK, &answered);
        ASSERT_OK(answered.error);
        ASSERT_EQ(answered.n, 1);
        ASSERT_EQ(answered.states[0], STATE_RELEASED);
        ASSERT_DRIVER(&fixture, DISK, "nvme");

        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_DRIVER(&fixture, DISK, "nvme");
        ASSERT_DEVICE(&fixture, DISK, "released", "");
        fixture_stop(&fixture);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, DISK, "released", "");

        run_request(&fixture, bind, DISK, &answered);
        ASSERT_EQ(answered.states[0], STATE_BOUND);
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        fixture_done(&fixture);
}

static void kill_workers(void)
{
        FILE *file = fopen("/proc/thread-self/children", "re");
        int pid, n = 0;

        ASSERT_TRUE(file);
        while (fscanf(file, "%d", &pid) == 1) {
                ASSERT_OK(kill(pid, SIGKILL));
                n++;
        }
        fclose(file);
        ASSERT_TRUE(n >= 1); /* the one before may not have been waited for yet */
}

/* Somebody kills the worker, and the second one: the daemon itself takes it up and finishes it, and
 * that is the answer. */
static void test_answer_after_kills(void)
{
        Fixture fixture;
        Answered answered = {};
        ApplyRequest release = APPLY_REQUEST_ALL;

        release.manual = MANUAL_RELEASED;
        start(&fixture, CONFIG);
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        answered = (Answered){};
        machine_close_gate(&fixture.machine);
        ASSERT_TRUE(request(&fixture, release, DISK, &answered) > 0);
        for (unsigned i = 0; i < 2; i++) {
                FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
                if (i == 1)
                        machine_open_gate(&fixture.machine);
                kill_workers();
        }
        FIXTURE_RUN_UNTIL(&fixture, answered.n_calls > 0);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, "nvme");
        ASSERT_DEVICE(&fixture, DISK, "released", "");
        ASSERT_EQ(answered.states[0], STATE_RELEASED);
        fixture_done(&fixture);
}

/* While a worker gives a function back, its driver changes before its record: nobody took it. */
static void test_release_is_no_drift(void)
{
        Fixture fixture;
        Answered answered = {};
        ApplyRequest release = APPLY_REQUEST_ALL;
        size_t n_published;

        release.manual = MANUAL_RELEASED;
        start(&fixture, CONFIG);
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        answered = (Answered){};
        machine_close_gate(&fixture.machine);
        ASSERT_TRUE(request(&fixture, release, DISK, &answered) > 0);
        FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
        machine_set_driver(&fixture.machine, DISK, "nvme");
        n_published = fixture.n_published;
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, fixture.n_published > n_published);
        ASSERT_DEVICE(&fixture, DISK, "releasing", "");
        ASSERT_EQ(fixture_member(&fixture, DISK)->device->record->drift_count, 0);

        machine_set_driver(&fixture.machine, DISK, "vfio-pci");
        machine_let_pass(&fixture.machine, 2);
        FIXTURE_RUN_UNTIL(&fixture, answered.n_calls > 0);
        ASSERT_EQ(answered.states[0], STATE_RELEASED);
        ASSERT_DEVICE(&fixture, DISK, "released", "");
        fixture_done(&fixture);
}

/* What is not ours has nothing to give back, and the answer says what it is. */
static void test_release_of_what_is_not_ours(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest release = APPLY_REQUEST_ALL;

        release.manual = MANUAL_RELEASED;
        start(&fixture, CONFIG);
        run_request(&fixture, release, OTHER, &answered);
        ASSERT_OK(answered.error);
        ASSERT_EQ(answered.n, 1);
        ASSERT_EQ(answered.states[0], STATE_UNCLAIMED);
        ASSERT_DRIVER(&fixture, OTHER, "e1000e");
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        fixture_done(&fixture);
}

/* The answer says why, though the view has no word for what nobody claims. */
static void test_refused_bind_without_a_claim(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest bind = APPLY_REQUEST_ALL;

        bind.manual = MANUAL_BOUND;
        fixture_init(&fixture, TREE "block sda 8:0 @" OTHER "/host0/block/sda\n", CONFIG);
        fake_sysfs_write(fixture.machine.tree, "proc/self/mountinfo",
                "1 0 8:0 / /srv rw - ext4 /dev/sda rw\n");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        run_request(&fixture, bind, OTHER, &answered);
        ASSERT_EQ(answered.n, 1);
        ASSERT_EQ(answered.states[0], STATE_REFUSED);
        ASSERT_EQ(answered.reasons[0], REASON_IN_USE_SYSTEM);
        ASSERT_TRUE(strstr(answered.texts[0], "/srv"));
        ASSERT_DEVICE(&fixture, OTHER, "unclaimed", "");
        ASSERT_DRIVER(&fixture, OTHER, "e1000e");
        fixture_done(&fixture);
}

/* A function that no claim selects can be bound by hand, and stays bound. */
static void test_bind_without_a_claim(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest bind = APPLY_REQUEST_ALL;

        bind.manual = MANUAL_BOUND;
        start(&fixture, CONFIG);
        run_request(&fixture, bind, OTHER, &answered);
        ASSERT_OK(answered.error);
        ASSERT_EQ(answered.states[0], STATE_BOUND);
        ASSERT_DRIVER(&fixture, OTHER, "vfio-pci");
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, OTHER, "bound", "");
        fixture_done(&fixture);
}

/* What the request says counts in place of what the claim says. */
static void test_settings_by_hand(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest bind = APPLY_REQUEST_ALL;

        bind.manual = MANUAL_BOUND;
        bind.driver = "pci-stub";
        start(&fixture, CONFIG);
        run_request(&fixture, bind, DISK, &answered);
        ASSERT_OK(answered.error);
        ASSERT_DRIVER(&fixture, DISK, "pci-stub");

        /* it lasts, though the claim says otherwise */
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_DRIVER(&fixture, DISK, "pci-stub");
        ASSERT_DEVICE(&fixture, DISK, "bound", "");
        fixture_stop(&fixture);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, DISK, "bound", "");
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_DRIVER(&fixture, DISK, "pci-stub");

        /* until somebody asks for what the claim says */
        bind.driver = NULL;
        run_request(&fixture, bind, DISK, &answered);
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        fixture_done(&fixture);
}

/* Nothing in the configuration asks for it: "auto" is looked up for the request. */
static void test_auto_by_hand(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest bind = APPLY_REQUEST_ALL;

        bind.manual = MANUAL_BOUND;
        bind.driver = "auto";
        start(&fixture, CONFIG);
        fake_sysfs_write(fixture.machine.tree, "proc/sys/kernel/osrelease", "6.12.0\n");
        fake_sysfs_write(fixture.machine.tree, "lib/modules/6.12.0/modules.alias",
                "alias vfio_pci:v00001B36d00000010sv*sd*bc*sc*i* nvme_vfio_pci\n");
        run_request(&fixture, bind, DISK, &answered);
        ASSERT_OK(answered.error);
        ASSERT_DRIVER(&fixture, DISK, "nvme_vfio_pci");
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_DRIVER(&fixture, DISK, "nvme_vfio_pci");
        fixture_done(&fixture);
}

static void test_driver_by_hand_must_be_vfio(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest bind = APPLY_REQUEST_ALL;

        bind.manual = MANUAL_BOUND;
        bind.driver = "e1000e";
        start(&fixture, CONFIG);
        run_request(&fixture, bind, DISK, &answered);
        ASSERT_EQ(answered.states[0], STATE_REFUSED);
        ASSERT_EQ(answered.reasons[0], REASON_DRIVER_NOT_VFIO);
        ASSERT_DRIVER(&fixture, DISK, "nvme");
        fixture_done(&fixture);
}

/* What was bound for a claim that is gone is given back only by prune. */
static void test_prune(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest prune = APPLY_REQUEST_ALL;

        prune.prune = true;
        start(&fixture, CONFIG);
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        machine_configure(&fixture.machine, "");
        ASSERT_OK(manager_reload(fixture.manager));
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, DISK, "bound", "claim-removed");
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");

        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        run_request(&fixture, prune, NULL, &answered);
        ASSERT_OK(answered.error);
        ASSERT_EQ(answered.n, 1);
        ASSERT_DRIVER(&fixture, DISK, "nvme");
        fixture_done(&fixture);
}

/* What cannot be read may be the claim that something was bound for. */
static void test_prune_of_what_cannot_be_read(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest prune = APPLY_REQUEST_ALL;
        SharedConfig *config;

        prune.prune = true;
        start(&fixture, CONFIG);
        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        fixture_stop(&fixture);
        machine_configure(&fixture.machine, "");
        fake_sysfs_write(fixture.machine.tree, "etc/vfio-bind.conf.d", "no directory");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_TRUE(manager_view(fixture.manager)->config->incomplete);
        run_request(&fixture, prune, NULL, &answered);
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        ASSERT_DEVICE(&fixture, DISK, "bound", "claim-removed");

        ASSERT_OK(configuration_read(&fixture.machine.host, "/nonexistent",
                &(KernelCommandLine){}, NULL, &config));
        ASSERT_TRUE(config->config->incomplete);
        shared_config_unref(config);
        fixture_done(&fixture);
}

static void test_switched_off_is_answered(void)
{
        Fixture fixture;
        Answered answered;
        ApplyRequest bind = APPLY_REQUEST_ALL;

        bind.manual = MANUAL_BOUND;
        fixture_init(&fixture, TREE, CONFIG);
        machine_set_command_line(&fixture.machine, "vfio_bindd=off");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        run_request(&fixture, bind, OTHER, &answered);
        ASSERT_EQ(answered.states[0], STATE_REFUSED);
        ASSERT_EQ(answered.reasons[0], REASON_DISABLED_BY_KERNEL_COMMAND_LINE);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        fixture_done(&fixture);
}

static const MemberPlan *find(const Plan *plan, const char *address)
{
        PciAddress parsed;

        ASSERT_OK(pci_address_parse(address, &parsed));
        return plan_find(plan, &parsed, NULL);
}

/* A dry run touches nothing, the next boot's included. */
static void test_dry_run(void)
{
        Fixture fixture;
        Answered answered;
        const Plan *plan, *again;

        start(&fixture, CONFIG);
        ASSERT_OK(manager_plan(fixture.manager, false, false, &plan));
        ASSERT_EQ(find(plan, DISK)->action, ACTION_BIND);
        ASSERT_OK(manager_plan(fixture.manager, false, false, &again));
        ASSERT_TRUE(again == plan); /* planned once for each view, whoever asks how often */
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);

        run_request(&fixture, APPLY_REQUEST_ALL, NULL, &answered);
        ASSERT_OK(manager_plan(fixture.manager, false, false, &plan));
        ASSERT_TRUE(plan_is_empty(plan));
        ASSERT_OK(manager_plan(fixture.manager, false, true, &plan));
        ASSERT_EQ(find(plan, DISK)->action, ACTION_BIND);
        ASSERT_STREQ(find(plan, DISK)->device->driver, "vfio-pci");
        ASSERT_DEVICE(&fixture, DISK, "bound", "");
        fixture_done(&fixture);
}

int main(void)
{
        test_apply_takes();
        test_unknown_names();
        test_busy();
        test_waits_for_the_daemon();
        test_forgotten();
        test_failure_is_answered();
        test_release_and_bind_by_hand();
        test_answer_after_kills();
        test_release_is_no_drift();
        test_release_of_what_is_not_ours();
        test_bind_without_a_claim();
        test_refused_bind_without_a_claim();
        test_settings_by_hand();
        test_auto_by_hand();
        test_driver_by_hand_must_be_vfio();
        test_prune();
        test_prune_of_what_cannot_be_read();
        test_switched_off_is_answered();
        test_dry_run();
        return EXIT_SUCCESS;
}
