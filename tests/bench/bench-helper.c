/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fake-sysfs.h"
#include "lib/test.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/io.h"

/* What one run of the helper costs, which every boot and every event pays: the program itself, and
 * the early pass on a machine of 200 functions (10 ms of CPU is what it may take). */

#define RUNS 20

static void make_machine(FakeSysfs *machine, unsigned n)
{
        char line[256];

        fake_sysfs_add(machine, "driver nvme\ndriver vfio-pci\n");
        for (unsigned i = 0; i < n; i++) {
                snprintf(line, sizeof(line),
                        "0000:%02x:%02x.0 id=1b36:0010 class=010802 group=%u%s\n", i / 32, i % 32,
                        i, i % 4 ? " driver=nvme" : "");
                fake_sysfs_add(machine, line);
        }
        fake_sysfs_write(machine, "proc/cmdline", "quiet\n");
        fake_sysfs_link(machine,
                "etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service",
                "usr/lib/systemd/system/vfio-bindd-early.service");
        fake_sysfs_write(machine, "etc/vfio-bind.conf",
                "[Claim one]\nMatch=0000:01:00.0\n[Claim two]\nMatch=id=1b36:0010 address=02:04.0\n"
                "[Claim gone]\nMatch=path=0000:00:1c.0/00.0\n");
}

static uint64_t cpu_usec(const struct rusage *usage)
{
        return (uint64_t) (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * USEC_PER_SEC +
                (uint64_t) (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

/* The median of CPU and wall-clock time of a run. */
static int compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

static void measure(const char *what, char **argv)
{
        uint64_t cpu[RUNS], wall[RUNS];
        posix_spawn_file_actions_t actions;

        ASSERT_OK(posix_spawn_file_actions_init(&actions));
        ASSERT_OK(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY,
                0));
        ASSERT_OK(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY,
                0));
        for (unsigned i = 0; i < RUNS; i++) {
                uint64_t begin = now_monotonic();
                struct rusage usage;
                int status;
                pid_t pid;

                ASSERT_OK(posix_spawn(&pid, argv[0], &actions, NULL, argv, (char *[]){ NULL }));
                ASSERT_EQ(wait4(pid, &status, 0, &usage), pid);
                ASSERT_EQ(status, 0);
                wall[i] = now_monotonic() - begin;
                cpu[i] = cpu_usec(&usage);
        }
        posix_spawn_file_actions_destroy(&actions);
        qsort(cpu, RUNS, sizeof(cpu[0]), compare);
        qsort(wall, RUNS, sizeof(wall[0]), compare);
        printf("%-28s cpu %6.2f ms   wall %6.2f ms\n", what, (double) cpu[RUNS / 2] / 1000,
                (double) wall[RUNS / 2] / 1000);
}

int main(int argc, char **argv)
{
        _cleanup_fake_sysfs_ FakeSysfs *machine = fake_sysfs_new();
        char root[512];

        ASSERT_EQ(argc, 2);
        make_machine(machine, 200);
        snprintf(root, sizeof(root), "--root=%s", machine->root);
        measure("the program alone", (char *[]){ argv[1], (char *) "--version", NULL });
        measure("early pass, 200 functions",
                (char *[]){ argv[1], (char *) "boot", root, (char *) "--dry-run", NULL });
        return 0;
}
