/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/fixture.h"
#include "exec/transaction.h"
#include "host/store.h"
#include "host/watching.h"
#include "util/io.h"

#define PF  "0000:06:00.0"
#define VF0 "0000:06:10.0"
#define VF1 "0000:06:10.2"

#define TREE                                                                                       \
        "driver igb\n"                                                                             \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n" PF               \
        " parent=0000:00:1c.0 id=8086:10c9 class=020000 driver=igb group=20 vfs=2 offset=128 "     \
        "stride=2 vf-device=10ca autoprobe=1\n"                                                     \
        "file @" PF "/sriov_numvfs 0\n"
#define VFS                                                                                        \
        VF0 " parent=0000:00:1c.0 id=8086:10ca class=020000 group=21 pf=" PF " vf=0\n" VF1         \
            " parent=0000:00:1c.0 id=8086:10ca class=020000 group=22 pf=" PF " vf=1\n"
#define VF1_ALONE                                                                                  \
        VF1 " parent=0000:00:1c.0 id=8086:10ca class=020000 group=22 pf=" PF " vf=1\n"
#define CONFIG "[PhysicalFunction nic]\nMatch=06:00.0\nNumVFs=2\n[Claim vfs]\nMatch=pf=nic\n"

static char *read_pf(Fixture *fixture, const char *name)
{
        _cleanup_free_ char *directory = fake_sysfs_directory(fixture->machine.tree, PF);
        char path[256];

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        return fake_sysfs_read(fixture->machine.tree, path);
}

/* Autoprobe goes off, the VFs are made, and bound without another event; only then is the boot
 * settled. */
static void test_vfs_are_made_and_bound(void)
{
        _cleanup_free_ char *autoprobe = NULL, *num_vfs = NULL;
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_prepare_virtual_functions(&fixture.machine, VFS);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_TRUE(!manager_view(fixture.manager)->settled);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager)->settled);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, VF0, "bound", "");
        ASSERT_DEVICE(&fixture, VF1, "bound", "");
        ASSERT_STREQ(fixture_claim_state(&fixture, "vfs"), "bound");
        autoprobe = read_pf(&fixture, "sriov_drivers_autoprobe");
        num_vfs = read_pf(&fixture, "sriov_numvfs");
        ASSERT_STREQ(autoprobe, "0");
        ASSERT_STREQ(num_vfs, "2");
        ASSERT_DRIVER(&fixture, PF, "igb");
        fixture_done(&fixture);
}

/* The kernel says of its PF that virtual functions are there: they are bound before udevd has told
 * of any, and are nobody's before us. */
static void test_new_vfs_are_bound_at_once(void)
{
        Fixture fixture;
        WatcherEvent event = { .is_kernel = true };

        fixture_init(&fixture, TREE, "[Claim vfs]\nMatch=pf=06:00.0 vf=0\n");
        ASSERT_OK(pci_address_parse(PF, &event.address));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        fake_sysfs_add(fixture.machine.tree, VFS);

        manager_handle_event(fixture.manager, &event);
        ASSERT_TRUE(fixture.manager->works);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, VF0, "vfio-pci");
        ASSERT_DEVICE(&fixture, VF0, "bound", "");
        ASSERT_EQ(fixture_member(&fixture, VF0)->device->record->provenance, PROVENANCE_CLEAN);

        /* once is enough, and other functions' events are nobody's business */
        manager_handle_event(fixture.manager, &event);
        ASSERT_OK(pci_address_parse("0000:00:1c.0", &event.address));
        manager_handle_event(fixture.manager, &event);
        ASSERT_TRUE(!fixture.manager->works);
        fixture_done(&fixture);
}

/* While its PF probes none, nobody else gives it a driver. */
static void test_an_excluded_vf_goes_to_the_host(void)
{
        Fixture fixture;
        size_t writes;

        fixture_init(&fixture, TREE,
                "[Defaults]\nExclude=pf=06:00.0 vf=1\n[Claim vfs]\nMatch=pf=06:00.0\n");
        fake_sysfs_write(fixture.machine.tree, "hosts/" VF1, "igb");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        fake_sysfs_add(fixture.machine.tree, VFS);
        fixture_event(&fixture, PF);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, VF0, "vfio-pci");
        ASSERT_DRIVER(&fixture, VF1, "igb");
        ASSERT_DEVICE(&fixture, VF1, "unclaimed", "excluded");

        writes = machine_count_writes(&fixture.machine);
        fixture_event(&fixture, VF1);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), writes);
        fixture_done(&fixture);
}

/* A virtual function of the host has come, and waits for the host's driver. */
static void start_giving_to_host(Fixture *fixture, const char *config)
{
        fixture_init(fixture, TREE, config);
        fake_sysfs_write(fixture->machine.tree, "hosts/" VF1, "igb");
        fixture_start(fixture);
        fixture_settle(fixture);
        machine_close_gate_before(&fixture->machine, OPERATION_BIND);
        fake_sysfs_add(fixture->machine.tree, VF1_ALONE);
        fixture_event(fixture, VF1);
        FIXTURE_RUN_UNTIL(fixture, machine_is_at_gate(&fixture->machine));
}

/* A virtual function of the host has the time of its physical function, or that of [Defaults]. */
static void test_time_of_the_host(const char *config, uint64_t usec)
{
        const GroupPlan *group;
        Fixture fixture;

        start_giving_to_host(&fixture, config);
        group = work_find_group(fixture.manager, &(GroupKey){ .number = 22 });
        ASSERT_TRUE(group);
        ASSERT_EQ(group_timeout(group), usec);
        machine_open_gate(&fixture.machine);
        machine_let_pass(&fixture.machine, 1);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, VF1, "igb");
        fixture_done(&fixture);
}

static void assert_override(Fixture *fixture, const char *address, const char *expected)
{
        _cleanup_free_ char *directory = fake_sysfs_directory(fixture->machine.tree, address);
        _cleanup_free_ char *override = NULL;
        char path[256];

        (void) snprintf(path, sizeof(path), "%s/driver_override", directory);
        override = fake_sysfs_read(fixture->machine.tree, path);
        ASSERT_STREQ(override, expected);
}

static void on_done(void *userdata, int error, const ApplyResult *result)
{
        bool *is_done = userdata;

        ASSERT_OK(error);
        *is_done = true;
}

static void apply(Fixture *fixture, const char *address)
{
        ApplyRequest request = APPLY_REQUEST_ALL;
        bool is_done = false;
        PciAddress parsed;

        ASSERT_OK(pci_address_parse(address, &parsed));
        request.function = &parsed;
        ASSERT_TRUE(manager_apply(fixture->manager, &request, on_done, &is_done) > 0);
        FIXTURE_RUN_UNTIL(fixture, is_done);
        fixture_settle(fixture);
}

/* The host's driver takes longer for a virtual function than we wait for it, and takes it in the
 * end or does not: it is under no override then, and nothing of it is ours. */
static void test_host_driver_is_slow(const char *driver, const char *state, const char *reason)
{
        Fixture fixture;

        start_giving_to_host(&fixture, "[Defaults]\nTimeout=1s\n"
                                       "[Claim vfs]\nMatch=pf=06:00.0 vf=0\n");
        FIXTURE_RUN_UNTIL(&fixture, !fixture.manager->works || !fixture.manager->works->n_open);
        machine_set_driver(&fixture.machine, VF1, driver);
        assert_override(&fixture, VF1, "igb");
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, VF1), state) == 0);
        fixture_settle(&fixture);
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_TRUE(!machine_is_at_gate(&fixture.machine));
        ASSERT_DRIVER(&fixture, VF1, driver);
        ASSERT_DEVICE(&fixture, VF1, state, reason);
        assert_override(&fixture, VF1, "(null)");
        ASSERT_TRUE(!fixture_member(&fixture, VF1)->device->record->has_original);

        machine_open_gate(&fixture.machine);
        apply(&fixture, VF1);
        ASSERT_DRIVER(&fixture, VF1, "igb");
        ASSERT_DEVICE(&fixture, VF1, "unclaimed", "");
        assert_override(&fixture, VF1, "(null)");
        fixture_done(&fixture);
}

/* The worker was killed before it wrote anything but how the function was before. */
static void test_host_driver_was_cut_off(void)
{
        DeviceRecord record = { .original_power_control = (char *) "on" };
        _cleanup_free_ char *path = NULL, *directory = NULL;
        PciAddress address;
        Fixture fixture;

        fixture_init(&fixture, TREE VF1_ALONE, "[Claim vfs]\nMatch=pf=06:00.0 vf=0\n");
        directory = fake_sysfs_directory(fixture.machine.tree, VF1);
        ASSERT_TRUE(asprintf(&path, "%s/driver_override", directory) > 0);
        fake_sysfs_write(fixture.machine.tree, path, "igb");
        machine_set_driver(&fixture.machine, VF1, "igb");
        ASSERT_OK(pci_address_parse(VF1, &address));
        ASSERT_OK(store_prepare(&fixture.machine.host));
        ASSERT_OK(store_save_original(&fixture.machine.host, &address,
                fake_sysfs_inode(fixture.machine.tree, VF1), &record));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, VF1, "igb");
        ASSERT_DEVICE(&fixture, VF1, "unclaimed", "");
        assert_override(&fixture, VF1, "(null)");
        fixture_done(&fixture);
}

static uint64_t next_look(const Fixture *fixture)
{
        uint64_t usec;

        ASSERT_OK(sd_event_source_get_time(fixture->manager->wake_timer, &usec));
        return usec;
}

/* While the kernel makes VFs, what would be seen of the machine is out of date soon: the look at
 * all of it waits. */
static void test_no_look_while_vfs_are_made(void)
{
        Fixture fixture;
        WatcherEvent vf = { .is_kernel = true }, pf = vf, other = vf;

        fixture_init(&fixture, TREE, "[Claim vfs]\nMatch=pf=06:00.0\n");
        ASSERT_OK(pci_address_parse(PF, &pf.address));
        ASSERT_OK(pci_address_parse(VF0, &vf.address));
        ASSERT_OK(pci_address_parse("0000:00:1c.0", &other.address));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        fixture_event(&fixture, NULL);
        ASSERT_TRUE(next_look(&fixture) < fixture.manager->events_since_usec + USEC_PER_SEC);
        fixture_settle(&fixture);

        fake_sysfs_add(fixture.machine.tree, VFS);
        manager_handle_event(fixture.manager, &other);
        ASSERT_TRUE(!virtual_functions_are_coming(fixture.manager));
        manager_handle_event(fixture.manager, &vf);
        ASSERT_TRUE(virtual_functions_are_coming(fixture.manager));
        ASSERT_TRUE(!fixture.manager->works);
        fixture_event(&fixture, VF0);
        ASSERT_TRUE(next_look(&fixture) >= fixture.manager->events_since_usec + USEC_PER_SEC);

        manager_handle_event(fixture.manager, &pf);
        ASSERT_TRUE(!virtual_functions_are_coming(fixture.manager));
        ASSERT_TRUE(fixture.manager->works);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, VF0, "bound", "");
        ASSERT_DEVICE(&fixture, VF1, "bound", "");
        fixture_done(&fixture);
}

/* What the host's driver gets by itself is none of our business. */
static void test_vfs_of_others_stop_nothing(void)
{
        Fixture fixture;
        WatcherEvent vf = { .is_kernel = true };

        fixture_init(&fixture, TREE, "");
        ASSERT_OK(pci_address_parse(VF0, &vf.address));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        fake_sysfs_add(fixture.machine.tree, VFS);
        manager_handle_event(fixture.manager, &vf);
        ASSERT_TRUE(!virtual_functions_are_coming(fixture.manager));
        fixture_done(&fixture);
}

/* The helper leaves virtual functions to a daemon that says it watches, so what came until its end
 * is done before it ends. */
static void test_what_was_left_to_us_is_finished(void)
{
        Fixture fixture;
        WatcherEvent event = { .is_kernel = true };

        fixture_init(&fixture, TREE, "[Claim vfs]\nMatch=pf=06:00.0\n");
        ASSERT_OK(pci_address_parse(PF, &event.address));
        ASSERT_EQ(watching_is_on(&fixture.machine.host), 0);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(watching_is_on(&fixture.machine.host), 1);

        fake_sysfs_add(fixture.machine.tree, VFS);
        manager_handle_event(fixture.manager, &event);
        manager_finish(fixture.manager);
        ASSERT_EQ(watching_is_on(&fixture.machine.host), 0);
        ASSERT_DRIVER(&fixture, VF0, "vfio-pci");
        ASSERT_DRIVER(&fixture, VF1, "vfio-pci");
        fixture_done(&fixture);
}

/* Who does nothing by himself must not keep the helper from it. */
static void test_switched_off_watches_nothing(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, "[Claim vfs]\nMatch=pf=06:00.0\n");
        fake_sysfs_write(fixture.machine.tree, "proc/cmdline", "vfio_bindd=plan\n");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(watching_is_on(&fixture.machine.host), 0);
        fixture_done(&fixture);
}

/* What fails is not tried for ever. */
static void test_failure(void)
{
        Fixture fixture;
        size_t writes;

        fixture_init(&fixture, TREE, CONFIG);
        machine_fail(&fixture.machine, PF, OPERATION_WRITE_NUM_VFS, -5);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(manager_view(fixture.manager)->plan->physical_functions[0].state, STATE_FAILED);
        ASSERT_STREQ(fixture_claim_state(&fixture, "vfs"), "absent");
        ASSERT_TRUE(manager_view(fixture.manager)->settled);
        writes = machine_count_writes(&fixture.machine);
        for (int i = 0; i < 3; i++) {
                fixture_event(&fixture, NULL);
                fixture_settle(&fixture);
        }
        ASSERT_EQ(machine_count_writes(&fixture.machine), writes);
        fixture_done(&fixture);
}

static void on_applied(void *userdata, int error, const ApplyResult *result)
{
        ASSERT_EQ(error, 0);
        *(bool *) userdata = true;
}

/* The setting goes back when nothing speaks of the VFs any more and that is asked for, even where
 * no function has to be given back. */
static void test_autoprobe_is_given_back(void)
{
        _cleanup_free_ char *off = NULL, *on = NULL;
        ApplyRequest prune = APPLY_REQUEST_ALL;
        bool done = false;
        Fixture fixture;

        fixture_init(&fixture, TREE, "[Claim vfs]\nMatch=pf=06:00.0\n");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        off = read_pf(&fixture, "sriov_drivers_autoprobe");
        ASSERT_STREQ(off, "0");

        machine_configure(&fixture.machine, "");
        ASSERT_OK(manager_reload(fixture.manager));
        fixture_settle(&fixture);
        prune.prune = true;
        ASSERT_TRUE(manager_apply(fixture.manager, &prune, on_applied, &done) > 0);
        FIXTURE_RUN_UNTIL(&fixture, done);
        on = read_pf(&fixture, "sriov_drivers_autoprobe");
        ASSERT_STREQ(on, "1");
        fixture_done(&fixture);
}

int main(void)
{
        test_autoprobe_is_given_back();
        test_vfs_are_made_and_bound();
        test_new_vfs_are_bound_at_once();
        test_an_excluded_vf_goes_to_the_host();
        test_time_of_the_host("[Defaults]\nTimeout=45s\n[Claim vfs]\nMatch=pf=06:00.0 vf=0\n",
                45 * USEC_PER_SEC);
        test_time_of_the_host("[PhysicalFunction nic]\nMatch=06:00.0\nTimeout=2min\n"
                              "[Claim vfs]\nMatch=pf=06:00.0 vf=0\n", 120 * USEC_PER_SEC);
        test_host_driver_was_cut_off();
        test_host_driver_is_slow("igb", "unclaimed", "");
        test_host_driver_is_slow("", "failed", "worker-timeout");
        test_no_look_while_vfs_are_made();
        test_vfs_of_others_stop_nothing();
        test_what_was_left_to_us_is_finished();
        test_switched_off_watches_nothing();
        test_failure();
        return EXIT_SUCCESS;
}
