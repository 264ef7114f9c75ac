/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/fixture.h"
#include "daemon/service.h"

#define ONE   "0000:01:00.0"
#define TWO   "0000:02:00.0"
#define THREE "0000:03:00.0"

#define TREE                                                                                       \
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"                  \
        ONE " parent=0000:00:1c.0 id=10de:2482 class=030000 group=11\n"                            \
        "0000:00:1d.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=6\n"                  \
        TWO " parent=0000:00:1d.0 id=10de:2483 class=030000 group=12\n"                            \
        "0000:00:1e.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=7\n"                  \
        THREE " parent=0000:00:1e.0 id=10de:2484 class=030000 group=13\n"

static void reload(Fixture *fixture, const char *config)
{
        machine_configure(&fixture->machine, config);
        ASSERT_OK(manager_reload(fixture->manager));
        fixture_settle(fixture);
}

static void reload_with_errors(Fixture *fixture, const char *config)
{
        machine_configure(&fixture->machine, config);
        ASSERT_EQ(manager_reload(fixture->manager), -EBADMSG);
        fixture_settle(fixture);
}

static void start(Fixture *fixture, const char *config)
{
        fixture_init(fixture, TREE, config);
        fixture_start(fixture);
        fixture_settle(fixture);
}

/* A claim that is gone unbinds nothing, one that came binds what has no driver. */
static void test_claims_come_and_go(void)
{
        Fixture fixture;

        start(&fixture, "[Claim one]\nMatch=01:00.0\n");
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        reload(&fixture, "[Claim two]\nMatch=02:00.0\n");
        ASSERT_DEVICE(&fixture, ONE, "bound", "claim-removed");
        ASSERT_DRIVER(&fixture, ONE, "vfio-pci");
        ASSERT_DEVICE(&fixture, TWO, "bound", "");
        ASSERT_TRUE(!fixture_claim_state(&fixture, "one"));

        reload(&fixture, "[Claim one]\nMatch=01:00.0\n");
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        ASSERT_DEVICE(&fixture, TWO, "bound", "claim-removed");
        fixture_done(&fixture);
}

/* A claim with an error is what it was when it was good; the others follow the new file. */
static void test_last_good_is_kept(void)
{
        Fixture fixture;

        start(&fixture, "[Claim one]\nMatch=01:00.0\n");
        reload_with_errors(&fixture, "[Claim one]\nMatch=nonsense\n[Claim two]\nMatch=02:00.0\n");
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        ASSERT_DEVICE(&fixture, TWO, "bound", "");
        ASSERT_STREQ(fixture_claim_state(&fixture, "one"), "bound");
        ASSERT_TRUE(manager_view(fixture.manager)->config->diagnostics.n_errors > 0);
        ASSERT_STREQ(manager_view(fixture.manager)->state, "degraded");

        /* and again: the last good one is not forgotten by a second bad file */
        reload_with_errors(&fixture, "[Claim one]\nMatch=more nonsense\n");
        ASSERT_STREQ(fixture_claim_state(&fixture, "one"), "bound");
        ASSERT_DEVICE(&fixture, ONE, "bound", "");

        reload(&fixture, "[Claim one]\nMatch=01:00.0\n[Claim two]\nMatch=02:00.0\n");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "running");
        fixture_done(&fixture);
}

/* At a start there is nothing to fall back on: what the claim can be read to name is reserved. */
static void test_error_at_start(void)
{
        Fixture fixture;

        start(&fixture, "[Claim one]\nMatch=01:00.0\nDriver=\x01\n[Claim two]\nMatch=02:00.0\n");
        ASSERT_DRIVER(&fixture, ONE, "");
        ASSERT_STREQ(fixture_claim_state(&fixture, "one"), "error");
        ASSERT_DEVICE(&fixture, TWO, "bound", "");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "degraded");
        fixture_done(&fixture);
}

/* A reload with the same configuration publishes, but does nothing. */
static void test_reload_is_quiet(void)
{
        const char *config = "[Claim one]\nMatch=01:00.0\n[Claim three]\nMatch=03:00.0\n";
        Fixture fixture;
        size_t writes;

        start(&fixture, config);
        writes = machine_count_writes(&fixture.machine);
        reload(&fixture, config);
        ASSERT_EQ(machine_count_writes(&fixture.machine), writes);
        fixture_done(&fixture);
}

/* What failed is tried again under another configuration. */
static void test_reload_tries_again(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, "[Claim one]\nMatch=01:00.0\n");
        machine_fail(&fixture.machine, ONE, OPERATION_BIND, -22);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_STREQ(fixture_state(&fixture, ONE), "failed");
        machine_fail(&fixture.machine, ONE, OPERATION_BIND, 0);
        reload(&fixture, "[Claim one]\nMatch=01:00.0\nTimeout=31s\n");
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        fixture_done(&fixture);
}

/* Another driver means unbinding: that waits until somebody asks for it. */
static void test_another_driver_waits(void)
{
        Fixture fixture;

        start(&fixture, "[Claim one]\nMatch=01:00.0\nOnDrift=reclaim\n");
        reload(&fixture, "[Claim one]\nMatch=01:00.0\nOnDrift=reclaim\nDriver=pci-stub\n");
        ASSERT_DRIVER(&fixture, ONE, "vfio-pci");
        ASSERT_DEVICE(&fixture, ONE, "pending", "needs-apply");
        ASSERT_EQ(fixture_member(&fixture, ONE)->device->record->drift_count, 0);
        fixture_done(&fixture);
}

static unsigned node_mode(Fixture *fixture)
{
        struct stat status;

        ASSERT_OK(fstatat(fixture->machine.host.root, "dev/vfio/11", &status, 0));
        return status.st_mode & 07777;
}

/* What had been planned before a reload, and is done after it, is no deed of the new configuration:
 * that has its own settings done. */
static void test_reload_before_work_begins(void)
{
        Fixture fixture;

        fixture_init(&fixture, TREE, "[Claim one]\nMatch=01:00.0\nNodeMode=0660\n");
        fake_sysfs_write(fixture.machine.tree, "dev/vfio/11", "");
        fixture_start(&fixture);
        FIXTURE_RUN_UNTIL(&fixture, manager_view(fixture.manager));
        ASSERT_DEVICE(&fixture, ONE, "binding", "");
        reload(&fixture, "[Claim one]\nMatch=01:00.0\nNodeMode=0600\n");
        ASSERT_DEVICE(&fixture, ONE, "bound", "");
        ASSERT_EQ(node_mode(&fixture), 0600);
        fixture_done(&fixture);
}

/* The machine cannot be read at that moment: the new configuration is looked at when it can. */
static void test_reload_is_made_up_for(void)
{
        Fixture fixture;
        int root;

        start(&fixture, "[Claim one]\nMatch=01:00.0\n");
        root = fixture.machine.host.root;
        machine_configure(&fixture.machine, "[Claim two]\nMatch=02:00.0\n");
        ASSERT_OK(renameat(root, "sys/bus/pci/devices", root, "sys/bus/pci/hidden"));
        ASSERT_OK(symlinkat("devices", root, "sys/bus/pci/devices")); /* ELOOP */
        ASSERT_TRUE(manager_reload(fixture.manager) < 0);
        ASSERT_OK(unlinkat(root, "sys/bus/pci/devices", 0));
        ASSERT_OK(renameat(root, "sys/bus/pci/hidden", root, "sys/bus/pci/devices"));
        FIXTURE_RUN_UNTIL(&fixture, fixture_claim_state(&fixture, "two"));
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, TWO, "bound", "");
        fixture_done(&fixture);
}

static void assert_status(Fixture *fixture, const char *wanted)
{
        _cleanup_free_ char *status = NULL;

        ASSERT_OK(service_format_status(manager_view(fixture->manager), &status));
        ASSERT_STREQ(status, wanted);
}

static void test_status(void)
{
        Fixture fixture;

        start(&fixture, "");
        assert_status(&fixture, "No claims");
        reload(&fixture, "[Claim one]\nMatch=01:00.0\n");
        assert_status(&fixture, "1 claim: 1 bound");
        machine_set_driver(&fixture.machine, TWO, "nvme");
        reload(&fixture,
                "[Claim one]\nMatch=01:00.0\n[Claim two]\nMatch=02:00.0\n"
                "[Claim gone]\nMatch=7f:00.0\n[Claim off]\nMatch=03:00.0\nEnabled=no\n"
                "[Claim wrong]\nMatch=03:00.0 expect=1111:2222\n");
        assert_status(&fixture,
                "5 claims: 1 bound, 1 pending (two: needs-apply), 1 refused (wrong: "
                "identity-mismatch), 1 absent, 1 disabled");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "degraded");
        reload(&fixture, "[Claim one]\nMatch=01:00.0\n[Claim gone]\nMatch=7f:00.0\n");
        ASSERT_STREQ(manager_view(fixture.manager)->state, "running");
        fixture_done(&fixture);
}

static const char *next_boot_reason(Fixture *fixture, const char *text)
{
        const Plan *plan;
        PciAddress address;

        ASSERT_OK(pci_address_parse(text, &address));
        ASSERT_OK(manager_plan(fixture->manager, false, true, &plan));
        return reason_to_string(plan_find(plan, &address, NULL)->reason);
}

/* It knows of no version but the one in the files. */
static void test_next_boot_reads_the_files(void)
{
        Fixture fixture;

        fixture_init(&fixture, "0000:01:00.0 id=10de:2482 class=030000 group=14\n", "");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_STREQ(next_boot_reason(&fixture, "0000:01:00.0"), "");
        machine_configure(&fixture.machine, "[Claim gpu]\nMatch=01:00.0 expect=ffff:ffff\n");
        FIXTURE_RUN_UNTIL(&fixture,
                strcmp(next_boot_reason(&fixture, "0000:01:00.0"), "identity-mismatch") == 0);
        ASSERT_DEVICE(&fixture, "0000:01:00.0", "unclaimed", "");

        machine_configure(&fixture.machine, "[Claim gpu]\nMatch=01:00.0\n");
        ASSERT_OK(manager_reload(fixture.manager));
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, "0000:01:00.0", "bound", "");
        machine_configure(&fixture.machine, "[Claim gpu]\nMatch=01:00.0\nDrivre=auto\n");
        ASSERT_EQ(manager_reload(fixture.manager), -EBADMSG);
        fixture_settle(&fixture);
        ASSERT_DEVICE(&fixture, "0000:01:00.0", "bound", "");
        ASSERT_STREQ(next_boot_reason(&fixture, "0000:01:00.0"), "config-error");
        fixture_done(&fixture);
}

int main(void)
{
        test_next_boot_reads_the_files();
        test_claims_come_and_go();
        test_last_good_is_kept();
        test_error_at_start();
        test_reload_is_quiet();
        test_reload_tries_again();
        test_another_driver_waits();
        test_reload_before_work_begins();
        test_reload_is_made_up_for();
        test_status();
        return EXIT_SUCCESS;
}
