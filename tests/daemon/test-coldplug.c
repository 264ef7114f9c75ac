/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/fixture.h"

#include <unistd.h>

#include "util/strings.h"

/* At boot the daemon comes while udev still offers what is there to the host's drivers. */

#define GPU  "0000:01:00.0"
#define DISK "0000:02:00.0"
#define PLUG "0000:03:00.0"

#define TREE                                                                                       \
        GPU " id=10de:2482 class=030000 group=14\n"                                                \
        DISK " id=1b36:0010 class=010802 group=15\n"                                               \
        "file run/udev/queue x\n"
#define CONFIG "[Claim gpu]\nMatch=01:00.0\n[Claim disk]\nMatch=02:00.0\n[Claim new]\nMatch=03:00.0\n"

static void end_coldplug(Fixture *fixture)
{
        ASSERT_EQ(unlinkat(fixture->machine.host.root, "run/udev/queue", 0), 0);
}

static bool is_bound(Fixture *fixture, const char *address)
{
        _cleanup_free_ char *driver = machine_driver(&fixture->machine, address);

        return streq(driver, "vfio-pci");
}

/* What the host's driver gets meanwhile is the host's, and only the rest is bound. */
static void test_host_drivers_come_first(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, GPU, "");
        ASSERT_DEVICE(&fixture, GPU, "pending", "deferred-to-next-stage");
        ASSERT_DEVICE(&fixture, DISK, "pending", "deferred-to-next-stage");
        ASSERT_TRUE(!manager_view(fixture.manager)->settled);

        machine_set_driver(&fixture.machine, DISK, "nvme");
        end_coldplug(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, is_bound(&fixture, GPU));
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, DISK, "nvme");
        ASSERT_DEVICE(&fixture, DISK, "pending", "needs-apply");
        ASSERT_TRUE(manager_view(fixture.manager)->settled);
        fixture_done(&fixture);
}

/* Later on udev is busy now and then: that is no boot. */
static void test_once(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        end_coldplug(&fixture);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_DRIVER(&fixture, GPU, "vfio-pci");
        fake_sysfs_write(fixture.machine.tree, "run/udev/queue", "x");
        machine_set_driver(&fixture.machine, GPU, "");
        machine_configure(&fixture.machine, CONFIG "[Defaults]\nOnDrift=reclaim\n");
        ASSERT_OK(manager_reload(fixture.manager));
        FIXTURE_RUN_UNTIL(&fixture, is_bound(&fixture, GPU));
        ASSERT_DRIVER(&fixture, GPU, "vfio-pci");
        fixture_done(&fixture);
}

/* Who asks for a function, or plugs it in, does not wait. */
static void test_newcomers_do_not_wait(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        fake_sysfs_add(fixture.machine.tree, PLUG " id=1b36:0010 class=010802 group=16\n");
        fixture_event(&fixture, PLUG);
        FIXTURE_RUN_UNTIL(&fixture, is_bound(&fixture, PLUG));
        ASSERT_DRIVER(&fixture, GPU, "");
        fixture_done(&fixture);
}

int main(void)
{
        test_host_drivers_come_first();
        test_once();
        test_newcomers_do_not_wait();
        return 0;
}
