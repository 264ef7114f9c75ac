/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "util/buffer.h"
#include "util/hash.h"
#include "util/strings.h"

/* A digest of everything in a configuration that can change a decision: a canonical text, hashed
 * with FNV-1a (64 bits). It tells configurations apart, it does not protect against anybody:
 * whoever can write the configuration needs no collision. */

/* Lengths in front keep neighbouring strings apart: "a" "bc" is not "ab" "c". */
static void render_string(Buffer *buffer, const char *key, const char *text)
{
        buffer_printf(buffer, "%s=%zu:%s\n", key, strlen(text), text);
}

static void render_matches(Buffer *buffer, const char *key, Match *const *matches, size_t n)
{
        for (size_t i = 0; i < n; i++)
                render_string(buffer, key, matches[i]->text);
}

static void render_settings(Buffer *buffer, const ClaimSettings *settings)
{
        render_string(buffer, "Driver", settings->driver);
        buffer_printf(buffer, "Companions=%s\n", companion_policy_to_string(settings->companions));
        render_string(buffer, "NodeUser", settings->node_user);
        render_string(buffer, "NodeGroup", settings->node_group);
        buffer_printf(buffer, "NodeMode=%o\n", (unsigned) settings->node_mode);
        buffer_printf(buffer, "OnDrift=%s\n", drift_policy_to_string(settings->on_drift));
        buffer_printf(buffer, "Timeout=%" PRIu64 "\n", settings->timeout_usec);
}

static void render_claim(Buffer *buffer, const Claim *claim)
{
        render_string(buffer, "Claim", claim->name);
        render_matches(buffer, "Match", claim->matches, claim->n_matches);
        render_matches(buffer, "Exclude", claim->excludes, claim->n_excludes);
        render_settings(buffer, &claim->settings);
        buffer_printf(buffer, "AllowInUse=%x\nEnabled=%d\nError=%d\n", claim->allow_in_use,
                claim->enabled, claim->has_error);
}

static void render_physical_function(Buffer *buffer, const PhysicalFunction *function)
{
        render_string(buffer, "PhysicalFunction", function->name);
        render_matches(buffer, "Match", function->matches, function->n_matches);
        buffer_printf(buffer, "NumVFs=%d,%u\nHostVFs=%d\nTimeout=%" PRIu64 "\nError=%d\n",
                (int) function->num_vfs, function->number, function->leave_host_vfs,
                function->timeout_usec, function->has_error);
}

int config_update_digest(Config *config)
{
        _cleanup_buffer_ Buffer buffer = {};

        buffer_append(&buffer, "[Defaults]\n");
        render_settings(&buffer, &config->defaults);
        buffer_printf(&buffer, "BootTimeout=%" PRIu64 "\n", config->boot_timeout_usec);
        render_matches(&buffer, "Exclude", config->excludes, config->n_excludes);
        for (size_t i = 0; i < config->n_claims; i++)
                render_claim(&buffer, &config->claims[i]);
        for (size_t i = 0; i < config->n_physical_functions; i++)
                render_physical_function(&buffer, &config->physical_functions[i]);
        if (buffer.failed)
                return -ENOMEM;

        (void) snprintf(config->digest, sizeof(config->digest), "%016" PRIx64,
                hash_update(HASH_START, buffer.text, buffer.length));
        return 0;
}
