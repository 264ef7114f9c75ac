/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/interrupt-remapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "util/io.h"
#include "util/strings.h"

/* The kernel log tells it too, to those who may read it and while the line is still there. The
 * names of the interrupt chips in /proc/interrupts are open to everybody and stay. With remapping,
 * x86 uses other chips, whose names begin with "IR-": ioapic_ir_chip in
 * arch/x86/kernel/apic/io_apic.c, .prefix in drivers/iommu/{intel,amd}. All I/O APICs are
 * remapped or none; of the MSIs, those of the IOMMUs themselves never are. */

static bool is_number(const char *word)
{
        return word[strspn(word, "0123456789")] == '\0';
}

/* " 16:  0  0  IR-IO-APIC  16-fasteoi  i801_smbus": the first word after the counts. NULL: none */
static const char *find_chip(char *line)
{
        char *rest = NULL, *word = strtok_r(line, " \t\n", &rest);
        size_t length = word ? strlen(word) : 0;

        if (length < 2 || word[length - 1] != ':')
                return NULL;
        word[length - 1] = '\0';
        if (!is_number(word)) /* NMI, LOC …: kinds of interrupts, not chips */
                return NULL;
        do
                word = strtok_r(NULL, " \t\n", &rest);
        while (word && is_number(word));
        return word;
}

int host_remaps_interrupts(const Host *host)
{
        _cleanup_close_ int fd = openat(host->root, "proc/interrupts", O_RDONLY | O_CLOEXEC);
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        FILE *file;
        int answer = -ENODATA;

        if (fd < 0)
                return errno == ENOENT ? -ENODATA : -errno;
        file = fdopen(fd, "r");
        if (!file)
                return -errno;
        fd = -1;
        while (getline(&line, &size, file) >= 0) {
                const char *chip = find_chip(line);

                if (!chip)
                        continue;
                if (startswith(chip, "IR-")) {
                        answer = 1;
                        break;
                }
                if (startswith(chip, "PCI-MSI"))
                        answer = 0;
                if (startswith(chip, "IO-APIC")) {
                        answer = 0;
                        break;
                }
        }
        if (fclose(file) == EOF)
                return -errno;
        return answer;
}
