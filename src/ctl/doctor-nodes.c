/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "ctl/doctor.h"
#include "ctl/node-accounts.h"
#include "ctl/tree.h"
#include "host/accounts.h"
#include "host/nodes.h"
#include "util/parse.h"
#include "util/strings.h"

/* Who may open devices, and whether they may do what comes next. */

/* A guest's whole memory is locked; below this no guest fits. */
#define MEMLOCK_SMALL_KIB (1024 * 1024)

/* A claim whose functions are in the group; NULL: none. */
static const Claim *claim_of_group(const Doctor *doctor, int64_t group)
{
        for (size_t i = 0; i < doctor->model->n_devices; i++) {
                const ModelDevice *device = &doctor->model->devices[i];

                if (device->group == group && device->claim && doctor_is_bound(device))
                        return config_find_claim(doctor->config, device->claim);
        }
        return NULL;
}

static int unknown_account(Doctor *doctor, const Claim *claim, NodeAccount account)
{
        const char *name = node_account_name(&claim->settings, account);
        int r;

        r = doctor_find(doctor, true, "account-unknown",
                "There is no account %s, which %s= of claim %s names: only root can open its "
                "devices.", name, node_account_key(account), claim->name);
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Create it (\"%s --system %s\"), or name another one and run "
                               "\"systemctl reload vfio-bindd\".",
                               account == NODE_ACCOUNT_USER ? "useradd" : "groupadd", name);
}

/* Once for all claims that name it. */
static int examine_accounts(Doctor *doctor, const Claim *claim)
{
        int r = 0;

        for (NodeAccount account = 0; r >= 0 && account < _NODE_ACCOUNT_MAX; account++)
                if (node_account_is_first(doctor->config, claim, account) &&
                    node_account_is_unknown(&doctor->host, &claim->settings, account))
                        r = unknown_account(doctor, claim, account);
        return r;
}

static int compare_owner(Doctor *doctor, const Claim *claim, int64_t group, uid_t uid, gid_t gid)
{
        const ClaimSettings *settings = &claim->settings;
        NodeStatus status;
        int r;

        r = node_status(&doctor->host, group, &status);
        if (r < 0 || !status.exists)
                return r == -ENOMEM ? r : 0;
        if (status.uid == uid && status.gid == gid && status.mode == settings->node_mode)
                return 0;
        r = doctor_find(doctor, true, "node-owner",
                "/dev/vfio/%" PRIi64 " belongs to %u:%u with mode %04o, and claim %s wants %s:%s "
                "with %04o.", group, (unsigned) status.uid, (unsigned) status.gid,
                (unsigned) status.mode, claim->name, settings->node_user, settings->node_group,
                (unsigned) settings->node_mode);
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Run \"vfio-bindctl apply %s\". If it comes back, somebody else "
                               "changes it: libvirt's dynamic_ownership, or a rule in "
                               "/etc/udev/rules.d.", claim->name);
}

static int examine_group(Doctor *doctor, int64_t group)
{
        const Claim *claim = claim_of_group(doctor, group);
        const Host *host = &doctor->host;
        uid_t uid;
        gid_t gid;
        int r;

        if (!claim)
                return 0;
        r = account_find_user(host, claim->settings.node_user, host->is_live, &uid);
        if (r >= 0)
                r = account_find_group(host, claim->settings.node_group, host->is_live, &gid);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        return compare_owner(doctor, claim, group, uid, gid);
}

/* Has a claimed function before this one the same group? */
static bool is_seen(const Model *model, size_t index)
{
        for (size_t i = 0; i < index; i++)
                if (model->devices[i].claim &&
                    model->devices[i].group == model->devices[index].group)
                        return true;
        return false;
}

static int examine_owners(Doctor *doctor)
{
        const Model *model = doctor->model;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_devices; i++)
                if (model->devices[i].claim && model->devices[i].group >= 0 && !is_seen(model, i))
                        r = examine_group(doctor, model->devices[i].group);
        return r;
}

/* What limits.conf(5) says of one user: KiB, UINT64_MAX: no limit. */
typedef struct Limit {
        bool is_set;
        uint64_t kib;
        bool is_own; /* by the user's name, which wins over groups and "*" */
} Limit;

static void read_limit(char *line, const ClaimSettings *settings, Limit *limit)
{
        char *rest = NULL, *who = strtok_r(line, " \t", &rest);
        char *type = who ? strtok_r(NULL, " \t", &rest) : NULL;
        char *item = type ? strtok_r(NULL, " \t", &rest) : NULL;
        char *value = item ? strtok_r(NULL, " \t", &rest) : NULL;
        bool is_own;
        uint64_t kib;

        if (!value || *who == '#' || !streq(item, "memlock") || streq(type, "hard"))
                return;
        is_own = streq(who, settings->node_user);
        if (!is_own && !streq(who, "*") && !(*who == '@' && streq(who + 1, settings->node_group)))
                return;
        if (limit->is_own && !is_own)
                return;
        if (streq(value, "unlimited") || streq(value, "infinity") || streq(value, "-1"))
                kib = UINT64_MAX;
        else if (parse_unsigned(value, UINT64_MAX, &kib) < 0)
                return;
        *limit = (Limit){ .is_set = true, .kib = kib, .is_own = is_own };
}

static int read_limits(const Doctor *doctor, const char *path, const ClaimSettings *settings,
        Limit *limit)
{
        _cleanup_free_ char *text = NULL;
        char *rest, *line;
        int r;

        r = tree_read(&doctor->host, path, &text);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        rest = text;
        while ((line = tree_next_line(&rest, NULL)))
                read_limit(strip(line), settings, limit);
        return 0;
}

static int find_limit(const Doctor *doctor, const ClaimSettings *settings, Limit *limit)
{
        _cleanup_string_list_ char **names = NULL;
        int r;

        r = read_limits(doctor, "/etc/security/limits.conf", settings, limit);
        if (r >= 0)
                r = tree_list(&doctor->host, "/etc/security/limits.d", ".conf", &names);
        for (char **name = names; r >= 0 && name && *name; name++) {
                _cleanup_free_ char *path = NULL;

                r = format_string(&path, "/etc/security/limits.d/%s", *name);
                if (r >= 0)
                        r = read_limits(doctor, path, settings, limit);
        }
        return r;
}

static bool is_first_of_user(const Config *config, size_t index)
{
        for (size_t i = 0; i < index; i++)
                if (streq(config->claims[i].settings.node_user,
                            config->claims[index].settings.node_user))
                        return false;
        return true;
}

static int examine_limit(Doctor *doctor, const Claim *claim)
{
        const char *user = claim->settings.node_user;
        Limit limit = {};
        int r;

        if (streq(user, "root") || streq(user, "0") ||
            node_account_is_unknown(&doctor->host, &claim->settings, NODE_ACCOUNT_USER))
                return 0;
        r = find_limit(doctor, &claim->settings, &limit);
        if (r < 0 || (limit.is_set && limit.kib >= MEMLOCK_SMALL_KIB))
                return r;
        if (limit.is_set)
                r = doctor_find(doctor, false, "memlock",
                        "%s, who may open the devices of claim %s, may lock %" PRIu64 " KiB of "
                        "memory: a guest with a device needs all of its memory locked.", user,
                        claim->name, limit.kib);
        else
                r = doctor_find(doctor, false, "memlock",
                        "%s, who may open the devices of claim %s, has no memlock limit in "
                        "/etc/security: the default of 8 MiB is less than any guest with a device "
                        "needs.", user, claim->name);
        return r < 0 ? r
                     : doctor_remedy(doctor,
                               "Run \"echo '%s - memlock unlimited' "
                               ">/etc/security/limits.d/vfio-bindd.conf\" and log in again; for a "
                               "service, set LimitMEMLOCK=infinity in its unit. libvirt does it "
                               "by itself.", user);
}

int doctor_examine_nodes(Doctor *doctor)
{
        int r;

        r = examine_owners(doctor);
        for (size_t i = 0; r >= 0 && i < doctor->config->n_claims; i++)
                r = examine_accounts(doctor, &doctor->config->claims[i]);
        for (size_t i = 0; r >= 0 && i < doctor->config->n_claims; i++)
                if (is_first_of_user(doctor->config, i))
                        r = examine_limit(doctor, &doctor->config->claims[i]);
        return r;
}
