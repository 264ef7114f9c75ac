/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/fixture.h"

#define GPU   "0000:01:00.0"
#define SOUND "0000:01:00.1"
#define DISK  "0000:02:00.0"

#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        GPU " parent=0000:00:1c.0 id=10de:2482 class=030000 group=14\n"                            \
        SOUND " parent=0000:00:1c.0 id=10de:228b class=040300 group=14\n"                          \
        "0000:00:1d.0 id=8086:7ab0 class=060400 bridge driver=pcieport group=6\n"                  \
        DISK " parent=0000:00:1d.0 id=1b36:0010 class=010802 driver=nvme group=15\n"
#define CONFIG "[Claim gpu]\nMatch=01:00.0\n[Claim disk]\nMatch=02:00.0\n"

/* A claimed function without a driver is bound with its companion; one that the host's driver has
 * waits for somebody to ask. */
static void test_driverless_is_bound(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, GPU, "vfio-pci");
        ASSERT_DRIVER(&fixture, SOUND, "vfio-pci");
        ASSERT_DEVICE(&fixture, GPU, "bound", "");
        ASSERT_DRIVER(&fixture, DISK, "nvme");
        ASSERT_DEVICE(&fixture, DISK, "pending", "needs-apply");
        ASSERT_STREQ(fixture_claim_state(&fixture, "gpu"), "bound");
        ASSERT_STREQ(fixture_claim_state(&fixture, "disk"), "pending");
        ASSERT_EQ(fixture.manager->view->n_bound, 1);
        ASSERT_EQ(fixture.manager->view->n_pending, 1);
        fixture_done(&fixture);
}

/* While a worker is at a group, the view says so. */
static void test_binding_is_shown(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_close_gate(&fixture.machine);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_DEVICE(&fixture, GPU, "binding", "");
        ASSERT_DEVICE(&fixture, SOUND, "binding", "");
        ASSERT_STREQ(fixture_claim_state(&fixture, "gpu"), "pending");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "starting");
        machine_let_pass(&fixture.machine, 2);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, GPU, "bound", "");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "running");
        fixture_done(&fixture);
}

/* Starting again with everything in place writes nothing to /sys and runs no worker. */
static void test_second_start_is_quiet(void)
{
        Fixture fixture;
        size_t writes;

        fixture_init(&fixture, TREE, CONFIG);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        writes = machine_count_writes(&fixture.machine);
        ASSERT_TRUE(writes > 0);

        for (int i = 0; i < 3; i++) {
                fixture_stop(&fixture);
                ASSERT_DRIVER(&fixture, GPU, "vfio-pci");
                fixture_start(&fixture);
                FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
                ASSERT_TRUE(!fixture.manager->works);
                ASSERT_DEVICE(&fixture, GPU, "bound", "");
        }
        ASSERT_EQ(machine_count_writes(&fixture.machine), writes);
        fixture_done(&fixture);
}

static void test_switched_off(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_set_command_line(&fixture.machine, "quiet vfio_bindd=off");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        ASSERT_STREQ(fixture_claim_state(&fixture, "gpu"), "disabled");
        ASSERT_EQ(manager_view(fixture.manager)->plan->claims[0].reason,
                REASON_DISABLED_BY_KERNEL_COMMAND_LINE);
        ASSERT_CONTAINS(manager_view(fixture.manager)->plan->claims[0].text, "vfio_bindd=off");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "running");
        fixture_done(&fixture);
}

static void test_plan_only(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_set_command_line(&fixture.machine, "vfio_bindd=plan");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        ASSERT_DEVICE(&fixture, GPU, "pending", "");
        ASSERT_TRUE(manager_view(fixture.manager)->settled);
        fixture_done(&fixture);
}

static void test_one_claim_skipped(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_set_command_line(&fixture.machine, "vfio_bindd.skip=gpu");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, GPU, "");
        ASSERT_STREQ(fixture_claim_state(&fixture, "gpu"), "disabled");
        ASSERT_STREQ(fixture_claim_state(&fixture, "disk"), "pending");
        fixture_done(&fixture);
}

/* Without the boot service enabled nothing is done that nobody asked for. */
static void test_not_enabled(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_enable(&fixture.machine, false);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        ASSERT_DEVICE(&fixture, GPU, "pending", "");
        fixture_done(&fixture);
}

/* A bind that fails is tried once, not for ever; the view says what came of it. */
static void test_failure_is_not_repeated(void)
{
        Fixture fixture;
        size_t writes;

        fixture_init(&fixture, TREE, CONFIG);
        machine_fail(&fixture.machine, GPU, OPERATION_BIND, -22);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, GPU, "");
        ASSERT_STREQ(fixture_state(&fixture, GPU), "failed");
        ASSERT_STREQ(fixture_claim_state(&fixture, "gpu"), "failed");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "degraded");
        ASSERT_EQ(manager_view(fixture.manager)->n_failed, 1);
        writes = machine_count_writes(&fixture.machine);

        for (int i = 0; i < 3; i++) {
                fixture_event(&fixture, NULL);
                fixture_settle(&fixture);
        }
        ASSERT_EQ(machine_count_writes(&fixture.machine), writes);
        ASSERT_STREQ(fixture_state(&fixture, GPU), "failed");
        fixture_done(&fixture);
}

/* Where nothing tells, it is unknown. */
static void test_interrupt_remapping(void)
{
        Fixture fixture;

        fixture_init(&fixture, GPU " id=10de:2482 class=030000 group=14\n", "");
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_TRUE(!manager_view(fixture.manager)->interrupt_remapping);
        fixture_stop(&fixture);
        fake_sysfs_write(fixture.machine.tree, "proc/interrupts",
                " CPU0\n 0: 91 IR-IO-APIC 2-edge timer\n");
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_STREQ(manager_view(fixture.manager)->interrupt_remapping, "yes");
        fixture_done(&fixture);
}

/* The switch is obeyed from the moment on that it is turned, without a reload. */
static void test_disabled_while_running(void)
{
        Fixture fixture;
        size_t writes;

        fixture_init(&fixture, TREE, "[Defaults]\nOnDrift=reclaim\n" CONFIG);
        machine_enable(&fixture.machine, false);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);

        machine_enable(&fixture.machine, true);
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        writes = machine_count_writes(&fixture.machine);
        ASSERT_TRUE(writes > 0);

        machine_enable(&fixture.machine, false);
        machine_set_driver(&fixture.machine, GPU, "");
        fixture_event(&fixture, GPU);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), writes);
        fixture_done(&fixture);
}

int main(void)
{
        test_interrupt_remapping();
        test_driverless_is_bound();
        test_binding_is_shown();
        test_second_start_is_quiet();
        test_switched_off();
        test_plan_only();
        test_one_claim_skipped();
        test_not_enabled();
        test_failure_is_not_repeated();
        test_disabled_while_running();
        return EXIT_SUCCESS;
}
