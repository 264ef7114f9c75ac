/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bus/bouncer.h"
#include "bus/bus.h"
#include "bus/errors.h"
#include "bus/options.h"
#include "util/buffer.h"
#include "util/strings.h"

typedef struct Request {
        struct Request *next;
        RequestList *list;
        sd_bus_message *message;
        ReplyForm form;
        Manual manual;
        PciAddress function; /* MANUAL_BOUND, MANUAL_RELEASED */
        bool is_holders;
        int64_t identifier; /* of the manager; 0: not known yet */
} Request;

struct RequestList {
        Manager *manager;
        Request *requests;
        size_t n;
};

static void request_free(Request *request)
{
        for (Request **link = &request->list->requests; *link; link = &(*link)->next)
                if (*link == request) {
                        *link = request->next;
                        request->list->n--;
                        break;
                }
        sd_bus_message_unref(request->message);
        free(request);
}

int request_list_new(Manager *manager, RequestList **ret)
{
        RequestList *list = calloc(1, sizeof(*list));

        if (!list)
                return -ENOMEM;
        list->manager = manager;
        *ret = list;
        return 0;
}

RequestList *request_list_free(RequestList *list)
{
        if (!list)
                return NULL;
        while (list->requests) {
                Request *request = list->requests;

                if (request->is_holders)
                        manager_forget_holders(list->manager, request->identifier);
                else
                        manager_forget_apply(list->manager, request->identifier);
                request_free(request);
        }
        free(list);
        return NULL;
}

static int request_new(const BusCall *call, ReplyForm form, Request **ret)
{
        RequestList *list = bus_requests(call->bus);
        Request *request = NULL;

        if (list->n >= REQUESTS_MAX)
                return sd_bus_error_set(call->error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                        "Too many requests are being worked on");
        request = calloc(1, sizeof(*request));
        if (!request)
                return -ENOMEM;
        request->list = list;
        request->message = sd_bus_message_ref(call->message);
        request->form = form;
        request->next = list->requests;
        list->requests = request;
        list->n++;
        *ret = request;
        return 0;
}

/* Did the function get what the request wanted? */
static bool is_fulfilled(Manual manual, State state)
{
        if (manual == MANUAL_BOUND)
                return state == STATE_BOUND || state == STATE_DETACHED;
        return state == STATE_RELEASED || state == STATE_UNCLAIMED;
}

static const MemberPlan *shown_member(Manager *manager, const PciAddress *address)
{
        const View *view = manager_view(manager);

        return view && view->plan ? plan_find(view->plan, address, NULL) : NULL;
}

/* What became of the function of the request. Nothing may have had to be done about it: then it is
 * as the view shows it. Returns false if it is not there any more. */
static bool find_outcome(const Request *request, const ApplyResult *result, State *ret_state,
        Reason *ret_reason, const char **ret_text)
{
        const MemberPlan *member;

        for (size_t i = 0; i < result->n; i++) {
                if (!pci_address_equal(&result->addresses[i], &request->function))
                        continue;
                *ret_state = result->states[i];
                *ret_reason = result->reasons[i];
                *ret_text = result->texts[i];
                return true;
        }
        member = shown_member(request->list->manager, &request->function);
        if (!member)
                return false;
        *ret_state = member->state;
        *ret_reason = member->reason;
        *ret_text = member->text;
        return true;
}

/* 0, or the error that the reply is to be. */
static int judge(const Request *request, const ApplyResult *result, sd_bus_error *error)
{
        const char *address = PCI_ADDRESS_TEXT(&request->function), *text;
        Reason reason;
        State state;

        if (request->manual == MANUAL_NONE)
                return 0;
        if (!find_outcome(request, result, &state, &reason, &text))
                return bus_error_no_such_device(error, address);
        if (is_fulfilled(request->manual, state))
                return 0;
        return bus_error_outcome(error, address, state, reason, text);
}

static int append_results(sd_bus_message *reply, const ApplyResult *result)
{
        int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(oss)");

        for (size_t i = 0; r >= 0 && i < result->n; i++) {
                char path[BUS_PATH_MAX];

                r = sd_bus_message_append(reply, "(oss)",
                        path_of_device(&result->addresses[i], path),
                        state_to_string(result->states[i]),
                        reason_to_string(result->reasons[i]));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_devices(sd_bus_message *reply, const Request *request,
        const ApplyResult *result)
{
        int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "o");

        for (size_t i = 0; r >= 0 && i < result->n; i++) {
                char path[BUS_PATH_MAX];

                if (is_fulfilled(request->manual, result->states[i]))
                        r = sd_bus_message_append(reply, "o",
                                path_of_device(&result->addresses[i], path));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int send_result(const Request *request, const ApplyResult *result)
{
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(request->message, &reply);

        if (r >= 0 && request->form == REPLY_RESULTS)
                r = append_results(reply, result);
        if (r >= 0 && request->form == REPLY_DEVICES)
                r = append_devices(reply, request, result);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static void on_applied(void *userdata, int code, const ApplyResult *result)
{
        Request *request = userdata;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = code < 0 ? bus_error_manager(&error, code) : judge(request, result, &error);

        /* Sending fails when the bus went away; then there is nobody to tell. */
        if (r >= 0)
                r = send_result(request, result);
        if (r < 0)
                (void) sd_bus_reply_method_errno(request->message, r, &error);
        sd_bus_error_free(&error);
        request_free(request);
}

static int start_apply(const BusCall *call, const ApplyRequest *apply, ReplyForm form)
{
        Request *request = NULL;
        int r = request_new(call, form, &request);

        if (r < 0)
                return r;
        request->manual = apply->manual;
        if (apply->function)
                request->function = *apply->function;
        request->identifier = manager_apply(call->manager, apply, on_applied, request);
        if (request->identifier < 0) {
                r = (int) request->identifier;
                request_free(request);
                return bus_error_manager(call->error, r);
        }
        return 1;
}

/* A group moves whole: who may have the functions of one claim is not to get those of another
 * because nobody was told. "" if there is none. */
static int name_claims(const DeviceEntry *device, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        if (!device->group && device->plan && device->plan->claim)
                buffer_append(&buffer, device->plan->claim->name);
        for (size_t i = 0; device->group && i < device->group->n_members; i++) {
                const Claim *claim = group_entry_claim(device->group, i);

                if (claim)
                        buffer_printf(&buffer, "%s%s", buffer.length > 0 ? "," : "", claim->name);
        }
        return buffer_finish(&buffer, ret);
}

static int check_device(const BusCall *call, const char *action, const DeviceEntry *device,
        const char *driver)
{
        char address[PCI_ADDRESS_TEXT_MAX], group[24];
        BouncerDetails details = {
                .device = pci_address_format(&device->device->address, address),
                .driver = driver,
                .instance = device->device->inode,
        };
        _cleanup_free_ char *claims = NULL;
        int r = name_claims(device, &claims);

        if (r < 0)
                return r;
        if (*claims)
                details.claim = claims;
        if (device->group) {
                snprintf(group, sizeof(group), "%" PRId64, device->group->number);
                details.group = group;
        }
        return bouncer_check(bus_bouncer(call->bus), call->message, action, &details, call->error);
}

/* What a bind without "driver" would give it, as far as it can be told before planning. */
static const char *configured_driver(const BusCall *call, const DeviceEntry *device)
{
        if (device->plan && device->plan->claim)
                return device->plan->claim->settings.driver;
        return call->index->view->config->defaults.driver;
}

int request_bind(const BusCall *call, const DeviceEntry *device, ReplyForm form)
{
        ApplyRequest apply = APPLY_REQUEST_ALL;
        int r = options_read(call->message,
                OPTION_DRIVER | OPTION_COMPANIONS | OPTION_ALLOW_IN_USE, &apply, call->error);

        if (r < 0)
                return r;
        /* the kernel's VFIO drivers take endpoints only: no plan would ever touch it */
        if (device->device->is_bridge)
                return sd_bus_error_setf(call->error, SD_BUS_ERROR_NOT_SUPPORTED,
                        "%s is a bridge, and bridges stay with the host; name a function behind it",
                        PCI_ADDRESS_TEXT(&device->device->address));
        r = check_device(call,
                apply.allow_in_use ? BUS_ACTION_OVERRIDE_GUARD : BUS_ACTION_BIND, device,
                apply.driver ? apply.driver : configured_driver(call, device));
        if (r <= 0)
                return r < 0 ? r : 1;
        apply.manual = MANUAL_BOUND;
        apply.function = &device->device->address;
        apply.inode = device->device->inode;
        return start_apply(call, &apply, form);
}

int request_release(const BusCall *call, const DeviceEntry *device, ReplyForm form)
{
        ApplyRequest apply = APPLY_REQUEST_ALL;
        int r = options_read(call->message, OPTION_NO_PROBE, &apply, call->error);

        if (r < 0)
                return r;
        r = check_device(call, BUS_ACTION_RELEASE, device, device->device->driver);
        if (r <= 0)
                return r < 0 ? r : 1;
        apply.manual = MANUAL_RELEASED;
        apply.function = &device->device->address;
        apply.inode = device->device->inode;
        return start_apply(call, &apply, form);
}

static int join(char *const *list, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};

        for (size_t i = 0; list && list[i]; i++) {
                buffer_append(&buffer, i > 0 ? "," : "");
                buffer_append(&buffer, list[i]);
        }
        return buffer_finish(&buffer, ret);
}

static int check_apply(const BusCall *call, char *const *claims)
{
        _cleanup_free_ char *names = NULL;
        BouncerDetails details = {};
        int r;

        for (size_t i = 0; claims && claims[i]; i++)
                if (!view_index_claim(call->index, claims[i]))
                        return bus_error_no_such_claim(call->error, claims[i]);
        /* It is kept while polkit is asked, so it must not be of any length. */
        if (string_list_length(claims) > call->index->n_claims)
                return sd_bus_error_set(call->error, SD_BUS_ERROR_INVALID_ARGS,
                        "More claims are named than there are");
        r = join(claims, &names);
        if (r < 0)
                return r;
        if (*names)
                details.claim = names;
        return bouncer_check(bus_bouncer(call->bus), call->message, BUS_ACTION_APPLY, &details,
                call->error);
}

int request_apply(const BusCall *call)
{
        _cleanup_string_list_ char **claims = NULL;
        ApplyRequest apply = APPLY_REQUEST_ALL;
        int r = sd_bus_message_read_strv(call->message, &claims);

        if (r < 0)
                return r;
        r = options_read(call->message, OPTION_PRUNE, &apply, call->error);
        if (r < 0)
                return r;
        r = check_apply(call, claims);
        if (r <= 0)
                return r < 0 ? r : 1;
        apply.claims = claims;
        return start_apply(call, &apply, REPLY_RESULTS);
}

int request_reload(const BusCall *call)
{
        int r = bouncer_check(bus_bouncer(call->bus), call->message, BUS_ACTION_RELOAD,
                &(BouncerDetails){}, call->error);

        if (r <= 0)
                return r < 0 ? r : 1;
        r = manager_reload(call->manager);
        if (r < 0)
                return bus_error_manager(call->error, r);
        return sd_bus_reply_method_return(call->message, NULL);
}

static int send_holders(const Request *request, const Holder *holders, size_t n)
{
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(request->message, &reply);

        if (r >= 0)
                r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(usss)");
        for (size_t i = 0; r >= 0 && i < n; i++) {
                Sink sink = SINK_MESSAGE(reply);

                r = sink_open_struct(&sink, "usss");
                if (r >= 0)
                        r = sink_unsigned(&sink, holders[i].pid);
                if (r >= 0)
                        r = sink_string(&sink, holders[i].command);
                if (r >= 0)
                        r = sink_string(&sink, holders[i].unit);
                if (r >= 0)
                        r = sink_string(&sink, holders[i].machine);
                if (r >= 0)
                        r = sink_close(&sink);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static void on_holders(void *userdata, int code, const Holder *holders, size_t n)
{
        Request *request = userdata;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = code < 0 ? bus_error_manager(&error, code) : send_holders(request, holders, n);

        if (r < 0)
                (void) sd_bus_reply_method_errno(request->message, r, &error);
        sd_bus_error_free(&error);
        request_free(request);
}

int request_holders(const BusCall *call, const GroupEntry *group)
{
        char number[24];
        Request *request = NULL;
        int r;

        snprintf(number, sizeof(number), "%" PRId64, group->number);
        r = bouncer_check(bus_bouncer(call->bus), call->message, BUS_ACTION_INSPECT,
                &(BouncerDetails){ .group = number }, call->error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = request_new(call, REPLY_EMPTY, &request);
        if (r < 0)
                return r;
        request->is_holders = true;
        request->identifier = manager_list_holders(call->manager, group->number, on_holders,
                request);
        if (request->identifier < 0) {
                r = (int) request->identifier;
                request_free(request);
                return bus_error_manager(call->error, r);
        }
        return 1;
}
