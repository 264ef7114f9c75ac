/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/config-text.h"

#include <inttypes.h>

#include "lib/test.h"
#include "util/buffer.h"
#include "util/strings.h"

static void append_matches(Buffer *buffer, const char *first, Match *const *matches, size_t n)
{
        for (size_t i = 0; i < n; i++)
                buffer_printf(buffer, "%s %s", i == 0 ? first : " |", matches[i]->text);
}

static void append_settings(Buffer *buffer, const ClaimSettings *settings)
{
        if (!streq(settings->driver, "vfio-pci"))
                buffer_printf(buffer, " Driver=%s", settings->driver);
        if (settings->companions != COMPANIONS_SLOT)
                buffer_printf(
                        buffer, " Companions=%s", companion_policy_to_string(settings->companions));
        if (!streq(settings->node_user, "root"))
                buffer_printf(buffer, " NodeUser=%s", settings->node_user);
        if (!streq(settings->node_group, "kvm"))
                buffer_printf(buffer, " NodeGroup=%s", settings->node_group);
        if (settings->node_mode != 0660)
                buffer_printf(buffer, " NodeMode=%04o", (unsigned) settings->node_mode);
        if (settings->on_drift != DRIFT_REPORT)
                buffer_printf(buffer, " OnDrift=%s", drift_policy_to_string(settings->on_drift));
        if (settings->timeout_usec != 30 * USEC_PER_SEC)
                buffer_printf(buffer, " Timeout=%" PRIu64 "us", settings->timeout_usec);
}

static void append_claim(Buffer *buffer, const Claim *claim)
{
        buffer_printf(buffer, "claim %s%s", claim->name, claim->has_error ? " error" : "");
        if (!claim->enabled)
                buffer_append(buffer, " enabled=no");
        if (claim->allow_in_use)
                buffer_printf(buffer, " allow=%x", claim->allow_in_use);
        append_settings(buffer, &claim->settings);
        append_matches(buffer, ":", claim->matches, claim->n_matches);
        append_matches(buffer, " -", claim->excludes, claim->n_excludes);
        buffer_append(buffer, "\n");
}

static void append_physical_function(Buffer *buffer, const PhysicalFunction *function)
{
        buffer_printf(buffer, "pf %s%s", function->name, function->has_error ? " error" : "");
        if (function->num_vfs == NUM_VFS_NUMBER)
                buffer_printf(buffer, " NumVFs=%u", function->number);
        else if (function->num_vfs == NUM_VFS_MAX)
                buffer_append(buffer, " NumVFs=max");
        if (function->leave_host_vfs)
                buffer_append(buffer, " HostVFs=leave");
        if (function->timeout_usec != 30 * USEC_PER_SEC)
                buffer_printf(buffer, " Timeout=%" PRIu64 "us", function->timeout_usec);
        append_matches(buffer, ":", function->matches, function->n_matches);
        buffer_append(buffer, "\n");
}

char *config_to_text(const Config *config)
{
        Buffer buffer = {};
        char *text;

        if (config->n_excludes > 0) {
                append_matches(&buffer, "exclude:", config->excludes, config->n_excludes);
                buffer_append(&buffer, "\n");
        }
        if (config->boot_timeout_usec != 10 * USEC_PER_SEC)
                buffer_printf(
                        &buffer, "BootTimeout=%" PRIu64 "us\n", config->boot_timeout_usec);
        for (size_t i = 0; i < config->n_claims; i++)
                append_claim(&buffer, &config->claims[i]);
        for (size_t i = 0; i < config->n_physical_functions; i++)
                append_physical_function(&buffer, &config->physical_functions[i]);
        ASSERT_OK(buffer_finish(&buffer, &text));
        return text;
}

char *diagnostics_to_text(const Config *config)
{
        Buffer buffer = {};
        char *text;

        for (size_t i = 0; i < config->diagnostics.n_items; i++) {
                ASSERT_OK(diagnostic_format(&config->diagnostics.items[i], &text));
                buffer_printf(&buffer, "%s\n", text);
                free(text);
        }
        ASSERT_OK(buffer_finish(&buffer, &text));
        return text;
}
