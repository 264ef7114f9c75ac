/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-event.h>
#include <umockdev.h>

#include "daemon/watcher.h"
#include "lib/test.h"
#include "log/log.h"

/* Events of a mocked udev; runs below umockdev-wrapper. */

typedef struct Seen {
        size_t n_events, n_added, n_lost;
        PciAddress last_added;
} Seen;

static void on_event(void *userdata, const WatcherEvent *event)
{
        Seen *seen = userdata;

        seen->n_events++;
        seen->n_lost += event->lost;
        seen->n_added += event->is_added;
        if (event->is_added)
                seen->last_added = event->address;
}

static void run(sd_event *event, const Seen *seen, size_t n_events)
{
        while (seen->n_events < n_events) {
                int r = sd_event_run(event, 5 * USEC_PER_SEC);

                ASSERT_TRUE(r > 0);
        }
}

static char *add_device(UMockdevTestbed *testbed, const char *subsystem, const char *name)
{
        return umockdev_testbed_add_device(testbed, subsystem, name, NULL, NULL, NULL);
}

int main(void)
{
        UMockdevTestbed *testbed;
        sd_event *event;
        Watcher *watcher;
        Seen seen = {};
        char *function, *group, *block;

        if (!getenv("LD_PRELOAD") || !strstr(getenv("LD_PRELOAD"), "umockdev"))
                TEST_SKIP("not below umockdev-wrapper");
        log_open("test", LOG_TARGET_NULL, STAGE_RUNTIME);
        testbed = umockdev_testbed_new();
        ASSERT_OK(sd_event_new(&event));
        ASSERT_OK(watcher_new(event, on_event, &seen, &watcher));

        /* adding a device sends "add"; events queue up before the loop runs */
        function = add_device(testbed, "pci", "0000:01:00.0");
        run(event, &seen, 1);
        ASSERT_EQ(seen.n_added, 1);
        ASSERT_STREQ(PCI_ADDRESS_TEXT(&seen.last_added), "0000:01:00.0");

        /* what came of it is an event, but nothing new */
        umockdev_testbed_uevent(testbed, function, "change");
        umockdev_testbed_uevent(testbed, function, "bind");
        run(event, &seen, 3);
        ASSERT_EQ(seen.n_added, 1);

        /* a replayed "add" is nothing new either */
        umockdev_testbed_set_property(testbed, function, "SYNTH_UUID", "0");
        umockdev_testbed_uevent(testbed, function, "add");
        run(event, &seen, 4);
        ASSERT_EQ(seen.n_added, 1);

        /* other subsystems wake nobody; VFIO's do */
        block = add_device(testbed, "block", "sda");
        group = add_device(testbed, "vfio", "14");
        run(event, &seen, 5);
        umockdev_testbed_uevent(testbed, block, "change");
        umockdev_testbed_uevent(testbed, group, "change");
        run(event, &seen, 6);
        ASSERT_EQ(sd_event_run(event, 0), 0);
        ASSERT_EQ(seen.n_events, 6);
        ASSERT_EQ(seen.n_added, 1);
        ASSERT_EQ(seen.n_lost, 0);

        /* told to rest, it leaves events where they are: until it is told to go on … */
        watcher_rest(watcher);
        umockdev_testbed_uevent(testbed, function, "change");
        ASSERT_EQ(sd_event_run(event, 0), 0);
        ASSERT_EQ(seen.n_events, 6);
        watcher_go_on(watcher);
        run(event, &seen, 7);
        /* … or until its time is over, which being told again does not put off */
        watcher_rest(watcher);
        umockdev_testbed_uevent(testbed, function, "change");
        while (seen.n_events < 8) {
                watcher_rest(watcher);
                ASSERT_TRUE(sd_event_run(event, 60 * USEC_PER_SEC) > 0);
        }

        g_free(function);
        g_free(group);
        g_free(block);
        watcher_free(watcher);
        sd_event_unref(event);
        g_object_unref(testbed);
        return EXIT_SUCCESS;
}
