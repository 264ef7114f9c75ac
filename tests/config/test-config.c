/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include "config/config-load.h"
#include "lib/config-text.h"
#include "util/strings.h"

/* Texts, what becomes of them, and every diagnostic word for word. */

static const struct {
        const char *text, *config, *diagnostics;
} cases[] = {
        {"", "", ""},
        {"# only a comment\n\n; another\n", "", ""},

        /* every key in its place */
        {"[Defaults]\n"
         "Driver=auto\n"
         "Companions=none\n"
         "NodeUser=1000\n"
         "NodeGroup=libvirt\n"
         "NodeMode=0600\n"
         "OnDrift=reclaim\n"
         "Timeout=1min 30s\n"
         "BootTimeout=5\n"
         "Exclude=0000:03:00.0\n"
         "Exclude=class=02 hostdriver=ixgbe\n"
         "[Claim a]\n"
         "Match=01:00.0\n"
         "Match=02:00.0 class=03\n"
         "Exclude=id=10de:\n"
         "AllowInUse=display process\n"
         "[Claim b.c_D-1]\n"
         "Match=03:00\n"
         "Driver=mlx5_vfio_pci\n"
         "Companions=detach\n"
         "NodeUser=user@example.org\n"
         "NodeGroup=root\n"
         "NodeMode=0440\n"
         "OnDrift=report\n"
         "Timeout=500ms\n"
         "Enabled=no\n"
         "[PhysicalFunction nic0]\n"
         "Match=06:00.0\n"
         "NumVFs=8\n"
         "HostVFs=leave\n"
         "Timeout=2min\n"
         "[PhysicalFunction nic1]\n"
         "Match=07:00.0\n"
         "NumVFs=max\n"
         "HostVFs=probe\n"
         "[PhysicalFunction nic2]\n"
         "Match=08:00.0\n"
         "NumVFs=keep\n",
                "exclude: 0000:03:00.0 | class=02 hostdriver=ixgbe\n"
                "BootTimeout=5000000us\n"
                "claim a allow=18 Driver=auto Companions=none NodeUser=1000 NodeGroup=libvirt "
                "NodeMode=0600 OnDrift=reclaim Timeout=90000000us: 01:00.0 | 02:00.0 class=03 - "
                "id=10de:\n"
                "claim b.c_D-1 enabled=no Driver=mlx5_vfio_pci Companions=detach "
                "NodeUser=user@example.org NodeGroup=root NodeMode=0440 Timeout=500000us: 03:00\n"
                "pf nic0 NumVFs=8 HostVFs=leave Timeout=120000000us: 06:00.0\n"
                "pf nic1 NumVFs=max Timeout=90000000us: 07:00.0\n"
                "pf nic2 Timeout=90000000us: 08:00.0\n",
                ""},

        /* [Defaults] count wherever they stand; an empty value resets */
        {"[Claim a]\n"
         "Match=09:00.0\n"
         "Match=\n"
         "Match=01:00.0\n"
         "Exclude=class=02\n"
         "Exclude=\n"
         "AllowInUse=network\n"
         "AllowInUse=\n"
         "AllowInUse=holders\n"
         "Driver=\n"
         "NodeMode=\n"
         "[Defaults]\n"
         "Driver=pci-stub\n"
         "NodeUser=\n"
         "BootTimeout=\n",
                "claim a allow=2 Driver=pci-stub: 01:00.0\n", ""},

        /* X- and what it covers is ignored, with all its oddities */
        {"[X-notes]\n"
         "Match 01:00.0\n"
         " indented\n"
         "[Claim a]\n"
         "X-Owner=me\n"
         "Match=01:00.0\n",
                "claim a: 01:00.0\n", ""},

        /* line ends, blanks around '=', byte order mark */
        {"\xef\xbb\xbf[Claim a]\r\n"
         "Match = 01:00.0  \r\n"
         "Driver\t=\tauto",
                "claim a Driver=auto: 01:00.0\n", ""},

        /* what inih would misread takes its claim out, and stays reserved */
        {"[Claim a]\n"
         "Match=01:00.0 # the GPU\n"
         "[Claim b]\n"
         " Match=02:00.0\n"
         "[Claim c]\n"
         "Match:03:00.0\n"
         "[Claim d]\n"
         "Match=04:00.0\n"
         "Node Mode=0660\n"
         "[Claim e\n"
         "Match=05:00.0\n"
         "[Claim f] ; comment\n"
         "Match=06:00.0\n"
         "[Claim g]\n"
         "Match=07:00.0\n",
                "claim a error: 01:00.0\n"
                "claim b error: 02:00.0\n"
                "claim c error: 03:00.0\n"
                "claim d error: 04:00.0\n"
                "claim e error: 05:00.0\n"
                "claim f error: 06:00.0\n"
                "claim g: 07:00.0\n",
                "f:2:15: a value ends at the end of its line: comments stand on their own lines, "
                "and a value has no ' ;' or ' #'\n"
                "f:4:1: an indented line: keys and sections begin in column 1\n"
                "f:6:6: keys and values have '=' between them, not ':'\n"
                "f:9:5: a blank within a key\n"
                "f:10:1: this section header is never closed\n"
                "f:12:11: nothing may follow a section header on its line\n"},

        /* errors in selectors: in a column, reserved as far as readable */
        {"[Claim a]\n"
         "Match=01:00.0 02:00.0\n"
         "[Claim b]\n"
         "Match = id=10de: nmae=x\n"
         "Match=03:00.0\n"
         "[Claim c]\n"
         "Match=name=.*\n"
         "[Claim d]\n"
         "Match=04:00.0\n"
         "Exclude=clas=02 04:00.0\n",
                "claim a error: 01:00.0 02:00.0\n"
                "claim b error: id=10de: nmae=x | 03:00.0\n"
                "claim c error\n"
                "claim d error: 04:00.0\n",
                "f:2:15: 'address=' stands twice on this line; alternatives stand on lines of "
                "their own\n"
                "f:4:18: unknown term 'nmae=', did you mean 'name='?\n"
                "f:7:12: name='.*' matches the empty string\n"
                "f:10:9: unknown term 'clas=', did you mean 'class='?\n"},

        /* sections */
        {"[Clam a]\n"
         "Match=01:00.0\n"
         "[claim b]\n"
         "Match=02:00.0\n"
         "[Claim my gpu]\n"
         "Match=03:00.0\n"
         "[Claim]\n"
         "Match=04:00.0\n"
         "[Group x]\n"
         "Match=05:00.0\n"
         "[]\n"
         "[Claim -x]\n"
         "Match=06:00.0\n"
         "[Claim ok]\n"
         "Match=07:00.0\n"
         "[Defaults x]\n",
                "claim a error: 01:00.0\n"
                "claim b error: 02:00.0\n"
                "claim unreadable-1 error: 03:00.0\n"
                "claim unreadable-2 error: 04:00.0\n"
                "claim unreadable-3 error: 06:00.0\n"
                "claim ok: 07:00.0\n",
                "f:1:2: unknown section '[Clam a]', did you mean '[Claim a]'?\n"
                "f:3:2: unknown section '[claim b]', did you mean '[Claim b]'?\n"
                "f:5:8: 'my gpu' is no name: wants up to 32 letters, digits, '.', '_' and '-', "
                "the first a letter or digit\n"
                "f:7:7: a name is missing, as in [Claim NAME]\n"
                "f:9:2: unknown section '[Group x]'; sections are [Defaults], [Claim NAME] and "
                "[PhysicalFunction NAME]\n"
                "f:11:2: unknown section '[]'; sections are [Defaults], [Claim NAME] and "
                "[PhysicalFunction NAME]\n"
                "f:12:8: '-x' is no name: wants up to 32 letters, digits, '.', '_' and '-', the "
                "first a letter or digit\n"
                "f:16:11: [Defaults] takes no name\n"},
        {"[Claim a]\n"
         "Match=01:00.0\n"
         "[Claim b]\n"
         "Match=02:00.0\n"
         "[Claim a]\n"
         "Match=03:00.0\n"
         "Driver=auto\n",
                "claim a error: 01:00.0 | 03:00.0\n"
                "claim b: 02:00.0\n",
                "f:5:2: [Claim a] stands twice in this file\n"},
        {"[Claim gaming-gpu]\n"
         "Match=01:00.0\n"
         "[Claim gaming-gup]\n"
         "Driver=auto\n"
         "[Claim lonely]\n"
         "[PhysicalFunction nic0]\n"
         "NumVFs=4\n",
                "claim gaming-gpu: 01:00.0\n"
                "claim gaming-gup error Driver=auto\n"
                "claim lonely error\n"
                "pf nic0 error NumVFs=4\n",
                "f:3:2: [Claim gaming-gup] has no Match= line; is 'gaming-gpu' meant?\n"
                "f:5:2: [Claim lonely] has no Match= line\n"
                "f:6:2: [PhysicalFunction nic0] has no Match= line\n"},

        /* keys */
        {"[Claim a]\n"
         "Match=01:00.0\n"
         "Drvier=auto\n"
         "[Claim b]\n"
         "Match=02:00.0\n"
         "NumVFs=3\n"
         "[Claim c]\n"
         "Match=03:00.0\n"
         "Driver=auto\n"
         "Driver=auto\n"
         "[Claim d]\n"
         "Mach=04:00.0\n"
         "[Claim e]\n"
         "match=05:00.0\n"
         "[Claim f]\n"
         "Match=06:00.0\n"
         "BootTimeout=1\n"
         "Frobnicate=yes\n",
                "claim a error: 01:00.0\n"
                "claim b error: 02:00.0\n"
                "claim c error Driver=auto: 03:00.0\n"
                "claim d error: 04:00.0\n"
                "claim e error: 05:00.0\n"
                "claim f error: 06:00.0\n",
                "f:3:1: unknown key 'Drvier=', did you mean 'Driver='?\n"
                "f:6:1: 'NumVFs=' has no place in a [Claim] section\n"
                "f:10:1: 'Driver=' stands twice in this section\n"
                "f:12:1: unknown key 'Mach=', did you mean 'Match='?\n"
                "f:14:1: unknown key 'match=', did you mean 'Match='?\n"
                "f:17:1: 'BootTimeout=' has no place in a [Claim] section\n"
                "f:18:1: unknown key 'Frobnicate='\n"},

        /* values */
        {"[Claim a]\n"
         "Match=01:00.0\n"
         "Driver=vfio_pci\n"
         "Companions=Slot\n"
         "NodeUser=a b\n"
         "NodeGroup=4294967295\n"
         "NodeMode=0666\n"
         "OnDrift=never\n"
         "Timeout=0\n"
         "AllowInUse=system\n"
         "AllowInUse=netwrk display\n"
         "Enabled=maybe\n"
         "[PhysicalFunction b]\n"
         "Match=02:00.0\n"
         "NumVFs=all\n"
         "HostVFs=none\n"
         "Timeout=soon\n",
                "claim a error: 01:00.0\n"
                "pf b error: 02:00.0\n",
                "f:3:8: Driver='vfio_pci' is no driver name; did you mean 'vfio-pci'?\n"
                "f:4:12: Companions='Slot' is none of slot, all, none, detach; did you mean "
                "'slot'?\n"
                "f:5:10: NodeUser='a b' is no account: wants a name or a number\n"
                "f:6:11: NodeGroup='4294967295' is no account: the number is too large\n"
                "f:7:10: NodeMode='0666' gives more than 0660: a device node that anybody can "
                "open gives anybody the memory of the machine's devices\n"
                "f:8:9: OnDrift='never' is none of report, reclaim\n"
                "f:9:9: Timeout='0' is out of range: wants more than 0 and at most 24h\n"
                "f:10:12: AllowInUse='system' names 'system': no setting allows to take what the "
                "running system stands on\n"
                "f:11:12: AllowInUse='netwrk display' is none of holders, network, display, "
                "process; did you mean 'network'?\n"
                "f:12:9: Enabled='maybe' is neither yes nor no\n"
                "f:15:8: NumVFs='all' is none of max, keep and a number\n"
                "f:16:9: HostVFs='none' is none of probe, leave\n"
                "f:17:9: Timeout='soon' is no time span: wants a number of seconds, or units as "
                "in 500ms, 30s, 2min\n"},

        /* an error in [Defaults] takes out the claims that use the key */
        {"[Defaults]\n"
         "Driver=no/driver\n"
         "[Claim a]\n"
         "Match=01:00.0\n"
         "[Claim b]\n"
         "Match=02:00.0\n"
         "Driver=auto\n"
         "[PhysicalFunction c]\n"
         "Match=03:00.0\n",
                "claim a error: 01:00.0\n"
                "claim b Driver=auto: 02:00.0\n"
                "pf c: 03:00.0\n",
                "f:2:8: Driver='no/driver' is no driver name\n"
                "f:3:2: out, because it uses Driver= of [Defaults], which has an error\n"},
        {"[Defaults]\n"
         "Exclude=03:00.0 bogus\n"
         "BootTimeout=never\n"
         "[Claim a]\n"
         "Match=01:00.0\n"
         "Driver=auto\n",
                "exclude: 03:00.0 bogus\n"
                "claim a error Driver=auto: 01:00.0\n",
                "f:2:17: 'bogus' is neither an address nor vendor:device; anything else needs a "
                "term name, as in path=, id= or name=\n"
                "f:3:13: BootTimeout='never' is no time span: wants a number of seconds, or units "
                "as in 500ms, 30s, 2min\n"
                "f:4:2: out, because it uses Exclude= of [Defaults], which has an error\n"},
        {"[Defaults]\n"
         "BootTimeout=never\n"
         "[Claim a]\n"
         "Match=01:00.0\n",
                "claim a: 01:00.0\n",
                "f:2:13: BootTimeout='never' is no time span: wants a number of seconds, or units "
                "as in 500ms, 30s, 2min\n"},
        {"[Defaults]\n"
         "Exlcude=03:00.0\n"
         "Timeuot=3\n"
         "[Claim a]\n"
         "Match=01:00.0\n"
         "[PhysicalFunction b]\n"
         "Match=02:00.0\n",
                "exclude: 03:00.0\n"
                "claim a error: 01:00.0\n"
                "pf b error: 02:00.0\n",
                "f:2:1: unknown key 'Exlcude=', did you mean 'Exclude='?\n"
                "f:3:1: unknown key 'Timeuot=', did you mean 'Timeout='?\n"
                "f:4:2: out, because it uses Timeout= of [Defaults], which has an error\n"
                "f:6:2: out, because it uses Timeout= of [Defaults], which has an error\n"},
        {"[Defaults]\n"
         "Never take the disks\n"
         "[Claim a]\n"
         "Match=01:00.0\n",
                "claim a error: 01:00.0\n",
                "f:2:1: neither a [section] nor KEY=VALUE\n"
                "f:3:2: out, because an error in [Defaults] may concern it\n"},
        /* what stands before the first section was meant for all, one must suppose */
        {"X-Comment=y\n"
         "Companions=all\n"
         "Exclude=03:00.0\n"
         "[Claim a]\n"
         "Match=01:00.0\n",
                "exclude: 03:00.0\n"
                "claim a error: 01:00.0\n",
                "f:2:1: 'Companions=' stands before the first [section]\n"
                "f:3:1: 'Exclude=' stands before the first [section]\n"
                "f:4:2: out, because it uses Companions= of [Defaults], which has an error\n"},
        {"[Defaults]\n"
         "Driver=auto\n"
         "[Defaults]\n"
         "Timeout=3\n"
         "[Claim a]\n"
         "Match=01:00.0\n"
         "[Claim b]\n"
         "Match=02:00.0\n"
         "Timeout=4\n",
                "claim a error Driver=auto: 01:00.0\n"
                "claim b Driver=auto Timeout=4000000us: 02:00.0\n",
                "f:3:2: [Defaults] stands twice in this file\n"
                "f:5:2: out, because it uses Timeout= of [Defaults], which has an error\n"},

        /* terms in the wrong place; references to a section with an error */
        {"[Defaults]\n"
         "Exclude=01:00.0 expect=10de:2482\n"
         "[PhysicalFunction nic0]\n"
         "Match=06:00.0 vf=1\n"
         "[PhysicalFunction nic1]\n"
         "Match=07:00.0\n",
                "exclude: 01:00.0 expect=10de:2482\n"
                "pf nic0 error: 06:00.0 vf=1\n"
                "pf nic1: 07:00.0\n",
                "f:2:17: 'expect=' guards Match= lines, not Exclude=\n"
                "f:4:15: 'vf=' selects VFs, and this section wants a physical function\n"},
        {"[Claim a]\n"
         "Match=pf=nic0 vf=0-3\n"
         "[Claim b]\n"
         "Match=vf=0 pf=nic1\n"
         "[PhysicalFunction nic0]\n"
         "Match=06:00.0\n"
         "[PhysicalFunction nic1]\n"
         "Match=bogus\n",
                "claim a: pf=nic0 vf=0-3\n"
                "claim b error: vf=0 pf=nic1\n"
                "pf nic0: 06:00.0\n"
                "pf nic1 error\n",
                "f:8:7: 'bogus' is neither an address nor vendor:device; anything else needs a "
                "term name, as in path=, id= or name=\n"
                "f:4:12: [PhysicalFunction nic1] has an error\n"},
};

static Config *load(const char *text, size_t length)
{
        Config *config = NULL;

        ASSERT_OK(config_load_text("f", text, length, &config));
        return config;
}

/* What holds for every configuration, however broken. */
static void check_invariants(const Config *config)
{
        for (size_t i = 0; i < config->n_claims; i++) {
                const Claim *claim = &config->claims[i];
                char title[64];
                bool found = false;

                ASSERT_TRUE(config_name_is_valid(claim->name));
                ASSERT_TRUE(config_find_claim(config, claim->name) == claim);
                ASSERT_TRUE(claim->settings.driver && claim->settings.node_user);
                ASSERT_EQ(claim->settings.node_mode & ~0660U, 0);
                ASSERT_TRUE(claim->has_error || claim->n_matches > 0);
                snprintf(title, sizeof(title), "Claim %s", claim->name);
                for (size_t k = 0; k < config->diagnostics.n_items; k++)
                        if (streq_null(config->diagnostics.items[k].section, title) &&
                            config->diagnostics.items[k].is_error)
                                found = true;
                ASSERT_EQ(claim->has_error, found);
        }
}

static void test_cases(void)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_config_ Config *config = load(cases[i].text, strlen(cases[i].text));
                _cleanup_free_ char *text = config_to_text(config),
                                    *diagnostics = diagnostics_to_text(config);

                if (!streq(diagnostics, cases[i].diagnostics))
                        fprintf(stderr, "%s", cases[i].text);
                ASSERT_STREQ(diagnostics, cases[i].diagnostics);
                ASSERT_STREQ(text, cases[i].config);
                check_invariants(config);
        }
}

static void test_nul(void)
{
        static const char text[] = "[Claim a]\nMatch=01:00.0\0\nMatch=02:00.0\n";
        _cleanup_config_ Config *config = load(text, sizeof(text) - 1);
        _cleanup_free_ char *seen = config_to_text(config), *said = diagnostics_to_text(config);

        ASSERT_STREQ(seen, "claim a error: 01:00.0 | 02:00.0\n");
        ASSERT_STREQ(said, "f:2:14: a NUL byte\n");
}

static void test_locations(void)
{
        static const char text[] = "\n[Claim a]\n# c\nMatch =  01:00.0\n";
        _cleanup_config_ Config *config = load(text, strlen(text));
        const Claim *claim = config_find_claim(config, "a");

        ASSERT_STREQ(claim->location.file, "f");
        ASSERT_TRUE(claim->location.file == config->files[0]);
        ASSERT_EQ(claim->location.line, 2);
        ASSERT_EQ(claim->location.column, 2);
        ASSERT_EQ(claim->matches[0]->location.line, 4);
        ASSERT_EQ(claim->matches[0]->location.column, 10);
        ASSERT_EQ(claim->matches[0]->terms[0].column, 10);
}

/* Whatever does not change what is decided does not change the digest. */
static void test_digest(void)
{
        static const char *const same[] = {
                "[Claim a]\nMatch=01:00.0\nDriver=auto\n",
                "# comment\n[Claim a]\nDriver = auto\nMatch=01:00.0\nX-Note=1\n",
                "[Defaults]\nNodeMode=0660\n[Claim a]\nDriver=auto\nMatch=01:00.0",
        };
        static const char *const others[] = {
                "[Claim a]\nMatch=01:00.0\n",
                "[Claim b]\nMatch=01:00.0\nDriver=auto\n",
                "[Claim a]\nMatch=01:00.0\nMatch=02:00.0\nDriver=auto\n",
                "[Claim a]\nMatch=01:00.0\nExclude=02:00.0\nDriver=auto\n",
                "[Claim a]\nMatch=01:00.0\nDriver=auto\nbad\n",
                "[Defaults]\nExclude=02:00.0\n[Claim a]\nMatch=01:00.0\nDriver=auto\n",
                "[Claim a]\nMatch=01:00.0\nDriver=auto\n[PhysicalFunction n]\nMatch=02:00.0\n",
        };
        _cleanup_config_ Config *first = load(same[0], strlen(same[0]));

        for (size_t i = 0; i < ELEMENTSOF(same); i++) {
                _cleanup_config_ Config *config = load(same[i], strlen(same[i]));
                ASSERT_STREQ(config->digest, first->digest);
        }
        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                _cleanup_config_ Config *config = load(others[i], strlen(others[i]));
                ASSERT_TRUE(!streq(config->digest, first->digest));
        }
}

static void test_lookup(void)
{
        static const char text[] = "[Claim a]\nMatch=pf=nic0\n"
                                   "[PhysicalFunction nic0]\nMatch=06:00.0\nMatch=name=x\n"
                                   "[PhysicalFunction nic1]\nMatch=07:00.0\n"
                                   "[PhysicalFunction nic3]\nMatch=06:00.0 expect=8086:10c9\n"
                                   "[PhysicalFunction nic4]\n"
                                   "Match=06:00.0 expect-serial=0123456789abcdef\n"
                                   "[PhysicalFunction nic5]\nMatch=06:00.0 serial=zz\n";
        _cleanup_config_ Config *config = load(text, strlen(text));
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        MatchContext context = {.userdata = config, .lookup = config_lookup_physical_function};
        Answer answer = ANSWER_AMBIGUOUS;
        Device *device;

        ASSERT_OK(snapshot_new(&snapshot));
        ASSERT_OK(snapshot_add(snapshot, &(PciAddress){0, 6, 0, 0}, &device));
        context.snapshot = snapshot;
        ASSERT_TRUE(config_lookup_physical_function(&context, "nic0", device, &answer));
        ASSERT_EQ(answer, ANSWER_YES);
        ASSERT_TRUE(config_lookup_physical_function(&context, "nic1", device, &answer));
        ASSERT_EQ(answer, ANSWER_NO);
        ASSERT_TRUE(config_lookup_physical_function(&context, "nic3", device, &answer));
        ASSERT_EQ(answer, ANSWER_NO); /* another card stands there */
        device->vendor = 0x8086;
        device->device = 0x10c9;
        ASSERT_TRUE(config_lookup_physical_function(&context, "nic3", device, &answer));
        ASSERT_EQ(answer, ANSWER_YES);
        ASSERT_TRUE(config_lookup_physical_function(&context, "nic4", device, &answer));
        ASSERT_EQ(answer, ANSWER_UNKNOWN);
        ASSERT_TRUE(config_lookup_physical_function(&context, "nic5", device, &answer));
        ASSERT_EQ(answer, ANSWER_YES); /* what can be read of its line */
        device->address.bus = 9; /* its second line cannot tell yet */
        ASSERT_TRUE(config_lookup_physical_function(&context, "nic0", device, &answer));
        ASSERT_EQ(answer, ANSWER_UNKNOWN);
        ASSERT_TRUE(config_lookup_physical_function(&context, "nic5", device, &answer));
        ASSERT_EQ(answer, ANSWER_UNKNOWN); /* another one may have been meant */
        ASSERT_TRUE(!config_lookup_physical_function(&context, "nic2", device, &answer));

        ASSERT_EQ(config_needed_facts(config),
                SNAPSHOT_FACT_INTERFACES | SNAPSHOT_FACT_NAMES | SNAPSHOT_FACT_SERIALS |
                        SNAPSHOT_FACT_USES);
}

static void test_limits(void)
{
        static char text[400000];
        char *p = text;

        for (unsigned i = 0; i < 1001; i++)
                p += sprintf(p, "[Claim c%u]\nMatch=01:00.0\n", i);
        {
                _cleanup_config_ Config *config = load(text, strlen(text));

                ASSERT_EQ(config->n_claims, 999); /* [Defaults] is a section too */
                ASSERT_TRUE(config->claims[0].has_error);
                ASSERT_CONTAINS(config->diagnostics.items[0].message, "more than 1000 sections");
        }

        p = text + sprintf(text, "[Claim a]\n");
        for (unsigned i = 0; i < 10001; i++)
                p += sprintf(p, "Match=01:00.0\n");
        {
                _cleanup_config_ Config *config = load(text, strlen(text));
                const Claim *claim = config_find_claim(config, "a");

                ASSERT_EQ(claim->n_matches, 10000);
                ASSERT_TRUE(claim->has_error);
                ASSERT_EQ(config->diagnostics.n_items, 1);
        }
}

int main(void)
{
        test_cases();
        test_nul();
        test_locations();
        test_digest();
        test_lookup();
        test_limits();
        return EXIT_SUCCESS;
}
