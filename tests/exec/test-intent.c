/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/config.h"
#include "exec/intent.h"
#include "lib/test.h"

/* What is written is read back; what nobody of us wrote asks for nothing. */

#define ONE "0000:01:00.0"
#define TWO "0000:01:00.1"

typedef struct Pair {
        Device devices[2];
        MemberPlan members[2];
        ClaimSettings settings;
        GroupPlan group;
} Pair;

/* ONE is on vfio-pci already, and TWO was asked for by hand. */
static void pair_init(Pair *pair)
{
        *pair = (Pair){
                .devices = { { .driver = (char *) "vfio-pci", .inode = 7 },
                        { .driver = (char *) "nvme", .inode = 8 } },
                .settings = { .driver = (char *) "vfio-pci", .companions = COMPANIONS_ALL },
        };
        ASSERT_OK(pci_address_parse(ONE, &pair->devices[0].address));
        ASSERT_OK(pci_address_parse(TWO, &pair->devices[1].address));
        for (size_t i = 0; i < 2; i++)
                pair->members[i] = (MemberPlan){
                        .device = &pair->devices[i],
                        .action = i == 0 ? ACTION_ADOPT : ACTION_BIND,
                        .target = "vfio-pci",
                        .manual = MANUAL_BOUND,
                };
        pair->members[1].is_asked_for = true;
        pair->group = (GroupPlan){ .number = 14, .members = pair->members, .n_members = 2,
                .settings = &pair->settings };
}

static void assert_text(const Pair *pair, const char *expected)
{
        _cleanup_free_ char *text = NULL;

        ASSERT_OK(intent_format(&pair->group, STAGE_RUNTIME, &text));
        ASSERT_STREQ(text, expected);
}

static void parse_one(const char *text, IntentEntry *ret)
{
        _cleanup_free_ IntentEntry *entries = NULL;
        size_t n;

        ASSERT_OK(intent_parse(text, &entries, &n));
        ASSERT_EQ(n, 1);
        *ret = entries[0];
}

static void test_options_are_read_back(void)
{
        _cleanup_free_ char *text = NULL;
        IntentEntry entry;
        Pair pair;

        pair_init(&pair);
        pair.settings.driver = (char *) "auto";
        pair.members[1].target = "mlx5-vfio-pci";
        pair.members[1].allow_by_hand = 1U << IN_USE_NETWORK | 1U << IN_USE_PROCESS;
        ASSERT_OK(intent_format(&pair.group, STAGE_RUNTIME, &text));
        ASSERT_STREQ(text, "bind " TWO " nvme -> mlx5-vfio-pci inode=8 by-hand may-unbind asked "
                "companions=all auto allow-in-use=network,process");
        parse_one(text, &entry);
        ASSERT_TRUE(entry.is_asked_for && entry.is_auto && entry.by_hand && entry.may_unbind);
        ASSERT_EQ(entry.companions, COMPANIONS_ALL);
        ASSERT_EQ(entry.allow_in_use, pair.members[1].allow_by_hand);
        ASSERT_EQ(entry.inode, 8);
        ASSERT_STREQ(entry.driver, "nvme");
        ASSERT_STREQ(entry.target, "mlx5-vfio-pci");
}

/* What was asked for came first, and only the other one is left to be bound for it. */
static void test_in_place_already(void)
{
        Pair pair;

        pair_init(&pair);
        pair.members[0].is_asked_for = true;
        pair.members[1].is_asked_for = false;
        assert_text(&pair, "bind " ONE " vfio-pci -> vfio-pci inode=7 by-hand asked "
                           "companions=all; bind " TWO " nvme -> vfio-pci inode=8 by-hand may-unbind");
        pair.members[1].action = ACTION_ADOPT;
        assert_text(&pair, NULL);
}

/* As the version before wrote it. */
static void test_earlier_version(void)
{
        IntentEntry entry;

        parse_one("bind " ONE " nvme -> vfio-pci inode=24711 by-hand may-unbind", &entry);
        ASSERT_TRUE(entry.by_hand && entry.may_unbind && !entry.no_probe && !entry.is_asked_for);
        ASSERT_EQ(entry.companions, -1);
        ASSERT_EQ(entry.allow_in_use, 0);
}

static void test_words_of_others(void)
{
        IntentEntry entry;

        parse_one("bind " ONE " - -> vfio-pci later=1  asked companions=some "
                  "allow-in-use=system,vfio,blind,,processes,displaydisplaydisplay,holders",
                &entry);
        ASSERT_TRUE(entry.is_asked_for);
        ASSERT_EQ(entry.companions, -1);
        ASSERT_EQ(entry.allow_in_use, 1U << IN_USE_HOLDERS);
        parse_one("bind " ONE " - -> vfio-pci allow-in-use= companions=", &entry);
        ASSERT_EQ(entry.allow_in_use, 0);
}

static void assert_count(const char *text, unsigned n_tries, unsigned n_timeouts)
{
        ResumeCount count = intent_parse_count(text);

        ASSERT_EQ(count.n_tries, n_tries);
        ASSERT_EQ(count.n_timeouts, n_timeouts);
}

/* A first line that is damaged, or has none, is counted like any other. */
static void test_count(void)
{
        static const char *const texts[] = { "", "nonsense", "bind " ONE " - -> -\n",
                "bind " ONE " - -> -\ntries=2 timeouts=1\n" };
        Pair pair;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_free_ char *text = NULL;

                ASSERT_OK(intent_set_count(texts[i], (ResumeCount){ 3, 2 }, &text));
                assert_count(text, 3, 2);
                ASSERT_EQ(strcspn(text, "\n"), strcspn(texts[i], "\n"));
        }
        assert_count("bind " ONE " - -> - tries=7 timeouts=7", 0, 0);
        assert_count("\ntries= timeouts=-1", 0, 0);
        assert_count("\ntries=99999999999999999999 timeouts=1x", 0, 0);
        assert_count("\ntries=2", 2, 0);

        pair_init(&pair);
        pair.group.resumed = (ResumeCount){ .n_tries = 1 };
        assert_text(&pair, "bind " TWO " nvme -> vfio-pci inode=8 by-hand may-unbind asked "
                           "companions=all\ntries=1 timeouts=0\n");
}

/* What can stand in a damaged file. */
static void test_damaged(void)
{
        static const char *const texts[] = { "", ";;;;", "release", "release x - -> -",
                "release " ONE " vfio-pci nvme", "bind " ONE " - ->", "explode " ONE " - -> -",
                "bind " ONE " - -> - inode=x",
                "bind " ONE " - -> "
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "bind " ONE " "
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                " -> -" };
        IntentEntry *entries = NULL;
        IntentEntry entry;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                ASSERT_OK(intent_parse(texts[i], &entries, &n));
                ASSERT_EQ(n, 0);
                free(entries);
        }
        parse_one("nonsense; release " ONE " vfio-pci -> nvme by-hand no-probe\n"
                  "bind " TWO " - -> x", &entry);
        ASSERT_EQ(entry.action, ACTION_RELEASE);
        ASSERT_STREQ(entry.target, "nvme");
        ASSERT_TRUE(entry.by_hand && entry.no_probe);
}

int main(void)
{
        test_options_are_read_back();
        test_in_place_already();
        test_earlier_version();
        test_words_of_others();
        test_count();
        test_damaged();
        return EXIT_SUCCESS;
}
