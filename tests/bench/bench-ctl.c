/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/buffer.h"
#include "util/io.h"

/* How long vfio-bindctl takes for a saved machine of 4,096 functions, without the daemon, and to
 * start at all: processor time and time on the clock, from a warm cache, best of some runs.
 *   meson test --benchmark ctl --verbose */

#define RUNS 7

static FakeSysfs *make_machine(unsigned n_functions)
{
        FakeSysfs *fake = fake_sysfs_new();
        Buffer text = {};
        char *lines;

        for (unsigned i = 0; i < n_functions; i++)
                buffer_printf(&text,
                        "%04x:%02x:%02x.%x id=f00d:101d class=020000 group=%u driver=mlx5_core\n",
                        i / 4096, i / 256 % 256, i / 8 % 32, i % 8, i);
        buffer_append(&text, "driver vfio-pci\n"
                             "file proc/self/mountinfo 29 1 0:30 / / rw - tmpfs tmpfs rw\n"
                             "file proc/net/route Iface\\tDestination\n"
                             "file proc/net/ipv6_route\n");
        ASSERT_OK(buffer_finish(&text, &lines));
        fake_sysfs_add(fake, lines);
        free(lines);
        fake_sysfs_write(fake, "etc/vfio-bind.conf", "[Claim network]\nMatch=id=f00d:101d\n");
        return fake;
}

static void execute(char *const *arguments)
{
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        (void) dup2(null, STDOUT_FILENO);
        (void) setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", true);
        (void) execv(arguments[0], arguments);
        _exit(127);
}

static void measure(const char *name, char *const *arguments)
{
        uint64_t best_clock = UINT64_MAX, best_processor = UINT64_MAX;

        for (unsigned i = 0; i < RUNS; i++) {
                uint64_t begin = now_monotonic(), processor, elapsed;
                struct rusage usage;
                int status;
                pid_t pid = fork();

                ASSERT_TRUE(pid >= 0);
                if (pid == 0)
                        execute(arguments);
                ASSERT_EQ(wait4(pid, &status, 0, &usage), pid);
                ASSERT_EQ(status, 0);
                elapsed = now_monotonic() - begin;
                processor = (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
                                USEC_PER_SEC +
                        (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
                if (elapsed < best_clock)
                        best_clock = elapsed;
                if (processor < best_processor)
                        best_processor = processor;
        }
        printf("%-28s %8.2f ms processor %8.2f ms clock\n", name, (double) best_processor / 1000,
                (double) best_clock / 1000);
}

/* What every verb costs before it has anything to do. */
static void measure_start(const char *program, char *root)
{
        static const char *const lines[][6] = {
                { "list" }, { "groups" }, { "status", "0000:00:00.0" }, { "plan" },
                { "explain", "0000:00:00.0" }, { "check" }, { "suggest", "mine", "0000:00:00.0" },
                { "doctor" }, { "apply", "--dry-run" }, { "snapshot", "--output=/dev/null" },
                { "export", "prometheus" }, { "bind", "--help" }, { "release", "--help" },
                { "wait", "--help" }, { "monitor", "--help" }, { "import", "--help" },
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                char *arguments[8] = { (char *) program };
                char name[64];
                size_t n = 1;

                for (size_t j = 0; lines[i][j]; j++)
                        arguments[n++] = (char *) lines[i][j];
                arguments[n] = root;
                (void) snprintf(name, sizeof(name), "%s, 1 function", lines[i][0]);
                measure(name, arguments);
        }
}

int main(int argc, char **argv)
{
        _cleanup_fake_sysfs_ FakeSysfs *large = make_machine(4096), *small = make_machine(1);
        char large_root[256], small_root[256];

        ASSERT_EQ(argc, 2);
        (void) snprintf(large_root, sizeof(large_root), "--root=%s", large->root);
        (void) snprintf(small_root, sizeof(small_root), "--root=%s", small->root);
        measure("start (--version)", (char *[]){ argv[1], "--version", NULL });
        measure_start(argv[1], small_root);
        measure("list, 4096 functions", (char *[]){ argv[1], "list", large_root, NULL });
        measure("list -j, 4096 functions", (char *[]){ argv[1], "list", "-j", large_root, NULL });
        measure("groups, 4096 functions", (char *[]){ argv[1], "groups", large_root, NULL });
        measure("plan, 4096 functions", (char *[]){ argv[1], "plan", large_root, NULL });
        measure("apply --dry-run CLAIM",
                (char *[]){ argv[1], "apply", "--dry-run", "network", large_root, NULL });
        return 0;
}
