/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* Reads the tags of an XML document of modest ambition, as libvirt writes them. Comments,
 * processing instructions and CDATA are skipped; a document type is refused, so that there are no
 * entities but the five of XML itself. Whether tags match is not checked. */

#define XML_ATTRIBUTES_MAX 32

typedef enum XmlKind {
        XML_OPEN,
        XML_CLOSE,
        XML_TEXT,
        XML_END, /* of the document */
} XmlKind;

typedef struct XmlToken {
        XmlKind kind;
        char *name;    /* of a tag */
        bool is_empty; /* "<name/>": no XML_CLOSE follows */
        char *text;    /* with entities replaced */
        struct {
                char *name, *value;
        } attributes[XML_ATTRIBUTES_MAX];
        size_t n_attributes;
} XmlToken;

typedef struct XmlReader {
        char *next;    /* it is written to; what tokens point to lives in it */
        unsigned line; /* where `next` stands; begins with 1 */
        bool in_tag;   /* the "<" is behind us */
} XmlReader;

/* Returns 0, or -EINVAL with *ret_problem, a sentence without its beginning. */
int xml_read(XmlReader *reader, XmlToken *ret, const char **ret_problem) _must_check_;

/* NULL: it has no such attribute. */
const char *xml_attribute(const XmlToken *token, const char *name);
