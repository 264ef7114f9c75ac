/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/ctl-run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/test.h"
#include "ctl/text.h"
#include "util/buffer.h"
#include "util/io.h"
#include "util/strings.h"

#define DEADLINE_USEC (120 * USEC_PER_SEC)
#define ARGUMENTS_MAX 32

static const char *program;

void ctl_run_set_program(const char *path)
{
        program = path;
}

/* One stream of the process. */
typedef struct Stream {
        int ours, theirs;
        Buffer buffer;
        bool ended;
        sd_event_source *source;
        struct Running *running;
} Stream;

typedef struct Running {
        const CtlRunOptions *options;
        pid_t pid;
        Stream out, err;
} Running;

static void open_pipe(Stream *stream)
{
        int fds[2];

        ASSERT_OK(pipe2(fds, O_CLOEXEC));
        *stream = (Stream){ .ours = fds[0], .theirs = fds[1] };
}

static void open_terminal(Stream *stream, unsigned columns)
{
        struct winsize size = { .ws_row = 24, .ws_col = (unsigned short) columns };
        struct termios attributes;
        char name[64];

        *stream = (Stream){ .ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) };
        ASSERT_TRUE(stream->ours >= 0);
        ASSERT_OK(grantpt(stream->ours));
        ASSERT_OK(unlockpt(stream->ours));
        ASSERT_OK(ptsname_r(stream->ours, name, sizeof(name)));
        stream->theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        ASSERT_TRUE(stream->theirs >= 0);
        ASSERT_OK(ioctl(stream->theirs, TIOCSWINSZ, &size));
        ASSERT_OK(tcgetattr(stream->theirs, &attributes));
        cfmakeraw(&attributes);
        ASSERT_OK(tcsetattr(stream->theirs, TCSANOW, &attributes));
}

/* A terminal whose other end was closed gives EIO. */
static int on_readable(_unused_ sd_event_source *source, int fd, _unused_ uint32_t events,
        void *userdata)
{
        Stream *stream = userdata;
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0) {
                const Running *running = stream->running;

                buffer_append_length(&stream->buffer, chunk, (size_t) n);
                if (running->options->on_output)
                        running->options->on_output(running->options->userdata, running->pid,
                                running->out.buffer.text ?: "", running->err.buffer.text ?: "");
                return 0;
        }
        ASSERT_TRUE(n == 0 || errno == EIO);
        stream->ended = true;
        ASSERT_TRUE(sd_event_source_set_enabled(stream->source, SD_EVENT_OFF) >= 0);
        return 0;
}

static void watch(Stream *stream, Running *running, sd_event *event)
{
        stream->running = running;
        (void) close(stream->theirs);
        ASSERT_TRUE(sd_event_add_io(event, &stream->source, stream->ours, EPOLLIN, on_readable,
                            stream) >= 0);
}

static void finish(Stream *stream, char **ret)
{
        sd_event_source_unref(stream->source);
        (void) close(stream->ours);
        ASSERT_OK(buffer_finish(&stream->buffer, ret));
}

static void execute(const char *path, const CtlRunOptions *options, const char *const *arguments,
        int out, int err)
{
        const char *argv[ARGUMENTS_MAX] = { path };

        for (size_t i = 0; arguments[i]; i++) {
                ASSERT_TRUE(i + 2 < ARGUMENTS_MAX);
                argv[i + 1] = arguments[i];
        }
        (void) clearenv();
        (void) setenv("LC_ALL", "C.UTF-8", true);
        (void) setenv("TERM", "xterm", true);
        (void) setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", true);
        for (size_t i = 0; options->environment && options->environment[i]; i++)
                (void) putenv((char *) options->environment[i]);
        if (options->out_path)
                out = open(options->out_path, O_WRONLY | O_CLOEXEC);
        if (options->user > 0 && setresuid(options->user, options->user, options->user) < 0)
                _exit(126);
        if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
                _exit(126);
        (void) execv(path, (char **) argv);
        _exit(127);
}

static void start(Running *running)
{
        const CtlRunOptions *options = running->options;

        if (options->columns > 0)
                open_terminal(&running->out, options->columns);
        else
                open_pipe(&running->out);
        if (options->error_terminal)
                open_terminal(&running->err, 80);
        else
                open_pipe(&running->err);
}

CtlRun ctl_run(const CtlRunOptions *options, const char *const *arguments)
{
        uint64_t deadline = now_monotonic() + DEADLINE_USEC;
        Running running = { .options = options };
        sd_event *event = NULL;
        CtlRun run = {};
        int status;

        if (options->event)
                event = sd_event_ref(options->event);
        else
                ASSERT_TRUE(sd_event_new(&event) >= 0);
        start(&running);
        running.pid = fork();
        ASSERT_TRUE(running.pid >= 0);
        if (running.pid == 0)
                execute(program, options, arguments, running.out.theirs, running.err.theirs);

        watch(&running.out, &running, event);
        watch(&running.err, &running, event);
        while (!running.out.ended || !running.err.ended) {
                ASSERT_TRUE(sd_event_run(event, USEC_PER_SEC) >= 0);
                ASSERT_TRUE(now_monotonic() < deadline);
        }
        ASSERT_EQ(waitpid(running.pid, &status, 0), running.pid);
        finish(&running.out, &run.out);
        finish(&running.err, &run.err);
        run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        sd_event_unref(event);
        return run;
}

void ctl_run_done(CtlRun *run)
{
        free(run->out);
        free(run->err);
        *run = (CtlRun){};
}

size_t longest_line(const char *text)
{
        size_t longest = 0;

        while (*text) {
                size_t length = strcspn(text, "\n");
                _cleanup_free_ char *line = strndup(text, length);
                char *end = line;

                ASSERT_TRUE(line);
                for (char *p = line; *p; p++)
                        if (*p == '\x1b')
                                p += strcspn(p, "m");
                        else
                                *end++ = *p;
                *end = '\0';
                if (text_width(line) > longest)
                        longest = text_width(line);
                text += length;
                text += *text ? 1 : 0;
        }
        return longest;
}

bool is_json(const char *text, const char *kind)
{
        int fds[2], status;
        size_t length = strlen(text);
        pid_t pid;

        ASSERT_OK(pipe2(fds, O_CLOEXEC));
        /* The whole text goes into the pipe before anybody reads it. */
        ASSERT_TRUE(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) >= (int) length);
        pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0) {
                (void) dup2(fds[0], STDIN_FILENO);
                (void) execlp(JSON_PYTHON, "python3", JSON_CHECK, JSON_SCHEMA, "--kind", kind, NULL);
                _exit(127);
        }
        (void) close(fds[0]);
        ASSERT_EQ(write(fds[1], text, length), length);
        (void) close(fds[1]);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
