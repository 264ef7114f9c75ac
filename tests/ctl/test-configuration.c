/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "ctl/ctl-run.h"
#include "host/host-devices.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/strings.h"

/* "check" of a file in the place of another one, "plan --config=", and claims from "suggest" put
 * back into the configuration. */

static const char tree[] =
        "file proc/net/route Iface\\tDestination\n"
        "file proc/net/ipv6_route\n"
        "file proc/self/mountinfo 29 1 0:30 / / rw - tmpfs tmpfs rw\n"
        "0000:00:1c.0 id=f00d:7ab8 class=060400 bridge driver=pcieport group=5\n"
        "0000:00:1d.0 id=f00d:7ab8 class=060400 bridge driver=pcieport group=6\n"
        "0000:01:00.0 parent=0000:00:1c.0 id=f00d:0010 class=010802 group=14 driver=nvme "
        "serial=0011223344556677\n"
        "0000:02:00.0 parent=0000:00:1d.0 id=f00d:0010 class=010802 group=15 driver=nvme "
        "config=256\n"
        "0000:03:00.0 id=f00d:1572 class=020000 group=20 driver=i40e vfs=2 offset=16 stride=1 "
        "vf-device=154c\n"
        "0000:03:02.0 id=f00d:154c class=020000 group=21 pf=0000:03:00.0 vf=0\n"
        "0000:03:02.1 id=f00d:154c class=020000 group=22 pf=0000:03:00.0 vf=1\n"
        "0000:04:00.0 id=f00d:2482 class=030000 group=23\n"
        "0000:04:00.1 id=f00d:228b class=040300 group=23\n"
        "0000:05:00.0 id=f00d:1521 class=020000 group=24\n"
        "0000:05:00.1 id=f00d:1521 class=020000 group=25\n";

#define FIRST  "[Claim first]\nMatch=0000:01:00.0 expect=f00d:0010\n"
#define SECOND "[Claim second]\nMatch=0000:02:00.0 expect=f00d:0010\n"

typedef struct Fixture {
        FakeSysfs *fake;
        char *root; /* the option */
        char file[128];
} Fixture;

static void fixture_init(Fixture *f, const char *config)
{
        *f = (Fixture){ .fake = fake_sysfs_new() };
        fake_sysfs_add(f->fake, tree);
        fake_sysfs_write(f->fake, "etc/vfio-bind.conf", config);
        ASSERT_OK(format_string(&f->root, "--root=%s", f->fake->root));
}

static void fixture_done(Fixture *f)
{
        fake_sysfs_free(f->fake);
        free(f->root);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

/* A file outside of the configuration; its path. */
static const char *write_file(Fixture *f, const char *text)
{
        fake_sysfs_write(f->fake, "tmp/new", text);
        (void) snprintf(f->file, sizeof(f->file), "%s/tmp/new", f->fake->root);
        return f->file;
}

static void expect(CtlRun run, int code, const char *out, const char *err_part)
{
        if (run.code != code)
                fprintf(stderr, "%s%s", run.out, run.err);
        ASSERT_EQ(run.code, code);
        if (out)
                ASSERT_STREQ(run.out, out);
        if (err_part)
                ASSERT_CONTAINS(run.err, err_part);
        else
                ASSERT_STREQ(run.err, "");
        ctl_run_done(&run);
}

static void test_check_places(void)
{
        CtlRunOptions options = {};
        _cleanup_fixture_ Fixture f;
        const char *file;

        fixture_init(&f, FIRST);
        expect(CTL_RUN(&options, "check", f.root), 0, "1 claim, 0 errors, 0 warnings.\n", NULL);
        /* in the place of the main file, which then does not count */
        file = write_file(&f, SECOND);
        expect(CTL_RUN(&options, "check", f.root, file), 0, "1 claim, 0 errors, 0 warnings.\n",
                NULL);
        /* as a drop-in beside it */
        expect(CTL_RUN(&options, "check", f.root, "--as=/etc/vfio-bind.conf.d/50-x.conf", file), 0,
                "2 claims, 0 errors, 0 warnings.\n", NULL);
        expect(CTL_RUN(&options, "check", f.root, "--as=/etc/passwd", file), 2, "",
                "--as=/etc/passwd: no file of the configuration is called so.");
        expect(CTL_RUN(&options, "check", f.root, "--as=/etc/vfio-bind.conf"), 2, "",
                "--as= says in whose place FILE stands");
        expect(CTL_RUN(&options, "check", f.root, "/nonexistent/file"), 2, NULL,
                "/nonexistent/file: error: cannot be read: No such file or directory;");
        /* in its own place, whatever it is called by */
        fake_sysfs_write(f.fake, "etc/vfio-bind.conf.d/50-x.conf", SECOND);
        (void) snprintf(f.file, sizeof(f.file), "%s/etc/../etc//vfio-bind.conf.d/50-x.conf",
                f.fake->root);
        expect(CTL_RUN(&options, "check", f.root, f.file), 0,
                "2 claims, 0 errors, 0 warnings.\n", NULL);
        fake_sysfs_remove(f.fake, "etc/vfio-bind.conf.d");
        /* two files that do not go together */
        file = write_file(&f, "[Claim other]\nMatch=0000:01:00.0 expect=f00d:0010\n");
        expect(CTL_RUN(&options, "check", f.root, "--strict",
                       "--as=/etc/vfio-bind.conf.d/50-x.conf", file),
                2, NULL, "warning: claim-conflict: 0000:01:00.0 is selected by both claim first");
}

static void test_check_lines(void)
{
        static const struct {
                const char *lines, *complaint; /* NULL: none */
        } cases[] = {
                { "Match=0000:01:00.0", ":2:7: warning: not pinned: another device may stand there "
                                        "one day, and would be taken. Add expect=f00d:0010." },
                { "Match=path=0000:00:1c.0/00.0", ":2:7: warning: not pinned" },
                { "Match=path=0000:00:1c.0/00.0 expect-serial=0011223344556677", NULL },
                { "Match=0000:09:00.0", "Add expect=VENDOR:DEVICE, as \"vfio-bindctl suggest\"" },
                { "Match=0000:04:00", "a line for each function, as \"vfio-bindctl suggest NAME "
                                      "0000:04:00.0 0000:04:00.1\" prints them." },
                { "Match=0000:05:00", "and would be taken. Add expect=f00d:1521." },
                { "Match=0000:05:00 expect=f00d:1521", NULL },
                { "Match=class=0108", ":2:7: warning: unsafe: takes every device of this kind" },
                { "Match=name=\"acme .*\"", ":2:7: warning: late: name= is known when udev has" },
                { "Match=name=\"acme .*\" expect=f00d:0010", ":2:7: warning: late: " },
                { "Match=name=\"acme .*\" id=f00d:0010", NULL },
                { "Match=id=f00d:0010", NULL },
                { "Match=id=f00d:0010 class=0108", NULL },
                { "Match=id=f00d:", ":2:7: warning: unsafe: takes every device of this kind" },
                { "Match=id=f00d: class=0108", ":2:7: warning: unsafe: takes every device" },
                { "Match=id=::0108", ":2:7: warning: unsafe: takes every device of this kind" },
                { "Match=subsystem=f00d:0001", ":2:7: warning: unsafe: takes every device" },
                { "Match=id=f00d: subsystem=f00d:0001", NULL },
                { "Match=vf=0-3", ":2:7: warning: unsafe: takes every device of this kind" },
                { "Match=vf=0 id=f00d:154c", NULL },
                { "Match=pf=0000:03:00.0 vf=0", NULL },
                { "Match=0000:01:00.0 expect=f00d:0010\nAllowInUse=network",
                  ":1:2: warning: unsafe: AllowInUse= takes devices from under what uses them." },
                { "Match=0000:01:00.0 expect=f00d:9999", "warning: identity-mismatch: " },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *config = NULL;
                _cleanup_fixture_ Fixture f;

                ASSERT_OK(format_string(&config, "[Claim c]\n%s\n", cases[i].lines));
                fixture_init(&f, config);
                expect(CTL_RUN(&(CtlRunOptions){}, "check", "--no-legend", f.root), 0, "",
                        cases[i].complaint);
                expect(CTL_RUN(&(CtlRunOptions){}, "check", "-q", f.root), 0, "", NULL);
                expect(CTL_RUN(&(CtlRunOptions){}, "check", "-q", "--strict", f.root),
                        cases[i].complaint ? 2 : 0, "", cases[i].complaint);
        }
}

static void test_plan_config(void)
{
        CtlRunOptions options = {};
        _cleanup_free_ char *option = NULL;
        _cleanup_fixture_ Fixture f;
        _cleanup_ctl_run_ CtlRun run = {}, broken = {};

        fixture_init(&f, FIRST);
        ASSERT_OK(format_string(&option, "--config=%s", write_file(&f, SECOND)));
        run = CTL_RUN(&options, "plan", "--exit-code", f.root, option);
        ASSERT_EQ(run.code, 6);
        ASSERT_CONTAINS(run.out, "0000:02:00.0  bind");
        ASSERT_TRUE(!strstr(run.out, "0000:01:00.0"));
        ASSERT_CONTAINS(run.out, "\n1 change, 0 refused.\n");
        (void) write_file(&f, "[Claim second]\nMach=0000:02:00.0\n");
        broken = CTL_RUN(&options, "plan", f.root, option);
        ASSERT_EQ(broken.code, 2);
        ASSERT_CONTAINS(broken.err, "tmp/new:2:1: ");
}

/* The next boot goes by the record of what the host needed, though nothing is in use now. */
static void test_next_boot_record(void)
{
        _cleanup_host_devices_ HostDevices *devices = NULL;
        Device device = { .address = { .bus = 1 }, .path = (char *) "0000:00:1c.0/00.0",
                          .vendor = 0xf00d, .device = 0x0010 };
        _cleanup_ctl_run_ CtlRun before = {}, run = {};
        _cleanup_free_ char *text = NULL;
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, FIRST SECOND);
        before = CTL_RUN(&(CtlRunOptions){}, "plan", "--next-boot", "--exit-code", f.root);
        ASSERT_EQ(before.code, 6);
        ASSERT_OK(host_devices_new(&devices));
        ASSERT_OK(host_devices_add(devices, &device, 1U << IN_USE_SYSTEM,
                "/dev/nvme0n1 holds /home"));
        host_devices_finish(devices);
        ASSERT_OK(host_devices_format(devices, &text));
        fake_sysfs_write(f.fake, HOST_DEVICES_FILE, text);
        run = CTL_RUN(&(CtlRunOptions){}, "plan", "--next-boot", "--exit-code", f.root);
        ASSERT_EQ(run.code, 3);
        ASSERT_CONTAINS(run.out, "0000:01:00.0  none");
        ASSERT_CONTAINS(run.out, "  host-device: ");
        ASSERT_CONTAINS(run.out, "0000:02:00.0  bind");
}

/* What is suggested is taken, and nothing else; the check has nothing against it. */
static void test_suggest(void)
{
        static const struct {
                const char *devices[3], *taken;
        } cases[] = {
                { { "01:00.0" }, "0000:01:00.0 " },
                { { "02:00.0" }, "0000:02:00.0 " },
                { { "02:00.0", "01:00.0" }, "0000:01:00.0 0000:02:00.0 " },
                { { "03:02.1" }, "0000:03:02.1 " },
                { { "03:02.0", "03:02.1" }, "0000:03:02.0 0000:03:02.1 " },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *arguments[8] = { "suggest", "c" };
                _cleanup_ctl_run_ CtlRun run = {}, plan = {};
                char taken[128] = "", *rest = NULL;
                _cleanup_fixture_ Fixture f;
                size_t n = 2;

                fixture_init(&f, "");
                for (size_t j = 0; j < 3 && cases[i].devices[j]; j++)
                        arguments[n++] = cases[i].devices[j];
                arguments[n] = f.root;
                run = ctl_run(&(CtlRunOptions){}, arguments);
                ASSERT_EQ(run.code, 0);
                fake_sysfs_write(f.fake, "etc/vfio-bind.conf", run.out);
                expect(CTL_RUN(&(CtlRunOptions){}, "check", "--strict", "-q", f.root), 0, "",
                        NULL);
                plan = CTL_RUN(&(CtlRunOptions){}, "plan", "--no-legend", f.root);
                for (char *line = strtok_r(plan.out, "\n", &rest); line;
                        line = strtok_r(NULL, "\n", &rest)) {
                        char *address = strstr(line, "0000:");

                        if (strstr(line, "automatic probing of its virtual functions"))
                                continue;
                        ASSERT_TRUE(address && strstr(line, " bind "));
                        (void) strncat(taken, address, 13);
                }
                ASSERT_STREQ(taken, cases[i].taken);
        }
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 2);
        ctl_run_set_program(argv[1]);
        test_check_places();
        test_check_lines();
        test_plan_config();
        test_next_boot_record();
        test_suggest();
        return 0;
}
