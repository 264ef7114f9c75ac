/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>

#include "ctl/complain.h"
#include "ctl/export.h"
#include "ctl/json.h"
#include "util/buffer.h"
#include "util/strings.h"

/* For Kubernetes and for monitoring. */

static bool is_plain_vfio(const ModelDevice *device)
{
        return streq_null(device->text[DEVICE_DRIVER], "vfio-pci");
}

static bool is_same_kind(const ModelDevice *a, const ModelDevice *b)
{
        return streq_null(a->claim, b->claim) &&
                streq_null(a->text[DEVICE_VENDOR_ID], b->text[DEVICE_VENDOR_ID]) &&
                streq_null(a->text[DEVICE_DEVICE_ID], b->text[DEVICE_DEVICE_ID]);
}

/* KubeVirt selects by ids, in upper case; a claim with several kinds has several resources. */
static void print_kubevirt_device(const Export *export, size_t index, FILE *file)
{
        const ModelDevice *devices = export->model->devices, *device = &devices[index];
        bool several = false;
        char ids[32];

        for (size_t i = 0; i < export->model->n_devices; i++) {
                if (!export_has(export, &devices[i]) || !is_plain_vfio(&devices[i]))
                        continue;
                if (i < index && is_same_kind(&devices[i], device))
                        return;
                several = several || (streq_null(devices[i].claim, device->claim) &&
                                             !is_same_kind(&devices[i], device));
        }
        (void) snprintf(ids, sizeof(ids), "%.4s:%.4s", device->text[DEVICE_VENDOR_ID] ?: "",
                device->text[DEVICE_DEVICE_ID] ?: "");
        for (char *p = ids; *p; p++)
                *p = (char) toupper((unsigned char) *p);
        fprintf(file, "      - pciVendorSelector: \"%s\"\n"
                      "        resourceName: \"vfio-bindd/%s%s%s\"\n", ids, device->claim,
                several ? "-" : "", several ? device->text[DEVICE_DEVICE_ID] ?: "" : "");
}

int export_kubevirt(const Export *export, FILE *file)
{
        const Model *model = export->model;

        fputs("# KubeVirt hands out every function with these ids that is on vfio-pci.\n"
              "apiVersion: kubevirt.io/v1\n"
              "kind: KubeVirt\n"
              "metadata:\n"
              "  name: kubevirt\n"
              "  namespace: kubevirt\n"
              "spec:\n"
              "  configuration:\n"
              "    permittedHostDevices:\n"
              "      pciHostDevices:\n", file);
        for (size_t i = 0; i < model->n_devices; i++) {
                if (!export_has(export, &model->devices[i]))
                        continue;
                if (is_plain_vfio(&model->devices[i]))
                        print_kubevirt_device(export, i, file);
                else
                        complain("%s is left out: it is on %s, and KubeVirt knows vfio-pci only; "
                                 "see Driver= of claim %s.",
                                PCI_ADDRESS_TEXT(&model->devices[i].address),
                                model->devices[i].text[DEVICE_DRIVER] ?: "no driver",
                                model->devices[i].claim);
        }
        return 0;
}

/* The plugin has network devices and accelerators. */
static const char *plugin_type(const ModelDevice *device)
{
        return device_has_class(device, "02") ? "netDevice"
                : device_has_class(device, "12") ? "accelerator"
                                                 : NULL;
}

static bool is_plugin_device(const Export *export, const ModelDevice *device, const char *claim,
        const char *type)
{
        return export_has(export, device) && streq_null(device->claim, claim) &&
                streq_null(plugin_type(device), type);
}

/* "resourceName" has letters, digits and "_". */
static int resource_name(const char *claim, char **ret)
{
        _cleanup_free_ char *name = strdup(claim);

        if (!name)
                return -ENOMEM;
        for (char *p = name; *p; p++)
                if (!isalnum((unsigned char) *p))
                        *p = '_';
        *ret = TAKE_POINTER(name);
        return 0;
}

static int add_resource(const Export *export, const ModelClaim *claim, const char *type,
        Json *json)
{
        const char *name = claim->text[CLAIM_NAME];
        _cleanup_free_ char *resource = NULL;
        size_t n = 0;
        int r;

        for (size_t i = 0; i < export->model->n_devices; i++)
                n += is_plugin_device(export, &export->model->devices[i], name, type);
        if (n == 0)
                return 0;
        r = resource_name(name, &resource);
        if (r < 0)
                return r;
        json_open_object(json, NULL);
        json_string(json, "resourceName", resource);
        json_string(json, "deviceType", type);
        json_open_object(json, "selectors");
        json_open_array(json, "pciAddresses");
        for (size_t i = 0; i < export->model->n_devices; i++)
                if (is_plugin_device(export, &export->model->devices[i], name, type))
                        json_string(json, NULL,
                                PCI_ADDRESS_TEXT(&export->model->devices[i].address));
        json_close_array(json);
        json_close_object(json);
        json_close_object(json);
        return 0;
}

int export_device_plugin(const Export *export, FILE *file)
{
        const Model *model = export->model;
        _cleanup_json_ Json json = { .pretty = true };
        int r = 0;

        for (size_t i = 0; i < model->n_devices; i++)
                if (export_has(export, &model->devices[i]) && !plugin_type(&model->devices[i]))
                        complain("%s is left out: the plugin knows network devices and "
                                 "accelerators only.",
                                PCI_ADDRESS_TEXT(&model->devices[i].address));
        json_open_object(&json, NULL);
        json_open_array(&json, "resourceList");
        for (size_t i = 0; r >= 0 && i < model->n_claims; i++) {
                r = add_resource(export, &model->claims[i], "netDevice", &json);
                if (r >= 0)
                        r = add_resource(export, &model->claims[i], "accelerator", &json);
        }
        json_close_array(&json);
        json_close_object(&json);
        return r < 0 ? r : json_print(&json, file);
}

/* Values of labels escape backslash, quote and newline (the text format's own rule). */
static void print_label(FILE *file, const char *name, const char *value, const char *end)
{
        fprintf(file, "%s=\"", name);
        for (; value && *value; value++)
                if (*value == '\n')
                        fputs("\\n", file);
                else
                        fprintf(file, "%s%c", strchr("\\\"", *value) ? "\\" : "", *value);
        fprintf(file, "\"%s", end);
}

static void print_family(FILE *file, const char *name, const char *help)
{
        fprintf(file, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void print_device(const ModelDevice *device, FILE *file)
{
        char group[24] = "";

        if (device->group >= 0)
                (void) snprintf(group, sizeof(group), "%lld", (long long) device->group);
        fputs("vfio_bind_device_state{", file);
        print_label(file, "address", device->text[DEVICE_ADDRESS], ",");
        print_label(file, "claim", device->claim, ",");
        print_label(file, "group", group, ",");
        print_label(file, "driver", device->text[DEVICE_DRIVER], ",");
        print_label(file, "provenance", device->text[DEVICE_PROVENANCE], ",");
        print_label(file, "state", device->text[DEVICE_STATE], ",");
        print_label(file, "reason", device->text[DEVICE_REASON], "} 1\n");
}

int export_prometheus(const Export *export, FILE *file)
{
        const Model *model = export->model;

        print_family(file, "vfio_bind_device_state", "State of a PCI function that a claim wants.");
        for (size_t i = 0; i < model->n_devices; i++)
                if (export_has_claim(export, &model->devices[i]))
                        print_device(&model->devices[i], file);
        print_family(file, "vfio_bind_claim_state", "State of a claim.");
        for (size_t i = 0; i < model->n_claims; i++) {
                const ModelClaim *claim = &model->claims[i];

                if (export->claims && *export->claims &&
                    !string_list_contains(export->claims, claim->text[CLAIM_NAME]))
                        continue;
                fputs("vfio_bind_claim_state{", file);
                print_label(file, "claim", claim->text[CLAIM_NAME], ",");
                print_label(file, "state", claim->text[CLAIM_STATE], ",");
                print_label(file, "reason", claim->text[CLAIM_REASON], "} 1\n");
        }
        print_family(file, "vfio_bind_configuration_errors", "Errors in the configuration.");
        fprintf(file, "vfio_bind_configuration_errors %zu\n", model->n_errors);
        print_family(file, "vfio_bind_daemon_running", "1 if vfio-bindd was asked.");
        fprintf(file, "vfio_bind_daemon_running %d\n", model->state ? 1 : 0);
        return 0;
}
