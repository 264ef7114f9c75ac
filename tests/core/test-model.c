/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/test.h"

#include <errno.h>

#include "core/config.h"
#include "util/array.h"
#include "util/strings.h"

/* Words, diagnostics, snapshots and the configuration as data. */

#define CHECK_WORDS(name, Type, maximum)                                                           \
        for (int i = 0; i < (maximum); i++) {                                                      \
                ASSERT_EQ(name##_from_string(name##_to_string((Type) i)), i);                      \
                for (int k = 0; k < i; k++)                                                        \
                        ASSERT_TRUE(!streq(name##_to_string((Type) i), name##_to_string((Type) k))); \
        }                                                                                          \
        ASSERT_TRUE(!name##_to_string((Type) (maximum)));                                          \
        ASSERT_EQ(name##_from_string("no such word"), -EINVAL)

static void test_words(void)
{
        CHECK_WORDS(role, Role, _ROLE_MAX);
        CHECK_WORDS(state, State, _STATE_MAX);
        CHECK_WORDS(provenance, Provenance, _PROVENANCE_MAX);
        CHECK_WORDS(stage, Stage, _STAGE_MAX);
        CHECK_WORDS(reason, Reason, _REASON_MAX);
        CHECK_WORDS(in_use, InUse, _IN_USE_MAX);
        CHECK_WORDS(companion_policy, CompanionPolicy, _COMPANIONS_MAX);
        CHECK_WORDS(drift_policy, DriftPolicy, _DRIFT_MAX);

        for (int i = 0; i < _IN_USE_MAX; i++)
                ASSERT_TRUE(in_use_reason((InUse) i) != REASON_NONE);
        ASSERT_EQ(in_use_reason(IN_USE_NETWORK), REASON_IN_USE_NETWORK);
}

static void test_diagnostics(void)
{
        DiagnosticList list = {};
        Location location = {.file = "/etc/vfio-bind.conf", .line = 14, .column = 7};
        char *text;

        diagnostic_error(&list, location, "Claim x", "it is %s", "wrong");
        location.column = 0;
        diagnostic_warning(&list, location, NULL, "it is\033[31m odd");
        location.line = 0;
        diagnostic_warning(&list, location, NULL, "it is odd");
        diagnostic_warning(&list, (Location){}, NULL, "it is odd");
        ASSERT_EQ(list.n_errors, 1);
        ASSERT_OK(diagnostic_format(&list.items[0], &text));
        ASSERT_STREQ(text, "/etc/vfio-bind.conf:14:7: it is wrong");
        free(text);
        ASSERT_OK(diagnostic_format(&list.items[1], &text));
        ASSERT_STREQ(text, "/etc/vfio-bind.conf:14: it is?[31m odd");
        free(text);
        ASSERT_OK(diagnostic_format(&list.items[2], &text));
        ASSERT_STREQ(text, "/etc/vfio-bind.conf: it is odd");
        free(text);
        ASSERT_OK(diagnostic_format(&list.items[3], &text));
        ASSERT_STREQ(text, "it is odd");
        free(text);

        for (unsigned i = 0; i < 2000; i++)
                diagnostic_error(&list, (Location){}, NULL, "error %u", i);
        ASSERT_EQ(list.n_items, 1000);
        ASSERT_EQ(list.n_errors, 2001);
        ASSERT_STREQ(list.items[998].message, "error 994");
        ASSERT_STREQ(list.items[999].message, "there are more, not shown");
        ASSERT_TRUE(!list.failed);
        diagnostic_list_done(&list);
}

static void test_snapshot(void)
{
        static const char *const addresses[] = {
                "0000:03:00.1", "0001:00:00.0", "0000:00:1f.3", "0000:03:00.0"};
        _cleanup_snapshot_ Snapshot *snapshot = NULL;
        PciAddress address;
        Device *device;

        ASSERT_OK(snapshot_new(&snapshot));
        ASSERT_OK(snapshot_finish(snapshot));
        ASSERT_OK(pci_address_parse("0000:03:00.0", &address));
        ASSERT_TRUE(!snapshot_find(snapshot, &address));

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                ASSERT_OK(pci_address_parse(addresses[i], &address));
                ASSERT_OK(snapshot_add(snapshot, &address, &device));
                ASSERT_EQ(device->group, -1);
                ASSERT_EQ(device->vf_index, -1);
                ASSERT_STREQ(device->modalias, "");
        }
        device->is_virtual_function = true; /* 03:00.0 of 1f.3 */
        ASSERT_OK(pci_address_parse("0000:00:1f.3", &device->physical_function));
        ASSERT_OK(snapshot_finish(snapshot));
        ASSERT_STREQ(PCI_ADDRESS_TEXT(&snapshot->devices[0].address), "0000:00:1f.3");
        ASSERT_STREQ(PCI_ADDRESS_TEXT(&snapshot->devices[3].address), "0001:00:00.0");
        ASSERT_TRUE(snapshot_has_virtual_functions(snapshot, &snapshot->devices[0]));
        ASSERT_TRUE(!snapshot_has_virtual_functions(snapshot, &snapshot->devices[3]));

        ASSERT_OK(pci_address_parse("0000:03:00.1", &address));
        device = snapshot_find(snapshot, &address);
        ASSERT_TRUE(device);
        ASSERT_TRUE(device_in_slot(device, &(PciAddress){0, 3, 0, 0}));
        ASSERT_TRUE(!device_in_slot(device, &(PciAddress){1, 3, 0, 0}));

        ASSERT_OK(string_list_append(&snapshot->drivers, "vfio-pci"));
        ASSERT_TRUE(snapshot_has_driver(snapshot, "vfio-pci"));
        ASSERT_TRUE(!snapshot_has_driver(snapshot, "vfio"));

        ASSERT_OK(snapshot_add(snapshot, &address, &device));
        ASSERT_EQ(snapshot_finish(snapshot), -EEXIST);
}

static void test_drivers(void)
{
        ASSERT_TRUE(driver_is_vfio("vfio-pci"));
        ASSERT_TRUE(driver_is_vfio("mlx5_vfio_pci"));
        ASSERT_TRUE(!driver_is_vfio("nvme"));
        ASSERT_TRUE(!driver_is_vfio(NULL));
        ASSERT_TRUE(driver_is_harmless(NULL));
        ASSERT_TRUE(driver_is_harmless("pcieport"));
        ASSERT_TRUE(driver_is_harmless("pci-stub"));
        ASSERT_TRUE(driver_is_harmless("vfio-pci"));
        ASSERT_TRUE(!driver_is_harmless("shpchp"));
        ASSERT_TRUE(!driver_is_harmless("pcieport2"));
}

static void test_names(void)
{
        static const char *const good[] = {"a", "0", "gaming-gpu", "A.b_c-d", "unreadable-1",
                "abcdefghijklmnopqrstuvwxyz012345"},
                                 *const bad[] = {"", "-a", ".a", "_a", "a b", "a/b", "a\xc3\xbc",
                                         "abcdefghijklmnopqrstuvwxyz0123456", "a:"};

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ASSERT_TRUE(config_name_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_TRUE(!config_name_is_valid(bad[i]));
}

static void test_defaults(void)
{
        _cleanup_config_ Config *config = NULL;

        ASSERT_OK(config_new(&config));
        ASSERT_STREQ(config->defaults.driver, "vfio-pci");
        ASSERT_EQ(config->defaults.companions, COMPANIONS_SLOT);
        ASSERT_STREQ(config->defaults.node_user, "root");
        ASSERT_STREQ(config->defaults.node_group, "kvm");
        ASSERT_EQ(config->defaults.node_mode, 0660);
        ASSERT_EQ(config->defaults.on_drift, DRIFT_REPORT);
        ASSERT_EQ(config->defaults.timeout_usec, 30 * USEC_PER_SEC);
        ASSERT_EQ(config->boot_timeout_usec, 10 * USEC_PER_SEC);
        ASSERT_EQ(strlen(config->digest), 16);
        ASSERT_EQ(config_needed_facts(config), 0);
        ASSERT_TRUE(!config_find_claim(config, "x"));
        ASSERT_OK(replace_string(&config->defaults.driver, "auto"));
        ASSERT_EQ(config_needed_facts(config), SNAPSHOT_FACT_VFIO_DRIVERS);
}

/* Every field that can change a decision changes the digest, and nothing else does. */
static void test_digest(void)
{
        _cleanup_config_ Config *config = NULL;
        char before[17];

        ASSERT_OK(config_new(&config));
        ASSERT_OK(ARRAY_GROW(config->claims, config->n_claims));
        Claim *claim = &config->claims[config->n_claims++];
        ASSERT_OK(replace_string(&claim->name, "x"));
        ASSERT_OK(claim_settings_copy(&config->defaults, &claim->settings));
        ASSERT_OK(ARRAY_GROW(config->physical_functions, config->n_physical_functions));
        PhysicalFunction *pf = &config->physical_functions[config->n_physical_functions++];
        ASSERT_OK(replace_string(&pf->name, "nic0"));
        ASSERT_OK(config_update_digest(config));

#define CHANGES(change)                                                                            \
        do {                                                                                       \
                memcpy(before, config->digest, sizeof(before));                                    \
                change;                                                                            \
                ASSERT_OK(config_update_digest(config));                                           \
                ASSERT_TRUE(!streq(before, config->digest));                                       \
        } while (0)
        CHANGES(ASSERT_OK(replace_string(&config->defaults.driver, "auto")));
        CHANGES(config->defaults.companions = COMPANIONS_ALL);
        CHANGES(ASSERT_OK(replace_string(&config->defaults.node_user, "u")));
        CHANGES(ASSERT_OK(replace_string(&config->defaults.node_group, "g")));
        CHANGES(config->defaults.node_mode = 0600);
        CHANGES(config->defaults.on_drift = DRIFT_RECLAIM);
        CHANGES(config->defaults.timeout_usec = 1);
        CHANGES(config->boot_timeout_usec = 1);
        CHANGES(ASSERT_OK(replace_string(&claim->name, "y")));
        CHANGES(ASSERT_OK(replace_string(&claim->settings.driver, "auto")));
        CHANGES(claim->allow_in_use = 2);
        CHANGES(claim->enabled = true);
        CHANGES(claim->has_error = true);
        CHANGES(ASSERT_OK(replace_string(&pf->name, "nic1")));
        CHANGES(pf->num_vfs = NUM_VFS_NUMBER);
        CHANGES(pf->number = 3);
        CHANGES(pf->leave_host_vfs = true);
        CHANGES(pf->timeout_usec = 3);
        CHANGES(pf->has_error = true);
#undef CHANGES

        memcpy(before, config->digest, sizeof(before));
        claim->location.line = 77;
        ASSERT_OK(string_list_append(&config->files, "/etc/other"));
        ASSERT_OK(config_update_digest(config));
        ASSERT_STREQ(config->digest, before);
}

/* Records in /run from before an upgrade must still fit. */
static void test_digest_is_stable(void)
{
        _cleanup_config_ Config *config = NULL;

        ASSERT_OK(config_new(&config));
        ASSERT_STREQ(config->digest, "790be71ccc7540b9");
}

int main(void)
{
        test_words();
        test_diagnostics();
        test_snapshot();
        test_drivers();
        test_names();
        test_defaults();
        test_digest();
        test_digest_is_stable();
        return EXIT_SUCCESS;
}
