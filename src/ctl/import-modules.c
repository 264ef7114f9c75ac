/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/import-files.h"
#include "ctl/modprobe-files.h"
#include "ctl/tree.h"
#include "util/buffer.h"
#include "util/strings.h"

static bool is_driver_of(const Device *device, const char *module)
{
        for (char **name = device->host_drivers.list; name && *name; name++)
                if (module_name_equal(*name, module))
                        return true;
        return false;
}

/* Keeps the module from a function that the host has with another driver: nouveau from a card on
 * nvidia. That is another reason for a blacklist. */
static bool has_other_driver(const Device *device, const char *module)
{
        return device->driver && !module_name_equal(device->driver, module) &&
                !driver_is_vfio(device->driver);
}

bool import_is_host_driver(const Import *import, const char *module)
{
        bool is_listed = false;

        if (module_is_framebuffer(module))
                return false;
        for (size_t i = 0; i < import->snapshot->n_devices; i++) {
                const Device *device = &import->snapshot->devices[i];

                if (!is_driver_of(device, module))
                        continue;
                if (import_lists(import, &device->address))
                        is_listed = true;
                else if (has_other_driver(device, module))
                        return false;
        }
        return is_listed;
}

/* One file of modprobe.d, and what of it goes. */
typedef struct File {
        Import *import;
        char *path;
        Buffer script; /* for sed(1) */
        size_t n_kept;
        size_t n_gone;
} File;

static void file_done(File *file)
{
        free(file->path);
        buffer_done(&file->script);
}

/* A file of a package is masked by one of its name, if nothing else is in it. */
static int mask(File *file, const char *script)
{
        _cleanup_free_ char *target = NULL, *quoted = NULL;
        int r;

        r = format_string(&target, "/etc/modprobe.d/%s", strrchr(file->path, '/') + 1);
        if (r >= 0)
                r = shell_quote(file->n_kept == 0 ? target : file->path, &quoted);
        if (r < 0)
                return r;
        if (file->n_kept == 0)
                return import_add_command(file->import, "ln -s /dev/null %s", quoted);
        return import_add_command(file->import,
                "# by hand: copy %s to /etc/modprobe.d, and there: sed -i '%s'", quoted, script);
}

static int flush(File *file)
{
        _cleanup_free_ char *script = NULL, *quoted = NULL;
        int r;

        r = buffer_finish(&file->script, &script);
        if (r >= 0 && file->n_gone > 0)
                r = shell_quote(file->path, &quoted);
        if (r >= 0 && file->n_gone > 0) {
                file->import->is_in_initramfs = true;
                if (!startswith(file->path, "/etc/"))
                        r = mask(file, script);
                else if (file->n_kept == 0)
                        r = import_add_command(file->import, "rm -f %s", quoted);
                else
                        r = import_add_command(file->import, "sed -i '%s' %s", script, quoted);
        }
        file->n_kept = file->n_gone = 0;
        return r;
}

static bool names_vfio(const char *module)
{
        return startswith(module, "vfio-pci") || startswith(module, "vfio_pci");
}

static bool is_soft_dependency_on_us(const ModprobeLine *line)
{
        bool before = false;

        for (char **word = line->words + 1; *word && word[1]; word++) {
                before = streq(*word, "pre:") || (before && !streq(*word, "post:"));
                if (before && names_vfio(word[1]))
                        return true;
        }
        return false;
}

typedef enum Fate {
        KEEP,
        DROP_IDS, /* other parameters stand on the line too */
        DROP,
} Fate;

static Fate fate_of(const Import *import, const ModprobeLine *line)
{
        const char *command = line->words[0], *module = line->words[1];
        size_t n = string_list_length(line->words), n_ids = 0;

        if (!module)
                return KEEP;
        if (streq(command, "blacklist"))
                return import_is_host_driver(import, module) ? DROP : KEEP;
        if (streq(command, "softdep"))
                return is_soft_dependency_on_us(line) ? DROP : KEEP;
        if (!streq(command, "options") || !module_name_equal(module, "vfio_pci"))
                return KEEP;
        for (size_t i = 2; i < n; i++)
                n_ids += startswith(line->words[i], "ids=") ? 1 : 0;
        return n_ids == 0 ? KEEP : n_ids == n - 2 ? DROP : DROP_IDS;
}

static int on_line(void *userdata, const ModprobeLine *line)
{
        File *file = userdata;
        const char *separator;
        Fate fate;
        int r;

        if (!streq_null(file->path, line->file)) {
                r = flush(file);
                if (r >= 0)
                        r = replace_string(&file->path, line->file);
                if (r < 0)
                        return r;
        }
        separator = file->n_gone > 0 ? ";" : "";
        fate = fate_of(file->import, line);
        file->n_kept += fate != DROP;
        switch (fate) {
        case KEEP:
                return 0;
        case DROP_IDS:
        case DROP:
                buffer_printf(&file->script, "%s%u", separator, line->first);
                if (line->last != line->first)
                        buffer_printf(&file->script, ",%u", line->last);
                buffer_append(&file->script, fate == DROP ? "d" : "s/ids=[^ \\t]*//");
                break;
        }
        file->n_gone++;
        return 0;
}

/* Lists of modules, one on a line. vfio-bindd loads what it needs itself. */
static int remove_from_list(Import *import, const char *path)
{
        _cleanup_free_ char *text = NULL, *quoted = NULL;
        char *rest, *line;
        size_t n = 0, others = 0;
        int r;

        r = tree_read(import->host, path, &text);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        rest = text;
        while ((line = tree_next_line(&rest, NULL))) {
                line = strip(line);
                if (startswith(line, "vfio"))
                        n++;
                else
                        others += *line && !strchr("#;", *line);
        }
        if (n == 0)
                return 0;
        import->is_in_initramfs = true;
        r = shell_quote(path, &quoted);
        if (r < 0)
                return r;
        /* The other lists are there on every Debian. */
        if (others == 0 && startswith(path, "/etc/modules-load.d/"))
                return import_add_command(import, "rm -f %s", quoted);
        return import_add_command(import, "sed -i '/^[[:space:]]*vfio/d' %s", quoted);
}

static int remove_from_lists(Import *import)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        r = remove_from_list(import, "/etc/modules");
        if (r >= 0)
                r = remove_from_list(import, "/etc/initramfs-tools/modules");
        if (r >= 0)
                r = tree_list(import->host, "/etc/modules-load.d", ".conf", &names);
        for (char **name = names; r >= 0 && name && *name; name++) {
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "/etc/modules-load.d/%s", *name);
                if (r >= 0)
                        r = remove_from_list(import, path);
        }
        return r;
}

int import_remove_module_options(Import *import)
{
        _cleanup_(file_done) File file = { .import = import };
        int r;

        r = modprobe_for_each_line(import->host, on_line, &file);
        if (r >= 0)
                r = flush(&file);
        return r < 0 ? r : remove_from_lists(import);
}
