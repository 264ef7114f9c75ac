/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fnmatch.h>

#include "ctl/import-one-deploy.h"
#include "ctl/tree.h"
#include "util/buffer.h"
#include "util/parse.h"
#include "util/strings.h"

/* pci_devices of OpenNebula's one-deploy (roles/helper/pci/README.md there): entries by ids, then
 * entries by address; the last one that fits a function says what is done with it, alone. One that
 * is excluded by any entry is left alone. */

/* makes virtual functions, one instance for each physical function */
static const char number_unit[] = "/etc/systemd/system/sriov-enable@.service";

static bool glob(const char *pattern, const char *text)
{
        return !pattern || fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

static bool glob_hex(const char *pattern, unsigned value)
{
        char text[16];

        (void) snprintf(text, sizeof(text), "%04x", value);
        return glob(pattern, text);
}

static bool has_hardware_address(const Host *host, const Device *device, const char *pattern)
{
        for (char **name = device->interfaces.list; name && *name; name++) {
                _cleanup_free_ char *path = NULL, *text = NULL;

                if (format_string(&path, "/sys/class/net/%s/address", *name) >= 0 &&
                    tree_read(host, path, &text) >= 0 && glob(pattern, strip(text)))
                        return true;
        }
        return false;
}

static bool entry_fits(const Host *host, const OneDeployEntry *entry, const Device *device)
{
        if (!entry->address)
                return glob_hex(entry->vendor, device->vendor) &&
                        glob_hex(entry->device, device->device) &&
                        glob_hex(entry->class, device->class_code >> 8);
        if (entry->by_hardware_address)
                return has_hardware_address(host, device, entry->address);
        return glob(entry->address, PCI_ADDRESS_TEXT(&device->address));
}

/* NULL: none, or it is excluded. */
static const OneDeployEntry *decide(const Import *import, const OneDeployList *list,
        const Device *device)
{
        const OneDeployEntry *by_ids = NULL, *by_address = NULL;
        bool excluded = false;

        for (size_t i = 0; i < list->n_items; i++) {
                OneDeployEntry *entry = &list->items[i];

                if (!entry_fits(import->host, entry, device))
                        continue;
                entry->fits = true;
                if (entry->excluded)
                        excluded = true;
                else if (entry->address)
                        by_address = entry;
                else
                        by_ids = entry;
        }
        return excluded ? NULL : by_address ?: by_ids;
}

static int add_physical_function(Import *import, const OneDeployEntry *entry,
        const Device *device)
{
        _cleanup_free_ char *match = NULL, *section = NULL;
        char name[PCI_ADDRESS_TEXT_MAX];
        int r;

        import->found = true;
        pci_address_format(&device->address, name);
        for (char *p = name; *p; p++)
                if (*p == ':')
                        *p = '-';
        r = import_match_text(device, &match);
        if (r >= 0)
                r = format_string(&section, "[PhysicalFunction %s]\nMatch=%s\nNumVFs=%s\n", name,
                        match, entry->set_numvfs);
        if (r >= 0)
                r = string_list_append(&import->sections, section);
        if (r < 0 || !tree_exists(import->host, number_unit))
                return r;
        return import_add_command(import, "systemctl disable 'sriov-enable@%s-%u.service'",
                PCI_ADDRESS_TEXT(&device->address),
                streq(entry->set_numvfs, "max")
                        ? device->sriov_total_vfs
                        : (unsigned) strtoul(entry->set_numvfs, NULL, 10));
}

static int add_driver(Import *import, const OneDeployEntry *entry, const Device *device)
{
        bool is_ours = driver_is_vfio(entry->set_driver) || streq(entry->set_driver, "pci-stub");
        _cleanup_free_ char *path = NULL, *name = NULL;
        ImportClaim *claim;
        int r;

        if (!is_ours)
                return import_note(import,
                        "%s:%u: set_driver is %s, a driver of the host, which no claim gives %s. "
                        "Left out.", entry->file, entry->line, entry->set_driver,
                        PCI_ADDRESS_TEXT(&device->address));
        import->found = true;
        r = format_string(&name,
                streq(entry->set_driver, "vfio-pci") ? "one-deploy" : "one-deploy-%s",
                entry->set_driver);
        if (r >= 0)
                r = import_claim(import, name, "set_driver of pci_devices", &claim);
        if (r >= 0 && !streq(entry->set_driver, "vfio-pci"))
                r = replace_string(&claim->driver, entry->set_driver);
        if (r >= 0 && entry->unguarded)
                r = import_add_comment(claim,
                        "unguarded; AllowInUse=network would take it from the network, too:");
        if (r >= 0)
                r = import_add_function(import, claim, &device->address);
        if (r >= 0)
                r = format_string(&path, "/etc/driverctl.d/pci-%s",
                        PCI_ADDRESS_TEXT(&device->address));
        return r < 0 ? r : import_add_removal(import, path);
}

static int add_device(Import *import, const OneDeployList *list, const Device *device)
{
        const OneDeployEntry *entry = device->is_bridge ? NULL : decide(import, list, device);

        if (!entry)
                return 0;
        if (entry->set_numvfs && device->sriov_total_vfs > 0)
                return add_physical_function(import, entry, device);
        return entry->set_driver ? add_driver(import, entry, device) : 0;
}

/* Virtual functions that are made later are the usual case. */
static int note_unmatched(Import *import, const OneDeployList *list)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < list->n_items; i++)
                if (!list->items[i].fits && !list->items[i].excluded)
                        r = import_note(import,
                                "%s:%u: this entry fits no function of this machine now. Left "
                                "out.", list->items[i].file, list->items[i].line);
        return r;
}

static int add_cleaning(Import *import, char *const *files)
{
        int r = 0;

        for (; r >= 0 && *files; files++)
                r = import_add_command(import, "# by hand: take pci_devices out of %s, or the next "
                                               "run of one-deploy brings all of it back", *files);
        if (r >= 0)
                r = import_add_removal(import, number_unit);
        if (r >= 0)
                r = import_add_removal(import, "/usr/local/sbin/sriov-manage.sh");
        return r < 0 ? r : import_udev_rules(import);
}

int import_one_deploy(Import *import, char *const *files)
{
        _cleanup_(one_deploy_list_done) OneDeployList list = {};
        int r = 0;

        for (size_t i = 0; r >= 0 && files[i]; i++) {
                _cleanup_free_ char *text = NULL;

                r = import_read_file(files[i], &text);
                if (r < 0)
                        return r;
                r = one_deploy_read(files[i], text, &list);
        }
        for (size_t i = 0; r >= 0 && i < import->snapshot->n_devices; i++)
                r = add_device(import, &list, &import->snapshot->devices[i]);
        if (r >= 0)
                r = import_add_taken_by_driverctl(import);
        if (r >= 0)
                r = note_unmatched(import, &list);
        return r < 0 || !import->found ? r : add_cleaning(import, files);
}
