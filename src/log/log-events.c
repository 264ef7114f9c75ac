/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log/log.h"

#include <inttypes.h>
#include <stdio.h>

#include "log/message-ids.h"
#include "util/strings.h"
#include "version.h"

/* The words in which people read what happened. A line names the function first, then what came
 * of it, then the thing in the way and a remedy, then the line of the configuration. */

#define LINE_MAX_TEXT 1024

typedef struct Outcome {
        int level;
        const char *message_id;
        const char *phrase; /* "bound to", "not bound" … */
} Outcome;

static Outcome outcome_of(State state)
{
        switch (state) {
        case STATE_BOUND:
                return (Outcome){ LOG_NOTICE, MESSAGE_DEVICE_BOUND, "bound" };
        case STATE_DETACHED:
                return (Outcome){ LOG_NOTICE, MESSAGE_DEVICE_DETACHED, "detached" };
        case STATE_UNCLAIMED: /* a virtual function that no claim takes */
                return (Outcome){ LOG_INFO, MESSAGE_DEVICE_RELEASED, "given" };
        case STATE_RELEASED:
        case STATE_GAVE_BACK:
                return (Outcome){ LOG_NOTICE, MESSAGE_DEVICE_RELEASED, "given back" };
        case STATE_FAILED:
                return (Outcome){ LOG_ERR, MESSAGE_DEVICE_FAILED, "not bound" };
        case STATE_STUCK:
                return (Outcome){ LOG_ERR, MESSAGE_DEVICE_STUCK, "stuck" };
        case STATE_DRIFTED:
                return (Outcome){ LOG_WARNING, MESSAGE_DEVICE_DRIFTED, "drifted" };
        case STATE_PENDING:
        case STATE_BINDING:
        case STATE_RELEASING:
                return (Outcome){ LOG_INFO, MESSAGE_DEVICE_PENDING, "waiting" };
        case STATE_REFUSED:
        default:
                return (Outcome){ LOG_WARNING, MESSAGE_DEVICE_REFUSED, "not bound" };
        }
}

/* "0000:03:00.0 (1b36:0010)"; the ids only where the function is at hand. */
static const char *subject(const PciAddress *address, const Device *device, char text[static 40])
{
        char name[PCI_ADDRESS_TEXT_MAX];

        pci_address_format(address, name);
        if (device)
                (void) snprintf(text, 40, "%s (%04x:%04x)", name, device->vendor, device->device);
        else
                (void) snprintf(text, 40, "%s", name);
        return text;
}

/* "… (/etc/vfio-bind.conf:12" — is that what it ends with, ")" left out? */
static bool ends_with_place(const char *sentence, size_t length, const char *file)
{
        char opening[512];
        size_t n = (size_t) snprintf(opening, sizeof(opening), " (%s:", file);
        size_t digits = 0;

        while (digits < length && sentence[length - digits - 1] >= '0' &&
                sentence[length - digits - 1] <= '9')
                digits++;
        return digits > 0 && n < sizeof(opening) && length - digits >= n &&
                memcmp(sentence + length - digits - n, opening, n) == 0;
}

/* Adds " (file:line)." to a sentence, before its full stop, unless it names that place itself or
 * ends with another one. */
static void sentence_with_place(const char *sentence, const Location *location, char *text,
        size_t size)
{
        char place[512] = "";
        size_t length = strlen(sentence);

        if (length > 0 && sentence[length - 1] == '.')
                length--;
        if (location && location->file)
                (void) snprintf(place, sizeof(place), "%s:%u", location->file, location->line);
        if (length > 0 && sentence[length - 1] == ')' && *place &&
            ends_with_place(sentence, length - 1, location->file))
                *place = '\0';
        if (*place && !strstr(sentence, place))
                (void) snprintf(text, size, "%.*s (%s).", (int) length, sentence, place);
        else
                (void) snprintf(text, size, "%.*s.", (int) length, sentence);
}

static const Location *member_location(const MemberPlan *member)
{
        if (!member)
                return NULL;
        if (member->match)
                return &member->match->location;
        return member->claim ? &member->claim->location : NULL;
}

void log_config(const Config *config)
{
        for (size_t i = 0; i < config->diagnostics.n_items; i++) {
                const Diagnostic *diagnostic = &config->diagnostics.items[i];
                LogFields fields = LOG_FIELDS_NONE;
                _cleanup_free_ char *text = NULL;

                fields.message_id = diagnostic->is_error ? MESSAGE_CONFIG_ERROR :
                                                           MESSAGE_CONFIG_WARNING;
                if (diagnostic->is_error)
                        fields.reason = REASON_CONFIG_ERROR;
                if (diagnostic->section)
                        fields.claim = startswith(diagnostic->section, "Claim ");
                if (diagnostic_format(diagnostic, &text) < 0)
                        continue;
                log_full(diagnostic->is_error ? LOG_ERR : LOG_WARNING, &fields, "%s", text);
        }
}

static LogFields member_fields(const GroupPlan *group, const MemberPlan *member)
{
        LogFields fields = LOG_FIELDS_NONE;

        fields.device = &member->device->address;
        fields.group = group->number;
        fields.claim = member->claim ? member->claim->name : NULL;
        fields.reason = member->reason;
        fields.from = member->device->driver;
        fields.to = member->target;
        return fields;
}

static bool group_has_selected(const GroupPlan *group)
{
        for (size_t i = 0; i < group->n_members; i++)
                if (group->members[i].role == ROLE_SELECTED)
                        return true;
        return false;
}

/* Of a group that was refused, each selected function has a line, which carries the group's
 * reason; the others speak only where there is no selected one (two claims in conflict). */
static bool is_worth_a_line(const GroupPlan *group, const MemberPlan *member)
{
        if (member->action != ACTION_NONE && member->reason == REASON_NONE)
                return false;
        if (member->reason == REASON_NONE && member->state != STATE_STUCK)
                return false;
        return member->role == ROLE_SELECTED || !group_has_selected(group);
}

/* Where the plan needs no sentence of its own. */
static void describe_reason(const MemberPlan *member, Reason reason, char *text, size_t size)
{
        const char *driver = member->device->driver ? member->device->driver : "no driver";

        switch (reason) {
        case REASON_NEEDS_APPLY:
                (void) snprintf(text, size,
                        "%s has it. Run \"vfio-bindctl apply\" to take it", driver);
                return;
        case REASON_DRIFTED:
                (void) snprintf(text, size,
                        "another program changed it, it is on %s now. Run \"vfio-bindctl apply\" "
                        "to take it again", driver);
                return;
        case REASON_RECLAIM_GAVE_UP:
                (void) snprintf(text, size,
                        "another program takes it again and again, it is on %s now. Find out which "
                        "one (libvirt's managed='yes', driverctl), then run \"vfio-bindctl apply\"",
                        driver);
                return;
        case REASON_CLAIM_REMOVED:
                (void) snprintf(text, size,
                        "no claim selects it any more. Run \"vfio-bindctl apply --prune\" to give "
                        "it back");
                return;
        default:
                (void) snprintf(text, size, "%s", reason_to_string(reason));
        }
}

static void log_member_refusal(const GroupPlan *group, const MemberPlan *member)
{
        LogFields fields = member_fields(group, member);
        Outcome outcome = outcome_of(member->state);
        char name[40], text[LINE_MAX_TEXT], fallback[256];
        const char *sentence = member->text;

        if (member->state == STATE_BOUND) /* bound, yet something is to be said about it */
                outcome.level = LOG_WARNING;
        if (member->reason == REASON_GROUP_REFUSED && group->reason != REASON_NONE) {
                fields.reason = group->reason;
                sentence = group->text ? group->text : sentence;
        }
        if (!sentence) {
                describe_reason(member, fields.reason, fallback, sizeof(fallback));
                sentence = fallback;
        }
        fields.message_id = outcome.message_id;
        sentence_with_place(sentence, member_location(member), text, sizeof(text));
        log_full(outcome.level, &fields, "%s %s: %s",
                subject(&member->device->address, member->device, name), outcome.phrase, text);
}

static void log_member_work(const GroupPlan *group, const MemberPlan *member)
{
        LogFields fields = member_fields(group, member);
        const char *from = member->device->driver;
        char name[40];

        fields.message_id = MESSAGE_PLANNED;
        subject(&member->device->address, member->device, name);
        switch (member->action) {
        case ACTION_BIND:
                log_full(LOG_NOTICE, &fields, "%s would be bound to %s%s%s.", name, member->target,
                        from ? ", taken from " : "", from ? from : "");
                break;
        case ACTION_DETACH:
                log_full(LOG_NOTICE, &fields, "%s would be left without a driver%s%s.", name,
                        from ? ", taken from " : "", from ? from : "");
                break;
        case ACTION_HOLD:
                log_full(LOG_NOTICE, &fields, "%s would be kept from host drivers.", name);
                break;
        case ACTION_RELEASE:
        case ACTION_PROBE_HOST:
                log_full(LOG_NOTICE, &fields, "%s would be given to the host.", name);
                break;
        case ACTION_ADOPT: /* nothing in /sys */
        case ACTION_NONE:
        default:
                break;
        }
}

void log_physical_function_plan(const PhysicalFunctionPlan *plan, bool verbose)
{
        LogFields fields = LOG_FIELDS_NONE;
        char name[40], text[LINE_MAX_TEXT];

        fields.device = &plan->device->address;
        fields.group = plan->device->group;
        fields.reason = plan->reason;
        subject(&plan->device->address, plan->device, name);
        if (plan->reason != REASON_NONE) {
                fields.message_id = MESSAGE_PF_NOT_CONFIGURED;
                sentence_with_place(plan->text ? plan->text : reason_to_string(plan->reason),
                        plan->section ? &plan->section->location : NULL, text, sizeof(text));
                log_full(plan->state == STATE_PENDING ? LOG_INFO : LOG_WARNING, &fields,
                        "%s virtual functions: %s", name, text);
        }
        if (!verbose)
                return;
        fields.message_id = MESSAGE_PLANNED;
        if (plan->autoprobe_off)
                log_full(LOG_NOTICE, &fields,
                        "%s would have automatic probing of its virtual functions turned off.",
                        name);
        if (plan->set_num_vfs)
                log_full(LOG_NOTICE, &fields, "%s would get %u virtual functions.", name,
                        plan->num_vfs);
}

void log_absent_claim(const ClaimPlan *plan)
{
        LogFields fields = LOG_FIELDS_NONE;
        char text[LINE_MAX_TEXT];

        fields.message_id = MESSAGE_CLAIM_ABSENT;
        fields.claim = plan->claim->name;
        fields.reason = REASON_ABSENT;
        sentence_with_place(plan->text ? plan->text : "no such function is present.",
                &plan->claim->location, text, sizeof(text));
        log_full(LOG_INFO, &fields, "Claim %s: %s", plan->claim->name, text);
}

void log_group_plan(const GroupPlan *group, bool verbose)
{
        for (size_t i = 0; i < group->n_members; i++) {
                const MemberPlan *member = &group->members[i];

                if (is_worth_a_line(group, member))
                        log_member_refusal(group, member);
                if (verbose)
                        log_member_work(group, member);
        }
}

void log_plan(const Plan *plan, bool verbose)
{
        for (size_t i = 0; i < plan->n_groups; i++)
                log_group_plan(&plan->groups[i], verbose);
        for (size_t i = 0; i < plan->n_physical_functions; i++)
                log_physical_function_plan(&plan->physical_functions[i], verbose);
        for (size_t i = 0; verbose && i < plan->n_claims; i++)
                if (plan->claims[i].absent)
                        log_absent_claim(&plan->claims[i]);
}

static const MemberPlan *find_member(const GroupPlan *plan, const PciAddress *address)
{
        for (size_t i = 0; plan && i < plan->n_members; i++)
                if (pci_address_equal(&plan->members[i].device->address, address))
                        return &plan->members[i];
        return NULL;
}

/* What was achieved: "bound to vfio-pci, taken from nvme". */
static void describe_success(const MemberReport *report, const char *phrase, char *text,
        size_t size)
{
        bool bound = report->state == STATE_BOUND || report->state == STATE_DETACHED;
        bool taken = bound && report->from[0] && !streq(report->from, report->to);
        const char *to = report->to[0] || bound ? report->to : "the host";

        (void) snprintf(text, size, "%s%s%s%s%s", phrase, *to ? " to " : "", to,
                taken ? ", taken from " : "", taken ? report->from : "");
}

static bool state_is_success(State state)
{
        return state == STATE_BOUND || state == STATE_DETACHED || state == STATE_RELEASED ||
                state == STATE_UNCLAIMED || state == STATE_GAVE_BACK;
}

/* It was so before, and recorded so: only its node was done again. */
static bool is_nothing_new(const MemberReport *report, const MemberPlan *member)
{
        if (report->was_done && report->reason == REASON_NONE)
                return true; /* by the helper or the daemon, which says so */
        return report->reason == REASON_NONE && member && member->action == ACTION_ADOPT &&
                member->device->record && member->device->record->state == report->state;
}

static void log_member_report(const GroupReport *group, const MemberReport *report,
        const MemberPlan *member)
{
        Outcome outcome = outcome_of(report->state);
        LogFields fields = {
                .message_id = outcome.message_id,
                .device = &report->address,
                .group = group->number,
                .claim = member && member->claim ? member->claim->name : NULL,
                .reason = report->reason,
                .from = report->from,
                .to = report->to,
        };
        const char *sentence = report->text[0] ? report->text : group->text;
        char name[40], text[LINE_MAX_TEXT], done[192];

        subject(&report->address, member ? member->device : NULL, name);
        if (isempty(sentence))
                sentence = reason_to_string(report->reason);
        sentence_with_place(sentence, member_location(member), text, sizeof(text));
        if (!state_is_success(report->state)) {
                log_full(outcome.level, &fields, "%s %s: %s", name, outcome.phrase, text);
                return;
        }
        if (is_nothing_new(report, member))
                outcome.level = LOG_DEBUG;
        describe_success(report, outcome.phrase, done, sizeof(done));
        if (report->reason == REASON_NONE)
                log_full(outcome.level, &fields, "%s %s.", name, done);
        else
                log_full(LOG_WARNING, &fields, "%s %s, but: %s", name, done, text);
}

void log_group_report(const GroupReport *report, const GroupPlan *plan)
{
        for (size_t i = 0; i < report->n_members; i++)
                log_member_report(report, &report->members[i],
                        find_member(plan, &report->members[i].address));
}

/* What was done to a PF: "automatic probing of new virtual functions switched off, 8 virtual
 * functions created." Empty: nothing, somebody else had done it. */
static void describe_physical_function(const PhysicalFunctionReport *report, char *text,
        size_t size)
{
        const char *probing = report->autoprobe_off ? "automatic probing of new virtual functions "
                                                      "switched off"
                : report->autoprobe_restored ? "automatic probing of new virtual functions put back"
                                             : "";
        char created[64] = "";

        if (report->num_vfs_written)
                (void) snprintf(created, sizeof(created), "%u virtual function%s created",
                        report->num_vfs, report->num_vfs == 1 ? "" : "s");
        text[0] = '\0';
        if (*probing || *created)
                (void) snprintf(text, size, "%s%s%s.", probing, *probing && *created ? ", " : "",
                        created);
}

void log_physical_function_report(const PhysicalFunctionReport *report)
{
        char done[192];
        bool good = report->reason == REASON_NONE && report->error >= 0;
        LogFields fields = LOG_FIELDS_NONE;

        fields.message_id = good ? MESSAGE_PF_CONFIGURED : MESSAGE_PF_NOT_CONFIGURED;
        fields.device = &report->address;
        fields.reason = report->reason;
        if (good) {
                describe_physical_function(report, done, sizeof(done));
                if (*done)
                        log_full(LOG_NOTICE, &fields, "%s %s", PCI_ADDRESS_TEXT(&report->address),
                                done);
                return;
        }
        log_full(report->state == STATE_PENDING ? LOG_INFO : LOG_WARNING, &fields,
                "%s virtual functions: %s", PCI_ADDRESS_TEXT(&report->address),
                report->text[0] ? report->text : reason_to_string(report->reason));
}

void log_switched_off(const char *why, bool plan_only)
{
        LogFields fields = LOG_FIELDS_NONE;

        fields.message_id = MESSAGE_SWITCHED_OFF;
        fields.reason = REASON_DISABLED_BY_KERNEL_COMMAND_LINE;
        log_full(LOG_NOTICE, &fields,
                plan_only ? "Nothing is touched, only planned: %s." : "Nothing is done: %s.",
                why ? why : "vfio_bindd=off");
}

void log_node_problem(int64_t group, Reason reason, const char *text)
{
        LogFields fields = LOG_FIELDS_NONE;

        fields.message_id = MESSAGE_NODE_NOT_SET;
        fields.group = group;
        fields.reason = reason;
        log_full(LOG_WARNING, &fields, "/dev/vfio/%" PRIi64 ": %s", group, text);
}

void log_initramfs(const char *kernel, const char *state, bool is_enabled, bool is_news)
{
        static const char rebuild[] = PROGRAM_DIRECTORY "/rebuild-initramfs";
        LogFields fields = LOG_FIELDS_NONE;

        fields.message_id = MESSAGE_INITRAMFS;
        if (streq(state, "stale")) {
                fields.reason = REASON_INITRAMFS_STALE;
                log_full(LOG_WARNING, &fields,
                        is_enabled ? "The initramfs of Linux %s is not of the present "
                                     "configuration and program, and the next boot goes by it. "
                                     "Run \"%s\"." :
                                     "The initramfs of Linux %s was made while "
                                     "vfio-bindd-early.service was enabled, and still binds. Run "
                                     "\"%s\".",
                        kernel, rebuild);
        } else if (streq(state, "missing")) {
                fields.reason = REASON_INITRAMFS_STALE;
                log_full(LOG_NOTICE, &fields,
                        "The initramfs of Linux %s holds nothing of vfio-bindd: host drivers that "
                        "it loads come first at the next boot. Run \"%s\".",
                        kernel, rebuild);
        } else if (streq(state, "current") && is_news) {
                log_full(LOG_INFO, &fields,
                        "The initramfs of Linux %s is of the present configuration and program.",
                        kernel);
        }
}
