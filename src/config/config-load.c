/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/config-load.h"

#include <errno.h>

#include "config/builder.h"
#include "config/files.h"
#include "util/strings.h"

/* The Config's own copy of a file's name, which locations point to. */
static int remember_file(Config *config, const char *name, const char **ret)
{
        int r = string_list_append(&config->files, name);
        if (r < 0)
                return r;
        char *copy = config->files[string_list_length(config->files) - 1];
        make_printable(copy);
        *ret = copy;
        return 0;
}

static int load_file(Builder *builder, int root_fd, const char *path,
        const ConfigLoadOptions *options)
{
        bool is_replaced = options->replace_path && streq(options->replace_path, path);
        _cleanup_free_ char *text = NULL;
        char problem[FILE_PROBLEM_MAX];
        const char *name;
        size_t length;

        int r = remember_file(
                builder->config, is_replaced ? options->replace_file : path, &name);
        if (r < 0)
                return r;
        if (find_unprintable(path)) {
                builder_add_unreadable(builder, name, "refused: unprintable file name");
                return 0;
        }

        r = config_file_read(root_fd, path, options, &text, &length, problem);
        if (r == -EINVAL) {
                builder_add_unreadable(builder, name, problem);
                return 0;
        }
        if (r < 0)
                return r;
        return builder_add_text(builder, name, text, length);
}

/* A file in the place of one that would not be read. */
static int warn_masked(Config *config, char *const *paths, const ConfigLoadOptions *options)
{
        const char *name;

        if (!options->replace_path || string_list_contains(paths, options->replace_path))
                return 0;
        int r = remember_file(config, options->replace_file, &name);
        if (r < 0)
                return r;
        diagnostic_warning(&config->diagnostics, (Location){.file = name}, NULL,
                "not read: another file takes precedence over %s", options->replace_path);
        return 0;
}

int config_load(int root_fd, const ConfigLoadOptions *options, Config **ret)
{
        static const ConfigLoadOptions usual = {.check_owner = true};
        _cleanup_config_ Config *config = NULL;
        _cleanup_builder_ Builder builder = {};
        _cleanup_string_list_ char **paths = NULL;
        char problem[FILE_PROBLEM_MAX];

        if (!options)
                options = &usual;
        if (!options->replace_path != !options->replace_file ||
            (options->replace_path && !config_path_is_candidate(options->replace_path)))
                return -EINVAL;

        int r = config_new(&config);
        if (r == 0)
                r = builder_init(&builder, config);
        if (r < 0)
                return r;

        int listed = config_files_list(root_fd, options, &paths, problem);
        if (listed < 0 && listed != -EINVAL)
                return listed;
        for (char **path = paths; path && *path; path++) {
                r = load_file(&builder, root_fd, *path, options);
                if (r < 0)
                        return r;
        }
        if (listed == -EINVAL)
                builder_add_unreadable(&builder, NULL, problem);

        r = warn_masked(config, paths, options);
        if (r == 0)
                r = builder_finish(&builder);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(config);
        return 0;
}

int config_load_text(const char *file_name, const char *text, size_t length, Config **ret)
{
        _cleanup_config_ Config *config = NULL;
        _cleanup_builder_ Builder builder = {};
        const char *name;

        int r = config_new(&config);
        if (r == 0)
                r = builder_init(&builder, config);
        if (r == 0)
                r = remember_file(config, file_name, &name);
        if (r == 0)
                r = builder_add_text(&builder, name, text, length);
        if (r == 0)
                r = builder_finish(&builder);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(config);
        return 0;
}
