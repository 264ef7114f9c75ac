/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/import-files.h"
#include "ctl/modprobe-files.h"
#include "ctl/tree.h"
#include "util/buffer.h"
#include "util/strings.h"

/* Words of the kernel command line stand in the boot loader's configuration, which every
 * distribution keeps elsewhere. */

/* Is every module of a list a host driver of what is imported? */
static bool lists_host_drivers(const Import *import, const char *list)
{
        _cleanup_free_ char *copy = strdup(list);
        char *rest = NULL;

        if (!copy || !*copy)
                return false;
        for (char *name = strtok_r(copy, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
                if (!import_is_host_driver(import, name))
                        return false;
        return true;
}

static bool is_ours(const Import *import, const char *word)
{
        static const char *const blacklists[] = {
                "modprobe.blacklist=", "module_blacklist=", "rd.driver.blacklist=",
        };

        if (kernel_parameter_value(word, "vfio_pci", "ids"))
                return true;
        if (startswith(word, "rd.driver.pre=vfio"))
                return true;
        for (size_t i = 0; i < ELEMENTSOF(blacklists); i++) {
                const char *list = startswith(word, blacklists[i]);

                if (list)
                        return lists_host_drivers(import, list);
        }
        return false;
}

/* The word as a basic regular expression between slashes. */
static int make_pattern(const char *word, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        for (; *word; word++) {
                if (strchr("\\.[]*^$/", *word))
                        buffer_append(&buffer, "\\");
                buffer_append_length(&buffer, word, 1);
        }
        return buffer_finish(&buffer, ret);
}

static bool file_contains(const Host *host, const char *path, const char *word)
{
        _cleanup_free_ char *text = NULL;

        return tree_read(host, path, &text) >= 0 && strstr(text, word);
}

static int find_grub_file(const Host *host, const char *word, char **ret)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        if (file_contains(host, "/etc/default/grub", word))
                return format_string(ret, "/etc/default/grub");
        r = tree_list(host, "/etc/default/grub.d", ".cfg", &names);
        for (char **name = names; r >= 0 && name && *name; name++) {
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "/etc/default/grub.d/%s", *name);
                if (r >= 0 && file_contains(host, path, word)) {
                        *ret = TAKE_POINTER(path);
                        return 0;
                }
        }
        return r < 0 ? r : -ENOENT;
}

/* A command that comes once, after all words are gone. */
static int add_last(char ***last, const char *command)
{
        return string_list_contains(*last, command) ? 0 : string_list_append(last, command);
}

/* Debian and its like; Arch, Gentoo and the like; Fedora and SUSE. */
static const char *grub_command(const Host *host)
{
        if (tree_exists(host, "/usr/sbin/update-grub"))
                return "update-grub";
        if (tree_exists(host, "/usr/bin/grub-mkconfig") ||
            tree_exists(host, "/usr/sbin/grub-mkconfig"))
                return "grub-mkconfig -o /boot/grub/grub.cfg";
        return "grub2-mkconfig -o /boot/grub2/grub.cfg";
}

static int remove_from_grub(Import *import, const char *word, const char *pattern, char ***last)
{
        _cleanup_free_ char *path = NULL, *quoted = NULL;
        int r;

        r = find_grub_file(import->host, word, &path);
        if (r >= 0)
                r = shell_quote(path, &quoted);
        if (r >= 0)
                r = import_add_command(import, "sed -i 's/ *%s//' %s", pattern, quoted);
        if (r < 0)
                return r;
        return add_last(last, grub_command(import->host));
}

static bool has_presets(const Host *host)
{
        _cleanup_string_list_ char **names = NULL;

        return tree_list(host, "/etc/mkinitcpio.d", ".preset", &names) >= 0 && names;
}

/* /etc/kernel/cmdline: who puts it into boot entries? What makes an initramfs does it besides
 * where that is Debian's or makes unified images; kernel-install(8) has "add-all" since systemd
 * 256. */
static int remove_from_entries(Import *import, const char *pattern, char ***last)
{
        int r;

        r = import_add_command(import, "sed -i 's/ *%s//' /etc/kernel/cmdline", pattern);
        if (r < 0)
                return r;
        if (tree_exists(import->host, "/usr/sbin/proxmox-boot-tool"))
                return add_last(last, "proxmox-boot-tool refresh");
        if (!tree_exists(import->host, "/usr/sbin/update-initramfs") && !has_presets(import->host))
                return add_last(last, "kernel-install add-all");
        import->is_in_initramfs = true;
        return 0;
}

static int remove_word(Import *import, const char *word, char ***last)
{
        _cleanup_free_ char *pattern = NULL;
        bool is_entry;
        int r;

        if (strchr(word, '\'') || find_unprintable(word))
                return import_add_command(import, "# by hand: a word of the kernel command line "
                                                  "that begins with %.12s", word);
        if (tree_exists(import->host, "/usr/sbin/grubby"))
                return import_add_command(import,
                        "grubby --update-kernel=ALL --remove-args='%s'", word);
        r = make_pattern(word, &pattern);
        if (r < 0)
                return r;
        /* A file of a boot loader that is not in use has it perhaps, too. */
        is_entry = file_contains(import->host, "/etc/kernel/cmdline", word);
        if (is_entry)
                r = remove_from_entries(import, pattern, last);
        if (r >= 0)
                r = remove_from_grub(import, word, pattern, last);
        if (r != -ENOENT)
                return r;
        if (is_entry)
                return 0;
        return import_add_command(import,
                "# by hand: take %s off the kernel command line in the boot loader", word);
}

int import_remove_boot_words(Import *import)
{
        _cleanup_string_list_ char **words = NULL, **last = NULL;
        int r;

        r = kernel_command_line_words(import->host, &words);
        for (char **word = words; r >= 0 && word && *word; word++)
                if (is_ours(import, *word))
                        r = remove_word(import, *word, &last);
        for (char **command = last; r >= 0 && command && *command; command++)
                r = import_add_command(import, "%s", *command);
        return r;
}
