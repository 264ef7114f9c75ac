/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ctl/complain.h"
#include "ctl/exit-code.h"
#include "ctl/hardware-names.h"
#include "ctl/import.h"
#include "ctl/tool-name.h"
#include "ctl/verbs.h"
#include "host/guard.h"
#include "host/scan.h"
#include "util/strings.h"
#include "version.h"

#define FACTS (SNAPSHOT_FACT_NAMES | SNAPSHOT_FACT_HOST_DRIVERS | SNAPSHOT_FACT_INTERFACES)

static const struct {
        const char *name;
        const char *where; /* what was looked for */
        int (*run)(Import *import, char *const *files);
        bool needs_file;
} tools[] = {
        { "opennebula", "DEVICES= in /etc/sysconfig/vfio-bind, no :filter: in pci.conf",
          import_opennebula, false },
        { "one-deploy", NULL, import_one_deploy, true },
        { "driverctl", "override in /etc/driverctl.d", import_driverctl, false },
        { "kernel", "vfio-pci.ids= on the kernel command line or in modprobe.d", import_kernel,
          false },
        { "libvirt", "PCI hostdev in /etc/libvirt/qemu", import_libvirt, false },
};

static int find(const char *name, size_t *ret)
{
        const char *names[ELEMENTSOF(tools)];

        for (size_t i = 0; i < ELEMENTSOF(tools); i++)
                names[i] = tools[i].name;
        return find_tool("import from", name, names, ELEMENTSOF(names), ret);
}

static int look(const char *root, Host *host, Snapshot **ret)
{
        int r;

        r = host_open(root, host);
        if (r < 0)
                return r;
        hardware_names_begin();
        r = scan_machine(host, FACTS | SNAPSHOT_FACT_USES, NULL, ret);
        hardware_names_end();
        return r < 0 ? r : guard_scan(host, *ret);
}

static int print(Import *import, const Options *options)
{
        int r = 0;

        /* What the old tool put into the initramfs is there until that is made anew. */
        if (import->is_in_initramfs)
                r = import_add_command(import, "%s", PROGRAM_DIRECTORY "/rebuild-initramfs");
        if (r >= 0)
                r = import_print(import, stdout);
        if (r < 0)
                return r;
        if (import->commands && !options->quiet)
                fputs("# Run \"systemctl enable --now vfio-bindd\" with the new configuration. "
                      "When it works after\n# a reboot, remove the old one:\n", stderr);
        for (char **command = import->commands; command && *command; command++)
                fprintf(stderr, "%s\n", *command);
        return 0;
}

static void print_notes(const Import *import)
{
        for (char **note = import->notes; note && *note; note++)
                fprintf(stderr, "# %s\n", *note);
}

static int run(const Options *options)
{
        _cleanup_host_ Host host = { .root = -1 };
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        _cleanup_import_ Import import = { .host = &host };
        char *const *files = options->arguments + 1;
        size_t tool;
        int r;

        if (find(options->arguments[0], &tool) < 0)
                return EXIT_CODE_USAGE;
        if (options->json != JSON_OFF) {
                complain("import prints a configuration, which has no --json=.");
                return EXIT_CODE_USAGE;
        }
        if (tools[tool].needs_file && !*files) {
                complain("%s keeps nothing on this machine: name the YAML files that have "
                         "pci_devices.", tools[tool].name);
                return EXIT_CODE_USAGE;
        }
        r = look(options->root, &host, &snapshot);
        import.snapshot = snapshot;
        import.tool = tools[tool].name;
        if (r >= 0)
                r = tools[tool].run(&import, files);
        print_notes(&import);
        if (r == -EINVAL)
                return EXIT_CODE_USAGE;
        if (r >= 0 && !import.found) {
                complain("There is nothing to import: no %s.",
                        *files ? "PCI function is named" : tools[tool].where);
                return EXIT_CODE_ABSENT;
        }
        if (r >= 0)
                r = print(&import, options);
        if (r < 0)
                complain_errno(r, "read the other tool's configuration");
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

const Verb verb_import = {
        .name = "import",
        .arguments = "TOOL [FILE...]",
        .summary = "Turn another tool's configuration into claims",
        .help = "Prints a configuration, and on standard error what to delete once it works: one\n"
                "command a line. Writes and deletes nothing.\n"
                "\n"
                "Tools:\n"
                "  opennebula              /etc/sysconfig/vfio-bind, and what pci.conf offers\n"
                "  one-deploy FILE...      pci_devices in its YAML files\n"
                "  driverctl               /etc/driverctl.d\n"
                "  kernel                  vfio-pci.ids= of the kernel command line, modprobe.d\n"
                "  libvirt [FILE...]       PCI host devices of the domains\n",
        .least = 1,
        .most = ARGUMENTS_ANY,
        .needs_no_devices = true,
        .run = run,
};
