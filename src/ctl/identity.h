/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/snapshot.h"

/* "10de:2482:1043:8769" and NUL */
#define IDENTITY_TEXT_MAX 20

/* As expect= takes it; returns `text`. A device without a subsystem has two numbers. */
const char *identity_format(const Device *device, char text[static IDENTITY_TEXT_MAX]);
