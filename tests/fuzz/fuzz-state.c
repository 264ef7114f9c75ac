/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/record-text.h"
#include "host/store.h"
#include "lib/test.h"
#include "util/io.h"
#include "util/strings.h"

/* Any bytes as the files of /run/vfio-bindd: the first line is the name of an intent, what follows
 * up to a line of "--" is a function's original, the rest its state. */

const char *const fuzz_dictionary[] = {"INODE=42\n", "INODE=43\n", "\n--\n", "ORIGINAL_DRIVER=",
        "ORIGINAL_OVERRIDE=", "ORIGINAL_POWER_CONTROL=on\n", "ORIGINAL_AUTOPROBE=1\n",
        "PROVENANCE=clean\n", "PROVENANCE=taken\n", "PROVENANCE=adopted\n", "STAGE=boot\n",
        "TARGET_DRIVER=vfio-pci\n", "BOUND_USEC=18446744073709551615\n", "CLAIM=",
        "ROLE=companion\n", "CONFIG_DIGEST=", "STATE=bound\n", "STATE=stuck\n",
        "REASON=drifted\n", "REASON_TEXT=",
        "MANUAL=released\n", "MANUAL_DRIVER=", "HOTPLUG_PENDING=yes\n", "DRIFT_COUNT=4294967295\n",
        "\\x00", "\\x0a", "\\n", "\\\\", NULL};

#define INODE 42

static const PciAddress address = {0, 1, 0, 0};

static Host host = {.root = -1};

static void remove_tree(void)
{
        static const char *const directories[] = {"originals", "functions", "locks", "intents"};
        char path[128];

        if (store_remove(&host, &address) < 0)
                return;
        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                snprintf(path, sizeof(path), "run/vfio-bindd/%s", directories[i]);
                (void) unlinkat(host.root, path, AT_REMOVEDIR);
        }
        (void) unlinkat(host.root, "run/vfio-bindd", AT_REMOVEDIR);
        (void) unlinkat(host.root, "run", AT_REMOVEDIR);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", host.root);
        char target[128];
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n > 0) {
                target[n] = '\0';
                (void) rmdir(target);
        }
}

static void make_tree(void)
{
        char directory[] = "/tmp/vfio-bindd-fuzz-XXXXXX";

        ASSERT_TRUE(mkdtemp(directory));
        host.root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_TRUE(host.root >= 0);
        ASSERT_OK(store_prepare(&host));
        ASSERT_OK(atexit(remove_tree));
}

static void check_enums(const DeviceRecord *record)
{
        ASSERT_TRUE(provenance_to_string(record->provenance));
        ASSERT_TRUE(stage_to_string(record->stage));
        ASSERT_TRUE(role_to_string(record->role));
        ASSERT_TRUE(state_to_string(record->state));
        ASSERT_TRUE(reason_to_string(record->reason));
        ASSERT_TRUE(record->manual < _MANUAL_MAX);
}

static bool fits(const char *value)
{
        return !value || strlen(value) <= RECORD_VALUE_MAX;
}

/* What was written is read back as it was. */
static void check_round_trip(const DeviceRecord *record)
{
        _cleanup_(device_record_freep) DeviceRecord *again = calloc(1, sizeof(*again));
        _cleanup_free_ char *text = NULL, *text_again = NULL;
        RecordState state;

        ASSERT_TRUE(again);
        if (!fits(record->claim) || !fits(record->reason_text) || !fits(record->target_driver) ||
            !fits(record->config_digest) || !fits(record->manual_driver))
                return;
        if (record_text_format(record, INODE, &text) < 0)
                return;
        ASSERT_OK(record_text_parse(text, INODE, again, &state));
        ASSERT_EQ(state, RECORD_WHOLE);
        ASSERT_OK(record_text_format(again, INODE, &text_again));
        ASSERT_STREQ(text, text_again);
        ASSERT_TRUE(!record_text_is_of_another(text, INODE));
        ASSERT_TRUE(record_text_is_of_another(text, INODE + 1));
}

static void check_text(const char *text)
{
        _cleanup_(device_record_freep) DeviceRecord *record = calloc(1, sizeof(*record));
        RecordState state;

        ASSERT_TRUE(record);
        ASSERT_OK(record_text_parse(text, INODE, record, &state));
        check_enums(record);
        if (state == RECORD_FOREIGN) {
                ASSERT_TRUE(!record->original_driver && !record->claim);
                return;
        }
        ASSERT_TRUE(!record_text_is_of_another(text, INODE));
        if (state == RECORD_WHOLE)
                check_round_trip(record);
}

static void check_files(const char *original, size_t n_original, const char *function,
        size_t n_function)
{
        _cleanup_(device_record_freep) DeviceRecord *record = NULL;

        ASSERT_OK(write_file_atomic_at(host.root, "run/vfio-bindd/originals/0000:01:00.0", original,
                n_original, 0644));
        ASSERT_OK(write_file_atomic_at(host.root, "run/vfio-bindd/functions/0000:01:00.0", function,
                n_function, 0644));
        ASSERT_OK(store_load(&host, &address, INODE, &record));
        if (!record)
                return;
        check_enums(record);
        /* nobody can say "clean" who does not know what was there before */
        ASSERT_TRUE(record->has_original || record->provenance != PROVENANCE_CLEAN);
        ASSERT_TRUE(record->has_original || record->provenance != PROVENANCE_TAKEN);
        check_round_trip(record);
}

static void check_intent(const char *name)
{
        _cleanup_free_ int64_t *groups = NULL;
        char path[320];
        size_t n = 0;

        if (!*name || strlen(name) > 255 || strchr(name, '/') || streq(name, ".") ||
            streq(name, ".."))
                return;
        snprintf(path, sizeof(path), "run/vfio-bindd/intents/%s", name);
        int fd = openat(host.root, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0)
                return;
        (void) close(fd);
        ASSERT_OK(store_list_intents(&host, &groups, &n));
        ASSERT_TRUE(n <= 1);
        ASSERT_TRUE(n == 0 || groups[0] >= 0);
        ASSERT_OK(unlinkat(host.root, path, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *) data, size);
        const char *begin = (const char *) data, *end = begin + size;

        ASSERT_TRUE(text);
        if (host.root < 0)
                make_tree();
        const char *line = size > 0 ? memchr(begin, '\n', size) : NULL;
        const char *original = line ? line + 1 : begin;
        const char *separator = memmem(original, (size_t) (end - original), "\n--\n", 4);
        const char *split = separator ? separator + 1 : end;
        const char *function = separator ? separator + 4 : end;

        check_files(original, (size_t) (split - original), function, (size_t) (end - function));
        char *newline = strchr(text, '\n');
        check_text(newline ? newline + 1 : text);
        if (newline)
                *newline = '\0';
        check_intent(text);
        return 0;
}
