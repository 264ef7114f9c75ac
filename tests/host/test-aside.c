/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"
#include "util/io.h"
#include "util/process-name.h"

static void tell_descriptors(int output, void *userdata)
{
        const int *descriptors = userdata;
        char text[2];

        for (size_t i = 0; i < 2; i++)
                text[i] = fcntl(descriptors[i], F_GETFD) >= 0 ? 'y' : 'n';
        if (write(output, text, sizeof(text)) < 0)
                return;
}

/* It has what it needs and nothing else of ours. */
static void test_descriptors(void)
{
        _cleanup_close_ int kept = open("/", O_PATH | O_CLOEXEC);
        _cleanup_close_ int other = open("/", O_PATH | O_CLOEXEC);
        int descriptors[] = {kept, other};
        char text[8];

        ASSERT_TRUE(kept >= 0 && other >= 0);
        _cleanup_close_ int input = aside_start(tell_descriptors, descriptors, kept, 5);
        ASSERT_TRUE(input >= 0);
        ASSERT_EQ(read(input, text, sizeof(text)), 2);
        ASSERT_TRUE(text[0] == 'y' && text[1] == 'n');
        ASSERT_EQ(read(input, text, sizeof(text)), 0);

        int none[] = {kept, other};
        _cleanup_close_ int again = aside_start(tell_descriptors, none, -1, 5);
        ASSERT_TRUE(again >= 0);
        ASSERT_EQ(read(again, text, sizeof(text)), 2);
        ASSERT_TRUE(text[0] == 'n' && text[1] == 'n');
}

static void never_answer(int output, void *userdata)
{
        for (;;)
                (void) pause();
}

/* It ends by itself, though nobody waits for it. */
static void test_deadline(void)
{
        struct pollfd entry = {.events = POLLIN};
        uint64_t begin = now_monotonic();
        char text[8];

        _cleanup_close_ int input = aside_start(never_answer, NULL, -1, 1);
        ASSERT_TRUE(input >= 0);
        ASSERT_TRUE(now_monotonic() - begin < USEC_PER_SEC / 2);
        entry.fd = input;
        ASSERT_EQ(poll(&entry, 1, 20000), 1);
        ASSERT_EQ(read(input, text, sizeof(text)), 0);
        ASSERT_TRUE(now_monotonic() - begin >= USEC_PER_SEC * 9 / 10);
}

/* Like one that the kernel does not let go. */
static void hang(int output, void *userdata)
{
        pid_t pid = getpid();
        sigset_t alarms;

        (void) sigemptyset(&alarms);
        (void) sigaddset(&alarms, SIGALRM);
        (void) sigprocmask(SIG_BLOCK, &alarms, NULL);
        if (write(output, &pid, sizeof(pid)) == sizeof(pid))
                never_answer(output, userdata);
}

static void answer(int output, void *userdata)
{
        (void) !write(output, "", 1);
}

static int ask(void (*look)(int output, void *userdata))
{
        int input = aside_start(look, NULL, -1, 1);
        char byte;

        if (input < 0)
                return input;
        ASSERT_EQ(read(input, &byte, 1), 1);
        close(input);
        return 0;
}

static unsigned count_descriptors(void)
{
        unsigned n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

/* Returns its process. */
static int start_hanging(void)
{
        int input = aside_start(hang, NULL, -1, 1);
        pid_t pid;

        if (input < 0)
                return input;
        ASSERT_EQ(read(input, &pid, sizeof(pid)), sizeof(pid));
        close(input);
        return pid;
}

/* What its parent has is none of a worker's business. */
static void test_hanging_in_a_worker(void)
{
        pid_t child = fork();
        int status;

        ASSERT_TRUE(child >= 0);
        if (child == 0) {
                (void) close_range(3, ~0U, 0);
                pid_t pid = start_hanging();
                _exit(pid < 0 || kill(pid, SIGKILL) < 0 || ask(answer) < 0);
        }
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0);
}

/* One that hangs is not joined by others, and keeps nobody waiting. */
static void test_hanging(void)
{
        pid_t pid = start_hanging(), again = -ETIMEDOUT;
        unsigned n_open;

        ASSERT_TRUE(pid > 0);
        ASSERT_OK(ask(answer));
        n_open = count_descriptors();
        ASSERT_OK(usleep(1100 * 1000));
        for (unsigned i = 0; i < 100; i++) {
                uint64_t begin = now_monotonic();

                ASSERT_EQ(aside_start(hang, NULL, -1, 1), -ETIMEDOUT);
                ASSERT_TRUE(now_monotonic() - begin < USEC_PER_SEC);
                ASSERT_OK(ask(answer));
        }
        ASSERT_EQ(count_descriptors(), n_open);

        test_hanging_in_a_worker();
        ASSERT_EQ(aside_start(hang, NULL, -1, 1), -ETIMEDOUT);

        ASSERT_OK(kill(pid, SIGKILL));
        for (unsigned i = 0; i < 1000 && again == -ETIMEDOUT; i++) {
                (void) usleep(10 * 1000);
                again = start_hanging();
        }
        ASSERT_TRUE(again > 0);
        ASSERT_OK(kill(again, SIGKILL));
}

static void tell_name(int output, void *userdata)
{
        char name[64] = "";
        _cleanup_close_ int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

        if (read(fd, name, sizeof(name) - 1) > 0)
                (void) !write(output, name, sizeof(name));
}

/* It keeps no shutdown waiting. */
static void test_name(void)
{
        _cleanup_close_ int input = aside_start(tell_name, NULL, -1, 5);
        char name[64];

        ASSERT_EQ(read(input, name, sizeof(name)), sizeof(name));
        ASSERT_STREQ(name, "@vfio-bindd-aside");
}

int main(int argc, char **argv)
{
        process_name_setup(argc, argv);
        test_descriptors();
        test_deadline();
        test_hanging();
        test_name();
        return 0;
}
