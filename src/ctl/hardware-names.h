/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between these two calls, scans of this process get names of vendors and models from the hardware
 * database of this machine. */
void hardware_names_begin(void);
void hardware_names_end(void);
