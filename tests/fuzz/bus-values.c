/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/bus-values.h"

#include <string.h>

#include "bus/names.h"
#include "lib/test.h"
#include "util/macro.h"

#define DEPTH_MAX 5

unsigned bytes_pick(Bytes *bytes, size_t n)
{
        if (bytes->size == 0)
                return 0;
        bytes->size--;
        return *bytes->data++ % n;
}

static void add_type(Bytes *bytes, char *signature, unsigned depth)
{
        static const char basic[] = "subnoqixtdgy";
        size_t n = strlen(signature);

        /* room for "a{" "}" and a basic type */
        unsigned kind = n > SIGNATURE_MAX - 16 || depth >= DEPTH_MAX ? 0 : bytes_pick(bytes, 8);
        switch (kind) {
        case 4:
                strcat(signature, "v");
                break;
        case 5:
                strcat(signature, "a");
                add_type(bytes, signature, depth + 1);
                break;
        case 6:
                strcat(signature, "(");
                for (unsigned i = bytes_pick(bytes, 3) + 1; i > 0; i--)
                        add_type(bytes, signature, depth + 1);
                strcat(signature, ")");
                break;
        case 7:
                strcat(signature, "a{s");
                add_type(bytes, signature, depth + 1);
                strcat(signature, "}");
                break;
        default:
                signature[n] = basic[bytes_pick(bytes, sizeof(basic) - 1)];
                signature[n + 1] = '\0';
        }
}

char *bytes_signature(Bytes *bytes, char signature[static SIGNATURE_MAX])
{
        signature[0] = '\0';
        for (unsigned i = bytes_pick(bytes, 4); i > 0; i--)
                add_type(bytes, signature, 0);
        return signature;
}

static const char *pick_text(Bytes *bytes, char buffer[static 256])
{
        static const char *const words[] = {"", "0000:01:00.0", "01:00.0", "pci_0000_01_00_1",
                "0000:02:00.0", "0000:00:01.0", "0000:7f:00.0", "gaming-gpu", "lab.nic", "gone",
                "nic0", BUS_OPTION_DRIVER, BUS_OPTION_COMPANIONS, BUS_OPTION_ALLOW_IN_USE,
                BUS_OPTION_PRUNE, BUS_OPTION_NO_PROBE, BUS_OPTION_NEXT_BOOT, "vfio-pci", "pci-stub",
                "auto", "slot", "all", "none", "detach", "holders", "network", "display", "process",
                "system", "vfio", BUS_INTERFACE_MANAGER, BUS_INTERFACE_DEVICE, "../../etc/passwd",
                "\xc3\xa4\xe2\x82\xac", "%s%n", "a b\nc"};
        unsigned i = bytes_pick(bytes, ELEMENTSOF(words) + 2);

        if (i < ELEMENTSOF(words))
                return words[i];
        if (i == ELEMENTSOF(words)) {
                memset(buffer, 'x', 255);
                buffer[255] = '\0';
                return buffer;
        }
        size_t n = bytes_pick(bytes, 32);
        for (size_t k = 0; k < n; k++)
                buffer[k] = (char) (0x20 + bytes_pick(bytes, 0x5f));
        buffer[n] = '\0';
        return buffer;
}

static const char *pick_object(Bytes *bytes)
{
        static const char *const paths[] = {"/", BUS_ROOT, BUS_PREFIX_DEVICE "/pci_0000_01_00_0",
                BUS_PREFIX_GROUP "/14", BUS_PREFIX_CLAIM "/x"};

        return paths[bytes_pick(bytes, ELEMENTSOF(paths))];
}

static uint64_t pick_number(Bytes *bytes)
{
        static const uint64_t numbers[] = {0, 1, 14, 75, 20, UINT8_MAX, INT16_MAX, UINT16_MAX,
                INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};

        return numbers[bytes_pick(bytes, ELEMENTSOF(numbers))];
}

static void append_basic(Bytes *bytes, sd_bus_message *message, char type)
{
        union {
                uint64_t t;
                uint32_t u;
                uint16_t q;
                uint8_t y;
                int b;
                double d;
        } value;
        char text[256];

        if (type == 's') {
                ASSERT_TRUE(sd_bus_message_append(message, "s", pick_text(bytes, text)) >= 0);
        } else if (type == 'o') {
                ASSERT_TRUE(sd_bus_message_append(message, "o", pick_object(bytes)) >= 0);
        } else if (type == 'g') {
                ASSERT_TRUE(sd_bus_message_append(message, "g", "a{sv}") >= 0);
        } else {
                uint64_t number = pick_number(bytes);

                if (type == 'd')
                        value.d = (double) number;
                else if (type == 'b')
                        value.b = number & 1;
                else if (type == 'y')
                        value.y = (uint8_t) number;
                else if (type == 'n' || type == 'q')
                        value.q = (uint16_t) number;
                else if (type == 'i' || type == 'u')
                        value.u = (uint32_t) number;
                else
                        value.t = number;
                ASSERT_TRUE(sd_bus_message_append_basic(message, type, &value) >= 0);
        }
}

static void append_some(Bytes *bytes, sd_bus_message *message, const char *signature, size_t length,
        unsigned depth);

static size_t type_length(const char *signature)
{
        size_t n = strspn(signature, "a");
        unsigned open = 0;

        do {
                open += signature[n] == '(' || signature[n] == '{';
                open -= signature[n] == ')' || signature[n] == '}';
                n++;
        } while (open > 0);
        return n;
}

static void append_container(Bytes *bytes, sd_bus_message *message, char type, const char *contents,
        size_t length, unsigned n_times, unsigned depth)
{
        char inner[SIGNATURE_MAX];

        ASSERT_TRUE(length < sizeof(inner));
        memcpy(inner, contents, length);
        inner[length] = '\0';
        ASSERT_TRUE(sd_bus_message_open_container(message, type, inner) >= 0);
        for (unsigned i = 0; i < n_times; i++)
                append_some(bytes, message, contents, length, depth + 1);
        ASSERT_TRUE(sd_bus_message_close_container(message) >= 0);
}

static void append_variant(Bytes *bytes, sd_bus_message *message, unsigned depth)
{
        static const char *const common[] = {"s", "as", "b", "u"};
        char signature[SIGNATURE_MAX] = "";
        unsigned i = bytes_pick(bytes, 6);

        if (i < ELEMENTSOF(common))
                strcpy(signature, common[i]);
        else if (depth >= DEPTH_MAX)
                strcpy(signature, "s");
        else
                add_type(bytes, signature, depth);
        append_container(bytes, message, 'v', signature, strlen(signature), 1, depth);
}

static void append_some(Bytes *bytes, sd_bus_message *message, const char *signature, size_t length,
        unsigned depth)
{
        for (size_t n; length > 0; signature += n, length -= n) {
                n = type_length(signature);
                switch (*signature) {
                case 'v':
                        append_variant(bytes, message, depth);
                        break;
                case 'a':
                        append_container(bytes, message, 'a', signature + 1, n - 1,
                                bytes_pick(bytes, 5), depth);
                        break;
                case '(':
                        append_container(
                                bytes, message, 'r', signature + 1, n - 2, 1, depth);
                        break;
                case '{':
                        append_container(
                                bytes, message, 'e', signature + 1, n - 2, 1, depth);
                        break;
                default:
                        append_basic(bytes, message, *signature);
                }
        }
}

void append_values(Bytes *bytes, sd_bus_message *message, const char *signature)
{
        append_some(bytes, message, signature, strlen(signature), 0);
}
