/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/fixture.h"

#include "util/io.h"

#define GPU "0000:01:00.0"
#define NEW "0000:02:00.0"

#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        GPU " parent=0000:00:1c.0 id=10de:2482 class=030000 group=14\n"                            \
        "0000:00:1d.0 id=8086:7ab0 class=060400 bridge driver=pcieport group=6\n"
#define NEW_LINE NEW " parent=0000:00:1d.0 id=1b36:0010 class=010802 group=15"
#define CONFIG "[Claim gpu]\nMatch=01:00.0\n[Claim new]\nMatch=02:00.0\n"

static void start(Fixture *fixture, const char *config)
{
        fixture_init(fixture, TREE, config);
        fixture_start(fixture);
        fixture_settle(fixture);
}

/* A burst of events costs one look. */
static void test_events_are_coalesced(void)
{
        Fixture fixture;
        size_t published;

        start(&fixture, CONFIG);
        published = fixture.n_published;
        for (int i = 0; i < 1000; i++)
                fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_EQ(fixture.n_published, published + 1);
        fixture_done(&fixture);
}

/* With nothing to do nothing is due: no timer runs. */
static void test_idle(void)
{
        Fixture fixture;
        int enabled;

        start(&fixture, CONFIG);
        /* the ends of workers still come in; then nothing comes */
        for (int i = 0; i < 50 && sd_event_run(fixture.event, 200 * USEC_PER_MSEC) > 0; i++)
                ;
        ASSERT_EQ(sd_event_run(fixture.event, 0), 0);
        ASSERT_TRUE(sd_event_source_get_enabled(fixture.manager->wake_timer, &enabled) >= 0);
        ASSERT_EQ(enabled, SD_EVENT_OFF);
        if (fixture.manager->deadline_timer) {
                ASSERT_TRUE(sd_event_source_get_enabled(fixture.manager->deadline_timer,
                                    &enabled) >= 0);
                ASSERT_EQ(enabled, SD_EVENT_OFF);
        }
        fixture_done(&fixture);
}

/* A function that came just now is taken from the host's driver that was faster. */
static void test_hotplugged_is_taken(void)
{
        Fixture fixture;

        start(&fixture, CONFIG);
        fake_sysfs_add(fixture.machine.tree, NEW_LINE " driver=nvme\n");
        fixture_event(&fixture, NEW);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, NEW, "vfio-pci");
        ASSERT_DEVICE(&fixture, NEW, "bound", "");
        ASSERT_EQ(fixture.manager->n_arrivals, 0);
        fixture_done(&fixture);
}

/* The scan may see it before its event is read. */
static void test_event_after_the_scan(void)
{
        Fixture fixture;

        start(&fixture, CONFIG);
        fake_sysfs_add(fixture.machine.tree, NEW_LINE " driver=nvme\n");
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, NEW, "pending", "needs-apply");
        fixture_event(&fixture, NEW);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, NEW, "bound", "");
        fixture_done(&fixture);
}

/* An add event for what was there before us, and one for what did not appear, give no leave. */
static void test_add_event_alone_is_no_hotplug(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE NEW_LINE " driver=nvme\n", CONFIG);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        fixture_event(&fixture, NEW);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, NEW, "pending", "needs-apply");
        ASSERT_DRIVER(&fixture, NEW, "nvme");
        fixture_done(&fixture);
}

/* One that came without a driver, without anybody's event. */
static void test_appeared_without_driver(void)
{
        Fixture fixture;

        start(&fixture, CONFIG);
        fake_sysfs_add(fixture.machine.tree, NEW_LINE "\n");
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, NEW, "bound", "");
        fixture_done(&fixture);
}

/* The same address, another instance: nothing is inherited. */
static void test_replugged(void)
{
        Fixture fixture;

        start(&fixture, CONFIG);
        fake_sysfs_add(fixture.machine.tree, NEW_LINE "\n");
        fixture_event(&fixture, NEW);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, NEW, "bound", "");
        for (int i = 0; i < 5; i++) {
                machine_remove(&fixture.machine, NEW);
                fixture_event(&fixture, NULL);
                fixture_settle(&fixture);
                ASSERT_STREQ(fixture_claim_state(&fixture, "new"), "absent");
                fake_sysfs_add(fixture.machine.tree, NEW_LINE " driver=nvme\n");
                fixture_event(&fixture, NEW);
                fixture_settle(&fixture);
                ASSERT_DEVICE(&fixture, NEW, "bound", "");
        }
        fixture_done(&fixture);
}

static void take_away(Fixture *fixture, const char *driver)
{
        _cleanup_free_ char *directory = fake_sysfs_directory(fixture->machine.tree, GPU);
        _cleanup_free_ char *path = NULL;

        ASSERT_TRUE(asprintf(&path, "%s/driver_override", directory) > 0);
        machine_set_driver(&fixture->machine, GPU, driver);
        fake_sysfs_write(fixture->machine.tree, path, "(null)\n");
        fixture_event(fixture, NULL);
        fixture_settle(fixture);
}

/* Somebody took it: reported, not touched. */
static void test_drift_is_reported(void)
{
        Fixture fixture;

        start(&fixture, CONFIG);
        take_away(&fixture, "nvme");
        ASSERT_DEVICE(&fixture, GPU, "drifted", "drifted");
        ASSERT_DRIVER(&fixture, GPU, "nvme");
        ASSERT_EQ(fixture_member(&fixture, GPU)->device->record->drift_count, 1);
        ASSERT_STREQ(manager_view(fixture.manager)->state, "degraded");
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_EQ(fixture_member(&fixture, GPU)->device->record->drift_count, 1);
        fixture_done(&fixture);
}

/* The kernel says `unbind` before `remove`: what goes was not taken away. */
static void test_removal_is_no_drift(void)
{
        Fixture fixture;

        start(&fixture, "[Claim gpu]\nMatch=01:00.0\nOnDrift=reclaim\n");
        take_away(&fixture, "");
        ASSERT_DEVICE(&fixture, GPU, "releasing", "");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "running");
        machine_remove(&fixture.machine, GPU);
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_EQ(manager_view(fixture.manager)->snapshot->n_devices, 2);
        ASSERT_STREQ(fixture_claim_state(&fixture, "gpu"), "absent");
        fixture_done(&fixture);
}

static void test_unbound_and_left(void)
{
        Fixture fixture;
        uint64_t began;

        start(&fixture, CONFIG);
        began = now_monotonic();
        take_away(&fixture, "");
        ASSERT_DEVICE(&fixture, GPU, "releasing", "");
        ASSERT_EQ(fixture_member(&fixture, GPU)->device->record->drift_count, 0);
        FIXTURE_RUN_UNTIL(&fixture, strcmp(fixture_state(&fixture, GPU), "drifted") == 0);
        ASSERT_TRUE(now_monotonic() - began >= 900 * USEC_PER_MSEC);
        ASSERT_EQ(fixture_member(&fixture, GPU)->device->record->drift_count, 1);

        /* bound again by somebody: as it should be; unbound once more: judged anew */
        take_away(&fixture, "vfio-pci");
        ASSERT_DEVICE(&fixture, GPU, "bound", "");
        take_away(&fixture, "");
        ASSERT_DEVICE(&fixture, GPU, "releasing", "");
        fixture_done(&fixture);
}

/* Reclaimed three times, then left alone. */
static void test_drift_is_reclaimed(void)
{
        Fixture fixture;

        start(&fixture, "[Claim gpu]\nMatch=01:00.0\nOnDrift=reclaim\n");
        for (unsigned i = 1; i <= 3; i++) {
                take_away(&fixture, "nvme");
                ASSERT_DEVICE(&fixture, GPU, "bound", "");
                ASSERT_DRIVER(&fixture, GPU, "vfio-pci");
                ASSERT_EQ(fixture_member(&fixture, GPU)->device->record->drift_count, i);
        }
        take_away(&fixture, "nvme");
        ASSERT_DEVICE(&fixture, GPU, "drifted", "reclaim-gave-up");
        ASSERT_DRIVER(&fixture, GPU, "nvme");
        fixture_done(&fixture);
}

static bool has_link(Fixture *fixture)
{
        return faccessat(fixture->machine.host.root, "dev/vfio/by-address/" GPU, F_OK,
                       AT_SYMLINK_NOFOLLOW) == 0;
}

/* Links come and go with what other programs do. */
static void test_links_follow(void)
{
        Fixture fixture;

        start(&fixture, CONFIG);
        fake_sysfs_link(fixture.machine.tree, "dev/vfio/by-address/" GPU, "dev/vfio/14");
        machine_set_driver(&fixture.machine, GPU, "");
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, !has_link(&fixture));
        machine_set_driver(&fixture.machine, GPU, "vfio-pci");
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, has_link(&fixture));
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, GPU, "bound", "");
        fixture_done(&fixture);
}

int main(void)
{
        test_events_are_coalesced();
        test_idle();
        test_hotplugged_is_taken();
        test_event_after_the_scan();
        test_add_event_alone_is_no_hotplug();
        test_appeared_without_driver();
        test_replugged();
        test_drift_is_reported();
        test_removal_is_no_drift();
        test_unbound_and_left();
        test_drift_is_reclaimed();
        test_links_follow();
        return EXIT_SUCCESS;
}
