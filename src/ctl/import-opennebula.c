/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/complain.h"
#include "ctl/import.h"
#include "ctl/tree.h"
#include "ctl/yaml-lines.h"
#include "core/selector.h"
#include "util/array.h"
#include "util/strings.h"

/* The script vfio-bind of OpenNebula's manual ("PCI Passthrough"): DEVICES= names functions, and
 * for each of them the vendor and device go to new_id, so that all others of that kind come along
 * unless they have a driver. pci.conf does not bind: it says what is offered to virtual machines,
 * whose hostdev elements are managed, so that libvirt takes these when a machine starts. */

static const char devices_file[] = "/etc/sysconfig/vfio-bind";
/* on the front end, and where it puts them on the nodes */
static const char *const filter_files[] = {
        "/var/lib/one/remotes/etc/im/kvm-probes.d/pci.conf",
        "/var/tmp/one/etc/im/kvm-probes.d/pci.conf",
};

/* One key of pci.conf: any of its patterns has to fit, and so has every key. */
typedef struct Filter {
        const char *key, *prefix, *suffix; /* which make a term of ours */
        Match **patterns;
        size_t n_patterns;
        bool is_set;
        bool all; /* "*:*" */
} Filter;

enum {
        FILTER_ID,
        FILTER_ADDRESS,
        FILTER_NAME,
        _FILTER_MAX,
};

typedef struct Filters {
        Filter items[_FILTER_MAX];
} Filters;

static void filters_done(Filters *filters)
{
        for (size_t i = 0; i < _FILTER_MAX; i++) {
                for (size_t j = 0; j < filters->items[i].n_patterns; j++)
                        match_free(filters->items[i].patterns[j]);
                free(filters->items[i].patterns);
        }
}

static int add_devices(Import *import, ImportClaim *claim, const char *file, unsigned number,
        char *value)
{
        char *rest = NULL;
        size_t length = strlen(value);
        int r = 0;

        if (length > 1 && strchr("\"'", *value) && value[length - 1] == *value) {
                value[length - 1] = '\0';
                value++;
        }
        for (char *word = strtok_r(value, " \t", &rest); r >= 0 && word;
                word = strtok_r(NULL, " \t", &rest)) {
                PciAddress address;

                if (pci_address_parse(word, &address) < 0) {
                        complain("%s:%u: \"%s\" is no address of a PCI function.", file, number,
                                word);
                        return -EINVAL;
                }
                import->found = true;
                r = import_add_function(import, claim, &address);
        }
        return r;
}

static int read_devices(Import *import, ImportClaim *claim, const char *file, char *text)
{
        unsigned number = 0;
        char *line;
        int r = 0;

        while (r >= 0 && (line = tree_next_line(&text, &number))) {
                const char *value = startswith(strip(line), "DEVICES=");

                if (value)
                        r = add_devices(import, claim, file, number, (char *) value);
        }
        return r;
}

/* A pattern that this program does not take fits nothing, and a word about it stands in the
 * result. */
static int add_pattern(ImportClaim *claim, Filter *filter, const char *value)
{
        _cleanup_free_ char *text = NULL;
        DiagnosticList diagnostics = {};
        Match *match;
        int r;

        filter->is_set = true;
        if (filter->key[1] == 'f' && streq(value, "*:*")) {
                filter->all = true;
                return 0;
        }
        r = format_string(&text, "%s%s%s", filter->prefix, value, filter->suffix);
        if (r >= 0)
                r = ARRAY_GROW(filter->patterns, filter->n_patterns);
        if (r < 0)
                return r;
        r = match_parse(text, (Location){}, NULL, &diagnostics, &match);
        diagnostic_list_done(&diagnostics);
        if (r == -EINVAL)
                return import_add_comment(claim, "%s \"%s\" cannot be judged here.", filter->key,
                        value);
        if (r >= 0)
                filter->patterns[filter->n_patterns++] = match;
        return r;
}

static int add_patterns(ImportClaim *claim, Filters *filters, const char *key, const char *value)
{
        for (size_t i = 0; i < _FILTER_MAX; i++) {
                Filter *filter = &filters->items[i];
                _cleanup_free_ char *copy = NULL;
                char *rest = NULL;
                int r = 0;

                if (!streq(filter->key, key))
                        continue;
                if (i != FILTER_ID)
                        return add_pattern(claim, filter, value);
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
                for (char *id = strtok_r(copy, ", ", &rest); r >= 0 && id;
                        id = strtok_r(NULL, ", ", &rest))
                        r = add_pattern(claim, filter, id);
                return r;
        }
        return 0; /* settings of the probe that select nothing */
}

static int read_filters(ImportClaim *claim, const char *file, char *text, Filters *filters)
{
        _cleanup_free_ char *key = NULL;
        unsigned number = 0;
        char *line;
        int r = 0;

        while (r >= 0 && (line = tree_next_line(&text, &number))) {
                _cleanup_yaml_line_ YamlLine yaml = {};
                const char *problem = "has no key in front";

                if (streq(line, "---"))
                        continue;
                r = yaml_line_read(line, &yaml, &problem);
                if (r >= 0 && yaml.key)
                        r = replace_string(&key, yaml.key);
                if (r >= 0 && yaml.value)
                        r = key ? add_patterns(claim, filters, key, yaml.value) : -EINVAL;
                if (r == -EINVAL)
                        complain("%s:%u: the line %s.", file, number, problem);
        }
        return r;
}

static bool filter_fits(const Import *import, const Filter *filter, const Device *device)
{
        MatchContext context = { .snapshot = import->snapshot, .stage = STAGE_RUNTIME };

        if (!filter->is_set || filter->all)
                return true;
        for (size_t i = 0; i < filter->n_patterns; i++)
                if (match_evaluate(filter->patterns[i], &context, device) == ANSWER_YES)
                        return true;
        return false;
}

static int add_offered(Import *import, ImportClaim *claim, const Filters *filters)
{
        int r;

        r = import_add_comment(claim, "pci.conf offers these; libvirt takes them at a guest's "
                                      "start:");
        for (size_t i = 0; r >= 0 && i < import->snapshot->n_devices; i++) {
                const Device *device = &import->snapshot->devices[i];
                bool fits = true;

                for (size_t j = 0; j < _FILTER_MAX; j++)
                        fits = fits && filter_fits(import, &filters->items[j], device);
                if (fits)
                        r = import_add_further(import, claim, device);
        }
        return r;
}

static int read_filter_file(Import *import, ImportClaim *claim, const char *file, char *text)
{
        _cleanup_(filters_done) Filters filters = { .items = {
                [FILTER_ID] = { .key = ":filter", .prefix = "id=", .suffix = "" },
                [FILTER_ADDRESS] = { .key = ":short_address", .prefix = "address=",
                                     .suffix = "" },
                [FILTER_NAME] = { .key = ":device_name", .prefix = "name=\".*(",
                                  .suffix = ").*\"" },
        } };
        int r;

        r = read_filters(claim, file, text, &filters);
        /* Without a filter nothing is offered. */
        if (r < 0 || !filters.items[FILTER_ID].is_set)
                return r;
        import->found = true;
        return add_offered(import, claim, &filters);
}

/* pci.conf has Ruby's symbols for keys. */
static bool is_filter_file(const char *text)
{
        return *text == ':' || strstr(text, "\n:");
}

static int read_files(Import *import, ImportClaim *claim, char *const *files)
{
        int r = 0;

        for (; r >= 0 && *files; files++) {
                _cleanup_free_ char *text = NULL;

                r = import_read_file(*files, &text);
                if (r < 0)
                        return r;
                r = is_filter_file(text) ? read_filter_file(import, claim, *files, text)
                                         : read_devices(import, claim, *files, text);
        }
        return r;
}

static int read_tree(Import *import, ImportClaim *claim)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = tree_read(import->host, devices_file, &text);
        r = r == -ENOENT ? 0 : r < 0 ? r : read_devices(import, claim, devices_file, text);
        if (r >= 0)
                r = import_add_same_kind(import, claim, false);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(filter_files); i++) {
                _cleanup_free_ char *filters = NULL;

                if (tree_read(import->host, filter_files[i], &filters) < 0)
                        continue;
                r = read_filter_file(import, claim, filter_files[i], filters);
                break;
        }
        return r;
}

int import_opennebula(Import *import, char *const *files)
{
        ImportClaim *claim;
        int r;

        r = import_claim(import, "opennebula", NULL, &claim);
        if (r < 0)
                return r;
        r = files && *files ? read_files(import, claim, files) : read_tree(import, claim);
        if (r >= 0 && files && *files)
                r = import_add_same_kind(import, claim, false);
        if (r >= 0)
                r = import_add_unit_removal(import, "vfio-bind.service");
        if (r >= 0)
                r = import_add_removal(import, "/usr/local/bin/vfio-bind");
        if (r >= 0)
                r = import_add_removal(import, devices_file);
        return r < 0 ? r : import_udev_rules(import);
}
