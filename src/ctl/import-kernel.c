/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/complain.h"
#include "ctl/import-files.h"
#include "ctl/import.h"
#include "ctl/pci-ids-files.h"
#include "util/strings.h"

/* vfio-pci's parameter "ids", wherever it is set. */

/* What is on the driver now is what the machine had; the rest might have been. */
static int add_functions(Import *import, ImportClaim *claim, const PciIds *ids, bool bound,
        size_t *n)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < import->snapshot->n_devices; i++) {
                const Device *device = &import->snapshot->devices[i];

                if (!pci_ids_fit(ids, device))
                        continue;
                (*n)++;
                if (bound && driver_is_vfio(device->driver))
                        r = import_add_function(import, claim, &device->address);
                else if (!bound && !driver_is_vfio(device->driver))
                        r = import_add_further(import, claim, device);
        }
        return r;
}

static bool has_further(const Import *import, const PciIdList *list)
{
        for (size_t i = 0; i < import->snapshot->n_devices; i++)
                for (size_t j = 0; j < list->n_items; j++)
                        if (!list->items[j].is_bad &&
                            pci_ids_fit(&list->items[j].ids, &import->snapshot->devices[i]) &&
                            !driver_is_vfio(import->snapshot->devices[i].driver))
                                return true;
        return false;
}

static int add_entry(Import *import, ImportClaim *claim, const PciIdEntry *entry, bool bound)
{
        size_t n = 0;
        int r;

        if (entry->is_bad && bound)
                return import_note(import,
                        "%s: \"%s\" is no id of the form vendor:device[:subvendor:subdevice[:class"
                        ":mask]]. Left out.", entry->where, entry->word);
        if (entry->is_bad)
                return 0;
        r = add_functions(import, claim, &entry->ids, bound, &n);
        if (r < 0 || n > 0 || !bound)
                return r;
        return import_add_comment(claim, "No function of this machine is a %s.", entry->word);
}

static int add_claim(Import *import, const PciIdList *list)
{
        ImportClaim *claim;
        int r;

        r = import_claim(import, "vfio-pci-ids", "by the ids= of vfio-pci", &claim);
        for (size_t i = 0; r >= 0 && i < list->n_items; i++)
                r = add_entry(import, claim, &list->items[i], true);
        if (r >= 0 && has_further(import, list))
                r = import_add_comment(claim, "The ids fit these too, which other drivers have:");
        for (size_t i = 0; r >= 0 && i < list->n_items; i++)
                r = add_entry(import, claim, &list->items[i], false);
        return r;
}

int import_kernel(Import *import, char *const *files)
{
        _cleanup_pci_id_list_ PciIdList list = {};
        int r;

        if (files && *files) {
                complain("kernel takes no file; use --root= for another machine's tree.");
                return -EINVAL;
        }
        r = pci_id_list_read(import->host, &list);
        if (r < 0 || list.n_items == 0)
                return r;
        import->found = true;
        r = add_claim(import, &list);
        if (r >= 0)
                r = import_remove_module_options(import);
        if (r >= 0)
                r = import_remove_boot_words(import);
        return r < 0 ? r : import_udev_rules(import);
}
