/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "core/vocabulary.h"
#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/export.h"
#include "ctl/tool-name.h"
#include "ctl/verbs.h"
#include "util/strings.h"

static const struct {
        const char *name;
        int (*run)(const Export *export, FILE *file);
        bool wants_all; /* not bound ones only */
} tools[] = {
        { "libvirt", export_libvirt, false },
        { "qemu", export_qemu, false },
        { "opennebula", export_opennebula, false },
        { "kubevirt", export_kubevirt, false },
        { "sriov-network-device-plugin", export_device_plugin, false },
        { "prometheus", export_prometheus, true },
};

bool export_has_claim(const Export *export, const ModelDevice *device)
{
        if (!device->claim)
                return false;
        return !export->claims || !*export->claims ||
                string_list_contains(export->claims, device->claim);
}

static bool is_bound(const Export *export, const ModelDevice *device)
{
        return export_has_claim(export, device) &&
                streq_null(device->text[DEVICE_STATE], state_to_string(STATE_BOUND));
}

/* pci-stub holds what nobody is to use. */
static bool is_held(const ModelDevice *device)
{
        return streq_null(device->text[DEVICE_DRIVER], "pci-stub");
}

bool export_has(const Export *export, const ModelDevice *device)
{
        return is_bound(export, device) && !is_held(device);
}

static void complain_held(const Export *export)
{
        for (size_t i = 0; i < export->model->n_devices; i++) {
                const ModelDevice *device = &export->model->devices[i];

                if (is_bound(export, device) && is_held(device))
                        complain("%s is left out: it is on pci-stub, which hands it to nobody; see "
                                 "Driver= of claim %s.",
                                PCI_ADDRESS_TEXT(&device->address), device->claim);
        }
}

bool device_has_class(const ModelDevice *device, const char *digits)
{
        return device->text[DEVICE_CLASS] && startswith(device->text[DEVICE_CLASS], digits);
}

static int find(const char *name, size_t *ret)
{
        const char *names[ELEMENTSOF(tools)];

        for (size_t i = 0; i < ELEMENTSOF(tools); i++)
                names[i] = tools[i].name;
        return find_tool("export to", name, names, ELEMENTSOF(names), ret);
}

static bool is_empty(const Export *export)
{
        for (size_t i = 0; i < export->model->n_devices; i++)
                if (export_has(export, &export->model->devices[i]))
                        return false;
        return true;
}

static int run(const Options *options)
{
        MachineOptions machine = { .root = options->root };
        _cleanup_source_ Source source = {};
        Export export = { .claims = options->arguments + 1 };
        ExitCode code;
        size_t tool;
        int r;

        if (find(options->arguments[0], &tool) < 0)
                return EXIT_CODE_USAGE;
        if (options->json != JSON_OFF) {
                complain("export has the form of the other tool, --json= is none of them.");
                return EXIT_CODE_USAGE;
        }
        code = source_open(&source, &machine);
        if (code != EXIT_CODE_DONE)
                return code;
        export.model = source.model;
        for (char *const *claim = export.claims; *claim; claim++)
                if (!check_claim(source.model, *claim))
                        return EXIT_CODE_ABSENT;
        if (!tools[tool].wants_all)
                complain_held(&export);
        if (!tools[tool].wants_all && is_empty(&export)) {
                complain("There is nothing to export: no device of %s is bound. \"vfio-bindctl "
                         "list\" tells why.", *export.claims ? "these claims" : "any claim");
                return EXIT_CODE_ABSENT;
        }
        r = tools[tool].run(&export, stdout);
        if (r < 0)
                complain_errno(r, "export");
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

const Verb verb_export = {
        .name = "export",
        .arguments = "TOOL [CLAIM...]",
        .summary = "Print bound devices in the form of another tool",
        .help = "Prints the bound devices of the claims (all without a name).\n"
                "\n"
                "Tools:\n"
                "  libvirt                 hostdev elements, a network of virtual functions,\n"
                "                          the list of devices for qemu.conf\n"
                "  qemu                    -device options, a line for each device\n"
                "  opennebula              pci.conf of the monitoring probe\n"
                "  kubevirt                permittedHostDevices\n"
                "  sriov-network-device-plugin\n"
                "                          resourceList\n"
                "  prometheus              metrics of all claims and their devices, bound or not,\n"
                "                          for the node exporter's textfile collector\n",
        .least = 1,
        .most = ARGUMENTS_ANY,
        .run = run,
};
