/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

/* Lines of modprobe.d(5), and words of the kernel command line. */

typedef struct ModprobeLine {
        const char *file;
        unsigned first, last; /* a line that ends with "\" goes on */
        char **words;         /* never empty; a comment is none */
        bool is_only;         /* the file has no other */
} ModprobeLine;

/* Called for each line in the order in which modprobe(8) reads them. */
typedef int (*ModprobeLineHandler)(void *userdata, const ModprobeLine *line);

/* Returns 0, the first nonzero value of the handler, or a negative errno. A file that cannot be
 * read is left out. */
int modprobe_for_each_line(const Host *host, ModprobeLineHandler handler, void *userdata)
        _must_check_;

/* Module names are alike but for "-" and "_". */
bool module_name_equal(const char *a, const char *b);
/* nvidiafb and the like, which fit all cards of their makers: distributions blacklist them, lest
 * they fight with the drivers that are meant. */
bool module_is_framebuffer(const char *name);

/* The words of /proc/cmdline without quotes, at most 1,024; *ret NULL: none. */
int kernel_command_line_words(const Host *host, char ***ret) _must_check_;

/* What follows "name=" of a module parameter: "vfio-pci.ids=…" for "vfio-pci", "ids". NULL: it is
 * another word. */
const char *kernel_parameter_value(const char *word, const char *module, const char *name);
