/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/builder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/array.h"
#include "util/strings.h"

#define SECTIONS_MAX 1000

static const char *const section_words[] = {
        [SECTION_DEFAULTS] = "Defaults",
        [SECTION_CLAIM] = "Claim",
        [SECTION_PHYSICAL_FUNCTION] = "PhysicalFunction",
};
_Static_assert(ELEMENTSOF(section_words) == _SECTION_MAX, "every section has a word");

void section_error(Builder *builder, Section *section, Location location, const char *format, ...)
{
        char message[512];
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        diagnostic_error(&builder->config->diagnostics, location, section ? section->title : NULL,
                "%s", message);
        if (section)
                section->has_error = true;
}

static void section_done(Section *section)
{
        free(section->name);
        free(section->title);
        values_done(&section->values);
        for (size_t i = 0; i < section->n_matches; i++)
                match_free(section->matches[i]);
        free(section->matches);
        for (size_t i = 0; i < section->n_excludes; i++)
                match_free(section->excludes[i]);
        free(section->excludes);
        *section = (Section){};
}

void builder_done(Builder *builder)
{
        for (size_t i = 0; i < builder->n_sections; i++)
                section_done(&builder->sections[i]);
        free(builder->sections);
        *builder = (Builder){};
}

/* Adds a section; name NULL for [Defaults]. */
static int add_section(Builder *builder, SectionType type, const char *name, Location location)
{
        _cleanup_free_ char *copy = NULL, *title = NULL;

        int r = name ? format_string(&title, "%s %s", section_words[type], name)
                     : replace_string(&title, section_words[type]);
        if (r == 0 && name)
                r = replace_string(&copy, name);
        if (r == 0)
                r = ARRAY_GROW(builder->sections, builder->n_sections);
        if (r < 0)
                return r;
        builder->sections[builder->n_sections++] = (Section){
                .type = type,
                .name = TAKE_POINTER(copy),
                .title = TAKE_POINTER(title),
                .location = location,
        };
        return 0;
}

static Section *find_section(Builder *builder, SectionType type, const char *name)
{
        if (type == SECTION_DEFAULTS)
                return &builder->sections[0];
        for (size_t i = 1; i < builder->n_sections; i++)
                if (builder->sections[i].type == type && streq(builder->sections[i].name, name))
                        return &builder->sections[i];
        return NULL;
}

int builder_init(Builder *builder, Config *config)
{
        *builder = (Builder){.config = config};
        return add_section(builder, SECTION_DEFAULTS, NULL, (Location){});
}

/* What a header says, as far as it can be read. */
typedef struct Header {
        SectionType type;
        const char *name; /* of the object, "" if there is none */
        unsigned name_column;
        bool is_ours;
        char problem[256]; /* the first one; "": none */
        unsigned problem_column;
} Header;

static void complain(Header *header, unsigned column, const char *format, ...) _printf_(3, 4);

static void complain(Header *header, unsigned column, const char *format, ...)
{
        va_list arguments;

        if (*header->problem)
                return;
        va_start(arguments, format);
        (void) vsnprintf(header->problem, sizeof(header->problem), format, arguments);
        va_end(arguments);
        header->problem_column = column;
}

/* Finds the type, or the one that a misspelt word is near to. */
static void read_header_type(const Line *line, Header *header)
{
        char word[LINE_NAME_MAX + 1];
        size_t n = strcspn(line->name, " \t");

        (void) snprintf(word, sizeof(word), "%.*s", (int) n, line->name);
        header->name = line->name + n + strspn(line->name + n, " \t");
        header->name_column = line->name_column + (unsigned) (header->name - line->name);

        const char *near = nearest_string(word, section_words, ELEMENTSOF(section_words));
        for (size_t i = 0; i < ELEMENTSOF(section_words); i++)
                if (near && streq(section_words[i], near))
                        header->type = (SectionType) i;
        header->is_ours = near;
        if (!near)
                complain(header, line->name_column, "unknown section '[%s]'; sections are "
                        "[Defaults], [Claim NAME] and [PhysicalFunction NAME]", line->name);
        else if (!streq(near, word))
                complain(header, line->name_column, "unknown section '[%s]', did you mean "
                        "'[%s%s%s]'?", line->name, near, *header->name ? " " : "", header->name);
}

/* Checks the name; for one that is not valid, another is made in `buffer`, because what the lines
 * below select must be reserved under some name. */
static void check_header_name(Builder *builder, Header *header,
        char buffer[static CONFIG_NAME_MAX + 1])
{
        const char *word = section_words[header->type];

        if (header->type == SECTION_DEFAULTS) {
                if (*header->name)
                        complain(header, header->name_column, "[Defaults] takes no name");
                return;
        }
        if (config_name_is_valid(header->name))
                return;

        if (*header->name)
                complain(header, header->name_column,
                        "'%s' is no name: wants up to %d letters, digits, '.', '_' and '-', the "
                        "first a letter or digit",
                        header->name, CONFIG_NAME_MAX);
        else
                complain(header, header->name_column, "a name is missing, as in [%s NAME]", word);

        unsigned n = 1;
        do
                (void) snprintf(buffer, CONFIG_NAME_MAX + 1, "unreadable-%u", n++);
        while (find_section(builder, header->type, buffer));
        header->name = buffer;
}

/* The section of a header, new or not. Returns 1 with it, 0 if there are too many, -ENOMEM. */
static int obtain_section(Builder *builder, const Header *header, Location location,
        Section **ret)
{
        Section *section = find_section(builder, header->type, header->name);

        if (!section) {
                if (builder->n_sections >= SECTIONS_MAX) {
                        section_error(builder, &builder->sections[0], location,
                                "more than %d sections", SECTIONS_MAX);
                        builder->sections[0].unknown_error = true;
                        return 0;
                }
                int r = add_section(builder, header->type, header->name, location);
                if (r < 0)
                        return r;
                section = &builder->sections[builder->n_sections - 1];
        }
        *ret = section;
        return 1;
}

static void enter_section(Builder *builder, Section *section, const Header *header,
        unsigned number, unsigned column)
{
        bool is_again = section->file == builder->file_number;

        if (*header->problem)
                section_error(builder, section,
                        builder_location(builder, number, header->problem_column), "%s",
                        header->problem);
        else if (is_again)
                section_error(builder, section, builder_location(builder, number, column),
                        "[%s] stands twice in this file", section->title);
        if (!is_again)
                section->seen = 0;
        section->file = builder->file_number;
        builder->current = (size_t) (section - builder->sections);
        builder->scope = *header->problem || is_again ? SCOPE_BROKEN : SCOPE_GOOD;
}

static int handle_header(void *userdata, const Line *line, unsigned number)
{
        Builder *builder = userdata;
        Location location = builder_location(builder, number, line->name_column);
        char name[CONFIG_NAME_MAX + 1];
        Header header = {};
        Section *section = NULL;

        if (line->problem)
                complain(&header, line->problem_column, "%s", line->problem);

        builder->scope = startswith(line->name, "X-") ? SCOPE_IGNORED : SCOPE_UNKNOWN;
        if (builder->scope != SCOPE_IGNORED) {
                read_header_type(line, &header);
                if (header.is_ours) {
                        check_header_name(builder, &header, name);
                        int r = obtain_section(builder, &header, location, &section);
                        if (r < 0)
                                return r;
                }
        }

        if (section)
                enter_section(builder, section, &header, number, line->name_column);
        else if (*header.problem)
                section_error(builder, NULL,
                        builder_location(builder, number, header.problem_column), "%s",
                        header.problem);
        return builder->scope == SCOPE_GOOD;
}

static int handle_entry(void *userdata, const Line *line, unsigned number)
{
        Builder *builder = userdata;

        return section_add_entry(builder, &builder->sections[builder->current], line, number);
}

static int handle_unusable(void *userdata, const Line *line, unsigned number)
{
        Builder *builder = userdata;
        Location location = builder_location(builder, number, line->problem_column);
        Section *section = NULL;

        switch (builder->scope) {
        case SCOPE_IGNORED:
                return 0;
        case SCOPE_OUTSIDE: /* meant for all, one must suppose */
                section = &builder->sections[0];
                if (!line->problem && !startswith(line->name, "X-"))
                        section_error(builder, section,
                                builder_location(builder, number, line->name_column),
                                "'%s=' stands before the first [section]", line->name);
                break;
        case SCOPE_GOOD:
        case SCOPE_BROKEN:
                section = &builder->sections[builder->current];
                break;
        case SCOPE_UNKNOWN:
                break;
        }
        if (line->problem)
                section_error(builder, section, location, "%s", line->problem);
        return section ? section_add_unusable(builder, section, line, number) : 0;
}

int builder_add_text(Builder *builder, const char *file, const char *text, size_t length)
{
        const IniEvents events = {
                .header = handle_header,
                .entry = handle_entry,
                .unusable = handle_unusable,
                .userdata = builder,
        };

        builder->file = file;
        builder->file_number++;
        builder->scope = SCOPE_OUTSIDE;
        int r = ini_read(text, length, &events);
        if (r == -EIO) {
                builder_add_unreadable(builder, file, "inih cannot read it to its end");
                r = 0;
        }
        return r;
}

void builder_add_unreadable(Builder *builder, const char *file, const char *why)
{
        builder->config->incomplete = true;
        diagnostic_error(&builder->config->diagnostics, (Location){.file = file}, NULL,
                "%s; every claim is out", why);
}
