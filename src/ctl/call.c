/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/call.h"

#include <errno.h>
#include <string.h>

#include "bus/names.h"
#include "ctl/complain.h"
#include "ctl/terminal.h"
#include "util/buffer.h"
#include "version.h"

static ExitCode complain_not_running(const char *verb)
{
        if (verb)
                complain("vfio-bindd does not run. Start it with \"systemctl enable --now "
                         "vfio-bindd\" and run this again; \"vfio-bindctl %s\" works without it.",
                        verb);
        else
                complain("vfio-bindd does not run. Start it with \"systemctl enable --now "
                         "vfio-bindd\" and run this again.");
        return EXIT_CODE_FAILED;
}

/* A refusal by reason: "org.vfio.Bind1.Error.InUseNetwork" is one, "….Busy" is none. */
static bool is_reason(const char *name)
{
        const char *camel = name ? startswith(name, BUS_ERROR_PREFIX) : NULL;
        _cleanup_free_ char *word = camel ? calloc(2 * strlen(camel) + 1, 1) : NULL;
        size_t n = 0;

        for (const char *c = camel; word && *c; c++) {
                bool is_capital = *c >= 'A' && *c <= 'Z';

                if (is_capital && n > 0)
                        word[n++] = '-';
                word[n++] = is_capital ? (char) (*c - 'A' + 'a') : *c;
        }
        return word && reason_from_string(word) > 0;
}

static ExitCode error_code(const sd_bus_error *error)
{
        if (sd_bus_error_has_names(error, BUS_ERROR_NO_SUCH_CLAIM, BUS_ERROR_NO_SUCH_DEVICE,
                    BUS_ERROR_NO_SUCH_GROUP))
                return EXIT_CODE_ABSENT;
        if (sd_bus_error_has_name(error, BUS_ERROR_INVALID_CONFIGURATION))
                return EXIT_CODE_USAGE;
        if (sd_bus_error_has_name(error, BUS_ERROR_PREFIX "WorkerTimeout"))
                return EXIT_CODE_STUCK;
        if (sd_bus_error_has_names(error, BUS_ERROR_PREFIX "ProbeFailed",
                    BUS_ERROR_PREFIX "BindRaced", BUS_ERROR_PREFIX "RolledBack",
                    BUS_ERROR_PREFIX "RollbackFailed"))
                return EXIT_CODE_FAILED;
        return is_reason(error->name) ? EXIT_CODE_REFUSED : EXIT_CODE_FAILED;
}

ExitCode call_complain(int error, const sd_bus_error *bus_error, const char *verb)
{
        const char *text = bus_error->message;
        size_t length = text ? strlen(text) : 0;

        if (error == -ENOTCONN)
                return complain_not_running(verb);
        if (sd_bus_error_has_name(bus_error, SD_BUS_ERROR_NO_REPLY)) {
                complain("vfio-bindd went away without an answer. \"vfio-bindctl list\" shows "
                         "how far it came.");
                return EXIT_CODE_FAILED;
        }
        if (error == -ETIMEDOUT) {
                complain("No answer from vfio-bindd. What it does goes on; \"vfio-bindctl list\" "
                         "shows it.");
                return EXIT_CODE_STUCK;
        }
        if (sd_bus_error_has_names(bus_error, SD_BUS_ERROR_ACCESS_DENIED,
                    SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED)) {
                complain("Not allowed: %s. Run this as root.", text ?: bus_error->name);
                return EXIT_CODE_FAILED;
        }
        if (!text)
                text = strerror(-error);
        complain("vfio-bindd says: %s%s", text, length > 0 && text[length - 1] == '.' ? "" : ".");
        return error_code(bus_error);
}

bool check_claim(const Model *model, const char *name)
{
        const char **names;
        const char *near = NULL;

        if (model_find_claim(model, name))
                return true;
        names = calloc(model->n_claims + 1, sizeof(char *));
        for (size_t i = 0; names && i < model->n_claims; i++)
                names[i] = model->claims[i].text[CLAIM_NAME];
        if (names)
                near = nearest_string(name, names, model->n_claims);
        free(names);
        if (near)
                complain("No claim %s. Did you mean %s?", name, near);
        else
                complain("No claim %s. \"vfio-bindctl list\" shows them.", name);
        return false;
}

void complain_no_address(const char *text)
{
        complain("%s is no address of a PCI function: that is 0000:01:00.0, 01:00.0 or "
                 "pci_0000_01_00_0.",
                *text ? text : "\"\"");
}

/* Does it look out for devices at all? */
static bool is_idle(const ModelClaim *claim)
{
        return streq_null(claim->text[CLAIM_STATE], "disabled") ||
               streq_null(claim->text[CLAIM_REASON], reason_to_string(REASON_CONFIG_ERROR)) ||
               streq_null(claim->text[CLAIM_REASON],
                       reason_to_string(REASON_DISABLED_BY_KERNEL_COMMAND_LINE));
}

/* The claim with a line that selects nothing and begins with this address; NULL: none. */
static const ModelClaim *find_waiting(const Model *model, const PciAddress *address)
{
        for (size_t i = 0; i < model->n_claims; i++) {
                char *const *line = model->claims[i].lists[CLAIM_MISSING];

                for (; line && *line && !is_idle(&model->claims[i]); line++) {
                        char word[sizeof("address=0000:00:00.0")] = "";
                        size_t n = strcspn(*line, " \t");
                        PciAddress other;

                        if (n >= sizeof(word))
                                continue;
                        memcpy(word, *line, n);
                        if (pci_address_parse(startswith(word, "address=") ?: word, &other) >= 0 &&
                            pci_address_equal(&other, address))
                                return &model->claims[i];
                }
        }
        return NULL;
}

static void complain_absent(const Model *model, const PciAddress *address)
{
        const ModelClaim *claim = find_waiting(model, address);

        if (claim)
                complain("No device %s. Claim %s waits for it (%s:%u).", PCI_ADDRESS_TEXT(address),
                        claim->text[CLAIM_NAME], claim->file ?: "", claim->line);
        else
                complain("No device %s. \"vfio-bindctl groups\" shows them.",
                        PCI_ADDRESS_TEXT(address));
}

/* Who names a claim means its devices. */
static void complain_claim(const Model *model, const char *name)
{
        _cleanup_buffer_ Buffer buffer = {};
        const char *why = model_find_claim(model, name)->text[CLAIM_REASON_TEXT];
        _cleanup_free_ char *devices = NULL;

        for (size_t i = 0; i < model->n_devices; i++)
                if (streq_null(model->devices[i].claim, name))
                        buffer_printf(&buffer, " %s", model->devices[i].text[DEVICE_ADDRESS]);
        if (buffer_finish(&buffer, &devices) < 0 || !*devices)
                complain("%s is a claim, and this takes a device. It has none now%s%s.", name,
                        why ? ": " : "", why ?: "");
        else
                complain("%s is a claim, and this takes a device. Its devices:%s", name, devices);
}

const ModelDevice *check_device(const Model *model, const char *text, ExitCode *ret)
{
        const ModelDevice *device;
        PciAddress address;

        if (pci_address_parse(text, &address) < 0) {
                if (model_find_claim(model, text))
                        complain_claim(model, text);
                else
                        complain_no_address(text);
                *ret = EXIT_CODE_USAGE;
                return NULL;
        }
        device = model_find_device(model, &address);
        if (!device) {
                complain_absent(model, &address);
                *ret = EXIT_CODE_ABSENT;
        }
        return device;
}

typedef int (*GetModel)(sd_bus *bus, sd_bus_error *error, Model **ret);

/* -ENOTCONN: no daemon. */
static int ask_daemon(Source *source, GetModel get_model)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = client_open(&source->bus);
        if (r >= 0)
                r = source->bus ? get_model(source->bus, &error, &source->model)
                                : -ENOTCONN;
        if (r < 0 && r != -ENOTCONN)
                complain("Cannot ask vfio-bindd: %s.", error.message ?: strerror(-r));
        if (r < 0) {
                sd_bus_flush_close_unref(source->bus);
                source->bus = NULL;
        }
        return r;
}

static int look(Source *source, const MachineOptions *options)
{
        const char *what = "show the machine";
        int r;

        r = machine_look(options, &source->machine, &what);
        if (r >= 0)
                r = machine_model(source->machine, &source->model);
        if (r < 0)
                complain_errno(r, what);
        return r;
}

static ExitCode open_source(Source *source, const MachineOptions *options, GetModel get_model)
{
        int r = -ENOTCONN;

        *source = (Source){};
        if (!options->root && !options->replace_file)
                r = ask_daemon(source, get_model);
        if (r == -ENOTCONN)
                r = look(source, options);
        if (r >= 0)
                return EXIT_CODE_DONE;
        return r == -ETIMEDOUT ? EXIT_CODE_STUCK : EXIT_CODE_FAILED;
}

ExitCode source_open(Source *source, const MachineOptions *options)
{
        return open_source(source, options, client_get_model);
}

ExitCode source_open_list(Source *source, const MachineOptions *options)
{
        return open_source(source, options, client_get_list);
}

void source_done(Source *source)
{
        sd_bus_flush_close_unref(source->bus);
        machine_free(source->machine);
        model_free(source->model);
        *source = (Source){};
}

bool configuration_has_changed(const Model *model)
{
        return streq_null(model->text[MANAGER_CONFIGURATION_STATE], "changed");
}

void complain_initramfs(const Model *model)
{
        const char *state = model->text[MANAGER_INITRAMFS_STATE];

        if (streq_null(state, "stale"))
                complain("The initramfs holds another configuration, or another vfio-bindd, than "
                         "the system, and the next boot begins with that. Run \"" PROGRAM_DIRECTORY
                         "/rebuild-initramfs\".");
        else if (streq_null(state, "missing"))
                complain("The initramfs has no vfio-bindd: host drivers that it loads come first "
                         "at the next boot. Run \"" PROGRAM_DIRECTORY "/rebuild-initramfs\".");
}

int source_print_legend(const Source *source, const Options *options)
{
        Terminal terminal = terminal_of(stdout);

        if (options->no_legend || options->quiet || options->root || options->config ||
            options->json != JSON_OFF)
                return 0;
        if (!source->model->state)
                return terminal_print(&terminal, stdout,
                        "vfio-bindd does not run: read from /sys and the configuration.");
        if (streq(source->model->state, "starting"))
                return terminal_print(&terminal, stdout, "vfio-bindd is starting.");
        if (configuration_has_changed(source->model))
                return terminal_print(&terminal, stdout, "%s", CONFIGURATION_HAS_CHANGED);
        return 0;
}
