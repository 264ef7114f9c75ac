/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "host/initramfs.h"
#include "host/kernel-command-line.h"
#include "host/switch.h"
#include "util/strings.h"
#include "version.h"

/* Is everything there that acts at boot: configuration, switch, initramfs? */

static int add_error(Doctor *doctor, const ModelError *error, bool is_last)
{
        _cleanup_free_ char *place = NULL;
        int r;

        r = error->line > 0 ? format_string(&place, "%s:%u", error->file ?: "-", error->line)
                            : format_string(&place, "%s", error->file ?: "-");
        if (r >= 0)
                r = doctor_find(doctor, true, "configuration-error", "%s: %s%s", place,
                        error->message ?: "it has errors", is_last ? "" : ", and further errors");
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "\"vfio-bindctl check\" names all of them. Correct the lines, then "
                               "run \"systemctl reload vfio-bindd\".");
}

/* Nothing is wrong with what root alone may read. */
static int add_unreadable(Doctor *doctor, const ModelError *error)
{
        int r;

        r = doctor_find(doctor, false, "configuration-unreadable",
                "%s is not readable for this user%s.",
                error->file ?: "a directory of the configuration",
                doctor->told ? "" : ", and without it nothing is known of the claims");
        return r < 0 ? r : doctor_remedy(doctor, "Run this as root.");
}

static bool is_forbidden(const ModelError *error)
{
        return geteuid() != 0 && error->line == 0 && error->message &&
                strstr(error->message, strerror(EACCES));
}

static int examine_errors(Doctor *doctor, bool *ret_is_forbidden)
{
        const ModelError *forbidden = NULL, *wrong = NULL;
        const Model *model = doctor->model;
        size_t n_wrong = 0;
        int r = 0;

        for (size_t i = 0; i < model->n_errors; i++)
                if (is_forbidden(&model->errors[i])) {
                        forbidden = forbidden ?: &model->errors[i];
                } else {
                        wrong = wrong ?: &model->errors[i];
                        n_wrong++;
                }
        *ret_is_forbidden = forbidden;
        if (wrong)
                r = add_error(doctor, wrong, n_wrong == 1);
        return r < 0 || !forbidden ? r : add_unreadable(doctor, forbidden);
}

static int examine_configuration(Doctor *doctor)
{
        bool is_forbidden;
        int r = examine_errors(doctor, &is_forbidden);

        if (r < 0 || is_forbidden || doctor->model->n_claims > 0)
                return r;
        r = doctor_find(doctor, false, "no-claims", "Nothing is claimed.");
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "\"vfio-bindctl suggest NAME ADDRESS\" prints a claim for "
                               "/etc/vfio-bind.conf; \"vfio-bindctl import\" takes over from "
                               "another tool.");
}

static int examine_command_line(Doctor *doctor)
{
        _cleanup_kernel_command_line_ KernelCommandLine line = {};
        int r;

        r = kernel_command_line_read(&doctor->host, STAGE_RUNTIME, &line);
        if (r >= 0 && line.mode != SWITCH_ON) {
                r = doctor_find(doctor, false, "disabled-by-kernel-command-line",
                        "\"%s\" of this boot keeps vfio-bindd from binding anything.",
                        line.why ?: "the kernel command line");
                if (r >= 0)
                        r = doctor_remedy(doctor, "Boot without it.");
        }
        for (char **claim = line.skip; r >= 0 && claim && *claim; claim++) {
                r = doctor_find(doctor, false, "disabled-by-kernel-command-line",
                        "vfio_bindd.skip= of this boot leaves out claim %s.", *claim);
                if (r >= 0)
                        r = doctor_remedy(doctor, "Boot without it.");
        }
        return r;
}

static const char *look_at_initramfs(const Doctor *doctor)
{
        char digest[INITRAMFS_DIGEST_SIZE];
        InitramfsState state;

        if (doctor->told && doctor->told->text[MANAGER_INITRAMFS_STATE])
                return doctor->told->text[MANAGER_INITRAMFS_STATE];
        if (initramfs_digest(&doctor->host, doctor->config->digest, digest) < 0 ||
            initramfs_look(&doctor->host, digest, host_is_enabled(&doctor->host), &state, NULL) < 0)
                return "unknown";
        return initramfs_state_to_string(state);
}

static int examine_initramfs(Doctor *doctor)
{
        const char *state = look_at_initramfs(doctor);
        int r = 0;

        if (streq(state, "missing"))
                r = doctor_find(doctor, false, "initramfs-without-us",
                        "The initramfs has no vfio-bindd: host drivers that it loads (disks, "
                        "graphics, USB) get their devices first.");
        else if (streq(state, "stale"))
                r = doctor_find(doctor, false, "initramfs-stale",
                        "The initramfs holds another configuration, or another vfio-bindd, than "
                        "the system: the next boot begins with that.");
        else
                return 0;
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Run \"" PROGRAM_DIRECTORY "/rebuild-initramfs\": it makes those "
                               "of all kernels anew.");
}

int doctor_examine_boot(Doctor *doctor)
{
        int r;

        r = examine_configuration(doctor);
        if (r >= 0)
                r = examine_command_line(doctor);
        if (r < 0)
                return r;
        if (host_is_enabled(&doctor->host))
                return examine_initramfs(doctor);
        r = doctor_find(doctor, false, "not-enabled",
                "vfio-bindd is not enabled: nothing is bound at boot.");
        return r < 0 ? r
                     : doctor_remedy(doctor, "Run \"systemctl enable --now vfio-bindd\".");
}
