/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "config/config-load.h"
#include "core/planner.h"
#include "lib/snapshot-text.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/strings.h"

/* Thousands of made-up machines and configurations. For each:
 * - deterministic: planning twice gives the same text;
 * - whole: where one endpoint of a group is to be bound or detached, every one is in place, is to
 *   be bound or detached, or may be ignored; nothing that may not be taken is taken;
 * - idempotent: after the plan was carried out the next plan has nothing to do. */

static uint64_t seed;

static unsigned pick(unsigned n)
{
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned) (seed >> 33) % n;
}

static bool one_in(unsigned n)
{
        return pick(n) == 0;
}

static void make_machine(Buffer *text)
{
        static const char *const drivers[] = { "nvme", "e1000", "vfio-pci", "pci-stub", "pcieport" };
        static const char *const classes[] = { "010802", "020000", "030000", "060100", "0c0500" };
        unsigned n_slots = 1 + pick(6), group = 1;

        for (unsigned slot = 0; slot < n_slots; slot++) {
                unsigned n_functions = 1 + pick(3);

                if (one_in(2))
                        group++;
                for (unsigned function = 0; function < n_functions; function++) {
                        buffer_printf(text, "0000:01:%02x.%u id=%04x:%04x class=%s", slot, function,
                                one_in(2) ? 0x8086 : 0x10de, 0x1000 + pick(3),
                                classes[pick(one_in(3) ? 5 : 3)]);
                        if (!one_in(12))
                                buffer_printf(text, " group=%u", group);
                        if (one_in(2))
                                buffer_printf(text, " driver=%s", drivers[pick(5)]);
                        if (one_in(8))
                                buffer_append(text, " bridge");
                        if (one_in(20))
                                buffer_append(text, " no-override");
                        if (one_in(6))
                                buffer_append(text, " vfs=4 offset=8 stride=1 vf-device=1002");
                        buffer_append(text, "\n");
                        if (one_in(15))
                                buffer_printf(text, "use 0000:01:%02x.%u %s something\n", slot,
                                        function, one_in(2) ? "system" : "network");
                }
        }
        for (unsigned vf = 0; vf < pick(4); vf++)
                buffer_printf(text, "0000:01:1f.%u id=8086:1002 class=020000 group=%u "
                                    "pf=0000:01:00.0 vf=%u\n", vf, 20 + pick(2), vf);
        buffer_printf(text, "request %s %s\n", one_in(2) ? "may-unbind" : "stage=runtime",
                one_in(3) ? "stage=boot" : "stage=runtime");
}

static void make_line(Buffer *text, const char *key)
{
        switch (pick(6)) {
        case 0:
                buffer_printf(text, "%s=0000:01:%02x.%u\n", key, pick(6), pick(3));
                break;
        case 1:
                buffer_printf(text, "%s=0000:01:%02x\n", key, pick(6));
                break;
        case 2:
                buffer_printf(text, "%s=id=%s:%04x\n", key, one_in(2) ? "8086" : "10de",
                        0x1000 + pick(3));
                break;
        case 3:
                buffer_printf(text, "%s=class=%s\n", key, one_in(2) ? "0108" : "02");
                break;
        case 4:
                buffer_printf(text, "%s=pf=0000:01:00.0 vf=0-%u\n", key, pick(4));
                break;
        default:
                buffer_printf(text, "%s=0000:01:%02x.0 expect=8086:%04x\n", key, pick(6),
                        0x1000 + pick(3));
        }
}

static void make_config(Buffer *text)
{
        static const char *const policies[] = { "slot", "all", "none", "detach" };
        unsigned n_claims = pick(4);

        buffer_append(text, "[Defaults]\n");
        if (one_in(4))
                make_line(text, "Exclude");
        for (unsigned i = 0; i < n_claims; i++) {
                buffer_printf(text, "[Claim c%u]\nCompanions=%s\n", i, policies[pick(4)]);
                for (unsigned j = 0; j <= pick(3); j++)
                        make_line(text, "Match");
                if (one_in(4))
                        make_line(text, "Exclude");
                if (one_in(5))
                        buffer_append(text, "AllowInUse=network\n");
                if (one_in(8))
                        buffer_append(text, "Nonsense=yes\n");
                if (one_in(8))
                        buffer_append(text, "OnDrift=reclaim\n");
        }
        if (one_in(4))
                buffer_append(text, "[PhysicalFunction nic0]\nMatch=0000:01:00.0\nNumVFs=keep\n");
}

static bool moves(const MemberPlan *member)
{
        return member->action == ACTION_BIND || member->action == ACTION_DETACH;
}

static void check_whole(const Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++) {
                const GroupPlan *group = &plan->groups[i];
                bool any = false;

                for (size_t j = 0; j < group->n_members; j++)
                        any = any || moves(&group->members[j]);
                if (!any)
                        continue;

                ASSERT_TRUE(group->number >= 0);
                for (size_t j = 0; j < group->n_members; j++) {
                        const MemberPlan *member = &group->members[j];
                        const Device *device = member->device;

                        if (device->is_bridge) {
                                ASSERT_TRUE(driver_is_harmless(device->driver));
                                ASSERT_EQ(member->action, ACTION_NONE);
                        } else if (!moves(member)) {
                                ASSERT_TRUE(driver_is_harmless(device->driver));
                        } else if (device->driver && !driver_is_vfio(device->driver)) {
                                for (size_t k = 0; k < device->n_uses; k++)
                                        ASSERT_TRUE(device->uses[k].use != IN_USE_SYSTEM);
                        }
                        ASSERT_TRUE(member->role != ROLE_EXCLUDED);
                }
        }
}

static void set_text(char **target, const char *text)
{
        ASSERT_OK(replace_string(target, text));
}

/* What the executor does when everything works. */
static void carry_out(const Plan *plan, const Config *config)
{
        for (size_t i = 0; i < plan->n_groups; i++) {
                for (size_t j = 0; j < plan->groups[i].n_members; j++) {
                        const MemberPlan *member = &plan->groups[i].members[j];
                        Device *device = (Device *) member->device;
                        DeviceRecord *record;

                        if (member->action == ACTION_NONE)
                                continue;
                        if (!device->record)
                                device->record = calloc(1, sizeof(DeviceRecord));
                        record = device->record;
                        ASSERT_TRUE(record);
                        set_text(&record->config_digest, config->digest);
                        set_text(&record->claim, member->claim ? member->claim->name : NULL);
                        record->role = member->role;
                        if (member->action == ACTION_PROBE_HOST)
                                continue;
                        record->provenance = PROVENANCE_TAKEN;
                        record->state = member->target ? STATE_BOUND : STATE_DETACHED;
                        set_text(&device->driver, member->target);
                }
        }
        for (size_t i = 0; i < plan->n_physical_functions; i++)
                if (plan->physical_functions[i].autoprobe_off)
                        ((Device *) plan->physical_functions[i].device)->sriov_autoprobe = 0;
}

static void check_round(void)
{
        _cleanup_free_ char *machine_text = NULL, *config_text = NULL, *one = NULL, *two = NULL;
        _cleanup_buffer_ Buffer machine_buffer = {}, config_buffer = {};
        _cleanup_config_ Config *config = NULL;
        _cleanup_text_machine_ TextMachine machine = {};
        Plan *plan, *again;

        make_machine(&machine_buffer);
        make_config(&config_buffer);
        ASSERT_OK(buffer_finish(&machine_buffer, &machine_text));
        ASSERT_OK(buffer_finish(&config_buffer, &config_text));
        ASSERT_OK(config_load_text("t", config_text, strlen(config_text), &config));
        text_machine_parse(machine_text, config, &machine);

        ASSERT_OK(planner_plan(machine.snapshot, config, &machine.request, &plan));
        ASSERT_OK(planner_plan(machine.snapshot, config, &machine.request, &again));
        ASSERT_OK(plan_format(plan, &one));
        ASSERT_OK(plan_format(again, &two));
        ASSERT_STREQ(one, two);
        plan_free(again);
        check_whole(plan);

        carry_out(plan, config);
        plan_free(plan);

        /* PFs first, then their VFs: what the first plan switched may give work to the next */
        for (unsigned i = 0; i < 2; i++) {
                ASSERT_OK(planner_plan(machine.snapshot, config, &machine.request, &plan));
                if (i == 1 && !plan_is_empty(plan)) {
                        _cleanup_free_ char *rest = NULL;

                        ASSERT_OK(plan_format(plan, &rest));
                        fprintf(stderr, "machine:\n%s\nconfiguration:\n%s\nfirst:\n%s\nrest:\n%s\n",
                                machine_text, config_text, one, rest);
                        abort();
                }
                carry_out(plan, config);
                plan_free(plan);
        }
}

int main(void)
{
        for (unsigned i = 0; i < 20000; i++) {
                seed = i;
                check_round();
        }
        return 0;
}
