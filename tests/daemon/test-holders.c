/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/fixture.h"
#include "util/strings.h"

#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        "0000:01:00.0 parent=0000:00:1c.0 id=10de:2482 class=030000 group=14 driver=vfio-pci "     \
        "vfio-dev=3\n"

typedef struct Answered {
        size_t n_calls;
        int error;
        size_t n;
        uint32_t pids[4];
        char command[64], unit[64], machine[64];
} Answered;

static void on_holders(void *userdata, int error, const Holder *holders, size_t n)
{
        Answered *answered = userdata;

        answered->n_calls++;
        answered->error = error;
        answered->n = n;
        ASSERT_TRUE(n <= ELEMENTSOF(answered->pids));
        for (size_t i = 0; i < n; i++)
                answered->pids[i] = holders[i].pid;
        if (n != 1)
                return;
        (void) snprintf(answered->command, sizeof(answered->command), "%s", holders->command);
        (void) snprintf(answered->unit, sizeof(answered->unit), "%s", holders->unit);
        (void) snprintf(answered->machine, sizeof(answered->machine), "%s", holders->machine);
}

static void start(Fixture *fixture)
{
        fixture_init(fixture, TREE, "");
        fixture_start(fixture);
        fixture_settle(fixture);
}

static void ask(Fixture *fixture, Answered *answered)
{
        *answered = (Answered){};
        ASSERT_TRUE(manager_list_holders(fixture->manager, 14, on_holders, answered) > 0);
        FIXTURE_RUN_UNTIL(fixture, answered->n_calls > 0);
        ASSERT_EQ(answered->n_calls, 1);
        ASSERT_OK(answered->error);
}

/* Links in /proc/PID/fd lead to files that the tree does not have; only their text counts. */
static void open_node(Fixture *fixture, const char *pid, const char *node)
{
        char path[64];

        (void) snprintf(path, sizeof(path), "proc/%s/fd/7", pid);
        fake_sysfs_link(fixture->machine.tree, path, node);
}

static void test_nobody(void)
{
        Fixture fixture;
        Answered answered;

        start(&fixture);
        open_node(&fixture, "100", "dev/vfio/141");
        open_node(&fixture, "101", "dev/vfio/devices/vfio33");
        open_node(&fixture, "102", "dev/vfio/vfio");
        ask(&fixture, &answered);
        ASSERT_EQ(answered.n, 0);
        fixture_done(&fixture);
}

static void test_virtual_machine(void)
{
        static const char arguments[] = "qemu-system-x86_64\0-name\0guest=web,debug-threads=on\0-S";
        FakeSysfs *tree;
        Fixture fixture;
        Answered answered;

        start(&fixture);
        tree = fixture.machine.tree;
        open_node(&fixture, "4711", "dev/vfio/14");
        fake_sysfs_write(tree, "proc/4711/comm", "qemu\x1b[31m\n");
        fake_sysfs_write(tree, "proc/4711/cgroup",
                "0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator\n");
        fake_sysfs_write_data(tree, "proc/4711/cmdline", arguments, sizeof(arguments));
        ask(&fixture, &answered);
        ASSERT_EQ(answered.n, 1);
        ASSERT_EQ(answered.pids[0], 4711);
        ASSERT_STREQ(answered.command, "qemu?[31m");
        ASSERT_STREQ(answered.unit, "machine-qemu\\x2d1\\x2dweb.scope");
        ASSERT_STREQ(answered.machine, "web");

        fake_sysfs_link(tree, "run/systemd/machines/unit:machine-qemu\\x2d1\\x2dweb.scope",
                "run/systemd/machines/registered");
        ask(&fixture, &answered);
        ASSERT_STREQ(answered.machine, "registered");
        fixture_done(&fixture);
}

/* Both kinds of node; a process that cannot be described is listed all the same. */
static void test_several(void)
{
        Fixture fixture;
        Answered answered;

        start(&fixture);
        open_node(&fixture, "100", "dev/vfio/14");
        open_node(&fixture, "200", "dev/vfio/devices/vfio3");
        ask(&fixture, &answered);
        ASSERT_EQ(answered.n, 2);
        ASSERT_EQ(answered.pids[0] + answered.pids[1], 300);
        fixture_done(&fixture);
}

static void test_forgotten_and_unknown(void)
{
        Fixture fixture;
        Answered answered = {};
        int64_t identifier;

        start(&fixture);
        ASSERT_EQ(manager_list_holders(fixture.manager, 99, on_holders, &answered), -ENOENT);
        identifier = manager_list_holders(fixture.manager, 14, on_holders, &answered);
        ASSERT_TRUE(identifier > 0);
        manager_forget_holders(fixture.manager, identifier);
        FIXTURE_RUN_UNTIL(&fixture, !fixture.manager->lookups);
        ASSERT_EQ(answered.n_calls, 0);

        /* one that is not answered yet does not keep the manager */
        ASSERT_TRUE(manager_list_holders(fixture.manager, 14, on_holders, &answered) > 0);
        fixture_done(&fixture);
        ASSERT_EQ(answered.n_calls, 0);
}

int main(void)
{
        test_nobody();
        test_virtual_machine();
        test_several();
        test_forgotten_and_unknown();
        return EXIT_SUCCESS;
}
