/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "ctl/ctl-bus.h"
#include "util/strings.h"

/* "wait" follows the daemon's signals: what happens while it waits, and what it says. */

static const char config[] =
        "claim gpu 0000:01:00.0\n"
        "claim nic 0000:02:00.0\n"
        "claim gone 0000:03:00.0\n";

#define GPU       "0000:01:00.0 id=10de:2482 class=030000 group=14"
#define NIC       "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3\n"
#define NIC_USE   "use 0000:02:00.0 network eno1 carries the default route\n"
#define GPU_BOUND "record 0000:01:00.0 state=bound claim=gpu provenance=clean\n"

static const char pending[] = GPU " driver=nouveau\n" NIC NIC_USE;
static const char bound[] = GPU " driver=vfio-pci\n" NIC NIC_USE GPU_BOUND;
static const char failed[] = GPU "\n" NIC NIC_USE
        "record 0000:01:00.0 state=failed reason=probe-failed claim=gpu\n";
static const char absent[] = NIC NIC_USE;

/* Publishes `next` once the program said that it waits. */
typedef struct Change {
        CtlBus *f;
        const char *next;
        bool is_made;
} Change;

static void on_output(void *userdata, _unused_ pid_t pid, _unused_ const char *out,
        const char *err)
{
        Change *change = userdata;

        if (change->is_made || !strchr(err, '\n'))
                return;
        ASSERT_TRUE(startswith(err, "Waiting: "));
        change->is_made = true;
        ctl_bus_publish(change->f, change->next);
}

static CtlRun run_with_change(CtlBus *f, const char *next, const char *const *arguments)
{
        Change change = { .f = f, .next = next };
        CtlRunOptions options = f->options;
        CtlRun run;

        options.error_terminal = true;
        options.on_output = on_output;
        options.userdata = &change;
        run = ctl_run(&options, arguments);
        ASSERT_TRUE(change.is_made);
        return run;
}
#define RUN_WITH_CHANGE(f, next, ...)                                                              \
        run_with_change((f), (next), (const char *const[]){ __VA_ARGS__, NULL })

static void set_settled(CtlBus *f, bool settled)
{
        f->manager.view->settled = settled;
}

static void test_at_once(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, bound);
        set_settled(&f, true);
        ctl_expect(CTL_RUN(&f.options, "wait", "gpu"), 0, "", "");
        ctl_expect(CTL_RUN(&f.options, "wait", "--for=absent", "gone"), 0, "", "");
        ctl_expect(CTL_RUN(&f.options, "wait", "--for=settled"), 0, "", "");
        ctl_expect(CTL_RUN(&f.options, "wait", "--for=released", "nic", "gone"), 0, "", "");
        ctl_expect(CTL_RUN(&f.options, "wait", "gp"), 4, "",
                "No claim gp. Did you mean gpu?\n");
        /* what keeps a claim from being bound is final, and said */
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "wait", "gpu", "nic");

                ASSERT_EQ(run.code, 3);
                ASSERT_STREQ(run.out, "");
                ASSERT_TRUE(startswith(run.err, "Claim nic is refused: eno1 carries the default "
                                                "route. "));
        }
        /* without names, what is not there does not count */
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "wait", "-j");

                ASSERT_EQ(run.code, 3);
                ASSERT_TRUE(is_json(run.out, "wait"));
                ASSERT_CONTAINS(run.out, "\"For\":\"bound\",\"Done\":false,");
                ASSERT_TRUE(!strstr(run.out, "\"gone\""));
        }
}

static void test_change(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, pending);
        {
                _cleanup_ctl_run_ CtlRun run = RUN_WITH_CHANGE(&f, bound, "wait", "gpu");

                ASSERT_EQ(run.code, 0);
                ASSERT_CONTAINS(run.err, "Waiting: Claim gpu is pending: a host driver has it;");
        }
        {
                _cleanup_ctl_run_ CtlRun run =
                        RUN_WITH_CHANGE(&f, absent, "wait", "--for=absent", "gpu");

                ASSERT_EQ(run.code, 0);
        }
        {
                _cleanup_ctl_run_ CtlRun run = RUN_WITH_CHANGE(&f, bound, "wait", "gpu");

                ASSERT_EQ(run.code, 0);
                ASSERT_CONTAINS(run.err, "Waiting: Claim gpu is absent: ");
        }
        {
                _cleanup_ctl_run_ CtlRun run =
                        RUN_WITH_CHANGE(&f, pending, "wait", "--for=released", "gpu");

                ASSERT_EQ(run.code, 0);
        }
}

/* Until the boot's claims are settled, a refusal is no verdict. */
static void test_not_settled(void)
{
        _cleanup_ctl_bus_ CtlBus f;
        CtlRun run;

        ctl_bus_init(&f, config, failed);
        set_settled(&f, true);
        run = CTL_RUN(&f.options, "wait", "gpu");
        ASSERT_EQ(run.code, 1);
        ctl_run_done(&run);
        set_settled(&f, false);
        ctl_bus_publish(&f, failed);
        run = RUN_WITH_CHANGE(&f, bound, "wait", "gpu");
        ASSERT_EQ(run.code, 0);
        ctl_run_done(&run);
}

static void test_timeout(void)
{
        _cleanup_ctl_bus_ CtlBus f;
        _cleanup_ctl_run_ CtlRun run = {};

        ctl_bus_init(&f, config, pending);
        run = CTL_RUN(&f.options, "wait", "--timeout=100ms", "gpu");
        ASSERT_EQ(run.code, 5);
        ASSERT_TRUE(startswith(run.err, "Timed out: Claim gpu is pending: "));
        ctl_expect(CTL_RUN(&f.options, "wait", "--timeout=0", "--for=settled"), 5, "",
                "Timed out: not everything is settled. \"vfio-bindctl list\" shows it.\n");
}

/* The daemon is replaced by another one meanwhile. */
static void on_output_restart(void *userdata, _unused_ pid_t pid, _unused_ const char *out,
        const char *err)
{
        CtlBus *f = userdata;

        if (strchr(err, '\n') && f->bus && !f->vanish) {
                f->vanish = true;
                f->bus = bus_free(f->bus);
                manager_set_listener(&f->manager, &(ManagerListener){});
        }
}

static int serve_again(_unused_ sd_event_source *source, void *userdata)
{
        CtlBus *f = userdata;

        if (f->bus)
                return 0;
        ctl_bus_publish(f, bound);
        ctl_bus_begin_to_serve(f, getuid());
        return 0;
}

static void test_restart(void)
{
        _cleanup_ctl_bus_ CtlBus f;
        _cleanup_ctl_run_ CtlRun run = {};
        sd_event_source *source;

        ctl_bus_init(&f, config, pending);
        ASSERT_TRUE(sd_event_add_post(f.event, &source, serve_again, &f) >= 0);
        f.options.error_terminal = true;
        f.options.on_output = on_output_restart;
        f.options.userdata = &f;
        run = CTL_RUN(&f.options, "wait", "gpu");
        ASSERT_EQ(run.code, 0);
        ASSERT_TRUE(f.vanish);
        sd_event_source_unref(source);
}

static void test_without_daemon(void)
{
        _cleanup_ctl_run_ CtlRun run = CTL_RUN(&(CtlRunOptions){}, "wait", "--for=settled");
        _cleanup_ctl_run_ CtlRun none = CTL_RUN(&(CtlRunOptions){}, "wait", "nosuch");

        ASSERT_EQ(run.code, 0);
        ASSERT_EQ(none.code, 4);
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 3);
        ctl_run_set_program(argv[1]);
        ctl_bus_set_policy(argv[2]);
        test_at_once();
        test_change();
        test_not_settled();
        test_timeout();
        test_restart();
        test_without_daemon();
        return 0;
}
