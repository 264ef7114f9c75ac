/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/resource.h>
#include <time.h>

#include "ctl/ctl-bus.h"
#include "util/buffer.h"
#include "util/io.h"

/* How long vfio-bindctl takes when it asks a daemon that has 4,096 functions, all claimed: the
 * processor time of the program, of the daemon's D-Bus side and of the message bus, which work one
 * after the other, and time on the clock. Best of some runs.
 *   meson test --benchmark ctl-daemon --verbose */

#define RUNS 7

static uint64_t processor_time(int who)
{
        struct rusage usage;

        ASSERT_OK(getrusage(who, &usage));
        return (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * USEC_PER_SEC +
                (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static uint64_t bus_time(const CtlBus *f)
{
        struct timespec now;
        clockid_t clock;

        ASSERT_OK(clock_getcpuclockid(f->message_bus.process, &clock));
        ASSERT_OK(clock_gettime(clock, &now));
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

static void publish(CtlBus *f, unsigned n_functions)
{
        Buffer text = {};
        char *machine;

        for (unsigned i = 0; i < n_functions; i++)
                buffer_printf(&text,
                        "%04x:%02x:%02x.%x id=15b3:101d subsystem=15b3:0016 class=020000 group=%u "
                        "vendor=Mellanox_Technologies model=MT2892_Family_[ConnectX-6_Dx] "
                        "host-driver=mlx5_core driver=vfio-pci\n",
                        i / 4096, i / 256 % 256, i / 8 % 32, i % 8, i);
        ASSERT_OK(buffer_finish(&text, &machine));
        ctl_bus_publish(f, machine);
        free(machine);
}

static void best(uint64_t *time, uint64_t value)
{
        if (value < *time)
                *time = value;
}

static void measure(const CtlBus *f, const char *name, const char *const *arguments)
{
        uint64_t program = UINT64_MAX, daemon = UINT64_MAX, bus = UINT64_MAX, clock = UINT64_MAX;

        for (unsigned i = 0; i < RUNS; i++) {
                uint64_t begin = now_monotonic(), bus_before = bus_time(f);
                uint64_t ours = processor_time(RUSAGE_SELF);
                uint64_t children = processor_time(RUSAGE_CHILDREN);
                CtlRun run = ctl_run(&f->options, arguments);

                ASSERT_EQ(run.code, 0);
                best(&clock, now_monotonic() - begin);
                best(&bus, bus_time(f) - bus_before);
                best(&program, processor_time(RUSAGE_CHILDREN) - children);
                best(&daemon, processor_time(RUSAGE_SELF) - ours);
                ctl_run_done(&run);
        }
        printf("%-24s %8.2f ms program %8.2f ms daemon %8.2f ms bus %8.2f ms clock\n", name,
                (double) program / 1000, (double) daemon / 1000, (double) bus / 1000,
                (double) clock / 1000);
}

static void measure_all(CtlBus *f, unsigned n_functions)
{
        static const char *const lines[][4] = {
                { "list" }, { "list", "--json=short" }, { "groups" }, { "status" },
                { "status", "0000:00:00.0" }, { "plan" }, { "explain", "0000:00:00.0" },
        };

        printf("%u function%s\n", n_functions, n_functions == 1 ? "" : "s");
        publish(f, n_functions);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                char name[64];

                (void) snprintf(name, sizeof(name), "  %s %s", lines[i][0], lines[i][1] ?: "");
                measure(f, name, lines[i]);
        }
}

int main(int argc, char **argv)
{
        _cleanup_ctl_bus_ CtlBus f;

        ASSERT_EQ(argc, 3);
        ctl_run_set_program(argv[1]);
        ctl_bus_set_policy(argv[2]);
        ctl_bus_init(&f, "claim network id=15b3:101d\n", "0000:00:00.0 id=15b3:101d group=0\n");
        measure_all(&f, 1);
        measure_all(&f, 4096);
        return 0;
}
