/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scenarios.h"

#include <errno.h>

#include "lib/test.h"
#include "util/buffer.h"
#include "util/strings.h"

/* A GPU with its sound function, behind a root port: the usual group. */
#define GPU                                                                                        \
        "0000:00:01.0 id=8086:1901 class=060400 group=14 driver=pcieport bridge\n"

#define GPU_TAKEN                                                                                  \
        GPU                                                                                        \
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=nouveau host-driver=nouveau\n"     \
        "0000:01:00.1 id=10de:228b class=040300 group=14 driver=snd_hda_intel "                    \
        "host-driver=snd_hda_intel\n"

#define GPU_FREE                                                                                   \
        GPU                                                                                        \
        "0000:01:00.0 id=10de:2482 class=030000 group=14 host-driver=nouveau\n"                    \
        "0000:01:00.1 id=10de:228b class=040300 group=14 host-driver=snd_hda_intel\n"

#define GPU_BOUND                                                                                  \
        GPU                                                                                        \
        "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=vfio-pci host-driver=nouveau\n"    \
        "0000:01:00.1 id=10de:228b class=040300 group=14 driver=vfio-pci "                         \
        "host-driver=snd_hda_intel\n"

#define GPU_PLAN                                                                                   \
        "0000:01:00.0 bind vfio-pci\n"                                                             \
        "0000:01:00.1 bind vfio-pci companion\n"

#define VFS                                                                                        \
        "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=0\n"           \
        "0000:06:10.0 id=8086:10ca class=020000 group=21 pf=0000:06:00.0 vf=0 host-driver=igbvf"

static void set_overrides(FakeKernel *kernel)
{
        for (size_t i = 0; i < kernel->n_functions; i++) {
                FakeFunction *function = &kernel->functions[i];

                if (driver_is_vfio(function->driver)) {
                        strcpy(function->override, function->driver);
                        strcpy(function->record.original_power_control, "on");
                        strcpy(function->record.target_driver, function->driver);
                        function->linked = true;
                        if (function->group >= 0)
                                kernel->node_is_set[function->group] = true;
                }
        }
}

/* As a worker leaves it that was killed after it had bound the host's driver under an override. */
static void set_half_given(FakeKernel *kernel)
{
        FakeFunction *vf = fake_kernel_function(kernel, "0000:06:10.0");

        strcpy(vf->override, vf->driver[0] ? vf->driver : "igbvf");
        vf->record = (FakeRecord){ .has_original = true };
}

static void set_recorded_autoprobe(FakeKernel *kernel)
{
        FakeFunction *pf = fake_kernel_function(kernel, "0000:06:00.0");

        set_overrides(kernel);
        if (pf->record.exists)
                strcpy(pf->record.original_power_control, "on");
        pf->record.has_original = true;
        strcpy(pf->record.original_driver, "igb");
        strcpy(pf->record.original_autoprobe, "1");
}

static void set_old_override(FakeKernel *kernel)
{
        strcpy(fake_kernel_function(kernel, "0000:01:00.0")->override, "something");
        strcpy(fake_kernel_function(kernel, "0000:01:00.0")->power_control, "auto");
}

static void set_not_ready(FakeKernel *kernel)
{
        for (size_t i = 0; i < kernel->n_functions; i++)
                kernel->functions[i].not_ready = kernel->functions[i].driver[0] == '\0';
}

static void set_faster(FakeKernel *kernel)
{
        fake_kernel_add_driver(kernel, "e1000e", true);
        strcpy(fake_kernel_function(kernel, "0000:05:00.0")->attached_at_write, "e1000e");
}

static void set_detached(FakeKernel *kernel)
{
        strcpy(fake_kernel_function(kernel, "0000:01:00.0")->override, "vfio-pci");
        strcpy(fake_kernel_function(kernel, "0000:01:00.0")->record.target_driver, "vfio-pci");
        strcpy(fake_kernel_function(kernel, "0000:01:00.1")->override, DETACHED_OVERRIDE);
}

static void set_adopted(FakeKernel *kernel)
{
        set_overrides(kernel);
        for (size_t i = 0; i < kernel->n_functions; i++) {
                kernel->functions[i].override_may_differ = true;
                strcpy(kernel->functions[i].record.original_power_control, "auto");
        }
}

static void set_open_group(FakeKernel *kernel)
{
        set_overrides(kernel);
        strcpy(fake_kernel_function(kernel, "0000:01:00.0")->open_by, "1234 (qemu)");
}

static void add_variant(FakeKernel *kernel)
{
        set_overrides(kernel);
        fake_kernel_add_driver(kernel, "mlx5-vfio-pci", false);
}

static void refuse_sound(FakeKernel *kernel)
{
        FakeFunction *sound = fake_kernel_function(kernel, "0000:01:00.1");

        set_overrides(kernel);
        set_old_override(kernel);
        strcpy(sound->refused_by, "vfio-pci");
        sound->refusal = -EINVAL;
}

static void refuse_reclaim(FakeKernel *kernel)
{
        FakeFunction *gpu = fake_kernel_function(kernel, "0000:01:00.0");

        set_overrides(kernel);
        strcpy(gpu->record.target_driver, "vfio-pci");
        strcpy(gpu->record.original_power_control, "on");
        strcpy(gpu->refused_by, "vfio-pci");
        gpu->refusal = -EINVAL;
}

/* Somebody unbound it with nothing but that. */
static void refuse_unbound(FakeKernel *kernel)
{
        refuse_reclaim(kernel);
        strcpy(fake_kernel_function(kernel, "0000:01:00.0")->override, "vfio-pci");
        fake_kernel_driver(kernel, "nouveau")->registered = true;
}

static void refuse_virtual_function(FakeKernel *kernel)
{
        FakeFunction *vf = fake_kernel_function(kernel, "0000:06:10.0");

        strcpy(vf->refused_by, "vfio-pci");
        vf->refusal = -EINVAL;
}

static void refuse_host_driver(FakeKernel *kernel)
{
        FakeFunction *vf = fake_kernel_function(kernel, "0000:06:10.0");

        strcpy(vf->refused_by, "igbvf");
        vf->refusal = -EIO;
}

static void refuse_release(FakeKernel *kernel)
{
        FakeFunction *sound = fake_kernel_function(kernel, "0000:01:00.1");

        set_overrides(kernel);
        strcpy(sound->refused_by, "snd_hda_intel");
        sound->refusal = -EIO;
}

const Scenario scenarios[] = {
        {
                "undo-bind", GPU_TAKEN, GPU_PLAN, STAGE_RUNTIME, refuse_sound, true,
        },
        {
                "undo-reclaim",
                GPU
                "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=nouveau "
                "host-driver=nouveau\n"
                "0000:01:00.1 id=10de:228b class=040300 group=14 driver=vfio-pci "
                "host-driver=snd_hda_intel\n"
                "record 0000:01:00.0 state=bound provenance=taken from=nouveau claim=gpu\n"
                "record 0000:01:00.1 state=bound provenance=taken from=snd_hda_intel claim=gpu\n",
                "0000:01:00.0 bind vfio-pci\n", STAGE_RUNTIME, refuse_reclaim, true,
        },
        {
                "undo-bind-of-unbound",
                GPU
                "0000:01:00.0 id=10de:2482 class=030000 group=14 "
                "host-driver=nouveau\n"
                "0000:01:00.1 id=10de:228b class=040300 group=14 driver=vfio-pci "
                "host-driver=snd_hda_intel\n"
                "record 0000:01:00.0 state=bound provenance=taken from=nouveau claim=gpu\n"
                "record 0000:01:00.1 state=bound provenance=taken from=snd_hda_intel claim=gpu\n",
                "0000:01:00.0 bind vfio-pci\n", STAGE_RUNTIME, refuse_unbound, true,
                "nouveau",
        },
        {
                "undo-bind-virtual-function", VFS " driver=igbvf\n",
                "0000:06:10.0 bind vfio-pci\n", STAGE_RUNTIME, refuse_virtual_function, true,
        },
        {
                "undo-release",
                GPU_BOUND
                "record 0000:01:00.0 state=bound provenance=taken from=nouveau claim=gpu\n"
                "record 0000:01:00.1 state=bound provenance=taken from=snd_hda_intel claim=gpu\n",
                "0000:01:00.0 release nouveau\n"
                "0000:01:00.1 release snd_hda_intel companion\n", STAGE_RUNTIME, refuse_release,
                true,
        },
        {
                "bind-taken", GPU_TAKEN, GPU_PLAN, STAGE_RUNTIME, set_old_override,
        },
        {
                "bind-clean", GPU_FREE, GPU_PLAN, STAGE_INITRD, NULL,
        },
        {
                "bind-half-taken",
                GPU
                "0000:01:00.0 id=10de:2482 class=030000 group=14 host-driver=nouveau\n"
                "0000:01:00.1 id=10de:228b class=040300 group=14 driver=snd_hda_intel "
                "host-driver=snd_hda_intel\n",
                GPU_PLAN, STAGE_BOOT, NULL,
        },
        {
                "bind-hotplug",
                "0000:05:00.0 id=8086:10d3 class=020000 group=30 host-driver=e1000e\n",
                "0000:05:00.0 bind vfio-pci fresh\n", STAGE_RUNTIME, NULL,
        },
        {
                "bind-hotplug-window",
                "0000:05:00.0 id=8086:10d3 class=020000 group=30 host-driver=e1000e\n",
                "0000:05:00.0 bind vfio-pci fresh\n", STAGE_RUNTIME, set_not_ready,
        },
        {
                "bind-hotplug-lost",
                "0000:05:00.0 id=8086:10d3 class=020000 group=30 host-driver=e1000e\n",
                "0000:05:00.0 bind vfio-pci fresh\n", STAGE_RUNTIME, set_faster,
        },
        {
                "bind-virtual-function", VFS " driver=igbvf\n", "0000:06:10.0 bind vfio-pci\n",
                STAGE_RUNTIME, NULL,
        },
        {
                "bind-joined",
                GPU
                "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=vfio-pci\n"
                "0000:01:00.1 id=10de:228b class=040300 group=14 host-driver=snd_hda_intel\n"
                "record 0000:01:00.0 state=bound provenance=clean claim=gpu\n",
                "0000:01:00.1 bind vfio-pci fresh companion\n", STAGE_RUNTIME, set_open_group,
        },
        {
                "bind-other-driver",
                "0000:07:00.0 id=15b3:101e class=020000 group=31 driver=vfio-pci "
                "host-driver=mlx5_core\n"
                "record 0000:07:00.0 state=bound provenance=taken from=mlx5_core claim=gpu\n",
                "0000:07:00.0 bind mlx5-vfio-pci\n", STAGE_RUNTIME, add_variant,
        },
        {
                "detach", GPU_TAKEN,
                "0000:01:00.0 bind vfio-pci\n"
                "0000:01:00.1 detach - companion\n", STAGE_RUNTIME, NULL,
        },
        {
                "hold",
                GPU
                "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=vfio-pci\n"
                "0000:01:00.1 id=10de:228b class=040300 group=14 host-driver=snd_hda_intel\n"
                "record 0000:01:00.0 state=bound provenance=clean claim=gpu\n",
                "0000:01:00.1 hold - fresh\n", STAGE_RUNTIME, set_open_group,
        },
        {
                "adopt", GPU_BOUND,
                "0000:01:00.0 adopt vfio-pci\n"
                "0000:01:00.1 adopt vfio-pci companion\n", STAGE_RUNTIME, set_overrides,
        },
        {
                "release-taken",
                GPU_BOUND
                "record 0000:01:00.0 state=bound provenance=taken from=nouveau claim=gpu\n"
                "record 0000:01:00.1 state=bound provenance=taken from=snd_hda_intel claim=gpu\n",
                "0000:01:00.0 release nouveau manual=released\n"
                "0000:01:00.1 release snd_hda_intel companion manual=released\n",
                STAGE_RUNTIME, set_overrides,
        },
        {
                "release-clean",
                GPU_BOUND
                "record 0000:01:00.0 state=bound provenance=clean claim=gpu\n"
                "record 0000:01:00.1 state=bound provenance=clean claim=gpu\n",
                "0000:01:00.0 release -\n"
                "0000:01:00.1 release - companion\n", STAGE_RUNTIME, set_overrides,
        },
        {
                "release-no-probe",
                GPU_BOUND
                "record 0000:01:00.0 state=bound provenance=taken from=nouveau claim=gpu\n"
                "record 0000:01:00.1 state=bound provenance=clean claim=gpu\n",
                "0000:01:00.0 release - no-probe manual=released\n"
                "0000:01:00.1 release - companion no-probe manual=released\n",
                STAGE_RUNTIME, set_overrides,
        },
        {
                "release-adopted",
                GPU_BOUND
                "record 0000:01:00.0 state=bound provenance=adopted from=vfio-pci claim=gpu\n"
                "record 0000:01:00.1 state=bound provenance=adopted from=vfio-pci claim=gpu\n",
                "0000:01:00.0 release vfio-pci\n"
                "0000:01:00.1 release vfio-pci companion\n", STAGE_RUNTIME, set_adopted,
        },
        {
                "release-detached",
                GPU
                "0000:01:00.0 id=10de:2482 class=030000 group=14 driver=vfio-pci "
                "host-driver=nouveau\n"
                "0000:01:00.1 id=10de:228b class=040300 group=14 host-driver=snd_hda_intel\n"
                "record 0000:01:00.0 state=bound provenance=clean claim=gpu\n"
                "record 0000:01:00.1 state=detached provenance=taken from=snd_hda_intel\n",
                "0000:01:00.0 release -\n"
                "0000:01:00.1 release snd_hda_intel companion\n", STAGE_RUNTIME, set_detached,
        },
        {
                "release-virtual-function",
                VFS " driver=vfio-pci\n"
                "record 0000:06:10.0 state=bound provenance=clean claim=gpu\n",
                "0000:06:10.0 release -\n", STAGE_RUNTIME, set_overrides,
        },
        {
                "bind-physical-function",
                "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=igb vfs=7 autoprobe=0 "
                "host-driver=igb\n",
                "0000:06:00.0 bind vfio-pci\n", STAGE_RUNTIME, set_recorded_autoprobe,
        },
        {
                "release-physical-function",
                "0000:06:00.0 id=8086:10c9 class=020000 group=20 driver=vfio-pci vfs=7 "
                "autoprobe=0 host-driver=igb\n"
                "record 0000:06:00.0 state=bound provenance=taken from=igb claim=gpu\n",
                "0000:06:00.0 release igb\n", STAGE_RUNTIME, set_recorded_autoprobe,
        },
        {
                "probe-host-half-given", VFS "\n", "0000:06:10.0 probe -\n", STAGE_RUNTIME,
                set_half_given,
        },
        {
                "probe-host-given", VFS " driver=igbvf\n", "0000:06:10.0 probe -\n",
                STAGE_RUNTIME, set_half_given,
        },
        {
                "probe-host-refused", VFS "\n", "0000:06:10.0 probe - fresh\n", STAGE_RUNTIME,
                refuse_host_driver,
        },
        {
                "probe-host", VFS "\n", "0000:06:10.0 probe - fresh\n", STAGE_RUNTIME, NULL,
        },
        {
                "probe-host-window", VFS "\n", "0000:06:10.0 probe - fresh\n", STAGE_RUNTIME,
                set_not_ready,
        },
};
const size_t n_scenarios = ELEMENTSOF(scenarios);

const Scenario *scenario_find(const char *name)
{
        for (size_t i = 0; i < n_scenarios; i++)
                if (streq(scenarios[i].name, name))
                        return &scenarios[i];
        fprintf(stderr, "no such scenario: %s\n", name);
        abort();
}

static Action action_from_string(const char *text)
{
        for (Action action = 0; action < _ACTION_MAX; action++)
                if (streq(action_to_string(action), text))
                        return action;
        fprintf(stderr, "no such action: %s\n", text);
        abort();
}

/* Actions' own words for the drivers that they may name; they live as long as the tests. */
static const char *intern(const char *text)
{
        static const char *const names[] = { "vfio-pci", "mlx5-vfio-pci", "nouveau",
                "snd_hda_intel", "igb" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (streq(names[i], text))
                        return names[i];
        ASSERT_STREQ(text, "-");
        return NULL;
}

static void set_word(Stand *stand, MemberPlan *member, const char *word)
{
        if (streq(word, "fresh"))
                member->fresh = true;
        else if (streq(word, "companion"))
                member->role = ROLE_COMPANION;
        else if (streq(word, "manual=released"))
                member->manual = MANUAL_RELEASED;
        else if (streq(word, "no-probe"))
                member->no_probe = true;
        else
                member->target = intern(word);
        member->claim = &stand->claim;
}

static void parse_member(Stand *stand, char *line)
{
        char *word = strsep(&line, " ");
        MemberPlan *member = NULL;
        PciAddress address;

        ASSERT_OK(pci_address_parse(word, &address));
        for (size_t i = 0; i < stand->group.n_members; i++)
                if (pci_address_equal(&stand->group.members[i].device->address, &address))
                        member = &stand->group.members[i];
        ASSERT_TRUE(member);
        member->role = ROLE_SELECTED;
        member->state = STATE_PENDING;
        member->action = action_from_string(strsep(&line, " "));
        while ((word = strsep(&line, " ")))
                set_word(stand, member, word);
}

static int64_t planned_group(const Stand *stand)
{
        char text[PCI_ADDRESS_TEXT_MAX];
        PciAddress address;
        const Device *device;

        (void) snprintf(text, sizeof(text), "%.*s", (int) strcspn(stand->scenario->plan, " "),
                stand->scenario->plan);
        ASSERT_OK(pci_address_parse(text, &address));
        device = snapshot_find(stand->machine.snapshot, &address);
        ASSERT_TRUE(device);
        return device->group;
}

static void make_group(Stand *stand)
{
        const Snapshot *snapshot = stand->machine.snapshot;
        GroupPlan *group = &stand->group;
        char *plan, *rest, *line;

        *group = (GroupPlan){
                .number = planned_group(stand),
                .has_work = true,
                .settings = &stand->settings,
                .wants_node = true,
        };
        group->members = calloc(snapshot->n_devices, sizeof(MemberPlan));
        ASSERT_TRUE(group->members);
        for (size_t i = 0; i < snapshot->n_devices; i++)
                if (snapshot->devices[i].group == group->number)
                        group->members[group->n_members++].device = &snapshot->devices[i];

        plan = rest = strdup(stand->scenario->plan);
        ASSERT_TRUE(plan);
        while ((line = strsep(&rest, "\n")))
                if (*line)
                        parse_member(stand, line);
        free(plan);
}

void stand_set_up(Stand *stand, const Scenario *scenario)
{
        *stand = (Stand){
                .scenario = scenario,
                .claim = { .name = (char *) "gpu" },
                .settings = {
                        .driver = (char *) "vfio-pci",
                        .node_user = (char *) "root",
                        .node_group = (char *) "kvm",
                        .node_mode = 0660,
                        .timeout_usec = 30 * USEC_PER_SEC,
                },
                .options = { .stage = scenario->stage, .config_digest = "0123456789abcdef" },
        };
        ASSERT_OK(config_new(&stand->config));
        text_machine_parse(scenario->machine, stand->config, &stand->machine);
        make_group(stand);
        stand->kernel = fake_kernel_new(stand->machine.snapshot);
        if (scenario->prepare)
                scenario->prepare(stand->kernel);
        fake_kernel_operations(stand->kernel, &stand->operations);
}

void stand_done(Stand *stand)
{
        stand->kernel = fake_kernel_free(stand->kernel);
        free(stand->group.members);
        text_machine_done(&stand->machine);
        stand->config = config_free(stand->config);
}

static void format_record(Buffer *buffer, const FakeRecord *record)
{
        if (record->has_original)
                buffer_printf(buffer, " original=%s,%s,%s%s%s",
                        record->original_driver[0] ? record->original_driver : "-",
                        record->original_override[0] ? record->original_override : "-",
                        record->original_power_control[0] ? record->original_power_control : "-",
                        record->original_autoprobe[0] ? ",autoprobe=" : "",
                        record->original_autoprobe);
        if (record->exists)
                buffer_printf(buffer, " record=%s,%s,%s", state_to_string(record->state),
                        record->provenance == PROVENANCE_NONE ? "-"
                                : provenance_to_string(record->provenance),
                        record->target_driver[0] ? record->target_driver : "-");
        if (record->manual != MANUAL_NONE)
                buffer_printf(buffer, " manual=%d", (int) record->manual);
}

char *stand_format(const Stand *stand, const GroupReport *report)
{
        _cleanup_buffer_ Buffer buffer = {};
        char *text;

        buffer_printf(&buffer, "group %d %s %s %s\n", (int) report->number,
                state_to_string(report->state), reason_to_string(report->reason), report->text);
        for (size_t i = 0; i < report->n_members; i++) {
                const MemberReport *member = &report->members[i];

                buffer_printf(&buffer, "  %s %s %s %s -> %s %s\n",
                        PCI_ADDRESS_TEXT(&member->address), state_to_string(member->state),
                        reason_to_string(member->reason), member->from[0] ? member->from : "-",
                        member->to[0] ? member->to : "-", member->text);
        }
        for (size_t i = 0; i < stand->kernel->n_functions; i++) {
                const FakeFunction *function = &stand->kernel->functions[i];

                if (function->group != stand->group.number)
                        continue;
                buffer_printf(&buffer, "%s driver=%s override=%s power=%s%s",
                        PCI_ADDRESS_TEXT(&function->address),
                        function->driver[0] ? function->driver : "-",
                        function->override[0] ? function->override : "-",
                        function->power_control, function->linked ? " linked" : "");
                format_record(&buffer, &function->record);
                buffer_append(&buffer, "\n");
        }
        buffer_printf(&buffer, "node %s\n",
                stand->kernel->node_is_set[stand->group.number] ? "set" : "root");
        ASSERT_OK(buffer_finish(&buffer, &text));
        return text;
}
