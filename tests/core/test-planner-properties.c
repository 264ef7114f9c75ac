/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "config/config-load.h"
#include "core/planner-internal.h"
#include "lib/snapshot-text.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/strings.h"

/* Thousands of made-up machines, records, configurations and requests. For each:
 * - deterministic: the same functions in another order give the same text;
 * - whole: where one endpoint of a group is to be bound or detached, every one is in place, is to
 *   be bound or detached, or may be ignored;
 * - safe: nothing in use, nothing excluded and no PF with VFs is moved;
 * - quiet: without leave nothing is unbound from a driver, whoever joined its group; a request by
 *   hand touches its group alone;
 * - idempotent: after the plan was carried out, neither the same request nor the daemon by itself
 *   finds anything to do. */

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

#define ANY_DRIVER 5

static const char *const drivers[] = { "nvme", "e1000", "vfio-pci", "pci-stub", "pcieport" };

/* What an earlier run left behind; often what no run can have left, which has to be borne too. */
static void make_record(Buffer *text, const char *address, const char *driver)
{
        static const char *const idle[] = { "detached", "pending", "failed", "binding", "stuck" };
        bool is_vfio = driver && strcmp(driver, "vfio-pci") == 0;

        buffer_printf(text, "record %s state=%s", address,
                is_vfio || one_in(3) ? "bound" : idle[one_in(10) ? 4 : pick(4)]);
        if (!one_in(6))
                buffer_printf(text, " claim=c%u role=%s", pick(3),
                        one_in(3) ? "companion" : "selected");
        if (!one_in(6))
                buffer_append(text, one_in(4) ? " provenance=adopted"
                                              : " provenance=taken from=e1000");
        if (is_vfio || one_in(2))
                buffer_append(text, one_in(5) ? " target=pci-stub" : " target=vfio-pci");
        if (one_in(8))
                buffer_append(text, one_in(2) ? " manual=released"
                                              : " manual=bound driver=vfio-pci");
        if (one_in(5))
                buffer_append(text, " hotplug");
        if (one_in(3))
                buffer_append(text, " other-config");
        buffer_append(text, "\n");
}

static void make_details(Buffer *text, const char *address, const char *driver)
{
        static const char *const uses[] = { "system", "network", "process", "blind" };

        if (one_in(12))
                buffer_printf(text, "use %s %s something\n", address, uses[pick(4)]);
        if (one_in(driver && strcmp(driver, "vfio-pci") == 0 ? 2 : 6))
                make_record(text, address, driver);
}

static void make_function(Buffer *text, Buffer *details, unsigned slot, unsigned function,
        unsigned group)
{
        static const char *const classes[] = { "010802", "020000", "030000", "060100", "0c0500" };
        const char *driver = one_in(2) ? drivers[pick(ANY_DRIVER)] : NULL;
        char address[32];

        (void) snprintf(address, sizeof(address), "0000:01:%02x.%u", slot, function);
        buffer_printf(text, "%s id=%04x:%04x class=%s", address, one_in(2) ? 0x8086 : 0x10de,
                0x1000 + pick(3), classes[pick(one_in(3) ? 5 : 3)]);
        if (!one_in(12))
                buffer_printf(text, " group=%u", group);
        if (driver)
                buffer_printf(text, " driver=%s", driver);
        if (one_in(8))
                buffer_append(text, " bridge");
        if (one_in(20))
                buffer_append(text, " no-override");
        if (one_in(20))
                buffer_append(text, " vfio-driver=best-vfio-pci");
        if (one_in(6))
                buffer_printf(text, " vfs=4 offset=8 stride=1 vf-device=1002 autoprobe=%u",
                        pick(2));
        buffer_append(text, "\n");
        make_details(details, address, driver);
}

static void make_virtual_functions(Buffer *text, Buffer *details)
{
        unsigned n = pick(4);

        for (unsigned vf = 0; vf < n; vf++) {
                const char *driver = one_in(2) ? drivers[pick(3)] : NULL;
                char address[32];

                (void) snprintf(address, sizeof(address), "0000:01:1f.%u", vf);
                buffer_printf(text, "%s id=8086:1002 class=020000 group=%u pf=0000:01:00.0 vf=%u",
                        address, one_in(8) ? 1 : 20 + pick(2), vf);
                if (driver)
                        buffer_printf(text, " driver=%s", driver);
                buffer_append(text, "\n");
                make_details(details, address, driver);
        }
}

static void make_request(Buffer *text)
{
        buffer_append(text, "request");
        switch (pick(8)) {
        case 0:
                buffer_append(text, " may-unbind prune");
                break;
        case 1:
                buffer_append(text, " may-unbind stage=boot");
                break;
        case 2:
        case 3:
                buffer_append(text, " may-unbind");
                break;
        case 4:
                buffer_printf(text, " bind=0000:01:%02x.0", pick(3));
                break;
        case 5:
                buffer_printf(text, " release=0000:01:%02x.0", pick(3));
                break;
        default:
                break;
        }
        if (one_in(4))
                buffer_printf(text, " hotplugged=0000:01:%02x.%u", pick(3), pick(2));
        buffer_append(text, "\n");
}

/* Functions, then what is said about them. */
static void make_machine(Buffer *text, Buffer *details)
{
        unsigned n_slots = 1 + pick(6), group = 1;

        for (unsigned slot = 0; slot < n_slots; slot++) {
                unsigned n_functions = 1 + pick(3);

                if (one_in(2))
                        group++;
                for (unsigned function = 0; function < n_functions; function++)
                        make_function(text, details, slot, function, group);
        }
        make_virtual_functions(text, details);
        make_request(details);
}

static void make_line(Buffer *text, const char *key)
{
        switch (pick(strcmp(key, "Match") == 0 ? 6 : 5)) {
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
                if (one_in(8))
                        buffer_append(text, one_in(2) ? "Driver=auto\n" : "Driver=pci-stub\n");
                if (one_in(20))
                        buffer_append(text, one_in(2) ? "Driver=nvme\n" : "Enabled=no\n");
        }
        if (one_in(3))
                buffer_printf(text, "[PhysicalFunction nic0]\nMatch=0000:01:00.0\nNumVFs=%s\n%s",
                        one_in(2) ? "keep" : one_in(2) ? "2" : "max",
                        one_in(4) ? "HostVFs=leave\n" : "");
}

static bool moves(const MemberPlan *member)
{
        return member->action == ACTION_BIND || member->action == ACTION_DETACH;
}

static bool is_to_move(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (moves(&group->members[i]))
                        return true;
        return false;
}

static void check_whole(const Plan *plan)
{
        for (size_t i = 0; i < plan->n_groups; i++) {
                const GroupPlan *group = &plan->groups[i];

                if (!is_to_move(group))
                        continue;
                ASSERT_TRUE(group->number >= 0);
                for (size_t j = 0; j < group->n_members; j++) {
                        const MemberPlan *member = &group->members[j];

                        if (member->device->is_bridge)
                                ASSERT_EQ(member->action, ACTION_NONE);
                        if (!moves(member))
                                ASSERT_TRUE(driver_is_harmless(member->device->driver));
                        if (member->role == ROLE_EXCLUDED) /* would be left alone anyway */
                                ASSERT_TRUE(!moves(member) && !member->claim &&
                                            planner_is_ignorable(member->device));
                }
        }
}

static unsigned count_virtual_functions(const Snapshot *snapshot, const Device *pf)
{
        unsigned n = 0;

        for (size_t i = 0; i < snapshot->n_devices; i++)
                n += snapshot->devices[i].is_virtual_function &&
                     pci_address_equal(&snapshot->devices[i].physical_function, &pf->address);
        return n;
}

static void check_moving(const Snapshot *snapshot, const MemberPlan *member)
{
        const Device *device = member->device;

        ASSERT_TRUE(!member->target || driver_is_vfio(member->target) ||
                    strcmp(member->target, "pci-stub") == 0);
        if (device->sriov_total_vfs > 0)
                ASSERT_EQ(count_virtual_functions(snapshot, device), 0);
        if (driver_is_vfio(device->driver))
                return;
        for (size_t i = 0; i < device->n_uses; i++) {
                ASSERT_TRUE(device->uses[i].use != IN_USE_SYSTEM);
                ASSERT_TRUE(device->uses[i].use != IN_USE_BLIND);
                ASSERT_EQ(member->role, ROLE_SELECTED);
                ASSERT_TRUE(member->claim->allow_in_use & 1U << device->uses[i].use);
        }
}

static bool is_reclaimed(const MemberPlan *member, const GroupPlan *group)
{
        return member->state == STATE_DRIFTED && group->settings->on_drift == DRIFT_RECLAIM;
}

/* What takes a driver away from a function, and with whose leave. */
static void check_leave(const PlanRequest *request, const GroupPlan *group,
        const MemberPlan *member)
{
        const Device *device = member->device;
        bool is_manual = request->manual == MANUAL_RELEASED;

        if (moves(member) && device->driver && strcmp(device->driver, member->target ?: "") != 0)
                ASSERT_TRUE(request->may_unbind || member->fresh || is_reclaimed(member, group));
        if (member->action == ACTION_RELEASE && device->driver) {
                ASSERT_TRUE(is_manual || request->prune);
                ASSERT_TRUE(device->record);
        }
        if (member->action == ACTION_HOLD)
                ASSERT_TRUE(!device->driver);
        /* or it has one, and only the override that it was bound under is to go */
        if (member->action == ACTION_PROBE_HOST && device->driver)
                ASSERT_TRUE(device->record && device->record->has_original);
}

static bool has_member(const GroupPlan *group, const PciAddress *address)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (pci_address_equal(&group->members[i].device->address, address))
                        return true;
        return false;
}

static void check_groups(const Plan *plan, const TextMachine *machine)
{
        const PlanRequest *request = &machine->request;

        for (size_t i = 0; i < plan->n_groups; i++) {
                const GroupPlan *group = &plan->groups[i];
                bool any = false;

                for (size_t j = 0; j < group->n_members; j++) {
                        const MemberPlan *member = &group->members[j];

                        any = any || member->action != ACTION_NONE;
                        if (moves(member))
                                check_moving(machine->snapshot, member);
                        check_leave(request, group, member);
                }
                ASSERT_EQ(any, group->has_work);
                if (any && request->manual != MANUAL_NONE)
                        ASSERT_TRUE(has_member(group, request->manual_function));
        }
}

static void check_physical_functions(const Plan *plan, const TextMachine *machine)
{
        const PlanRequest *request = &machine->request;

        for (size_t i = 0; i < plan->n_physical_functions; i++) {
                const PhysicalFunctionPlan *pf = &plan->physical_functions[i];
                unsigned present = count_virtual_functions(machine->snapshot, pf->device);
                const MemberPlan *member = plan_find(plan, &pf->device->address, NULL);

                ASSERT_TRUE(!pf->autoprobe_off || !pf->autoprobe_restore);
                ASSERT_TRUE(!pf->autoprobe_restore || request->prune);
                if (!pf->set_num_vfs)
                        continue;
                ASSERT_TRUE(!moves(member) && !driver_is_vfio(pf->device->driver));
                ASSERT_EQ(pf->n_virtual_functions, present);
                ASSERT_TRUE(present == 0 ||
                            (request->may_unbind && request->stage == STAGE_RUNTIME));
                for (size_t j = 0; j < pf->n_virtual_functions; j++) {
                        const Device *vf = pf->virtual_functions[j];

                        ASSERT_EQ(vf->n_uses, 0);
                        ASSERT_EQ(plan_find(plan, &vf->address, NULL)->action, ACTION_NONE);
                }
        }
}

static void set_text(char **target, const char *text)
{
        ASSERT_OK(replace_string(target, text));
}

static void forget_record(Device *device)
{
        device_record_free(device->record);
        device->record = NULL;
}

static void carry_out_release(Device *device, const MemberPlan *member)
{
        DeviceRecord *record = device->record;

        if (record->provenance != PROVENANCE_ADOPTED)
                set_text(&device->driver, member->target ?: "e1000");
        if (member->manual != MANUAL_RELEASED) {
                forget_record(device);
                return;
        }
        record->state = STATE_RELEASED;
        record->manual = MANUAL_RELEASED;
        record->provenance = PROVENANCE_NONE;
        record->hotplug_pending = false;
        set_text(&record->target_driver, NULL);
}

static void carry_out_hold(DeviceRecord *record)
{
        record->state = STATE_PENDING;
        record->provenance = PROVENANCE_CLEAN;
}

static void carry_out_member(const MemberPlan *member, const Config *config)
{
        _cleanup_free_ char *target = NULL;
        Device *device = (Device *) member->device;
        DeviceRecord *record;

        switch (member->action) {
        case ACTION_NONE:
                return;
        case ACTION_PROBE_HOST:
                set_text(&device->driver, "e1000");
                if (device->record) /* what was begun before is over */
                        device->record->has_original = false;
                return;
        case ACTION_RELEASE:
                carry_out_release(device, member);
                return;
        default:
                break;
        }

        if (!device->record)
                device->record = calloc(1, sizeof(DeviceRecord));
        record = device->record;
        ASSERT_TRUE(record);
        set_text(&record->config_digest, config->digest);
        set_text(&record->claim, member->claim ? member->claim->name : NULL);
        record->role = member->role;
        if (member->action == ACTION_HOLD) {
                carry_out_hold(record);
                return;
        }
        record->hotplug_pending = false;
        record->manual = member->manual;
        /* it may point into the record */
        target = member->target ? strdup(member->target) : NULL;
        set_text(&record->manual_driver, member->manual == MANUAL_BOUND ? target : NULL);
        set_text(&record->target_driver, target);
        if (member->action != ACTION_ADOPT || record->provenance == PROVENANCE_NONE)
                record->provenance = PROVENANCE_TAKEN;
        record->state = target ? STATE_BOUND : STATE_DETACHED;
        set_text(&device->driver, target);
}

static void carry_out_physical_function(const PhysicalFunctionPlan *pf)
{
        Device *device = (Device *) pf->device;

        if (pf->autoprobe_off)
                device->sriov_autoprobe = 0;
        if (pf->autoprobe_restore)
                device->sriov_autoprobe = 1;
        /* as if that number had come */
        if (pf->set_num_vfs)
                ((PhysicalFunction *) pf->section)->num_vfs = NUM_VFS_KEEP;
}

/* What the executor does when everything works. */
static void carry_out(const Plan *plan, const Config *config)
{
        for (size_t i = 0; i < plan->n_physical_functions; i++)
                carry_out_physical_function(&plan->physical_functions[i]);
        for (size_t i = 0; i < plan->n_groups; i++)
                for (size_t j = 0; j < plan->groups[i].n_members; j++)
                        carry_out_member(&plan->groups[i].members[j], config);
}

static Plan *make_plan(const TextMachine *machine, const Config *config, const PlanRequest *request,
        char **ret_text)
{
        Plan *plan;

        ASSERT_OK(planner_plan(machine->snapshot, config, request, &plan));
        ASSERT_OK(plan_format(plan, ret_text));
        return plan;
}

/* Lines in another order; swaps with any line make every order possible. */
static char *shuffle(const char *text)
{
        _cleanup_free_ char *copy = strdup(text);
        _cleanup_buffer_ Buffer buffer = {};
        char *lines[64], *rest = copy, *line, *result;
        size_t n = 0;

        ASSERT_TRUE(copy);
        while ((line = strsep(&rest, "\n")) && n < ELEMENTSOF(lines))
                lines[n++] = line;
        for (size_t i = 0; i < n; i++) {
                size_t other = pick((unsigned) n);

                line = lines[i];
                lines[i] = lines[other];
                lines[other] = line;
        }
        for (size_t i = 0; i < n; i++)
                buffer_printf(&buffer, "%s\n", lines[i]);
        ASSERT_OK(buffer_finish(&buffer, &result));
        return result;
}

typedef struct Round {
        char *functions, *details, *config_text;
        Config *config;
        TextMachine machine;
        char *first; /* plan */
} Round;

static void round_begin(Round *round)
{
        _cleanup_buffer_ Buffer functions = {}, details = {}, config = {};
        _cleanup_free_ char *text = NULL;

        make_machine(&functions, &details);
        make_config(&config);
        ASSERT_OK(buffer_finish(&functions, &round->functions));
        ASSERT_OK(buffer_finish(&details, &round->details));
        ASSERT_OK(buffer_finish(&config, &round->config_text));
        ASSERT_OK(config_load_text("t", round->config_text, strlen(round->config_text),
                &round->config));
        ASSERT_OK(format_string(&text, "%s%s", round->functions, round->details));
        text_machine_parse(text, round->config, &round->machine);
}

static void round_end(Round *round)
{
        text_machine_done(&round->machine);
        config_free(round->config);
        free(round->functions);
        free(round->details);
        free(round->config_text);
        free(round->first);
}

static void show(const Round *round, const char *what, const char *text)
{
        fprintf(stderr, "machine:\n%s%s\nconfiguration:\n%s\nfirst:\n%s\n%s:\n%s\n",
                round->functions, round->details, round->config_text, round->first, what, text);
        abort();
}

static void check_order(const Round *round)
{
        _cleanup_free_ char *shuffled = shuffle(round->functions), *text = NULL, *plan_text = NULL;
        _cleanup_text_machine_ TextMachine machine = {};

        ASSERT_OK(format_string(&text, "%s%s", shuffled, round->details));
        text_machine_parse(text, round->config, &machine);
        plan_free(make_plan(&machine, round->config, &machine.request, &plan_text));
        if (!streq(plan_text, round->first))
                show(round, "in another order", plan_text);
}

/* What one plan switches may give work to the next: PFs come first, then their VFs; a group is
 * ours, then who joins it is held. */
static void check_nothing_left(Round *round, const PlanRequest *request, const char *what)
{
        for (unsigned i = 0; i < 3; i++) {
                _cleanup_free_ char *rest = NULL;
                Plan *plan = make_plan(&round->machine, round->config, request, &rest);

                if (i == 2 && !plan_is_empty(plan))
                        show(round, what, rest);
                carry_out(plan, round->config);
                plan_free(plan);
        }
}

static void check_round(void)
{
        static const PlanRequest plain = { .stage = STAGE_RUNTIME };
        Round round = {};
        const PlanRequest *request = &round.machine.request;
        Plan *plan;

        round_begin(&round);
        /* by hand only what is there */
        if (request->manual_function &&
            !snapshot_find(round.machine.snapshot, request->manual_function)) {
                round_end(&round);
                return;
        }

        plan = make_plan(&round.machine, round.config, request, &round.first);
        check_order(&round);
        check_whole(plan);
        check_groups(plan, &round.machine);
        check_physical_functions(plan, &round.machine);

        carry_out(plan, round.config);
        plan_free(plan);
        check_nothing_left(&round, request, "the same request again");
        check_nothing_left(&round, &plain, "the daemon by itself");
        round_end(&round);
}

int main(void)
{
        for (unsigned i = 0; i < 20000; i++) {
                seed = i;
                check_round();
        }
        return 0;
}
