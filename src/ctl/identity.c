/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/identity.h"

#include <stdio.h>

const char *identity_format(const Device *device, char text[static IDENTITY_TEXT_MAX])
{
        if (device->subsystem_vendor == 0 && device->subsystem_device == 0)
                (void) snprintf(text, IDENTITY_TEXT_MAX, "%04x:%04x", device->vendor,
                        device->device);
        else
                (void) snprintf(text, IDENTITY_TEXT_MAX, "%04x:%04x:%04x:%04x", device->vendor,
                        device->device, device->subsystem_vendor, device->subsystem_device);
        return text;
}
