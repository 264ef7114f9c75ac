/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* systemd's shutdown leaves processes alone whose argv[0] begins with "@": those that the kernel
 * does not let go would keep it waiting. */

/* Once at the start of main, with main's argv, which is written over. */
void process_name_setup(int argc, char **argv);

/* Without that before, the kernel's own name of the process alone. */
void process_name_set(const char *name);
