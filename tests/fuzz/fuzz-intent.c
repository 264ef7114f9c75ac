/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <errno.h>

#include "exec/intent.h"
#include "lib/test.h"

/* Any bytes as an intent, which says what is to be finished as root. */

const char *const fuzz_dictionary[] = {"bind ", "detach ", "hold ", "release ", "probe-host ",
        "0000:01:00.0 ", "0000:01:00.1 ", "vfio-pci", "nvme", "auto", " -> ", "-", "; ", ";",
        " by-hand", " no-probe", " may-unbind", " asked", " inode=", "18446744073709551616",
        " companions=", "all", "same-slot", "none", " allow-in-use=", "process", "system",
        "holders,network", "vfio", ",", "\ntries=", " timeouts=", "65536", "\n", " ", NULL};

static void check_entry(const IntentEntry *entry)
{
        ASSERT_TRUE(entry->action == ACTION_BIND || entry->action == ACTION_DETACH ||
                    entry->action == ACTION_HOLD || entry->action == ACTION_RELEASE);
        ASSERT_TRUE(memchr(entry->driver, '\0', sizeof(entry->driver)));
        ASSERT_TRUE(memchr(entry->target, '\0', sizeof(entry->target)));
        ASSERT_TRUE(!strpbrk(entry->driver, " ;\n") && !strpbrk(entry->target, " ;\n"));
        ASSERT_EQ(entry->allow_in_use & ~ALLOWABLE_USES, 0);
        ASSERT_TRUE(entry->companions == -1 ||
                    companion_policy_to_string((CompanionPolicy) entry->companions));
}

static void check_same(const char *first, const char *second)
{
        _cleanup_free_ IntentEntry *a = NULL, *b = NULL;
        size_t n_a, n_b;

        ASSERT_OK(intent_parse(first, &a, &n_a));
        ASSERT_OK(intent_parse(second, &b, &n_b));
        ASSERT_EQ(n_a, n_b);
        for (size_t i = 0; i < n_a; i++) {
                check_entry(&a[i]);
                ASSERT_STREQ(a[i].target, b[i].target);
                ASSERT_EQ(a[i].action, b[i].action);
                ASSERT_EQ(a[i].inode, b[i].inode);
                ASSERT_EQ(a[i].allow_in_use, b[i].allow_in_use);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *) data, size), *counted = NULL;

        ASSERT_TRUE(text);
        ResumeCount count = intent_parse_count(text);
        ASSERT_TRUE(count.n_tries <= UINT16_MAX && count.n_timeouts <= UINT16_MAX);
        count.n_tries = count.n_tries % 1000 + 1;
        count.n_timeouts %= 1000;
        ASSERT_OK(intent_set_count(text, count, &counted));
        ResumeCount again = intent_parse_count(counted);
        ASSERT_EQ(again.n_tries, count.n_tries);
        ASSERT_EQ(again.n_timeouts, count.n_timeouts);
        check_same(text, counted);
        return 0;
}
