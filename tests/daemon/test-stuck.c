/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that do not come back, in a worker of ours and in the hands of another program; what was
 * asked for last is done when they do. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/fixture.h"
#include "host/store.h"

#define DISK "0000:02:00.0"

#define TREE                                                                                       \
        "0000:00:1d.0 id=8086:7ab0 class=060400 bridge driver=pcieport group=6\n"                  \
        DISK " parent=0000:00:1d.0 id=1b36:0010 class=010802 driver=nvme group=15\n"
#define CONFIG "[Defaults]\nTimeout=1s\n[Claim disk]\nMatch=02:00.0\n"

typedef struct Answered {
        size_t n_calls;
        State state;
} Answered;

static void on_done(void *userdata, int error, const ApplyResult *result)
{
        Answered *answered = userdata;

        ASSERT_OK(error);
        ASSERT_EQ(result->n, 1);
        answered->n_calls++;
        answered->state = result->states[0];
}

static void begin_request(Fixture *fixture, Manual manual, bool no_probe, const char *driver,
        Answered *answered)
{
        ApplyRequest request = APPLY_REQUEST_ALL;
        PciAddress address;

        ASSERT_OK(pci_address_parse(DISK, &address));
        request.function = &address;
        request.manual = manual;
        request.no_probe = no_probe;
        request.driver = driver;
        *answered = (Answered){};
        ASSERT_TRUE(manager_apply(fixture->manager, &request, on_done, answered) > 0);
}

static void run_request(Fixture *fixture, Manual manual, bool no_probe, const char *driver,
        Answered *answered)
{
        begin_request(fixture, manual, no_probe, driver, answered);
        FIXTURE_RUN_UNTIL(fixture, answered->n_calls > 0);
}

static void start_bound(Fixture *fixture, const char *config)
{
        Answered answered;

        fixture_init(fixture, TREE, config);
        fixture_start(fixture);
        fixture_settle(fixture);
        run_request(fixture, MANUAL_NONE, false, NULL, &answered);
        ASSERT_DRIVER(fixture, DISK, "vfio-pci");
}

/* What a worker of an earlier daemon is at, which has taken the driver away; returns the lock of the
 * group, which it holds as long as it lives. */
static int leave_worker(Fixture *fixture, const DeviceRecord *record, const char *intent)
{
        PciAddress address;
        const Host *host;
        uint64_t inode;
        int lock;

        fixture_init(fixture, TREE, CONFIG);
        machine_set_driver(&fixture->machine, DISK, "");
        host = &fixture->machine.host;
        inode = fake_sysfs_inode(fixture->machine.tree, DISK);
        ASSERT_OK(pci_address_parse(DISK, &address));
        ASSERT_OK(store_prepare(host));
        ASSERT_OK(store_save_original(host, &address, inode, record));
        ASSERT_OK(store_save(host, &address, inode, record));
        ASSERT_OK(store_begin_intent(host, 15, intent));
        lock = store_lock_group(host, 15, false);
        ASSERT_TRUE(lock >= 0);
        return lock;
}

/* A daemon before this one was told to bind what another program had unbound, and its worker got
 * stuck. When that comes back, what was asked for last is done: it takes nothing from a driver. */
static void test_worker_outlives_daemon(void)
{
        DeviceRecord record = {
                .has_original = true,
                .original_driver = (char *) "nvme",
                .claim = (char *) "disk",
                .target_driver = (char *) "vfio-pci",
                .provenance = PROVENANCE_TAKEN,
                .state = STATE_STUCK,
                .reason = REASON_WORKER_TIMEOUT,
        };
        Fixture fixture;
        int lock;

        lock = leave_worker(&fixture, &record, "bind " DISK " - -> vfio-pci");

        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_DEVICE(&fixture, DISK, "stuck", "worker-timeout");
        close(lock);
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), "stuck") != 0);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, DISK, "bound", "");
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        fixture_done(&fixture);
}

/* A daemon before this one was killed while its worker released a function, before that was late:
 * it is this one that sees it never come back. */
static void test_worker_is_late_after_its_daemon(void)
{
        DeviceRecord record = {
                .original_driver = (char *) "nvme",
                .claim = (char *) "disk",
                .target_driver = (char *) "vfio-pci",
                .provenance = PROVENANCE_TAKEN,
                .state = STATE_BOUND,
                .bound_usec = 1,
        };
        Fixture fixture;
        int lock;

        lock = leave_worker(&fixture, &record, "release " DISK " vfio-pci -> nvme by-hand");

        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_DEVICE(&fixture, DISK, "releasing", "");
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), "releasing") != 0);
        ASSERT_DEVICE(&fixture, DISK, "stuck", "worker-timeout");
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        close(lock);
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), "released") == 0);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, "nvme");
        fixture_done(&fixture);
}

/* A process with a node of the group open, as /proc shows it. */
static void add_holder(Fixture *fixture)
{
        fake_sysfs_write(fixture->machine.tree, "proc/1234/comm", "qemu-system-x86\n");
        fake_sysfs_write(fixture->machine.tree, "proc/1234/cgroup",
                "0::/machine.slice/machine-qemu\\x2d1\\x2done.scope/libvirt/emulator\n");
        fake_sysfs_link(fixture->machine.tree, "proc/1234/fd/7", "dev/vfio/15");
        fake_sysfs_write(fixture->machine.tree, "dev/vfio/15", "");
}

static bool text_names_holder(Fixture *fixture)
{
        const char *text = fixture_member(fixture, DISK)->text;

        return text && strstr(text, "open in 1234 (qemu-system-x86), unit machine-qemu");
}

/* The first step waits until its worker is killed: what is taken up afterwards is what was asked
 * for. A worker that is gone before it can be shown as stuck is followed by the next at once, and
 * the answer is what that one brought about. */
static void test_worker(Manual manual, bool no_probe, const char *bind_driver, const char *driver,
        const char *state)
{
        Fixture fixture;
        Answered answered;

        start_bound(&fixture, CONFIG);
        if (manual == MANUAL_BOUND && !bind_driver)
                run_request(&fixture, MANUAL_RELEASED, false, NULL, &answered);
        machine_close_gate(&fixture.machine);
        begin_request(&fixture, manual, no_probe, bind_driver, &answered);
        FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
        machine_open_gate(&fixture.machine);
        FIXTURE_RUN_UNTIL(&fixture, answered.n_calls > 0);
        ASSERT_TRUE(answered.state == STATE_STUCK ||
                    strcmp(state_to_string(answered.state), state) == 0);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), state) == 0);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, driver);
        ASSERT_DEVICE(&fixture, DISK, state, "");
        fixture_done(&fixture);
}

#define SHARED "0000:03:00.0"
#define SHARED_TREE                                                                                \
        TREE "0000:00:1e.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=6\n"             \
        SHARED " parent=0000:00:1e.0 id=1b36:0011 class=010802 driver=nvme group=15\n"

static void on_done_of_all(void *userdata, int error, const ApplyResult *result)
{
        size_t *n = userdata;

        ASSERT_OK(error);
        ASSERT_EQ(result->n, 2);
        (*n)++;
}

/* A bind by hand that the configuration alone would refuse, of the second one of its group, whose
 * worker is killed when the first one has lost its driver: what is taken up is what was asked
 * for. */
static void test_options_of_a_bind_by_hand(const char *config, const char *driver,
        const char *expected)
{
        ApplyRequest request = APPLY_REQUEST_ALL;
        size_t n_answers = 0;
        PciAddress address;
        Fixture fixture;

        fixture_init(&fixture, SHARED_TREE, config);
        fake_sysfs_write(fixture.machine.tree, "proc/sys/kernel/osrelease", "6.12.0\n");
        fake_sysfs_write(fixture.machine.tree, "lib/modules/6.12.0/modules.alias",
                "alias vfio_pci:v00001B36d00000011sv*sd*bc*sc*i* nvme_vfio_pci\n");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_OK(pci_address_parse(SHARED, &address));
        request.function = &address;
        request.manual = MANUAL_BOUND;
        request.companions = COMPANIONS_ALL;
        request.driver = driver;
        machine_close_gate(&fixture.machine);
        ASSERT_TRUE(manager_apply(fixture.manager, &request, on_done_of_all, &n_answers) > 0);
        FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
        machine_let_pass(&fixture.machine, 1);
        FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
        machine_open_gate(&fixture.machine);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, SHARED), "bound") == 0);
        fixture_settle(&fixture);
        ASSERT_STREQ(fixture_state(&fixture, DISK), "bound");
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        ASSERT_DRIVER(&fixture, SHARED, expected);
        fixture_done(&fixture);
}

static bool has_intent(Fixture *fixture)
{
        return faccessat(fixture->machine.host.root, "run/vfio-bindd/intents/15", F_OK, 0) == 0;
}

/* Whatever keeps its workers can be killed, but does not go away: it is tried once more and answered
 * after the first time, and nothing of it is left to be done when the daemon is started next. */
static void test_never_returns(void)
{
        Fixture fixture;
        Answered answered;
        size_t n = 0;

        start_bound(&fixture, CONFIG);
        machine_close_gate(&fixture.machine);
        begin_request(&fixture, MANUAL_RELEASED, true, NULL, &answered);
        FIXTURE_RUN_UNTIL(&fixture, answered.n_calls > 0);
        ASSERT_EQ(answered.state, STATE_STUCK);
        FIXTURE_RUN_UNTIL(&fixture, !has_intent(&fixture));
        while (machine_is_at_gate(&fixture.machine))
                n++;
        ASSERT_EQ(n, 2);

        machine_open_gate(&fixture.machine);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        fixture_stop(&fixture);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        fixture_done(&fixture);
}

/* What is bound already is stuck in its last step, and comes back: it is not begun again by itself,
 * whether that is seen at once or the worker takes a while to end. */
static void test_last_step(bool takes_a_while)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_set_driver(&fixture.machine, DISK, "vfio-pci");
        machine_close_gate_before(&fixture.machine, OPERATION_FINISH_NODE);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
        FIXTURE_RUN_UNTIL(&fixture, !fixture.manager->works || !fixture.manager->works->n_open);
        if (takes_a_while) {
                int lock = store_lock_group(&fixture.machine.host, 15, true);

                ASSERT_TRUE(lock >= 0);
                FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), "stuck") == 0);
                close(lock);
                fixture_event(&fixture, NULL);
        }
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), "failed") == 0);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, DISK, "failed", "worker-timeout");
        ASSERT_TRUE(!machine_is_at_gate(&fixture.machine));
        fixture_done(&fixture);
}

static void set_file_size_limit(rlim_t limit)
{
        struct rlimit rlimit;

        ASSERT_OK(getrlimit(RLIMIT_FSIZE, &rlimit));
        rlimit.rlim_cur = limit;
        ASSERT_OK(setrlimit(RLIMIT_FSIZE, &rlimit));
}

/* /run is full, so that no record can be written: the daemon shows what is so all the same. */
static void test_no_room_for_records(void)
{
        DeviceRecord record = { .state = STATE_STUCK, .reason = REASON_WORKER_TIMEOUT };
        PciAddress address;
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        ASSERT_OK(store_prepare(&fixture.machine.host));
        ASSERT_OK(pci_address_parse(DISK, &address));
        ASSERT_OK(store_save(&fixture.machine.host, &address,
                fake_sysfs_inode(fixture.machine.tree, DISK), &record));
        ASSERT_TRUE(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        set_file_size_limit(0);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        set_file_size_limit(RLIM_INFINITY);
        ASSERT_DEVICE(&fixture, DISK, "failed", "worker-timeout");
        fixture_done(&fixture);
}

/* Another program gave it to the host, and it is reclaimed; the host's driver is gone from it, but
 * takes longer than we wait for. When our worker has come back, it ends on some driver all the
 * same: on the one that it was to have, or, if that fails, on the host's. */
static void test_reclaim_comes_back(int error, const char *driver, const char *state)
{
        Answered answered;
        Fixture fixture;

        start_bound(&fixture, "[Defaults]\nTimeout=1s\nOnDrift=reclaim\n"
                              "[Claim disk]\nMatch=02:00.0\n");
        machine_set_driver(&fixture.machine, DISK, "nvme");
        machine_close_gate_before(&fixture.machine, OPERATION_UNBIND);
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
        machine_set_driver(&fixture.machine, DISK, "");
        machine_fail_driver(&fixture.machine, "vfio-pci", error);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), "binding") != 0);
        machine_open_gate(&fixture.machine);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), state) == 0 &&
                                            !has_intent(&fixture));
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, driver);
        ASSERT_STREQ(fixture_state(&fixture, DISK), state);

        /* and stays there until somebody asks */
        machine_fail_driver(&fixture.machine, "vfio-pci", 0);
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, driver);
        run_request(&fixture, MANUAL_NONE, false, NULL, &answered);
        ASSERT_DRIVER(&fixture, DISK, "vfio-pci");
        ASSERT_DEVICE(&fixture, DISK, "bound", "");
        fixture_done(&fixture);
}

static void begin_unbinding(Fixture *fixture)
{
        machine_set_driver(&fixture->machine, DISK, "");
        fake_sysfs_write(fixture->machine.tree, "sys/class/vfio/15/dev", "240:0\n");
        fixture_event(fixture, NULL);
}

/* Another program unbinds it while a machine has it open. */
static void test_unbound_by_others(const char *on_drift, const char *driver, const char *state)
{
        _cleanup_free_ char *config = NULL;
        Answered answered;
        Fixture fixture;
        size_t writes;

        ASSERT_TRUE(asprintf(&config, "[Defaults]\nOnDrift=%s\n[Claim disk]\nMatch=02:00.0\n",
                            on_drift) > 0);
        start_bound(&fixture, config);
        add_holder(&fixture);
        writes = machine_count_writes(&fixture.machine);
        begin_unbinding(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), "stuck") == 0);
        FIXTURE_RUN_UNTIL(&fixture, text_names_holder(&fixture));
        ASSERT_CONTAINS(fixture_member(&fixture, DISK)->text, "Another program unbinds it");
        ASSERT_EQ(manager_view(fixture.manager)->n_stuck, 1);
        run_request(&fixture, MANUAL_NONE, false, NULL, &answered);
        ASSERT_EQ(answered.state, STATE_STUCK);
        ASSERT_EQ(machine_count_writes(&fixture.machine), writes);

        fake_sysfs_remove(fixture.machine.tree, "sys/class/vfio/15");
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), state) == 0);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, driver);
        fixture_done(&fixture);
}

/* It comes back at once, as it does where nobody has it open: nothing is said. */
static void test_passing(void)
{
        Fixture fixture;

        start_bound(&fixture, CONFIG);
        begin_unbinding(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, DISK), "releasing") == 0);
        machine_set_driver(&fixture.machine, DISK, "vfio-pci");
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, DISK, "bound", "");
        fixture_done(&fixture);
}

int main(void)
{
        test_worker(MANUAL_RELEASED, false, NULL, "nvme", "released");
        test_worker(MANUAL_RELEASED, true, NULL, "", "released");
        test_worker(MANUAL_BOUND, false, NULL, "vfio-pci", "bound");
        test_worker(MANUAL_BOUND, false, "pci-stub", "pci-stub", "bound");
        test_options_of_a_bind_by_hand("[Defaults]\nTimeout=1s\n", NULL, "vfio-pci");
        test_options_of_a_bind_by_hand("[Defaults]\nTimeout=1s\n", "auto", "nvme_vfio_pci");
        test_options_of_a_bind_by_hand("[Defaults]\nTimeout=1s\nCompanions=none\n"
                                       "[Claim shared]\nMatch=03:00.0\n", NULL, "vfio-pci");
        test_worker_outlives_daemon();
        test_worker_is_late_after_its_daemon();
        test_never_returns();
        test_last_step(false);
        test_last_step(true);
        test_unbound_by_others("report", "", "drifted");
        test_unbound_by_others("reclaim", "vfio-pci", "bound");
        test_reclaim_comes_back(0, "vfio-pci", "bound");
        test_reclaim_comes_back(-EIO, "nvme", "failed");
        test_passing();
        test_no_room_for_records();
        return EXIT_SUCCESS;
}
