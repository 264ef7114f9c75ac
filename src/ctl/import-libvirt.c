/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/complain.h"
#include "ctl/import-libvirt.h"
#include "ctl/import.h"
#include "ctl/tree.h"
#include "util/buffer.h"
#include "util/strings.h"

/* Domains with PCI hostdev elements or interfaces of type hostdev, and networks that hand out
 * virtual functions. With managed='yes' libvirt binds and gives back by itself, which undoes what
 * a claim does. */

static const char domain_directory[] = "/etc/libvirt/qemu";
static const char network_directory[] = "/etc/libvirt/qemu/networks";

static bool is_by_interface(const Device *device, const char *interface)
{
        for (char **name = device->interfaces.list; name && *name; name++)
                if (streq(*name, interface))
                        return true;
        return false;
}

/* A domain has this one for itself; domains are read first. */
static int keep_from_pool(Import *import, ImportClaim *claim, const Device *physical_function,
        const Device *device)
{
        _cleanup_free_ char *line = NULL;
        int r;

        if (!device->is_virtual_function || device->vf_index < 0 ||
            !pci_address_equal(&device->physical_function, &physical_function->address) ||
            !import_lists(import, &device->address))
                return 0;
        r = format_string(&line, "Exclude=pf=%s vf=%d",
                PCI_ADDRESS_TEXT(&physical_function->address), device->vf_index);
        return r < 0 ? r : string_list_append(&claim->lines, line);
}

/* A pool names the physical function; what it has of virtual ones may change. */
static int add_pool(Import *import, ImportClaim *claim, const char *interface)
{
        _cleanup_free_ char *line = NULL;
        const Device *found = NULL;
        int r;

        for (size_t i = 0; i < import->snapshot->n_devices && !found; i++)
                if (is_by_interface(&import->snapshot->devices[i], interface))
                        found = &import->snapshot->devices[i];
        if (!found)
                r = format_string(&line, "Match=pf=%s", interface);
        else
                r = format_string(&line, "Match=pf=%s", PCI_ADDRESS_TEXT(&found->address));
        if (r >= 0)
                r = string_list_append(&claim->lines, line);
        for (size_t i = 0; found && r >= 0 && i < import->snapshot->n_devices; i++)
                r = keep_from_pool(import, claim, found, &import->snapshot->devices[i]);
        return r;
}

/* libvirt writes each start tag on one line. */
static int add_unmanage(Import *import, const LibvirtObject *object)
{
        _cleanup_free_ char *name = NULL;
        int r;

        /* no name that libvirt takes, and none for a file or for a line of a script */
        if (strchr("-.", *object->name) || strchr(object->name, '/') ||
            find_unprintable(object->name))
                return import_note(import, "%s \"%s\": by hand, write managed='no' there.",
                        object->is_network ? "network" : "domain", object->name);
        r = shell_quote(object->name, &name);
        if (r < 0)
                return r;
        if (object->is_network)
                return import_add_command(import,
                        "virsh net-dumpxml --inactive %s | sed \"/<forward /s/managed='yes'/"
                        "managed='no'/\" >/root/%s.xml && virsh net-define /root/%s.xml", name,
                        name, name);
        return import_add_command(import,
                "virsh dumpxml --inactive --security-info %s | sed -E \"/<(hostdev|interface) /"
                "s/managed='yes'/managed='no'/\" >/root/%s.xml && virsh define /root/%s.xml", name,
                name, name);
}

static int add_object(Import *import, const char *file, const LibvirtObject *object)
{
        _cleanup_free_ char *comment = NULL;
        ImportClaim *claim;
        int r;

        if (object->n_addresses == 0 && !object->pools)
                return 0;
        import->found = true;
        r = format_string(&comment, "host devices of %s", file);
        if (r < 0)
                return r;
        make_printable(comment);
        r = import_claim(import, object->name, comment, &claim);
        if (r >= 0 && object->is_managed)
                r = import_add_comment(claim, "managed='yes': between two runs of a guest the host "
                                              "had these. The claim keeps them.");
        for (size_t i = 0; r >= 0 && i < object->n_addresses; i++)
                r = import_add_function(import, claim, &object->addresses[i]);
        for (char **pool = object->pools; r >= 0 && pool && *pool; pool++)
                r = add_pool(import, claim, *pool);
        return r < 0 || !object->is_managed ? r : add_unmanage(import, object);
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int read_text(Import *import, const char *file, char *text)
{
        _cleanup_(libvirt_object_done) LibvirtObject object = {};
        const char *problem;
        unsigned line;
        int r;

        r = libvirt_read(text, &object, &line, &problem);
        if (r == -EINVAL) {
                complain("%s:%u: the line %s.", file, line, problem);
                return r;
        }
        if (r >= 0 && !object.name)
                r = replace_string(&object.name, base_name(file));
        return r < 0 ? r : add_object(import, file, &object);
}

static int read_directory(Import *import, const char *directory)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        r = tree_list(import->host, directory, ".xml", &names);
        for (char **name = names; r >= 0 && name && *name; name++) {
                _cleanup_free_ char *path = NULL, *text = NULL;

                r = format_string(&path, "%s/%s", directory, *name);
                if (r >= 0)
                        r = tree_read(import->host, path, &text);
                if (r >= 0)
                        r = read_text(import, path, text);
        }
        return r;
}

int import_libvirt(Import *import, char *const *files)
{
        int r;

        if (!files || !*files) {
                r = read_directory(import, domain_directory);
                return r < 0 ? r : read_directory(import, network_directory);
        }
        for (r = 0; r >= 0 && *files; files++) {
                _cleanup_free_ char *text = NULL;

                r = import_read_file(*files, &text);
                if (r < 0)
                        return r;
                r = read_text(import, *files, text);
        }
        return r;
}
