/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/values.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#include "core/plan.h"
#include "util/parse.h"
#include "util/strings.h"

#define TIMEOUT_MAX     (24 * 3600 * USEC_PER_SEC)
#define NODE_MODE_MAX   0660U
#define ACCOUNT_MAX     64
#define DRIVER_NAME_MAX 63
#define NUM_VFS_LIMIT   65535 /* TotalVFs is a 16-bit register */

static int complain(char problem[static VALUE_PROBLEM_MAX], const char *text)
{
        (void) snprintf(problem, VALUE_PROBLEM_MAX, "%s", text);
        return -EINVAL;
}

/* "is none of a, b, c", with the nearest of them. */
static int complain_words(char problem[static VALUE_PROBLEM_MAX], const char *text,
        const char *const *words, size_t n_words, const char *list)
{
        const char *near = nearest_string(text, words, n_words);

        (void) snprintf(problem, VALUE_PROBLEM_MAX, "is none of %s%s%s%s", list,
                near ? "; did you mean '" : "", near ?: "", near ? "'?" : "");
        return -EINVAL;
}

static int read_driver(const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX])
{
        static const char *const words[] = {"vfio-pci", "auto", "pci-stub"};
        size_t n = strspn(
                text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

        if (text[n] || n > DRIVER_NAME_MAX)
                return complain(problem, "is no driver name");
        if (streq(text, DETACHED_OVERRIDE))
                return complain(problem, "is the name that no driver has; see Companions=detach");

        /* The module is vfio_pci, its driver vfio-pci: the kernel finds the latter only. */
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                char spelt[DRIVER_NAME_MAX + 1];

                for (size_t k = 0; k <= n; k++)
                        spelt[k] = text[k] == '_' ? '-' : text[k];
                if (strcasecmp(spelt, words[i]) != 0 || streq(text, words[i]))
                        continue;
                (void) snprintf(problem, VALUE_PROBLEM_MAX,
                        "is no driver name; did you mean '%s'?", words[i]);
                return -EINVAL;
        }
        return replace_string(&values->settings.driver, text);
}

static int read_companions(const char *text, Values *values,
        char problem[static VALUE_PROBLEM_MAX])
{
        static const char *const words[] = {"slot", "all", "none", "detach"};

        int policy = companion_policy_from_string(text);
        if (policy < 0)
                return complain_words(problem, text, words, ELEMENTSOF(words),
                        "slot, all, none, detach");
        values->settings.companions = (CompanionPolicy) policy;
        return 0;
}

/* A name, which the account database judges later, or a number. */
static int read_account(const char *text, char **account, char problem[static VALUE_PROBLEM_MAX])
{
        uint64_t number;

        int r = parse_unsigned(text, UINT32_MAX - 1, &number);
        if (r == -ERANGE)
                return complain(problem, "is no account: the number is too large");
        if (strlen(text) > ACCOUNT_MAX || text[0] == '-' || strpbrk(text, " \t:/,\"'"))
                return complain(problem, "is no account: wants a name or a number");
        return replace_string(account, text);
}

static int read_node_user(const char *text, Values *values,
        char problem[static VALUE_PROBLEM_MAX])
{
        return read_account(text, &values->settings.node_user, problem);
}

static int read_node_group(const char *text, Values *values,
        char problem[static VALUE_PROBLEM_MAX])
{
        return read_account(text, &values->settings.node_group, problem);
}

static int read_node_mode(const char *text, Values *values,
        char problem[static VALUE_PROBLEM_MAX])
{
        unsigned mode;

        if (parse_octal_mode(text, &mode) < 0)
                return complain(problem, "is no mode: wants an octal number, as in 0660");
        if (mode & ~NODE_MODE_MAX)
                return complain(problem, "gives more than 0660: a device node that anybody can "
                                         "open gives anybody the memory of the machine's devices");
        values->settings.node_mode = mode;
        return 0;
}

static int read_on_drift(const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX])
{
        static const char *const words[] = {"report", "reclaim"};

        int policy = drift_policy_from_string(text);
        if (policy < 0)
                return complain_words(
                        problem, text, words, ELEMENTSOF(words), "report, reclaim");
        values->settings.on_drift = (DriftPolicy) policy;
        return 0;
}

static int read_timespan(const char *text, uint64_t *ret, char problem[static VALUE_PROBLEM_MAX])
{
        uint64_t usec;

        int r = parse_timespan(text, &usec);
        if (r == -EINVAL)
                return complain(problem, "is no time span: wants a number of seconds, or units as "
                                         "in 500ms, 30s, 2min");
        if (r < 0 || usec == 0 || usec > TIMEOUT_MAX)
                return complain(problem, "is out of range: wants more than 0 and at most 24h");
        *ret = usec;
        return 0;
}

static int read_timeout(const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX])
{
        return read_timespan(text, &values->settings.timeout_usec, problem);
}

static int read_boot_timeout(const char *text, Values *values,
        char problem[static VALUE_PROBLEM_MAX])
{
        return read_timespan(text, &values->boot_timeout_usec, problem);
}

static int read_allow_in_use(const char *text, Values *values,
        char problem[static VALUE_PROBLEM_MAX])
{
        static const char *const words[] = {"holders", "network", "display", "process"};
        unsigned allowed = 0;

        while (*text) {
                char word[32];
                size_t n = strcspn(text, " \t");

                (void) snprintf(word, sizeof(word), "%.*s", (int) n, text);
                if (streq(word, "system"))
                        return complain(problem, "names 'system': no setting allows to take what "
                                                 "the running system stands on");
                int use = n < sizeof(word) ? in_use_from_string(word) : -EINVAL;
                if (use < IN_USE_HOLDERS || use > IN_USE_PROCESS)
                        return complain_words(problem, word, words, ELEMENTSOF(words),
                                "holders, network, display, process");
                allowed |= 1U << use;
                text += n;
                text += strspn(text, " \t");
        }
        values->allow_in_use |= allowed;
        return 0;
}

static int read_enabled(const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX])
{
        if (parse_boolean(text, &values->enabled) < 0)
                return complain(problem, "is neither yes nor no");
        return 0;
}

static int read_num_vfs(const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX])
{
        static const char *const words[] = {"max", "keep"};
        uint64_t number;

        if (streq(text, "max")) {
                values->num_vfs = NUM_VFS_MAX;
                return 0;
        }
        if (streq(text, "keep")) {
                values->num_vfs = NUM_VFS_KEEP;
                return 0;
        }
        int r = parse_unsigned(text, NUM_VFS_LIMIT, &number);
        if (r == -ERANGE)
                return complain(problem, "is more than any function can have");
        if (r < 0)
                return complain_words(
                        problem, text, words, ELEMENTSOF(words), "max, keep and a number");
        values->num_vfs = NUM_VFS_NUMBER;
        values->number = (unsigned) number;
        return 0;
}

static int read_host_vfs(const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX])
{
        static const char *const words[] = {"probe", "leave"};

        if (!streq(text, "probe") && !streq(text, "leave"))
                return complain_words(problem, text, words, ELEMENTSOF(words), "probe, leave");
        values->leave_host_vfs = streq(text, "leave");
        return 0;
}

#define IN_DEFAULTS (1U << SECTION_DEFAULTS)
#define IN_CLAIM    (1U << SECTION_CLAIM)
#define IN_PF       (1U << SECTION_PHYSICAL_FUNCTION)

static const struct {
        const char *name;
        unsigned sections;
        bool is_list;
        int (*read)(const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX]);
} keys[] = {
        [KEY_DRIVER] = {"Driver", IN_DEFAULTS | IN_CLAIM, false, read_driver},
        [KEY_COMPANIONS] = {"Companions", IN_DEFAULTS | IN_CLAIM, false, read_companions},
        [KEY_NODE_USER] = {"NodeUser", IN_DEFAULTS | IN_CLAIM, false, read_node_user},
        [KEY_NODE_GROUP] = {"NodeGroup", IN_DEFAULTS | IN_CLAIM, false, read_node_group},
        [KEY_NODE_MODE] = {"NodeMode", IN_DEFAULTS | IN_CLAIM, false, read_node_mode},
        [KEY_ON_DRIFT] = {"OnDrift", IN_DEFAULTS | IN_CLAIM, false, read_on_drift},
        [KEY_TIMEOUT] = {"Timeout", IN_DEFAULTS | IN_CLAIM | IN_PF, false, read_timeout},
        [KEY_BOOT_TIMEOUT] = {"BootTimeout", IN_DEFAULTS, false, read_boot_timeout},
        [KEY_ALLOW_IN_USE] = {"AllowInUse", IN_CLAIM, true, read_allow_in_use},
        [KEY_ENABLED] = {"Enabled", IN_CLAIM, false, read_enabled},
        [KEY_NUM_VFS] = {"NumVFs", IN_PF, false, read_num_vfs},
        [KEY_HOST_VFS] = {"HostVFs", IN_PF, false, read_host_vfs},
        [KEY_MATCH] = {"Match", IN_CLAIM | IN_PF, true, NULL},
        [KEY_EXCLUDE] = {"Exclude", IN_DEFAULTS | IN_CLAIM, true, NULL},
};
_Static_assert(ELEMENTSOF(keys) == _KEY_MAX, "every key is described");

const char *key_to_string(Key key)
{
        return keys[key].name;
}

bool key_fits(Key key, SectionType section)
{
        return keys[key].sections & 1U << section;
}

bool key_is_list(Key key)
{
        return keys[key].is_list;
}

int key_from_string(SectionType section, const char *name)
{
        for (size_t i = 0; i < _KEY_MAX; i++)
                if (key_fits((Key) i, section) && streq(keys[i].name, name))
                        return (int) i;
        return -EINVAL;
}

int key_nearest(SectionType section, const char *name)
{
        const char *names[_KEY_MAX];
        size_t n = 0;

        for (size_t i = 0; i < _KEY_MAX; i++)
                if (key_fits((Key) i, section))
                        names[n++] = keys[i].name;
        const char *near = nearest_string(name, names, n);
        return near ? key_from_string(section, near) : -EINVAL;
}

int value_read(Key key, const char *text, Values *values, char problem[static VALUE_PROBLEM_MAX])
{
        int r = keys[key].read(text, values, problem);
        if (r == 0)
                values->set |= 1U << key;
        return r;
}

void value_reset(Key key, Values *values)
{
        values->set &= ~(1U << key);
        if (key == KEY_ALLOW_IN_USE)
                values->allow_in_use = 0;
}

int values_apply(const Values *values, ClaimSettings *settings)
{
        const ClaimSettings *from = &values->settings;
        int r = 0;

        if (values->set & 1U << KEY_DRIVER)
                r = replace_string(&settings->driver, from->driver);
        if (r == 0 && values->set & 1U << KEY_NODE_USER)
                r = replace_string(&settings->node_user, from->node_user);
        if (r == 0 && values->set & 1U << KEY_NODE_GROUP)
                r = replace_string(&settings->node_group, from->node_group);
        if (r < 0)
                return r;
        if (values->set & 1U << KEY_COMPANIONS)
                settings->companions = from->companions;
        if (values->set & 1U << KEY_NODE_MODE)
                settings->node_mode = from->node_mode;
        if (values->set & 1U << KEY_ON_DRIFT)
                settings->on_drift = from->on_drift;
        if (values->set & 1U << KEY_TIMEOUT)
                settings->timeout_usec = from->timeout_usec;
        return 0;
}

void values_done(Values *values)
{
        claim_settings_done(&values->settings);
}
