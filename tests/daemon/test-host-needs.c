/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/fixture.h"
#include "host/host-devices.h"
#include "util/strings.h"

/* The record of what the host needs: when it is written, and when it is not. */

#define DISK "0000:01:00.0"
#define NIC  "0000:02:00.0"
#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        DISK " parent=0000:00:1c.0 id=1b36:0010 class=010802 driver=nvme group=14\n"               \
        NIC " id=8086:1533 class=020000 driver=igb net=eno1 group=15\n"                            \
        "block nvme0n1 259:0 @" DISK "/nvme/nvme0/nvme0n1\n"
#define MOUNTED "30 1 259:0 / /srv rw - xfs /dev/nvme0n1 rw\n"

static unsigned n_asked;
static int ask_result;

static int ask(void *userdata)
{
        n_asked++;
        return ask_result;
}

static void listen_to(Fixture *fixture)
{
        ManagerListener listener = fixture->manager->listener;

        listener.ask_system_state = ask;
        manager_set_listener(fixture->manager, &listener);
}

static void init(Fixture *fixture, const char *configuration)
{
        fixture_init(fixture, TREE, configuration);
        fake_sysfs_write(fixture->machine.tree, "proc/self/mountinfo", MOUNTED);
}

static void start(Fixture *fixture, const char *configuration)
{
        init(fixture, configuration);
        fixture_start(fixture);
        listen_to(fixture);
        n_asked = 0;
        ask_result = 0;
        FIXTURE_RUN_UNTIL(fixture, manager_view(fixture->manager));
        fixture_settle(fixture);
}

static void look(Fixture *fixture)
{
        size_t n = fixture->n_published;

        manager_wake(fixture->manager);
        FIXTURE_RUN_UNTIL(fixture, fixture->n_published > n);
        fixture_settle(fixture);
}

static void mount_disk(Fixture *fixture, bool mounted)
{
        fake_sysfs_write(fixture->machine.tree, "proc/self/mountinfo",
                mounted ? MOUNTED : "21 1 0:20 / /proc rw - proc proc rw\n");
        look(fixture);
}

static bool is_recorded(Fixture *fixture, const char *what)
{
        _cleanup_free_ char *text = NULL;

        while (fixture->manager && fixture->manager->needs_writing)
                fixture_run_once(fixture, "the record is not written");
        text = fake_sysfs_read(fixture->machine.tree, HOST_DEVICES_FILE);
        return text && strstr(text, what);
}

static void test_first_record(void)
{
        Fixture fixture;

        start(&fixture, "");
        ASSERT_TRUE(is_recorded(&fixture, "/dev/nvme0n1 is mounted on /srv\n"));
        ASSERT_EQ(n_asked, 0);
        fixture_done(&fixture);
}

/* What cannot be written is tried again with every look, until it can. */
static void test_not_writable(void)
{
        Fixture fixture;

        init(&fixture, "");
        fake_sysfs_write(fixture.machine.tree, "var", "a file");
        fixture_start(&fixture);
        listen_to(&fixture);
        fixture_settle(&fixture);
        look(&fixture);
        ASSERT_TRUE(!is_recorded(&fixture, "host-devices"));
        fake_sysfs_remove(fixture.machine.tree, "var");
        look(&fixture);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        fixture_done(&fixture);
}

/* What changes while it is being written is looked at when it has been. */
static void test_changed_while_writing(void)
{
        Fixture fixture;

        start(&fixture, "");
        fake_sysfs_write(fixture.machine.tree, "proc/net/route",
                "Iface\tDestination\neno1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\n");
        manager_wake(fixture.manager);
        FIXTURE_RUN_UNTIL(&fixture, fixture.manager->needs_writing);
        fake_sysfs_write(fixture.machine.tree, "proc/self/mountinfo",
                "30 1 259:0 / /opt rw - xfs /dev/nvme0n1 rw\n");
        ASSERT_OK(manager_reconcile(fixture.manager));
        fixture_settle(&fixture);
        ASSERT_TRUE(is_recorded(&fixture, "eno1"));
        ASSERT_TRUE(is_recorded(&fixture, "mounted on /opt"));
        fixture_done(&fixture);
}

/* The same again is not written again. */
static void test_only_changes_are_written(void)
{
        Fixture fixture;

        start(&fixture, "");
        fake_sysfs_remove(fixture.machine.tree, HOST_DEVICES_FILE);
        look(&fixture);
        ASSERT_TRUE(!is_recorded(&fixture, "path="));
        fake_sysfs_write(fixture.machine.tree, "proc/net/route",
                "Iface\tDestination\neno1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\n");
        look(&fixture);
        ASSERT_TRUE(is_recorded(&fixture, "eno1 carries the default route\n"));
        ASSERT_TRUE(is_recorded(&fixture, "/srv\n"));
        ASSERT_EQ(n_asked, 0);
        fixture_done(&fixture);
}

static void test_forgets_while_the_system_is_up(void)
{
        Fixture fixture;

        start(&fixture, "");
        mount_disk(&fixture, false);
        ASSERT_EQ(n_asked, 1);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        manager_take_system_state(fixture.manager, SYSTEM_UP);
        ASSERT_TRUE(!is_recorded(&fixture, DISK));
        fixture_done(&fixture);
}

static void test_keeps_while_the_system_stops(void)
{
        Fixture fixture;

        start(&fixture, "");
        mount_disk(&fixture, false);
        manager_take_system_state(fixture.manager, SYSTEM_STOPPING);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        /* nor at the end, nor by the next one */
        fixture_stop(&fixture);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        fixture_start(&fixture);
        listen_to(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        fixture_settle(&fixture);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        ASSERT_EQ(n_asked, 2);
        fixture_done(&fixture);
}

/* While it boots, or nobody tells, what is new is added and nothing forgotten; later it is asked
 * again. */
static void test_adds_while_nobody_tells(void)
{
        Fixture fixture;

        start(&fixture, "");
        ask_result = -ENOTCONN;
        fake_sysfs_write(fixture.machine.tree, "proc/net/route",
                "Iface\tDestination\neno1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\n");
        mount_disk(&fixture, false);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        ASSERT_TRUE(is_recorded(&fixture, NIC));
        ask_result = 0;
        look(&fixture);
        manager_take_system_state(fixture.manager, SYSTEM_UP);
        ASSERT_TRUE(!is_recorded(&fixture, DISK));
        ASSERT_TRUE(is_recorded(&fixture, NIC));
        fixture_done(&fixture);
}

/* The answer is about the time before: what was seen since is looked at anew. */
static void test_late_answer(void)
{
        Fixture fixture;
        size_t n;

        start(&fixture, "");
        mount_disk(&fixture, false);
        mount_disk(&fixture, true);
        ASSERT_EQ(n_asked, 1);
        n = fixture.n_published;
        manager_take_system_state(fixture.manager, SYSTEM_UP);
        FIXTURE_RUN_UNTIL(&fixture, fixture.n_published > n);
        fixture_settle(&fixture);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        /* nobody asked for this one */
        manager_take_system_state(fixture.manager, SYSTEM_UP);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        fixture_done(&fixture);
}

/* What VFIO has is not the host's; so binding it makes the record forget it. */
static void test_forgets_what_is_bound(void)
{
        Fixture fixture;

        start(&fixture, "[Claim disk]\nMatch=" DISK "\n");
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        machine_set_driver(&fixture.machine, DISK, "vfio-pci");
        look(&fixture);
        manager_take_system_state(fixture.manager, SYSTEM_UP);
        ASSERT_TRUE(!is_recorded(&fixture, DISK));
        fixture_done(&fixture);
}

/* In such a boot the host has what the next one will not let it have, and the other way round. */
static void test_left_alone(void)
{
        static const char *const lines[] = { "vfio_bindd=off", "vfio_bindd=plan",
                                             "vfio_bindd.skip=disk", "rescue" };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                Fixture fixture;

                init(&fixture, "[Claim disk]\nMatch=" DISK "\n");
                machine_set_command_line(&fixture.machine, lines[i]);
                fixture_start(&fixture);
                FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
                fixture_settle(&fixture);
                ASSERT_TRUE(!is_recorded(&fixture, "host-devices"));
                fixture_done(&fixture);
        }
}

static void test_damaged_record(void)
{
        Fixture fixture;

        init(&fixture, "");
        fake_sysfs_write(fixture.machine.tree, HOST_DEVICES_FILE, "vfio-bindd host-devices 1\n");
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        fixture_settle(&fixture);
        ASSERT_TRUE(is_recorded(&fixture, DISK));
        fixture_done(&fixture);
}

/* What the next boot would do goes by it. */
static void test_next_boot(void)
{
        const MemberPlan *member;
        const Plan *plan;
        PciAddress address;
        Fixture fixture;

        start(&fixture, "[Claim disk]\nMatch=" DISK "\n");
        ASSERT_OK(pci_address_parse(DISK, &address));
        mount_disk(&fixture, false);
        manager_take_system_state(fixture.manager, SYSTEM_STOPPING);
        ASSERT_OK(manager_plan(fixture.manager, false, true, &plan));
        member = plan_find(plan, &address, NULL);
        ASSERT_STREQ(reason_to_string(member->reason), "host-device");
        ASSERT_OK(manager_plan(fixture.manager, false, false, &plan));
        ASSERT_EQ(plan_find(plan, &address, NULL)->action, ACTION_BIND);
        fixture_done(&fixture);
}

int main(void)
{
        test_first_record();
        test_not_writable();
        test_changed_while_writing();
        test_only_changes_are_written();
        test_forgets_while_the_system_is_up();
        test_keeps_while_the_system_stops();
        test_adds_while_nobody_tells();
        test_late_answer();
        test_forgets_what_is_bound();
        test_left_alone();
        test_damaged_record();
        test_next_boot();
        return 0;
}
