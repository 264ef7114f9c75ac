/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/planner-internal.h"
#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/identity.h"
#include "ctl/list.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "util/buffer.h"

/* Prints a claim whose lines select the functions named and no other, now and after the hardware
 * was changed. */

/* A function named on the command line. */
typedef struct Named {
        const Device *device;
        char *match; /* the value of its Match= line */
} Named;

typedef struct Suggestion {
        const Options *options;
        Machine *machine;
        Named *named;
        size_t n_named;
} Suggestion;

static void suggestion_done(Suggestion *suggestion)
{
        for (size_t i = 0; i < suggestion->n_named; i++)
                free(suggestion->named[i].match);
        free(suggestion->named);
        machine_free(suggestion->machine);
}

static bool is_named(const Suggestion *suggestion, const Device *device)
{
        for (size_t i = 0; i < suggestion->n_named; i++)
                if (suggestion->named[i].device == device)
                        return true;
        return false;
}

static bool has_unique_path(const Snapshot *snapshot, const Device *device)
{
        for (size_t i = 0; i < snapshot->n_devices; i++) {
                const Device *other = &snapshot->devices[i];

                if (other != device && streq(other->path, device->path))
                        return false;
        }
        return true;
}

/* The place that lasts longest: a path survives the renumbering of buses. On a root bus it is the
 * address; a virtual function has none of its own. */
static void append_place(Buffer *buffer, const Snapshot *snapshot, const Device *device)
{
        const Device *pf = device->is_virtual_function
                ? snapshot_find(snapshot, &device->physical_function)
                : NULL;

        if (device->is_virtual_function && pf && device->vf_index >= 0) {
                bool has_path = strchr(pf->path, '/') && has_unique_path(snapshot, pf);

                buffer_printf(buffer, "pf=%s vf=%d",
                        has_path ? pf->path : PCI_ADDRESS_TEXT(&pf->address), device->vf_index);
                return;
        }
        if (!device->is_virtual_function && strchr(device->path, '/') &&
            has_unique_path(snapshot, device))
                buffer_printf(buffer, "path=%s", device->path);
        else
                buffer_append(buffer, PCI_ADDRESS_TEXT(&device->address));
}

static int format_match(const Snapshot *snapshot, const Device *device, char **ret)
{
        char identity[IDENTITY_TEXT_MAX];
        Buffer buffer = {};

        append_place(&buffer, snapshot, device);
        buffer_printf(&buffer, " expect=%s", identity_format(device, identity));
        if (device->serial.known && device->serial.text && !device->is_virtual_function)
                buffer_printf(&buffer, " expect-serial=%s", device->serial.text);
        return buffer_finish(&buffer, ret);
}

/* "# 0000:01:00.0 NVIDIA GA104, group 14, on nouveau now" */
static int print_comment(const Device *device, const char *what)
{
        _cleanup_free_ char *name = NULL, *driver = NULL;

        name = text_printable(device->device_name.text ?: "", false);
        driver = text_printable(device->driver ?: "without a driver", false);
        if (!name || !driver)
                return -ENOMEM;
        printf("# %s%s%s%s, ", what, PCI_ADDRESS_TEXT(&device->address), *name ? " " : "", name);
        if (device->group >= 0)
                printf("group %" PRIi64 ", ", device->group);
        printf("%s now\n", driver);
        return 0;
}

static bool in_slot_of_named(const Suggestion *suggestion, const Device *device)
{
        for (size_t i = 0; i < suggestion->n_named; i++)
                if (pci_address_same_slot(&suggestion->named[i].device->address,
                            &device->address))
                        return true;
        return false;
}

/* Endpoints that share a group with what was named: those of its slot come along, others have to
 * be listed, which is not done without being asked for. */
static int print_companions(const Suggestion *suggestion, int64_t group)
{
        const Snapshot *snapshot = machine_snapshot(suggestion->machine);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < snapshot->n_devices; i++) {
                const Device *device = &snapshot->devices[i];
                _cleanup_free_ char *match = NULL;

                if (device->group != group || device->is_bridge || is_named(suggestion, device) ||
                    planner_is_ignorable(device))
                        continue;
                if (planner_is_platform(device)) {
                        r = print_comment(device, "part of the platform, its driver keeps the "
                                                  "group with the host: ");
                        continue;
                }
                if (in_slot_of_named(suggestion, device) && !device->is_virtual_function) {
                        r = print_comment(device, "comes along: ");
                        continue;
                }
                r = print_comment(device, "shares the group, and has to move too: ");
                if (r >= 0)
                        r = format_match(snapshot, device, &match);
                if (r >= 0)
                        printf("#Match=%s\n", match);
        }
        return r;
}

static bool is_last_of_group(const Suggestion *suggestion, size_t index)
{
        int64_t group = suggestion->named[index].device->group;

        for (size_t i = index + 1; i < suggestion->n_named; i++)
                if (suggestion->named[i].device->group == group)
                        return false;
        return group >= 0;
}

static int print_text(const Suggestion *suggestion)
{
        int r = 0;

        printf("[Claim %s]\n", suggestion->options->arguments[0]);
        for (size_t i = 0; r >= 0 && i < suggestion->n_named; i++) {
                const Named *named = &suggestion->named[i];

                r = print_comment(named->device, "");
                if (r < 0)
                        return r;
                printf("Match=%s\n", named->match);
                if (is_last_of_group(suggestion, i))
                        r = print_companions(suggestion, named->device->group);
        }
        return r;
}

static int print_json(const Suggestion *suggestion)
{
        _cleanup_json_ Json json = { .pretty = suggestion->options->json == JSON_PRETTY };

        json_begin_document(&json, "suggest");
        json_string(&json, "Name", suggestion->options->arguments[0]);
        json_open_array(&json, "Selectors");
        for (size_t i = 0; i < suggestion->n_named; i++)
                json_string(&json, NULL, suggestion->named[i].match);
        json_close_array(&json);
        json_close_object(&json);
        return json_print(&json, stdout);
}

static ExitCode read_one(Suggestion *suggestion, const char *text)
{
        const Snapshot *snapshot = machine_snapshot(suggestion->machine);
        Named *named = &suggestion->named[suggestion->n_named];
        const Device *device;
        PciAddress address;
        int r;

        if (pci_address_parse(text, &address) < 0) {
                complain_no_address(text);
                return EXIT_CODE_USAGE;
        }
        device = snapshot_find(snapshot, &address);
        if (!device) {
                complain("No device %s. \"vfio-bindctl groups\" shows them.",
                        PCI_ADDRESS_TEXT(&address));
                return EXIT_CODE_ABSENT;
        }
        if (device->is_bridge) {
                complain("%s is a bridge: no claim takes bridges.", PCI_ADDRESS_TEXT(&address));
                return EXIT_CODE_USAGE;
        }
        if (is_named(suggestion, device))
                return EXIT_CODE_DONE;
        r = format_match(snapshot, device, &named->match);
        if (r < 0) {
                complain_errno(r, "suggest a claim");
                return EXIT_CODE_FAILED;
        }
        named->device = device;
        suggestion->n_named++;
        return EXIT_CODE_DONE;
}

/* Both are errors, or refusals, once what is printed stands in the configuration. */
static void complain_claimed(const Suggestion *suggestion, const Model *model)
{
        const char *name = suggestion->options->arguments[0];
        const ModelClaim *same = model_find_claim(model, name);

        if (same)
                complain("There is a claim %s already (%s:%u), and a section stands once in a "
                         "file: put these lines in the place of its own, or choose another name.",
                        name, same->file ?: "", same->line);
        for (size_t i = 0; i < suggestion->n_named; i++) {
                const ModelDevice *device =
                        model_find_device(model, &suggestion->named[i].device->address);
                const ModelClaim *claim =
                        device && device->claim ? model_find_claim(model, device->claim) : NULL;

                if (claim && claim != same &&
                    streq_null(device->text[DEVICE_ROLE], role_to_string(ROLE_SELECTED)))
                        complain("Claim %s (%s:%u) selects %s already, and two claims on one "
                                 "device both lose it: take it out of one of them.",
                                claim->text[CLAIM_NAME], claim->file ?: "", claim->line,
                                device->text[DEVICE_ADDRESS]);
        }
}

static int look_for_claims(const Suggestion *suggestion)
{
        _cleanup_model_ Model *model = NULL;
        int r;

        if (suggestion->options->quiet || suggestion->options->json != JSON_OFF)
                return 0;
        r = machine_model(suggestion->machine, &model);
        if (r >= 0)
                complain_claimed(suggestion, model);
        return r;
}

static ExitCode read_devices(Suggestion *suggestion)
{
        char *const *arguments = suggestion->options->arguments + 1;
        ExitCode code = EXIT_CODE_DONE;

        suggestion->named = calloc(string_list_length(arguments) + 1, sizeof(Named));
        if (!suggestion->named) {
                complain_errno(-ENOMEM, "suggest a claim");
                return EXIT_CODE_FAILED;
        }
        for (; *arguments; arguments++)
                code = exit_code_join(code, read_one(suggestion, *arguments));
        return code;
}

static int run(const Options *options)
{
        MachineOptions look = { .root = options->root, .facts = SNAPSHOT_FACT_SERIALS };
        _cleanup_(suggestion_done) Suggestion suggestion = { .options = options };
        const char *what = "look at the machine";
        ExitCode code;
        int r;

        if (!config_name_is_valid(options->arguments[0])) {
                complain("%s cannot be the name of a claim: at most 32 letters, digits, \".\", "
                         "\"_\" and \"-\", the first a letter or a digit.",
                        options->arguments[0]);
                return EXIT_CODE_USAGE;
        }
        r = machine_look(&look, &suggestion.machine, &what);
        if (r < 0) {
                complain_errno(r, what);
                return EXIT_CODE_FAILED;
        }
        code = read_devices(&suggestion);
        if (code != EXIT_CODE_DONE)
                return code;
        r = look_for_claims(&suggestion);
        if (r >= 0)
                r = options->json != JSON_OFF ? print_json(&suggestion)
                                              : print_text(&suggestion);
        if (r < 0)
                complain_errno(r, "suggest a claim");
        return r < 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

const Verb verb_suggest = {
        .name = "suggest",
        .arguments = "NAME DEV...",
        .summary = "A claim for these devices, pinned to them",
        .help = "Prints a claim that selects these devices and no other, also after the hardware\n"
                "was changed: where each is, which one it has to be, its serial number where\n"
                "there is one that may be read (by root). What shares a group with them and has\n"
                "to move too stands beside it as a comment. If there is a claim of that name, or\n"
                "one that selects such a device, it says so on standard error. Nothing is written\n"
                "anywhere:\n"
                "\n"
                "  vfio-bindctl suggest gpu 01:00.0 >>/etc/vfio-bind.conf\n"
                "\n"
                "DEV is 0000:01:00.0, 01:00.0 or pci_0000_01_00_0.\n",
        .least = 2,
        .most = ARGUMENTS_ANY,
        .run = run,
};
