/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/fixture.h"
#include "host/store.h"
#include "util/io.h"
#include "util/strings.h"

#define GPU "0000:01:00.0"

#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        GPU " parent=0000:00:1c.0 id=10de:2482 class=030000 group=14\n"
#define CONFIG "[Claim gpu]\nMatch=01:00.0\nTimeout=1s\n"

static bool is_settled(Fixture *fixture)
{
        return manager_view(fixture->manager) && manager_view(fixture->manager)->settled;
}

/* As the udev helper leaves it while its worker is at the function. */
static void save_binding(Fixture *fixture)
{
        DeviceRecord record = {
                .claim = (char *) "gpu",
                .target_driver = (char *) "vfio-pci",
                .state = STATE_BINDING,
                .stage = STAGE_RUNTIME,
        };
        PciAddress address;

        ASSERT_OK(pci_address_parse(GPU, &address));
        ASSERT_OK(store_prepare(&fixture->machine.host));
        ASSERT_OK(store_save(&fixture->machine.host, &address,
                fake_sysfs_inode(fixture->machine.tree, GPU), &record));
}

/* Absent and waiting claims do not keep the boot waiting. */
static void test_nothing_underway(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, "[Claim a]\nMatch=7f:00.0\n[Claim b]\nMatch=01:00.0\n");
        machine_set_driver(&fixture.machine, GPU, "nvme");
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_TRUE(is_settled(&fixture));
        ASSERT_EQ(fixture.n_published, 1);
        fixture_done(&fixture);
}

/* A worker that takes longer than the claim's Timeout= is not waited for. */
static void test_settled_when_time_is_over(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_close_gate(&fixture.machine);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_TRUE(!is_settled(&fixture));
        ASSERT_STREQ(manager_view(fixture.manager)->state, "starting");
        FIXTURE_RUN_UNTIL(&fixture, is_settled(&fixture));
        ASSERT_TRUE(now_monotonic() >= fixture.manager->started_usec + 100 * USEC_PER_MSEC);
        fixture_done(&fixture);
}

/* The service manager ends a daemon that is not ready in time (TimeoutStartSec= of the unit),
 * whatever the configuration grants. */
static void test_settled_before_the_service_manager_gives_up(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE,
                "[Defaults]\nBootTimeout=1h\n[Claim gpu]\nMatch=01:00.0\nTimeout=1h\n");
        machine_close_gate(&fixture.machine);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_TRUE(!is_settled(&fixture));
        fixture.manager->started_usec -= 250 * USEC_PER_SEC;
        fixture_event(&fixture, NULL);
        FIXTURE_RUN_UNTIL(&fixture, is_settled(&fixture));
        ASSERT_DEVICE(&fixture, GPU, "binding", "");
        fixture_done(&fixture);
}

/* Once settled, always settled. */
static void test_stays_settled(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, is_settled(&fixture));
        machine_close_gate(&fixture.machine);
        machine_configure(&fixture.machine, "[Claim gpu]\nMatch=01:00.0\nDriver=pci-stub\n");
        ASSERT_OK(manager_reload(fixture.manager));
        ASSERT_TRUE(is_settled(&fixture));
        fixture_done(&fixture);
}

/* Somebody else's worker is given the claim's Timeout=; without one that lives, the function is
 * judged failed. */
static void test_late_worker(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        save_binding(&fixture);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_DEVICE(&fixture, GPU, "binding", "");
        ASSERT_TRUE(!is_settled(&fixture));
        FIXTURE_RUN_UNTIL(&fixture, is_settled(&fixture) &&
                        streq(fixture_state(&fixture, GPU), "failed"));
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, GPU, "failed", "probe-failed");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "degraded");
        ASSERT_EQ(machine_count_writes(&fixture.machine), 0);
        fixture_done(&fixture);
}

/* Another process, for what is forked from this one would hold the lock as well. */
static pid_t start_lock_holder(const Host *host)
{
        int told[2];
        char byte;
        pid_t pid;

        ASSERT_OK(pipe(told));
        pid = fork();
        if (pid == 0) {
                byte = store_lock_group(host, 14, false) >= 0;
                (void) !write(told[1], &byte, 1);
                for (;;)
                        (void) pause();
        }
        ASSERT_EQ(read(told[0], &byte, 1), 1);
        ASSERT_EQ(byte, 1);
        close(told[0]);
        close(told[1]);
        return pid;
}

/* While that worker lives, which its lock of the group shows, the group is stuck, and no longer. */
static void test_late_worker_that_lives(void)
{
        Fixture fixture;
        pid_t holder;

        fixture_init(&fixture, TREE, CONFIG);
        save_binding(&fixture);
        holder = start_lock_holder(&fixture.machine.host);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, is_settled(&fixture) &&
                        streq(fixture_state(&fixture, GPU), "stuck"));
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, GPU, "stuck", "worker-timeout");
        ASSERT_EQ(manager_view(fixture.manager)->n_stuck, 1);

        ASSERT_OK(kill(holder, SIGKILL));
        ASSERT_EQ(waitpid(holder, NULL, 0), holder);
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, GPU, "failed", "worker-timeout");
        fixture_done(&fixture);
}

/* The helper's worker was in time. */
static void test_worker_in_time(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, "[Claim gpu]\nMatch=01:00.0\n");
        save_binding(&fixture);
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_DEVICE(&fixture, GPU, "binding", "");
        machine_set_driver(&fixture.machine, GPU, "vfio-pci");
        fixture_event(&fixture, NULL);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, GPU, "bound", "");
        ASSERT_TRUE(is_settled(&fixture));
        ASSERT_EQ(fixture.manager->waiting.n_items, 0);
        fixture_done(&fixture);
}

int main(void)
{
        test_nothing_underway();
        test_settled_when_time_is_over();
        test_settled_before_the_service_manager_gives_up();
        test_stays_settled();
        test_late_worker();
        test_late_worker_that_lives();
        test_worker_in_time();
        return EXIT_SUCCESS;
}
