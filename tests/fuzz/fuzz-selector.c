/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <errno.h>

#include "core/config.h"
#include "lib/test.h"
#include "util/strings.h"

/* Any bytes as a Match= line, up to the first newline; the rest is the name that a function has
 * and its slot's. */

const char *const fuzz_dictionary[] = {"address=", "id=", "subsystem=", "class=", "path=",
        "physical-slot=", "serial=", "name=", "hostdriver=", "pf=", "vf=", "expect=",
        "expect-serial=", "01:00.0", "0000:01:00", "pci_0000_01_00_0", "10de:2482", "*:*",
        "0000:00:1c.0/00.0", "01-23-45-67-89-ab-cd-ef", "0-3,7", "8-", "\"", "\\\"", "\\\\", ".*",
        ".+", "(a|b)", "{2,4}", "[[:alpha:]]", "[^]x]", "\\1", "(((", ")+)+)+", " ", "\t", "\n",
        NULL};

#define TEXT_MAX 600

/* One function of each kind, the first with names from the input. */
static Snapshot *make_machine(const char *name)
{
        Snapshot *snapshot;
        Device *device;

        ASSERT_OK(snapshot_new(&snapshot));
        ASSERT_OK(snapshot_add(snapshot, &(PciAddress){0, 1, 0, 0}, &device));
        device->vendor_name.known = device->device_name.known = device->physical_slot.known = true;
        ASSERT_OK(replace_string(&device->device_name.text, name));
        ASSERT_OK(replace_string(&device->physical_slot.text, name));
        ASSERT_OK(snapshot_add(snapshot, &(PciAddress){0, 6, 0, 0}, &device));
        device->sriov_total_vfs = 4;
        ASSERT_OK(snapshot_add(snapshot, &(PciAddress){0, 6, 2, 0}, &device));
        device->is_virtual_function = true;
        device->physical_function = (PciAddress){0, 6, 0, 0};
        device->vf_index = 0;
        ASSERT_OK(snapshot_finish(snapshot));
        return snapshot;
}

static void evaluate(const Match *match, const Snapshot *snapshot)
{
        MatchContext context = {.snapshot = snapshot, .stage = STAGE_RUNTIME};
        size_t n_yes = 0, n;

        for (size_t i = 0; i < snapshot->n_devices; i++) {
                Answer answer = match_evaluate(match, &context, &snapshot->devices[i]);

                ASSERT_TRUE(answer_to_string(answer));
                n_yes += answer == ANSWER_YES;
                for (size_t k = 0; k < match->n_terms; k++)
                        ASSERT_TRUE(answer_to_string(term_evaluate(
                                &match->terms[k], &context, &snapshot->devices[i])));
                (void) match_guard(match, &snapshot->devices[i]);
        }
        ASSERT_TRUE(n_yes <= snapshot->n_devices);
        ASSERT_TRUE(!match_find_identity(match, snapshot, &n) == (n == 0));
        ASSERT_EQ(match_needed_facts(match) & ~0xffU, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *) data, size);
        Location location = {.line = 1, .column = 7};
        DiagnosticList diagnostics = {};
        Match *match = NULL, *readable = NULL;

        ASSERT_TRUE(text);
        char *newline = strchr(text, '\n'), name[TEXT_MAX];
        snprintf(name, sizeof(name), "%s", newline ? newline + 1 : "");
        if (newline)
                *newline = '\0';
        Snapshot *snapshot = make_machine(name);

        int r = match_parse(text, location, "Claim x", &diagnostics, &match);
        int r_readable = match_parse_readable(text, location, &readable);
        if (r == 0) {
                ASSERT_EQ(diagnostics.n_items, 0);
                ASSERT_OK(r_readable);
                ASSERT_EQ(readable->n_terms, match->n_terms);
                evaluate(match, snapshot);
        } else {
                ASSERT_EQ(r, -EINVAL);
                ASSERT_TRUE(diagnostics.n_items > 0);
                ASSERT_TRUE(!match);
        }
        for (size_t i = 0; i < diagnostics.n_items; i++) {
                const Diagnostic *diagnostic = &diagnostics.items[i];

                ASSERT_TRUE(!find_unprintable(diagnostic->message));
                ASSERT_TRUE(diagnostic->location.column >= 7);
                ASSERT_TRUE(diagnostic->location.column <= 7 + strlen(text));
        }
        if (r_readable == 0)
                evaluate(readable, snapshot);
        else
                ASSERT_EQ(r_readable, -EINVAL);

        match_free(match);
        match_free(readable);
        diagnostic_list_done(&diagnostics);
        snapshot_free(snapshot);
        return 0;
}
