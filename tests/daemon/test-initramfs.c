/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/fixture.h"

#include <sys/stat.h>

#include "host/initramfs.h"
#include "util/strings.h"

/* A changed file is seen by itself, and the state that is shown follows. */

#define TREE                                                                                       \
        "0000:01:00.0 id=10de:2482 class=030000 group=14\n"                                        \
        "dir usr/lib/modules/6.1\n"                                                                \
        "file boot/initrd.img-6.1 x\n"                                                             \
        "dir etc/vfio-bind.conf.d\n"                                                               \
        "dir var/lib/vfio-bindd/initramfs\n"
#define CONFIG   "[Claim gpu]\nMatch=01:00.0\n"
#define MANIFEST "var/lib/vfio-bindd/initramfs/6.1"

static const char *state(Fixture *fixture)
{
        const View *view = manager_view(fixture->manager);

        return view ? view->initramfs_state : NULL;
}

#define WAIT_FOR_STATE(fixture, expected)                                                          \
        FIXTURE_RUN_UNTIL((fixture), streq_null(state(fixture), (expected)))

/* What a hook does: the manifest, then the image. The digest is read from what a helper says. */
static void make_image(Fixture *fixture, const char *digest)
{
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(format_string(&text, "Digest=%s\n", digest));
        fake_sysfs_write(fixture->machine.tree, MANIFEST, text);
        fake_sysfs_write(fixture->machine.tree, "boot/initrd.img-6.1", "y");
}

static void digest_now(Fixture *fixture, char digest[static INITRAMFS_DIGEST_SIZE])
{
        ASSERT_OK(initramfs_digest(&fixture->machine.host,
                manager_view(fixture->manager)->config->digest, digest));
}

static void test_follows_files(void)
{
        char digest[INITRAMFS_DIGEST_SIZE];
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_enable(&fixture.machine, true);
        fixture_start(&fixture);
        WAIT_FOR_STATE(&fixture, "missing");
        ASSERT_STREQ(manager_view(fixture.manager)->booted_initramfs_state, "missing");

        digest_now(&fixture, digest);
        make_image(&fixture, digest);
        WAIT_FOR_STATE(&fixture, "current");

        /* a drop-in; nobody reloads */
        fake_sysfs_write(fixture.machine.tree, "etc/vfio-bind.conf.d/a.conf",
                "[Claim b]\nMatch=02:00.0\n");
        WAIT_FOR_STATE(&fixture, "stale");
        ASSERT_EQ(manager_view(fixture.manager)->config->n_claims, 1);
        ASSERT_STREQ(manager_view(fixture.manager)->configuration_state, "changed");
        fake_sysfs_remove(fixture.machine.tree, "etc/vfio-bind.conf.d/a.conf");
        WAIT_FOR_STATE(&fixture, "current");
        ASSERT_STREQ(manager_view(fixture.manager)->configuration_state, "current");

        /* the main file, replaced as editors do; another directory that comes only now */
        machine_configure(&fixture.machine, CONFIG "Enabled=no\n");
        WAIT_FOR_STATE(&fixture, "stale");
        machine_configure(&fixture.machine, CONFIG);
        WAIT_FOR_STATE(&fixture, "current");
        fake_sysfs_write(fixture.machine.tree, "usr/lib/vfio-bind.conf.d/z.conf",
                "[Claim b]\nMatch=02:00.0\n");
        WAIT_FOR_STATE(&fixture, "stale");
        fake_sysfs_remove(fixture.machine.tree, "usr/lib/vfio-bind.conf.d/z.conf");
        WAIT_FOR_STATE(&fixture, "current");

        /* the switch: an image that still binds, then one without us */
        machine_enable(&fixture.machine, false);
        WAIT_FOR_STATE(&fixture, "stale");
        fake_sysfs_remove(fixture.machine.tree, MANIFEST);
        WAIT_FOR_STATE(&fixture, "unused");
        fixture_done(&fixture);
}

/* Neither what else is in those directories nor what makes no difference is news. */
static void test_quiet(void)
{
        char digest[INITRAMFS_DIGEST_SIZE];
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_enable(&fixture.machine, true);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        digest_now(&fixture, digest);
        make_image(&fixture, digest);
        WAIT_FOR_STATE(&fixture, "current");
        fixture_settle(&fixture);

        size_t published = fixture.n_published;
        fake_sysfs_write(fixture.machine.tree, "etc/passwd", "x");
        ASSERT_TRUE(sd_event_run(fixture.event, 0) > 0); /* the event is there at once */
        ASSERT_EQ(sd_event_source_get_enabled(fixture.manager->initramfs_timer, NULL), 0);
        machine_configure(&fixture.machine, "# in other words\n" CONFIG);
        FIXTURE_RUN_UNTIL(&fixture,
                sd_event_source_get_enabled(fixture.manager->initramfs_timer, NULL) > 0);
        FIXTURE_RUN_UNTIL(&fixture,
                sd_event_source_get_enabled(fixture.manager->initramfs_timer, NULL) == 0);
        ASSERT_EQ(fixture.n_published, published);
        ASSERT_STREQ(state(&fixture), "current");
        fixture_done(&fixture);
}

static void test_booted(void)
{
        char digest[INITRAMFS_DIGEST_SIZE];
        Fixture fixture;

        fixture_init(&fixture, TREE, CONFIG);
        machine_enable(&fixture.machine, true);
        fake_sysfs_add(fixture.machine.tree, "file run/vfio-bindd/initramfs Digest=0\n");
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_STREQ(manager_view(fixture.manager)->booted_initramfs_state, "stale");
        digest_now(&fixture, digest);
        fixture_stop(&fixture);

        _cleanup_free_ char *text = NULL;
        ASSERT_OK(format_string(&text, "Digest=%s\n", digest));
        fake_sysfs_write(fixture.machine.tree, "run/vfio-bindd/initramfs", text);
        fixture_start(&fixture);
        fixture_settle(&fixture);
        ASSERT_STREQ(manager_view(fixture.manager)->booted_initramfs_state, "current");
        fixture_done(&fixture);
}

int main(void)
{
        test_follows_files();
        test_quiet();
        test_booted();
        return 0;
}
