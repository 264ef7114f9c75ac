/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/module-index.h"

#include "lib/test.h"

/* modules.alias.bin as depmod writes it (libkmod/libkmod-index.h of kmod), without its savings:
 * one node for every character, values at the end of each alias. */
typedef struct Node {
        struct Node *children[128];
        const char *values[8];
        unsigned n_values;
} Node;

typedef struct Index {
        uint8_t data[1 << 20];
        uint32_t length;
} Index;

static void put(Index *index, uint32_t value, unsigned n_bytes)
{
        ASSERT_TRUE(index->length + n_bytes <= sizeof(index->data));
        for (unsigned i = n_bytes; i > 0; i--)
                index->data[index->length++] = (uint8_t) (value >> 8 * (i - 1));
}

static uint32_t write_node(Index *index, Node *node)
{
        uint32_t offsets[128] = {}, flags = 0;
        unsigned first = 128, last = 0;

        for (unsigned i = 0; i < 128; i++)
                if (node->children[i]) {
                        offsets[i] = write_node(index, node->children[i]);
                        first = first == 128 ? i : first;
                        last = i;
                }
        uint32_t offset = index->length;
        if (first < 128) {
                flags |= 0x20000000;
                put(index, first, 1);
                put(index, last, 1);
                for (unsigned i = first; i <= last; i++)
                        put(index, offsets[i], 4);
        }
        if (node->n_values > 0) {
                flags |= 0x40000000;
                put(index, node->n_values, 4);
                for (unsigned i = 0; i < node->n_values; i++) {
                        put(index, i, 4);
                        for (const char *p = node->values[i]; *p; p++)
                                put(index, (uint8_t) *p, 1);
                        put(index, 0, 1);
                }
        }
        free(node);
        return offset | flags;
}

static Node *new_node(void)
{
        Node *node = calloc(1, sizeof(Node));

        ASSERT_TRUE(node);
        return node;
}

void module_index_write(FakeSysfs *fake, const char *path, const char *lines)
{
        _cleanup_free_ char *copy = strdup(lines);
        _cleanup_free_ Index *index = calloc(1, sizeof(Index));
        Node *root = new_node();
        char *rest = NULL;

        ASSERT_TRUE(copy && index);
        for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                char *words = NULL;
                Node *node = root;

                ASSERT_TRUE(strtok_r(line, " ", &words));
                for (const char *p = strtok_r(NULL, " ", &words); *p; p++) {
                        if (!node->children[(unsigned) *p])
                                node->children[(unsigned) *p] = new_node();
                        node = node->children[(unsigned) *p];
                }
                ASSERT_TRUE(node->n_values < ELEMENTSOF(node->values));
                node->values[node->n_values++] = strtok_r(NULL, " ", &words);
        }
        put(index, 0xB007F457, 4);
        put(index, 0x00020001, 4);
        put(index, 0, 4);
        uint32_t offset = write_node(index, root), end = index->length;
        index->length = 8;
        put(index, offset, 4);
        fake_sysfs_write_data(fake, path, index->data, end);
}
