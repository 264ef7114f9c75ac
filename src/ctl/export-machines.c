/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "ctl/complain.h"
#include "ctl/export.h"
#include "util/strings.h"

/* For what runs virtual machines on this host: QEMU, libvirt, OpenNebula. */

int export_qemu(const Export *export, FILE *file)
{
        for (size_t i = 0; i < export->model->n_devices; i++) {
                const ModelDevice *device = &export->model->devices[i];

                if (export_has(export, device))
                        fprintf(file, "-device vfio-pci,host=%s\n",
                                PCI_ADDRESS_TEXT(&device->address));
        }
        return 0;
}

static void print_address(const PciAddress *address, const char *type, FILE *file)
{
        fprintf(file,
                "    <address%s domain='0x%04" PRIx32 "' bus='0x%02x' slot='0x%02x' "
                "function='0x%x'/>\n",
                type, address->domain, address->bus, address->device, address->function);
}

/* XML allows no "--" within a comment, and a claim's name may have it. */
static void print_claim(const char *name, FILE *file)
{
        fputs("<!-- claim ", file);
        for (; *name; name++)
                fprintf(file, "%c%s", *name, *name == '-' && name[1] == '-' ? " " : "");
        fputs(" -->\n", file);
}

/* managed='no': libvirt neither takes the function nor gives it back. */
static void print_host_device(const ModelDevice *device, FILE *file)
{
        print_claim(device->claim, file);
        fputs("<hostdev mode='subsystem' type='pci' managed='no'>\n"
              "  <source>\n", file);
        print_address(&device->address, "", file);
        fputs("  </source>\n</hostdev>\n", file);
}

static bool is_network_vf(const Export *export, const ModelDevice *device)
{
        return export_has(export, device) && device->physical_function &&
                device_has_class(device, "02");
}

/* Addresses, not the interface of the physical function: the host may keep some of them. */
static void print_pool(const Export *export, size_t first, FILE *file)
{
        const ModelDevice *device = &export->model->devices[first];
        const char *physical_function = device->physical_function;

        for (size_t i = 0; i < first; i++)
                if (is_network_vf(export, &export->model->devices[i]) &&
                    streq(export->model->devices[i].physical_function, physical_function))
                        return;
        fprintf(file, "<network>\n"
                      "  <name>vfs-of-%s</name>\n"
                      "  <forward mode='hostdev' managed='no'>\n", physical_function);
        for (size_t i = first; i < export->model->n_devices; i++) {
                device = &export->model->devices[i];
                if (is_network_vf(export, device) &&
                    streq(device->physical_function, physical_function))
                        print_address(&device->address, " type='pci'", file);
        }
        fputs("  </forward>\n</network>\n", file);
}

/* What qemu.conf has if nothing is set, and what is needed besides. The links follow the numbers of
 * groups, which may change at every boot. */
static void print_device_acl(const Export *export, FILE *file)
{
        fputs("<!-- for /etc/libvirt/qemu.conf, where domains name no hostdev:\n"
              "cgroup_device_acl = [\n"
              "    \"/dev/null\", \"/dev/full\", \"/dev/zero\",\n"
              "    \"/dev/random\", \"/dev/urandom\",\n"
              "    \"/dev/ptmx\", \"/dev/kvm\",\n"
              "    \"/dev/vfio/vfio\"", file);
        for (size_t i = 0; i < export->model->n_devices; i++)
                if (export_has(export, &export->model->devices[i]))
                        fprintf(file, ",\n    \"/dev/vfio/by-address/%s\"",
                                PCI_ADDRESS_TEXT(&export->model->devices[i].address));
        fputs("\n]\n-->\n", file);
}

int export_libvirt(const Export *export, FILE *file)
{
        const Model *model = export->model;

        for (size_t i = 0; i < model->n_devices; i++)
                if (export_has(export, &model->devices[i]))
                        print_host_device(&model->devices[i], file);
        for (size_t i = 0; i < model->n_devices; i++)
                if (is_network_vf(export, &model->devices[i]))
                        print_pool(export, i, file);
        print_device_acl(export, file);
        return 0;
}

static bool is_same_kind(const ModelDevice *a, const ModelDevice *b)
{
        return streq_null(a->text[DEVICE_VENDOR_ID], b->text[DEVICE_VENDOR_ID]) &&
                streq_null(a->text[DEVICE_DEVICE_ID], b->text[DEVICE_DEVICE_ID]);
}

/* The probe knows short addresses only, "01:00.0". */
static bool has_short_address(const Export *export, const ModelDevice *device)
{
        return export_has(export, device) && device->address.domain == 0;
}

static bool is_first_of_kind(const Export *export, size_t index)
{
        const ModelDevice *devices = export->model->devices;

        for (size_t i = 0; i < index; i++)
                if (has_short_address(export, &devices[i]) &&
                    is_same_kind(&devices[i], &devices[index]))
                        return false;
        return true;
}

int export_opennebula(const Export *export, FILE *file)
{
        const Model *model = export->model;

        fputs("# pci.conf of the monitoring probe: both lists have to fit\n:filter:\n", file);
        for (size_t i = 0; i < model->n_devices; i++) {
                const ModelDevice *device = &model->devices[i];

                if (export_has(export, device) && device->address.domain != 0)
                        complain("%s is left out: OpenNebula knows devices of PCI domain 0 only.",
                                PCI_ADDRESS_TEXT(&device->address));
                if (has_short_address(export, device) && is_first_of_kind(export, i))
                        fprintf(file, "  - '%s:%s'\n", device->text[DEVICE_VENDOR_ID] ?: "*",
                                device->text[DEVICE_DEVICE_ID] ?: "*");
        }
        fputs(":short_address:\n", file);
        for (size_t i = 0; i < model->n_devices; i++)
                if (has_short_address(export, &model->devices[i]))
                        fprintf(file, "  - '%s'\n",
                                strchr(PCI_ADDRESS_TEXT(&model->devices[i].address), ':') + 1);
        return 0;
}
