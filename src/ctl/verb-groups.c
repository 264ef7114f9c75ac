/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/sentence.h"
#include "ctl/table.h"
#include "ctl/verbs.h"

enum {
        COLUMN_GROUP,
        COLUMN_VIABLE,
        COLUMN_STATE,
        COLUMN_DEVICE,
        COLUMN_ID,
        COLUMN_DRIVER,
        COLUMN_CLAIM,
        COLUMN_NAME,
};

static const Column columns[] = {
        [COLUMN_GROUP] = { "GROUP", 0 },
        [COLUMN_VIABLE] = { "VIABLE", 0 },
        [COLUMN_STATE] = { "STATE", 0 },
        [COLUMN_DEVICE] = { "DEVICE", 0 },
        [COLUMN_ID] = { "ID", 0 },
        [COLUMN_DRIVER] = { "DRIVER", 6 },
        [COLUMN_CLAIM] = { "CLAIM", 5 },
        [COLUMN_NAME] = { "NAME", 4 },
};

/* By group, those without one last, then by address. */
static int compare_by_group(const void *a, const void *b)
{
        const ModelDevice *x = *(const ModelDevice *const *) a;
        const ModelDevice *y = *(const ModelDevice *const *) b;
        uint64_t group_x = (uint64_t) x->group, group_y = (uint64_t) y->group;

        if (group_x != group_y)
                return group_x < group_y ? -1 : 1;
        return pci_address_compare(&x->address, &y->address);
}

/* As many as the model has, and NULL. */
static const ModelDevice **sort_devices(const Model *model)
{
        const ModelDevice **list = calloc(model->n_devices + 1, sizeof(*list));

        for (size_t i = 0; list && i < model->n_devices; i++)
                list[i] = &model->devices[i];
        if (list && model->n_devices > 0)
                qsort(list, model->n_devices, sizeof(*list), compare_by_group);
        return list;
}

static void set_group(Table *table, const Model *model, const ModelDevice *device)
{
        const ModelGroup *group = model_find_group(model, device->group);
        const char *state = group ? group->state : device->text[DEVICE_STATE];
        char number[24] = "-";

        if (device->group >= 0)
                (void) snprintf(number, sizeof(number), "%" PRIi64, device->group);
        table_set(table, COLUMN_GROUP, number, STYLE_NONE);
        table_set(table, COLUMN_VIABLE, !group ? "-" : group->is_viable ? "yes" : "no", STYLE_NONE);
        table_set(table, COLUMN_STATE, state ?: "unknown", state_style(state));
}

static void set_device(Table *table, const ModelDevice *device)
{
        char id[16];

        (void) snprintf(id, sizeof(id), "%.4s:%.4s", device->text[DEVICE_VENDOR_ID] ?: "",
                device->text[DEVICE_DEVICE_ID] ?: "");
        table_set(table, COLUMN_DEVICE, device->text[DEVICE_ADDRESS], STYLE_NONE);
        table_set(table, COLUMN_ID, id, STYLE_NONE);
        table_set(table, COLUMN_DRIVER, device->text[DEVICE_DRIVER] ?: "-", STYLE_NONE);
        table_set(table, COLUMN_CLAIM, device->claim ?: "-", STYLE_NONE);
        table_set(table, COLUMN_NAME, device->text[DEVICE_DEVICE_NAME] ?: "-", STYLE_NONE);
}

static int add_reason(Table *table, const Model *model, const ModelDevice *device)
{
        const ModelClaim *claim = device->claim ? model_find_claim(model, device->claim) : NULL;
        const char *reason = device_cause(device);
        _cleanup_free_ char *note = NULL;
        int r;

        if (!reason || streq(reason, reason_to_string(REASON_GROUP_REFUSED)))
                return 0;
        r = format_reason(NULL, reason, device->text[DEVICE_REASON_TEXT], claim, &note);
        if (r >= 0)
                table_add_note(table, note);
        return r;
}

/* A reason that several functions of a group have stands below the last one. */
static bool says_the_same(const ModelDevice *device, const ModelDevice *next)
{
        return next && next->group == device->group && device->group >= 0 &&
                streq_null(next->text[DEVICE_REASON], device->text[DEVICE_REASON]) &&
                streq_null(next->text[DEVICE_REASON_TEXT], device->text[DEVICE_REASON_TEXT]);
}

static int print_summary(const Model *model, const Terminal *terminal)
{
        size_t n_viable = 0;

        for (size_t i = 0; i < model->n_groups; i++)
                n_viable += model->groups[i].is_viable;
        if (model->n_groups > 0)
                return terminal_print(terminal, stdout,
                        "%zu group%s: %zu viable (no function is on a driver of the host).%s",
                        model->n_groups, model->n_groups == 1 ? "" : "s", n_viable,
                        streq_null(model->text[MANAGER_IOMMU], "noiommu")
                                ? " There is no IOMMU behind them (noiommu)."
                                : "");
        return terminal_print(terminal, stdout,
                "No groups: the IOMMU is off. Turn it on in the firmware (\"VT-d\", \"AMD-Vi\", "
                "\"SMMU\", in a virtual machine its virtual IOMMU); on Intel processors the kernel "
                "command line may need intel_iommu=on too.");
}

static int print_table(const Model *model, const ModelDevice *const *devices,
        const Options *options)
{
        Terminal terminal = terminal_of(stdout);
        _cleanup_table_ Table *table = table_new(&terminal, columns, ELEMENTSOF(columns));
        bool legend = !options->no_legend && !options->quiet;
        int r = 0;

        for (size_t i = 0; r >= 0 && devices[i]; i++) {
                const ModelDevice *previous = i > 0 ? devices[i - 1] : NULL;

                table_add_row(table);
                if (!previous || previous->group != devices[i]->group || previous->group < 0)
                        set_group(table, model, devices[i]);
                set_device(table, devices[i]);
                if (!says_the_same(devices[i], devices[i + 1]))
                        r = add_reason(table, model, devices[i]);
        }
        if (r >= 0 && table_rows(table) > 0)
                r = table_print(table, legend, stdout);
        if (r < 0 || !legend)
                return r;
        fputs(table_rows(table) > 0 ? "\n" : "", stdout);
        return print_summary(model, &terminal);
}

static int print_json(const Model *model, const ModelDevice *const *devices, bool pretty)
{
        _cleanup_json_ Json json = { .pretty = pretty };
        const ModelDevice *const *device = devices;

        json_begin_document(&json, "groups");
        json_string(&json, "Iommu", model->text[MANAGER_IOMMU]);
        json_open_array(&json, "Groups");
        for (size_t i = 0; i < model->n_groups; i++) {
                json_open_object(&json, NULL);
                json_group_properties(&json, &model->groups[i]);
                json_open_array(&json, "Devices");
                while (*device && (*device)->group >= 0 &&
                       (*device)->group < model->groups[i].number)
                        device++; /* of a group that is not known */
                for (; *device && (*device)->group == model->groups[i].number; device++)
                        json_device(&json, *device);
                json_close_array(&json);
                json_close_object(&json);
        }
        json_close_array(&json);
        json_open_array(&json, "Devices");
        for (; *device; device++)
                if ((*device)->group < 0)
                        json_device(&json, *device);
        json_close_array(&json);
        json_close_object(&json);
        return json_print(&json, stdout);
}

static int run(const Options *options)
{
        MachineOptions machine = { .root = options->root };
        _cleanup_source_ Source source = {};
        _cleanup_free_ const ModelDevice **devices = NULL;
        ExitCode code;
        int r = -ENOMEM;

        code = source_open(&source, &machine);
        if (code != EXIT_CODE_DONE)
                return code;
        devices = sort_devices(source.model);
        if (devices && options->json != JSON_OFF)
                r = print_json(source.model, devices, options->json == JSON_PRETTY);
        else if (devices)
                r = print_table(source.model, devices, options);
        if (r >= 0)
                r = source_print_legend(&source, options);
        if (r < 0)
                complain_errno(r, "show the groups");
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

const Verb verb_groups = {
        .name = "groups",
        .summary = "IOMMU groups and all their devices",
        .help = "Shows every IOMMU group with all its functions, bridges included, and functions\n"
                "without a group. A group is viable when no function of it is on a driver of the\n"
                "host: only then can it be opened.\n",
        .run = run,
};
