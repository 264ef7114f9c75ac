/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/xml-reader.h"

#include <errno.h>

#include "util/strings.h"

#define BLANKS " \t\r\n"

static int refuse(const char **ret_problem, const char *problem)
{
        *ret_problem = problem;
        return -EINVAL;
}

static void advance(XmlReader *reader, char *to)
{
        for (; reader->next < to; reader->next++)
                if (*reader->next == '\n')
                        reader->line++;
}

static void decode(char *text)
{
        static const struct {
                const char *entity;
                char character;
        } entities[] = {
                { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' },
                { "&apos;", '\'' },
        };
        char *to = text;

        while (*text) {
                const char *behind = NULL;

                for (size_t i = 0; *text == '&' && !behind && i < ELEMENTSOF(entities); i++) {
                        behind = startswith(text, entities[i].entity);
                        if (behind)
                                *to = entities[i].character;
                }
                if (!behind)
                        *to = *text;
                to++;
                text += behind ? (size_t) (behind - text) : 1;
        }
        *to = '\0';
}

/* Behind the next `end`; false: there is none. */
static bool skip_behind(XmlReader *reader, const char *end)
{
        char *p = strstr(reader->next, end);

        if (!p)
                return false;
        advance(reader, p + strlen(end));
        return true;
}

static int read_attribute(XmlReader *reader, XmlToken *token, const char **ret_problem)
{
        char *name = reader->next, *equals = name + strcspn(name, "=/<>\"'" BLANKS), *value, *end;

        value = equals + strspn(equals, BLANKS);
        if (equals == name || *value != '=')
                return refuse(ret_problem, "has an attribute without a value");
        value++;
        value += strspn(value, BLANKS);
        if (*value != '"' && *value != '\'')
                return refuse(ret_problem, "has an attribute without quotes");
        end = strchr(value + 1, *value);
        if (!end)
                return refuse(ret_problem, "has a quote that is not closed");
        if (token->n_attributes == XML_ATTRIBUTES_MAX)
                return refuse(ret_problem, "has too many attributes");
        advance(reader, end + 1);
        *equals = *end = '\0';
        decode(value + 1);
        token->attributes[token->n_attributes].name = name;
        token->attributes[token->n_attributes].value = value + 1;
        token->n_attributes++;
        return 0;
}

/* The character behind a name is overwritten once the tag has been read to its end. */
static int read_tag(XmlReader *reader, XmlToken *token, const char **ret_problem)
{
        char *name_end;

        reader->in_tag = false;
        token->kind = XML_OPEN;
        if (*reader->next == '/') {
                token->kind = XML_CLOSE;
                reader->next++;
        }
        token->name = reader->next;
        name_end = reader->next + strcspn(reader->next, "=/<>\"'" BLANKS);
        if (name_end == token->name)
                return refuse(ret_problem, "has a tag without a name");
        advance(reader, name_end);
        for (;;) {
                int r;

                advance(reader, reader->next + strspn(reader->next, BLANKS));
                if (*reader->next == '/' && reader->next[1] == '>') {
                        token->is_empty = true;
                        reader->next++;
                }
                if (*reader->next == '>') {
                        reader->next++;
                        *name_end = '\0';
                        return 0;
                }
                r = read_attribute(reader, token, ret_problem);
                if (r < 0)
                        return r;
        }
}

/* Comments and the like; 0: there was none, 1: skipped. */
static int skip_other(XmlReader *reader, const char **ret_problem)
{
        static const struct {
                const char *begin, *end;
        } others[] = {
                { "!--", "-->" }, { "?", "?>" }, { "![CDATA[", "]]>" },
        };

        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                if (!startswith(reader->next, others[i].begin))
                        continue;
                if (!skip_behind(reader, others[i].end))
                        return refuse(ret_problem, "has a comment that does not end");
                reader->in_tag = false;
                return 1;
        }
        if (*reader->next == '!')
                return refuse(ret_problem, "has a document type, which is not read");
        return 0;
}

int xml_read(XmlReader *reader, XmlToken *ret, const char **ret_problem)
{
        *ret = (XmlToken){};
        for (;;) {
                char *end;
                int r;

                if (reader->in_tag) {
                        r = skip_other(reader, ret_problem);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                return read_tag(reader, ret, ret_problem);
                }
                end = strchr(reader->next, '<') ?: strchr(reader->next, '\0');
                reader->in_tag = *end == '<';
                if (end > reader->next) {
                        ret->kind = XML_TEXT;
                        ret->text = reader->next;
                        advance(reader, end);
                        if (reader->in_tag)
                                reader->next++;
                        *end = '\0';
                        decode(ret->text);
                        return 0;
                }
                if (!reader->in_tag) {
                        ret->kind = XML_END;
                        return 0;
                }
                reader->next++;
        }
}

const char *xml_attribute(const XmlToken *token, const char *name)
{
        for (size_t i = 0; i < token->n_attributes; i++)
                if (streq(token->attributes[i].name, name))
                        return token->attributes[i].value;
        return NULL;
}
