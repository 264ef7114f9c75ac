/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/doctor.h"
#include "ctl/modprobe-files.h"
#include "ctl/pci-ids-files.h"
#include "ctl/tree.h"
#include "util/strings.h"

/* What else on this machine binds devices, or keeps drivers from them. */

/* Functions that an id takes although no claim wants them. */
static const Device *find_stray(const Doctor *doctor, const PciIds *ids)
{
        for (size_t i = 0; i < doctor->snapshot->n_devices; i++) {
                const Device *device = &doctor->snapshot->devices[i];

                if (pci_ids_fit(ids, device) && !doctor_claims(doctor, device))
                        return device;
        }
        return NULL;
}

static int examine_ids(Doctor *doctor)
{
        _cleanup_pci_id_list_ PciIdList list = {};
        int r;

        r = pci_id_list_read(&doctor->host, &list);
        for (size_t i = 0; r >= 0 && i < list.n_items; i++) {
                const PciIdEntry *entry = &list.items[i];
                const Device *stray;

                if (entry->is_bad) /* the driver leaves it out, too */
                        continue;
                stray = find_stray(doctor, &entry->ids);
                if (stray)
                        r = doctor_find(doctor, true, "vfio-pci-ids",
                                "%s: ids=%s makes vfio-pci take %s too, which no claim wants.",
                                entry->where, entry->word, PCI_ADDRESS_TEXT(&stray->address));
                else
                        r = doctor_find(doctor, false, "vfio-pci-ids",
                                "%s: ids=%s makes vfio-pci take devices by their kind, with no "
                                "look at what uses them.", entry->where, entry->word);
                if (r >= 0)
                        r = doctor_remedy(doctor,
                                "\"vfio-bindctl import kernel\" prints what it binds as claims, "
                                "and what to remove.");
        }
        return r;
}

static int examine_override(Doctor *doctor, const char *name)
{
        const char *text = startswith(name, "pci-") ?: name;
        _cleanup_free_ char *path = NULL, *driver = NULL;
        const ModelDevice *device;
        PciAddress address;
        bool differs;
        int r;

        if (pci_address_parse(text, &address) < 0)
                return 0;
        r = format_string(&path, "/etc/driverctl.d/%s", name);
        if (r >= 0)
                r = tree_read(&doctor->host, path, &driver);
        device = doctor_claimed(doctor, &address);
        if (r < 0 || !device)
                return r == -ENOMEM ? r : 0;
        make_printable(strip(driver));
        differs = !streq_null(strip(driver),
                device->text[DEVICE_TARGET_DRIVER] ?: device->text[DEVICE_DRIVER]);
        r = doctor_find(doctor, differs, "driverctl",
                "driverctl binds %s of claim %s to %s at every boot%s.",
                PCI_ADDRESS_TEXT(&address), device->claim, strip(driver),
                differs ? ", which is not what the claim wants" : " as well");
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Run \"rm %s\"; \"driverctl unset-override\" would probe the host's "
                               "driver at once.", path);
}

static int examine_driverctl(Doctor *doctor)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        r = tree_list(&doctor->host, "/etc/driverctl.d", "", &names);
        for (char **name = names; r >= 0 && name && *name; name++)
                r = examine_override(doctor, *name);
        return r;
}

/* A claimed function that the module would take, NULL: none. */
static const Device *find_user_of(const Doctor *doctor, const char *module)
{
        if (module_is_framebuffer(module))
                return NULL;
        for (size_t i = 0; i < doctor->snapshot->n_devices; i++) {
                const Device *device = &doctor->snapshot->devices[i];

                if (!doctor_claims(doctor, device))
                        continue;
                for (char **name = device->host_drivers.list; name && *name; name++)
                        if (module_name_equal(*name, module))
                                return device;
        }
        return NULL;
}

static int found_blacklist(Doctor *doctor, const char *where, unsigned line, const char *module)
{
        const Device *device = find_user_of(doctor, module);
        int r;

        if (!device)
                return 0;
        r = doctor_find(doctor, false, "blacklist",
                "%s%s%.0u: %s is blacklisted. For %s that is not needed, and after a release no "
                "driver comes for it.", where, line > 0 ? ":" : "", line, module,
                PCI_ADDRESS_TEXT(&device->address));
        return r < 0 ? r
                     : doctor_remedy(doctor, "Remove it, unless it is there for another reason.");
}

static bool names_us(const char *word)
{
        return startswith(word, "vfio-pci") || startswith(word, "vfio_pci");
}

static int on_line(void *userdata, const ModprobeLine *line)
{
        Doctor *doctor = userdata;
        size_t n = string_list_length(line->words);
        bool before = false;
        int r;

        if (n >= 2 && streq(line->words[0], "blacklist"))
                return found_blacklist(doctor, line->file, line->first, line->words[1]);
        if (n < 3 || !streq(line->words[0], "softdep"))
                return 0;
        for (size_t i = 2; i < n; i++) {
                before = streq(line->words[i], "pre:") ||
                        (before && !streq(line->words[i], "post:"));
                if (!before || !names_us(line->words[i]))
                        continue;
                r = doctor_find(doctor, false, "softdep",
                        "%s:%u: %s waits for vfio-pci. Claims do not need that.", line->file,
                        line->first, line->words[1]);
                return r < 0 ? r : doctor_remedy(doctor, "Remove the line.");
        }
        return 0;
}

static int examine_boot_blacklists(Doctor *doctor)
{
        static const char *const words[] = {
                "modprobe.blacklist=", "module_blacklist=", "rd.driver.blacklist=",
        };
        int r = 0;

        for (char **word = doctor->boot_words; r >= 0 && word && *word; word++)
                for (size_t i = 0; r >= 0 && i < ELEMENTSOF(words); i++) {
                        const char *list = startswith(*word, words[i]);
                        _cleanup_free_ char *copy = list ? strdup(list) : NULL;
                        char *rest = NULL;

                        if (list && !copy)
                                return -ENOMEM;
                        for (char *module = copy ? strtok_r(copy, ",", &rest) : NULL;
                                r >= 0 && module; module = strtok_r(NULL, ",", &rest))
                                r = found_blacklist(doctor, "kernel command line", 0, module);
                }
        return r;
}

/* Does a line of udev(7) choose a device's driver, itself or by what it runs? */
static bool chooses_driver(const char *rule)
{
        static const char *const words[] = { "driver_override", "new_id", "vfio-pci/bind" };

        if (*rule == '#')
                return false;
        if (strstr(rule, "ATTR{driver_override}=\""))
                return true;
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strstr(rule, words[i]) && (strstr(rule, "RUN") || strstr(rule, "PROGRAM")))
                        return true;
        return false;
}

static int examine_rules(Doctor *doctor, const char *name)
{
        _cleanup_free_ char *path = NULL, *text = NULL;
        unsigned number = 0;
        char *rest, *line;
        int r;

        r = format_string(&path, "/etc/udev/rules.d/%s", name);
        if (r >= 0)
                r = tree_read(&doctor->host, path, &text);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        rest = text;
        while (r >= 0 && (line = tree_next_line(&rest, &number))) {
                if (!chooses_driver(strip(line)))
                        continue;
                r = doctor_find(doctor, false, "udev-rule",
                        "%s:%u: this rule chooses drivers too, with no look at what uses a device "
                        "or shares its group.", path, number);
                if (r >= 0)
                        r = doctor_remedy(doctor,
                                "\"vfio-bindctl suggest NAME DEV\" prints a claim for what it "
                                "binds. Then remove the rule.");
        }
        return r;
}

static int examine_udev(Doctor *doctor)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        r = tree_list(&doctor->host, "/etc/udev/rules.d", ".rules", &names);
        for (char **name = names; r >= 0 && name && *name; name++)
                r = examine_rules(doctor, *name);
        return r;
}

int doctor_examine_other_tools(Doctor *doctor)
{
        int r;

        r = examine_ids(doctor);
        if (r >= 0)
                r = examine_driverctl(doctor);
        if (r >= 0)
                r = modprobe_for_each_line(&doctor->host, on_line, doctor);
        if (r >= 0)
                r = examine_udev(doctor);
        return r < 0 ? r : examine_boot_blacklists(doctor);
}
