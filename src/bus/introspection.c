/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "bus/object.h"
#include "util/strings.h"

/* The length of the first complete type of a valid signature. */
static size_t type_length(const char *signature)
{
        size_t n = 0;

        while (signature[n] == 'a')
                n++;
        if (signature[n] != '(' && signature[n] != '{')
                return n + 1;
        for (unsigned depth = 0;; n++) {
                if (signature[n] == '(' || signature[n] == '{')
                        depth++;
                else if ((signature[n] == ')' || signature[n] == '}') && --depth == 0)
                        return n + 1;
        }
}

static const char *print_arguments(FILE *file, const char *signature, const char *names,
        const char *direction)
{
        while (*signature) {
                size_t length = type_length(signature);

                fprintf(file, "      <arg type=\"%.*s\" name=\"%s\" direction=\"%s\"/>\n",
                        (int) length, signature, names, direction);
                signature += length;
                names += strlen(names) + 1;
        }
        return names;
}

static void print_method(FILE *file, const BusMethod *method)
{
        if (!*method->in && !*method->out) {
                fprintf(file, "    <method name=\"%s\"/>\n", method->name);
                return;
        }
        fprintf(file, "    <method name=\"%s\">\n", method->name);
        const char *names = print_arguments(file, method->in, method->arguments, "in");
        print_arguments(file, method->out, names, "out");
        fputs("    </method>\n", file);
}

static void print_property(FILE *file, const BusProperty *property)
{
        bool is_constant = property->flags & PROPERTY_CONSTANT;

        fprintf(file, "    <property name=\"%s\" type=\"%s\" access=\"read\"%s\n", property->name,
                property->signature, is_constant ? ">" : "/>");
        if (is_constant)
                fputs("      <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\""
                      " value=\"const\"/>\n"
                      "    </property>\n",
                        file);
}

static const BusInterface *find_interface(const char *name)
{
        for (size_t i = 0; i < BUS_N_INTERFACES; i++)
                if (streq(bus_interfaces[i]->name, name))
                        return bus_interfaces[i];
        return NULL;
}

int bus_print_introspection(const char *name, FILE *file)
{
        const BusInterface *interface = find_interface(name);

        if (!interface)
                return -ENOENT;
        fputs("<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
              "  \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
              "<node>\n",
                file);
        fprintf(file, "  <interface name=\"%s\">\n", interface->name);
        for (size_t i = 0; i < interface->n_methods; i++)
                print_method(file, &interface->methods[i]);
        for (size_t i = 0; i < interface->n_properties; i++)
                print_property(file, &interface->properties[i]);
        fputs("  </interface>\n</node>\n", file);
        return fflush(file) == 0 && !ferror(file) ? 0 : -EIO;
}
