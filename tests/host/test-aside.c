/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "lib/test.h"
#include "util/io.h"

static void tell_descriptors(int output, void *userdata)
{
        const int *descriptors = userdata;
        char text[2];

        for (size_t i = 0; i < 2; i++)
                text[i] = fcntl(descriptors[i], F_GETFD) >= 0 ? 'y' : 'n';
        if (write(output, text, sizeof(text)) < 0)
                return;
}

/* It has what it needs and nothing else of ours. */
static void test_descriptors(void)
{
        _cleanup_close_ int kept = open("/", O_PATH | O_CLOEXEC);
        _cleanup_close_ int other = open("/", O_PATH | O_CLOEXEC);
        int descriptors[] = {kept, other};
        char text[8];

        ASSERT_TRUE(kept >= 0 && other >= 0);
        _cleanup_close_ int input = aside_start(tell_descriptors, descriptors, kept, 5);
        ASSERT_TRUE(input >= 0);
        ASSERT_EQ(read(input, text, sizeof(text)), 2);
        ASSERT_TRUE(text[0] == 'y' && text[1] == 'n');
        ASSERT_EQ(read(input, text, sizeof(text)), 0);

        int none[] = {kept, other};
        _cleanup_close_ int again = aside_start(tell_descriptors, none, -1, 5);
        ASSERT_TRUE(again >= 0);
        ASSERT_EQ(read(again, text, sizeof(text)), 2);
        ASSERT_TRUE(text[0] == 'n' && text[1] == 'n');
}

static void never_answer(int output, void *userdata)
{
        for (;;)
                (void) pause();
}

/* It ends by itself, though nobody waits for it. */
static void test_deadline(void)
{
        struct pollfd entry = {.events = POLLIN};
        uint64_t begin = now_monotonic();
        char text[8];

        _cleanup_close_ int input = aside_start(never_answer, NULL, -1, 1);
        ASSERT_TRUE(input >= 0);
        ASSERT_TRUE(now_monotonic() - begin < USEC_PER_SEC / 2);
        entry.fd = input;
        ASSERT_EQ(poll(&entry, 1, 20000), 1);
        ASSERT_EQ(read(input, text, sizeof(text)), 0);
        ASSERT_TRUE(now_monotonic() - begin >= USEC_PER_SEC * 9 / 10);
}

int main(void)
{
        test_descriptors();
        test_deadline();
        return 0;
}
