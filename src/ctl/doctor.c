/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/vocabulary.h"
#include "ctl/tree.h"
#include "util/array.h"
#include "util/io.h"
#include "util/strings.h"

int doctor_find(Doctor *doctor, bool is_error, const char *code, const char *text, ...)
{
        Finding *finding;
        va_list arguments;
        int r;

        r = ARRAY_GROW(doctor->findings, doctor->n_findings);
        if (r < 0)
                return r;
        finding = &doctor->findings[doctor->n_findings++];
        finding->is_error = is_error;
        finding->code = code;
        va_start(arguments, text);
        r = format_string_arguments(&finding->text, text, arguments);
        va_end(arguments);
        return r;
}

int doctor_remedy(Doctor *doctor, const char *text, ...)
{
        Finding *finding = &doctor->findings[doctor->n_findings - 1];
        va_list arguments;
        int r;

        va_start(arguments, text);
        r = format_string_arguments(&finding->remedy, text, arguments);
        va_end(arguments);
        return r;
}

const ModelDevice *doctor_claimed(const Doctor *doctor, const PciAddress *address)
{
        const ModelDevice *device = model_find_device(doctor->model, address);

        return device && device->claim && !device->is_bridge ? device : NULL;
}

bool doctor_claims(const Doctor *doctor, const Device *device)
{
        return doctor_claimed(doctor, &device->address);
}

bool doctor_is_bound(const ModelDevice *device)
{
        return streq_null(device->text[DEVICE_STATE], state_to_string(STATE_BOUND));
}

bool doctor_boots_with(const Doctor *doctor, const char *word)
{
        return string_list_contains(doctor->boot_words, word);
}

bool doctor_attribute_is(const Doctor *doctor, const char *path, const char *value)
{
        char text[64];

        return read_attribute_at(doctor->host.root, path, text, sizeof(text)) >= 0 &&
                streq(text, value);
}
