/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/node-accounts.h"

#include <errno.h>
#include <unistd.h>

#include "host/accounts.h"
#include "util/strings.h"

const char *node_account_key(NodeAccount account)
{
        return account == NODE_ACCOUNT_USER ? "NodeUser" : "NodeGroup";
}

const char *node_account_name(const ClaimSettings *settings, NodeAccount account)
{
        return account == NODE_ACCOUNT_USER ? settings->node_user : settings->node_group;
}

bool node_account_is_unknown(const Host *host, const ClaimSettings *settings, NodeAccount account)
{
        const char *name = node_account_name(settings, account);
        bool is_user = account == NODE_ACCOUNT_USER;
        uint32_t number;
        int r;

        if (faccessat(host->root, is_user ? "etc/passwd" : "etc/group", R_OK, 0) < 0)
                return false;
        r = is_user ? account_find_user(host, name, host->is_live, &number)
                    : account_find_group(host, name, host->is_live, &number);
        return r == -ENXIO;
}

static bool takes_part(const Claim *claim)
{
        return claim->enabled && !claim->has_error;
}

bool node_account_is_first(const Config *config, const Claim *claim, NodeAccount account)
{
        const char *name = node_account_name(&claim->settings, account);

        for (const Claim *other = config->claims; other < claim; other++)
                if (takes_part(other) &&
                    streq(node_account_name(&other->settings, account), name))
                        return false;
        return takes_part(claim);
}
