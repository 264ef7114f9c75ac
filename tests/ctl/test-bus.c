/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl-bus.h"
#include "lib/fake-sysfs.h"
#include "util/strings.h"

/* The program and the daemon's real D-Bus side, over a private message bus; behind it a manager
 * that answers as the test says. */

static const char config[] =
        "claim lab-nic 0000:02:00.0\n"
        "claim gaming-gpu 0000:01:00.0\n"
        "claim scratch-nvme path=0000:00:1d.0/00.0\n";
static const char machine[] =
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=nouveau "
        "model=GA104_[GeForce_RTX_3070_Ti]\n"
        "0000:01:00.1 id=10de:228b class=040300 group=14 driver=snd_hda_intel "
        "model=GA104_High_Definition_Audio\n"
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3 model=BCM5720\n"
        "use 0000:02:00.0 network eno1 carries the default route\n";
static const char machine_bound[] =
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=vfio-pci\n"
        "0000:01:00.1 id=10de:228b class=040300 group=14 driver=vfio-pci\n"
        "0000:02:00.0 id=14e4:165f class=020000 group=75 driver=tg3\n"
        "use 0000:02:00.0 network eno1 carries the default route\n"
        "record 0000:01:00.0 state=bound claim=gaming-gpu provenance=taken from=nouveau\n"
        "record 0000:01:00.1 state=bound claim=gaming-gpu provenance=taken from=snd_hda_intel\n";

#define USE                                                                                        \
        "eno1 carries the default route. Stop using it and run \"vfio-bindctl apply\", or add "   \
        "Exclude=0000:02:00.0, or AllowInUse=network if the host can do without it "              \
        "(/etc/vfio-bind.conf:1)."

static void test_list(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, machine);
        f.options.columns = 70;
        ctl_expect(CTL_RUN(&f.options, "list"), 0,
                "CLAIM         STATE    GROUP  DEVICE        DRIVER         NAME\n"
                "lab-nic       refused  75     0000:02:00.0  tg3            BCM5720\n"
                "  in-use-network: eno1 carries the default route. Stop using it and\n"
                "  run \"vfio-bindctl apply\", or add Exclude=0000:02:00.0, or\n"
                "  AllowInUse=network if the host can do without it\n"
                "  (/etc/vfio-bind.conf:1).\n"
                "gaming-gpu    pending  14     0000:01:00.0  nouveau        GA104 [GeF…\n"
                "                              0000:01:00.1  snd_hda_intel  GA104 High…\n"
                "  needs-apply: a host driver has it; \"vfio-bindctl apply\" takes it\n"
                "  unless the host uses it (/etc/vfio-bind.conf:2)\n"
                "scratch-nvme  absent   -      -             -              path=0000:…\n"
                "\n"
                "3 claims: 1 pending, 1 refused, 1 absent. \"vfio-bindctl explain DEV\"\n"
                "  tells why.\n",
                "");
        {
                _cleanup_ctl_run_ CtlRun run = {};

                f.options.columns = 0;
                run = CTL_RUN(&f.options, "-j");
                ASSERT_TRUE(is_json(run.out, "list"));
                ASSERT_CONTAINS(run.out, "\"State\":\"running\",\"ConfigurationErrors\":[],"
                                         "\"Claims\":[{\"Name\":\"lab-nic\",");
                ASSERT_CONTAINS(run.out, "\"Source\":[\"/etc/vfio-bind.conf\",3],"
                                         "\"Selectors\":[\"path=0000:00:1d.0/00.0\"],"
                                         "\"Missing\":[\"path=0000:00:1d.0/00.0\"]");
        }
}

/* Rules of the bus as they were before there were lists. */
static void deny_lists(const MessageBus *bus)
{
        char path[128];
        FILE *file;

        (void) snprintf(path, sizeof(path), "%s/configuration", bus->directory);
        file = fopen(path, "r+e");
        ASSERT_TRUE(file);
        ASSERT_OK(fseek(file, -(long) strlen("</busconfig>\n"), SEEK_END));
        fprintf(file, "<policy context=\"mandatory\"><deny send_interface=\"%s\" "
                      "send_member=\"ListClaims\"/></policy>\n</busconfig>\n",
                BUS_INTERFACE_MANAGER);
        ASSERT_OK(fclose(file));
}

/* Then everything is asked for. */
static void test_list_during_an_upgrade(void)
{
        _cleanup_ctl_run_ CtlRun before = {}, after = {};
        _cleanup_ctl_bus_ CtlBus f, denied;

        ctl_bus_init_bus(&f);
        f.config = config;
        ctl_bus_init_bus(&denied);
        denied.config = config;
        deny_lists(&denied.message_bus);
        message_bus_start(&f.message_bus);
        message_bus_start(&denied.message_bus);
        ctl_bus_publish(&f, machine);
        ctl_bus_publish(&denied, machine);
        ctl_bus_serve(&f, getuid());
        ctl_bus_serve(&denied, getuid());
        after = CTL_RUN(&f.options, "list", "--json=pretty");
        before = CTL_RUN(&denied.options, "list", "--json=pretty");
        ASSERT_EQ(before.code, 0);
        ASSERT_STREQ(before.err, "");
        ASSERT_STREQ(before.out, after.out);
}

/* From "Claims" on; what stands before tells that one is the daemon's. */
static const char *claims_of(const CtlRun *run)
{
        const char *claims = strstr(run->out, "\"Claims\"");

        ASSERT_TRUE(claims);
        return claims;
}

/* Lines of the configuration are counted in another way by the daemon that is made from text. */
static void count_lines_alike(char *text)
{
        for (char *p = text; (p = strstr(p, "vfio-bind.conf:1")); p++)
                p[strlen("vfio-bind.conf:")] = '2';
        for (char *p = text; (p = strstr(p, "\"Line\":1")); p++)
                p[strlen("\"Line\":")] = '2';
}

static void compare_verbs(CtlBus *f, const char *root)
{
        static const char *const commands[][4] = {
                { "groups", "-j" },
                { "plan", "-j" },
                { "explain", "-j", "02:00.0" },
                { "explain", "--no-legend", "01:00.1" },
        };

        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                const char *arguments[5] = { commands[i][0], commands[i][1], commands[i][2] };
                _cleanup_ctl_run_ CtlRun asked = ctl_run(&f->options, arguments), seen = {};

                arguments[commands[i][2] ? 3 : 2] = root;
                seen = ctl_run(&f->options, arguments);
                ASSERT_EQ(asked.code, seen.code);
                count_lines_alike(asked.out);
                ASSERT_STREQ(seen.out, asked.out);
        }
}

/* The daemon and the program itself say the same of the same machine. */
static void test_same_model(void)
{
        static const char same_machine[] =
                "0000:01:00.0 id=f00d:2482 class=030000 group=14 driver=vfio-pci\n"
                "0000:01:00.1 id=f00d:228b class=040300 group=14 driver=xhci_hcd\n"
                "0000:02:00.0 id=f00d:165f class=ff0000 group=75 driver=tg3\n"
                "0000:04:00.0 id=f00d:0001 class=ff0000\n";
        static const char *const selectors[] = {
                "0000:01:00.0", "0000:02:00.0", "0000:04:00.0", "0000:05:00.0",
                "0000:02:00.0 expect=f00d:0001", "id=f00d:228b",
        };

        for (size_t i = 0; i < ELEMENTSOF(selectors); i++) {
                _cleanup_fake_sysfs_ FakeSysfs *fake = fake_sysfs_new();
                _cleanup_ctl_bus_ CtlBus f;
                _cleanup_free_ char *root = NULL, *line = NULL, *file = NULL;
                _cleanup_ctl_run_ CtlRun asked = {}, seen = {};

                ASSERT_OK(format_string(&line, "claim c %s\n", selectors[i]));
                ASSERT_OK(format_string(&file, "[Claim c]\nMatch=%s\n", selectors[i]));
                ASSERT_OK(format_string(&root, "--root=%s", fake->root));
                fake_sysfs_add(fake, same_machine);
                fake_sysfs_write(fake, "etc/vfio-bind.conf", file);

                ctl_bus_init_bus(&f);
                message_bus_start(&f.message_bus);
                fake_manager_publish(&f.manager, fake_view_new(line, same_machine));
                ctl_bus_serve(&f, getuid());
                asked = CTL_RUN(&f.options, "-j");
                seen = CTL_RUN(&f.options, "-j", root);
                ASSERT_EQ(asked.code, 0);
                ASSERT_EQ(seen.code, 0);
                count_lines_alike(asked.out);
                ASSERT_STREQ(claims_of(&seen), claims_of(&asked));
                compare_verbs(&f, root);
        }
}

static void test_list_before_the_first_scan(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init_bus(&f);
        message_bus_start(&f.message_bus);
        ctl_bus_serve(&f, getuid());
        ctl_expect(CTL_RUN(&f.options, "list"), 0, "0 claims.\nvfio-bindd is starting.\n", "");
}

static void test_apply(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, machine);
        /* this manager gives one outcome to every function that has a claim */
        f.machine_after = machine_bound;
        f.state = STATE_BOUND;
        ctl_expect(CTL_RUN(&f.options, "apply", "gaming-gpu", "--prune"), 0,
                "0000:01:00.0 (10de:2482) bound to vfio-pci, taken from nouveau.\n"
                "0000:01:00.1 (10de:228b) bound to vfio-pci, taken from snd_hda_intel.\n"
                "0000:02:00.0 (14e4:165f) bound to tg3.\n",
                "");
        ASSERT_EQ(string_list_length(f.claims_asked), 1);
        ASSERT_STREQ(f.claims_asked[0], "gaming-gpu");
        ASSERT_TRUE(f.prune_asked);
        /* nothing changes the second time */
        f.machine_after = NULL;
        ctl_expect(CTL_RUN(&f.options, "apply", "gaming-gpu"), 0,
                "0000:02:00.0 (14e4:165f) bound to tg3.\n", "");
        ASSERT_TRUE(!f.prune_asked);
        ASSERT_EQ(f.manager.n_applies, 2);
}

/* The next boot goes by the initramfs, so whoever applies a changed configuration is told. */
static void test_apply_tells_of_the_initramfs(void)
{
        static const struct {
                const char *state, *err;
        } cases[] = {
                { "stale",
                        "The initramfs holds another configuration, or another "
                        "vfio-bindd, than the system, and the next boot begins with that. Run "
                        "\"/usr/lib/vfio-bindd/rebuild-initramfs\".\n" },
                { "missing",
                        "The initramfs has no vfio-bindd: host drivers that it loads "
                        "come first at the next boot. Run "
                        "\"/usr/lib/vfio-bindd/rebuild-initramfs\".\n" },
                { "current", "" },
                { "unused", "" },
                { "unknown", "" },
        };
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, machine_bound);
        f.state = STATE_BOUND;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                View *view = fake_view_new(config, machine_bound);

                view->initramfs_state = cases[i].state;
                fake_manager_publish(&f.manager, view);
                ctl_expect(CTL_RUN(&f.options, "apply", "gaming-gpu"), 0,
                        "0000:02:00.0 (14e4:165f) bound to tg3.\n", cases[i].err);
                /* it is no failure, and no news for programs or for those who want no news */
                ctl_expect(CTL_RUN(&f.options, "apply", "--quiet", "gaming-gpu"), 0, "", "");
        }
}

/* What the last resort of an initramfs did, and what can be done now. */
static void test_gave_back(void)
{
        static const char machine_gave_back[] =
                "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=nouveau\n"
                "0000:01:00.1 id=10de:228b class=040300 group=14 driver=snd_hda_intel\n"
                "record 0000:01:00.0 state=gave-back manual=released\n";
        static const char line[] = "claim gaming-gpu address=0000:01:00.0\n";
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, line, machine_gave_back);
        {
                _cleanup_ctl_run_ CtlRun list = CTL_RUN(&f.options, "list");
                _cleanup_ctl_run_ CtlRun status = CTL_RUN(&f.options, "status", "01:00.0");
                _cleanup_ctl_run_ CtlRun groups = CTL_RUN(&f.options, "groups");

                ASSERT_CONTAINS(list.out, "gave-back");
                ASSERT_CONTAINS(list.out, "\n  gave-back: the initramfs gave 0000:01:00.0 back "
                                          "because it did not find its root. \"vfio-bindctl "
                                          "bind 0000:01:00.0\"");
                ASSERT_CONTAINS(status.out, "\n       Reason: gave-back: the initramfs gave "
                                            "0000:01:00.0 back because it did not find its root.");
                ASSERT_CONTAINS(groups.out, "gave-back: the initramfs gave 0000:01:00.0 back "
                                            "because it did not find its root.");
        }
}

static void test_apply_refused(void)
{
        static const struct {
                State state;
                Reason reason;
                int code;
        } cases[] = {
                { STATE_REFUSED, REASON_IN_USE_NETWORK, 3 },
                { STATE_FAILED, REASON_PROBE_FAILED, 1 },
                { STATE_STUCK, REASON_WORKER_TIMEOUT, 5 },
                { STATE_BINDING, REASON_NONE, 5 },
        };
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, machine);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_ctl_run_ CtlRun run = {}, json = {};

                f.state = cases[i].state;
                f.reason = cases[i].reason;
                run = CTL_RUN(&f.options, "apply", "gaming-gpu");
                ASSERT_EQ(run.code, cases[i].code);
                ASSERT_STREQ(run.out, "");
                ASSERT_CONTAINS(run.err, "0000:01:00.0 (10de:2482) ");
                if (cases[i].state == STATE_REFUSED)
                        ASSERT_CONTAINS(run.err, "0000:02:00.0 (14e4:165f) not bound: " USE "\n");
                json = CTL_RUN(&f.options, "apply", "-j", "gaming-gpu");
                ASSERT_EQ(json.code, cases[i].code);
                ASSERT_STREQ(json.err, "");
                ASSERT_TRUE(is_json(json.out, "apply"));
                ASSERT_CONTAINS(json.out, state_to_string(cases[i].state));
        }
}

static void test_apply_errors(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, machine);
        ctl_expect(CTL_RUN(&f.options, "apply", "gaming-gp"), 4, "",
                "No claim gaming-gp. Did you mean gaming-gpu?\n");
        ASSERT_EQ(f.manager.n_applies, 0);
        f.manager.apply_result = -EBUSY;
        ctl_expect(CTL_RUN(&f.options, "apply"), 1, "",
                "vfio-bindd says: A group concerned is being worked on already.\n");
        f.manager.apply_result = 0;
        f.error = -ENOENT;
        ctl_expect(CTL_RUN(&f.options, "apply"), 4, "",
                "vfio-bindd says: What the request is about does not exist any more.\n");
        f.vanish = true;
        ctl_expect(CTL_RUN(&f.options, "apply"), 1, "",
                "vfio-bindd went away without an answer. \"vfio-bindctl list\" shows how far it "
                "came.\n");
}

/* A caller who is not trusted: asked for a password unless that is forbidden. */
static void test_apply_authorization(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init_bus(&f);
        message_bus_start(&f.message_bus);
        fake_manager_publish(&f.manager, fake_view_new(config, machine));
        ctl_bus_serve(&f, getuid() + 1);
        f.polkit_connection = message_bus_client(&f.message_bus, f.event);
        fake_polkit_init(&f.polkit, f.polkit_connection);
        message_bus_wait_for_name(f.event, f.client, POLKIT_NAME, true);
        f.state = STATE_BOUND;

        f.polkit.answer = FAKE_ALLOW;
        for (unsigned i = 0; i < 2; i++) {
                _cleanup_ctl_run_ CtlRun run =
                        CTL_RUN(&f.options, "apply", i == 0 ? "--quiet" : "--no-ask-password");

                ASSERT_EQ(run.code, 0);
                ASSERT_EQ(f.polkit.flags, i == 0 ? 1 : 0);
                ASSERT_STREQ(f.polkit.action, BUS_ACTION_APPLY);
                ASSERT_EQ(f.manager.n_applies, i + 1);
        }
        f.polkit.answer = FAKE_DENY;
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "apply");

                ASSERT_EQ(run.code, 1);
                ASSERT_CONTAINS(run.err, "Not allowed: ");
                ASSERT_EQ(f.manager.n_applies, 2);
        }
        /* reading is open to all */
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "list");

                ASSERT_EQ(run.code, 0);
                ASSERT_EQ(f.polkit.n_asked, 3);
        }
}

/* Somebody has the daemon's name and says nothing. */
static void test_silent_daemon(void)
{
        _cleanup_ctl_bus_ CtlBus f;
        sd_bus *silent;

        ctl_bus_init_bus(&f);
        message_bus_start(&f.message_bus);
        f.client = message_bus_client(&f.message_bus, f.event);
        silent = message_bus_client(&f.message_bus, f.event);
        ASSERT_TRUE(sd_bus_request_name_async(silent, NULL, BUS_NAME, 0, NULL, NULL) >= 0);
        message_bus_wait_for_name(f.event, f.client, BUS_NAME, true);
        ASSERT_TRUE(sd_bus_detach_event(silent) >= 0);

        f.environment[2] = "SYSTEMD_BUS_TIMEOUT=200ms";
        ctl_expect(CTL_RUN(&f.options, "list"), 5, "",
                "Cannot ask vfio-bindd: Connection timed out.\n");
        ctl_expect(CTL_RUN(&f.options, "apply"), 5, "",
                "No answer from vfio-bindd. What it does goes on; \"vfio-bindctl list\" shows "
                "it.\n");
        sd_bus_close_unref(silent);
}

static void test_dry_run(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f, config, machine);
        ctl_expect(CTL_RUN(&f.options, "apply", "--dry-run"), 3,
                "0000:01:00.0 (10de:2482) would be bound to vfio-pci, taken from nouveau.\n"
                "0000:01:00.1 (10de:228b) would be bound to vfio-pci, taken from snd_hda_intel.\n",
                "0000:02:00.0 (14e4:165f) would not be bound: " USE "\n");
        ASSERT_TRUE(!f.manager.planned_prune);
        ctl_expect(CTL_RUN(&f.options, "apply", "--dry-run", "--prune", "gaming-gpu"), 0,
                "0000:01:00.0 (10de:2482) would be bound to vfio-pci, taken from nouveau.\n"
                "0000:01:00.1 (10de:228b) would be bound to vfio-pci, taken from snd_hda_intel.\n",
                "");
        ASSERT_TRUE(f.manager.planned_prune && !f.manager.planned_next_boot);
        {
                _cleanup_ctl_run_ CtlRun run =
                        CTL_RUN(&f.options, "plan", "--next-boot", "--exit-code");

                ASSERT_EQ(run.code, 3);
                ASSERT_TRUE(!f.manager.planned_prune && f.manager.planned_next_boot);
        }
        ASSERT_EQ(f.manager.n_applies, 0);
}

/* By what the daemon shows of them. */
static void test_physical_functions(void)
{
        _cleanup_ctl_bus_ CtlBus f;

        ctl_bus_init(&f,
                "pf nic0 4 0000:06:00.0\n"
                "pf nic1 9 0000:06:00.1\n"
                "pf nic2 2 0000:07:00.0\n",
                "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=0\n"
                "0000:06:00.1 id=8086:10c9 class=020000 group=21 driver=igb vfs=7 autoprobe=0\n");
        ctl_expect(CTL_RUN(&f.options, "plan", "--exit-code"), 3,
                "PhysicalFunction nic0 (0000:06:00.0): NumVFs=4 would be written.\n"
                "PhysicalFunction nic1 (0000:06:00.1): vfs-fewer-than-asked: NumVFs=9 is asked of "
                "0000:06:00.1, which has 7 at most (/etc/vfio-bind.conf:2).\n"
                "\n"
                "1 change, 1 refused. \"vfio-bindctl apply\" makes them.\n",
                "");
        ctl_expect(CTL_RUN(&f.options, "plan", "--next-boot", "--no-legend"), 0,
                "PhysicalFunction nic1 (0000:06:00.1): vfs-fewer-than-asked: NumVFs=9 is asked of "
                "0000:06:00.1, which has 7 at most (/etc/vfio-bind.conf:2).\n",
                "");
        ctl_expect(CTL_RUN(&f.options, "apply", "--dry-run"), 3,
                "PhysicalFunction nic0 (0000:06:00.0): NumVFs=4 would be written.\n",
                "PhysicalFunction nic1 (0000:06:00.1): vfs-fewer-than-asked: NumVFs=9 is asked of "
                "0000:06:00.1, which has 7 at most (/etc/vfio-bind.conf:2).\n");
        {
                _cleanup_ctl_run_ CtlRun run = CTL_RUN(&f.options, "plan", "-j");

                ASSERT_TRUE(is_json(run.out, "plan"));
                ASSERT_CONTAINS(run.out, "\"Name\":\"nic0\",\"Source\":[\"/etc/vfio-bind.conf\",1],"
                                         "\"Device\":\"0000:06:00.0\",\"Requested\":\"4\","
                                         "\"TotalVFs\":7,\"NumVFs\":0,\"State\":\"pending\",");
                ASSERT_CONTAINS(run.out, "\"SetNumVFs\":4,");
        }

        /* another number is refused until somebody asks for it */
        ctl_bus_publish(&f,
                "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=0\n"
                "0000:06:10.0 id=8086:10ca class=020000 group=22 driver=igbvf pf=0000:06:00.0 "
                "vf=0\n");
        ctl_expect(CTL_RUN(&f.options, "plan", "--exit-code"), 6,
                "PhysicalFunction nic0 (0000:06:00.0): NumVFs=4 would be written in place of the 1 "
                "that are there, if none is in use.\n"
                "\n"
                "1 change, 0 refused. \"vfio-bindctl apply\" makes them.\n",
                "");
        ctl_expect(CTL_RUN(&f.options, "plan", "--next-boot", "--no-legend"), 0, "", "");
}

/* A bus that could start the daemon is never asked to. */
static void make_activatable(const MessageBus *bus, char started[static 96])
{
        char path[128];
        FILE *file;

        (void) snprintf(started, 96, "%s/started", bus->directory);
        (void) snprintf(path, sizeof(path), "%s/configuration", bus->directory);
        file = fopen(path, "we");
        ASSERT_TRUE(file);
        fprintf(file,
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration "
                "1.0//EN\"\n"
                " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                "<busconfig><listen>%s</listen><auth>EXTERNAL</auth>"
                "<servicedir>%s</servicedir>"
                "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
                "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>\n",
                bus->address, bus->directory);
        ASSERT_OK(fclose(file));
        (void) snprintf(path, sizeof(path), "%s/%s.service", bus->directory, BUS_NAME);
        file = fopen(path, "we");
        ASSERT_TRUE(file);
        /* makes it, then fails, so that the bus gives up at once */
        fprintf(file, "[D-BUS Service]\nName=%s\nExec=/bin/mkdir %s %s\n", BUS_NAME, started,
                started);
        ASSERT_OK(fclose(file));
}

static void test_never_starts_the_daemon(void)
{
        _cleanup_ctl_bus_ CtlBus f;
        char started[96], path[128];

        ctl_bus_init_bus(&f);
        make_activatable(&f.message_bus, started);
        message_bus_start(&f.message_bus);
        f.client = message_bus_client(&f.message_bus, f.event);
        message_bus_wait_for_name(f.event, f.client, BUS_NAME, false);
        {
                _cleanup_ctl_run_ CtlRun list = CTL_RUN(&f.options, "list");
                _cleanup_ctl_run_ CtlRun plan = CTL_RUN(&f.options, "apply", "--dry-run");
                _cleanup_ctl_run_ CtlRun apply = CTL_RUN(&f.options, "apply");

                ASSERT_EQ(list.code, 0);
                ASSERT_CONTAINS(list.out, "vfio-bindd does not run: read from /sys");
                ASSERT_TRUE(!strstr(plan.err, "does not run"));
                ASSERT_EQ(apply.code, 1);
                ASSERT_CONTAINS(apply.err, "vfio-bindd does not run. Start it with");
        }
        ASSERT_TRUE(access(started, F_OK) < 0);
        /* whereas an ordinary call does start it */
        sd_bus_message_unref(test_call(f.event, f.client,
                test_call_new(f.client, BUS_NAME, BUS_ROOT, BUS_INTERFACE_MANAGER, "Reload",
                        "")));
        ASSERT_OK(access(started, F_OK));
        ASSERT_OK(rmdir(started));
        (void) snprintf(path, sizeof(path), "%s/%s.service", f.message_bus.directory, BUS_NAME);
        ASSERT_OK(unlink(path));
}

int main(int argc, char **argv)
{
        ASSERT_EQ(argc, 3);
        ctl_run_set_program(argv[1]);
        ctl_bus_set_policy(argv[2]);
        test_list();
        test_list_during_an_upgrade();
        test_same_model();
        test_list_before_the_first_scan();
        test_apply();
        test_apply_tells_of_the_initramfs();
        test_gave_back();
        test_apply_refused();
        test_apply_errors();
        test_apply_authorization();
        test_silent_daemon();
        test_dry_run();
        test_physical_functions();
        test_never_starts_the_daemon();
        return 0;
}
