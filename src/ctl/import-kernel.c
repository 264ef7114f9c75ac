/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/complain.h"
#include "ctl/import.h"
#include "ctl/import-files.h"
#include "ctl/modprobe-files.h"
#include "ctl/pci-ids.h"
#include "util/array.h"
#include "util/strings.h"

/* vfio-pci's parameter "ids", wherever it is set. */

typedef struct IdList {
        PciIds *items;
        size_t n_items;
} IdList;

static void id_list_done(IdList *list)
{
        free(list->items);
}

static int add_ids(IdList *list, const char *where, unsigned line, const char *value)
{
        while (*value) {
                size_t length = strcspn(value, ",");
                PciIds ids;
                int r;

                if (length > 0 && pci_ids_parse(value, length, &ids) < 0) {
                        complain("%s%s%.0u: \"%.*s\" is no id of the form "
                                 "vendor:device[:subvendor:subdevice[:class:mask]]. Left out.",
                                where, line > 0 ? ":" : "", line, (int) length, value);
                } else if (length > 0) {
                        r = ARRAY_GROW(list->items, list->n_items);
                        if (r < 0)
                                return r;
                        list->items[list->n_items++] = ids;
                }
                value += length;
                value += *value == ',';
        }
        return 0;
}

static int on_options(void *userdata, const ModprobeLine *line)
{
        IdList *list = userdata;
        int r = 0;

        if (!streq(line->words[0], "options") || !line->words[1] ||
            !module_name_equal(line->words[1], "vfio_pci"))
                return 0;
        for (char **word = line->words + 2; r == 0 && *word; word++)
                if (startswith(*word, "ids="))
                        r = add_ids(list, line->file, line->first, startswith(*word, "ids="));
        return r;
}

static int read_ids(const Import *import, IdList *list)
{
        _cleanup_string_list_ char **words = NULL;
        int r;

        r = kernel_command_line_words(import->host, &words);
        for (char **word = words; r >= 0 && word && *word; word++) {
                const char *value = kernel_parameter_value(*word, "vfio_pci", "ids");

                if (value)
                        r = add_ids(list, "kernel command line", 0, value);
        }
        return r < 0 ? r : modprobe_for_each_line(import->host, on_options, list);
}

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

static bool has_further(const Import *import, const IdList *list)
{
        for (size_t i = 0; i < import->snapshot->n_devices; i++)
                for (size_t j = 0; j < list->n_items; j++)
                        if (pci_ids_fit(&list->items[j], &import->snapshot->devices[i]) &&
                            !driver_is_vfio(import->snapshot->devices[i].driver))
                                return true;
        return false;
}

static int add_claim(Import *import, const IdList *list)
{
        ImportClaim *claim;
        int r;

        r = import_claim(import, "vfio-pci-ids", "by the ids= of vfio-pci", &claim);
        for (size_t i = 0; r >= 0 && i < list->n_items; i++) {
                const PciIds *ids = &list->items[i];
                size_t n = 0;

                r = add_functions(import, claim, ids, true, &n);
                if (r >= 0 && n == 0)
                        r = import_add_comment(claim, "No function of this machine is a %04x:%04x.",
                                ids->vendor, ids->device);
        }
        if (r >= 0 && has_further(import, list))
                r = import_add_comment(claim, "The ids fit these too, which other drivers have:");
        for (size_t i = 0; r >= 0 && i < list->n_items; i++) {
                size_t n = 0;

                r = add_functions(import, claim, &list->items[i], false, &n);
        }
        return r;
}

int import_kernel(Import *import, char *const *files)
{
        _cleanup_(id_list_done) IdList list = {};
        int r;

        if (files && *files) {
                complain("kernel takes no file; use --root= for another machine's tree.");
                return -EINVAL;
        }
        r = read_ids(import, &list);
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
