/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/fields.h"
#include "ctl/journal.h"
#include "ctl/list.h"
#include "ctl/sentence.h"
#include "ctl/verbs.h"
#include "util/buffer.h"
#include "version.h"

#define JOURNAL_LINES 10

static void format_time(int64_t usec, char text[static 40])
{
        time_t seconds = (time_t) (usec / (int64_t) USEC_PER_SEC);
        struct tm local;

        if (!localtime_r(&seconds, &local) ||
            strftime(text, 40, "%Y-%m-%d %H:%M:%S", &local) == 0)
                (void) strcpy(text, "at an unknown time");
}

/* As the accounts of this machine are called; those of a saved tree are numbers. */
static void format_owner(const ModelGroup *group, bool is_live, char text[static 160])
{
        struct passwd *user = is_live ? getpwuid((uid_t) group->node_user) : NULL;
        struct group *owners = is_live ? getgrgid((gid_t) group->node_group) : NULL;
        char uid[24], gid[24];

        (void) snprintf(uid, sizeof(uid), "%" PRIi64, group->node_user);
        (void) snprintf(gid, sizeof(gid), "%" PRIi64, group->node_group);
        (void) snprintf(text, 160, "%.64s:%.64s", user ? user->pw_name : uid,
                owners ? owners->gr_name : gid);
}

static void add_state(Fields *fields, const ModelDevice *device)
{
        const char *state = device->text[DEVICE_STATE] ?: "unknown";
        const char *provenance = device->text[DEVICE_PROVENANCE];
        const char *from = device->text[DEVICE_TAKEN_FROM];
        const char *stage = device->text[DEVICE_CLAIMED_STAGE];
        int64_t since = device->numbers[DEVICE_BOUND_TIMESTAMP];
        char time[40] = "";

        if (since > 0)
                format_time(since, time);
        fields_add(fields, "State", state, state_style(state));
        if (provenance)
                fields_printf(fields, "Provenance", "%s%s%s%s%s%s%s%s", provenance,
                        from ? ", from " : "", from ?: "", stage ? " (" : "", stage ?: "",
                        stage ? " stage)" : "", *time ? ", " : "", time);
}

static void add_reason(Fields *fields, const Model *model, const ModelDevice *device)
{
        const ModelClaim *claim = device->claim ? model_find_claim(model, device->claim) : NULL;
        const char *reason = device_cause(device);
        _cleanup_free_ char *text = NULL;
        const char *known;

        if (!reason)
                return;
        known = device->text[DEVICE_REASON] ? model_explain(model, device, reason)
                                            : device->text[DEVICE_REASON_TEXT];
        if (streq_null(known, reason))
                known = NULL;
        if (format_reason(NULL, reason, known, claim, &text) < 0)
                fields->error = -ENOMEM;
        else
                fields_add(fields, "Reason", text, STYLE_NONE);
}

static void add_claim(Fields *fields, const Model *model, const ModelDevice *device)
{
        const ModelClaim *claim = device->claim ? model_find_claim(model, device->claim) : NULL;
        const char *role = device->text[DEVICE_ROLE];

        if (claim && claim->file)
                fields_printf(fields, "Claim", "%s (%s:%u), %s", device->claim, claim->file,
                        claim->line, role ?: "");
        else if (device->claim)
                fields_add(fields, "Claim", device->claim, STYLE_NONE);
}

static void add_drivers(Fields *fields, const ModelDevice *device)
{
        fields_add(fields, "Driver", device->text[DEVICE_DRIVER] ?: "none", STYLE_NONE);
        if (!streq_null(device->text[DEVICE_DRIVER], device->text[DEVICE_TARGET_DRIVER]))
                fields_add(fields, "Wanted driver", device->text[DEVICE_TARGET_DRIVER],
                        STYLE_NONE);
        fields_add(fields, "Host driver", device->text[DEVICE_HOST_DRIVER], STYLE_NONE);
        fields_add(fields, "Override", device->text[DEVICE_DRIVER_OVERRIDE], STYLE_NONE);
        fields_add(fields, "Interface", device->text[DEVICE_NETWORK_INTERFACE], STYLE_NONE);
}

static void add_members(Fields *fields, const Model *model, const ModelDevice *device)
{
        for (size_t i = 0; i < model->n_devices; i++) {
                const ModelDevice *other = &model->devices[i];
                char ids[16];

                if (other == device || other->group != device->group)
                        continue;
                fields_printf(fields, "With", "%s %s, %s, %s", other->text[DEVICE_ADDRESS],
                        other->text[DEVICE_STATE] ?: "unknown",
                        other->text[DEVICE_DRIVER] ?: "no driver", device_name(other, ids));
        }
}

static void add_group(Fields *fields, const Model *model, const ModelDevice *device, bool is_live)
{
        const ModelGroup *group = model_find_group(model, device->group);
        char owner[160];

        if (!group) {
                fields_add(fields, "Group", "none: there is no IOMMU in front of it", STYLE_BAD);
                return;
        }
        fields_printf(fields, "Group", "%" PRIi64 ", %s", group->number,
                group->is_viable ? "viable" : "not viable: a host driver has a function of it");
        if (group->node) {
                format_owner(group, is_live, owner);
                fields_printf(fields, "Node", "%s %s %04" PRIo64, group->node, owner,
                        (uint64_t) group->node_mode & 07777);
        }
        fields_add(fields, "Device node", device->text[DEVICE_DEVICE_NODE], STYLE_NONE);
        add_members(fields, model, device);
}

static void add_virtual_functions(Fields *fields, const ModelDevice *device)
{
        int64_t index = device->numbers[DEVICE_VF_INDEX];

        if (device->physical_function && index >= 0)
                fields_printf(fields, "VF", "%" PRIi64 " of %s", index,
                        device->physical_function);
        else
                fields_add(fields, "VF of", device->physical_function, STYLE_NONE);
        if (device->numbers[DEVICE_SRIOV_TOTAL_VFS] > 0)
                fields_printf(fields, "VFs", "at most %" PRIi64,
                        device->numbers[DEVICE_SRIOV_TOTAL_VFS]);
}

static void add_identity(Fields *fields, const ModelDevice *device)
{
        fields_printf(fields, "Id", "%s:%s, subsystem %s:%s, class %s%s%s",
                device->text[DEVICE_VENDOR_ID] ?: "", device->text[DEVICE_DEVICE_ID] ?: "",
                device->text[DEVICE_SUBSYSTEM_VENDOR_ID] ?: "",
                device->text[DEVICE_SUBSYSTEM_DEVICE_ID] ?: "", device->text[DEVICE_CLASS] ?: "",
                device->text[DEVICE_REVISION] ? ", revision " : "",
                device->text[DEVICE_REVISION] ?: "");
        fields_add(fields, "Vendor", device->text[DEVICE_VENDOR_NAME], STYLE_NONE);
        fields_add(fields, "Path", device->text[DEVICE_PATH], STYLE_NONE);
        fields_add(fields, "Slot", device->text[DEVICE_PHYSICAL_SLOT], STYLE_NONE);
        fields_add(fields, "Serial", device->text[DEVICE_SERIAL], STYLE_NONE);
        if (device->numbers[DEVICE_NUMA_NODE] >= 0)
                fields_printf(fields, "NUMA node", "%" PRIi64, device->numbers[DEVICE_NUMA_NODE]);
        if (device->reset_methods) {
                Buffer buffer = {};
                _cleanup_free_ char *methods = NULL;

                for (char **method = device->reset_methods; *method; method++)
                        buffer_printf(&buffer, "%s%s", buffer.length > 0 ? " " : "", *method);
                if (buffer_finish(&buffer, &methods) >= 0)
                        fields_add(fields, "Reset", methods, STYLE_NONE);
        }
        if (device->numbers[DEVICE_DRIFT_COUNT] > 0)
                fields_printf(fields, "Drift", "somebody else changed its driver %" PRIi64
                                               " times",
                        device->numbers[DEVICE_DRIFT_COUNT]);
}

static int print_journal(const JournalLines *lines, const Terminal *terminal)
{
        int r = 0;

        if (lines->n_items > 0)
                fputc('\n', stdout);
        for (size_t i = 0; r >= 0 && i < lines->n_items; i++) {
                char time[40];

                format_time((int64_t) lines->items[i].time_usec, time);
                r = terminal_print(terminal, stdout, "%s %s", time, lines->items[i].message);
        }
        return r;
}

static int print_device(const Source *source, const ModelDevice *device,
        const JournalLines *journal, bool is_live)
{
        Terminal terminal = terminal_of(stdout);
        Fields fields = { .terminal = &terminal, .file = stdout, .width = 13 };
        char ids[16];
        int r;

        r = terminal_print(&terminal, stdout, "%s %s", device->text[DEVICE_ADDRESS],
                device_name(device, ids));
        if (r < 0)
                return r;
        add_state(&fields, device);
        add_reason(&fields, source->model, device);
        add_claim(&fields, source->model, device);
        add_drivers(&fields, device);
        add_group(&fields, source->model, device, is_live);
        add_virtual_functions(&fields, device);
        add_identity(&fields, device);
        return fields.error < 0 ? fields.error : print_journal(journal, &terminal);
}

static void json_journal(Json *json, const JournalLines *lines)
{
        json_open_array(json, "Journal");
        for (size_t i = 0; i < lines->n_items; i++) {
                json_open_object(json, NULL);
                json_integer(json, "Timestamp", (int64_t) lines->items[i].time_usec);
                json_integer(json, "Priority", lines->items[i].priority);
                json_string(json, "Message", lines->items[i].message);
                json_close_object(json);
        }
        json_close_array(json);
}

static int print_device_json(const Source *source, const ModelDevice *device,
        const JournalLines *journal, bool pretty)
{
        const ModelGroup *group = model_find_group(source->model, device->group);
        _cleanup_json_ Json json = { .pretty = pretty };

        json_begin_document(&json, "device");
        json_key(&json, "Device");
        json_device_details(&json, device);
        if (group) {
                json_open_object(&json, "Group");
                json_group_properties(&json, group);
                json_open_array(&json, "Devices");
                for (size_t i = 0; i < source->model->n_devices; i++)
                        if (source->model->devices[i].group == device->group)
                                json_device(&json, &source->model->devices[i]);
                json_close_array(&json);
                json_close_object(&json);
        } else {
                json_null(&json, "Group");
        }
        json_journal(&json, journal);
        json_close_object(&json);
        return json_print(&json, stdout);
}

static ExitCode show_device(const Source *source, const Options *options)
{
        _cleanup_journal_lines_ JournalLines journal = {};
        const ModelDevice *device;
        ExitCode code = EXIT_CODE_DONE;
        int r = 0;

        device = check_device(source->model, options->arguments[0], &code);
        if (!device)
                return code;
        if (!options->root)
                r = journal_read(NULL, &device->address, JOURNAL_LINES, &journal);
        if (r >= 0 && options->json != JSON_OFF)
                r = print_device_json(source, device, &journal, options->json == JSON_PRETTY);
        else if (r >= 0)
                r = print_device(source, device, &journal, !options->root);
        if (r >= 0)
                return EXIT_CODE_DONE;
        complain_errno(r, "show the device");
        return EXIT_CODE_FAILED;
}

/* What makes it current, where it is not. */
static const char *initramfs_remedy(const char *state)
{
        return streq(state, "stale") || streq(state, "missing")
                ? "; run \"" PROGRAM_DIRECTORY "/rebuild-initramfs\""
                : "";
}

static int print_machine(const Model *model, bool is_saved, const Terminal *terminal)
{
        Fields fields = { .terminal = terminal, .file = stdout, .width = 13 };
        const char *const *text = (const char *const *) model->text;
        _cleanup_free_ char *claims = NULL;
        int r;

        r = summarize_claims(model, &claims);
        if (r < 0)
                return r;
        if (model->state)
                fields_printf(&fields, "Daemon", "%s%s%s%s", model->state,
                        model->settled ? ", settled" : "",
                        text[MANAGER_VERSION] ? ", version " : "", text[MANAGER_VERSION] ?: "");
        else
                fields_add(&fields, "Daemon", is_saved ? "not asked" : "does not run", STYLE_NONE);
        fields_add(&fields, "IOMMU", text[MANAGER_IOMMU], STYLE_NONE);
        fields_add(&fields, "Interrupts",
                streq_null(text[MANAGER_INTERRUPT_REMAPPING], "yes") ? "remapped"
                        : streq_null(text[MANAGER_INTERRUPT_REMAPPING], "no")
                        ? "not remapped: devices are not isolated from each other"
                        : "not known whether remapped",
                STYLE_NONE);
        if (text[MANAGER_INITRAMFS_STATE])
                fields_printf(&fields, "Initramfs", "%s; that of this boot: %s%s",
                        text[MANAGER_INITRAMFS_STATE],
                        text[MANAGER_BOOTED_INITRAMFS_STATE] ?: "unknown",
                        initramfs_remedy(text[MANAGER_INITRAMFS_STATE]));
        if (configuration_has_changed(model))
                fields_add(&fields, "Configuration",
                        "changed since vfio-bindd read it, \"systemctl reload vfio-bindd\" makes "
                        "it read it again",
                        STYLE_WAITING);
        fields_add(&fields, "Claims", claims, STYLE_NONE);
        return fields.error < 0 ? fields.error
                                : print_configuration_errors(model, terminal, stdout);
}

static int print_machine_json(const Model *model, bool pretty)
{
        _cleanup_json_ Json json = { .pretty = pretty };

        json_begin_document(&json, "status");
        json_manager_texts(&json, model);
        if (model->state)
                json_boolean(&json, "Settled", model->settled);
        else
                json_null(&json, "Settled");
        json_configuration_errors(&json, model);
        json_open_array(&json, "Claims");
        for (size_t i = 0; i < model->n_claims; i++)
                json_claim(&json, model, &model->claims[i]);
        json_close_array(&json);
        json_close_object(&json);
        return json_print(&json, stdout);
}

static ExitCode show_machine(const Source *source, const Options *options)
{
        Terminal terminal = terminal_of(stdout);
        int r;

        if (options->json != JSON_OFF)
                r = print_machine_json(source->model, options->json == JSON_PRETTY);
        else
                r = print_machine(source->model, options->root, &terminal);
        if (r >= 0)
                r = source_print_legend(source, options);
        if (r >= 0)
                return EXIT_CODE_DONE;
        complain_errno(r, "show the state of things");
        return EXIT_CODE_FAILED;
}

static int run(const Options *options)
{
        MachineOptions machine = { .root = options->root, .facts = SNAPSHOT_FACT_DETAILS };
        _cleanup_source_ Source source = {};
        ExitCode code;

        if (options->arguments[0])
                machine.facts |= SNAPSHOT_FACT_SLOTS | SNAPSHOT_FACT_SERIALS;
        code = source_open(&source, &machine);
        if (code != EXIT_CODE_DONE)
                return code;
        return options->arguments[0] ? show_device(&source, options)
                                     : show_machine(&source, options);
}

const Verb verb_status = {
        .name = "status",
        .arguments = "[DEV]",
        .summary = "One device with its last journal lines, or the whole",
        .help = "Shows all that is known of a device and of its group, and the last lines of the\n"
                "journal about it, for those who may read it. Without an argument: the daemon,\n"
                "the IOMMU, the initramfs, the claims in numbers, errors of the configuration.\n"
                "\n"
                "DEV is 0000:01:00.0, 01:00.0 or pci_0000_01_00_0.\n",
        .most = 1,
        .run = run,
};
