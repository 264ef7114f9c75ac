/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/ini-reader.h"
#include "config/values.h"

/* Builds a Config from the lines of all files: sections that several files extend are collected
 * first, the settings of claims are resolved against [Defaults] at the end. */

/* One section of the configuration, from all files. */
typedef struct Section {
        SectionType type;
        char *name;        /* of the claim or physical function; NULL: [Defaults] */
        char *title;       /* "Claim gaming-gpu", for diagnostics */
        Location location; /* of its first header */
        unsigned file;     /* number of the file where it stood last */
        unsigned seen;     /* scalar keys in that file: 1 << Key */
        Values values;
        Match **matches;
        size_t n_matches;
        Match **excludes;
        size_t n_excludes;
        bool has_error;
        unsigned key_errors; /* [Defaults]: keys with errors */
        bool unknown_error;  /* [Defaults]: an error that may concern any key */
} Section;

/* What the lines below the present header are. */
typedef enum Scope {
        SCOPE_OUTSIDE, /* before the first header */
        SCOPE_GOOD,
        SCOPE_BROKEN,  /* its header has an error: nothing in it counts, but Match= reserves */
        SCOPE_IGNORED, /* X- */
        SCOPE_UNKNOWN, /* no section of ours */
} Scope;

typedef struct Builder {
        Config *config;
        Section *sections; /* the first is [Defaults] */
        size_t n_sections;
        size_t n_lines; /* Match= and Exclude= so far */
        const char *file;
        unsigned file_number;
        Scope scope;
        size_t current; /* in sections, for SCOPE_GOOD and SCOPE_BROKEN */
} Builder;

int builder_init(Builder *builder, Config *config) _must_check_;
void builder_done(Builder *builder);
#define _cleanup_builder_ _cleanup_(builder_done)

/* Reads a text; the name must belong to the Config. Returns 0, -ENOMEM. */
int builder_add_text(Builder *builder, const char *file, const char *text, size_t length)
        _must_check_;

/* Says that a file could not be read, and why: every claim is out. */
void builder_add_unreadable(Builder *builder, const char *file, const char *why);

/* Moves everything into the Config. Returns 0, -ENOMEM. */
int builder_finish(Builder *builder) _must_check_;

/* builder-lines.c: what one line of a section does to it. Return 0, -ENOMEM. */
int section_add_entry(Builder *builder, Section *section, const Line *line, unsigned number)
        _must_check_;
/* For a line that does not count: notes the error, keeps what it would have selected. */
int section_add_unusable(Builder *builder, Section *section, const Line *line, unsigned number)
        _must_check_;

/* Names an error of a section. */
void section_error(Builder *builder, Section *section, Location location, const char *format, ...)
        _printf_(4, 5);

static inline Location builder_location(const Builder *builder, unsigned line, unsigned column)
{
        return (Location){.file = builder->file, .line = line, .column = column};
}
