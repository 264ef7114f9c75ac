/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/fixture.h"
#include "util/io.h"

#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        "0000:01:00.0 parent=0000:00:1c.0 id=10de:2482 class=030000 group=14\n"                    \
        "file sys/class/vfio/14/dev 1:3\n"                                                         \
        "dir dev/vfio\n"
#define CONFIG "[Claim gpu]\nMatch=01:00.0\nNodeMode=0640\n"
#define NODE   "dev/vfio/14"

static void make_node(Fixture *fixture, const char *path)
{
        if (mknodat(fixture->machine.host.root, path, S_IFCHR | 0600, makedev(1, 3)) == 0)
                return;
        ASSERT_EQ(errno, EPERM);
        fixture_done(fixture);
        TEST_SKIP("may not make a device node");
}

static void start(Fixture *fixture)
{
        fixture_init(fixture, TREE, CONFIG);
        make_node(fixture, NODE);
        fixture_start(fixture);
        fixture_settle(fixture);
}

static mode_t node_mode(Fixture *fixture)
{
        struct stat status;

        ASSERT_OK(fstatat(fixture->machine.host.root, NODE, &status, 0));
        return status.st_mode & 07777;
}

/* Somebody else changes it; until nothing is underway any more. */
static void change(Fixture *fixture, mode_t mode)
{
        size_t published = fixture->n_published;

        ASSERT_OK(fchmodat(fixture->machine.host.root, NODE, mode, 0));
        FIXTURE_RUN_UNTIL(fixture, fixture->n_published > published);
        while (fixture->manager->lookups || fixture->manager->works)
                fixture_run_once(fixture, "no work on the node");
        fixture_settle(fixture);
}

/* Set back where nobody has it open, a few times. */
static void test_set_back(void)
{
        Fixture fixture;

        start(&fixture);
        ASSERT_EQ(node_mode(&fixture), 0640);
        ASSERT_EQ(manager_view(fixture.manager)->n_nodes, 1);
        ASSERT_EQ(manager_view(fixture.manager)->nodes[0].status.mode, 0640);
        for (int i = 0; i < 3; i++) {
                change(&fixture, 0600);
                ASSERT_EQ(node_mode(&fixture), 0640);
                ASSERT_DEVICE(&fixture, "0000:01:00.0", "bound", "");
        }
        change(&fixture, 0600);
        ASSERT_EQ(node_mode(&fixture), 0600);
        fixture_done(&fixture);
}

/* A group that is emptied and filled again gets another node, as the kernel makes it: nobody has
 * changed that one, however often it happens. */
static void test_made_again(void)
{
        Fixture fixture;

        start(&fixture);
        for (int i = 0; i < 5; i++) {
                int root = fixture.machine.host.root;

                make_node(&fixture, NODE "-new");
                ASSERT_OK(renameat(root, NODE "-new", root, NODE));
                change(&fixture, 0600);
                ASSERT_EQ(node_mode(&fixture), 0640);
        }
        fixture_done(&fixture);
}

/* Changed again before we have looked at what we did: that is not what it should be. */
static void test_changed_at_once(void)
{
        Fixture fixture;

        start(&fixture);
        machine_spoil_node(&fixture.machine);
        change(&fixture, 0600);
        FIXTURE_RUN_UNTIL(&fixture, node_mode(&fixture) == 0640);
        fixture_done(&fixture);
}

/* While somebody has it open it is theirs. */
static void test_left_while_open(void)
{
        Fixture fixture;

        start(&fixture);
        fake_sysfs_link(fixture.machine.tree, "proc/4711/fd/9", NODE);
        change(&fixture, 0600);
        ASSERT_EQ(node_mode(&fixture), 0600);
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_TRUE(!fixture.manager->lookups);

        fake_sysfs_remove(fixture.machine.tree, "proc/4711");
        change(&fixture, 0660);
        ASSERT_EQ(node_mode(&fixture), 0640);
        fixture_done(&fixture);
}

/* Given back as it was: nothing to do. */
static void test_given_back(void)
{
        Fixture fixture;
        size_t published;

        start(&fixture);
        fake_sysfs_link(fixture.machine.tree, "proc/4711/fd/9", NODE);
        change(&fixture, 0600);
        published = fixture.n_published;
        change(&fixture, 0640);
        ASSERT_EQ(node_mode(&fixture), 0640);
        ASSERT_EQ(fixture.n_published, published + 1);
        fixture_done(&fixture);
}

/* Its owner may change it as often as he likes; that must not keep the daemon busy. */
static void test_changed_all_the_time(void)
{
        unsigned n_dispatched = 0;
        Fixture fixture;

        start(&fixture);
        /* as after a look that took very long */
        fixture.manager->next_scan_usec = now_monotonic() + 3600 * USEC_PER_SEC;
        for (unsigned i = 0; i < 1000; i++) {
                ASSERT_OK(fchmodat(fixture.machine.host.root, NODE, 0600 + i % 2, 0));
                n_dispatched += sd_event_run(fixture.event, 0) > 0;
        }
        ASSERT_TRUE(n_dispatched < 10);

        /* when the time comes, it is taken back, and further changes are seen */
        fixture.manager->next_scan_usec = 0;
        fixture.manager->wake_usec = USEC_INFINITY;
        manager_wake(fixture.manager);
        FIXTURE_RUN_UNTIL(&fixture, node_mode(&fixture) == 0640);
        fixture_settle(&fixture);
        change(&fixture, 0600);
        ASSERT_EQ(node_mode(&fixture), 0640);
        fixture_done(&fixture);
}

/* One machine ends while another one changes its node: each is asked for when it is its turn. */
static void test_two_at_once(void)
{
        Fixture fixture;
        struct stat status;
        int root;

        fixture_init(&fixture, TREE
                "0000:00:1d.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=6\n"
                "0000:02:00.0 parent=0000:00:1d.0 id=10de:2482 class=030000 group=15\n"
                "file sys/class/vfio/15/dev 1:3\n",
                "[Claim gpus]\nMatch=01:00.0\nMatch=02:00.0\nNodeMode=0640\n");
        make_node(&fixture, NODE);
        make_node(&fixture, "dev/vfio/15");
        root = fixture.machine.host.root;
        fixture_start(&fixture);
        fixture_settle(&fixture);
        fake_sysfs_link(fixture.machine.tree, "proc/4711/fd/9", NODE);
        fake_sysfs_link(fixture.machine.tree, "proc/4712/fd/9", "dev/vfio/15");
        ASSERT_OK(fchmodat(root, "dev/vfio/15", 0600, 0));
        change(&fixture, 0600);
        while (fixture.manager->lookups)
                fixture_run_once(&fixture, "nobody is asked for any more");
        fixture_settle(&fixture);
        ASSERT_EQ(node_mode(&fixture), 0600);

        fake_sysfs_remove(fixture.machine.tree, "proc/4712");
        ASSERT_OK(fchmodat(root, "dev/vfio/15", 0660, 0));
        change(&fixture, 0660);
        fixture_settle(&fixture);
        ASSERT_EQ(node_mode(&fixture), 0660);
        FIXTURE_RUN_UNTIL(&fixture, fstatat(root, "dev/vfio/15", &status, 0) == 0 &&
                (status.st_mode & 07777) == 0640);
        fixture_done(&fixture);
}

/* The early pass and udev's helper know the accounts of files only; the daemon asks the name service
 * too, once for each function, and when it is told to read its configuration again. */
static void test_account_unknown_to_the_early_pass(void)
{
        Fixture fixture;
        size_t n_published;

        fixture_init(&fixture,
                "0000:00:1d.0 id=8086:7ab0 class=060400 bridge driver=pcieport group=6\n"
                "0000:02:00.0 parent=0000:00:1d.0 id=1b36:0010 class=010802 group=15\n",
                "[Claim disk]\nMatch=02:00.0\n");
        machine_fail(&fixture.machine, "0000:00:00.0", OPERATION_FINISH_NODE, -ENXIO);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, "0000:02:00.0", "bound", "account-unknown");
        n_published = fixture.n_published;
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, fixture.n_published > n_published);
        ASSERT_TRUE(!fixture.manager->works);

        fixture_stop(&fixture);
        machine_fail(&fixture.machine, "0000:00:00.0", OPERATION_FINISH_NODE, 0);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, "0000:02:00.0", "bound", "");
        fixture_done(&fixture);
}

/* A node that cannot be set up is never shown as one that is ready. */
static void test_cannot_be_set_up(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_fail(&fixture.machine, "0000:00:00.0", OPERATION_FINISH_NODE, -EIO);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, "0000:01:00.0", "vfio-pci");
        ASSERT_DEVICE(&fixture, "0000:01:00.0", "failed", "probe-failed");
        ASSERT_CONTAINS(fixture_member(&fixture, "0000:01:00.0")->text, "/dev/vfio/14");
        fixture_done(&fixture);
}

int main(void)
{
        test_set_back();
        test_made_again();
        test_changed_at_once();
        test_left_while_open();
        test_given_back();
        test_changed_all_the_time();
        test_two_at_once();
        test_account_unknown_to_the_early_pass();
        test_cannot_be_set_up();
        return EXIT_SUCCESS;
}
