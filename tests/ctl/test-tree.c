/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/ctl-run.h"
#include "lib/fake-sysfs.h"
#include "lib/test.h"
#include "util/strings.h"

/* The program on saved trees: what it prints on terminals and into pipes, and its exit codes. The
 * vendor is one that no hardware database knows. */

#define HOST                                                                                       \
        "file proc/net/route Iface\\tDestination\n"                                                \
        "file proc/net/ipv6_route\n"

static const char machine[] =
        HOST
        "0000:00:1c.0 id=8086:7ab8 class=060400 bridge driver=pcieport group=5\n"
        "0000:01:00.0 parent=0000:00:1c.0 id=f00d:2482 class=030000 group=14 driver=vfio-pci\n"
        "0000:01:00.1 parent=0000:00:1c.0 id=f00d:228b class=040300 group=14 driver=vfio-pci\n"
        "0000:03:00.0 id=f00d:0010 class=010802 group=76 driver=nvme\n"
        "block nvme0n1 259:0 @0000:03:00.0/nvme/nvme0/nvme0n1\n"
        "file proc/self/mountinfo 29 1 259:0 / /srv rw - ext4 /dev/nvme0n1 rw\n"
        "0000:04:00.0 id=f00d:0011 class=020000 group=77 driver=e1000e\n";

static const char config[] =
        "[Claim gaming-gpu]\n"
        "Match=0000:01:00.0\n"
        "[Claim scratch-nvme]\n"
        "Match=0000:03:00.0\n"
        "[Claim lab-nic]\n"
        "Match=0000:04:00.0\n"
        "[Claim gone]\n"
        "Match=path=0000:00:1d.0/00.0\n";

#define USE                                                                                        \
        "/dev/nvme0n1 is mounted on /srv. Unmount it and run \"vfio-bindctl apply\", or add "      \
        "Exclude=0000:03:00.0 (/etc/vfio-bind.conf:4)."

typedef struct Fixture {
        FakeSysfs *fake;
        char *root; /* the option */
        CtlRunOptions options;
} Fixture;

static void fixture_init(Fixture *f, const char *tree, const char *configuration)
{
        *f = (Fixture){ .fake = fake_sysfs_new() };
        fake_sysfs_add(f->fake, tree);
        fake_sysfs_write(f->fake, "etc/vfio-bind.conf", configuration);
        ASSERT_TRUE(asprintf(&f->root, "--root=%s", f->fake->root) > 0);
}

static void fixture_done(Fixture *f)
{
        fake_sysfs_free(f->fake);
        free(f->root);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

static void expect(CtlRun run, int code, const char *out, const char *err)
{
        if (run.code != code)
                fprintf(stderr, "%s%s", run.out, run.err);
        ASSERT_EQ(run.code, code);
        ASSERT_STREQ(run.out, out);
        ASSERT_STREQ(run.err, err);
        ctl_run_done(&run);
}

static const char piped[] =
        "CLAIM         STATE    GROUP  DEVICE        DRIVER    NAME\n"
        "gaming-gpu    bound    14     0000:01:00.0  vfio-pci  f00d:2482\n"
        "                              0000:01:00.1  vfio-pci  f00d:228b\n"
        "scratch-nvme  refused  76     0000:03:00.0  nvme      f00d:0010\n"
        "  in-use-system: " USE "\n"
        "lab-nic       pending  77     0000:04:00.0  e1000e    f00d:0011\n"
        "  needs-apply: a host driver has it; \"vfio-bindctl apply\" takes it unless the host "
        "uses it (/etc/vfio-bind.conf:5)\n"
        "gone          absent   -      -             -         path=0000:00:1d.0/00.0\n"
        "\n"
        "4 claims: 1 bound, 1 pending, 1 refused, 1 absent. \"vfio-bindctl explain DEV\" "
        "tells why.\n";

static const char narrow[] =
        "CLAIM         STATE    GROUP  DEVICE        DRIVER    NAME\n"
        "gaming-gpu    bound    14     0000:01:00.0  vfio-pci  f00d:2482\n"
        "                              0000:01:00.1  vfio-pci  f00d:228b\n"
        "scratch-nvme  refused  76     0000:03:00.0  nvme      f00d:0010\n"
        "  in-use-system: /dev/nvme0n1 is mounted on /srv. Unmount it and run\n"
        "  \"vfio-bindctl apply\", or add Exclude=0000:03:00.0 (/etc/vfio-bind.conf:4).\n"
        "lab-nic       pending  77     0000:04:00.0  e1000e    f00d:0011\n"
        "  needs-apply: a host driver has it; \"vfio-bindctl apply\" takes it unless the\n"
        "  host uses it (/etc/vfio-bind.conf:5)\n"
        "gone          absent   -      -             -         path=0000:00:1d.0/00.0\n"
        "\n"
        "4 claims: 1 bound, 1 pending, 1 refused, 1 absent. \"vfio-bindctl explain DEV\"\n"
        "  tells why.\n";

static void test_list(void)
{
        static const char *const without_colours[] = { "NO_COLOR=1", NULL };
        static const char *const columns[] = { "NO_COLOR=1", "COLUMNS=80", NULL };
        static const char *const dumb[] = { "TERM=dumb", NULL };
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, machine, config);
        /* not a terminal: as wide as it gets, no colours; list is the default */
        expect(CTL_RUN(&f.options, "list", f.root), 0, piped, "");
        expect(CTL_RUN(&f.options, f.root), 0, piped, "");
        f.options.environment = columns;
        expect(CTL_RUN(&f.options, f.root), 0, piped, "");

        f.options = (CtlRunOptions){ .columns = 80, .environment = without_colours };
        expect(CTL_RUN(&f.options, "list", f.root), 0, narrow, "");
        f.options.columns = 200;
        expect(CTL_RUN(&f.options, "list", f.root), 0, piped, "");
        f.options.environment = columns;
        expect(CTL_RUN(&f.options, "list", f.root), 0, narrow, "");
        f.options = (CtlRunOptions){ .columns = 80, .environment = dumb };
        expect(CTL_RUN(&f.options, "list", f.root), 0, narrow, "");
}

static void test_legend(void)
{
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, "0000:01:00.0 id=f00d:2482 group=14 driver=vfio-pci\n",
                "[Claim gpu]\nMatch=01:00.0\n");
        expect(CTL_RUN(&f.options, f.root, "--no-legend"), 0,
                "gpu  bound  14  0000:01:00.0  vfio-pci  f00d:2482\n", "");
        expect(CTL_RUN(&f.options, f.root, "-q"), 0,
                "gpu  bound  14  0000:01:00.0  vfio-pci  f00d:2482\n", "");
}

static void test_terminals(void)
{
        static const char *const ascii[] = { "LC_ALL=C", "NO_COLOR=", NULL };
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, machine, config);
        for (unsigned columns = 20; columns < 120; columns += 7) {
                _cleanup_ctl_run_ CtlRun run = {};

                f.options = (CtlRunOptions){ .columns = columns };
                run = CTL_RUN(&f.options, "list", f.root);
                ASSERT_EQ(run.code, 0);
                ASSERT_TRUE(longest_line(run.out) <= columns);
                ASSERT_CONTAINS(run.out, "0000:01:00.1");
                ASSERT_CONTAINS(run.out, "in-use-system:");
        }
        {
                _cleanup_ctl_run_ CtlRun run = {};

                f.options = (CtlRunOptions){ .columns = 52, .environment = ascii };
                run = CTL_RUN(&f.options, "list", f.root);
                /* an empty NO_COLOR says nothing */
                ASSERT_CONTAINS(run.out, "\x1b[1;31mrefused\x1b[0m");
                ASSERT_CONTAINS(run.out, "...");
                for (const char *p = run.out; *p; p++)
                        ASSERT_TRUE((unsigned char) *p < 0x80);
        }
}

static void test_json(void)
{
        static const char *const verbs[] = { "list", "apply" };
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, machine, config);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                const char *dry = i == 1 ? "--dry-run" : "--json=off";
                _cleanup_ctl_run_ CtlRun line = CTL_RUN(&f.options, verbs[i], dry, "-j", f.root);
                _cleanup_ctl_run_ CtlRun pretty =
                        CTL_RUN(&f.options, verbs[i], dry, "--json=pretty", f.root);

                ASSERT_STREQ(line.err, "");
                ASSERT_TRUE(is_json(line.out, i == 1 ? "plan" : "list"));
                ASSERT_TRUE(is_json(pretty.out, i == 1 ? "plan" : "list"));
                ASSERT_TRUE(strchr(line.out, '\n')[1] == '\0');
                ASSERT_CONTAINS(pretty.out, "\n    {\n");
                ASSERT_EQ(line.code, pretty.code);
        }
        {
                CtlRunOptions terminal = { .columns = 80 };
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&terminal, "-j", f.root);

                ASSERT_CONTAINS(run.out, "{\n  \"SchemaVersion\": 1,\n  \"Kind\": \"list\",\n");
                ASSERT_TRUE(!strchr(run.out, '\x1b'));
        }
}

/* The same words as the daemon: state and reason of every claim and function. */
static void test_json_content(void)
{
        _cleanup_fixture_ Fixture f;
        _cleanup_ctl_run_ CtlRun run = {};

        fixture_init(&f, machine, config);
        run = CTL_RUN(&f.options, "--json=short", f.root);
        ASSERT_CONTAINS(run.out, "\"State\":null,\"ConfigurationErrors\":[],\"Claims\":[{");
        ASSERT_CONTAINS(run.out,
                "{\"Name\":\"scratch-nvme\",\"Driver\":\"vfio-pci\",\"Companions\":\"slot\","
                "\"State\":\"refused\",\"Reason\":\"in-use-system\",");
        ASSERT_CONTAINS(run.out, "\"Source\":[\"/etc/vfio-bind.conf\",3],"
                                 "\"Selectors\":[\"0000:03:00.0\"],\"Missing\":[]");
        ASSERT_CONTAINS(run.out, "\"Path\":\"0000:00:1c.0/00.1\",\"VendorId\":\"f00d\","
                                 "\"DeviceId\":\"228b\"");
        ASSERT_CONTAINS(run.out, "\"Driver\":\"vfio-pci\",\"TargetDriver\":\"vfio-pci\","
                                 "\"HostDriver\":null,\"Role\":\"companion\",\"State\":\"bound\"");
        ASSERT_CONTAINS(run.out, "\"GroupNumber\":77,\"Claim\":\"lab-nic\"");
        ASSERT_TRUE(!strstr(run.out, "7ab8")); /* the bridge is nobody's */
}

static void test_dry_run(void)
{
        CtlRunOptions terminal = { .columns = 80 };
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, machine, config);
        expect(CTL_RUN(&f.options, "apply", "--dry-run", f.root), 3,
                "0000:01:00.0 (f00d:2482) would stay as it is, with its node set up.\n"
                "0000:01:00.1 (f00d:228b) would stay as it is, with its node set up.\n"
                "0000:04:00.0 (f00d:0011) would be bound to vfio-pci, taken from e1000e.\n",
                "0000:03:00.0 (f00d:0010) would not be bound: " USE "\n");
        expect(CTL_RUN(&terminal, "apply", "--dry-run", "lab-nic", f.root), 0,
                "0000:04:00.0 (f00d:0011) would be bound to vfio-pci, taken from e1000e.\n", "");
        expect(CTL_RUN(&f.options, "apply", "--dry-run", "lab-nic", f.root, "--quiet"), 0, "", "");
        expect(CTL_RUN(&f.options, "apply", "--dry-run", "gone", f.root), 0,
                "Claim gone is absent: nothing in this machine matches path=0000:00:1d.0/00.0 "
                "(/etc/vfio-bind.conf:8).\n",
                "");
        expect(CTL_RUN(&f.options, "apply", "--dry-run", "lab-nik", "zzz", f.root), 4, "",
                "No claim lab-nik. Did you mean lab-nic?\n"
                "No claim zzz. \"vfio-bindctl list\" shows them.\n");
}

/* A dry run touches nothing: not even what it would record. */
static void test_dry_run_writes_nothing(void)
{
        _cleanup_fixture_ Fixture f;
        _cleanup_ctl_run_ CtlRun run = {};
        _cleanup_free_ char *override = NULL, *original = NULL;

        fixture_init(&f, machine, config);
        run = CTL_RUN(&f.options, "apply", "--dry-run", f.root);
        override = fake_sysfs_read(f.fake, "sys/bus/pci/devices/0000:04:00.0/driver_override");
        ASSERT_STREQ(override, "(null)\n");
        original = fake_sysfs_read(f.fake, "run/vfio-bindd/originals/0000:04:00.0");
        ASSERT_TRUE(!original);
}

static void test_config_errors(void)
{
        _cleanup_fixture_ Fixture f;

        fixture_init(&f,
                HOST "0000:04:00.0 id=f00d:0011 class=020000 group=77 driver=e1000e\n"
                     "0000:05:00.0 id=f00d:0012 class=020000 group=78\n",
                "[Claim broken]\nMach=1\nMatch=04:00.0\n[Claim good]\nMatch=05:00.0\n");
        expect(CTL_RUN(&f.options, "list", f.root, "--no-legend"), 0,
                "broken  error\n"
                "        refused  77  0000:04:00.0  e1000e  f00d:0011\n"
                "  0000:04:00.0 config-error: 0000:04:00.0 is named by claim broken, which has "
                "errors (/etc/vfio-bind.conf:1). Correct it and reload.\n"
                "  config-error: its section has errors, which the journal names "
                "(/etc/vfio-bind.conf:1)\n"
                "good    pending  78  0000:05:00.0  -       f00d:0012\n"
                "\n"
                "/etc/vfio-bind.conf:2:1: unknown key 'Mach=', did you mean 'Match='?\n",
                "");
        expect(CTL_RUN(&f.options, "apply", "--dry-run", f.root), 2,
                "0000:05:00.0 (f00d:0012) would be bound to vfio-pci.\n",
                "0000:04:00.0 (f00d:0011) would not be bound: 0000:04:00.0 is named by claim "
                "broken, which has errors (/etc/vfio-bind.conf:1). Correct it and reload.\n"
                "/etc/vfio-bind.conf:2:1: unknown key 'Mach=', did you mean 'Match='?\n");
        /* only what was asked for counts */
        expect(CTL_RUN(&f.options, "apply", "--dry-run", "good", f.root), 0,
                "0000:05:00.0 (f00d:0012) would be bound to vfio-pci.\n", "");
}

static void test_kernel_command_line(void)
{
        _cleanup_fixture_ Fixture f;

        fixture_init(&f,
                "0000:04:00.0 id=f00d:0011 class=020000 group=77\n"
                "file proc/cmdline quiet vfio_bindd.skip=nic\n",
                "[Claim nic]\nMatch=04:00.0\n");
        expect(CTL_RUN(&f.options, "apply", "--dry-run", "nic", f.root), 3, "",
                "Claim nic is disabled: vfio_bindd.skip= on the kernel command line names it "
                "(/etc/vfio-bind.conf:1).\n");
        expect(CTL_RUN(&f.options, "apply", "--dry-run", f.root), 0, "Nothing to do.\n", "");
}

static void test_hostile_tree(void)
{
        static const char *const without_colours[] = { "NO_COLOR=1", NULL };
        _cleanup_fixture_ Fixture f;

        fixture_init(&f,
                "0000:04:00.0 id=f00d:0011 class=020000 group=77\n"
                "dir sys/bus/pci/drivers/evil\n",
                "[Claim nic]\nMatch=name=\"\x1b[2Jevil\xff\"\nMatch=04:00.0\n");
        fake_sysfs_link(f.fake, "sys/bus/pci/drivers/\x1b[31m\xff", "sys/bus/pci/drivers/evil");
        for (unsigned i = 0; i < 2; i++) {
                _cleanup_ctl_run_ CtlRun run = {};

                f.options = (CtlRunOptions){ .columns = i * 80, .environment = without_colours };
                run = CTL_RUN(&f.options, "list", f.root);
                ASSERT_EQ(run.code, 0);
                ASSERT_TRUE(!strchr(run.out, '\x1b') && !strchr(run.out, '\xff'));
        }
}

static void test_nothing(void)
{
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, "dir sys/bus/pci/devices\n", "");
        expect(CTL_RUN(&f.options, "list", f.root), 0,
                "0 claims. \"vfio-bindctl groups\" shows the devices, \"vfio-bindctl suggest NAME "
                "DEV\" prints a claim for one.\n", "");
        expect(CTL_RUN(&f.options, "apply", "--dry-run", f.root), 0, "Nothing to do.\n", "");
        expect(CTL_RUN(&f.options, "status", "", f.root), 2, "",
                "\"\" is no address of a PCI function: that is 0000:01:00.0, 01:00.0 or "
                "pci_0000_01_00_0.\n");
        expect(CTL_RUN(&f.options, "--root=/nonexistent"), 2, "",
                "--root=/nonexistent cannot be opened: No such file or directory.\n");
}

/* An image has a configuration to check, and no devices. */
static void test_no_tree(void)
{
        static const char *const verbs[] = { "list", "groups", "status", "plan", "doctor" };
        _cleanup_free_ char *message = NULL;
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, "dir sys/bus/pci/devices\n",
                "[Claim nic]\nMatch=0000:04:00.0 expect=0001:0002\n");
        fake_sysfs_remove(f.fake, "sys/bus/pci");
        ASSERT_OK(format_string(&message,
                "%s is no saved tree: it has no sys/bus/pci. \"vfio-bindctl snapshot\" saves "
                "one, as an archive to be unpacked.\n", f.fake->root));
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                expect(CTL_RUN(&f.options, verbs[i], f.root), 2, "", message);
        expect(CTL_RUN(&f.options, "check", f.root), 0,
                "1 claim, 0 errors, 0 warnings.\nNothing on this machine matches: nic.\n", "");
        fake_sysfs_write(f.fake, "etc/driverctl.d/0000:04:00.0", "vfio-pci\n");
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "import", "driverctl", f.root);

                ASSERT_EQ(run.code, 0);
                ASSERT_CONTAINS(run.out, "Match=0000:04:00.0");
        }
}

static void test_usage(void)
{
        static const struct {
                const char *arguments[4];
                const char *message;
        } cases[] = {
                { { "aply" }, "Unknown verb aply. Did you mean apply?\n" },
                { { "frobnicate" },
                  "Unknown verb frobnicate. \"vfio-bindctl --help\" lists them.\n" },
                { { "snapshot", "-j" }, "snapshot writes an archive, which has no --json=.\n" },
                { { "import", "driverctl", "-j" },
                  "import prints a configuration, which has no --json=.\n" },
                { { "suggest" },
                  "suggest needs an argument: \"vfio-bindctl suggest NAME DEV...\".\n" },
                { { "list", "gpu" }, "list takes no argument, not even \"gpu\".\n" },
                { { "list", "--prune" }, "list has no option --prune.\n" },
                { { "--dry-run" }, "list has no option --dry-run.\n" },
                { { "--jason=short" }, "Unknown option --jason=short. Did you mean --json?\n" },
                { { "--no-pagers" }, "Unknown option --no-pagers. Did you mean --no-pager?\n" },
                { { "wait", "--timeout=soon" },
                  "--timeout=soon: it is a time like \"90\" (seconds), \"5min\" or "
                  "\"infinity\".\n" },
                { { "wait", "--for=ever" },
                  "--for=ever: it is bound, released, absent or settled.\n" },
                { { "wait", "--root=/" },
                  "wait is about this machine: --root= does not go with it.\n" },
                { { "-x" }, "Unknown option -x. \"vfio-bindctl --help\" lists them.\n" },
                { { "--json" }, "Option --json needs a value.\n" },
                { { "--quiet=yes" }, "Option --quiet takes no value.\n" },
                { { "--json=xml" }, "--json=xml: it is pretty, short or off.\n" },
                { { "--root=" }, "--root= needs a directory.\n" },
                { { "apply", "--root=/" },
                  "apply changes this machine: --root= goes with --dry-run only.\n" },
                { { "l\x1b[2J\n" },
                  "Unknown verb l?[2J . \"vfio-bindctl --help\" lists them.\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                expect(ctl_run(&(CtlRunOptions){}, cases[i].arguments), 2, "", cases[i].message);
}

/* Help is printed as it stands: any terminal can show it. */
static bool is_ascii(const char *text)
{
        for (; *text; text++)
                if ((unsigned char) *text >= 0x80)
                        return false;
        return true;
}

static void test_help(void)
{
        static const char *const words[] = { "list", "apply", "--json=", "--root=", "--no-pager",
                "wait", "--no-legend", "--no-ask-password", "--quiet", "--version" };
        _cleanup_ctl_run_ CtlRun help = CTL_RUN(&(CtlRunOptions){}, "--help");
        _cleanup_ctl_run_ CtlRun version = CTL_RUN(&(CtlRunOptions){}, "--version");

        ASSERT_EQ(help.code, 0);
        ASSERT_STREQ(help.err, "");
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                ASSERT_CONTAINS(help.out, words[i]);
        ASSERT_TRUE(longest_line(help.out) <= 80);
        ASSERT_TRUE(is_ascii(help.out));
        ASSERT_CONTAINS(help.out, "\nCommon options:\n");
        ASSERT_TRUE(!strstr(help.out, "all verbs"));
        ASSERT_EQ(version.code, 0);
        ASSERT_TRUE(strncmp(version.out, "vfio-bindctl ", 13) == 0);
        {
                _cleanup_free_ char *verbs = strdup(help.out);
                char *rest = NULL;

                /* each verb of the list has its own */
                for (char *line = strtok_r(verbs, "\n", &rest);
                        line && !strstr(line, "Common options");
                        line = strtok_r(NULL, "\n", &rest)) {
                        _cleanup_ctl_run_ CtlRun own = {};

                        if (!startswith(line, "  "))
                                continue;
                        line[2 + strcspn(line + 2, " ")] = '\0';
                        own = CTL_RUN(&(CtlRunOptions){}, line + 2, "--help");
                        ASSERT_EQ(own.code, 0);
                        ASSERT_CONTAINS(own.out, line + 2);
                        ASSERT_TRUE(longest_line(own.out) <= 80);
                        ASSERT_TRUE(is_ascii(own.out));
                }
        }
        {
                _cleanup_ctl_run_ CtlRun apply = CTL_RUN(&(CtlRunOptions){}, "apply", "-h");

                ASSERT_EQ(apply.code, 0);
                ASSERT_CONTAINS(apply.out, "vfio-bindctl apply [OPTION...] [CLAIM...]\n");
                ASSERT_CONTAINS(apply.out, "--dry-run");
                ASSERT_TRUE(longest_line(apply.out) <= 80);
        }
}

/* No bus, no daemon: list looks for itself, apply says what to do. */
static void test_without_daemon(void)
{
        _cleanup_ctl_run_ CtlRun run = CTL_RUN(&(CtlRunOptions){}, "apply");

        ASSERT_EQ(run.code, 1);
        ASSERT_STREQ(run.out, "");
        ASSERT_CONTAINS(run.err, "vfio-bindd does not run. Start it with \"systemctl enable");

        /* on whatever machine this is */
        _cleanup_ctl_run_ CtlRun status = CTL_RUN(&(CtlRunOptions){}, "status");

        ASSERT_CONTAINS(status.out, "       Daemon: does not run\n");
}

/* An output that is full is no success. */
static void test_full_output(void)
{
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, machine, config);
        f.options.out_path = "/dev/full";
        expect(CTL_RUN(&f.options, "list", f.root), 1, "",
                "Cannot write the output: No space left on device.\n");
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 2);
        ctl_run_set_program(argv[1]);
        test_list();
        test_legend();
        test_terminals();
        test_json();
        test_json_content();
        test_dry_run();
        test_dry_run_writes_nothing();
        test_config_errors();
        test_kernel_command_line();
        test_hostile_tree();
        test_nothing();
        test_no_tree();
        test_usage();
        test_help();
        test_without_daemon();
        test_full_output();
        return 0;
}
