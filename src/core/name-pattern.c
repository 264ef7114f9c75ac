/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/name-pattern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What is known of an element: a character, a bracket expression, a group. */
typedef struct Element {
        size_t size;       /* in characters, after the C library has copied what is repeated */
        bool has_bound;    /* some {n,m} inside */
        bool can_be_empty;
} Element;

/* One level of parentheses. Two things explode in the C library: copies of copies, made for
 * {n,m} and +, in regcomp(), and loops around something that can be empty, in the closures that
 * it computes (glibc's calc_eclosure_iter() tries every path through nested ones). */
typedef struct Level {
        Element last;        /* what a repetition would apply to */
        size_t size;         /* of the whole level */
        bool has_bound;
        bool branch_not_empty; /* some element of this alternative, but the last, cannot be empty */
        bool can_be_empty;     /* an alternative before this one can */
} Level;

typedef struct Scan {
        const char *p;
        Level levels[NAME_PATTERN_MAX + 1];
        size_t depth;
        const char *problem;
} Scan;

static const Level new_level = {.last.can_be_empty = true};

static void add_element(Scan *scan, Element element)
{
        Level *level = &scan->levels[scan->depth];

        level->branch_not_empty = level->branch_not_empty || !level->last.can_be_empty;
        level->last = element;
        level->size += element.size;
        level->has_bound = level->has_bound || element.has_bound;
        if (level->size > NAME_EXPANDED_MAX)
                scan->problem = "repeats too much";
}

static void end_branch(Level *level)
{
        if (!level->branch_not_empty && level->last.can_be_empty)
                level->can_be_empty = true;
        level->branch_not_empty = false;
        level->last = new_level.last;
}

/* `[…]`: a ']' right after '[' or '[^' is literal, and [:…:], [=…=], [.….] may hold one. */
static void scan_bracket(Scan *scan)
{
        const char *p = scan->p + 1;

        if (*p == '^')
                p++;
        if (*p == ']')
                p++;
        for (; *p && *p != ']'; p++)
                if (*p == '[' && strchr(":=.", p[1]) && p[1]) {
                        const char end[] = {p[1], ']', '\0'};
                        const char *found = strstr(p + 2, end);
                        if (!found)
                                break;
                        p = found + 1;
                }
        if (*p != ']') {
                scan->problem = "has a '[' without its ']'";
                return;
        }
        scan->p = p + 1;
        add_element(scan, (Element){.size = 1});
}

/* The element before is there `copies` times in all, the last of them perhaps as a loop. */
static void repeat_last(Scan *scan, size_t copies, bool is_optional, bool is_loop)
{
        Level *level = &scan->levels[scan->depth];

        if (level->last.size == 0)
                scan->problem = "repeats nothing: a '*', '+', '?' or bound stands without an "
                                "element before it";
        else if (is_loop && level->last.can_be_empty)
                scan->problem = "repeats something that can be empty";
        level->size += level->last.size * (copies - 1);
        level->last.size *= copies;
        level->last.can_be_empty = level->last.can_be_empty || is_optional;
        if (level->size > NAME_EXPANDED_MAX)
                scan->problem = "repeats too much";
}

static bool take_number(const char **p, unsigned *ret)
{
        unsigned value = 0;
        size_t n = strspn(*p, "0123456789");

        if (n == 0)
                return false;
        for (size_t i = 0; i < n; i++)
                value = value > NAME_BOUND_MAX ? value : value * 10 + (unsigned) ((*p)[i] - '0');
        *p += n;
        *ret = value;
        return true;
}

static void scan_bound(Scan *scan)
{
        const char *p = scan->p + 1;
        unsigned first = 0, last;
        bool has_first = take_number(&p, &first), is_open = false;

        last = first;
        if (*p == ',') {
                p++;
                is_open = !take_number(&p, &last);
        }
        if (*p != '}' || (!has_first && is_open)) {
                scan->problem = "has a '{' that begins no bound like {2}, {2,} or {2,4}; "
                                "the character itself is written \\{";
                return;
        }
        if (first > NAME_BOUND_MAX || (!is_open && last > NAME_BOUND_MAX)) {
                scan->problem = "has a bound above 16";
                return;
        }
        if (!is_open && last < first) {
                scan->problem = "has a bound whose end is below its beginning";
                return;
        }
        Level *level = &scan->levels[scan->depth];
        if (level->last.has_bound) {
                scan->problem = "has a bound within a bound";
                return;
        }

        scan->p = p + 1;
        unsigned copies = is_open ? first + 1 : last;
        repeat_last(scan, copies > 0 ? copies : 1, first == 0, is_open);
        level->last.has_bound = true;
        level->has_bound = true;
}

static void scan_open(Scan *scan)
{
        scan->p++;
        scan->levels[++scan->depth] = new_level;
}

static void scan_close(Scan *scan)
{
        /* Without this, `a)|(b` would break out of ^(…)$. */
        if (scan->depth == 0) {
                scan->problem = "has a ')' without its '('";
                return;
        }
        scan->p++;
        Level *inner = &scan->levels[scan->depth--];
        end_branch(inner);
        add_element(scan, (Element){
                                  .size = inner->size + 1,
                                  .has_bound = inner->has_bound,
                                  .can_be_empty = inner->can_be_empty,
                          });
}

static void scan_escape(Scan *scan)
{
        char next = scan->p[1];

        if (next >= '0' && next <= '9') {
                scan->problem = "has a back-reference";
                return;
        }
        if (!next) {
                scan->problem = "ends in a lone backslash";
                return;
        }
        scan->p += 2;
        /* GNU: word and buffer boundaries take no room. */
        add_element(scan, (Element){.size = 1, .can_be_empty = strchr("bB<>`'", next)});
}

static void scan_next(Scan *scan)
{
        switch (*scan->p) {
        case '\\':
                scan_escape(scan);
                break;
        case '[':
                scan_bracket(scan);
                break;
        case '(':
                scan_open(scan);
                break;
        case ')':
                scan_close(scan);
                break;
        case '{':
                scan_bound(scan);
                break;
        case '+': /* the library makes aa* of a+ */
                scan->p++;
                repeat_last(scan, 2, false, true);
                break;
        case '*':
                scan->p++;
                repeat_last(scan, 1, true, true);
                break;
        case '?':
                scan->p++;
                repeat_last(scan, 1, true, false);
                break;
        case '|':
                scan->p++;
                end_branch(&scan->levels[scan->depth]);
                break;
        case '^':
        case '$':
                scan->p++;
                add_element(scan, (Element){.size = 1, .can_be_empty = true});
                break;
        default:
                scan->p++;
                add_element(scan, (Element){.size = 1});
        }
}

static const char *find_problem(const char *pattern)
{
        Scan scan = {.p = pattern, .levels = {new_level}};

        if (!*pattern)
                return "is empty";
        if (strlen(pattern) > NAME_PATTERN_MAX)
                return "is longer than 128 bytes";

        while (*scan.p && !scan.problem)
                scan_next(&scan);
        if (!scan.problem && scan.depth > 0)
                return "has a '(' without its ')'";
        return scan.problem;
}

/* Matches texts that no device is called, so it would match any name. */
static bool matches_everything(const regex_t *regex)
{
        static const char *const probes[] = {
                "\001 \001",
                "\001\002\001\002\001\002\001\002\001\002\001\002\001\002\001\002 "
                "\002\001\002\001\002\001\002\001\002\001\002\001\002\001\002\001",
        };

        for (size_t i = 0; i < ELEMENTSOF(probes); i++)
                if (regexec(regex, probes[i], 0, NULL, 0) == 0)
                        return true;
        return false;
}

static const char *explain_error(int error)
{
        switch (error) {
        case REG_BADRPT:
                return "repeats nothing: a '*', '+', '?' or bound stands without an element "
                       "before it";
        case REG_ECTYPE:
                return "names an unknown character class";
        case REG_ERANGE:
                return "has a range whose end is below its beginning";
        default:
                return "is no valid extended regular expression";
        }
}

int name_pattern_compile(const char *pattern, regex_t **ret, const char **ret_problem)
{
        char anchored[NAME_PATTERN_MAX + sizeof("^()$")];
        const char *problem = find_problem(pattern);

        if (problem) {
                *ret_problem = problem;
                return -EINVAL;
        }

        regex_t *regex = calloc(1, sizeof(*regex));
        if (!regex)
                return -ENOMEM;

        (void) snprintf(anchored, sizeof(anchored), "^(%s)$", pattern);
        int error = regcomp(regex, anchored, REG_EXTENDED | REG_ICASE | REG_NOSUB);
        if (error != 0) {
                free(regex);
                if (error == REG_ESPACE)
                        return -ENOMEM;
                *ret_problem = explain_error(error);
                return -EINVAL;
        }

        if (regexec(regex, "", 0, NULL, 0) == 0)
                problem = "matches the empty string";
        else if (matches_everything(regex))
                problem = "matches everything";
        if (problem) {
                name_pattern_free(regex);
                *ret_problem = problem;
                return -EINVAL;
        }

        *ret = regex;
        return 0;
}

regex_t *name_pattern_free(regex_t *pattern)
{
        if (!pattern)
                return NULL;

        regfree(pattern);
        free(pattern);
        return NULL;
}
