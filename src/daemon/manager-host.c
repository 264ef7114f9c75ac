/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager-internal.h"
#include "exec/operations-host.h"

/* The manager of this machine; of a saved tree it only reads. */

int manager_new(sd_event *event, const Host *host, const char *config_root, Manager **ret)
{
        Operations operations;

        operations_host_with_name_service(host, &operations);
        return manager_new_with_options(event, host,
                &(ManagerOptions){
                        .config_root = config_root,
                        .operations = &operations,
                        .may_act = host->is_live,
                        .watch = host->is_live,
                },
                ret);
}
