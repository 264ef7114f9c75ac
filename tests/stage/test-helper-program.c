/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "version.h"

/* The program itself, given as the first argument: what it prints and how it exits. */

static const char *program;
static char output[8192];

static int run(const char *const *arguments)
{
        posix_spawn_file_actions_t actions;
        char *argv[8] = { (char *) program };
        int fds[2], status;
        size_t length = 0;
        ssize_t n;
        pid_t pid;

        for (size_t i = 0; arguments[i]; i++)
                argv[i + 1] = (char *) arguments[i];
        ASSERT_OK(pipe(fds));
        ASSERT_OK(posix_spawn_file_actions_init(&actions));
        ASSERT_OK(posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO));
        ASSERT_OK(posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO));
        ASSERT_OK(posix_spawn(&pid, program, &actions, NULL, argv, (char *[]){ NULL }));
        posix_spawn_file_actions_destroy(&actions);
        close(fds[1]);
        while ((n = read(fds[0], output + length, sizeof(output) - 1 - length)) > 0)
                length += (size_t) n;
        output[length] = '\0';
        close(fds[0]);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFEXITED(status));
        return WEXITSTATUS(status);
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 2);
        program = argv[1];

        ASSERT_EQ(RUN("--version"), 0);
        ASSERT_STREQ(output, "vfio-bindd " PROJECT_VERSION "\n");
        ASSERT_EQ(RUN("--help"), 0);
        ASSERT_CONTAINS(output, "  boot ");
        ASSERT_CONTAINS(output, "  udev ");

        ASSERT_EQ(RUN(NULL), 2);
        ASSERT_CONTAINS(output, "--help");
        ASSERT_EQ(RUN("frob"), 2);
        ASSERT_EQ(RUN("boot", "now"), 2);
        ASSERT_EQ(RUN("boot", "--frob"), 2);
        ASSERT_EQ(RUN("boot", "--stage=runtime"), 2);
        ASSERT_EQ(RUN("boot", "--stage"), 2);
        ASSERT_EQ(RUN("udev", "--dry-run"), 2);

        /* a tree that is not there is told to people, and no reason for a unit to fail */
        ASSERT_EQ(RUN("boot", "--root=/nonexistent/vfio-bindd"), 1);
        ASSERT_CONTAINS(output, "/nonexistent/vfio-bindd");
        ASSERT_EQ(RUN("boot", "--dry-run"), 0);
        ASSERT_EQ(RUN("await-answers", "--root=/nonexistent/vfio-bindd"), 1);
        ASSERT_EQ(RUN("await-answers", "--stage=initrd"), 2);
        return 0;
}
