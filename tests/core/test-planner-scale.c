/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "config/config-load.h"
#include "core/planner.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/strings.h"

/* A machine eight times as large may take eight times as long, not sixty-four times: planning, and
 * finding every function in the plan, are done for each event. Measured in processor time, the best
 * of several runs, so that a busy machine is no failure. */

#define SMALL  2000
#define FACTOR 8
#define PER_PF 125 /* virtual functions */
#define RUNS   5

static void add_device(Snapshot *snapshot, unsigned number, unsigned id, Device **ret)
{
        PciAddress address = {
                .domain = number >> 16,
                .bus = (uint8_t) (number >> 8),
                .device = number >> 3 & 0x1f,
                .function = number & 7,
        };

        ASSERT_OK(snapshot_add(snapshot, &address, ret));
        (*ret)->vendor = 0x8086;
        (*ret)->device = (uint16_t) id;
        (*ret)->class_code = 0x020000;
        (*ret)->group = number;
        (*ret)->has_override_file = true;
}

/* Physical functions with their virtual ones, all of which have just appeared; claims take half of
 * them, the host gets the others. */
static Snapshot *make_machine(unsigned n, PciAddress *hotplugged)
{
        Snapshot *snapshot;
        Device *device;

        ASSERT_OK(snapshot_new(&snapshot));
        for (unsigned i = 0; i < n; i++) {
                unsigned first = i - i % (PER_PF + 1);

                add_device(snapshot, i, i == first ? 0x10c9 : 0x10ca, &device);
                hotplugged[n - 1 - i] = device->address;
                if (i == first) {
                        device->sriov_total_vfs = PER_PF;
                        device->sriov_offset = device->sriov_stride = 1;
                        device->sriov_vf_device = 0x10ca;
                        device->sriov_autoprobe = 0;
                        ASSERT_OK(replace_string(&device->driver, "igb"));
                        continue;
                }
                device->is_virtual_function = true;
                device->vf_index = (int) (i - first - 1);
                device->physical_function = snapshot->devices[first].address;
        }
        ASSERT_OK(snapshot_finish(snapshot));
        snapshot->has_iommu = true;
        return snapshot;
}

static Config *make_config(void)
{
        static const char text[] = "[Claim even]\nMatch=id=8086:10ca vf=0-61\n"
                                   "[Claim named]\nMatch=pf=nic0 vf=100-\n"
                                   "[Claim other]\nMatch=id=10de:2482\n"
                                   "[PhysicalFunction nic0]\nMatch=0000:00:00.0\nNumVFs=keep\n";
        Config *config;

        ASSERT_OK(config_load_text("t", text, strlen(text), &config));
        ASSERT_EQ(config->diagnostics.n_errors, 0);
        return config;
}

static uint64_t processor_usec(void)
{
        struct timespec now;

        ASSERT_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

static uint64_t plan_once(const Snapshot *snapshot, const Config *config,
        const PlanRequest *request)
{
        uint64_t begin = processor_usec(), end;
        Plan *plan;

        ASSERT_OK(planner_plan(snapshot, config, request, &plan));
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                const GroupPlan *group;
                const MemberPlan *member =
                        plan_find(plan, &snapshot->devices[i].address, &group);

                ASSERT_TRUE(member->device == &snapshot->devices[i]);
                ASSERT_EQ(group->number, member->device->group);
        }
        end = processor_usec();
        ASSERT_TRUE(!plan_is_empty(plan));
        plan_free(plan);
        return end - begin;
}

static uint64_t measure(unsigned n)
{
        _cleanup_free_ PciAddress *hotplugged = calloc(n, sizeof(PciAddress));
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_config_ Config *config = make_config();
        PlanRequest request = { .stage = STAGE_RUNTIME, .hotplugged = hotplugged,
                                .n_hotplugged = n };
        uint64_t best = USEC_INFINITY;

        ASSERT_TRUE(hotplugged);
        snapshot = make_machine(n, hotplugged);
        for (unsigned i = 0; i < RUNS; i++) {
                uint64_t usec = plan_once(snapshot, config, &request);

                if (usec < best)
                        best = usec;
        }
        return best;
}

int main(void)
{
        uint64_t small = measure(SMALL), large = measure(SMALL * FACTOR);

        printf("%u functions: %u us, %u functions: %u us\n", SMALL, (unsigned) small,
                SMALL * FACTOR, (unsigned) large);
        ASSERT_TRUE(large < small * FACTOR * 3);
        return 0;
}
