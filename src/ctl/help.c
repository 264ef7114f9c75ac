/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/help.h"

#include <stdio.h>

void help_print(void)
{
        fputs("vfio-bindctl [OPTION…] [VERB]\n"
              "\n"
              "Shows and applies claims of PCI devices for vfio-pci.\n"
              "\n"
              "Verbs:\n"
              "  list                    Claims, their devices and what became of them; the\n"
              "                          default. Asks the daemon, else looks for itself.\n"
              "  apply [CLAIM…]          Bind what the claims (all without an argument) want,\n"
              "                          from host drivers too unless the host uses the device\n"
              "\n"
              "Options of apply:\n"
              "  --dry-run               Only tell what would be done; the exit code is what\n"
              "                          can be told beforehand\n"
              "  --prune                 Release what no claim selects any more\n"
              "  --no-ask-password       Do not ask for authentication\n"
              "\n"
              "Options:\n"
              "  --json=pretty|short|off JSON with the names of the D-Bus properties\n"
              "  -j                      The same, pretty on a terminal, else short\n"
              "  --root=DIR              Look at a saved tree instead of this machine\n"
              "  --no-legend             Without titles and summary\n"
              "  -q, --quiet             Only the table, and what went wrong\n"
              "  -h, --help              This text\n"
              "  --version               The version\n"
              "\n"
              "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused,\n"
              "4 no such claim, 5 timed out or stuck.\n",
                stdout);
}
