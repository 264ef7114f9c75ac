/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/builder.h"

#include <errno.h>
#include <string.h>

#include "util/array.h"
#include "util/strings.h"

#define LINES_MAX 10000 /* Match= and Exclude= of all sections */
#define SHOWN_MAX 64

/* An error that concerns this key; -EINVAL: perhaps any. Claims are out as a whole. */
static void note_error(Section *section, int key)
{
        section->has_error = true;
        if (key < 0)
                section->unknown_error = true;
        else
                section->key_errors |= 1U << key;
}

static int append_match(Builder *builder, Section *section, Key key, Match *match)
{
        Match ***list = key == KEY_MATCH ? &section->matches : &section->excludes;
        size_t *n = key == KEY_MATCH ? &section->n_matches : &section->n_excludes;

        int r = ARRAY_GROW(*list, *n);
        if (r < 0)
                return r;
        (*list)[(*n)++] = match;
        builder->n_lines++;
        return 0;
}

/* Keeps what can be read of a line with errors, where keeping it is the safe side: of Match=, to
 * reserve it or to have pf=NAME mean it, and of the absolute Exclude=. A claim's own Exclude= would
 * free functions. */
static int keep_readable(Builder *builder, Section *section, Key key, const char *text,
        Location location)
{
        Match *match;

        if (key != KEY_MATCH && !(key == KEY_EXCLUDE && section->type == SECTION_DEFAULTS))
                return 0;
        if (builder->n_lines >= LINES_MAX)
                return 0;

        int r = match_parse_readable(text, location, &match);
        if (r < 0)
                return r == -EINVAL ? 0 : r;
        r = append_match(builder, section, key, match);
        if (r < 0)
                match_free(match);
        return r;
}

/* Lines that are right in themselves and wrong where they stand. */
static void check_place(Builder *builder, Section *section, Key key, const Match *match)
{
        for (size_t i = 0; i < match->n_terms; i++) {
                const Term *term = &match->terms[i];
                bool is_guard = term->type == TERM_EXPECT || term->type == TERM_EXPECT_SERIAL;
                bool is_vf_term = term->type == TERM_PF || term->type == TERM_VF;
                Location location = match->location;

                location.column = term->column;
                if (key == KEY_EXCLUDE && is_guard)
                        section_error(builder, section, location,
                                "'%s=' guards Match= lines, not Exclude=",
                                term_type_to_string(term->type));
                else if (section->type == SECTION_PHYSICAL_FUNCTION && is_vf_term)
                        section_error(builder, section, location,
                                "'%s=' selects VFs, and this section wants a physical function",
                                term_type_to_string(term->type));
                else
                        continue;
                note_error(section, key);
        }
}

static int add_selector(Builder *builder, Section *section, Key key, const char *text,
        Location location)
{
        Match *match;

        if (builder->n_lines >= LINES_MAX) {
                section_error(builder, section, location,
                        "more than %d Match= and Exclude= lines", LINES_MAX);
                note_error(section, key);
                return 0;
        }

        int r = match_parse(text, location, section->title, &builder->config->diagnostics, &match);
        if (r == -EINVAL) {
                note_error(section, key);
                return keep_readable(builder, section, key, text, location);
        }
        if (r < 0)
                return r;

        check_place(builder, section, key, match);
        r = append_match(builder, section, key, match);
        if (r < 0)
                match_free(match);
        return r;
}

static void reset_list(Match ***list, size_t *n)
{
        for (size_t i = 0; i < *n; i++)
                match_free((*list)[i]);
        free(*list);
        *list = NULL;
        *n = 0;
}

static void reset_key(Section *section, Key key)
{
        if (key == KEY_MATCH)
                reset_list(&section->matches, &section->n_matches);
        else if (key == KEY_EXCLUDE)
                reset_list(&section->excludes, &section->n_excludes);
        else
                value_reset(key, &section->values);
}

static int add_value(Builder *builder, Section *section, Key key, const char *text,
        Location location)
{
        char problem[VALUE_PROBLEM_MAX];

        int r = value_read(key, text, &section->values, problem);
        if (r != -EINVAL)
                return r;
        section_error(builder, section, location, "%s='%.*s' %s", key_to_string(key), SHOWN_MAX,
                text, problem);
        note_error(section, key);
        return 0;
}

static void complain_key(Builder *builder, Section *section, const char *name, Location location)
{
        for (size_t type = 0; type < _SECTION_MAX; type++)
                if (key_from_string((SectionType) type, name) >= 0) {
                        section_error(builder, section, location,
                                "'%s=' has no place in a [%s] section", name,
                                section->type == SECTION_DEFAULTS          ? "Defaults"
                                        : section->type == SECTION_CLAIM ? "Claim"
                                                                           : "PhysicalFunction");
                        return;
                }

        int near = key_nearest(section->type, name);
        section_error(builder, section, location, "unknown key '%s='%s%s%s", name,
                near >= 0 ? ", did you mean '" : "", near >= 0 ? key_to_string((Key) near) : "",
                near >= 0 ? "='?" : "");
}

/* The key that a name means or nearly means. */
static int guess_key(const Section *section, const char *name)
{
        int key = key_from_string(section->type, name);
        return key >= 0 ? key : key_nearest(section->type, name);
}

int section_add_unusable(Builder *builder, Section *section, const Line *line, unsigned number)
{
        if (startswith(line->name, "X-") && !line->problem)
                return 0;

        int key = line->type == LINE_ENTRY ? guess_key(section, line->name) : -EINVAL;
        note_error(section, key);
        if (key < 0 || !line->value)
                return 0;
        return keep_readable(builder, section, (Key) key, line->value,
                builder_location(builder, number, line->value_column));
}

int section_add_entry(Builder *builder, Section *section, const Line *line, unsigned number)
{
        Location name_location = builder_location(builder, number, line->name_column);
        Location value_location = builder_location(builder, number, line->value_column);

        if (startswith(line->name, "X-"))
                return 0;

        int found = key_from_string(section->type, line->name);
        if (found < 0) {
                complain_key(builder, section, line->name, name_location);
                return section_add_unusable(builder, section, line, number);
        }

        Key key = (Key) found;
        if (!key_is_list(key) && section->seen & 1U << key) {
                section_error(builder, section, name_location,
                        "'%s=' stands twice in this section", key_to_string(key));
                note_error(section, key);
                return 0;
        }
        section->seen |= 1U << key;

        if (!*line->value) {
                reset_key(section, key);
                return 0;
        }
        if (key == KEY_MATCH || key == KEY_EXCLUDE)
                return add_selector(builder, section, key, line->value, value_location);
        return add_value(builder, section, key, line->value, value_location);
}
