/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec/operations.h"

static const char *const operation_table[_OPERATION_MAX] = {
        [OPERATION_LOCK_GROUP] = "lock-group",
        [OPERATION_UNLOCK_GROUP] = "unlock-group",
        [OPERATION_TEST_LOCK] = "test-lock",
        [OPERATION_LOAD_MODULE] = "load-module",
        [OPERATION_LOAD_HOST_DRIVERS] = "load-host-drivers",
        [OPERATION_READ_DRIVER] = "read-driver",
        [OPERATION_READ_OVERRIDE] = "read-override",
        [OPERATION_WRITE_OVERRIDE] = "write-override",
        [OPERATION_UNBIND] = "unbind",
        [OPERATION_BIND] = "bind",
        [OPERATION_PROBE] = "probe",
        [OPERATION_READ_POWER_CONTROL] = "read-power-control",
        [OPERATION_WRITE_POWER_CONTROL] = "write-power-control",
        [OPERATION_READ_AUTOPROBE] = "read-autoprobe",
        [OPERATION_WRITE_AUTOPROBE] = "write-autoprobe",
        [OPERATION_READ_NUM_VFS] = "read-num-vfs",
        [OPERATION_WRITE_NUM_VFS] = "write-num-vfs",
        [OPERATION_GUARD] = "guard",
        [OPERATION_IS_OPEN] = "is-open",
        [OPERATION_LOAD_RECORD] = "load-record",
        [OPERATION_SAVE_ORIGINAL] = "save-original",
        [OPERATION_REPLACE_ORIGINAL] = "replace-original",
        [OPERATION_SAVE_RECORD] = "save-record",
        [OPERATION_REMOVE_RECORD] = "remove-record",
        [OPERATION_SECURE_NODE] = "secure-node",
        [OPERATION_FINISH_NODE] = "finish-node",
        [OPERATION_LINK_NODE] = "link-node",
        [OPERATION_ANNOUNCE_NODE] = "announce-node",
        [OPERATION_UNLINK_NODE] = "unlink-node",
        [OPERATION_BEGIN_INTENT] = "begin-intent",
        [OPERATION_END_INTENT] = "end-intent",
};

const char *operation_type_to_string(OperationType type)
{
        return type >= 0 && type < _OPERATION_MAX ? operation_table[type] : "unknown";
}

bool operation_is_write(OperationType type)
{
        switch (type) {
        case OPERATION_WRITE_OVERRIDE:
        case OPERATION_UNBIND:
        case OPERATION_BIND:
        case OPERATION_PROBE:
        case OPERATION_WRITE_POWER_CONTROL:
        case OPERATION_WRITE_AUTOPROBE:
        case OPERATION_WRITE_NUM_VFS:
                return true;
        default:
                return false;
        }
}
