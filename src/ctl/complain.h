/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/macro.h"

/* One message on standard error, made printable and broken into lines that fit. */
void complain(const char *format, ...) _printf_(1, 2);

/* "Cannot WHAT: …" for a negative errno. */
void complain_errno(int error, const char *what);
