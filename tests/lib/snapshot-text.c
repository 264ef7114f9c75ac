/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/snapshot-text.h"

#include "lib/test.h"
#include "util/parse.h"
#include "util/strings.h"

static PciAddress address_of(const char *text)
{
        PciAddress address;

        if (pci_address_parse(text, &address) < 0) {
                fprintf(stderr, "not an address: %s\n", text);
                abort();
        }
        return address;
}

static char *copy(const char *text)
{
        char *result = strdup(text);

        ASSERT_TRUE(result);
        return result;
}

static char *copy_with_blanks(const char *text)
{
        char *result = copy(text);

        for (char *p = result; *p; p++)
                if (*p == '_')
                        *p = ' ';
        return result;
}

static Device *find(const TextMachine *machine, const char *text)
{
        PciAddress address = address_of(text);

        for (size_t i = 0; i < machine->snapshot->n_devices; i++)
                if (pci_address_equal(&machine->snapshot->devices[i].address, &address))
                        return &machine->snapshot->devices[i];
        fprintf(stderr, "no such function yet: %s\n", text);
        abort();
}

static void set_function(Device *device, const TextMachine *machine, const char *key,
        const char *value)
{
        unsigned a, b;

        if (streq(key, "id")) {
                ASSERT_EQ(sscanf(value, "%x:%x", &a, &b), 2);
                device->vendor = (uint16_t) a;
                device->device = (uint16_t) b;
        } else if (streq(key, "subsystem")) {
                ASSERT_EQ(sscanf(value, "%x:%x", &a, &b), 2);
                device->subsystem_vendor = (uint16_t) a;
                device->subsystem_device = (uint16_t) b;
        } else if (streq(key, "class")) {
                device->class_code = (uint32_t) strtoul(value, NULL, 16);
        } else if (streq(key, "group")) {
                device->group = strtol(value, NULL, 10);
        } else if (streq(key, "driver")) {
                device->driver = copy(value);
        } else if (streq(key, "bridge")) {
                device->is_bridge = true;
        } else if (streq(key, "no-override")) {
                device->has_override_file = false;
        } else if (streq(key, "vfs")) {
                device->sriov_total_vfs = (uint32_t) strtoul(value, NULL, 10);
                device->sriov_autoprobe = 1;
        } else if (streq(key, "offset")) {
                device->sriov_offset = (uint32_t) strtoul(value, NULL, 10);
        } else if (streq(key, "stride")) {
                device->sriov_stride = (uint32_t) strtoul(value, NULL, 10);
        } else if (streq(key, "vf-device")) {
                device->sriov_vf_device = (uint16_t) strtoul(value, NULL, 16);
        } else if (streq(key, "autoprobe")) {
                device->sriov_autoprobe = atoi(value);
        } else if (streq(key, "pf")) {
                device->is_virtual_function = true;
                device->physical_function = address_of(value);
        } else if (streq(key, "vf")) {
                device->vf_index = atoi(value);
        } else if (streq(key, "serial")) {
                device->serial = (Fact){ true, copy(value) };
        } else if (streq(key, "slot")) {
                device->physical_slot = (Fact){ true, copy_with_blanks(value) };
        } else if (streq(key, "vendor")) {
                device->vendor_name = (Fact){ true, copy_with_blanks(value) };
        } else if (streq(key, "model")) {
                device->device_name = (Fact){ true, copy_with_blanks(value) };
        } else if (streq(key, "net")) {
                device->interfaces.known = true;
                ASSERT_OK(string_list_append(&device->interfaces.list, value));
        } else if (streq(key, "host-driver")) {
                device->host_drivers.known = true;
                ASSERT_OK(string_list_append(&device->host_drivers.list, value));
        } else if (streq(key, "vfio-driver")) {
                device->vfio_driver = (Fact){ true, copy(value) };
        } else if (streq(key, "parent")) {
                const Device *parent = find(machine, value);

                free(device->path);
                ASSERT_OK(format_string(&device->path, "%s/%02x.%x", parent->path,
                        device->address.device, device->address.function));
        } else {
                fprintf(stderr, "unknown word: %s\n", key);
                abort();
        }
}

static void set_record(DeviceRecord *record, const Config *config, const char *key,
        const char *value)
{
        int r = 0;

        if (streq(key, "state"))
                record->state = (State) (r = state_from_string(value));
        else if (streq(key, "reason"))
                record->reason = (Reason) (r = reason_from_string(value));
        else if (streq(key, "provenance"))
                record->provenance = (Provenance) (r = provenance_from_string(value));
        else if (streq(key, "role"))
                record->role = (Role) (r = role_from_string(value));
        else if (streq(key, "claim"))
                record->claim = copy(value);
        else if (streq(key, "manual"))
                record->manual = streq(value, "bound") ? MANUAL_BOUND : MANUAL_RELEASED;
        else if (streq(key, "from"))
                record->original_driver = copy(value);
        else if (streq(key, "driver"))
                record->manual_driver = copy(value);
        else if (streq(key, "target"))
                record->target_driver = copy(value);
        else if (streq(key, "autoprobe"))
                record->original_autoprobe = copy(value);
        else if (streq(key, "text"))
                record->reason_text = copy_with_blanks(value);
        else if (streq(key, "target"))
                record->target_driver = copy(value);
        else if (streq(key, "drift"))
                record->drift_count = (unsigned) atoi(value);
        else if (streq(key, "no-original"))
                record->has_original = false;
        else if (streq(key, "hotplug"))
                record->hotplug_pending = true;
        else if (streq(key, "other-config"))
                ASSERT_OK(replace_string(&record->config_digest, "other"));
        else
                r = -1;
        if (r < 0) {
                fprintf(stderr, "bad word of a record: %s=%s\n", key, value);
                abort();
        }
        if (!record->config_digest)
                record->config_digest = copy(config->digest);
}

static void set_request(TextMachine *machine, const char *key, const char *value)
{
        PlanRequest *request = &machine->request;

        if (streq(key, "stage")) {
                request->stage = (Stage) stage_from_string(value);
        } else if (streq(key, "may-unbind")) {
                request->may_unbind = true;
        } else if (streq(key, "next-boot")) {
                machine->next_boot = true;
        } else if (streq(key, "prune")) {
                request->prune = true;
        } else if (streq(key, "in-udev-event")) {
                request->in_udev_event = true;
        } else if (streq(key, "awaits-drivers")) {
                request->awaits_drivers = true;
        } else if (streq(key, "hotplugged")) {
                machine->hotplugged[request->n_hotplugged++] = address_of(value);
                request->hotplugged = machine->hotplugged;
        } else if (streq(key, "only-claim")) {
                machine->only_claims[0] = copy(value);
                request->only_claims = machine->only_claims;
        } else if (streq(key, "only-function")) {
                machine->function = address_of(value);
                request->only_function = &machine->function;
        } else if (streq(key, "bind") || streq(key, "release")) {
                machine->function = address_of(value);
                request->manual = streq(key, "bind") ? MANUAL_BOUND : MANUAL_RELEASED;
                request->manual_function = &machine->function;
                request->manual_settings = &machine->settings;
                request->may_unbind = streq(key, "bind");
        } else {
                fprintf(stderr, "bad word of a request: %s\n", key);
                abort();
        }
}

static void add_use(Device *device, char **words)
{
        char *kind = strsep(words, " ");
        bool is_passing = streq(kind, "passing");

        if (is_passing)
                kind = strsep(words, " ");
        device->uses = realloc(device->uses, (device->n_uses + 1) * sizeof(UseNote));
        ASSERT_TRUE(device->uses && in_use_from_string(kind) >= 0);
        device->uses[device->n_uses++] = (UseNote){ .use = (InUse) in_use_from_string(kind),
                                                    .what = copy(*words),
                                                    .is_passing = is_passing,
                                                    .remedy = copy("Stop using it") };
        *words = NULL;
}

/* The same function in the next machine is the same function. */
static uint64_t inode_of(const PciAddress *address)
{
        return 100 + ((uint64_t) address->domain << 16 | (uint64_t) address->bus << 8 |
                             (uint64_t) address->device << 3 | address->function);
}

static Device *add_function(TextMachine *machine, const char *word)
{
        PciAddress address = address_of(word);
        Device *device;

        ASSERT_OK(snapshot_add(machine->snapshot, &address, &device));
        device->inode = inode_of(&address);
        device->has_override_file = true;
        ASSERT_OK(replace_string(&device->path, PCI_ADDRESS_TEXT(&address)));
        return device;
}

static void add_host_device(TextMachine *machine, char *line)
{
        Device device = { .address = { .bus = 0x7f } };
        char *kind, *word;

        if (!machine->host_devices)
                ASSERT_OK(host_devices_new(&machine->host_devices));
        if (!line)
                return;
        device.path = copy(strsep(&line, " "));
        kind = strsep(&line, " ");
        while ((word = strsep(&line, " ")) && !streq(word, "what")) {
                char *value = strchr(word, '=');

                ASSERT_TRUE(value);
                *value++ = '\0';
                set_function(&device, machine, word, value);
        }
        ASSERT_TRUE(line && (streq(kind, "platform") || in_use_from_string(kind) >= 0));
        ASSERT_OK(host_devices_add(machine->host_devices, &device,
                streq(kind, "platform") ? HOST_DEVICE_PLATFORM : 1U << in_use_from_string(kind),
                line));
        device_done(&device);
}

static void parse_line(TextMachine *machine, const Config *config, char *line)
{
        char *first = strsep(&line, " "), *word;
        bool is_record = streq(first, "record"), is_use = streq(first, "use");
        bool is_request = streq(first, "request");
        Device *device = NULL;

        if (streq(first, "awaits-storage")) {
                machine->snapshot->awaits_storage = true;
                return;
        }
        if (streq(first, "host-devices") || streq(first, "host-device")) {
                add_host_device(machine, line);
                return;
        }
        if (is_record || is_use)
                device = find(machine, strsep(&line, " "));
        else if (!is_request)
                device = add_function(machine, first);
        if (is_use)
                add_use(device, &line);
        if (is_record) {
                device->record = calloc(1, sizeof(DeviceRecord));
                ASSERT_TRUE(device->record);
                device->record->config_digest = copy(config->digest);
                device->record->has_original = true;
                device->record->role = ROLE_SELECTED;
        }

        while ((word = strsep(&line, " "))) {
                char *value = strchr(word, '=');

                if (!*word)
                        continue;
                if (value)
                        *value++ = '\0';
                if (is_request)
                        set_request(machine, word, value ?: "");
                else if (is_record)
                        set_record(device->record, config, word, value ?: "");
                else
                        set_function(device, machine, word, value ?: "");
        }
}

void text_machine_parse(const char *text, const Config *config, TextMachine *ret)
{
        _cleanup_free_ char *lines = copy(text);
        char *rest = lines, *line;

        *ret = (TextMachine){ .request = { .stage = STAGE_RUNTIME } };
        ASSERT_OK(snapshot_new(&ret->snapshot));
        ASSERT_OK(claim_settings_copy(&config->defaults, &ret->settings));
        ret->request.stage = STAGE_RUNTIME;
        while ((line = strsep(&rest, "\n"))) {
                line = strip(line);
                if (*line && *line != '#')
                        parse_line(ret, config, line);
        }
        ASSERT_OK(snapshot_finish(ret->snapshot));
        if (ret->host_devices)
                host_devices_finish(ret->host_devices);
        ret->snapshot->host_devices = ret->host_devices;
        for (size_t i = 0; i < ret->snapshot->n_devices; i++)
                if (ret->snapshot->devices[i].group >= 0)
                        ret->snapshot->has_iommu = true;
}

void text_machine_done(TextMachine *machine)
{
        snapshot_free(machine->snapshot);
        host_devices_free(machine->host_devices);
        claim_settings_done(&machine->settings);
        free(machine->only_claims[0]);
}
