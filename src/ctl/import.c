/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/import.h"

#include <errno.h>
#include <stdarg.h>

#include "core/config.h"
#include "ctl/complain.h"
#include "ctl/tree.h"
#include "util/array.h"
#include "util/buffer.h"
#include "util/strings.h"

static void claim_free(ImportClaim *claim)
{
        free(claim->name);
        free(claim->comment);
        free(claim->driver);
        string_list_free(claim->lines);
        free(claim->listed);
}

void import_done(Import *import)
{
        for (size_t i = 0; i < import->n_claims; i++)
                claim_free(&import->claims[i]);
        free(import->claims);
        string_list_free(import->sections);
        string_list_free(import->commands);
        string_list_free(import->notes);
        free(import->node_user);
        free(import->node_group);
}

/* Makes a name that config_name_is_valid() takes, at the cost of other characters. */
static void make_name(const char *text, char name[static CONFIG_NAME_MAX + 1])
{
        static const char good[] =
                "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
        size_t n = 0;

        for (; *text && n < CONFIG_NAME_MAX; text++)
                name[n++] = strchr(good, *text) ? *text : '-';
        name[n] = '\0';
        if (!config_name_is_valid(name)) /* empty, or it begins with a sign */
                name[0] = 'x';
        if (n == 0)
                name[1] = '\0';
}

int import_claim(Import *import, const char *name, const char *comment, ImportClaim **ret)
{
        char made[CONFIG_NAME_MAX + 1];
        ImportClaim *claim;
        int r;

        make_name(name, made);
        for (size_t i = 0; i < import->n_claims; i++)
                if (streq(import->claims[i].name, made)) {
                        *ret = &import->claims[i];
                        return 0;
                }
        r = ARRAY_GROW(import->claims, import->n_claims);
        if (r < 0)
                return r;
        claim = &import->claims[import->n_claims++];
        r = replace_string(&claim->name, made);
        if (r >= 0)
                r = replace_string(&claim->comment, comment);
        if (r < 0)
                return r;
        *ret = claim;
        return 0;
}

int import_match_text(const Device *device, char **ret)
{
        _cleanup_free_ char *expect = NULL, *where = NULL;
        int r;

        if (device->is_virtual_function && device->vf_index >= 0)
                r = format_string(&where, "pf=%s vf=%d",
                        PCI_ADDRESS_TEXT(&device->physical_function), device->vf_index);
        else
                r = format_string(&where, "%s", PCI_ADDRESS_TEXT(&device->address));
        if (r >= 0)
                r = format_string(&expect, "%04x:%04x:%04x:%04x", device->vendor, device->device,
                        device->subsystem_vendor, device->subsystem_device);
        return r < 0 ? r : format_string(ret, "%s expect=%s", where, expect);
}

static bool claim_lists(const ImportClaim *claim, const PciAddress *address)
{
        for (size_t i = 0; i < claim->n_listed; i++)
                if (pci_address_equal(&claim->listed[i], address))
                        return true;
        return false;
}

bool import_lists(const Import *import, const PciAddress *address)
{
        for (size_t i = 0; i < import->n_claims; i++)
                if (claim_lists(&import->claims[i], address))
                        return true;
        return false;
}

static int add_line(ImportClaim *claim, const char *prefix, const char *text)
{
        _cleanup_free_ char *line = NULL;
        int r;

        r = format_string(&line, "%s%s", prefix, text);
        return r < 0 ? r : string_list_append(&claim->lines, line);
}

int import_add_comment(ImportClaim *claim, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = format_string_arguments(&text, format, arguments);
        va_end(arguments);
        if (r < 0)
                return r;
        make_printable(text);
        return add_line(claim, "# ", text);
}

int import_add_function(Import *import, ImportClaim *claim, const PciAddress *address)
{
        const Device *device = snapshot_find(import->snapshot, address);
        _cleanup_free_ char *text = NULL;
        int r;

        if (claim_lists(claim, address))
                return 0;
        if (import_lists(import, address))
                return import_add_comment(claim, "%s is in a claim above.",
                        PCI_ADDRESS_TEXT(address));
        r = ARRAY_GROW(claim->listed, claim->n_listed);
        if (r < 0)
                return r;
        claim->listed[claim->n_listed++] = *address;
        if (device && device->is_bridge)
                return import_add_comment(claim, "%s is a bridge, which vfio-pci does not take.",
                        PCI_ADDRESS_TEXT(address));
        if (device)
                r = import_match_text(device, &text);
        else
                r = import_add_comment(claim,
                        "Not present now: add expect=VENDOR:DEVICE when it is.");
        if (r < 0)
                return r;
        return add_line(claim, "Match=", text ?: PCI_ADDRESS_TEXT(address));
}

int import_add_further(Import *import, ImportClaim *claim, const Device *device)
{
        _cleanup_free_ char *text = NULL;
        int r;

        if (device->is_bridge || import_lists(import, &device->address))
                return 0;
        r = import_match_text(device, &text);
        return r < 0 ? r : add_line(claim, "#Match=", text);
}

static bool is_of_listed_kind(const Import *import, const ImportClaim *claim, const Device *device)
{
        for (size_t i = 0; i < claim->n_listed; i++) {
                const Device *listed = snapshot_find(import->snapshot, &claim->listed[i]);

                if (listed && listed->vendor == device->vendor && listed->device == device->device)
                        return true;
        }
        return false;
}

int import_add_same_kind(Import *import, ImportClaim *claim, bool bound_only)
{
        bool first = true;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < import->snapshot->n_devices; i++) {
                const Device *device = &import->snapshot->devices[i];

                if (device->is_bridge || import_lists(import, &device->address) ||
                    (bound_only && !streq_null(device->driver, "vfio-pci")) ||
                    !is_of_listed_kind(import, claim, device))
                        continue;
                if (first)
                        r = import_add_comment(claim,
                                "new_id was given these too, of the same kind:");
                first = false;
                if (r >= 0)
                        r = import_add_further(import, claim, device);
        }
        return r;
}

int import_add_command(Import *import, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = format_string_arguments(&text, format, arguments);
        va_end(arguments);
        if (r < 0)
                return r;
        if (string_list_contains(import->commands, text))
                return 0;
        return string_list_append(&import->commands, text);
}

int import_note(Import *import, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = format_string_arguments(&text, format, arguments);
        va_end(arguments);
        if (r < 0)
                return r;
        make_printable(text);
        return string_list_append(&import->notes, text);
}

int import_read_file(const char *path, char **ret)
{
        int r = tree_read_here(path, ret);

        if (r >= 0 || r == -ENOMEM)
                return r;
        complain("Cannot read %s: %s.", path, r == -EINVAL ? "it is no text" : strerror(-r));
        return -EINVAL;
}

int shell_quote(const char *text, char **ret)
{
        static const char harmless[] =
                "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ./_-:@%+,=";
        _cleanup_buffer_ Buffer buffer = {};

        if (*text && !text[strspn(text, harmless)])
                return format_string(ret, "%s", text);
        buffer_append(&buffer, "'");
        for (; *text; text++)
                if (*text == '\'')
                        buffer_append(&buffer, "'\\''");
                else
                        buffer_append_length(&buffer, text, 1);
        buffer_append(&buffer, "'");
        return buffer_finish(&buffer, ret);
}

int import_add_removal(Import *import, const char *path)
{
        _cleanup_free_ char *quoted = NULL;
        int r;

        if (!tree_exists(import->host, path))
                return 0;
        r = shell_quote(path, &quoted);
        return r < 0 ? r : import_add_command(import, "rm -f %s", quoted);
}

int import_add_unit_removal(Import *import, const char *unit)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = format_string(&path, "/etc/systemd/system/%s", unit);
        if (r < 0 || !tree_exists(import->host, path))
                return r;
        r = import_add_command(import, "systemctl disable %s", unit);
        return r < 0 ? r : import_add_removal(import, path);
}
