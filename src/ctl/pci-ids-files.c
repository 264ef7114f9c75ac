/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/pci-ids-files.h"

#include <errno.h>

#include "ctl/modprobe-files.h"
#include "util/array.h"
#include "util/strings.h"

void pci_id_list_done(PciIdList *list)
{
        for (size_t i = 0; i < list->n_items; i++) {
                free(list->items[i].word);
                free(list->items[i].where);
        }
        free(list->items);
        *list = (PciIdList){};
}

static int add_word(PciIdList *list, const char *where, const char *text, size_t length)
{
        PciIdEntry *entry;
        int r;

        r = ARRAY_GROW(list->items, list->n_items);
        if (r < 0)
                return r;
        entry = &list->items[list->n_items++];
        entry->is_bad = pci_ids_parse(text, length, &entry->ids) < 0;
        entry->word = strndup(text, length);
        if (!entry->word)
                return -ENOMEM;
        make_printable(entry->word);
        return replace_string(&entry->where, where);
}

static int add_value(PciIdList *list, const char *where, const char *value)
{
        int r = 0;

        while (r >= 0 && *value) {
                size_t length = strcspn(value, ",");

                if (length > 0)
                        r = add_word(list, where, value, length);
                value += length;
                value += *value == ',';
        }
        return r;
}

static int on_options(void *userdata, const ModprobeLine *line)
{
        int r = 0;

        if (!streq(line->words[0], "options") || !line->words[1] ||
            !module_name_equal(line->words[1], "vfio_pci"))
                return 0;
        for (char **word = line->words + 2; r == 0 && *word; word++) {
                const char *value = startswith(*word, "ids=");
                _cleanup_free_ char *where = NULL;

                if (!value)
                        continue;
                r = format_string(&where, "%s:%u", line->file, line->first);
                if (r >= 0)
                        r = add_value(userdata, where, value);
        }
        return r;
}

int pci_id_list_read(const Host *host, PciIdList *list)
{
        _cleanup_string_list_ char **words = NULL;
        int r;

        r = kernel_command_line_words(host, &words);
        for (char **word = words; r >= 0 && word && *word; word++) {
                const char *value = kernel_parameter_value(*word, "vfio_pci", "ids");

                if (value)
                        r = add_value(list, "kernel command line", value);
        }
        return r < 0 ? r : modprobe_for_each_line(host, on_options, list);
}
