/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "core/planner.h"
#include "host/guard.h"
#include "host/scan.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/array.h"
#include "util/buffer.h"
#include "util/strings.h"

/* How much processor time machines of growing size take to scan and to plan, from a warm cache.
 * "to linear" is the time per function relative to the smallest machine: 1.0 is linear. "rescan"
 * is a scan that knows the last one, as the daemon does it; "guard" is what comes on top where
 * something may be taken from the host, without the processes of a real one.
 *   meson test --benchmark scan --verbose */

#define RUNS 7

/* A root port, below it a PF with eight VFs, each VF in a group of its own: ten functions. */
static void append_card(Buffer *text, unsigned index)
{
        unsigned domain = index / 248, slot = index % 248, bus = slot + 1;
        char port[32];

        (void) snprintf(port, sizeof(port), "%04x:00:%02x.%x", domain, slot / 8, slot % 8);
        buffer_printf(text, "%s id=8086:7ab8 class=060400 bridge driver=pcieport group=%u\n", port,
                index * 10);
        buffer_printf(text,
                "%04x:%02x:00.0 parent=%s id=15b3:101d class=020000 subsystem=15b3:0016 vfs=8 "
                "offset=128 stride=1 vf-device=101e "
                "driver=mlx5_core group=%u\n",
                domain, bus, port, index * 10 + 1);
        for (unsigned vf = 0; vf < 8; vf++)
                buffer_printf(text,
                        "%04x:%02x:10.%x parent=%s id=15b3:101e class=020000 "
                        "subsystem=15b3:0016 pf=%04x:%02x:00.0 vf=%u group=%u%s\n",
                        domain, bus, vf, port, domain, bus, vf, index * 10 + 2 + vf,
                        vf < 4 ? " driver=mlx5_core" : "");
}

static FakeSysfs *make_machine(unsigned n_functions)
{
        FakeSysfs *fake = fake_sysfs_new();

        for (unsigned i = 0; i < n_functions / 10; i++) {
                Buffer text = {};
                _cleanup_free_ char *lines = NULL;

                append_card(&text, i);
                ASSERT_OK(buffer_finish(&text, &lines));
                fake_sysfs_add(fake, lines);
        }
        fake_sysfs_add(fake, "driver vfio-pci\nfile sys/kernel/version 1");
        return fake;
}

static void add_claim(Config *config, const char *name, const char *line)
{
        DiagnosticList diagnostics = {};

        ASSERT_OK(ARRAY_GROW(config->claims, config->n_claims));
        Claim *claim = &config->claims[config->n_claims++];
        *claim = (Claim){.name = strdup(name), .enabled = true};
        ASSERT_TRUE(claim->name);
        ASSERT_OK(claim_settings_copy(&config->defaults, &claim->settings));
        ASSERT_OK(ARRAY_GROW(claim->matches, claim->n_matches));
        ASSERT_OK(match_parse(line, (Location){}, "Claim", &diagnostics,
                &claim->matches[claim->n_matches]));
        claim->n_matches++;
        diagnostic_list_done(&diagnostics);
}

static Config *make_config(void)
{
        Config *config;

        ASSERT_OK(config_new(&config));
        add_claim(config, "guests", "id=15b3:101e vf=4-7");
        for (unsigned i = 0; i < 10; i++) {
                char name[16], line[64];

                (void) snprintf(name, sizeof(name), "card%u", i);
                (void) snprintf(line, sizeof(line), "0000:%02x:10.0 expect=15b3:101e", i + 1);
                add_claim(config, name, line);
        }
        return config;
}

/* Of this process, in the kernel too: the scan never sleeps, others may be using the machine. */
static uint64_t processor_usec(void)
{
        struct timespec time;

        ASSERT_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time));
        return (uint64_t) time.tv_sec * USEC_PER_SEC + (uint64_t) time.tv_nsec / 1000;
}

typedef struct Timing {
        uint64_t scan_usec, plan_usec, again_usec, guard_usec;
} Timing;

static Timing measure(unsigned n_functions)
{
        Timing best = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
        _cleanup_fake_sysfs_ FakeSysfs *fake = make_machine(n_functions);
        _cleanup_config_ Config *config = make_config();
        _cleanup_host_ Host host = {.root = -1};
        PlanRequest request = {.stage = STAGE_BOOT, .may_unbind = true};

        ASSERT_OK(host_open(fake->root, &host));
        for (unsigned i = 0; i < RUNS; i++) {
                _cleanup_snapshot_ Snapshot *snapshot = NULL, *again = NULL;
                _cleanup_plan_ Plan *plan = NULL;
                unsigned facts = config_needed_facts(config);

                uint64_t begin = processor_usec();
                ASSERT_OK(scan_machine(&host, facts, NULL, &snapshot));
                uint64_t scanned = processor_usec();
                ASSERT_OK(planner_plan(snapshot, config, &request, &plan));
                uint64_t planned = processor_usec();
                ASSERT_OK(scan_machine(&host, facts, snapshot, &again));
                uint64_t scanned_again = processor_usec();
                ASSERT_OK(guard_scan(&host, again));
                uint64_t guarded = processor_usec();

                ASSERT_EQ(snapshot->n_devices, n_functions);
                ASSERT_TRUE(!plan_is_empty(plan));
                if (scanned - begin < best.scan_usec)
                        best.scan_usec = scanned - begin;
                if (planned - scanned < best.plan_usec)
                        best.plan_usec = planned - scanned;
                if (scanned_again - planned < best.again_usec)
                        best.again_usec = scanned_again - planned;
                if (guarded - scanned_again < best.guard_usec)
                        best.guard_usec = guarded - scanned_again;
        }
        return best;
}

int main(void)
{
        static const unsigned sizes[] = {100, 1000, 10000};
        double smallest = 0;

        printf("functions  scan ms  plan ms  total ms  us/function  to linear  rescan ms  guard ms\n");
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                Timing timing = measure(sizes[i]);
                double total = (double) (timing.scan_usec + timing.plan_usec);
                double each = total / sizes[i];

                if (i == 0)
                        smallest = each;
                printf("%9u %8.2f %8.2f %9.2f %12.2f %10.2f %10.2f %9.2f\n", sizes[i],
                        (double) timing.scan_usec / 1e3, (double) timing.plan_usec / 1e3,
                        total / 1e3, each, each / smallest, (double) timing.again_usec / 1e3,
                        (double) timing.guard_usec / 1e3);
        }
        return 0;
}
