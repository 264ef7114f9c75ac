/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/machine.h"

/* What keeps devices from being bound, or guests from using them, and what helps. */

typedef struct Finding {
        bool is_error; /* something does not work; else it may not, or not for long */
        const char *code;
        char *text;
        char *remedy;
} Finding;

typedef struct Doctor {
        Host host;
        Machine *machine;
        const Config *config;
        const Snapshot *snapshot;
        Model *model;                /* what our own eyes see */
        const Model *told;           /* as the daemon says, NULL: it was not asked */
        char **boot_words;           /* of the kernel command line */
        Finding *findings;
        size_t n_findings;
} Doctor;

/* Adds a finding; its remedy follows by doctor_remedy(). Both return 0, -ENOMEM. */
int doctor_find(Doctor *doctor, bool is_error, const char *code, const char *format, ...)
        _printf_(4, 5) _must_check_;
int doctor_remedy(Doctor *doctor, const char *format, ...) _printf_(2, 3) _must_check_;

/* The claimed function at an address, NULL: there is none, or no claim wants it. */
const ModelDevice *doctor_claimed(const Doctor *doctor, const PciAddress *address);
/* The same, by what the snapshot knows. */
bool doctor_claims(const Doctor *doctor, const Device *device);
bool doctor_is_bound(const ModelDevice *device);

/* Is it a word of the kernel command line? */
bool doctor_boots_with(const Doctor *doctor, const char *word);

/* One line of a file in /sys or /proc; false: not there, or not readable. */
bool doctor_attribute_is(const Doctor *doctor, const char *path, const char *value);

/* The examinations. Each returns 0 or a negative errno. */
int doctor_examine_iommu(Doctor *doctor) _must_check_;
int doctor_examine_boot(Doctor *doctor) _must_check_;
int doctor_examine_claims(Doctor *doctor) _must_check_;
int doctor_examine_physical_functions(Doctor *doctor) _must_check_;
int doctor_examine_modules(Doctor *doctor) _must_check_;
int doctor_examine_other_tools(Doctor *doctor) _must_check_;
int doctor_examine_libvirt(Doctor *doctor) _must_check_;
int doctor_examine_devices(Doctor *doctor) _must_check_;
int doctor_examine_nodes(Doctor *doctor) _must_check_;
