/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage/initramfs.h"

#include <errno.h>
#include <inttypes.h>

#include "config/config-load.h"
#include "host/initramfs.h"
#include "host/switch.h"
#include "log/log.h"
#include "stage/boot.h"
#include "util/strings.h"

/* Reading the machine and cleaning up after the deadline take this long at most. */
#define MARGIN_USEC (10 * USEC_PER_SEC)

/* The kernel and kmod take "-" and "_" in names of modules for the same; module lists do not. */
static int add_module(char ***modules, const char *driver)
{
        _cleanup_free_ char *name = NULL;

        int r = replace_string(&name, driver);
        if (r < 0)
                return r;
        for (char *p = name; *p; p++)
                if (*p == '-')
                        *p = '_';
        return string_list_contains(*modules, name) ? 0 : string_list_append(modules, name);
}

static int list_modules(const Config *config, char ***ret, bool *ret_variants)
{
        _cleanup_string_list_ char **modules = NULL;
        bool variants = false;

        int r = add_module(&modules, "vfio-pci");
        if (r >= 0)
                r = add_module(&modules, "vfio_iommu_type1");
        /* A part of vfio since Linux 6.2. */
        if (r >= 0)
                r = add_module(&modules, "vfio_virqfd");
        for (size_t i = 0; r >= 0 && i < config->n_claims; i++) {
                const char *driver = config->claims[i].settings.driver;

                if (streq(driver, "auto"))
                        variants = true;
                else
                        r = add_module(&modules, driver);
        }
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(modules);
        *ret_variants = variants;
        return 0;
}

static int print_files(const Config *config, FILE *output)
{
        for (char **file = config->files; file && *file; file++) {
                /* The reader writes '?' over what cannot be shown; such a file is refused. */
                if (strchr(*file, '?')) {
                        log_error("%s: such a name of a file cannot be handed on.", *file);
                        return -EINVAL;
                }
                fprintf(output, "file %s\n", *file);
        }
        return 0;
}

static int print_needs(const Host *host, const Config *config, FILE *output)
{
        _cleanup_string_list_ char **modules = NULL;
        char digest[INITRAMFS_DIGEST_SIZE];
        bool variants;

        int r = initramfs_digest(host, config->digest, digest);
        if (r >= 0)
                r = list_modules(config, &modules, &variants);
        if (r < 0)
                return r;

        fprintf(output, "switch on\n");
        r = print_files(config, output);
        if (r < 0)
                return r;
        for (char **module = modules; *module; module++)
                fprintf(output, "module %s\n", *module);
        if (variants)
                fprintf(output, "variants\n");
        fprintf(output, "digest %s\ntimeout %" PRIu64 "\n", digest,
                (boot_timeout(config) + MARGIN_USEC) / USEC_PER_SEC);
        return fflush(output) < 0 ? -errno : 0;
}

int initramfs_print_needs(const char *root, FILE *output)
{
        _cleanup_host_ Host host = { .root = -1 };
        _cleanup_config_ Config *config = NULL;

        int r = host_open(root, &host);
        if (r < 0) {
                log_error("%s cannot be opened: %s", root ?: "/", strerror(-r));
                return r;
        }
        if (!host_is_enabled(&host)) {
                fprintf(output, "switch off\n");
                return 0;
        }
        r = config_load(host.root,
                &(ConfigLoadOptions){ .check_owner = host.is_live, .without_run = true }, &config);
        if (r >= 0) {
                log_config(config);
                r = print_needs(&host, config, output);
        }
        if (r < 0)
                log_error("What the initramfs needs cannot be told: %s", strerror(-r));
        return r;
}
