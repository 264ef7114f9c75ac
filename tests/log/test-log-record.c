/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <endian.h>
#include <unistd.h>

#include "log/log-record.h"

static const PciAddress address = { 0, 3, 0, 0 };

static void test_clean_text(void)
{
        char good[] = "GA104 [GeForce…] \xf0\x9f\x90\xa7\nsecond line";
        /* U+009B: a terminal obeys it as it does ESC [ */
        char controls[] = "a\xc2\x9b" "2Jb\xc2\x80\xc2\x9f\xc2\xa0";
        char bad[] = "a\x1b[31mb\tc\x7f \xff\xc3(\xe2\x80 \xed\xa0\x80 \xc0\xaf end\xc3";

        log_clean_text(good);
        ASSERT_STREQ(good, "GA104 [GeForce…] \xf0\x9f\x90\xa7\nsecond line");
        log_clean_text(controls);
        ASSERT_STREQ(controls, "a??2Jb????\xc2\xa0");
        log_clean_text(bad);
        ASSERT_STREQ(bad, "a?[31mb?c? ?" "?(?" "? ??" "? ?" "? end?");
}

static void test_journal_fields(void)
{
        const LogFields fields = {
                .message_id = "00112233445566778899aabbccddeeff",
                .device = &address,
                .group = 75,
                .claim = "lab-nic",
                .from = "tg3",
                .to = "vfio-pci",
                .reason = REASON_IN_USE_NETWORK,
        };
        const LogRecord record = { LOG_WARNING, "vfio-bindd-helper", "one", STAGE_BOOT, &fields };
        char text[LOG_RECORD_MAX + 1];

        text[log_format_journal(&record, text, LOG_RECORD_MAX)] = '\0';
        ASSERT_CONTAINS(text, "MESSAGE=one\nPRIORITY=4\nSYSLOG_IDENTIFIER=vfio-bindd-helper\n");
        ASSERT_CONTAINS(text, "\nMESSAGE_ID=00112233445566778899aabbccddeeff\n");
        ASSERT_CONTAINS(text, "\nVFIO_BIND_STAGE=boot\nVFIO_BIND_DEVICE=0000:03:00.0\n"
                              "VFIO_BIND_GROUP=75\nVFIO_BIND_CLAIM=lab-nic\n"
                              "VFIO_BIND_REASON=in-use-network\nVFIO_BIND_FROM=tg3\n"
                              "VFIO_BIND_TO=vfio-pci\n");
}

static void test_journal_leaves_out_what_is_not_there(void)
{
        const LogRecord record = { LOG_INFO, "x", "one", STAGE_RUNTIME, &LOG_FIELDS_NONE };
        char text[LOG_RECORD_MAX + 1];

        text[log_format_journal(&record, text, LOG_RECORD_MAX)] = '\0';
        ASSERT_CONTAINS(text, "VFIO_BIND_STAGE=runtime\n");
        for (const char *const *name = (const char *const[]){ "MESSAGE_ID", "VFIO_BIND_DEVICE",
                     "VFIO_BIND_GROUP", "VFIO_BIND_CLAIM", "VFIO_BIND_REASON", "VFIO_BIND_FROM",
                     NULL };
                *name; name++)
                ASSERT_TRUE(!strstr(text, *name));
}

/* A value with a newline goes behind its length, so that it cannot add fields of its own. */
static void test_journal_newline(void)
{
        const LogRecord record = { LOG_INFO, "x", "a\nPRIORITY=0", STAGE_RUNTIME,
                &LOG_FIELDS_NONE };
        uint64_t length = htole64(12);
        char text[LOG_RECORD_MAX];

        ASSERT_TRUE(log_format_journal(&record, text, sizeof(text)) > 30);
        ASSERT_EQ(memcmp(text, "MESSAGE\n", 8), 0);
        ASSERT_EQ(memcmp(text + 8, &length, 8), 0);
        ASSERT_EQ(memcmp(text + 16, "a\nPRIORITY=0\nPRIORITY=6\n", 24), 0);
}

/* A field that does not fit is left out whole, the ones after it are not. */
static void test_journal_full(void)
{
        const LogRecord record = { LOG_INFO, "x", "a long message", STAGE_RUNTIME,
                &LOG_FIELDS_NONE };
        char text[20];
        size_t length = log_format_journal(&record, text, sizeof(text));

        ASSERT_EQ(length, strlen("PRIORITY=6\n"));
        ASSERT_EQ(memcmp(text, "PRIORITY=6\n", length), 0);
}

static void test_kernel_line(void)
{
        const LogFields fields = {
                .device = &address,
                .group = 3,
                .claim = "lab-nic",
                .reason = REASON_IN_USE_NETWORK,
        };
        const LogRecord record = { LOG_WARNING, "vfio-bindd-helper",
                "0000:03:00.0 not bound:\neno1 is up", STAGE_BOOT, &fields };
        char text[LOG_KERNEL_LINE_MAX], expected[256];

        snprintf(expected, sizeof(expected),
                "<28>vfio-bindd-helper[%d]: 0000:03:00.0 not bound: eno1 is up"
                " [group 3, claim lab-nic, reason in-use-network]",
                (int) getpid());
        ASSERT_EQ(log_format_line(&record, true, text, sizeof(text)), strlen(expected));
        ASSERT_STREQ(text, expected);
}

static void test_line_is_cut(void)
{
        char message[3000], text[100];
        const LogRecord record = { LOG_INFO, "x", message, STAGE_BOOT, &LOG_FIELDS_NONE };

        memset(message, 'm', sizeof(message));
        message[sizeof(message) - 1] = '\0';
        ASSERT_EQ(log_format_line(&record, true, text, sizeof(text)), 99);
        ASSERT_EQ(strlen(text), 99);
}

int main(void)
{
        test_clean_text();
        test_journal_fields();
        test_journal_leaves_out_what_is_not_there();
        test_journal_newline();
        test_journal_full();
        test_kernel_line();
        test_line_is_cut();
        return 0;
}
