/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/complain.h"
#include "ctl/import-one-deploy.h"
#include "ctl/tree.h"
#include "ctl/yaml-lines.h"
#include "util/array.h"
#include "util/parse.h"
#include "util/strings.h"

/* The value of pci_devices stands deep in an inventory or a playbook: the key is looked for, and
 * what is indented below it is read; all else is none of our business. */

#define KEY "pci_devices:"

void one_deploy_list_done(OneDeployList *list)
{
        for (size_t i = 0; i < list->n_items; i++) {
                free(list->items[i].address);
                free(list->items[i].vendor);
                free(list->items[i].device);
                free(list->items[i].class);
                free(list->items[i].set_driver);
                free(list->items[i].set_numvfs);
        }
        free(list->items);
}

static int refuse(const char *file, unsigned line, const char *problem)
{
        complain("%s:%u: the line %s.", file, line, problem);
        return -EINVAL;
}

static int read_flag(const char *value, bool *ret)
{
        return value ? parse_boolean(value, ret) : -EINVAL;
}

static int read_numvfs(const char *value, char **ret)
{
        uint64_t number;

        if (!value)
                return -EINVAL;
        if (!streq(value, "max")) {
                if (parse_unsigned(value, 65535, &number) < 0)
                        return -EINVAL;
                if (number == 0)
                        return replace_string(ret, NULL);
        }
        return replace_string(ret, value);
}

static size_t count(const char *text, char character)
{
        size_t n = 0;

        for (; *text; text++)
                n += *text == character;
        return n;
}

/* "*:*:*.*" is one of PCI, "*:*:*:*:*:*" one of Ethernet. */
static int read_address(const char *value, OneDeployEntry *entry)
{
        size_t n_colons = value ? count(value, ':') : 0;

        if (n_colons != 5 && !(n_colons == 2 && strchr(value, '.')))
                return -EINVAL;
        entry->by_hardware_address = n_colons == 5;
        return replace_string(&entry->address, value);
}

/* -ENOENT: no such key. */
static int read_key(OneDeployEntry *entry, const char *key, const char *value)
{
        if (streq(key, "address"))
                return read_address(value, entry);
        if (streq(key, "vendor"))
                return replace_string(&entry->vendor, value);
        if (streq(key, "device"))
                return replace_string(&entry->device, value);
        if (streq(key, "class"))
                return replace_string(&entry->class, value);
        if (streq(key, "set_driver"))
                return replace_string(&entry->set_driver,
                        value && streq(value, "omit") ? NULL : value);
        if (streq(key, "set_numvfs"))
                return read_numvfs(value, &entry->set_numvfs);
        if (streq(key, "excluded"))
                return read_flag(value, &entry->excluded);
        if (streq(key, "unguarded"))
                return read_flag(value, &entry->unguarded);
        /* names of interfaces, and what OpenNebula lists */
        if (streq(key, "set_name") || streq(key, "set_counter") || streq(key, "unlisted"))
                return 0;
        return -ENOENT;
}

/* Where the entries of the list stand. */
typedef struct Block {
        size_t key_indent;
        size_t item_indent; /* SIZE_MAX: none yet */
        size_t content;     /* of the keys of the present entry */
} Block;

static bool belongs_to(const Block *block, const YamlLine *yaml)
{
        return yaml->indent > block->key_indent ||
                (yaml->is_item && yaml->indent == block->key_indent);
}

static int add_line(OneDeployList *list, const char *file, unsigned number, Block *block,
        const YamlLine *yaml)
{
        int r;

        if (yaml->is_item) {
                if (block->item_indent == SIZE_MAX)
                        block->item_indent = yaml->indent;
                if (yaml->indent != block->item_indent)
                        return refuse(file, number, "is a list within an entry");
                r = ARRAY_GROW(list->items, list->n_items);
                if (r < 0)
                        return r;
                list->items[list->n_items++] =
                        (OneDeployEntry){ .file = file, .line = number };
                block->content = yaml->content;
        }
        if (block->item_indent == SIZE_MAX || yaml->content != block->content)
                return refuse(file, number, "is indented otherwise than its entry");
        if (!yaml->key)
                return refuse(file, number, "has no key");
        /* Taken literally it would fit nothing, and what it excludes would be claimed. */
        if (yaml->value && (strstr(yaml->value, "{{") || strstr(yaml->value, "{%")))
                return refuse(file, number, "has a template; write out what it gives for the host");
        r = read_key(&list->items[list->n_items - 1], yaml->key, yaml->value);
        if (r == -ENOENT)
                return refuse(file, number, "has a key that pci_devices does not know");
        if (r == -EINVAL)
                return refuse(file, number, "has a value that this key cannot have");
        return r;
}

static int read_block(const char *file, char **text, unsigned *number, size_t key_indent,
        OneDeployList *list)
{
        Block block = { .key_indent = key_indent, .item_indent = SIZE_MAX };

        while (**text) {
                char *line = *text, *rest = line + strcspn(line, "\n");
                _cleanup_free_ char *copy = strndup(line, (size_t) (rest - line));
                _cleanup_yaml_line_ YamlLine yaml = {};
                const char *problem;
                size_t indent;
                int r;

                if (!copy)
                        return -ENOMEM;
                indent = strspn(copy, " ");
                /* Lines behind the list may have any form. */
                if (indent < key_indent && copy[indent] && copy[indent] != '#')
                        return 0;
                if (indent == key_indent && copy[indent] && copy[indent] != '#' &&
                    copy[indent] != '-')
                        return 0;
                *text = *rest ? rest + 1 : rest;
                (*number)++;
                r = yaml_line_read(copy, &yaml, &problem);
                if (r == -EINVAL)
                        return refuse(file, *number, problem);
                if (r < 0)
                        return r;
                if (yaml.is_blank)
                        continue;
                if (!belongs_to(&block, &yaml))
                        return 0;
                r = add_line(list, file, *number, &block, &yaml);
                if (r < 0)
                        return r;
        }
        return 0;
}

int one_deploy_read(const char *file, char *text, OneDeployList *list)
{
        unsigned number = 0;
        char *line;

        while ((line = tree_next_line(&text, &number))) {
                size_t indent = strspn(line, " -");
                const char *value = startswith(line + indent, KEY);
                int r;

                if (!value || (*value && *value != ' ' && *value != '\r'))
                        continue;
                value += strspn(value, " \r");
                if (list->file) {
                        complain("%s:%u: a second list of pci_devices, after the one in %s. Name "
                                 "a file with the list of one host.", file, number, list->file);
                        return -EINVAL;
                }
                list->file = file;
                if (startswith(value, "[]"))
                        continue;
                if (*value && *value != '#')
                        return refuse(file, number, "has the list on the same line; write one key "
                                                    "on a line");
                r = read_block(file, &text, &number, indent, list);
                if (r < 0)
                        return r;
        }
        return 0;
}
