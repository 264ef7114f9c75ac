/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/help.h"

#include <stdio.h>

#include "ctl/text.h"

#define NAME_COLUMNS 22

static void print_verb_line(const Verb *verb)
{
        char name[128];
        size_t width;

        (void) snprintf(name, sizeof(name), "%s%s%s", verb->name, verb->arguments ? " " : "",
                verb->arguments ?: "");
        width = text_width(name);
        printf("  %s%*s %s\n", name, (int) (width < NAME_COLUMNS ? NAME_COLUMNS - width : 0), "",
                verb->summary);
}

void help_print(const Verb *const *verbs, size_t n_verbs)
{
        fputs("vfio-bindctl [OPTION...] [VERB] [ARGUMENT...]\n"
              "\n"
              "Shows and applies claims of PCI devices for vfio-pci.\n"
              "\n"
              "Verbs (\"vfio-bindctl VERB --help\" tells their options):\n",
                stdout);
        for (size_t i = 0; i < n_verbs; i++)
                print_verb_line(verbs[i]);
        fputs("\n"
              "Common options:\n"
              "  --json=pretty|short|off JSON with the names of the D-Bus properties; not of\n"
              "                          snapshot, import and export\n"
              "  -j                      The same, pretty on a terminal, else short\n"
              "  --root=DIR              Look at a saved tree instead of this machine; not of\n"
              "                          bind, release, wait and monitor, of apply with\n"
              "                          --dry-run only\n"
              "  --no-legend             Without titles and summary\n"
              "  --no-ask-password       Do not ask for authentication\n"
              "  --no-pager              Accepted: output never goes through a pager\n"
              "  -q, --quiet             Only the table, and what went wrong\n"
              "  -h, --help              This text, or that of a verb\n"
              "  --version               The version\n"
              "\n"
              "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused, 4 no\n"
              "such device, group or claim, 5 timed out or stuck, 6 changes pending (plan\n"
              "--exit-code).\n",
                stdout);
}

void help_print_verb(const Verb *verb)
{
        printf("vfio-bindctl %s [OPTION...]%s%s\n\n%s\n"
               "Common options and exit codes: vfio-bindctl --help\n",
                verb->name, verb->arguments ? " " : "", verb->arguments ?: "", verb->help);
}
