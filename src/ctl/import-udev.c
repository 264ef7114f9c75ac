/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/import.h"
#include "ctl/tree.h"
#include "util/parse.h"
#include "util/strings.h"

/* Rules that give /dev/vfio/N to somebody: they would fight with NodeUser= and the like. Only
 * lines about the whole subsystem count; udev(7) tells the form. */

#define DIRECTORY "/etc/udev/rules.d"

/* The value that KEY="value" assigns in a rule, which the caller frees; *ret NULL: none. */
static int read_assignment(const char *rule, const char *key, char **ret)
{
        size_t length = strlen(key);

        *ret = NULL;
        for (const char *p = strstr(rule, key); p; p = strstr(p + 1, key)) {
                const char *value = p + length, *end;

                if (p > rule && !strchr(" \t,", p[-1]))
                        continue;
                if (*value == ':')
                        value++;
                if (value[0] != '=' || value[1] != '"')
                        continue;
                value += 2;
                end = strchr(value, '"');
                if (!end)
                        return 0;
                *ret = strndup(value, (size_t) (end - value));
                return *ret ? 0 : -ENOMEM;
        }
        return 0;
}

/* What udev replaces ("%", "$") is no account. */
static bool is_account(const char *text)
{
        return text && *text && !strpbrk(text, "$%* \t:/,") && strlen(text) <= 64;
}

static int take_account(char **account, const char *value)
{
        return *account || !is_account(value) ? 0 : replace_string(account, value);
}

static int read_rule(Import *import, const char *rule, bool *ret_counts)
{
        _cleanup_free_ char *user = NULL, *group = NULL, *mode = NULL;
        unsigned bits;
        int r;

        *ret_counts = false;
        if (*rule == '#' || !strstr(rule, "SUBSYSTEM==\"vfio\""))
                return 0;
        r = read_assignment(rule, "OWNER", &user);
        if (r >= 0)
                r = read_assignment(rule, "GROUP", &group);
        if (r >= 0)
                r = read_assignment(rule, "MODE", &mode);
        if (r < 0)
                return r;
        *ret_counts = user || group || mode;
        if (mode && !import->has_node_mode && parse_octal_mode(mode, &bits) == 0) {
                import->has_node_mode = true;
                import->node_mode = bits;
        }
        r = take_account(&import->node_user, user);
        return r < 0 ? r : take_account(&import->node_group, group);
}

static int read_rules(Import *import, const char *path)
{
        _cleanup_free_ char *text = NULL, *list = NULL, *quoted = NULL;
        unsigned number = 0;
        bool continues = false;
        char *rest, *line;
        size_t others = 0;
        int r;

        r = tree_read(import->host, path, &text);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        rest = text;
        while (r >= 0 && (line = tree_next_line(&rest, &number))) {
                _cleanup_free_ char *longer = NULL;
                bool continued = continues, counts;

                line = strip(line);
                continues = *line && line[strlen(line) - 1] == '\\';
                r = read_rule(import, line, &counts);
                others += !counts && *line && *line != '#';
                if (r < 0 || !counts)
                        continue;
                if (continued || continues) {
                        others++;
                        r = import_add_command(import,
                                "# by hand: remove the rule about vfio in %s, line %u", path,
                                number);
                        continue;
                }
                /* A second run finds another line there, which stays. */
                r = format_string(&longer, "%s%s%u{/SUBSYSTEM==\"vfio\"/d}", list ?: "",
                        list ? ";" : "", number);
                free(list);
                list = TAKE_POINTER(longer);
        }
        if (r >= 0)
                r = shell_quote(path, &quoted);
        if (r < 0 || !list)
                return r;
        if (others == 0)
                return import_add_command(import, "rm -f %s", quoted);
        return import_add_command(import, "sed -i '%s' %s", list, quoted);
}

int import_udev_rules(Import *import)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        if (!import->found)
                return 0;
        r = tree_list(import->host, DIRECTORY, ".rules", &names);
        for (char **name = names; r >= 0 && name && *name; name++) {
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, DIRECTORY "/%s", *name);
                if (r >= 0)
                        r = read_rules(import, path);
        }
        return r;
}
