/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/complain.h"
#include "ctl/import.h"
#include "ctl/tree.h"
#include "util/strings.h"

/* driverctl(8) keeps one file for each device, named "BUS-DEVICE", which holds the driver. Newer
 * versions, as that of Debian 13, write vendor and device to vfio-pci's new_id as well. */

#define DIRECTORY "/etc/driverctl.d"

static int add_override(Import *import, const char *path, const PciAddress *address,
        const char *driver)
{
        _cleanup_free_ char *name = NULL;
        ImportClaim *claim;
        int r;

        if (!driver_is_vfio(driver) && !streq(driver, "pci-stub")) {
                if (streq(driver, "none"))
                        return import_note(import,
                                "%s: %s is kept without a driver. Left out: a claim does that "
                                "with companions only, by Companions=detach.", path,
                                PCI_ADDRESS_TEXT(address));
                return import_note(import,
                        "%s: %s is on %s, a driver of the host, which no claim gives it. Left "
                        "out.", path, PCI_ADDRESS_TEXT(address), driver);
        }
        import->found = true;
        r = format_string(&name, streq(driver, "vfio-pci") ? "driverctl" : "driverctl-%s", driver);
        if (r >= 0)
                r = import_claim(import, name, "overrides in " DIRECTORY, &claim);
        if (r >= 0 && !streq(driver, "vfio-pci"))
                r = replace_string(&claim->driver, driver);
        if (r >= 0)
                r = import_add_function(import, claim, address);
        /* "driverctl unset-override" would probe the host's driver at once. */
        return r < 0 ? r : import_add_command(import, "rm -f %s", path);
}

static bool is_driver_name(const char *text)
{
        return *text && strlen(text) < 64 &&
                !text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "_-")];
}

static int read_override(Import *import, const char *name)
{
        const char *device = startswith(name, "pci-") ?: name;
        _cleanup_free_ char *path = NULL, *text = NULL;
        PciAddress address;
        int r;

        /* other buses that driverctl knows: vmbus, … */
        if (pci_address_parse(device, &address) < 0)
                return 0;
        r = format_string(&path, DIRECTORY "/%s", name);
        if (r >= 0)
                r = tree_read(import->host, path, &text);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !is_driver_name(strip(text))) {
                complain("%s: no name of a driver can be read there.", path);
                return -EINVAL;
        }
        return add_override(import, path, &address, strip(text));
}

int import_add_taken_by_driverctl(Import *import)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < import->n_claims; i++)
                if (!import->claims[i].driver)
                        r = import_add_same_kind(import, &import->claims[i], true);
        return r;
}

int import_driverctl(Import *import, char *const *files)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        if (files && *files) {
                complain("driverctl has no file of that kind: it keeps all in " DIRECTORY ".");
                return -EINVAL;
        }
        r = tree_list(import->host, DIRECTORY, "", &names);
        for (char **name = names; r >= 0 && name && *name; name++)
                r = read_override(import, *name);
        if (r >= 0)
                r = import_add_taken_by_driverctl(import);
        return r < 0 ? r : import_udev_rules(import);
}
