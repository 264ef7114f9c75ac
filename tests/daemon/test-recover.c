/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/fixture.h"
#include "host/store.h"
#include "util/io.h"
#include "util/strings.h"

/* Groups whose transaction a kill cut off. */

#define ONE "0000:01:00.0"
#define TWO "0000:01:00.1"

#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        ONE " parent=0000:00:1c.0 id=1b36:0010 class=010802 group=14 driver=%s\n"                  \
        TWO " parent=0000:00:1c.0 id=1b36:0010 class=010802 group=14 driver=nvme\n"
#define CONFIG "[Claim disk]\nMatch=01:00.0\n"
#define INTENT                                                                                     \
        "bind " ONE " nvme -> vfio-pci may-unbind; bind " TWO " nvme -> vfio-pci may-unbind"

/* One of two was bound when it happened; the record says so no further than "binding". */
static void leave_half_done_with(Fixture *fixture, const char *config, const char *intent)
{
        DeviceRecord record = {
                .original_driver = (char *) "nvme",
                .claim = (char *) "disk",
                .target_driver = (char *) "vfio-pci",
                .provenance = PROVENANCE_TAKEN,
                .state = STATE_BINDING,
        };
        char tree[1024];
        PciAddress address;
        const Host *host;
        uint64_t inode;

        (void) snprintf(tree, sizeof(tree), TREE, "vfio-pci");
        fixture_init(fixture, tree, config);
        host = &fixture->machine.host;
        inode = fake_sysfs_inode(fixture->machine.tree, ONE);
        ASSERT_OK(pci_address_parse(ONE, &address));
        ASSERT_OK(store_prepare(host));
        ASSERT_OK(store_save_original(host, &address, inode, &record));
        ASSERT_OK(store_save(host, &address, inode, &record));
        ASSERT_OK(store_begin_intent(host, 14, intent));
}

static void leave_half_done(Fixture *fixture, const char *config)
{
        leave_half_done_with(fixture, config, INTENT);
}

static size_t count_intents(Fixture *fixture)
{
        _cleanup_free_ int64_t *groups = NULL;
        size_t n;

        ASSERT_OK(store_list_intents(&fixture->machine.host, &groups, &n));
        return n;
}

static void test_finished_if_still_wanted(void)
{
        Fixture fixture;

        leave_half_done(&fixture, CONFIG);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        ASSERT_DEVICE(&fixture, TWO, "bound", "");
        ASSERT_DRIVER(&fixture, TWO, "vfio-pci");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* It had lost its driver, and no outcome was on record yet: whom it was taken from is known all the
 * same, and said. */
static void test_taken_by_one_that_was_killed(const char *original, Provenance provenance)
{
        DeviceRecord record = { .original_driver = (char *) original };
        char tree[1024];
        PciAddress address;
        Fixture fixture;
        const Host *host;

        (void) snprintf(tree, sizeof(tree), TREE, "nvme");
        fixture_init(&fixture, tree, CONFIG);
        machine_set_driver(&fixture.machine, ONE, "");
        host = &fixture.machine.host;
        ASSERT_OK(pci_address_parse(ONE, &address));
        ASSERT_OK(store_prepare(host));
        ASSERT_OK(store_save_original(host, &address, fake_sysfs_inode(fixture.machine.tree, ONE),
                &record));
        ASSERT_OK(store_begin_intent(host, 14, INTENT));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        ASSERT_EQ(fixture_member(&fixture, ONE)->device->record->provenance, provenance);
        fixture_done(&fixture);
}

/* It was to be bound without a driver, by a daemon that takes nothing from the host unasked; or the
 * intent is damaged and says nothing. The host's driver keeps what it has, and gets the rest back. */
static void test_undone_without_leave(const char *intent)
{
        Fixture fixture;

        leave_half_done_with(&fixture, CONFIG, intent);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_DRIVER(&fixture, TWO, "nvme");
        ASSERT_DEVICE(&fixture, ONE, "pending", "needs-apply");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* Refused by now: what had been taken goes back. */
static void test_undone_if_refused(void)
{
        Fixture fixture;

        leave_half_done(&fixture, "[Defaults]\nExclude=01:00.1\n" CONFIG);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_DRIVER(&fixture, TWO, "nvme");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* Nothing is left to be done: the intent goes. */
static void test_nothing_left(void)
{
        char tree[1024];
        Fixture fixture;

        (void) snprintf(tree, sizeof(tree), TREE, "nvme");
        fixture_init(&fixture, tree, "");
        ASSERT_OK(store_prepare(&fixture.machine.host));
        ASSERT_OK(store_begin_intent(&fixture.machine.host, 14, "bind"));
        ASSERT_OK(store_begin_intent(&fixture.machine.host, 99, "bind"));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* A worker of the daemon before this one lives: it is not disturbed. */
static void test_worker_still_lives(void)
{
        Fixture fixture;
        int lock;

        leave_half_done(&fixture, CONFIG);
        lock = store_lock_group(&fixture.machine.host, 14, false);
        ASSERT_TRUE(lock >= 0);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, fixture.n_published == 2);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        ASSERT_EQ(fixture.manager->n_intents, 1);
        ASSERT_DRIVER(&fixture, TWO, "nvme");

        close(lock);
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, count_intents(&fixture) == 0);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, TWO, "bound", "");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* The helper's worker, or one of this daemon and the second one: both were killed after a first
 * function had lost its driver. It had been released by hand before, so nothing but the intent says
 * that anything is to be done. */
static void test_cut_off_while_running(void)
{
        DeviceRecord record = {
                .original_driver = (char *) "nvme",
                .state = STATE_RELEASED,
                .manual = MANUAL_RELEASED,
        };
        PciAddress address;
        char tree[1024];
        Fixture fixture;
        const Host *host;
        uint64_t inode;

        (void) snprintf(tree, sizeof(tree), TREE, "nvme");
        fixture_init(&fixture, tree, CONFIG);
        host = &fixture.machine.host;
        ASSERT_OK(pci_address_parse(ONE, &address));
        ASSERT_OK(store_prepare(host));
        inode = fake_sysfs_inode(fixture.machine.tree, ONE);
        ASSERT_OK(store_save(host, &address, inode, &record));
        fixture_start(&fixture);
        fixture_settle(&fixture);

        machine_set_driver(&fixture.machine, ONE, "");
        ASSERT_OK(store_save_original(host, &address, inode, &record));
        ASSERT_OK(store_begin_intent(host, 14, "bind"));
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, count_intents(&fixture) == 0);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_DRIVER(&fixture, TWO, "nvme");
        ASSERT_DEVICE(&fixture, ONE, "released", "");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* A worker that was killed lets go of the lock after its end was seen, and no event says so. */
static void test_lock_of_a_killed_worker(void)
{
        Fixture fixture;
        int lock;

        leave_half_done(&fixture, ""); /* a request by hand: nothing else is at work */
        lock = store_lock_group(&fixture.machine.host, 14, false);
        ASSERT_TRUE(lock >= 0);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_EQ(count_intents(&fixture), 1);
        close(lock);
        FIXTURE_RUN_UNTIL(&fixture, count_intents(&fixture) == 0);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        fixture_done(&fixture);
}

/* A worker of the daemon before this one gives back: the driver changes before the record. */
static void test_another_worker_releases(void)
{
        DeviceRecord record = {
                .original_driver = (char *) "nvme",
                .target_driver = (char *) "vfio-pci",
                .provenance = PROVENANCE_TAKEN,
                .state = STATE_BOUND,
                .manual = MANUAL_BOUND,
        };
        PciAddress address;
        char tree[1024];
        Fixture fixture;
        const Host *host;
        uint64_t inode;
        int lock;

        (void) snprintf(tree, sizeof(tree), TREE, "nvme");
        fixture_init(&fixture, tree, "");
        host = &fixture.machine.host;
        ASSERT_OK(pci_address_parse(ONE, &address));
        ASSERT_OK(store_prepare(host));
        inode = fake_sysfs_inode(fixture.machine.tree, ONE);
        ASSERT_OK(store_save_original(host, &address, inode, &record));
        ASSERT_OK(store_save(host, &address, inode, &record));
        ASSERT_OK(store_begin_intent(host, 14, "release"));
        lock = store_lock_group(host, 14, false);
        ASSERT_TRUE(lock >= 0);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_DEVICE(&fixture, ONE, "releasing", "");
        ASSERT_EQ(fixture_member(&fixture, ONE)->device->record->drift_count, 0);

        ASSERT_OK(store_remove(host, &address));
        ASSERT_OK(store_end_intent(host, 14));
        close(lock);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, ONE), "unclaimed") == 0);
        fixture_done(&fixture);
}


/* Bound by the claim and asked back by hand: one of two was unbound when it was cut off. */
static void leave_half_released_with(Fixture *fixture, const char *intent, const char *driver)
{
        static const char *const addresses[] = { ONE, TWO };
        DeviceRecord record = {
                .original_driver = (char *) "nvme",
                .claim = (char *) "disk",
                .target_driver = (char *) "vfio-pci",
                .provenance = PROVENANCE_TAKEN,
                .state = STATE_BOUND,
        };
        char tree[1024];
        const Host *host;

        (void) snprintf(tree, sizeof(tree),
                "0000:00:1c.0 id=1b36:000c class=060400 bridge driver=pcieport group=5\n"
                ONE " parent=0000:00:1c.0 id=1b36:0010 class=010802 group=14%s\n"
                TWO " parent=0000:00:1c.0 id=1b36:0010 class=010802 group=14 driver=vfio-pci\n",
                driver);
        fixture_init(fixture, tree, CONFIG);
        host = &fixture->machine.host;
        ASSERT_OK(store_prepare(host));
        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                uint64_t inode = fake_sysfs_inode(fixture->machine.tree, addresses[i]);
                PciAddress address;

                ASSERT_OK(pci_address_parse(addresses[i], &address));
                ASSERT_OK(store_save_original(host, &address, inode, &record));
                ASSERT_OK(store_save(host, &address, inode, &record));
        }
        ASSERT_OK(store_begin_intent(host, 14, intent));
}

static void leave_half_released(Fixture *fixture, const char *intent)
{
        leave_half_released_with(fixture, intent, "");
}

/* The claim wants it, but what was asked for last was to release it, for good; whether the first
 * function had come to the host's driver or only lost ours. */
static void test_release_is_finished(const char *driver)
{
        Fixture fixture;

        leave_half_released_with(&fixture, "release " ONE " vfio-pci -> nvme by-hand; "
                                           "release " TWO " vfio-pci -> nvme by-hand", driver);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_DRIVER(&fixture, TWO, "nvme");
        ASSERT_DEVICE(&fixture, ONE, "released", "");
        ASSERT_DEVICE(&fixture, TWO, "released", "");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* All was given back, and the record of the first one removed, when it happened; a claim that was gone
 * has come back. The release is finished, so that the second one counts as the host's too. */
static void test_release_of_what_is_claimed_again(void)
{
        DeviceRecord record = {
                .original_driver = (char *) "nvme",
                .claim = (char *) "disk",
                .target_driver = (char *) "vfio-pci",
                .provenance = PROVENANCE_TAKEN,
                .state = STATE_BOUND,
        };
        PciAddress address;
        char tree[1024];
        Fixture fixture;
        const Host *host;
        uint64_t inode;

        (void) snprintf(tree, sizeof(tree), TREE, "nvme");
        fixture_init(&fixture, tree, CONFIG);
        host = &fixture.machine.host;
        ASSERT_OK(pci_address_parse(TWO, &address));
        ASSERT_OK(store_prepare(host));
        inode = fake_sysfs_inode(fixture.machine.tree, TWO);
        ASSERT_OK(store_save_original(host, &address, inode, &record));
        ASSERT_OK(store_save(host, &address, inode, &record));
        ASSERT_OK(store_begin_intent(host, 14, "release " ONE " vfio-pci -> nvme; "
                                               "release " TWO " vfio-pci -> nvme"));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_DRIVER(&fixture, TWO, "nvme");
        ASSERT_DEVICE(&fixture, ONE, "pending", "needs-apply");
        ASSERT_DEVICE(&fixture, TWO, "pending", "needs-apply");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* Another program had unbound one of two, which was only to be reported, and then a bind was asked
 * for: that is what counts. */
static void test_bind_of_what_drifted(void)
{
        Fixture fixture;

        leave_half_released(&fixture, "bind " ONE " - -> vfio-pci");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        ASSERT_DEVICE(&fixture, TWO, "bound", "");
        ASSERT_DRIVER(&fixture, ONE, "vfio-pci");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* As a daemon leaves a record behind whose worker got stuck, and has come back. */
static void note_timeout(Fixture *fixture, const char *address)
{
        DeviceRecord record = {
                .claim = (char *) "disk",
                .target_driver = (char *) "vfio-pci",
                .provenance = PROVENANCE_TAKEN,
                .state = STATE_FAILED,
                .reason = REASON_WORKER_TIMEOUT,
                .bound_usec = 1,
        };
        PciAddress parsed;

        ASSERT_OK(pci_address_parse(address, &parsed));
        ASSERT_OK(store_save(&fixture->machine.host, &parsed,
                fake_sysfs_inode(fixture->machine.tree, address), &record));
}

/* Another driver was asked for by hand when it was cut off, and may not be given any more. What had
 * been unbound for it, by a worker that was killed or one that took too long, goes back to where it
 * was, beside the other one. */
static void test_bind_to_another_driver_is_undone(bool timed_out)
{
        Fixture fixture;

        leave_half_released(&fixture, "bind " ONE " vfio-pci -> pci-stub by-hand may-unbind; "
                                      "bind " TWO " vfio-pci -> pci-stub by-hand may-unbind");
        if (timed_out)
                note_timeout(&fixture, ONE);
        machine_enable(&fixture.machine, false);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, TWO, "vfio-pci");
        ASSERT_DRIVER(&fixture, ONE, "vfio-pci");
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        ASSERT_DEVICE(&fixture, TWO, "bound", "");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* Only what joined the group was to be held: what another program had unbound before is its
 * operator's business, as OnDrift=report says. */
static void test_hold_beside_what_drifted(const char *intent)
{
        Fixture fixture;

        leave_half_released(&fixture, intent);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, ONE), "releasing") != 0);
        ASSERT_DEVICE(&fixture, ONE, "drifted", "drifted");
        ASSERT_DRIVER(&fixture, ONE, "");
        ASSERT_DRIVER(&fixture, TWO, "vfio-pci");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* Leave to unbind was there for one of two; a host driver has taken the other one since. */
static void test_leave_is_for_what_it_was_given_for(void)
{
        Fixture fixture;

        leave_half_done_with(&fixture, CONFIG, "bind " ONE " nvme -> vfio-pci may-unbind; "
                                               "bind " TWO " - -> vfio-pci");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, TWO, "nvme");
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_DEVICE(&fixture, TWO, "pending", "needs-apply");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* The function was pulled out while it was worked on, and another one stands in its place, which
 * the host has: nobody asked for that. */
static void test_another_instance(void)
{
        char tree[1024], intent[256];
        unsigned long long one, two;
        Fixture fixture;

        (void) snprintf(tree, sizeof(tree), TREE, "nvme");
        fixture_init(&fixture, tree, "[Defaults]\nCompanions=all\n");
        one = fake_sysfs_inode(fixture.machine.tree, ONE) + 1000;
        two = fake_sysfs_inode(fixture.machine.tree, TWO) + 1000;
        (void) snprintf(intent, sizeof(intent),
                "bind " ONE " nvme -> vfio-pci inode=%llu by-hand may-unbind; "
                "bind " TWO " nvme -> vfio-pci inode=%llu by-hand may-unbind", one, two);
        ASSERT_OK(store_prepare(&fixture.machine.host));
        ASSERT_OK(store_begin_intent(&fixture.machine.host, 14, intent));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* As the daemon before this one left it that went down over it. */
static void test_tried_before(const char *count, const char *driver)
{
        _cleanup_free_ char *intent = NULL;
        Fixture fixture;

        ASSERT_OK(format_string(&intent, "%s\n%s\n", INTENT, count));
        leave_half_done_with(&fixture, CONFIG, intent);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, TWO, driver);
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

static void assert_intent(Fixture *fixture, const char *words)
{
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(store_read_intent(&fixture->machine.host, 14, &text));
        ASSERT_CONTAINS(text, words);
}

/* The count stands there when the worker is started, and when it has written its own intent. */
static void test_tries_are_counted(void)
{
        Fixture fixture;

        leave_half_done_with(&fixture, CONFIG, INTENT "\ntries=1 timeouts=0\n");
        machine_close_gate_before(&fixture.machine, OPERATION_LOCK_GROUP);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
        assert_intent(&fixture, INTENT "\ntries=2 timeouts=0\n");
        machine_close_gate(&fixture.machine);
        machine_let_pass(&fixture.machine, 1);
        FIXTURE_RUN_UNTIL(&fixture, machine_is_at_gate(&fixture.machine));
        assert_intent(&fixture, "\ntries=2 timeouts=0\n");
        machine_open_gate(&fixture.machine);
        machine_let_pass(&fixture.machine, 1);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, TWO, "vfio-pci");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* Whoever was at it came to its end after it was seen: what the machine was like then counts no
 * more. */
static void test_ended_since_it_was_listed(void)
{
        Fixture fixture;

        leave_half_done(&fixture, "");
        ASSERT_OK(store_end_intent(&fixture.machine.host, 14));
        fake_sysfs_link(fixture.machine.tree, "run/vfio-bindd/intents/14", "nothing");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        fixture_done(&fixture);
}

#define GPU "0000:03:00.0"
#define GPU_TREE                                                                                   \
        "driver nouveau\ndriver vgem\n"                                                            \
        GPU " id=10de:2482 class=030000 group=16 driver=%s\nfile @" GPU "/boot_vga 1\n"

static void leave_gpu(Fixture *fixture, const char *options, const char *driver)
{
        char tree[512], intent[256];
        unsigned long long inode;

        (void) snprintf(tree, sizeof(tree), GPU_TREE, driver);
        fixture_init(fixture, tree, "");
        inode = fake_sysfs_inode(fixture->machine.tree, GPU);
        (void) snprintf(intent, sizeof(intent), "bind " GPU " nouveau -> vfio-pci inode=%llu "
                "by-hand may-unbind asked%s", inode, options);
        ASSERT_OK(store_prepare(&fixture->machine.host));
        ASSERT_OK(store_begin_intent(&fixture->machine.host, 16, intent));
}

/* Somebody allowed a use of the host's for this one bind of this one function, on the driver that
 * it was on: that is what is heeded again, and nothing else. */
static void test_use_that_was_allowed(const char *options, const char *driver, const char *after)
{
        Fixture fixture;

        leave_gpu(&fixture, options, driver);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, GPU, after);
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* An intent that does not say which instance it is about allows nothing. */
static void test_use_of_any_instance(void)
{
        Fixture fixture;

        leave_gpu(&fixture, "", "nouveau");
        ASSERT_OK(store_begin_intent(&fixture.machine.host, 16, "bind " GPU " nouveau -> vfio-pci "
                "by-hand may-unbind asked allow-in-use=display"));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, GPU, "nouveau");
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        fixture_done(&fixture);
}

/* Somebody put another driver's name into the file: what nobody may ask for is not done. */
static void test_driver_that_is_not_vfio(const char *driver)
{
        char intent[256];
        Fixture fixture;

        leave_gpu(&fixture, "", "nouveau");
        (void) snprintf(intent, sizeof(intent), "bind " GPU " nouveau -> %s inode=%llu by-hand "
                "may-unbind asked allow-in-use=display", driver,
                (unsigned long long) fake_sysfs_inode(fixture.machine.tree, GPU));
        ASSERT_OK(store_begin_intent(&fixture.machine.host, 16, intent));
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, GPU, "nouveau");
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);
}

/* Without leave to take anything by itself, the daemon still leaves no group half done. */
static void test_switched_off(void)
{
        Fixture fixture;

        leave_half_done(&fixture, CONFIG);
        machine_enable(&fixture.machine, false);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_DRIVER(&fixture, TWO, "nvme");
        ASSERT_EQ(count_intents(&fixture), 0);
        fixture_done(&fixture);

        leave_half_released(&fixture, "release " ONE " vfio-pci -> nvme; "
                                      "release " TWO " vfio-pci -> nvme");
        machine_enable(&fixture.machine, false);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, ONE, "nvme");
        ASSERT_DRIVER(&fixture, TWO, "nvme");
        fixture_done(&fixture);
}

/* vfio_bindd=off: nothing acts. */
static void test_off_on_command_line(void)
{
        Fixture fixture;

        leave_half_done(&fixture, CONFIG);
        machine_set_command_line(&fixture.machine, "vfio_bindd=off");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        ASSERT_EQ(count_intents(&fixture), 1);
        fixture_done(&fixture);
}

int main(void)
{
        test_finished_if_still_wanted();
        test_taken_by_one_that_was_killed("nvme", PROVENANCE_TAKEN);
        test_taken_by_one_that_was_killed(NULL, PROVENANCE_UNKNOWN);
        test_undone_without_leave("bind " ONE " - -> vfio-pci");
        test_undone_without_leave("\001\002");
        test_undone_if_refused();
        test_nothing_left();
        test_worker_still_lives();
        test_cut_off_while_running();
        test_lock_of_a_killed_worker();
        test_another_worker_releases();
        test_release_is_finished("");
        test_release_is_finished(" driver=nvme");
        test_release_of_what_is_claimed_again();
        test_bind_of_what_drifted();
        test_bind_to_another_driver_is_undone(false);
        test_bind_to_another_driver_is_undone(true);
        test_hold_beside_what_drifted("hold 0000:01:00.2 - -> -");
        test_hold_beside_what_drifted("hold 0000:01:00.2 - -> - inode=4711");
        test_leave_is_for_what_it_was_given_for();
        test_another_instance();
        test_tried_before("tries=2 timeouts=0", "vfio-pci");
        test_tried_before("tries=2 timeouts=2", "nvme");
        test_tried_before("tries=3 timeouts=0", "nvme");
        test_tries_are_counted();
        test_ended_since_it_was_listed();
        test_use_that_was_allowed(" allow-in-use=display", "nouveau", "vfio-pci");
        test_use_that_was_allowed(" companions=all allow-in-use=process,display new-word=7",
                "nouveau", "vfio-pci");
        test_use_that_was_allowed("", "nouveau", "nouveau");
        test_use_that_was_allowed(" allow-in-use=system,vfio,blind,network", "nouveau", "nouveau");
        test_use_that_was_allowed(" allow-in-use=display", "vgem", "vgem");
        test_use_of_any_instance();
        test_driver_that_is_not_vfio("novfio");
        test_driver_that_is_not_vfio("vgem");
        test_switched_off();
        test_off_on_command_line();
        return EXIT_SUCCESS;
}
