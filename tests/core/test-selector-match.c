/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>

#include "core/config.h"
#include "util/strings.h"

/* How lines answer for functions of one made-up machine. */

static Device *add(Snapshot *snapshot, const char *address, const char *path)
{
        PciAddress parsed;
        Device *device;

        ASSERT_OK(pci_address_parse(address, &parsed));
        ASSERT_OK(snapshot_add(snapshot, &parsed, &device));
        ASSERT_OK(replace_string(&device->path, path));
        return device;
}

static void set_ids(Device *device, uint16_t vendor, uint16_t id, uint16_t subsystem_vendor,
        uint16_t subsystem_device, uint32_t class_code)
{
        device->vendor = vendor;
        device->device = id;
        device->subsystem_vendor = subsystem_vendor;
        device->subsystem_device = subsystem_device;
        device->class_code = class_code;
}

static void set_fact(Fact *fact, const char *text)
{
        fact->known = true;
        ASSERT_OK(replace_string(&fact->text, text));
}

static void set_fact_list(FactList *fact, const char *item)
{
        fact->known = true;
        if (item)
                ASSERT_OK(string_list_append(&fact->list, item));
}

static Device *add_virtual_function(Snapshot *snapshot, const char *address, const char *pf,
        int vf_index)
{
        Device *device = add(snapshot, address, "0000:00:1c.0/00.0");

        set_ids(device, 0x8086, 0x10ca, 0x8086, 0xa03c, 0x020000);
        device->is_virtual_function = true;
        device->vf_index = vf_index;
        ASSERT_OK(pci_address_parse(pf, &device->physical_function));
        return device;
}

/* A graphics card about which all is known, a network card with VFs, two functions with one path,
 * a function about which nothing is known. */
static Snapshot *make_machine(void)
{
        Snapshot *snapshot;
        Device *device;

        ASSERT_OK(snapshot_new(&snapshot));

        device = add(snapshot, "0000:01:00.0", "0000:00:01.0/00.0");
        set_ids(device, 0x10de, 0x2482, 0x1043, 0x8769, 0x030000);
        set_fact(&device->physical_slot, "4");
        set_fact(&device->serial, "0123456789abcdef");
        set_fact(&device->vendor_name, "NVIDIA Corporation");
        set_fact(&device->device_name, "GA104 [GeForce RTX 3070]");
        set_fact_list(&device->host_drivers, "nouveau");
        set_fact_list(&device->host_drivers, "nvidia-drm");
        set_fact_list(&device->interfaces, NULL);

        device = add(snapshot, "0000:06:00.0", "0000:00:1c.0/00.0");
        set_ids(device, 0x8086, 0x10c9, 0x8086, 0xa03c, 0x020000);
        device->sriov_total_vfs = 8;
        set_fact(&device->physical_slot, NULL);
        set_fact(&device->serial, NULL);
        set_fact(&device->vendor_name, "Intel Corporation");
        set_fact(&device->device_name, NULL);
        set_fact_list(&device->host_drivers, "igb");
        set_fact_list(&device->interfaces, "enp6s0f0");
        add_virtual_function(snapshot, "0000:06:10.0", "0000:06:00.0", 0);
        add_virtual_function(snapshot, "0000:06:10.2", "0000:06:00.0", 1);
        add_virtual_function(snapshot, "0000:06:10.4", "0000:06:00.0", -1);
        add_virtual_function(snapshot, "0000:07:10.0", "0000:07:00.0", 3); /* its PF is gone */

        add(snapshot, "0000:08:00.0", "0000:00:1d.0/00.0");
        add(snapshot, "0001:08:00.0", "0000:00:1d.0/00.0");
        add(snapshot, "0000:09:00.0", "0000:00:1e.0/00.0");
        ASSERT_OK(snapshot_finish(snapshot));
        return snapshot;
}

static const struct {
        const char *line, *address;
        Answer answer;
} cases[] = {
        {"0000:01:00.0", "01:00.0", ANSWER_YES},
        {"0000:01:00.1", "01:00.0", ANSWER_NO},
        {"0000:01:00", "01:00.0", ANSWER_YES},
        {"06:10", "06:10.2", ANSWER_YES},
        {"06:10", "06:00.0", ANSWER_NO},
        {"0001:08:00.0", "08:00.0", ANSWER_NO},
        {"10de:2482", "01:00.0", ANSWER_YES},
        {"id=10de:", "01:00.0", ANSWER_YES},
        {"id=:2482", "01:00.0", ANSWER_YES},
        {"id=10de:2483", "01:00.0", ANSWER_NO},
        {"id=::0300", "01:00.0", ANSWER_YES},
        {"id=::0302", "01:00.0", ANSWER_NO},
        {"id=10de:*:*:00", "01:00.0", ANSWER_YES},
        {"id=10de:*:*:01", "01:00.0", ANSWER_NO},
        {"subsystem=1043:8769", "01:00.0", ANSWER_YES},
        {"subsystem=1043:", "01:00.0", ANSWER_YES},
        {"subsystem=:8768", "01:00.0", ANSWER_NO},
        {"class=03", "01:00.0", ANSWER_YES},
        {"class=0300", "01:00.0", ANSWER_YES},
        {"class=030000", "01:00.0", ANSWER_YES},
        {"class=030001", "01:00.0", ANSWER_NO},
        {"class=02", "01:00.0", ANSWER_NO},
        {"class=00", "09:00.0", ANSWER_YES},

        {"path=0000:00:01.0/00.0", "01:00.0", ANSWER_YES},
        {"path=00:01.0/00.0", "01:00.0", ANSWER_YES},
        {"path=00:01.0/00.1", "01:00.0", ANSWER_NO},
        {"path=00:1c.0/00.0", "06:00.0", ANSWER_YES},
        {"path=00:1c.0/00.0", "06:10.0", ANSWER_NO}, /* never a VF, whatever its path */
        {"path=00:1d.0/00.0", "08:00.0", ANSWER_AMBIGUOUS},
        {"path=00:1d.0/00.0", "0001:08:00.0", ANSWER_AMBIGUOUS},
        {"path=00:1d.0/00.0 class=02", "08:00.0", ANSWER_NO},
        {"path=00:1d.0/00.0 name=x", "08:00.0", ANSWER_AMBIGUOUS},

        {"physical-slot=4", "01:00.0", ANSWER_YES},
        {"physical-slot=5", "01:00.0", ANSWER_NO},
        {"physical-slot=4", "06:00.0", ANSWER_NO},
        {"physical-slot=4", "09:00.0", ANSWER_UNKNOWN},
        {"serial=01-23-45-67-89-AB-CD-EF", "01:00.0", ANSWER_YES},
        {"serial=0123456789abcde0", "01:00.0", ANSWER_NO},
        {"serial=0123456789abcdef", "06:00.0", ANSWER_NO},
        {"serial=0123456789abcdef", "09:00.0", ANSWER_UNKNOWN},
        {"name=nvidia.*", "01:00.0", ANSWER_YES},
        {"name=\"nvidia corporation ga104 .*\"", "01:00.0", ANSWER_YES},
        {"name=nvidia", "01:00.0", ANSWER_NO},
        {"name=\"intel corporation\"", "06:00.0", ANSWER_YES},
        {"name=nvidia.*", "09:00.0", ANSWER_UNKNOWN},
        {"hostdriver=nouveau", "01:00.0", ANSWER_YES},
        {"hostdriver=nvidia_drm", "01:00.0", ANSWER_YES}, /* '-' is '_' */
        {"hostdriver=nvidia", "01:00.0", ANSWER_NO},
        {"hostdriver=nvidia", "09:00.0", ANSWER_UNKNOWN},

        {"pf=06:00.0", "06:10.0", ANSWER_YES},
        {"pf=06:00.1", "06:10.0", ANSWER_NO},
        {"pf=06:00.0", "06:00.0", ANSWER_NO}, /* the PF is none of its VFs */
        {"pf=07:00.0", "07:10.0", ANSWER_YES},
        {"pf=00:1c.0/00.0", "06:10.0", ANSWER_YES},
        {"pf=00:1c.0/00.1", "06:10.0", ANSWER_NO},
        {"pf=00:1c.0/00.0", "07:10.0", ANSWER_UNKNOWN},
        {"pf=enp6s0f0", "06:10.0", ANSWER_YES},
        {"pf=enp6s0f1", "06:10.0", ANSWER_NO},
        {"pf=enp6s0f0", "07:10.0", ANSWER_UNKNOWN},
        {"pf=nic0", "06:10.0", ANSWER_YES},
        {"pf=nic1", "06:10.0", ANSWER_NO},
        {"pf=nic0", "01:00.0", ANSWER_NO},
        {"pf=nic2", "06:10.0", ANSWER_YES}, /* one of its lines is unknown, the other fits */
        {"vf=0", "06:10.0", ANSWER_YES},
        {"vf=0", "06:10.2", ANSWER_NO},
        {"vf=0-1", "06:10.2", ANSWER_YES},
        {"vf=3,1", "06:10.2", ANSWER_YES},
        {"vf=2-", "06:10.2", ANSWER_NO},
        {"vf=2-", "07:10.0", ANSWER_YES},
        {"vf=0", "06:10.4", ANSWER_UNKNOWN},
        {"vf=0", "01:00.0", ANSWER_NO},
        {"pf=nic0 vf=1-", "06:10.2", ANSWER_YES},

        /* "no" beats "unknown" beats "yes" */
        {"class=00 name=x", "09:00.0", ANSWER_UNKNOWN},
        {"class=02 name=x", "09:00.0", ANSWER_NO},
        {"name=x class=02", "09:00.0", ANSWER_NO},
        /* guards are no conditions */
        {"01:00.0 expect=8086:10c9 expect-serial=ffffffffffffffff", "01:00.0", ANSWER_YES},
};

static Match *parse(const char *line)
{
        DiagnosticList diagnostics = {};
        Match *match;

        ASSERT_OK(match_parse(line, (Location){}, NULL, &diagnostics, &match));
        return match;
}

static bool lookup(const MatchContext *context, const char *name, const Device *device,
        Answer *ret)
{
        const char *line = streq(name, "nic0") ? "06:00.0" : streq(name, "nic1") ? "06:00.1" : NULL;

        if (streq(name, "nic2")) {
                *ret = ANSWER_YES;
                return true;
        }
        if (!line)
                return false;
        Match *match = parse(line);
        *ret = match_evaluate(match, context, device);
        match_free(match);
        return true;
}

static const Device *find(const Snapshot *snapshot, const char *address)
{
        PciAddress parsed;

        ASSERT_OK(pci_address_parse(address, &parsed));
        const Device *device = snapshot_find(snapshot, &parsed);
        ASSERT_TRUE(device);
        return device;
}

static void test_answers(const Snapshot *snapshot)
{
        MatchContext context = {.snapshot = snapshot, .stage = STAGE_RUNTIME, .lookup = lookup};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Match *match = parse(cases[i].line);
                Answer answer =
                        match_evaluate(match, &context, find(snapshot, cases[i].address));

                if (answer != cases[i].answer)
                        fprintf(stderr, "%s for %s\n", cases[i].line, cases[i].address);
                ASSERT_STREQ(answer_to_string(answer), answer_to_string(cases[i].answer));
                match_free(match);
        }
}

/* Before udev has named the interfaces, a name that is not there may still come. */
static void test_interfaces_at_early_stages(const Snapshot *snapshot)
{
        MatchContext context = {.snapshot = snapshot, .stage = STAGE_BOOT};
        Match *there = parse("pf=enp6s0f0"), *other = parse("pf=enp6s0f1");
        const Device *device = find(snapshot, "06:10.0");

        ASSERT_EQ(match_evaluate(there, &context, device), ANSWER_YES);
        ASSERT_EQ(match_evaluate(other, &context, device), ANSWER_UNKNOWN);
        context.stage = STAGE_RUNTIME;
        ASSERT_EQ(match_evaluate(other, &context, device), ANSWER_NO);
        match_free(there);
        match_free(other);
}

/* A line that could be read in part reserves all that any of its words means. */
static void test_readable_line(const Snapshot *snapshot)
{
        MatchContext context = {.snapshot = snapshot, .stage = STAGE_RUNTIME};
        Match *match;

        ASSERT_OK(match_parse_readable("01:00.0 06:00.0 nonsense", (Location){}, &match));
        ASSERT_EQ(match_evaluate(match, &context, find(snapshot, "01:00.0")), ANSWER_YES);
        ASSERT_EQ(match_evaluate(match, &context, find(snapshot, "06:00.0")), ANSWER_YES);
        ASSERT_EQ(match_evaluate(match, &context, find(snapshot, "09:00.0")), ANSWER_NO);
        match_free(match);

        ASSERT_OK(match_parse_readable("class=02 01:00.0 06:00.0", (Location){}, &match));
        ASSERT_EQ(match_evaluate(match, &context, find(snapshot, "01:00.0")), ANSWER_NO);
        ASSERT_EQ(match_evaluate(match, &context, find(snapshot, "06:00.0")), ANSWER_YES);
        match_free(match);
}

static void test_guards(const Snapshot *snapshot)
{
        static const struct {
                const char *line, *address;
                GuardVerdict verdict;
                const char *found; /* where that identity is */
        } guards[] = {
                {"01:00.0", "01:00.0", GUARD_NONE, NULL},
                {"01:00.0 expect=10de:2482", "01:00.0", GUARD_HOLDS, "01:00.0"},
                {"01:00.0 expect=10de:2482:1043:8769", "01:00.0", GUARD_HOLDS, "01:00.0"},
                {"01:00.0 expect=10de:2482:1043:8768", "01:00.0", GUARD_MISMATCH, NULL},
                {"01:00.0 expect=8086:10c9", "01:00.0", GUARD_MISMATCH, "06:00.0"},
                {"01:00.0 expect-serial=0123456789abcdef", "01:00.0", GUARD_HOLDS, "01:00.0"},
                {"06:00.0 expect-serial=0123456789abcdef", "06:00.0", GUARD_MISMATCH, "01:00.0"},
                {"09:00.0 expect-serial=0123456789abcdef", "09:00.0", GUARD_UNKNOWN, "01:00.0"},
                {"09:00.0 expect=0000:0000 expect-serial=0123456789abcdef", "09:00.0",
                        GUARD_UNKNOWN, NULL},
                {"09:00.0 expect=10de:2482 expect-serial=0123456789abcdef", "09:00.0",
                        GUARD_MISMATCH, "01:00.0"},
                {"09:00.0 expect-serial=0123456789abcdef expect=10de:2482", "09:00.0",
                        GUARD_MISMATCH, "01:00.0"},
        };

        for (size_t i = 0; i < ELEMENTSOF(guards); i++) {
                Match *match = parse(guards[i].line);
                size_t n;

                ASSERT_EQ(match_guard(match, find(snapshot, guards[i].address)),
                        guards[i].verdict);
                ASSERT_TRUE(match_find_identity(match, snapshot, &n) ==
                        (guards[i].found ? find(snapshot, guards[i].found) : NULL));
                ASSERT_EQ(n > 0, guards[i].found != NULL);
                match_free(match);
        }
}

/* A name too long to be one is not judged. */
static void test_hostile_name(Snapshot *snapshot)
{
        MatchContext context = {.snapshot = snapshot, .stage = STAGE_RUNTIME};
        Device *device = (Device *) find(snapshot, "09:00.0");
        Match *match = parse("name=x.*");
        char name[600];

        memset(name, 'x', sizeof(name));
        name[sizeof(name) - 1] = '\0';
        set_fact(&device->vendor_name, name);
        set_fact(&device->device_name, "x");
        ASSERT_EQ(match_evaluate(match, &context, device), ANSWER_UNKNOWN);
        name[500] = '\0';
        set_fact(&device->vendor_name, name);
        ASSERT_EQ(match_evaluate(match, &context, device), ANSWER_YES);
        set_fact(&device->vendor_name, NULL);
        set_fact(&device->device_name, NULL);
        ASSERT_EQ(match_evaluate(match, &context, device), ANSWER_NO);
        match_free(match);
}

int main(void)
{
        Snapshot *snapshot = make_machine();

        test_answers(snapshot);
        test_interfaces_at_early_stages(snapshot);
        test_readable_line(snapshot);
        test_guards(snapshot);
        test_hostile_name(snapshot);
        snapshot_free(snapshot);
        return EXIT_SUCCESS;
}
