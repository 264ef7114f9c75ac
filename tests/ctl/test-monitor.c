/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <unistd.h>

#include "ctl/ctl-bus.h"
#include "util/strings.h"

/* "monitor": what is there first, then each change; the next one is made when the last one was
 * told. */

static const char config[] = "claim gpu 0000:01:00.0\n";

static const char *const machines[] = {
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=nouveau\n",
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=vfio-pci\n"
        "record 0000:01:00.0 state=bound claim=gpu provenance=taken from=nouveau\n",
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=vfio-pci\n"
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3\n"
        "record 0000:01:00.0 state=bound claim=gpu provenance=taken from=nouveau\n",
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3\n",
};

typedef struct Follower {
        CtlBus *f;
        /* what the output has to hold for the next machine to come; NULL: the end */
        const char *const *marks;
        size_t step;
} Follower;

static void on_output(void *userdata, pid_t pid, const char *out, _unused_ const char *err)
{
        Follower *follower = userdata;
        const char *mark = follower->marks[follower->step];

        if (!mark || !strstr(out, mark))
                return;
        follower->step++;
        if (follower->marks[follower->step])
                ctl_bus_publish(follower->f, machines[follower->step]);
        else
                (void) kill(pid, SIGTERM);
}

static CtlRun follow(CtlBus *f, const char *const *marks, const char *const *arguments)
{
        Follower follower = { .f = f, .marks = marks };
        CtlRunOptions options = f->options;
        CtlRun run;

        options.on_output = on_output;
        options.userdata = &follower;
        run = ctl_run(&options, arguments);
        ASSERT_EQ(run.code, -1); /* by the signal */
        ASSERT_TRUE(!marks[follower.step]);
        ASSERT_STREQ(run.err, "");
        return run;
}

static void test_text(void)
{
        static const char *const marks[] = {
                "\n1 claim: 1 pending. \"vfio-bindctl explain DEV\" tells why.\n",
                " claim gpu bound\n",
                " 0000:02:00.0 unclaimed, tg3\n",
                " 0000:01:00.0 removed\n", /* announced last */
                NULL,
        };
        static const char *const arguments[] = { "monitor", NULL };
        _cleanup_ctl_bus_ CtlBus f;
        _cleanup_ctl_run_ CtlRun run = {};

        ctl_bus_init(&f, config, machines[0]);
        run = follow(&f, marks, arguments);
        ASSERT_TRUE(startswith(run.out, "CLAIM "));
        ASSERT_CONTAINS(run.out, " 0000:01:00.0 (gpu) bound, vfio-pci\n");
        ASSERT_CONTAINS(run.out, " claim gpu absent");
}

static void test_json(void)
{
        static const char *const marks[] = {
                "\"Event\":\"current\"",
                "\"State\":\"bound\"",
                "\"Event\":\"added\"",
                "\"Event\":\"removed\"",
                NULL,
        };
        static const char *const arguments[] = { "monitor", "--json=pretty", NULL };
        _cleanup_ctl_bus_ CtlBus f;
        _cleanup_ctl_run_ CtlRun run = {};
        char *rest = NULL;

        ctl_bus_init(&f, config, machines[0]);
        run = follow(&f, marks, arguments);
        for (char *line = strtok_r(run.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                ASSERT_TRUE(is_json(line, "monitor"));
}

/* The daemon goes; what it said last stays, and what it says when it is back is told. */
static void on_output_restart(void *userdata, pid_t pid, const char *out, _unused_ const char *err)
{
        CtlBus *f = userdata;

        if (f->bus && !f->vanish && strstr(out, "\n1 claim: ")) {
                f->vanish = true;
                f->bus = bus_free(f->bus);
                manager_set_listener(&f->manager, &(ManagerListener){});
        } else if (!f->bus && strstr(out, " vfio-bindd went away\n")) {
                ctl_bus_publish(f, machines[1]);
                ctl_bus_begin_to_serve(f, getuid());
        } else if (strstr(out, " claim gpu bound\n")) {
                (void) kill(pid, SIGTERM);
        }
}

static void test_restart(void)
{
        _cleanup_ctl_bus_ CtlBus f;
        _cleanup_ctl_run_ CtlRun run = {};

        ctl_bus_init(&f, config, machines[0]);
        f.options.on_output = on_output_restart;
        f.options.userdata = &f;
        run = CTL_RUN(&f.options, "monitor");
        ASSERT_EQ(run.code, -1);
        ASSERT_CONTAINS(run.out, " 0000:01:00.0 (gpu) bound, vfio-pci\n");
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 3);
        ctl_run_set_program(argv[1]);
        ctl_bus_set_policy(argv[2]);
        test_text();
        test_json();
        test_restart();
        ctl_expect(CTL_RUN(&(CtlRunOptions){}, "monitor"), 1, "",
                "vfio-bindd does not run. Start it with \"systemctl enable --now vfio-bindd\" and "
                "run this again; \"vfio-bindctl list\" works without it.\n");
        return 0;
}
