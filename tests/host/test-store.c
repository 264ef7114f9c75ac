/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/store.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

#define RUN "run/vfio-bindd/"

static const PciAddress address = {.bus = 1};

typedef struct Fixture {
        FakeSysfs *fake;
        Host host;
} Fixture;

static Fixture begin(void)
{
        Fixture fixture = {.fake = fake_sysfs_new()};

        ASSERT_OK(host_open(fixture.fake->root, &fixture.host));
        ASSERT_OK(store_prepare(&fixture.host));
        return fixture;
}

static void end(Fixture *fixture)
{
        host_close(&fixture->host);
        fake_sysfs_free(fixture->fake);
}

static DeviceRecord *load(Fixture *fixture, uint64_t inode)
{
        DeviceRecord *record = NULL;

        ASSERT_OK(store_load(&fixture->host, &address, inode, &record));
        return record;
}

static void test_prepare(void)
{
        Fixture f = begin();
        struct stat status;

        ASSERT_OK(fstatat(f.fake->fd, RUN "originals", &status, AT_SYMLINK_NOFOLLOW));
        ASSERT_EQ(status.st_mode & 07777, 0755);
        ASSERT_OK(store_prepare(&f.host));

        /* never through a link that somebody has laid out */
        fake_sysfs_remove(f.fake, RUN "locks");
        fake_sysfs_link(f.fake, RUN "locks", "proc");
        ASSERT_TRUE(store_prepare(&f.host) < 0);
        end(&f);
}

static void test_round_trip(void)
{
        Fixture f = begin();
        DeviceRecord record = {
                .original_driver = (char *) "a\\b\nc\x01=\x7f",
                .original_power_control = (char *) "auto",
                .original_autoprobe = (char *) "1",
                .provenance = PROVENANCE_TAKEN,
                .stage = STAGE_INITRD,
                .target_driver = (char *) "vfio-pci",
                .bound_usec = UINT64_MAX,
                .claim = (char *) "gaming-gpu",
                .config_digest = (char *) "0123456789abcdef",
                .state = STATE_BOUND,
                .reason = REASON_NEEDS_APPLY,
                .reason_text = (char *) "Füße \"quoted\"",
                .manual = MANUAL_BOUND,
                .manual_driver = (char *) "",
                .hotplug_pending = true,
                .drift_count = 3,
        };

        ASSERT_TRUE(!load(&f, 7));
        ASSERT_OK(store_save_original(&f.host, &address, 7, &record));
        ASSERT_OK(store_save(&f.host, &address, 7, &record));
        DeviceRecord *got = load(&f, 7);
        ASSERT_TRUE(got && got->has_original);
        ASSERT_STREQ(got->original_driver, record.original_driver);
        ASSERT_TRUE(!got->original_override);
        ASSERT_STREQ(got->original_power_control, "auto");
        ASSERT_STREQ(got->original_autoprobe, "1");
        ASSERT_EQ(got->provenance, PROVENANCE_TAKEN);
        ASSERT_EQ(got->stage, STAGE_INITRD);
        ASSERT_STREQ(got->target_driver, "vfio-pci");
        ASSERT_TRUE(got->bound_usec == UINT64_MAX);
        ASSERT_STREQ(got->claim, "gaming-gpu");
        ASSERT_STREQ(got->config_digest, "0123456789abcdef");
        ASSERT_EQ(got->state, STATE_BOUND);
        ASSERT_EQ(got->reason, REASON_NEEDS_APPLY);
        ASSERT_STREQ(got->reason_text, record.reason_text);
        ASSERT_EQ(got->manual, MANUAL_BOUND);
        ASSERT_STREQ(got->manual_driver, "");
        ASSERT_TRUE(got->hotplug_pending);
        ASSERT_EQ(got->drift_count, 3);
        device_record_free(got);

        /* each line stands for itself: what is stored cannot add lines */
        _cleanup_free_ char *text = fake_sysfs_read(f.fake, RUN "originals/0000:01:00.0");
        ASSERT_STREQ(text, "INODE=7\nORIGINAL_DRIVER=a\\\\b\\nc\\x01=\\x7f\n"
                           "ORIGINAL_POWER_CONTROL=auto\nORIGINAL_AUTOPROBE=1\n");

        ASSERT_OK(store_remove(&f.host, &address));
        ASSERT_TRUE(!load(&f, 7));
        ASSERT_OK(store_remove(&f.host, &address));
        end(&f);
}

/* The helper's first note of a function never replaces what somebody else recorded of it. */
static void test_created_once(void)
{
        Fixture f = begin();
        DeviceRecord bound = {.state = STATE_BOUND}, mark = {.hotplug_pending = true};

        ASSERT_OK(store_create(&f.host, &address, 7, &bound));
        ASSERT_EQ(store_create(&f.host, &address, 7, &mark), -EEXIST);
        DeviceRecord *got = load(&f, 7);
        ASSERT_EQ(got->state, STATE_BOUND);
        device_record_free(got);
        /* another card in the same place */
        ASSERT_OK(store_create(&f.host, &address, 8, &mark));
        got = load(&f, 8);
        ASSERT_TRUE(got->hotplug_pending);
        device_record_free(got);
        end(&f);
}

static void test_originals_are_kept(void)
{
        Fixture f = begin();
        DeviceRecord first = {.original_driver = (char *) "nvme"}, later = {};

        ASSERT_OK(store_save_original(&f.host, &address, 7, &first));
        ASSERT_EQ(store_save_original(&f.host, &address, 7, &later), -EEXIST);
        ASSERT_OK(store_save(&f.host, &address, 7, &(DeviceRecord){.state = STATE_BOUND}));
        DeviceRecord *got = load(&f, 7);
        ASSERT_STREQ(got->original_driver, "nvme");
        device_record_free(got);

        /* another card in the same place inherits nothing, and may leave its own */
        ASSERT_TRUE(!load(&f, 8));
        ASSERT_OK(store_save_original(&f.host, &address, 8, &later));
        got = load(&f, 8);
        ASSERT_TRUE(got->has_original && !got->original_driver);
        device_record_free(got);

        /* a damaged one might be ours */
        fake_sysfs_write(f.fake, RUN "originals/0000:01:00.0", "garbage");
        ASSERT_EQ(store_save_original(&f.host, &address, 8, &later), -EEXIST);
        end(&f);
}

static void test_half_records(void)
{
        static const Provenance needs_original[] = {PROVENANCE_CLEAN, PROVENANCE_TAKEN,
                PROVENANCE_NONE};

        for (size_t i = 0; i < ELEMENTSOF(needs_original); i++) {
                Fixture f = begin();
                DeviceRecord record = {.provenance = needs_original[i], .state = STATE_BOUND};

                ASSERT_OK(store_save(&f.host, &address, 7, &record));
                DeviceRecord *got = load(&f, 7);
                ASSERT_EQ(got->provenance, PROVENANCE_UNKNOWN);
                ASSERT_TRUE(!got->has_original);
                ASSERT_EQ(got->state, STATE_BOUND);
                device_record_free(got);
                end(&f);
        }

        Fixture f = begin();
        DeviceRecord adopted = {.provenance = PROVENANCE_ADOPTED, .state = STATE_BOUND};
        ASSERT_OK(store_save(&f.host, &address, 7, &adopted));
        DeviceRecord *got = load(&f, 7);
        ASSERT_EQ(got->provenance, PROVENANCE_ADOPTED);
        device_record_free(got);

        /* an original alone: begun, and nobody knows how it went on */
        ASSERT_OK(store_remove(&f.host, &address));
        ASSERT_OK(store_save_original(&f.host, &address, 7, &adopted));
        got = load(&f, 7);
        ASSERT_EQ(got->provenance, PROVENANCE_UNKNOWN);
        ASSERT_TRUE(got->has_original);
        device_record_free(got);
        end(&f);
}

/* As none, or of unknown provenance; never clean, never a crash. */
static void test_damaged(void)
{
        static const char *const texts[] = {
                "", "\n", "INODE=7", "INODE=\n", "INODE=x\nSTATE=bound\n", "STATE=bound\nINODE=7\n",
                "INODE=99999999999999999999999999\n", "INODE=-7\n",
        };
        static const char *const partly[] = {
                "INODE=7\nSTATE=bound\nPROVENANCE=clean", "INODE=7\nPROVENANCE=clean\nSTATE=no\n",
                "INODE=7\nPROVENANCE=clean\n\n", "INODE=7\nPROVENANCE=clean\nCLAIM=\\q\n",
                "INODE=7\nPROVENANCE=clean\nCLAIM=\\x0\n", "INODE=7\nPROVENANCE=clean\nCLAIM=\\\n",
                "INODE=7\nPROVENANCE=clean\nDRIFT_COUNT=99999999999\n",
                "INODE=7\nPROVENANCE=clean\nMANUAL=maybe\n",
                "INODE=7\nPROVENANCE=clean\nCLAIM=\\x00\n",
        };
        Fixture f = begin();
        DeviceRecord original = {.original_driver = (char *) "nvme"};

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                fake_sysfs_write(f.fake, RUN "functions/0000:01:00.0", texts[i]);
                ASSERT_TRUE(!load(&f, 7));
        }
        ASSERT_OK(store_save_original(&f.host, &address, 7, &original));
        for (size_t i = 0; i < ELEMENTSOF(partly); i++) {
                fake_sysfs_write(f.fake, RUN "functions/0000:01:00.0", partly[i]);
                DeviceRecord *got = load(&f, 7);
                ASSERT_TRUE(got);
                ASSERT_EQ(got->provenance, PROVENANCE_UNKNOWN);
                device_record_free(got);
        }

        /* NUL bytes, too long, a directory, unknown keys */
        fake_sysfs_write_data(f.fake, RUN "functions/0000:01:00.0",
                "INODE=7\nPROVENANCE=clean\0STATE=bound\n", 38);
        DeviceRecord *got = load(&f, 7);
        ASSERT_EQ(got->provenance, PROVENANCE_UNKNOWN);
        device_record_free(got);

        _cleanup_free_ char *large = malloc(100001);
        ASSERT_TRUE(large);
        memset(large, 'x', 100000);
        large[100000] = '\0';
        memcpy(large, "INODE=7\nCLAIM=", 14);
        fake_sysfs_write(f.fake, RUN "functions/0000:01:00.0", large);
        got = load(&f, 7);
        ASSERT_TRUE(!got->claim);
        device_record_free(got);

        fake_sysfs_write(f.fake, RUN "functions/0000:01:00.0",
                "INODE=7\nPROVENANCE=clean\nOF_A_LATER_VERSION=1\n");
        got = load(&f, 7);
        ASSERT_EQ(got->provenance, PROVENANCE_CLEAN);
        device_record_free(got);

        fake_sysfs_remove(f.fake, RUN "functions/0000:01:00.0");
        fake_sysfs_add(f.fake, "dir " RUN "functions/0000:01:00.0");
        got = load(&f, 7);
        ASSERT_EQ(got->provenance, PROVENANCE_UNKNOWN);
        device_record_free(got);
        end(&f);
}

static void test_long_values_are_cut(void)
{
        Fixture f = begin();
        _cleanup_free_ char *text = malloc(50001);

        ASSERT_TRUE(text);
        memset(text, 'x', 50000);
        text[50000] = '\0';
        ASSERT_OK(store_save(&f.host, &address, 7, &(DeviceRecord){.reason_text = text}));
        DeviceRecord *got = load(&f, 7);
        ASSERT_EQ(strlen(got->reason_text), 2048);
        device_record_free(got);
        end(&f);
}

static int count_address(void *userdata, const PciAddress *found)
{
        ASSERT_TRUE(pci_address_equal(found, &address));
        return ++*(int *) userdata == 2 ? 42 : 0;
}

static void test_for_each(void)
{
        Fixture f = begin();
        int n = 0;

        ASSERT_OK(store_for_each(&f.host, count_address, &n));
        ASSERT_EQ(n, 0);
        fake_sysfs_write(f.fake, RUN "functions/.0000:01:00.0.5.6", "temporary");
        fake_sysfs_write(f.fake, RUN "functions/00:01.0", "another spelling");
        fake_sysfs_write(f.fake, RUN "functions/0000:01:00.0", "x");
        ASSERT_OK(store_for_each(&f.host, count_address, &n));
        ASSERT_EQ(n, 1);
        fake_sysfs_write(f.fake, RUN "originals/0000:01:00.0", "x");
        n = 0;
        ASSERT_EQ(store_for_each(&f.host, count_address, &n), 42);
        fake_sysfs_remove(f.fake, "run");
        ASSERT_OK(store_for_each(&f.host, count_address, &n));
        end(&f);
}

static void test_locks(void)
{
        Fixture f = begin();

        int first = store_lock_group(&f.host, 14, false);
        ASSERT_TRUE(first >= 0);
        ASSERT_EQ(store_lock_group(&f.host, 14, false), -EWOULDBLOCK);
        int other = store_lock_group(&f.host, 15, true);
        ASSERT_TRUE(other >= 0);
        ASSERT_OK(close(first));
        first = store_lock_group(&f.host, 14, true);
        ASSERT_TRUE(first >= 0);
        ASSERT_EQ(store_lock_group(&f.host, -1, false), -EINVAL);
        ASSERT_OK(close(first));
        ASSERT_OK(close(other));
        end(&f);
}

static void test_intents(void)
{
        Fixture f = begin();
        _cleanup_free_ int64_t *groups = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        ASSERT_OK(store_list_intents(&f.host, &groups, &n));
        ASSERT_EQ(n, 0);
        ASSERT_OK(store_begin_intent(&f.host, 14, "bind 0000:01:00.0\n"));
        ASSERT_OK(store_begin_intent(&f.host, 3, ""));
        ASSERT_OK(store_begin_intent(&f.host, 14, "bind 0000:01:00.1\n"));
        fake_sysfs_write(f.fake, RUN "intents/-5", "x");
        fake_sysfs_write(f.fake, RUN "intents/.14.1.2", "x");
        ASSERT_OK(store_list_intents(&f.host, &groups, &n));
        ASSERT_EQ(n, 2);
        ASSERT_EQ(groups[0], 3);
        ASSERT_EQ(groups[1], 14);
        ASSERT_OK(store_read_intent(&f.host, 14, &text));
        ASSERT_STREQ(text, "bind 0000:01:00.1\n");
        ASSERT_OK(store_end_intent(&f.host, 14));
        ASSERT_OK(store_end_intent(&f.host, 14));
        char *none = NULL;
        ASSERT_EQ(store_read_intent(&f.host, 14, &none), -ENOENT);
        ASSERT_EQ(store_begin_intent(&f.host, -1, ""), -EINVAL);
        end(&f);
}

int main(void)
{
        test_prepare();
        test_round_trip();
        test_created_once();
        test_originals_are_kept();
        test_half_records();
        test_damaged();
        test_long_values_are_cut();
        test_for_each();
        test_locks();
        test_intents();
        return 0;
}
