/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fake-sysfs.h"
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/initramfs.h"
#include "util/strings.h"

#define DIGEST    "0123456789abcdef"
#define MANIFESTS "var/lib/vfio-bindd/initramfs/"
/* Below the root of the fake machine. */
#define HELPER (&(PROGRAM_DIRECTORY "/vfio-bindd-helper")[1])

typedef struct Setup {
        FakeSysfs *fake;
        Host host;
} Setup;

static void setup_init(Setup *setup)
{
        *setup = (Setup){ .fake = fake_sysfs_new() };
        ASSERT_OK(host_open(setup->fake->root, &setup->host));
}

static void setup_done(Setup *setup)
{
        host_close(&setup->host);
        fake_sysfs_free(setup->fake);
}
#define _cleanup_setup_ _cleanup_(setup_done)

static void write_at(Setup *setup, const char *path, const char *text, time_t when)
{
        struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };

        fake_sysfs_write(setup->fake, path, text);
        ASSERT_OK(utimensat(setup->fake->fd, path, times, 0));
}

static const char *look(Setup *setup, bool is_enabled, const char *kernel)
{
        _cleanup_free_ char *found = NULL;
        InitramfsState state;

        ASSERT_OK(initramfs_look(&setup->host, DIGEST, is_enabled, &state, &found));
        ASSERT_STREQ(found, kernel);
        return initramfs_state_to_string(state);
}

static void test_states(void)
{
        _cleanup_setup_ Setup setup;

        setup_init(&setup);
        ASSERT_STREQ(look(&setup, true, NULL), "unknown");
        ASSERT_STREQ(look(&setup, false, NULL), "unused");

        fake_sysfs_add(setup.fake, "dir usr/lib/modules/6.1.0-9\n"
                                   "dir usr/lib/modules/6.1.0-10\n"
                                   "dir usr/lib/modules/6.2.0-1\n");
        ASSERT_STREQ(look(&setup, true, "6.2.0-1"), "unknown");
        /* the newest kernel that has an image, 10 being more than 9 */
        write_at(&setup, "boot/initrd.img-6.1.0-9", "x", 100);
        write_at(&setup, "boot/initrd.img-6.1.0-10", "x", 100);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "missing");
        ASSERT_STREQ(look(&setup, false, "6.1.0-10"), "unused");

        write_at(&setup, MANIFESTS "6.1.0-9", "Digest=" DIGEST "\n", 90);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "missing");
        write_at(&setup, MANIFESTS "6.1.0-10", "Timeout=20\nDigest=" DIGEST "\n", 90);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "current");
        ASSERT_STREQ(look(&setup, false, "6.1.0-10"), "stale");
        write_at(&setup, MANIFESTS "6.1.0-10", "Digest=0123456789abcdee\n", 90);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "stale");
        write_at(&setup, MANIFESTS "6.1.0-10", "Digest\n", 90);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "stale");
        write_at(&setup, MANIFESTS "6.1.0-10", "", 90);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "stale");

        /* what was announced was never finished */
        write_at(&setup, MANIFESTS "6.1.0-10", "Digest=" DIGEST "\n", 110);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "stale");
        write_at(&setup, "boot/initrd.img-6.1.0-10", "y", 120);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "current");

        _cleanup_free_ char *huge = calloc(1, 5000);
        ASSERT_TRUE(huge);
        memset(huge, 'x', 4999);
        write_at(&setup, MANIFESTS "6.1.0-10", huge, 90);
        ASSERT_STREQ(look(&setup, true, "6.1.0-10"), "stale");
}

static void test_names_of_images(void)
{
        static const char *const names[] = { "boot/initramfs-6.9.img", "boot/initrd-6.9",
                "usr/lib/modules/6.9/initrd", "boot/initramfs-linux-lts.img" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_setup_ Setup setup;

                setup_init(&setup);
                fake_sysfs_add(setup.fake, "file usr/lib/modules/6.9/pkgbase linux-lts\n"
                                           "dir usr/lib/modules/7.0\n");
                fake_sysfs_write(setup.fake, names[i], "x");
                ASSERT_STREQ(look(&setup, true, "6.9"), "missing");
        }
}

static void test_booted(void)
{
        _cleanup_setup_ Setup setup;

        setup_init(&setup);
        ASSERT_EQ(initramfs_look_booted(&setup.host, DIGEST, true), INITRAMFS_MISSING);
        ASSERT_EQ(initramfs_look_booted(&setup.host, DIGEST, false), INITRAMFS_UNUSED);
        ASSERT_EQ(initramfs_note_booted(&setup.host), -ENOENT);
        ASSERT_TRUE(!host_is_initramfs(&setup.host));

        fake_sysfs_write(setup.fake, &(INITRAMFS_MANIFEST)[1], "Digest=" DIGEST "\n");
        fake_sysfs_add(setup.fake, "dir run/vfio-bindd\n");
        ASSERT_TRUE(host_is_initramfs(&setup.host));
        ASSERT_OK(initramfs_note_booted(&setup.host));
        fake_sysfs_remove(setup.fake, &(INITRAMFS_MANIFEST)[1]);
        ASSERT_TRUE(!host_is_initramfs(&setup.host));
        ASSERT_EQ(initramfs_look_booted(&setup.host, DIGEST, true), INITRAMFS_CURRENT);
        ASSERT_EQ(initramfs_look_booted(&setup.host, DIGEST, false), INITRAMFS_STALE);
        ASSERT_EQ(initramfs_look_booted(&setup.host, "0", true), INITRAMFS_STALE);

        fake_sysfs_write(setup.fake, "etc/initrd-release", "");
        ASSERT_TRUE(host_is_initramfs(&setup.host));
}

static void test_digest(void)
{
        _cleanup_setup_ Setup setup;
        char digests[4][INITRAMFS_DIGEST_SIZE];

        setup_init(&setup);
        ASSERT_OK(initramfs_digest(&setup.host, "a", digests[0]));
        ASSERT_OK(initramfs_digest(&setup.host, "b", digests[1]));
        fake_sysfs_write(setup.fake, HELPER, "program");
        ASSERT_OK(initramfs_digest(&setup.host, "a", digests[2]));
        fake_sysfs_write(setup.fake, HELPER, "progran");
        ASSERT_OK(initramfs_digest(&setup.host, "a", digests[3]));
        for (size_t i = 0; i < 4; i++) {
                ASSERT_EQ(strspn(digests[i], "0123456789abcdef"), 16);
                for (size_t j = 0; j < i; j++)
                        ASSERT_TRUE(!streq(digests[i], digests[j]));
        }
}

int main(void)
{
        test_states();
        test_names_of_images();
        test_booted();
        test_digest();
        return 0;
}
