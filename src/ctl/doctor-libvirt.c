/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/doctor.h"
#include "ctl/import-libvirt.h"
#include "ctl/import.h"
#include "ctl/tree.h"
#include "util/strings.h"

/* libvirt binds and gives back by itself where a device is managed, and changes owners of nodes. */

/* The first claimed function that the object names; a pool stands for the VFs of an interface. */
static const ModelDevice *find_claimed(const Doctor *doctor, const LibvirtObject *object)
{
        for (size_t i = 0; i < object->n_addresses; i++) {
                const ModelDevice *device = doctor_claimed(doctor, &object->addresses[i]);

                if (device)
                        return device;
        }
        for (size_t i = 0; object->pools && i < doctor->snapshot->n_devices; i++) {
                const Device *device = &doctor->snapshot->devices[i];
                const Device *parent = device->is_virtual_function
                        ? snapshot_find(doctor->snapshot, &device->physical_function)
                        : NULL;

                for (char **name = parent ? parent->interfaces.list : NULL; name && *name; name++)
                        if (string_list_contains(object->pools, *name) &&
                            doctor_claims(doctor, device))
                                return doctor_claimed(doctor, &device->address);
        }
        return NULL;
}

static int add_managed(Doctor *doctor, const LibvirtObject *object, const ModelDevice *device)
{
        const char *kind = object->is_network ? "network" : "domain";
        _cleanup_free_ char *name = NULL;
        int r;

        r = shell_quote(object->name, &name);
        if (r >= 0)
                r = doctor_find(doctor, false, "libvirt-managed",
                        "libvirt's %s %s has %s with managed='yes': libvirt gives it to the "
                        "host's driver when the guest ends.", kind, object->name,
                        device->text[DEVICE_ADDRESS]);
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Run \"virsh %s %s\" and write managed='no' there.",
                               object->is_network ? "net-edit" : "edit", name);
}

static int examine_object(Doctor *doctor, const char *path)
{
        _cleanup_(libvirt_object_done) LibvirtObject object = {};
        _cleanup_free_ char *text = NULL;
        const ModelDevice *device;
        const char *problem;
        unsigned line;
        int r;

        r = tree_read(&doctor->host, path, &text);
        if (r >= 0)
                r = libvirt_read(text, &object, &line, &problem);
        if (r < 0) /* nothing of ours to judge */
                return r == -ENOMEM ? r : 0;
        device = object.is_managed && object.name ? find_claimed(doctor, &object) : NULL;
        return device ? add_managed(doctor, &object, device) : 0;
}

static int examine_directory(Doctor *doctor, const char *directory)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        r = tree_list(&doctor->host, directory, ".xml", &names);
        if (r == -EACCES) /* root's alone */
                return 0;
        for (char **name = names; r >= 0 && name && *name; name++) {
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "%s/%s", directory, *name);
                if (r >= 0)
                        r = examine_object(doctor, path);
        }
        return r;
}

/* The last "dynamic_ownership = N" of qemu.conf; on by default. */
static bool has_dynamic_ownership(char *text)
{
        bool on = true;
        char *line;

        while ((line = tree_next_line(&text, NULL))) {
                const char *value = startswith(strip(line), "dynamic_ownership");

                value = value ? value + strspn(value, " \t") : NULL;
                if (value && *value == '=')
                        on = value[1 + strspn(value + 1, " \t")] != '0';
        }
        return on;
}

static const Claim *find_own_nodes(const Config *config)
{
        for (size_t i = 0; i < config->n_claims; i++) {
                const ClaimSettings *settings = &config->claims[i].settings;

                if (!streq(settings->node_user, "root") || !streq(settings->node_group, "kvm"))
                        return &config->claims[i];
        }
        return NULL;
}

static int examine_ownership(Doctor *doctor)
{
        const Claim *claim = find_own_nodes(doctor->config);
        _cleanup_free_ char *text = NULL;
        int r;

        r = tree_read(&doctor->host, "/etc/libvirt/qemu.conf", &text);
        if (r < 0 || !claim)
                return r == -ENOMEM ? r : 0;
        if (!has_dynamic_ownership(text))
                return 0;
        r = doctor_find(doctor, false, "libvirt-dynamic-ownership",
                "libvirt gives nodes to its own user while a guest runs, and to root after that; "
                "claim %s wants them for %s:%s.", claim->name, claim->settings.node_user,
                claim->settings.node_group);
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "If libvirt is to use these devices, set dynamic_ownership = 0 in "
                               "/etc/libvirt/qemu.conf and NodeUser=, NodeGroup= to the user and "
                               "group there; if it is not, nothing has to be done.");
}

int doctor_examine_libvirt(Doctor *doctor)
{
        int r;

        r = examine_directory(doctor, "/etc/libvirt/qemu");
        if (r >= 0)
                r = examine_directory(doctor, "/etc/libvirt/qemu/networks");
        return r < 0 ? r : examine_ownership(doctor);
}
