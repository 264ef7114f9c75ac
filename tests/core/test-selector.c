/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>
#include <limits.h>

#include "core/config.h"
#include "util/strings.h"

/* Reading of Match= lines: what is accepted, and what is refused where with which words.
 * (Evaluation: test-selector-match.c.) */

static const char *const accepted[] = {
        "0000:01:00.0",
        "01:00.0",
        "0000:01:00",
        "pci_0000_01_00_0",
        "10DE:2482",
        "address=0000:01:00.0",
        "ADDRESS=0000:01:00.0",
        "Address=pci_0000_01_00_0",
        "address=\"0000:01:00.0\"",
        "id=10de:2482",
        "id=10de:",
        "id=10de:*",
        "id=:2482",
        "id=*:*:0300",
        "id=::0300",
        "id=10de:2482:0300:00",
        "id=10de:2482:*:00",
        "id=10de:2482:*:*",
        "id=10de:2482:",
        "subsystem=1043:8769",
        "subsystem=1043:",
        "subsystem=*:8769",
        "class=03",
        "class=0300",
        "class=0C0330",
        "path=0000:00:1c.0/00.0",
        "path=00:1c.0/00.0",
        "path=0000:00:1f.2",
        "path=10000:00:1c.0/00.0/1F.7/00.1",
        "physical-slot=4",
        "physical-slot=\"Slot 4\"",
        "Physical-Slot=0-1",
        "serial=0123456789abcdef",
        "serial=0123456789ABCDEF",
        "serial=01-23-45-67-89-ab-cd-ef",
        "serial=01:23:45:67:89:ab:cd:ef",
        "name=nvidia.*",
        "name=\"NVIDIA Corporation GA104.*\"",
        "name=\"a \\\"quoted\\\" \\\\(R\\\\)\"",
        "hostdriver=nvme",
        "hostdriver=snd_hda_intel",
        "pf=0000:06:00.0 vf=0-3,7",
        "pf=0000:00:1c.0/00.0",
        "pf=nic0 vf=8-",
        "pf=enp6s0f0 vf=0-",
        "pf=06:00.0",
        "vf=0",
        "vf=1-",
        "vf=0-3,2-5,65535",
        "0000:01:00.0 expect=10de:2482",
        "0000:01:00.0 expect=10de:2482:1043:8769 expect-serial=0123456789abcdef",
        "0000:01:00.0 expect-serial=0000000000000000",
        "  \t 0000:01:00.0 \t class=03\t ",
        "class=02 id=8086: subsystem=8086: hostdriver=ice name=\"x.*y\" vf=3 pf=x",
};

/* column: of the diagnostic, where the line begins in column 7. */
static const struct {
        const char *text;
        unsigned column;
        const char *message;
} refused[] = {
        {"", 7, "no term on this line"},
        {"   ", 7, "no term on this line"},
        {"0000:01:00.8", 7, "'0000:01:00.8' is neither an address nor vendor:device"},
        {"nvme", 7, "'nvme' is neither an address nor vendor:device; anything else needs a "
                    "term name"},
        {"0000:00:1c.0/00.0", 7, "is neither an address nor vendor:device"},
        {"10de:2482:0300", 7, "is neither an address nor vendor:device"},
        {"0000:01:00.0 02:00.0", 20, "'address=' stands twice on this line"},
        {"0000:01:00.0 address=02:00.0", 20, "'address=' stands twice on this line"},
        {"10de:2482 id=10de:2483", 17, "'id=' stands twice on this line"},
        {"class=03 CLASS=02", 16, "'class=' stands twice on this line"},
        {"vf=1 vf=2", 12, "'vf=' stands twice on this line"},

        {"adress=0000:01:00.0", 7, "unknown term 'adress=', did you mean 'address='?"},
        {"vendor=10de", 7, "unknown term 'vendor='"},
        {"class=03 pysical-slot=4", 16, "unknown term 'pysical-slot=', did you mean "
                                        "'physical-slot='?"},
        {"=x", 7, "unknown term '='"},
        {"host-driver=nvme", 7, "unknown term 'host-driver=', did you mean 'hostdriver='?"},
        {"driver=nvme", 7, "unknown term 'driver='"},

        {"address=", 15, "address='' has no value"},
        {"address=\"\"", 15, "address='' has no value"},
        {"class= 03", 13, "class='' has no value"},
        {"address=0000:01", 15, "address='0000:01' is no address"},
        {"class=02  address=nvme", 25, "address='nvme' is no address"},
        {"id=10de", 10, "id='10de' is no id"},
        {"id=10de:248", 10, "is no id"},
        {"id=10de:02482", 10, "is no id"},
        {"id=0x10de:2482", 10, "is no id"},
        {"id=10de:2482:03", 10, "is no id"},
        {"id=10de:2482:0300:0", 10, "is no id"},
        {"id=10de:2482:0300:00:", 10, "is no id"},
        {"id=10de:2482,10de:2483", 10, "is no id"},
        {"id=:", 10, "matches everything"},
        {"id=*:*", 10, "matches everything"},
        {"id=*:*:*:*", 10, "matches everything"},
        {"id=:::", 10, "matches everything"},
        {"subsystem=1043", 17, "is no subsystem id"},
        {"subsystem=1043:8769:0300", 17, "is no subsystem id"},
        {"subsystem=*:", 17, "matches everything"},
        {"class=3", 13, "class='3' is no class: wants 2, 4 or 6 hex digits"},
        {"class=030", 13, "is no class"},
        {"class=03xx", 13, "is no class"},
        {"class=03000000", 13, "is no class"},
        {"path=1c.0/00.0", 12, "is no path"},
        {"path=0000:00:1c.0/", 12, "is no path"},
        {"path=0000:00:1c.0//00.0", 12, "is no path"},
        {"path=0000:00:1c/00.0", 12, "is no path"},
        {"path=0000:00:1c.0/01:00.0", 12, "is no path"},
        {"path=0000:00:1c.0/00.8", 12, "is no path"},
        {"path=0000:00:1c.0/20.0", 12, "is no path"},
        {"path=pci_0000_00_1c_0/00.0", 12, "is no path"},
        {"path=/sys/bus/pci/devices/0000:00:1c.0", 12, "is no path"},
        {"physical-slot=../4", 21, "is no slot"},
        {"serial=0123", 14, "is no serial number"},
        {"serial=0123456789abcdeg", 14, "is no serial number"},
        {"serial=01-23-45-67-89-ab-cd:ef", 14, "is no serial number"},
        {"serial=0123456789abcdef0", 14, "is no serial number"},
        {"serial=0000000000000000", 14, "is what functions without a serial number show"},
        {"serial=ff-ff-ff-ff-ff-ff-ff-ff", 14, "is what functions without a serial number show"},
        {"name=.*", 12, "name='.*' matches the empty string"},
        {"name=.+", 12, "name='.+' matches everything"},
        {"name=a)|(b", 12, "has a ')' without its '('"},
        {"name=(a)\\1", 12, "has a back-reference"},
        {"hostdriver=snd/hda", 18, "is no module name"},
        {"hostdriver=a,b", 18, "is no module name"},
        {"pf=0000:06:00", 10, "names a slot"},
        {"pf=a/b", 10, "is no path"},
        {"pf=eth0:1", 10, "is neither an address, a path, the name of"},
        {"pf=\"a b\"", 10, "is neither an address, a path, the name of"},
        {"pf=abcdefghijklmnopqrstuvwxyzabcdefg", 10, "is neither an address, a path"},
        {"vf=", 10, "has no value"},
        {"vf=a", 10, "vf='a' is no list of VF indices"},
        {"vf=-3", 10, "is no list of VF indices"},
        {"vf=3-1", 10, "is no list of VF indices"},
        {"vf=1,", 10, "is no list of VF indices"},
        {"vf=,1", 10, "is no list of VF indices"},
        {"vf=1--2", 10, "is no list of VF indices"},
        {"vf=65536", 10, "is no list of VF indices"},
        {"vf=99999999999", 10, "is no list of VF indices"},
        {"vf=0-", 7, "'vf=0-' alone matches every VF of the machine"},
        {"vf=0-65535", 7, "'vf=0-65535' alone matches every VF of the machine"},
        {"vf=10-,0-9", 7, "'vf=10-,0-9' alone matches every VF of the machine"},
        {"vf=3,0-", 7, "'vf=3,0-' alone matches every VF of the machine"},
        {"vf=0- expect=10de:2482", 7, "alone matches every VF of the machine"},
        {"expect=10de:2482", 7, "'expect=' guards what a line selects, and nothing here selects"},
        {"expect-serial=0123456789abcdef", 7, "'expect-serial=' guards what a line selects"},
        {"01:00.0 expect=10de", 22, "is no identity"},
        {"01:00.0 expect=10de:*", 22, "is no identity"},
        {"01:00.0 expect=10de:2482:1043", 22, "is no identity"},
        {"01:00.0 expect=10de:2482:1043:8769:0300", 22, "is no identity"},
        {"01:00.0 expect-serial=12", 29, "is no serial number"},

        {"name=\"a", 12, "this quote is never closed"},
        {"name=\"a\\\"", 12, "this quote is never closed"},
        {"name=\"a\"b", 15, "a blank is missing after the closing quote"},
        {"name=\"a\\.b\"", 14, "within quotes a backslash is written"},
        {"name=a\"b\"", 13, "a quote within a value"},
        {"\"0000:01:00.0\"", 7, "a quote within a value"},
        {"01:00.0\033[31m", 14, "a control character"},
        {"name=\xff", 12, "a control character or a byte that is no UTF-8"},
};

static void test_accepted(void)
{
        for (size_t i = 0; i < ELEMENTSOF(accepted); i++) {
                DiagnosticList diagnostics = {};
                Match *match = NULL;

                int r = match_parse(accepted[i], (Location){}, NULL, &diagnostics, &match);
                if (r < 0)
                        fprintf(stderr, "refused: %s: %s\n", accepted[i],
                                diagnostics.n_items ? diagnostics.items[0].message : "?");
                ASSERT_OK(r);
                ASSERT_EQ(diagnostics.n_items, 0);
                ASSERT_STREQ(match->text, accepted[i]);
                match_free(match);
        }
}

static void test_refused(void)
{
        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                Location location = {.file = "f", .line = 3, .column = 7};
                DiagnosticList diagnostics = {};
                Match *match = NULL;

                int r = match_parse(refused[i].text, location, "Claim x", &diagnostics, &match);
                if (r == 0)
                        fprintf(stderr, "accepted: %s\n", refused[i].text);
                ASSERT_EQ(r, -EINVAL);
                ASSERT_TRUE(!match);
                ASSERT_TRUE(diagnostics.n_items >= 1);
                ASSERT_EQ(diagnostics.n_errors, diagnostics.n_items);
                const Diagnostic *diagnostic = &diagnostics.items[0];
                ASSERT_CONTAINS(diagnostic->message, refused[i].message);
                if (diagnostic->location.column != refused[i].column)
                        fprintf(stderr, "line: %s\n", refused[i].text);
                ASSERT_EQ(diagnostic->location.column, refused[i].column);
                ASSERT_EQ(diagnostic->location.line, 3);
                ASSERT_STREQ(diagnostic->section, "Claim x");
                diagnostic_list_done(&diagnostics);
        }
}

/* All errors of a line are named at once. */
static void test_several_errors(void)
{
        DiagnosticList diagnostics = {};
        Match *match = NULL;

        ASSERT_EQ(match_parse("clas=03 id=zz name=\"[\" vf=1", (Location){.column = 1}, NULL,
                          &diagnostics, &match),
                -EINVAL);
        ASSERT_EQ(diagnostics.n_items, 3);
        ASSERT_EQ(diagnostics.items[0].location.column, 1);
        ASSERT_EQ(diagnostics.items[1].location.column, 12);
        ASSERT_EQ(diagnostics.items[2].location.column, 20);
        diagnostic_list_done(&diagnostics);
}

static void test_values(void)
{
        DiagnosticList diagnostics = {};
        Match *match;

        ASSERT_OK(match_parse("path=00:1C.0/1F.7 SERIAL=01-23-45-67-89-AB-CD-EF "
                              "name=\"a \\\"b\\\" \\\\(c\\\\)\" vf=0-3,7,9- expect=10DE:2482:1043:8769",
                (Location){.column = 10}, NULL, &diagnostics, &match));
        ASSERT_EQ(match->n_terms, 5);
        ASSERT_STREQ(match->terms[0].path, "0000:00:1c.0/1f.7");
        ASSERT_STREQ(match->terms[0].value, "00:1C.0/1F.7");
        ASSERT_EQ(match->terms[0].column, 10);
        ASSERT_STREQ(match->terms[1].serial, "0123456789abcdef");
        ASSERT_EQ(match->terms[1].column, 28);
        ASSERT_STREQ(match->terms[2].value, "a \"b\" \\(c\\)");
        ASSERT_EQ(match->terms[3].vf.n_ranges, 3);
        ASSERT_EQ(match->terms[3].vf.ranges[0].last, 3);
        ASSERT_EQ(match->terms[3].vf.ranges[1].first, 7);
        ASSERT_EQ(match->terms[3].vf.ranges[1].last, 7);
        ASSERT_EQ(match->terms[3].vf.ranges[2].last, UINT_MAX);
        ASSERT_EQ(match->terms[4].expect.vendor, 0x10de);
        ASSERT_EQ(match->terms[4].expect.subsystem_device, 0x8769);
        ASSERT_TRUE(match->terms[4].expect.has_subsystem);
        match_free(match);
}

/* What stays reserved of a line with errors: terms as text, in order. */
static void test_readable(void)
{
        static const struct {
                const char *text, *terms; /* NULL: nothing */
        } cases[] = {
                {"01:00.0", "address=01:00.0"},
                {"01:00.0 02:00.0", "address=01:00.0 address=02:00.0"},
                {"01:00.0 nmae=x", "address=01:00.0"},
                {"clas=03 id=10de: name=.*", "id=10de:"},
                {"01:00.0 name=\"never closed class=03", "address=01:00.0"},
                {"01:00.0 expect=bad", "address=01:00.0"},
                {"id=*:*", NULL},
                {"expect=10de:2482", NULL},
                {"vf=0-", NULL},
                {"nmae=x", NULL},
                {"", NULL},
                {"01:00.0 \033", NULL},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[256] = "";
                Match *match = NULL;

                ASSERT_EQ(match_parse_readable(cases[i].text, (Location){}, &match),
                        cases[i].terms ? 0 : -EINVAL);
                if (!cases[i].terms)
                        continue;
                for (size_t k = 0; k < match->n_terms; k++)
                        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=%s",
                                k > 0 ? " " : "", term_type_to_string(match->terms[k].type),
                                match->terms[k].value);
                ASSERT_STREQ(text, cases[i].terms);
                match_free(match);
        }
}

static void test_limits(void)
{
        DiagnosticList diagnostics = {};
        Match *match = NULL;
        char text[5000], deep[2000] = "path=00:1c.0", many[1000] = "vf=0";

        memset(text, ' ', sizeof(text) - 1);
        memcpy(text, "01:00.0", 7);
        text[sizeof(text) - 1] = '\0';
        ASSERT_EQ(match_parse(text, (Location){}, NULL, &diagnostics, &match), -EINVAL);
        ASSERT_CONTAINS(diagnostics.items[0].message, "longer than 4096 bytes");

        for (unsigned i = 0; i < 64; i++)
                strcat(deep, "/00.0");
        ASSERT_OK(match_parse(deep, (Location){}, NULL, &diagnostics, &match));
        match_free(match);
        match = NULL;
        strcat(deep, "/00.0");
        ASSERT_EQ(match_parse(deep, (Location){}, NULL, &diagnostics, &match), -EINVAL);

        for (unsigned i = 0; i < 64; i++)
                strcat(many, ",1");
        ASSERT_EQ(match_parse(many, (Location){}, NULL, &diagnostics, &match), -EINVAL);
        ASSERT_TRUE(!match);

        /* Foreign text is repeated in part only, and never ends within a character. */
        memset(text, 'x', sizeof(text));
        strcpy(text, "class=");
        for (unsigned i = 0; i < 100; i++)
                strcat(text, "\xe2\x82\xac");
        size_t before = diagnostics.n_items;
        ASSERT_EQ(match_parse(text, (Location){}, NULL, &diagnostics, &match), -EINVAL);
        ASSERT_EQ(diagnostics.n_items, before + 1);
        ASSERT_TRUE(strlen(diagnostics.items[before].message) < 200);
        ASSERT_TRUE(!find_unprintable(diagnostics.items[before].message));
        diagnostic_list_done(&diagnostics);
}

static void test_needed_facts(void)
{
        static const struct {
                const char *text;
                unsigned facts;
        } cases[] = {
                {"01:00.0 expect=10de:2482", 0},
                {"physical-slot=4", SNAPSHOT_FACT_SLOTS},
                {"serial=0123456789abcdef", SNAPSHOT_FACT_SERIALS},
                {"01:00.0 expect-serial=0123456789abcdef", SNAPSHOT_FACT_SERIALS},
                {"name=x class=03", SNAPSHOT_FACT_NAMES},
                {"hostdriver=nvme", SNAPSHOT_FACT_HOST_DRIVERS},
                {"pf=06:00.0", 0},
                {"pf=nic0", SNAPSHOT_FACT_INTERFACES},
                {"name=x serial=0123456789abcdef", SNAPSHOT_FACT_NAMES | SNAPSHOT_FACT_SERIALS},
        };
        DiagnosticList diagnostics = {};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Match *match;

                ASSERT_OK(match_parse(cases[i].text, (Location){}, NULL, &diagnostics, &match));
                ASSERT_EQ(match_needed_facts(match), cases[i].facts);
                match_free(match);
        }
}

int main(void)
{
        test_accepted();
        test_refused();
        test_several_errors();
        test_values();
        test_readable();
        test_limits();
        test_needed_facts();
        return EXIT_SUCCESS;
}
