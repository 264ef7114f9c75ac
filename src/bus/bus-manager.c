/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/errors.h"
#include "bus/names.h"
#include "bus/object.h"
#include "bus/options.h"
#include "bus/request.h"
#include "util/strings.h"
#include "version.h"

/* org.vfio.Bind1.Manager: the one object at the root. Before the first scan there is no view. */

static int get_version(Sink *sink, _unused_ const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_string(sink, PROJECT_VERSION);
}

static int get_state(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_string(sink, index->view ? index->view->state : "starting");
}

static int get_settled(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_boolean(sink, index->view && index->view->settled);
}

static int get_iommu(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        if (!index->view)
                return sink_string(sink, BUS_UNKNOWN);
        if (index->view->snapshot->has_iommu)
                return sink_string(sink, "active");
        return sink_string(sink, index->n_groups > 0 ? "noiommu" : "none");
}

static int sink_known(Sink *sink, const char *word)
{
        return sink_string(sink, word ? word : BUS_UNKNOWN);
}

static int get_interrupt_remapping(Sink *sink, const ViewIndex *index,
        _unused_ const Entry *entry)
{
        return sink_known(sink, index->view ? index->view->interrupt_remapping : NULL);
}

static int get_initramfs_state(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_known(sink, index->view ? index->view->initramfs_state : NULL);
}

static int get_booted_initramfs_state(Sink *sink, const ViewIndex *index,
        _unused_ const Entry *entry)
{
        return sink_known(sink, index->view ? index->view->booted_initramfs_state : NULL);
}

static int get_configuration_state(Sink *sink, const ViewIndex *index,
        _unused_ const Entry *entry)
{
        return sink_known(sink, index->view ? index->view->configuration_state : NULL);
}

static int sink_diagnostic(Sink *sink, const Diagnostic *diagnostic)
{
        int r = sink_open_struct(sink, "suus");

        if (r >= 0)
                r = sink_string(sink, diagnostic->location.file);
        if (r >= 0)
                r = sink_unsigned(sink, diagnostic->location.line);
        if (r >= 0)
                r = sink_unsigned(sink, diagnostic->location.column);
        if (r >= 0)
                r = sink_string(sink, diagnostic->message);
        return r < 0 ? r : sink_close(sink);
}

static int get_configuration_errors(Sink *sink, const ViewIndex *index,
        _unused_ const Entry *entry)
{
        const DiagnosticList *list = index->view ? &index->view->config->diagnostics : NULL;
        int r = sink_open_array(sink, "(suus)");

        for (size_t i = 0; r >= 0 && list && i < list->n_items; i++)
                if (list->items[i].is_error)
                        r = sink_diagnostic(sink, &list->items[i]);
        return r < 0 ? r : sink_close(sink);
}

static int get_claims(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        int r = sink_open_array(sink, "o");

        for (size_t i = 0; r >= 0 && i < index->n_claims; i++) {
                char path[BUS_PATH_MAX];

                r = sink_path(sink,
                        path_of_name(BUS_PREFIX_CLAIM, index->claims[i].claim->name, path));
        }
        return r < 0 ? r : sink_close(sink);
}

static int get_physical_functions(Sink *sink, const ViewIndex *index,
        _unused_ const Entry *entry)
{
        int r = sink_open_array(sink, "o");

        for (size_t i = 0; r >= 0 && i < index->n_physical_functions; i++) {
                char path[BUS_PATH_MAX];

                r = sink_path(sink, path_of_name(BUS_PREFIX_PHYSICAL_FUNCTION,
                                            index->physical_functions[i].section->name, path));
        }
        return r < 0 ? r : sink_close(sink);
}

static int get_pending(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_unsigned(sink, index->view ? index->view->n_pending : 0);
}

static int get_n_bound(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_unsigned(sink, index->view ? index->view->n_bound : 0);
}

static int get_n_refused(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_unsigned(sink, index->view ? index->view->n_refused : 0);
}

static int get_n_failed(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_unsigned(sink, index->view ? index->view->n_failed : 0);
}

static int get_n_stuck(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_unsigned(sink, index->view ? index->view->n_stuck : 0);
}

static int get_n_absent(Sink *sink, const ViewIndex *index, _unused_ const Entry *entry)
{
        return sink_unsigned(sink, index->view ? index->view->n_absent : 0);
}

static const BusProperty properties[] = {
        { "Version", "s", get_version, PROPERTY_CONSTANT },
        { "State", "s", get_state },
        { "Settled", "b", get_settled },
        { "Iommu", "s", get_iommu },
        { "InterruptRemapping", "s", get_interrupt_remapping },
        { "InitramfsState", "s", get_initramfs_state },
        { "BootedInitramfsState", "s", get_booted_initramfs_state },
        { "ConfigurationState", "s", get_configuration_state },
        { "ConfigurationErrors", "a(suus)", get_configuration_errors },
        { "Claims", "ao", get_claims },
        { "PhysicalFunctions", "ao", get_physical_functions },
        { "Pending", "u", get_pending },
        { "NBound", "u", get_n_bound },
        { "NRefused", "u", get_n_refused },
        { "NFailed", "u", get_n_failed },
        { "NStuck", "u", get_n_stuck },
        { "NAbsent", "u", get_n_absent },
};

/* Reads the address of a function that is there. */
static int read_device(const BusCall *call, const DeviceEntry **ret)
{
        const DeviceEntry *device;
        PciAddress address;
        const char *text;
        int r = sd_bus_message_read(call->message, "s", &text);

        if (r < 0)
                return r;
        if (pci_address_parse(text, &address) < 0)
                return bus_error_no_such_device(call->error, text);
        device = view_index_device(call->index, &address);
        if (!device)
                return bus_error_no_such_device(call->error, text);
        *ret = device;
        return 0;
}

static int send_and_free(sd_bus_message *reply, int r)
{
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int reply_path(const BusCall *call, const BusInterface *interface, const Entry *entry)
{
        char path[BUS_PATH_MAX];

        return sd_bus_reply_method_return(call->message, "o", interface->path(entry, path));
}

static int handle_get_device(const BusCall *call)
{
        const DeviceEntry *device = NULL;
        int r = read_device(call, &device);

        return r < 0 ? r : reply_path(call, &bus_device_interface, &device->entry);
}

static int handle_get_group(const BusCall *call)
{
        uint32_t number;
        int r = sd_bus_message_read(call->message, "u", &number);

        if (r < 0)
                return r;
        const GroupEntry *group = view_index_group(call->index, number);
        if (!group)
                return bus_error_no_such_group(call->error, number);
        return reply_path(call, &bus_group_interface, &group->entry);
}

static int handle_get_claim(const BusCall *call)
{
        const char *name;
        int r = sd_bus_message_read(call->message, "s", &name);

        if (r < 0)
                return r;
        const ClaimEntry *claim = view_index_claim(call->index, name);
        if (!claim)
                return bus_error_no_such_claim(call->error, name);
        return reply_path(call, &bus_claim_interface, &claim->entry);
}

static int reply_list(const BusCall *call, const BusInterface *interface, const char *contents)
{
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call->message, &reply);

        if (r >= 0) {
                Sink sink = SINK_MESSAGE(reply);

                r = bus_list(interface, call->index, contents, &sink);
        }
        return send_and_free(reply, r);
}

static int handle_list_devices(const BusCall *call)
{
        return reply_list(call, &bus_device_interface, BUS_LISTED_DEVICE);
}

static int handle_list_claims(const BusCall *call)
{
        return reply_list(call, &bus_claim_interface, BUS_LISTED_CLAIM);
}

static int handle_bind_device(const BusCall *call)
{
        const DeviceEntry *device = NULL;
        int r = read_device(call, &device);

        return r < 0 ? r : request_bind(call, device, REPLY_DEVICES);
}

static int handle_release_device(const BusCall *call)
{
        const DeviceEntry *device = NULL;
        int r = read_device(call, &device);

        return r < 0 ? r : request_release(call, device, REPLY_DEVICES);
}

static int append_step(sd_bus_message *reply, const GroupPlan *group, const MemberPlan *member,
        bool next_boot)
{
        /* At the next boot, what is worked on has no driver yet. */
        bool has_driver = member->device->driver &&
                !(next_boot && member->action != ACTION_NONE);
        const char *driver = has_driver ? member->device->driver : "";
        /* nothing to do: it stays where it is */
        const char *target = member->action == ACTION_NONE ? driver
                : member->target                           ? member->target
                                                           : "";

        return sd_bus_message_append(reply, "(isssss)", (int32_t) group->number,
                PCI_ADDRESS_TEXT(&member->device->address), action_to_string(member->action),
                driver, target, reason_to_string(member->reason));
}

static int append_plan(sd_bus_message *reply, const Plan *plan, bool next_boot)
{
        int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(isssss)");

        for (size_t i = 0; r >= 0 && i < plan->n_groups; i++)
                for (size_t j = 0; r >= 0 && j < plan->groups[i].n_members; j++) {
                        const MemberPlan *member = &plan->groups[i].members[j];

                        if (member->action != ACTION_NONE || member->reason != REASON_NONE)
                                r = append_step(reply, &plan->groups[i], member, next_boot);
                }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int handle_plan(const BusCall *call)
{
        ApplyRequest request = APPLY_REQUEST_ALL;
        sd_bus_message *reply = NULL;
        const Plan *plan;
        int r = options_read(call->message, OPTION_PRUNE | OPTION_NEXT_BOOT, &request,
                call->error);

        if (r < 0)
                return r;
        r = manager_plan(call->manager, request.prune, request.next_boot, &plan);
        if (r < 0)
                return bus_error_manager(call->error, r);
        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = append_plan(reply, plan, request.next_boot);
        return send_and_free(reply, r);
}

static int append_explanation(sd_bus_message *reply, const Explanation *explanation)
{
        const Location *location = &explanation->match->location;
        Sink sink = SINK_MESSAGE(reply);
        _cleanup_free_ char *term = NULL;
        int r = 0;

        if (explanation->term)
                r = format_string(&term, "%s=%s", term_type_to_string(explanation->term->type),
                        explanation->term->value);
        if (r >= 0)
                r = sink_open_struct(&sink, "ssusss");
        if (r >= 0)
                r = sink_string(&sink, explanation->claim ? explanation->claim->name : NULL);
        if (r >= 0)
                r = sink_string(&sink, location->file);
        if (r >= 0)
                r = sink_unsigned(&sink, location->line);
        if (r >= 0)
                r = sink_string(&sink, term);
        if (r >= 0)
                r = sink_string(&sink, answer_to_string(explanation->answer));
        if (r >= 0)
                r = sink_string(&sink, explanation->is_exclude ? "exclude" : NULL);
        return r < 0 ? r : sink_close(&sink);
}

static int handle_explain(const BusCall *call)
{
        _cleanup_free_ Explanation *explanations = NULL;
        const DeviceEntry *device = NULL;
        sd_bus_message *reply = NULL;
        size_t n;
        int r = read_device(call, &device);

        if (r < 0)
                return r;
        r = planner_explain(call->index->view->snapshot, call->index->view->config,
                STAGE_RUNTIME, device->device, &explanations, &n);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(ssusss)");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = append_explanation(reply, &explanations[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return send_and_free(reply, r);
}

static const BusMethod methods[] = {
        { "Reload", "", "", "", request_reload },
        { "Apply", "asa{sv}", "a(oss)",
                SD_BUS_PARAM(claims) SD_BUS_PARAM(options) SD_BUS_PARAM(results), request_apply },
        { "Plan", "a{sv}", "a(isssss)", SD_BUS_PARAM(options) SD_BUS_PARAM(steps), handle_plan },
        { "Explain", "s", "a(ssusss)", SD_BUS_PARAM(device) SD_BUS_PARAM(answers),
                handle_explain },
        { "GetDevice", "s", "o", SD_BUS_PARAM(device) SD_BUS_PARAM(object), handle_get_device },
        { "GetGroup", "u", "o", SD_BUS_PARAM(number) SD_BUS_PARAM(object), handle_get_group },
        { "GetClaim", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(object), handle_get_claim },
        { "ListDevices", "", "a(" BUS_LISTED_DEVICE ")", SD_BUS_PARAM(devices),
                handle_list_devices },
        { "ListClaims", "", "a(" BUS_LISTED_CLAIM ")", SD_BUS_PARAM(claims), handle_list_claims },
        { "BindDevice", "sa{sv}", "ao",
                SD_BUS_PARAM(device) SD_BUS_PARAM(options) SD_BUS_PARAM(devices),
                handle_bind_device },
        { "ReleaseDevice", "sa{sv}", "ao",
                SD_BUS_PARAM(device) SD_BUS_PARAM(options) SD_BUS_PARAM(devices),
                handle_release_device },
};

static char *path(_unused_ const Entry *entry, char text[static BUS_PATH_MAX])
{
        return strcpy(text, BUS_ROOT);
}

const BusInterface bus_manager_interface = {
        .name = BUS_INTERFACE_MANAGER,
        .methods = methods,
        .n_methods = ELEMENTSOF(methods),
        .properties = properties,
        .n_properties = ELEMENTSOF(properties),
        .path = path,
};
