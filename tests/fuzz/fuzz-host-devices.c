/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <errno.h>
#include <inttypes.h>

#include "host/host-devices.h"
#include "lib/test.h"
#include "util/hash.h"
#include "util/strings.h"

/* Any bytes as the record of what the host needs: as they are, and as its lines between a title and
 * an end that fit. */

const char *const fuzz_dictionary[] = {"vfio-bindd host-devices 1\n", "\nend 1 ",
        "path=0000:00:11.0/00.0 ", "address=0000:02:00.0 ", "id=1b36:0010:1af4:1100 ",
        "serial=00a1b2ffffc3d4e5 ", "serial=- ", "uses=system,network ", "uses=process ",
        "what=/dev/nvme0n1 is mounted on /\n", "what=\xc3\xa4\n", NULL};

static void check_item(const HostDevice *item)
{
        ASSERT_TRUE(item->path && *item->path);
        ASSERT_TRUE(item->what && !find_unprintable(item->what));
        ASSERT_TRUE(!item->serial || strlen(item->serial) == 16);
        ASSERT_TRUE(item->uses != 0 && item->uses < 1U << _IN_USE_MAX);
        ASSERT_TRUE(item->address.device < 32 && item->address.function < 8);
}

static int check(const char *text, size_t length)
{
        _cleanup_host_devices_ HostDevices *devices = NULL, *again = NULL;
        _cleanup_free_ char *written = NULL, *written_again = NULL;
        int r = host_devices_parse(text, length, &devices);

        if (r < 0) {
                ASSERT_EQ(r, -EBADMSG);
                ASSERT_TRUE(!devices);
                return r;
        }
        ASSERT_TRUE(devices->n_items <= HOST_DEVICES_MAX);
        for (size_t i = 0; i < devices->n_items; i++)
                check_item(&devices->items[i]);

        /* what was read can be written, and read again as the same */
        ASSERT_OK(host_devices_format(devices, &written));
        if (strlen(written) > HOST_DEVICES_TEXT_MAX)
                return 0;
        ASSERT_OK(host_devices_parse(written, strlen(written), &again));
        ASSERT_OK(host_devices_format(again, &written_again));
        ASSERT_STREQ(written, written_again);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = malloc(size + 1), *whole = NULL;
        size_t n = 0;

        ASSERT_TRUE(text);
        memcpy(text, data, size);
        text[size] = '\0';
        (void) check(text, size);

        ASSERT_OK(format_string(&whole, "vfio-bindd host-devices 1\n%s%s", text,
                *text && text[strlen(text) - 1] != '\n' ? "\n" : ""));
        for (const char *p = whole; (p = strchr(p, '\n')); p++)
                n++;
        uint64_t sum = hash_update(HASH_START, whole, strlen(whole));
        _cleanup_free_ char *ended = NULL;
        ASSERT_OK(format_string(&ended, "%send %zu %016" PRIx64 "\n", whole, n - 1, sum));
        (void) check(ended, strlen(ended));
        return 0;
}
