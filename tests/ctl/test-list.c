/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/list.h"

#include "ctl/text.h"
#include "lib/test.h"

static ModelClaim *add_claim(Model *model, const char *name, const char *state, unsigned line)
{
        ModelClaim *claim;

        ASSERT_OK(model_add_claim(model, &claim));
        ASSERT_OK(model_set(&claim->text[CLAIM_NAME], name));
        ASSERT_OK(model_set(&claim->text[CLAIM_STATE], state));
        ASSERT_OK(model_set(&claim->file, "/etc/vfio-bind.conf"));
        claim->line = line;
        return claim;
}

static void set_reason(ModelClaim *claim, const char *reason, const char *text)
{
        ASSERT_OK(model_set(&claim->text[CLAIM_REASON], reason));
        ASSERT_OK(model_set(&claim->text[CLAIM_REASON_TEXT], text));
}

static ModelDevice *add_device(Model *model, const char *address, const char *claim,
        const char *state, int64_t group, const char *driver, const char *name)
{
        ModelDevice *device;

        ASSERT_OK(model_add_device(model, &device));
        ASSERT_OK(pci_address_parse(address, &device->address));
        ASSERT_OK(model_set(&device->text[DEVICE_ADDRESS], address));
        ASSERT_OK(model_set(&device->claim, claim));
        ASSERT_OK(model_set(&device->text[DEVICE_STATE], state));
        ASSERT_OK(model_set(&device->text[DEVICE_ROLE], "selected"));
        ASSERT_OK(model_set(&device->text[DEVICE_DRIVER], driver));
        ASSERT_OK(model_set(&device->text[DEVICE_DEVICE_NAME], name));
        ASSERT_OK(model_set(&device->text[DEVICE_VENDOR_ID], "10de"));
        ASSERT_OK(model_set(&device->text[DEVICE_DEVICE_ID], "2482"));
        device->group = group;
        return device;
}

static void set_device_reason(ModelDevice *device, const char *reason, const char *text)
{
        ASSERT_OK(model_set(&device->text[DEVICE_REASON], reason));
        ASSERT_OK(model_set(&device->text[DEVICE_REASON_TEXT], text));
}

static char *print(Model *model, bool legend, const Terminal *terminal)
{
        char *text = NULL;
        size_t length;
        FILE *file = open_memstream(&text, &length);

        ASSERT_TRUE(file);
        model_finish(model);
        ASSERT_OK(list_print(model, legend, terminal, file));
        ASSERT_OK(fclose(file));
        return text;
}

static void expect(Model *model, bool legend, size_t width, const char *wanted)
{
        _cleanup_free_ char *text = print(model, legend, &(Terminal){ .width = width });

        ASSERT_STREQ(text, wanted);
}

static Model *example(void)
{
        Model *model = calloc(1, sizeof(Model));
        ModelClaim *claim;

        ASSERT_TRUE(model);
        add_claim(model, "gaming-gpu", "bound", 10);
        set_reason(add_claim(model, "lab-nic", "refused", 14), "in-use-network",
                "eno1 carries the default route");
        claim = add_claim(model, "scratch-nvme", "absent", 18);
        set_reason(claim, "absent", "nothing in this machine matches path=0000:00:1d.0/00.0");
        ASSERT_OK(string_list_append(&claim->lists[CLAIM_SELECTORS], "path=0000:00:1d.0/00.0"));
        ASSERT_OK(string_list_append(&claim->lists[CLAIM_MISSING], "path=0000:00:1d.0/00.0"));
        add_device(model, "0000:02:00.0", "lab-nic", "refused", 75, "tg3",
                "NetXtreme BCM5720 Gigabit Ethernet PCIe");
        add_device(model, "0000:01:00.0", "gaming-gpu", "bound", 14, "vfio-pci",
                "GA104 [GeForce RTX 3070 Ti]");
        add_device(model, "0000:01:00.1", "gaming-gpu", "bound", 14, "vfio-pci",
                "GA104 High Definition Audio Controller");
        return model;
}

/* The table that the design shows. */
static void test_example(void)
{
        _cleanup_model_ Model *model = example();

        expect(model, true, 78,
                "CLAIM         STATE    GROUP  DEVICE        DRIVER    NAME\n"
                "gaming-gpu    bound    14     0000:01:00.0  vfio-pci  GA104 [GeForce RTX 3070…\n"
                "                              0000:01:00.1  vfio-pci  GA104 High Definition A…\n"
                "lab-nic       refused  75     0000:02:00.0  tg3       NetXtreme BCM5720 Gigab…\n"
                "  in-use-network: eno1 carries the default route (/etc/vfio-bind.conf:14)\n"
                "scratch-nvme  absent   -      -             -         path=0000:00:1d.0/00.0\n"
                "\n"
                "3 claims: 1 bound, 1 refused, 1 absent. \"vfio-bindctl explain DEV\" tells "
                "why.\n");
        expect(model, false, SIZE_MAX,
                "gaming-gpu    bound    14  0000:01:00.0  vfio-pci  GA104 [GeForce RTX 3070 Ti]\n"
                "                           0000:01:00.1  vfio-pci  "
                "GA104 High Definition Audio Controller\n"
                "lab-nic       refused  75  0000:02:00.0  tg3       "
                "NetXtreme BCM5720 Gigabit Ethernet PCIe\n"
                "  in-use-network: eno1 carries the default route (/etc/vfio-bind.conf:14)\n"
                "scratch-nvme  absent   -   -             -         path=0000:00:1d.0/00.0\n");
}

/* Whatever the width, address, state and reason are whole. */
static void test_every_width(void)
{
        _cleanup_model_ Model *model = example();

        for (size_t width = 14; width < 130; width++) {
                _cleanup_free_ char *text = print(model, true, &(Terminal){ .width = width });
                size_t length;

                for (const char *line = text; *line; line += length + 1) {
                        _cleanup_free_ char *copy = NULL;

                        length = strcspn(line, "\n");
                        copy = strndup(line, length);
                        ASSERT_TRUE(text_width(copy) <= width);
                }
                ASSERT_CONTAINS(text, "0000:01:00.1");
                ASSERT_CONTAINS(text, "refused");
                ASSERT_CONTAINS(text, width > 18 ? "in-use-network:" : "in-use-");
        }
}

static void test_states_of_devices(void)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        ModelClaim *claim;

        ASSERT_TRUE(model);
        claim = add_claim(model, "vfs", "partial", 3);
        set_reason(claim, "probe-failed", "the driver says no");
        ASSERT_OK(string_list_append(&claim->lists[CLAIM_MISSING], "pf=nic1"));
        add_device(model, "0000:01:10.0", "vfs", "bound", 20, "vfio-pci", "VF");
        set_device_reason(add_device(model, "0000:01:10.2", "vfs", "failed", 21, NULL, "VF"),
                "probe-failed", "the driver says no");
        set_device_reason(add_device(model, "0000:01:10.4", "vfs", "refused", 22, NULL, NULL),
                "in-use-process", "pid 7 has it open");
        set_device_reason(add_device(model, "0000:01:10.6", "vfs", "refused", 22, NULL, NULL),
                "group-refused", NULL);
        expect(model, false, 80,
                "vfs  partial\n"
                "     bound    20  0000:01:10.0  vfio-pci  VF\n"
                "     failed   21  0000:01:10.2  -         VF\n"
                "     refused  22  0000:01:10.4  -         10de:2482\n"
                "  0000:01:10.4 in-use-process: pid 7 has it open (/etc/vfio-bind.conf:3)\n"
                "     refused      0000:01:10.6  -         10de:2482\n"
                "     absent   -   -             -         pf=nic1\n"
                "  probe-failed: the driver says no (/etc/vfio-bind.conf:3)\n");
}

/* A place that the text names itself is not told again; a reason without a text is explained. */
static void test_reasons(void)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));

        ASSERT_TRUE(model);
        set_reason(add_claim(model, "a", "refused", 3), "identity-mismatch",
                "another card stands there (/etc/vfio-bind.conf:4).");
        set_reason(add_claim(model, "b", "pending", 5), "needs-apply", NULL);
        set_reason(add_claim(model, "c", "stuck", 7), "worker-timeout", NULL);
        set_reason(add_claim(model, "d", "absent", 9), "absent",
                "nothing in this machine matches; what \"x\" expects is now at 0000:04:00.0");
        expect(model, false, SIZE_MAX,
                "a  refused  -  -  -  -\n"
                "  identity-mismatch: another card stands there (/etc/vfio-bind.conf:4).\n"
                "b  pending  -  -  -  -\n"
                "  needs-apply: a host driver has it; \"vfio-bindctl apply\" takes it unless the "
                "host uses it (/etc/vfio-bind.conf:5)\n"
                "c  stuck    -  -  -  -\n"
                "  worker-timeout (/etc/vfio-bind.conf:7)\n"
                "d  absent   -  -  -  -\n"
                "  absent: nothing in this machine matches; what \"x\" expects is now at "
                "0000:04:00.0 (/etc/vfio-bind.conf:9)\n");
}

static void test_without_claims(void)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        ModelError *error;

        ASSERT_TRUE(model);
        expect(model, true, 80,
                "0 claims. \"vfio-bindctl groups\" shows the devices, \"vfio-bindctl suggest NAME\n"
                "  DEV\" prints a claim for one.\n");
        ASSERT_OK(model_set(&model->state, "starting"));
        expect(model, true, 80, "0 claims.\n");
        add_device(model, "0000:05:00.0", NULL, "unclaimed", 1, "nvme", NULL);
        set_device_reason(add_device(model, "0000:06:00.0", NULL, "bound", 2, "vfio-pci", "A"),
                "claim-removed", NULL);
        set_device_reason(add_device(model, "0000:06:00.1", NULL, "bound", 2, "vfio-pci", "B"),
                "claim-removed", NULL);
        add_device(model, "0000:07:00.0", NULL, "released", 3, "e1000e", "C");
        ASSERT_OK(model_add_error(model, &error));
        ASSERT_OK(model_set(&error->file, "/etc/vfio-bind.conf"));
        ASSERT_OK(model_set(&error->message, "unknown key Mach, did you mean Match?"));
        error->line = 14;
        error->column = 1;
        expect(model, true, 60,
                "CLAIM  STATE     GROUP  DEVICE        DRIVER    NAME\n"
                "-      bound     2      0000:06:00.0  vfio-pci  A\n"
                "-      bound     2      0000:06:00.1  vfio-pci  B\n"
                "  claim-removed: no claim selects it any more; it stays as\n"
                "  it is until \"vfio-bindctl apply --prune\" or the next boot\n"
                "-      released  3      0000:07:00.0  e1000e    C\n"
                "\n"
                "/etc/vfio-bind.conf:14:1: unknown key Mach, did you mean\n"
                "  Match?\n"
                "\n"
                "0 claims.\n");
}

static void test_hostile(void)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        _cleanup_free_ char *text = NULL;

        ASSERT_TRUE(model);
        set_reason(add_claim(model, "a", "re\x1b[1mfused", 1), "in\nuse", "\x07\xff\xe2\x80\xae");
        add_device(model, "0000:01:00.0", "a", "bound", 1, "\x1b]0;x\x07",
                "\xc2\x9b" "2J\nlab-nic  bound\t\xff");
        add_device(model, "0000:01:00.0", "a", "bound", 1, NULL, "the same address again");
        add_claim(model, "a", "bound", 2);
        text = print(model, true, &(Terminal){ .width = 80 });
        for (const unsigned char *p = (const unsigned char *) text; *p; p++)
                ASSERT_TRUE(*p == '\n' || (*p >= 0x20 && *p != 0x7f && *p != 0x9b));
        ASSERT_TRUE(!strstr(text, "\xe2\x80\xae"));
        ASSERT_TRUE(!strstr(text, "again"));
        ASSERT_CONTAINS(text, "1 claim: 1 other.");
}

static void test_json(void)
{
        _cleanup_model_ Model *model = calloc(1, sizeof(Model));
        _cleanup_free_ char *text = NULL;
        ModelError *error;
        size_t length;
        FILE *file = open_memstream(&text, &length);

        ASSERT_TRUE(model && file);
        set_reason(add_claim(model, "a", "refused", 14), "excluded", NULL);
        add_device(model, "0000:01:00.0", "a", "refused", 7, NULL, NULL);
        add_device(model, "0000:02:00.0", NULL, "unclaimed", 8, NULL, NULL);
        add_device(model, "0000:03:00.0", NULL, "bound", -1, "vfio-pci", NULL);
        ASSERT_OK(model_add_error(model, &error));
        ASSERT_OK(model_set(&error->message, "m"));
        model_finish(model);
        ASSERT_OK(list_print_json(model, false, file));
        ASSERT_OK(fclose(file));
        ASSERT_STREQ(text,
                "{\"SchemaVersion\":1,\"Kind\":\"list\",\"State\":null,"
                "\"ConfigurationErrors\":[[null,0,0,\"m\"]],"
                "\"Claims\":[{\"Name\":\"a\",\"Driver\":null,\"Companions\":null,"
                "\"State\":\"refused\",\"Reason\":\"excluded\",\"ReasonText\":null,"
                "\"Source\":[\"/etc/vfio-bind.conf\",14],\"Selectors\":[],\"Missing\":[],"
                "\"AllowInUse\":[],\"Devices\":[{\"Address\":\"0000:01:00.0\",\"Path\":null,"
                "\"VendorId\":\"10de\",\"DeviceId\":\"2482\",\"SubsystemVendorId\":null,"
                "\"SubsystemDeviceId\":null,\"Class\":null,\"VendorName\":null,"
                "\"DeviceName\":null,\"Driver\":null,\"TargetDriver\":null,\"HostDriver\":null,"
                "\"Role\":\"selected\",\"State\":\"refused\",\"Reason\":null,"
                "\"ReasonText\":null,\"Provenance\":null,\"TakenFrom\":null,"
                "\"ClaimedStage\":null,\"NetworkInterface\":null,\"GroupNumber\":7,"
                "\"Claim\":\"a\"}]}],"
                "\"Devices\":[{\"Address\":\"0000:03:00.0\",\"Path\":null,"
                "\"VendorId\":\"10de\",\"DeviceId\":\"2482\",\"SubsystemVendorId\":null,"
                "\"SubsystemDeviceId\":null,\"Class\":null,\"VendorName\":null,"
                "\"DeviceName\":null,\"Driver\":\"vfio-pci\",\"TargetDriver\":null,"
                "\"HostDriver\":null,\"Role\":\"selected\",\"State\":\"bound\",\"Reason\":null,"
                "\"ReasonText\":null,\"Provenance\":null,\"TakenFrom\":null,"
                "\"ClaimedStage\":null,\"NetworkInterface\":null,\"GroupNumber\":null,"
                "\"Claim\":null}]}\n");
}

int main(void)
{
        test_example();
        test_every_width();
        test_states_of_devices();
        test_reasons();
        test_without_claims();
        test_hostile();
        test_json();
        return 0;
}
