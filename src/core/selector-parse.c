/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/selector-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/array.h"
#include "util/parse.h"
#include "util/strings.h"

/* Splits a line into terms and reads each. */

#define MATCH_TEXT_MAX 4096
#define VF_NUMBER_MAX  65535 /* of one PF: TotalVFs is a 16-bit register */
#define SHOWN_MAX      64 /* bytes of foreign text repeated in a message */

/* One token of the line: [name=]value. */
typedef struct Token {
        const char *name; /* in the line; NULL: a bare token */
        size_t name_length;
        char *value; /* unquoted */
        unsigned column, value_column;
} Token;

typedef struct Parser {
        const char *text, *p;
        Location location;
        const char *section;
        DiagnosticList *diagnostics; /* NULL: errors are only counted */
        unsigned n_errors;
        Match *match;
        bool any_selects;
} Parser;

static void token_done(Token *token)
{
        free(token->value);
}

static unsigned column_of(const Parser *parser, const char *p)
{
        return parser->location.column + (unsigned) (p - parser->text);
}

static void complain(Parser *parser, unsigned column, const char *format, ...) _printf_(3, 4);

static void complain(Parser *parser, unsigned column, const char *format, ...)
{
        Location location = parser->location;
        char message[512];
        va_list arguments;

        parser->n_errors++;
        if (!parser->diagnostics)
                return;

        va_start(arguments, format);
        (void) vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        location.column = column;
        diagnostic_error(parser->diagnostics, location, parser->section, "%s", message);
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

/* The quoted value at parser->p, which stands on the opening quote. Returns 0, -EINVAL after a
 * complaint with parser->p at the end of the token, -ENOMEM. */
static int take_quoted(Parser *parser, char **ret)
{
        const char *start = parser->p, *p = start + 1;
        char *value = malloc(strlen(p) + 1), *out = value;

        if (!value)
                return -ENOMEM;
        for (; *p && *p != '"'; p++) {
                if (*p == '\\' && p[1] != '"' && p[1] != '\\') {
                        complain(parser, column_of(parser, p),
                                "within quotes a backslash is written \\\\ and a quote \\\"");
                        free(value);
                        parser->p = p + strlen(p);
                        return -EINVAL;
                }
                if (*p == '\\')
                        p++;
                *out++ = *p;
        }
        *out = '\0';

        if (*p == '"' && (!p[1] || is_blank(p[1]))) {
                parser->p = p + 1;
                *ret = value;
                return 0;
        }
        free(value);
        if (*p)
                complain(parser, column_of(parser, p + 1),
                        "a blank is missing after the closing quote");
        else
                complain(parser, column_of(parser, start), "this quote is never closed");
        parser->p = p + strlen(p);
        return -EINVAL;
}

/* The unquoted value at parser->p, up to a blank. */
static int take_plain(Parser *parser, char **ret)
{
        const char *start = parser->p;
        size_t n = strcspn(start, " \t");
        const char *quote = memchr(start, '"', n);

        parser->p = start + n;
        if (quote) {
                complain(parser, column_of(parser, quote),
                        "a quote within a value: quote the whole value and write \\\"");
                return -EINVAL;
        }
        char *value = strndup(start, n);
        if (!value)
                return -ENOMEM;
        *ret = value;
        return 0;
}

/* Returns 1 with a token, 0 at the end of the line, -EINVAL after a complaint, -ENOMEM. */
static int take_token(Parser *parser, Token *ret)
{
        parser->p += strspn(parser->p, " \t");
        if (!*parser->p)
                return 0;

        Token token = {.column = column_of(parser, parser->p)};
        size_t n = strcspn(parser->p, " \t=\"");
        if (parser->p[n] == '=') {
                token.name = parser->p;
                token.name_length = n;
                parser->p += n + 1;
        }
        token.value_column = column_of(parser, parser->p);

        int r = token.name && *parser->p == '"' ? take_quoted(parser, &token.value)
                                                : take_plain(parser, &token.value);
        if (r < 0)
                return r;
        *ret = token;
        return 1;
}

/* vendor:device with exactly four hex digits each. */
static bool looks_like_id(const char *text)
{
        return strlen(text) == 9 && text[4] == ':' &&
                strspn(text, "0123456789abcdefABCDEF") == 4 &&
                strspn(text + 5, "0123456789abcdefABCDEF") == 4;
}

/* The type of a token, or -EINVAL after a complaint. */
static int find_type(Parser *parser, const Token *token)
{
        PciAddress address;
        bool whole_slot;

        if (!token->name) {
                if (pci_address_parse_slot(token->value, &address, &whole_slot) == 0)
                        return TERM_ADDRESS;
                if (looks_like_id(token->value))
                        return TERM_ID;
                complain(parser, token->column,
                        "'%.*s' is neither an address nor vendor:device; anything else needs a "
                        "term name, as in path=, id= or name=",
                        SHOWN_MAX, token->value);
                return -EINVAL;
        }

        int type = term_type_from_name(token->name, token->name_length);
        if (type >= 0)
                return type;

        char name[SHOWN_MAX + 1];
        const char *names[_TERM_MAX];
        for (size_t i = 0; i < _TERM_MAX; i++)
                names[i] = term_type_to_string((TermType) i);
        (void) snprintf(name, sizeof(name), "%.*s", (int) token->name_length, token->name);
        const char *near = nearest_string(name, names, _TERM_MAX);
        complain(parser, token->column, "unknown term '%s='%s%s%s", name,
                near ? ", did you mean '" : "", near ?: "", near ? "='?" : "");
        return -EINVAL;
}

/* Reads one token into a term of the match. Returns 0 (perhaps after a complaint), -ENOMEM. */
static int read_term(Parser *parser, Token *token)
{
        char problem[TERM_PROBLEM_MAX];
        Match *match = parser->match;

        int type = find_type(parser, token);
        if (type < 0)
                return 0;

        if (match_has_term(match, (TermType) type))
                complain(parser, token->column,
                        "'%s=' stands twice on this line; alternatives stand on lines of their own",
                        term_type_to_string((TermType) type));

        int r = ARRAY_GROW(match->terms, match->n_terms);
        if (r < 0)
                return r;
        Term term = {
                .type = (TermType) type,
                .value = TAKE_POINTER(token->value),
                .column = token->column,
        };
        r = term_read_value(&term, problem);
        if (r < 0) {
                if (r == -EINVAL)
                        complain(parser, token->value_column, "%s='%.*s' %s",
                                term_type_to_string(term.type), SHOWN_MAX, term.value, problem);
                term_done(&term);
                return r == -EINVAL ? 0 : r;
        }
        match->terms[match->n_terms++] = term;
        return 0;
}

static int read_terms(Parser *parser)
{
        for (;;) {
                _cleanup_(token_done) Token token = {};

                int r = take_token(parser, &token);
                if (r == 0)
                        return 0;
                if (r == -EINVAL)
                        continue;
                if (r > 0)
                        r = read_term(parser, &token);
                if (r < 0)
                        return r;
        }
}

/* The index after all that the ranges have from `index` on without a gap. */
static unsigned reach_from(const Term *term, unsigned index)
{
        for (size_t i = 0; i < term->vf.n_ranges; i++)
                if (term->vf.ranges[i].first <= index && term->vf.ranges[i].last >= index)
                        return term->vf.ranges[i].last < VF_NUMBER_MAX ? term->vf.ranges[i].last + 1
                                                                       : VF_NUMBER_MAX;
        return index;
}

/* Ranges from 0 to the end exclude no VF. */
static bool term_is_every_vf(const Term *term)
{
        unsigned reach = 0, before;

        if (term->type != TERM_VF)
                return false;
        do {
                before = reach;
                reach = reach_from(term, reach);
        } while (reach > before && reach < VF_NUMBER_MAX);
        return reach >= VF_NUMBER_MAX;
}

/* What holds for the line as a whole. */
static void check_line(Parser *parser)
{
        const Match *match = parser->match;
        const Term *every_vf = NULL;
        unsigned n_selecting = 0;

        for (size_t i = 0; i < match->n_terms; i++) {
                if (!term_selects(&match->terms[i]))
                        continue;
                if (term_is_every_vf(&match->terms[i]))
                        every_vf = &match->terms[i];
                else
                        n_selecting++;
        }
        parser->any_selects = n_selecting > 0;
        if (n_selecting > 0 || parser->n_errors > 0)
                return;

        if (every_vf)
                complain(parser, every_vf->column,
                        "'vf=%.*s' alone matches every VF of the machine; add pf=", SHOWN_MAX,
                        every_vf->value);
        else if (match->n_terms > 0)
                complain(parser, match->terms[0].column,
                        "'%s=' guards what a line selects, and nothing here selects",
                        term_type_to_string(match->terms[0].type));
        else
                complain(parser, parser->location.column, "no term on this line");
}

static int match_new(const char *text, Location location, Match **ret)
{
        _cleanup_(match_freep) Match *match = calloc(1, sizeof(*match));
        if (!match)
                return -ENOMEM;

        match->location = location;
        match->text = strdup(text);
        if (!match->text)
                return -ENOMEM;
        *ret = TAKE_POINTER(match);
        return 0;
}

static bool text_is_acceptable(Parser *parser)
{
        const char *bad = find_unprintable(parser->text);

        if (bad)
                complain(parser, column_of(parser, bad),
                        "a control character or a byte that is no UTF-8");
        else if (strlen(parser->text) > MATCH_TEXT_MAX)
                complain(parser, parser->location.column, "longer than %d bytes", MATCH_TEXT_MAX);
        return parser->n_errors == 0;
}

/* Returns 0 even after complaints, which are counted; -ENOMEM. */
static int parse(Parser *parser)
{
        int r = match_new(parser->text, parser->location, &parser->match);
        if (r < 0)
                return r;
        if (!text_is_acceptable(parser))
                return 0;
        r = read_terms(parser);
        if (r < 0)
                return r;
        check_line(parser);
        return 0;
}

int match_parse(const char *text, Location location, const char *section,
        DiagnosticList *diagnostics, Match **ret)
{
        Parser parser = {
                .text = text,
                .p = text,
                .location = location,
                .section = section,
                .diagnostics = diagnostics,
        };

        int r = parse(&parser);
        _cleanup_(match_freep) Match *match = parser.match;
        if (r < 0)
                return r;
        if (parser.n_errors > 0)
                return -EINVAL;
        *ret = TAKE_POINTER(match);
        return 0;
}

int match_parse_readable(const char *text, Location location, Match **ret)
{
        Parser parser = {.text = text, .p = text, .location = location};

        int r = parse(&parser);
        _cleanup_(match_freep) Match *match = parser.match;
        if (r < 0)
                return r;
        if (!parser.any_selects)
                return -EINVAL;
        *ret = TAKE_POINTER(match);
        return 0;
}
