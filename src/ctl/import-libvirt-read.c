/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/import-libvirt.h"
#include "ctl/xml-reader.h"
#include "util/array.h"
#include "util/parse.h"
#include "util/strings.h"

void libvirt_object_done(LibvirtObject *object)
{
        free(object->name);
        free(object->addresses);
        string_list_free(object->pools);
}

/* "0x06", or decimal; NULL: 0, as libvirt reads what is left out. */
static int read_number(const char *text, uint64_t maximum, uint64_t *ret)
{
        const char *hex = text ? startswith(text, "0x") : NULL;
        int r;

        *ret = 0;
        if (!text)
                return 0;
        r = hex ? parse_hex(hex, 0, ret) : parse_unsigned(text, maximum, ret);
        return r < 0 || *ret > maximum ? -EINVAL : 0;
}

static int read_address(const XmlToken *token, PciAddress *ret)
{
        uint64_t domain, bus, slot, function;

        if (read_number(xml_attribute(token, "domain"), UINT32_MAX, &domain) < 0 ||
            read_number(xml_attribute(token, "bus"), 0xff, &bus) < 0 ||
            read_number(xml_attribute(token, "slot"), 0x1f, &slot) < 0 ||
            read_number(xml_attribute(token, "function"), 7, &function) < 0)
                return -EINVAL;
        *ret = (PciAddress){ .domain = (uint32_t) domain, .bus = (uint8_t) bus,
                             .device = (uint8_t) slot, .function = (uint8_t) function };
        return 0;
}

static bool has_value(const XmlToken *token, const char *name, const char *value)
{
        return streq_null(xml_attribute(token, name), value);
}

/* Does the element hand a PCI function of the host out? */
static bool is_host_device(const XmlToken *token)
{
        if (streq(token->name, "hostdev"))
                return has_value(token, "type", "pci");
        if (streq(token->name, "interface"))
                return has_value(token, "type", "hostdev");
        return streq(token->name, "forward") && has_value(token, "mode", "hostdev");
}

typedef struct Reading {
        LibvirtObject *object;
        const char *element; /* the host device's, NULL: outside */
        bool in_source;      /* below it: the host's address, not the guest's */
        bool in_name;
        unsigned depth;
} Reading;

static int add_address(Reading *reading, const XmlToken *token, const char **ret_problem)
{
        LibvirtObject *object = reading->object;
        PciAddress address;
        int r;

        if (xml_attribute(token, "type") && !has_value(token, "type", "pci"))
                return 0;
        if (read_address(token, &address) < 0) {
                *ret_problem = "has no address of a PCI function";
                return -EINVAL;
        }
        r = ARRAY_GROW(object->addresses, object->n_addresses);
        if (r >= 0)
                object->addresses[object->n_addresses++] = address;
        return r;
}

static int on_open(Reading *reading, const XmlToken *token, const char **ret_problem)
{
        LibvirtObject *object = reading->object;
        bool is_forward = reading->element && streq(reading->element, "forward");

        if (!token->is_empty)
                reading->depth++;
        if (reading->depth == 1 && streq(token->name, "network"))
                object->is_network = true;
        if (streq(token->name, "name") && reading->depth == 2 && !token->is_empty)
                reading->in_name = true;
        if (!reading->element && !token->is_empty && is_host_device(token)) {
                reading->element = token->name;
                reading->in_source = streq(token->name, "forward");
                object->is_managed = object->is_managed || has_value(token, "managed", "yes");
        } else if (reading->element && streq(token->name, "source")) {
                reading->in_source = !token->is_empty;
        } else if (reading->in_source && streq(token->name, "address")) {
                return add_address(reading, token, ret_problem);
        } else if (is_forward && streq(token->name, "pf")) {
                const char *interface = xml_attribute(token, "dev");

                if (interface && *interface && strlen(interface) < 16 &&
                    !strpbrk(interface, " \t\"\\:/") && !find_unprintable(interface))
                        return string_list_append(&object->pools, interface);
                *ret_problem = "names no interface";
                return -EINVAL;
        }
        return 0;
}

static void on_close(Reading *reading, const XmlToken *token)
{
        if (reading->depth > 0)
                reading->depth--;
        reading->in_name = false;
        if (!reading->element)
                return;
        if (streq(token->name, "source"))
                reading->in_source = false;
        if (streq(token->name, reading->element)) {
                reading->element = NULL;
                reading->in_source = false;
        }
}

int libvirt_read(char *text, LibvirtObject *object, unsigned *ret_line, const char **ret_problem)
{
        XmlReader reader = { .next = text, .line = 1 };
        Reading reading = { .object = object };

        for (;;) {
                XmlToken token;
                int r;

                r = xml_read(&reader, &token, ret_problem);
                if (r >= 0 && token.kind == XML_END)
                        return 0;
                if (r >= 0 && token.kind == XML_OPEN)
                        r = on_open(&reading, &token, ret_problem);
                else if (r >= 0 && token.kind == XML_CLOSE)
                        on_close(&reading, &token);
                else if (r >= 0 && reading.in_name && !object->name && *strip(token.text))
                        r = replace_string(&object->name, strip(token.text));
                if (r < 0) {
                        *ret_line = reader.line;
                        return r;
                }
        }
}
