/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/config-load.h"

#include <errno.h>
#include <string.h>

#include "util/array.h"
#include "util/strings.h"

/* What a reload keeps of the configuration before it. Matches are copied by reading their text
 * again: a compiled pattern cannot be copied. */

/* The new Config's own name for a file that the old one names. */
static int adopt_file(Config *config, const char *file, const char **ret)
{
        char **lists[] = {config->files, config->more_files};

        if (!file) {
                *ret = NULL;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (char **item = lists[i]; item && *item; item++)
                        if (streq(*item, file)) {
                                *ret = *item;
                                return 0;
                        }

        int r = string_list_append(&config->more_files, file);
        if (r < 0)
                return r;
        *ret = config->more_files[string_list_length(config->more_files) - 1];
        return 0;
}

static int copy_match(Config *config, const Match *match, Match **ret)
{
        DiagnosticList diagnostics = {};
        Location location = match->location;

        int r = adopt_file(config, match->location.file, &location.file);
        if (r < 0)
                return r;
        r = match_parse(match->text, location, NULL, &diagnostics, ret);
        if (r == -EINVAL && diagnostics.failed)
                r = -ENOMEM;
        diagnostic_list_done(&diagnostics);
        /* A line that stood for its readable part only ([Defaults] Exclude=). */
        if (r == -EINVAL)
                r = match_parse_readable(match->text, location, ret);
        return r;
}

static int copy_matches(Config *config, Match *const *from, size_t n, Match ***ret, size_t *ret_n)
{
        for (size_t i = 0; i < n; i++) {
                int r = ARRAY_GROW(*ret, *ret_n);
                if (r < 0)
                        return r;
                r = copy_match(config, from[i], &(*ret)[*ret_n]);
                if (r < 0)
                        return r;
                (*ret_n)++;
        }
        return 0;
}

static int copy_claim(Config *config, const Claim *from, Claim *claim)
{
        claim->allow_in_use = from->allow_in_use;
        claim->enabled = from->enabled;
        claim->is_skipped = from->is_skipped;
        claim->location = from->location;

        int r = adopt_file(config, from->location.file, &claim->location.file);
        if (r == 0)
                r = replace_string(&claim->name, from->name);
        if (r == 0)
                r = claim_settings_copy(&from->settings, &claim->settings);
        if (r == 0)
                r = copy_matches(config, from->matches, from->n_matches, &claim->matches,
                        &claim->n_matches);
        if (r == 0)
                r = copy_matches(config, from->excludes, from->n_excludes, &claim->excludes,
                        &claim->n_excludes);
        return r;
}

static int copy_physical_function(Config *config, const PhysicalFunction *from,
        PhysicalFunction *function)
{
        function->location = from->location;
        function->num_vfs = from->num_vfs;
        function->number = from->number;
        function->leave_host_vfs = from->leave_host_vfs;
        function->timeout_usec = from->timeout_usec;

        int r = adopt_file(config, from->location.file, &function->location.file);
        if (r == 0)
                r = replace_string(&function->name, from->name);
        if (r == 0)
                r = copy_matches(config, from->matches, from->n_matches, &function->matches,
                        &function->n_matches);
        return r;
}

/* The claim of that name is replaced if it has an error; if it is missing, a file that could not
 * be read may be the one that has it. */
static int keep_claim(const Claim *old, Config *new)
{
        Claim *claim = config_find_claim(new, old->name), copy = {};

        if (old->has_error || (claim ? !claim->has_error : !new->incomplete))
                return 0;
        if (!claim) {
                int r = ARRAY_GROW(new->claims, new->n_claims);
                if (r < 0)
                        return r;
        }

        int r = copy_claim(new, old, &copy);
        if (r < 0) {
                claim_done(&copy);
                return r;
        }
        if (claim)
                claim_done(claim);
        else
                claim = &new->claims[new->n_claims++];
        *claim = copy;
        return 0;
}

static int keep_physical_function(const PhysicalFunction *old, Config *new)
{
        PhysicalFunction *function = config_find_physical_function(new, old->name), copy = {};

        if (old->has_error || (function ? !function->has_error : !new->incomplete))
                return 0;
        if (!function) {
                int r = ARRAY_GROW(new->physical_functions, new->n_physical_functions);
                if (r < 0)
                        return r;
        }

        int r = copy_physical_function(new, old, &copy);
        if (r < 0) {
                physical_function_done(&copy);
                return r;
        }
        if (function)
                physical_function_done(function);
        else
                function = &new->physical_functions[new->n_physical_functions++];
        *function = copy;
        return 0;
}

static bool has_exclude(const Config *config, const char *text)
{
        for (size_t i = 0; i < config->n_excludes; i++)
                if (streq(config->excludes[i]->text, text))
                        return true;
        return false;
}

/* Settings that are not known well are those from before; nothing that was excluded is let go. */
static int keep_defaults(const Config *old, Config *new)
{
        ClaimSettings settings;

        if (!new->defaults_have_error && !new->incomplete)
                return 0;
        for (size_t i = 0; i < old->n_excludes; i++) {
                if (has_exclude(new, old->excludes[i]->text))
                        continue;
                int r = copy_matches(new, &old->excludes[i], 1, &new->excludes,
                        &new->n_excludes);
                if (r < 0)
                        return r;
        }
        if (old->defaults_have_error)
                return 0;

        int r = claim_settings_copy(&old->defaults, &settings);
        if (r < 0)
                return r;
        claim_settings_done(&new->defaults);
        new->defaults = settings;
        new->boot_timeout_usec = old->boot_timeout_usec;
        new->defaults_have_error = false;
        return 0;
}

int config_merge_last_good(const Config *old, Config *new)
{
        int r = keep_defaults(old, new);

        for (size_t i = 0; i < old->n_claims && r == 0; i++)
                r = keep_claim(&old->claims[i], new);
        for (size_t i = 0; i < old->n_physical_functions && r == 0; i++)
                r = keep_physical_function(&old->physical_functions[i], new);
        if (r < 0)
                return r;
        return config_update_digest(new);
}
