/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/object.h"

/* Methods that change something or take their time: argument check, bouncer, manager, and the
 * reply when the manager is done. Each returns what a handler returns. */

typedef enum ReplyForm {
        REPLY_EMPTY,
        REPLY_DEVICES, /* ao */
        REPLY_RESULTS, /* a(oss) */
} ReplyForm;

/* Read a{sv} from the message, where it must be next. */
int request_bind(const BusCall *call, const DeviceEntry *device, ReplyForm form);
int request_release(const BusCall *call, const DeviceEntry *device, ReplyForm form);
int request_apply(const BusCall *call); /* as, a{sv} -> a(oss) */
int request_reload(const BusCall *call);
int request_holders(const BusCall *call, const GroupEntry *group);

/* Requests that the manager works on, for one connection. */
#define REQUESTS_MAX 64
typedef struct RequestList RequestList;
int request_list_new(Manager *manager, RequestList **ret) _must_check_;
/* Forgets the callbacks; the work goes on. */
RequestList *request_list_free(RequestList *list);
