/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/doctor.h"
#include "ctl/list.h"
#include "ctl/modprobe-files.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "util/buffer.h"
#include "util/strings.h"

static void doctor_done(Doctor *doctor)
{
        for (size_t i = 0; i < doctor->n_findings; i++) {
                free(doctor->findings[i].text);
                free(doctor->findings[i].remedy);
        }
        free(doctor->findings);
        string_list_free(doctor->boot_words);
        model_free(doctor->model);
        machine_free(doctor->machine);
        host_close(&doctor->host);
}

static int look(const Options *options, Doctor *doctor, const char **ret_what)
{
        MachineOptions machine = {
                .root = options->root,
                .facts = SNAPSHOT_FACT_DETAILS | SNAPSHOT_FACT_HOST_DRIVERS |
                        SNAPSHOT_FACT_INTERFACES,
        };
        int r;

        r = machine_look(&machine, &doctor->machine, ret_what);
        if (r < 0)
                return r;
        doctor->config = machine_config(doctor->machine);
        doctor->snapshot = machine_snapshot(doctor->machine);
        r = host_open(options->root, &doctor->host);
        if (r >= 0)
                r = machine_model(doctor->machine, &doctor->model);
        return r < 0 ? r : kernel_command_line_words(&doctor->host, &doctor->boot_words);
}

static int examine(Doctor *doctor)
{
        static int (*const examinations[])(Doctor *doctor) = {
                doctor_examine_iommu, doctor_examine_modules, doctor_examine_boot,
                doctor_examine_claims, doctor_examine_physical_functions, doctor_examine_devices,
                doctor_examine_nodes, doctor_examine_other_tools, doctor_examine_libvirt,
        };
        int error = 0, r;

        /* What cannot be looked at is no reason to keep silent about the rest. */
        for (size_t i = 0; i < ELEMENTSOF(examinations); i++) {
                r = examinations[i](doctor);
                if (r == -ENOMEM)
                        return r;
                error = r < 0 ? r : error;
        }
        if (error == 0)
                return 0;
        r = doctor_find(doctor, false, "unreadable", "Not everything could be looked at: %s.",
                strerror(-error));
        return r < 0 ? r
                     : doctor_remedy(doctor, "Run this as root. If that does not help, look for a "
                                             "broken link or directory in /etc.");
}

static const char *severity(const Finding *finding)
{
        return finding->is_error ? "error" : "warning";
}

/* "error iommu-off: …", and the remedy below it, indented. */
static int print_finding(const Finding *finding, const Terminal *terminal)
{
        _cleanup_free_ char *remedy = text_printable(finding->remedy, terminal->ascii);
        _cleanup_free_ char *text = text_printable(finding->text, terminal->ascii);
        _cleanup_free_ char *lines = NULL;
        _cleanup_buffer_ Buffer buffer = {};
        size_t used;
        int r;

        if (!remedy || !text)
                return -ENOMEM;
        buffer_printf(&buffer, "%s%s%s %s: ",
                terminal_begin(terminal, finding->is_error ? STYLE_BAD : STYLE_WAITING),
                severity(finding), terminal_end(terminal, STYLE_BAD), finding->code);
        used = strlen(severity(finding)) + 1 + strlen(finding->code) + 2;
        text_wrap(&buffer, text, used, 2, terminal->width);
        buffer_append(&buffer, "  ");
        text_wrap(&buffer, remedy, 2, 2, terminal->width);
        r = buffer_finish(&buffer, &lines);
        if (r >= 0)
                fputs(lines, stdout);
        return r;
}

static size_t count_errors(const Doctor *doctor)
{
        size_t n = 0;

        for (size_t i = 0; i < doctor->n_findings; i++)
                n += doctor->findings[i].is_error;
        return n;
}

static int print(const Doctor *doctor, const Options *options)
{
        Terminal terminal = terminal_of(stdout);
        size_t n_errors = count_errors(doctor);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < doctor->n_findings; i++)
                r = print_finding(&doctor->findings[i], &terminal);
        if (r < 0 || options->no_legend || options->quiet)
                return r;
        if (doctor->n_findings == 0)
                return terminal_print(&terminal, stdout, "Nothing is wrong.");
        fputs("\n", stdout);
        return terminal_print(&terminal, stdout, "%zu error%s, %zu warning%s.", n_errors,
                n_errors == 1 ? "" : "s", doctor->n_findings - n_errors,
                doctor->n_findings - n_errors == 1 ? "" : "s");
}

static int print_json(const Doctor *doctor, bool pretty)
{
        _cleanup_json_ Json json = { .pretty = pretty };

        json_begin_document(&json, "doctor");
        json_open_array(&json, "Findings");
        for (size_t i = 0; i < doctor->n_findings; i++) {
                json_open_object(&json, NULL);
                json_string(&json, "Severity", severity(&doctor->findings[i]));
                json_string(&json, "Code", doctor->findings[i].code);
                json_string(&json, "Text", doctor->findings[i].text);
                json_string(&json, "Remedy", doctor->findings[i].remedy);
                json_close_object(&json);
        }
        json_close_array(&json);
        json_close_object(&json);
        return json_print(&json, stdout);
}

/* Not everybody may read the boot images, or see who uses what; the daemon has. */
static void ask_daemon(const Options *options, Source *source, Doctor *doctor)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (options->root || client_open(&source->bus) < 0 || !source->bus ||
            client_get_model(source->bus, &error, &source->model) < 0)
                return;
        doctor->told = source->model;
}

static int run(const Options *options)
{
        _cleanup_(doctor_done) Doctor doctor = { .host.root = -1 };
        _cleanup_source_ Source source = {};
        const char *what = "look at the machine";
        int r;

        r = look(options, &doctor, &what);
        if (r >= 0) {
                ask_daemon(options, &source, &doctor);
                r = examine(&doctor);
        }
        if (r >= 0)
                r = options->json != JSON_OFF
                        ? print_json(&doctor, options->json == JSON_PRETTY)
                        : print(&doctor, options);
        if (r < 0)
                complain_errno(r, what);
        return r < 0 || count_errors(&doctor) > 0 ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

const Verb verb_doctor = {
        .name = "doctor",
        .summary = "What is wrong with this machine, and what helps",
        .help = "Looks for what keeps devices from being bound, or guests from using them: IOMMU\n"
                "and interrupt remapping, modules, switch, initramfs, claims and physical\n"
                "functions that are not as wanted, framebuffer, power, reset, owners and limits,\n"
                "other tools that bind, libvirt.\n"
                "Each finding has its remedy.\n"
                "As root it sees more. With an error among the findings the exit code is 1.\n",
        .run = run,
};
