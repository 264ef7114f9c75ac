/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/config.h"
#include "host/host.h"

/* Accounts that NodeUser= and NodeGroup= name. */

typedef enum NodeAccount {
        NODE_ACCOUNT_USER,
        NODE_ACCOUNT_GROUP,
        _NODE_ACCOUNT_MAX,
} NodeAccount;

const char *node_account_key(NodeAccount account); /* "NodeUser" */
const char *node_account_name(const ClaimSettings *settings, NodeAccount account);

/* Is there none of that name? No, too, if it cannot be told: a tree may be without accounts. */
bool node_account_is_unknown(const Host *host, const ClaimSettings *settings, NodeAccount account);

/* Is this claim, which takes part, the first to name it? */
bool node_account_is_first(const Config *config, const Claim *claim, NodeAccount account);
