/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "config/config-load.h"
#include "daemon/manager-internal.h"
#include "log/log.h"
#include "util/io.h"
#include "util/strings.h"

/* From files and kernel command line to the configuration that plans are made from. */

static int load(const Host *host, const char *config_root, bool without_run, Config **ret)
{
        ConfigLoadOptions options = { .check_owner = host->is_live, .without_run = without_run };
        _cleanup_close_ int root = -1;

        if (!config_root)
                return config_load(host->root, &options, ret);
        root = open(config_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return -errno;
        return config_load(root, &options, ret);
}

/* At the first start there is nothing to fall back on: no claims, and one error that says why. */
static int load_nothing(int error, Config **ret)
{
        _cleanup_config_ Config *config = NULL;
        int r;

        r = config_new(&config);
        if (r < 0)
                return r;
        config->incomplete = true;
        diagnostic_error(&config->diagnostics, (Location){ .file = "/etc/vfio-bind.conf" }, NULL,
                "The configuration cannot be read: %s.", strerror(-error));
        *ret = TAKE_POINTER(config);
        return 0;
}

static void skip_claims(Config *config, const KernelCommandLine *line)
{
        for (size_t i = 0; i < config->n_claims; i++)
                config->claims[i].is_skipped =
                        line->mode == SWITCH_OFF ||
                        string_list_contains(line->skip, config->claims[i].name);
}

/* Takes the configuration, in any case. */
static int finish(Config *taken, const KernelCommandLine *line, SharedConfig **ret)
{
        _cleanup_config_ Config *config = taken;
        SharedConfig *shared;
        int r;

        skip_claims(config, line);
        r = config_update_digest(config);
        if (r < 0)
                return r;
        shared = calloc(1, sizeof(*shared));
        if (!shared)
                return -ENOMEM;
        *shared = (SharedConfig){ .references = 1, .config = TAKE_POINTER(config) };
        *ret = shared;
        return 0;
}

int configuration_read(const Host *host, const char *config_root, const KernelCommandLine *line,
        const SharedConfig *previous, SharedConfig **ret)
{
        _cleanup_config_ Config *config = NULL;
        char files_digest[sizeof(config->digest)];
        int r;

        r = load(host, config_root, false, &config);
        if (r < 0 && r != -ENOMEM && !previous)
                r = load_nothing(r, &config);
        if (r < 0)
                return r;
        log_config(config);
        memcpy(files_digest, config->digest, sizeof(files_digest));
        if (previous) {
                r = config_merge_last_good(previous->config, config);
                if (r < 0)
                        return r;
        }
        r = finish(TAKE_POINTER(config), line, ret);
        if (r >= 0)
                memcpy((*ret)->files_digest, files_digest, sizeof(files_digest));
        return r;
}

int configuration_look(Manager *manager)
{
        _cleanup_config_ Config *config = NULL;
        const char *state = "changed";
        int r;

        r = load(manager->host, manager->config_root, false, &config);
        if (r == -ENOMEM)
                return r;
        if (r >= 0 && streq(config->digest, manager->config->files_digest))
                state = "current";
        if (streq_null(state, manager->configuration_state))
                return 0;
        manager->configuration_state = state;
        if (streq(state, "changed"))
                log_notice("The configuration was changed. Run \"systemctl reload vfio-bindd\" to "
                           "have it used now.");
        return 1;
}

int configuration_read_next_boot(const Host *host, const char *config_root,
        const KernelCommandLine *line, SharedConfig **ret)
{
        _cleanup_config_ Config *config = NULL;
        int r;

        r = load(host, config_root, true, &config);
        if (r < 0 && r != -ENOMEM)
                r = load_nothing(r, &config);
        return r < 0 ? r : finish(TAKE_POINTER(config), line, ret);
}
