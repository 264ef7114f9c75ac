/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/names.h"
#include "lib/bus-test.h"
#include "lib/fake-polkit.h"
#include "lib/fake-sysfs.h"
#include "lib/message-bus.h"
#include "lib/test.h"
#include "util/io.h"

/* 1,000 calls a second by nobody: how much memory the daemon comes to take (VmRSS, at most twice as
 * much), and how long root waits for GetAll (at most 100 ms). The daemon, on a fake tree, a message
 * bus and a polkit that denies are processes of their own or this one.
 *   bench-flood POLICY DAEMON [SECONDS]
 * As root, the flood comes from the user nobody; else from the same user as the rest. */

#define N_FUNCTIONS     256
#define N_CONNECTIONS   4
#define CALLS_A_SECOND  1000
#define PERIOD_USEC     (10 * USEC_PER_MSEC)
#define PAUSE_USEC      (50 * USEC_PER_MSEC)
#define NOBODY          65534
#define WAIT_MAX_USEC   (100 * USEC_PER_MSEC)

typedef struct Flood {
        uint64_t n_sent, n_answered, n_limited, n_denied;
} Flood;

static void make_machine(FakeSysfs *machine)
{
        char line[128];

        fake_sysfs_add(machine, "driver nvme\ndriver vfio-pci\nfile sys/kernel/version 1");
        for (unsigned i = 0; i < N_FUNCTIONS; i++) {
                snprintf(line, sizeof(line),
                        "0000:%02x:%02x.0 id=1b36:0010 class=010802 group=%u driver=nvme\n", i / 32,
                        i % 32, i);
                fake_sysfs_add(machine, line);
        }
        fake_sysfs_write(machine, "proc/cmdline", "quiet\n");
        fake_sysfs_write(machine, "etc/vfio-bind.conf",
                "[Claim one]\nMatch=0000:01:00.0\n"
                "[Claim two]\nMatch=id=1b36:0010 address=02:04.0\n");
}

static pid_t start_daemon(const char *program, const MessageBus *bus, const FakeSysfs *machine)
{
        char root[PATH_MAX];
        pid_t process = fork();

        ASSERT_TRUE(process >= 0);
        if (process > 0)
                return process;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(root, sizeof(root), "--root=%s", machine->root);
        ASSERT_OK(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address, 1));
        execl(program, program, root, NULL);
        _exit(127);
}

static unsigned long resident_kib(pid_t process)
{
        char path[64];
        _cleanup_free_ char *text = NULL;

        snprintf(path, sizeof(path), "/proc/%d/status", process);
        ASSERT_OK(read_file_at(AT_FDCWD, path, 16384, &text, NULL));
        const char *line = strstr(text, "VmRSS:");
        ASSERT_TRUE(line);
        return strtoul(line + strlen("VmRSS:"), NULL, 10);
}

static int on_answer(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Flood *flood = userdata;

        flood->n_answered++;
        flood->n_limited += sd_bus_message_is_method_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED) > 0;
        flood->n_denied += sd_bus_message_is_method_error(reply, SD_BUS_ERROR_ACCESS_DENIED) > 0;
        return 0;
}

/* Everything that nobody may send. */
static sd_bus_message *flood_call(sd_bus *client, uint64_t i)
{
        static const char device[] = BUS_PREFIX_DEVICE "/pci_0000_01_00_0";

        switch (i % 8) {
        case 0:
                return test_call_new(client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "Explain",
                        "s", "0000:01:00.0");
        case 1:
                return test_call_new(client, BUS_NAME, device, "org.freedesktop.DBus.Properties",
                        "GetAll", "s", BUS_INTERFACE_DEVICE);
        case 2:
                return test_call_new(client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "Plan",
                        "a{sv}", 0);
        case 3:
                return test_call_new(client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "Apply",
                        "asa{sv}", 1, "one", 0);
        case 4:
                return test_call_new(client, BUS_NAME, BUS_PREFIX_GROUP "/32", BUS_INTERFACE_GROUP,
                        "ListHolders", NULL);
        case 5:
                return test_call_new(client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "Reload",
                        NULL);
        case 6:
                return test_call_new(client, BUS_NAME, BUS_ROOT,
                        "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
        default:
                return test_call_new(client, BUS_NAME, device, BUS_INTERFACE_DEVICE, "Bind",
                        "a{sv}", 0);
        }
}

static void flood_until(uint64_t end, const MessageBus *bus, int result)
{
        uint64_t begin = now_monotonic();
        sd_bus *clients[N_CONNECTIONS];
        sd_event *event = NULL;
        Flood flood = {};

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getuid() == 0)
                ASSERT_OK(setresuid(NOBODY, NOBODY, NOBODY));
        ASSERT_TRUE(sd_event_new(&event) >= 0);
        for (unsigned i = 0; i < N_CONNECTIONS; i++)
                clients[i] = message_bus_client(bus, event);
        for (uint64_t now = begin; now < end; now = now_monotonic()) {
                uint64_t wanted = (now - begin) * CALLS_A_SECOND / USEC_PER_SEC;

                for (; flood.n_sent < wanted; flood.n_sent++) {
                        sd_bus *client = clients[flood.n_sent % N_CONNECTIONS];
                        sd_bus_message *call = flood_call(client, flood.n_sent);

                        ASSERT_TRUE(sd_bus_call_async(client, NULL, call, on_answer, &flood, 0) >=
                                0);
                        sd_bus_message_unref(call);
                }
                (void) sd_event_run(event, PERIOD_USEC);
        }
        ASSERT_EQ(write(result, &flood, sizeof(flood)), sizeof(flood));
        _exit(EXIT_SUCCESS);
}

static uint64_t time_call(sd_event *event, sd_bus *client, sd_bus_message *call)
{
        uint64_t begin = now_monotonic();
        _cleanup_message_ sd_bus_message *reply = test_call(event, client, call);

        test_expect_return(reply);
        return now_monotonic() - begin;
}

static uint64_t get_all(sd_event *event, sd_bus *client)
{
        return time_call(event, client,
                test_call_new(client, BUS_NAME, BUS_ROOT, "org.freedesktop.DBus.Properties",
                        "GetAll", "s", BUS_INTERFACE_MANAGER));
}

/* What the message bus answers by itself: how busy everything but the daemon is. */
static uint64_t get_bus_identifier(sd_event *event, sd_bus *client)
{
        return time_call(event, client,
                test_call_new(client, DBUS_NAME, DBUS_PATH, DBUS_INTERFACE, "GetId", NULL));
}

/* Processor time of a process, in microseconds. */
static uint64_t processor_usec(pid_t process)
{
        char path[64];
        _cleanup_free_ char *text = NULL;

        snprintf(path, sizeof(path), "/proc/%d/schedstat", process);
        ASSERT_OK(read_file_at(AT_FDCWD, path, 256, &text, NULL));
        return strtoull(text, NULL, 10) / 1000;
}

/* A saved tree cannot be acted on; what counts is that it is not for want of room. */
static void expect_root_is_served(sd_event *event, sd_bus *client)
{
        _cleanup_message_ sd_bus_message *reply = test_call(event, client,
                test_call_new(client, BUS_NAME, BUS_PREFIX_DEVICE "/pci_0000_01_00_0",
                        BUS_INTERFACE_DEVICE, "Bind", "a{sv}", 0));

        test_expect_error(reply, getuid() == 0 ? "System.Error.EROFS" : SD_BUS_ERROR_ACCESS_DENIED,
                NULL);
}

static int compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

static void pause_loop(sd_event *event, uint64_t usec)
{
        uint64_t end = now_monotonic() + usec;

        for (uint64_t now = now_monotonic(); now < end; now = now_monotonic())
                ASSERT_TRUE(sd_event_run(event, end - now) >= 0);
}

static void print_waits(const char *what, uint64_t *waits, size_t n)
{
        qsort(waits, n, sizeof(*waits), compare);
        printf("%s, %zu times: median %.1f ms, 99 in 100 below %.1f ms, longest %.1f ms\n", what, n,
                (double) waits[n / 2] / 1e3, (double) waits[n * 99 / 100] / 1e3,
                (double) waits[n - 1] / 1e3);
}

static bool measure(sd_event *event, sd_bus *root, const MessageBus *bus, pid_t daemon,
        uint64_t seconds)
{
        size_t n = 0, n_max = seconds * USEC_PER_SEC / PAUSE_USEC;
        _cleanup_free_ uint64_t *waits = calloc(n_max, sizeof(*waits));
        _cleanup_free_ uint64_t *bus_waits = calloc(n_max, sizeof(*waits));
        unsigned long before, most = 0;
        Flood flood = {};
        int result[2];

        ASSERT_TRUE(waits && bus_waits);
        for (unsigned i = 0; i < 20; i++)
                (void) get_all(event, root);
        before = resident_kib(daemon);
        ASSERT_OK(pipe2(result, O_CLOEXEC));
        uint64_t end = now_monotonic() + seconds * USEC_PER_SEC;
        uint64_t taken = processor_usec(daemon);
        pid_t child = fork();
        ASSERT_TRUE(child >= 0);
        if (child == 0)
                flood_until(end, bus, result[1]);
        while (now_monotonic() < end && n < n_max) {
                pause_loop(event, PAUSE_USEC);
                bus_waits[n] = get_bus_identifier(event, root);
                waits[n++] = get_all(event, root);
                expect_root_is_served(event, root);
                unsigned long now = resident_kib(daemon);
                most = now > most ? now : most;
        }
        ASSERT_EQ(waitpid(child, NULL, 0), child);
        ASSERT_EQ(read(result[0], &flood, sizeof(flood)), sizeof(flood));
        (void) close(result[0]);
        (void) close(result[1]);
        taken = processor_usec(daemon) - taken;
        printf("%llu calls in %llu s, %llu answered: %llu denied, %llu refused for their number\n",
                (unsigned long long) flood.n_sent, (unsigned long long) seconds,
                (unsigned long long) flood.n_answered, (unsigned long long) flood.n_denied,
                (unsigned long long) flood.n_limited);
        print_waits("root's GetAll", waits, n);
        print_waits("the message bus's own answer", bus_waits, n);
        printf("the daemon took %.1f %% of a processor\n",
                (double) taken / (double) seconds / (USEC_PER_SEC / 100));
        printf("VmRSS before %lu KiB, at most %lu KiB, after %lu KiB\n", before, most,
                resident_kib(daemon));
        return waits[n - 1] <= WAIT_MAX_USEC && most <= 2 * before;
}

int main(int argc, char **argv)
{
        uint64_t seconds = argc > 3 ? strtoul(argv[3], NULL, 10) : 10;
        _cleanup_fake_sysfs_ FakeSysfs *machine = fake_sysfs_new();
        sd_event *event = NULL;
        FakePolkit polkit;
        MessageBus bus;

        ASSERT_TRUE(argc >= 3 && seconds > 0);
        make_machine(machine);
        message_bus_init(&bus, argv[1]);
        message_bus_start(&bus);
        ASSERT_OK(chmod(bus.directory, 0755));
        ASSERT_TRUE(sd_event_new(&event) >= 0);
        sd_bus *root = message_bus_client(&bus, event);
        sd_bus *authority = message_bus_client(&bus, event);
        fake_polkit_init(&polkit, authority);
        polkit.answer = FAKE_DENY;
        message_bus_wait_for_name(event, root, POLKIT_NAME, true);
        pid_t daemon = start_daemon(argv[2], &bus, machine);
        message_bus_wait_for_name(event, root, BUS_NAME, true);

        bool is_good = measure(event, root, &bus, daemon, seconds);
        ASSERT_OK(kill(daemon, SIGTERM));
        ASSERT_EQ(waitpid(daemon, NULL, 0), daemon);
        fake_polkit_done(&polkit);
        sd_bus_close_unref(root);
        sd_bus_close_unref(authority);
        sd_event_unref(event);
        message_bus_done(&bus);
        return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
