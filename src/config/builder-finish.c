/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/builder.h"

#include <errno.h>

#include "util/array.h"
#include "util/strings.h"

/* The last step: sections become claims and physical functions with resolved settings. */

#define SETTINGS_KEYS ((1U << _KEY_SETTINGS_MAX) - 1)

/* The first key of [Defaults] that the section uses and that has an error; -EINVAL: none. */
static int find_used_error(const Section *defaults, const Section *section)
{
        unsigned used = section->type == SECTION_CLAIM ? SETTINGS_KEYS | 1U << KEY_EXCLUDE
                                                       : 1U << KEY_TIMEOUT;

        used &= ~section->values.set & defaults->key_errors;
        for (size_t i = 0; i < _KEY_MAX; i++)
                if (used & 1U << i)
                        return (int) i;
        return -EINVAL;
}

/* Errors elsewhere that take this section out. */
static void check_surroundings(Builder *builder, Section *section)
{
        const Section *defaults = &builder->sections[0];

        int key = find_used_error(defaults, section);
        if (builder->config->incomplete)
                section_error(builder, section, section->location,
                        "out, because a configuration file could not be read");
        else if (defaults->unknown_error)
                section_error(builder, section, section->location,
                        "out, because an error in [Defaults] may concern it");
        else if (key >= 0)
                section_error(builder, section, section->location,
                        "out, because it uses %s= of [Defaults], which has an error",
                        key_to_string((Key) key));
}

/* Another section of the type with a similar name, which a section without Match= may mean. */
static const char *find_similar(const Builder *builder, const Section *section)
{
        for (size_t i = 1; i < builder->n_sections; i++) {
                const Section *other = &builder->sections[i];
                const char *name = other->name;

                if (other->type == section->type && other != section && other->n_matches > 0 &&
                    nearest_string(section->name, &name, 1))
                        return name;
        }
        return NULL;
}

static void check_section(Builder *builder, Section *section)
{
        if (section->n_matches == 0 && !section->has_error) {
                const char *similar = find_similar(builder, section);

                section_error(builder, section, section->location,
                        "[%s] has no Match= line%s%s%s", section->title,
                        similar ? "; is '" : "", similar ?: "", similar ? "' meant?" : "");
        }
        check_surroundings(builder, section);
}

/* pf=NAME of a section with an error: nobody knows which function it means. */
static void check_references(Builder *builder, Section *section)
{
        for (size_t i = 0; i < section->n_matches; i++) {
                const Match *match = section->matches[i];

                for (size_t k = 0; k < match->n_terms; k++) {
                        const Term *term = &match->terms[k];
                        Location location = match->location;

                        if (term->type != TERM_PF || term->pf.naming != PF_BY_NAME)
                                continue;
                        for (size_t j = 1; j < builder->n_sections; j++) {
                                const Section *other = &builder->sections[j];

                                if (other->type != SECTION_PHYSICAL_FUNCTION ||
                                    !other->has_error || !streq(other->name, term->value))
                                        continue;
                                location.column = term->column;
                                section_error(builder, section, location,
                                        "[%s] has an error", other->title);
                        }
                }
        }
}

static int make_claim(Config *config, Section *section)
{
        int r = ARRAY_GROW(config->claims, config->n_claims);
        if (r < 0)
                return r;

        Claim *claim = &config->claims[config->n_claims];
        r = claim_settings_copy(&config->defaults, &claim->settings);
        if (r < 0)
                return r;
        config->n_claims++;
        r = values_apply(&section->values, &claim->settings);

        claim->name = TAKE_POINTER(section->name);
        claim->location = section->location;
        claim->matches = TAKE_POINTER(section->matches);
        claim->n_matches = section->n_matches;
        claim->excludes = TAKE_POINTER(section->excludes);
        claim->n_excludes = section->n_excludes;
        section->n_matches = section->n_excludes = 0;
        claim->allow_in_use = section->values.allow_in_use;
        claim->enabled = section->values.set & 1U << KEY_ENABLED ? section->values.enabled : true;
        claim->has_error = section->has_error;
        return r;
}

static int make_physical_function(Config *config, Section *section)
{
        const Values *values = &section->values;

        int r = ARRAY_GROW(config->physical_functions, config->n_physical_functions);
        if (r < 0)
                return r;

        config->physical_functions[config->n_physical_functions++] = (PhysicalFunction){
                .name = TAKE_POINTER(section->name),
                .location = section->location,
                .matches = TAKE_POINTER(section->matches),
                .n_matches = section->n_matches,
                .num_vfs = values->set & 1U << KEY_NUM_VFS ? values->num_vfs : NUM_VFS_KEEP,
                .number = values->set & 1U << KEY_NUM_VFS ? values->number : 0,
                .leave_host_vfs = values->set & 1U << KEY_HOST_VFS && values->leave_host_vfs,
                .timeout_usec = values->set & 1U << KEY_TIMEOUT ? values->settings.timeout_usec
                                                                : config->defaults.timeout_usec,
                .has_error = section->has_error,
        };
        section->n_matches = 0;
        return 0;
}

static int finish_defaults(Builder *builder)
{
        Config *config = builder->config;
        Section *defaults = &builder->sections[0];

        config->excludes = TAKE_POINTER(defaults->excludes);
        config->n_excludes = defaults->n_excludes;
        defaults->n_excludes = 0;
        config->defaults_have_error = defaults->has_error;
        if (defaults->values.set & 1U << KEY_BOOT_TIMEOUT)
                config->boot_timeout_usec = defaults->values.boot_timeout_usec;
        return values_apply(&defaults->values, &config->defaults);
}

int builder_finish(Builder *builder)
{
        int r = finish_defaults(builder);
        if (r < 0)
                return r;

        for (size_t i = 1; i < builder->n_sections; i++)
                check_section(builder, &builder->sections[i]);
        for (size_t i = 1; i < builder->n_sections; i++)
                if (builder->sections[i].type == SECTION_CLAIM)
                        check_references(builder, &builder->sections[i]);

        for (size_t i = 1; i < builder->n_sections; i++) {
                Section *section = &builder->sections[i];

                r = section->type == SECTION_CLAIM
                        ? make_claim(builder->config, section)
                        : make_physical_function(builder->config, section);
                if (r < 0)
                        return r;
        }
        if (builder->config->diagnostics.failed)
                return -ENOMEM;
        return config_update_digest(builder->config);
}
