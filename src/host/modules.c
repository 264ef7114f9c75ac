/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "util/array.h"
#include "util/io.h"
#include "util/strings.h"

/* Variant drivers mark themselves by aliases "vfio_pci:v…d…", which modules.alias lists as text.
 * Some initramfs builders keep only the binary index, which gives modules but not patterns: then
 * the modules are asked themselves. */

#define MODULE_NAME_MAX   64
#define ALIAS_FILE_MAX    (32U << 20)
#define VFIO_ALIASES_MAX  8192
#define GENERIC_WILDCARDS 7 /* vfio_pci itself: "vfio_pci:v*d*sv*sd*bc*sc*i*" */

typedef struct VfioAlias {
        char *pattern;
        char *module;
} VfioAlias;

struct ModuleIndex {
        const Host *host;
        struct kmod_ctx *context;
        bool has_index;   /* without one, libkmod says that no module fits */
        bool has_aliases; /* modules.alias could be read */
        VfioAlias *aliases;
        size_t n_aliases;
};

static void log_nothing(void *data, int priority, const char *file, int line, const char *function,
        const char *format, va_list arguments)
{
}

static void unref_context(struct kmod_ctx **context)
{
        if (*context)
                (void) kmod_unref(*context);
}

static void unref_module(struct kmod_module **module)
{
        if (*module)
                (void) kmod_module_unref(*module);
}

static void unref_list(struct kmod_list **list)
{
        if (*list)
                (void) kmod_module_unref_list(*list);
}

/* A module's name as the kernel spells it. */
static bool normalise(const char *name, char result[static MODULE_NAME_MAX])
{
        size_t n = strlen(name);

        if (n == 0 || n >= MODULE_NAME_MAX)
                return false;
        for (size_t i = 0; i <= n; i++)
                result[i] = (char) (name[i] == '-' ? '_' : name[i]);
        return strspn(result,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
}

static unsigned count_wildcards(const char *pattern)
{
        unsigned n = 0;

        for (const char *p = pattern; (p = strchr(p, '*')); p++)
                n++;
        return n;
}

/* "alias vfio_pci:v*d* module" */
static int add_alias(ModuleIndex *index, const char *line, size_t length)
{
        _cleanup_free_ char *text = strndup(line, length);
        char *rest = NULL;

        if (!text)
                return -ENOMEM;
        char *pattern = strtok_r(text, " ", &rest);
        char *module = strtok_r(NULL, " ", &rest);
        char name[MODULE_NAME_MAX];
        if (!pattern || !module || !normalise(module, name))
                return 0;

        int r = ARRAY_GROW(index->aliases, index->n_aliases);
        if (r < 0)
                return r;
        VfioAlias alias = {.pattern = strdup(pattern), .module = strdup(name)};
        if (!alias.pattern || !alias.module) {
                free(alias.pattern);
                free(alias.module);
                return -ENOMEM;
        }
        index->aliases[index->n_aliases++] = alias;
        return 0;
}

static int read_aliases(ModuleIndex *index, const char *release)
{
        static const char prefix[] = "alias vfio_pci:";
        _cleanup_free_ char *path = NULL, *text = NULL;

        int r = format_string(&path, "lib/modules/%s/modules.alias", release);
        if (r == 0)
                r = read_file_at(index->host->root, path, ALIAS_FILE_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : 0;

        index->has_aliases = true;
        for (const char *line = text; (line = strstr(line, prefix)); line++) {
                if (line > text && line[-1] != '\n')
                        continue;
                if (index->n_aliases == VFIO_ALIASES_MAX)
                        break;
                const char *pattern = line + strlen("alias ");
                r = add_alias(index, pattern, strcspn(pattern, "\n"));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int find_index(ModuleIndex *index, const char *release)
{
        _cleanup_free_ char *path = NULL;

        int r = format_string(&path, "lib/modules/%s/modules.alias.bin", release);
        if (r == 0)
                index->has_index = faccessat(index->host->root, path, F_OK, 0) == 0;
        return r;
}

static int new_context(const Host *host, const char *release, struct kmod_ctx **ret)
{
        static const char *const no_configuration = NULL;
        _cleanup_free_ char *path = NULL;

        int r = host->is_live ?
                format_string(&path, "/lib/modules/%s", release) :
                format_string(&path, "/proc/self/fd/%d/lib/modules/%s", host->root, release);
        if (r < 0)
                return r;
        struct kmod_ctx *context = kmod_new(path, &no_configuration);
        if (!context)
                return -ENOMEM;
        kmod_set_log_fn(context, log_nothing, NULL);
        *ret = context;
        return 0;
}

int module_index_new(const Host *host, ModuleIndex **ret)
{
        _cleanup_module_index_ ModuleIndex *index = calloc(1, sizeof(*index));
        _cleanup_free_ char *release = NULL;

        if (!index)
                return -ENOMEM;
        index->host = host;
        int r = host_kernel_release(host, &release);
        if (r == 0)
                r = new_context(host, release, &index->context);
        if (r == 0)
                r = find_index(index, release);
        if (r == 0)
                r = read_aliases(index, release);
        if (r < 0)
                return r;

        *ret = TAKE_POINTER(index);
        return 0;
}

ModuleIndex *module_index_free(ModuleIndex *index)
{
        if (!index)
                return NULL;

        for (size_t i = 0; i < index->n_aliases; i++) {
                free(index->aliases[i].pattern);
                free(index->aliases[i].module);
        }
        free(index->aliases);
        unref_context(&index->context);
        free(index);
        return NULL;
}

static int look_up(ModuleIndex *index, const char *alias, struct kmod_list **ret)
{
        if (!index->has_index)
                return -ENOENT;
        int r = kmod_module_new_from_lookup(index->context, alias, ret);
        return r == -ENOSYS ? -ENOENT : r;
}

/* Fewest wildcards of the module's own aliases that fit; UINT_MAX: none fits. */
static unsigned rank_by_info(struct kmod_module *module, const char *alias)
{
        struct kmod_list *list = NULL, *item;
        unsigned best = UINT_MAX;

        if (kmod_module_get_info(module, &list) < 0)
                return best;
        kmod_list_foreach(item, list) {
                const char *pattern = kmod_module_info_get_value(item);

                if (!streq(kmod_module_info_get_key(item), "alias") ||
                    !startswith(pattern, "vfio_pci:"))
                        continue;
                if ((!alias || fnmatch(pattern, alias, 0) == 0) && count_wildcards(pattern) < best)
                        best = count_wildcards(pattern);
        }
        kmod_module_info_free_list(list);
        return best;
}

typedef struct Best {
        char name[MODULE_NAME_MAX];
        unsigned wildcards;
} Best;

static void consider(Best *best, const char *module, unsigned wildcards)
{
        char name[MODULE_NAME_MAX];

        if (wildcards > best->wildcards || !normalise(module, name))
                return;
        /* The generic driver wins a tie with a variant that fits everything, too. */
        if (wildcards == best->wildcards &&
            (streq(best->name, "vfio_pci") || strcmp(name, best->name) >= 0))
                return;
        memcpy(best->name, name, sizeof(name));
        best->wildcards = wildcards;
}

static int consider_modules(ModuleIndex *index, const char *alias, Best *best)
{
        _cleanup_(unref_list) struct kmod_list *list = NULL;
        struct kmod_list *item;

        int r = look_up(index, alias, &list);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        kmod_list_foreach(item, list) {
                _cleanup_(unref_module) struct kmod_module *module = kmod_module_get_module(item);
                consider(best, kmod_module_get_name(module), rank_by_info(module, alias));
        }
        return 0;
}

int module_index_best_vfio_driver(ModuleIndex *index, const char *modalias, char **ret)
{
        Best best = {.name = "vfio_pci", .wildcards = GENERIC_WILDCARDS};
        const char *identity = startswith(modalias, "pci:");
        _cleanup_free_ char *alias = NULL;

        if (!identity)
                return -EINVAL;
        int r = format_string(&alias, "vfio_pci:%s", identity);
        if (r < 0)
                return r;

        for (size_t i = 0; i < index->n_aliases; i++)
                if (fnmatch(index->aliases[i].pattern, alias, 0) == 0)
                        consider(&best, index->aliases[i].module,
                                count_wildcards(index->aliases[i].pattern));
        if (!index->has_aliases) {
                r = consider_modules(index, alias, &best);
                if (r < 0)
                        return r;
        }
        return format_string(ret, "%s", best.name);
}

int module_index_vfio_driver(ModuleIndex *index, const char *modalias, char **ret)
{
        _cleanup_free_ char *module = NULL;

        int r = module_index_best_vfio_driver(index, modalias, &module);
        if (r < 0)
                return r;
        if (modules_driver_name(index->host, module, ret) == 0)
                return 0;
        return format_string(ret, "%s", streq(module, "vfio_pci") ? "vfio-pci" : module);
}

bool module_index_is_vfio(ModuleIndex *index, const char *module)
{
        _cleanup_(unref_module) struct kmod_module *found = NULL;
        char name[MODULE_NAME_MAX];

        if (!normalise(module, name))
                return false;
        if (streq(name, "vfio_pci"))
                return true;
        for (size_t i = 0; i < index->n_aliases; i++)
                if (streq(index->aliases[i].module, name))
                        return true;
        return !index->has_aliases &&
                kmod_module_new_from_name(index->context, name, &found) == 0 &&
                rank_by_info(found, NULL) != UINT_MAX;
}

int module_index_host_drivers(ModuleIndex *index, const char *modalias, char ***ret)
{
        _cleanup_(unref_list) struct kmod_list *list = NULL;
        _cleanup_string_list_ char **names = NULL;
        struct kmod_list *item;

        if (!startswith(modalias, "pci:"))
                return -EINVAL;
        int r = look_up(index, modalias, &list);
        if (r < 0)
                return r;

        kmod_list_foreach(item, list) {
                _cleanup_(unref_module) struct kmod_module *module = kmod_module_get_module(item);
                const char *name = kmod_module_get_name(module);

                if (string_list_contains(names, name) || module_index_is_vfio(index, name))
                        continue;
                r = string_list_append(&names, name);
                if (r < 0)
                        return r;
        }
        size_t n = string_list_length(names);
        if (n > 1)
                qsort(names, n, sizeof(char *), host_compare_names);
        *ret = TAKE_POINTER(names);
        return 0;
}

int modules_host_drivers(const Host *host, const char *modalias, char ***ret)
{
        _cleanup_module_index_ ModuleIndex *index = NULL;

        int r = module_index_new(host, &index);
        return r < 0 ? r : module_index_host_drivers(index, modalias, ret);
}

int modules_best_vfio_driver(const Host *host, const char *modalias, char **ret)
{
        _cleanup_module_index_ ModuleIndex *index = NULL;

        int r = module_index_new(host, &index);
        return r < 0 ? r : module_index_best_vfio_driver(index, modalias, ret);
}

bool modules_is_vfio(const Host *host, const char *module)
{
        _cleanup_module_index_ ModuleIndex *index = NULL;
        char name[MODULE_NAME_MAX];

        if (!normalise(module, name))
                return false;
        if (streq(name, "vfio_pci"))
                return true;
        return module_index_new(host, &index) == 0 && module_index_is_vfio(index, name);
}

int modules_driver_name(const Host *host, const char *module, char **ret)
{
        char name[MODULE_NAME_MAX], path[MODULE_NAME_MAX + 32];
        _cleanup_directory_ DIR *drivers = NULL;

        if (!normalise(module, name))
                return -EINVAL;
        (void) snprintf(path, sizeof(path), "sys/module/%s/drivers", name);
        int r = host_open_directory(host->root, path, &drivers);
        if (r < 0)
                return r;
        for (struct dirent *entry; (entry = readdir(drivers));) {
                const char *driver = startswith(entry->d_name, "pci:");
                if (driver && *driver)
                        return format_string(ret, "%s", driver);
        }
        return -ENOENT;
}

/* Stands in for libkmod's own, which would hand the line to a shell. */
static int insert_instead_of_command(struct kmod_module *module, const char *command, void *data)
{
        int r = kmod_module_insert_module(module, 0, kmod_module_get_options(module));
        return r == -EEXIST ? 0 : r;
}

static bool is_present(const Host *host, const char *name)
{
        char path[MODULE_NAME_MAX + 32];

        (void) snprintf(path, sizeof(path), "sys/module/%s", name);
        return faccessat(host->root, path, F_OK, 0) == 0 ||
                (streq(name, "vfio_pci") &&
                        faccessat(host->root, "sys/bus/pci/drivers/vfio-pci", F_OK, 0) == 0);
}

static int load_module(struct kmod_module *module)
{
        int state = kmod_module_get_initstate(module);

        if (state == KMOD_MODULE_BUILTIN || state == KMOD_MODULE_LIVE)
                return 0;
        int r = kmod_module_probe_insert_module(module, 0, NULL, insert_instead_of_command, NULL,
                NULL);
        return r > 0 ? -EPERM : r;
}

/* libkmod's own option for this would look at the modules that it depends on, too. */
static int leave_out_blacklisted(struct kmod_ctx *context, struct kmod_list **list)
{
        struct kmod_list *left = NULL;

        int r = kmod_module_apply_filter(context, KMOD_FILTER_BLACKLIST, *list, &left);
        if (r < 0)
                return r;
        (void) kmod_module_unref_list(*list);
        *list = left;
        return 0;
}

static int load(const Host *host, const char *name, bool is_asked_for)
{
        _cleanup_(unref_context) struct kmod_ctx *context = NULL;
        _cleanup_(unref_list) struct kmod_list *list = NULL;
        struct kmod_list *item;
        char normalised[MODULE_NAME_MAX];

        if (!normalise(name, normalised))
                return -EINVAL;
        if (!host->is_live)
                return -EOPNOTSUPP;

        context = kmod_new(NULL, NULL); /* with modprobe.d: options count */
        if (!context)
                return -ENOMEM;
        kmod_set_log_fn(context, log_nothing, NULL);

        int r = kmod_module_new_from_lookup(context, normalised, &list);
        if (r >= 0 && list && !is_asked_for)
                r = leave_out_blacklisted(context, &list);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !list)
                return is_present(host, normalised) ? 0 : -ENOENT;
        kmod_list_foreach(item, list) {
                _cleanup_(unref_module) struct kmod_module *module = kmod_module_get_module(item);

                r = load_module(module);
                if (r < 0)
                        return r;
        }
        return 0;
}

int modules_load(const Host *host, const char *name)
{
        return load(host, name, true);
}

int modules_load_fitting(const Host *host, const char *name)
{
        return load(host, name, false);
}
