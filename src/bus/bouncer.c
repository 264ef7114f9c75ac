/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bouncer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-event.h>

#include "bus/names.h"
#include "log/log.h"
#include "util/strings.h"

#define DEFAULT_TIMEOUT_USEC (120 * USEC_PER_SEC)
#define ALLOW_USER_INTERACTION 1U /* CheckAuthorizationFlags of polkit */

typedef enum Verdict {
        VERDICT_PENDING,
        VERDICT_ALLOWED,
        VERDICT_DENIED,
        VERDICT_TOO_MANY,  /* of the same user wait already */
        VERDICT_CHALLENGE, /* it would take a password, and the caller did not offer one */
} Verdict;

typedef struct Query {
        struct Query *next;
        Bouncer *bouncer;
        sd_bus_message *message;
        const char *sender; /* belongs to the message */
        char *action;
        char *details[4]; /* as in detail_names; NULL: not there */
        uint64_t instance;
        char cancellation[32];
        uint32_t uid; /* of the caller, if asks_polkit */
        bool asks_polkit;
        Verdict verdict;
        sd_bus_slot *gone_slot; /* watches the caller */
        sd_bus_slot *call_slot;
        sd_event_source *expiry; /* drops an answer that the handler did not fetch */
} Query;

static const char *const detail_names[] = { "device", "group", "claim", "driver" };

struct Bouncer {
        sd_bus *connection;
        BouncerOptions options;
        uint64_t n_asked;
        Query *queries;
};

static void query_free(Query *query)
{
        for (Query **link = &query->bouncer->queries; *link; link = &(*link)->next)
                if (*link == query) {
                        *link = query->next;
                        break;
                }
        sd_bus_slot_unref(query->gone_slot);
        sd_bus_slot_unref(query->call_slot);
        sd_event_source_disable_unref(query->expiry);
        sd_bus_message_unref(query->message);
        for (size_t i = 0; i < ELEMENTSOF(query->details); i++)
                free(query->details[i]);
        free(query->action);
        free(query);
}

int bouncer_new(sd_bus *connection, const BouncerOptions *options, Bouncer **ret)
{
        Bouncer *bouncer = calloc(1, sizeof(*bouncer));

        if (!bouncer)
                return -ENOMEM;
        bouncer->connection = sd_bus_ref(connection);
        bouncer->options = *options;
        if (bouncer->options.timeout_usec == 0)
                bouncer->options.timeout_usec = DEFAULT_TIMEOUT_USEC;
        *ret = bouncer;
        return 0;
}

Bouncer *bouncer_free(Bouncer *bouncer)
{
        if (!bouncer)
                return NULL;
        while (bouncer->queries)
                query_free(bouncer->queries);
        sd_bus_unref(bouncer->connection);
        free(bouncer);
        return NULL;
}

size_t bouncer_n_pending(const Bouncer *bouncer)
{
        size_t n = 0;

        for (const Query *query = bouncer->queries; query; query = query->next)
                n += query->verdict == VERDICT_PENDING;
        return n;
}

static int on_expiry(_unused_ sd_event_source *source, void *userdata)
{
        query_free(userdata);
        return 0;
}

/* Runs the handler again. It fetches the verdict unless it fails before it asks; the idle
 * priority lets it run first. */
static int query_answer(Query *query, Verdict verdict)
{
        sd_bus *connection = query->bouncer->connection;
        sd_event *event = sd_bus_get_event(connection);
        int r;

        query->verdict = verdict;
        query->gone_slot = sd_bus_slot_unref(query->gone_slot);
        r = event ? sd_event_add_defer(event, &query->expiry, on_expiry, query) : -EINVAL;
        if (r >= 0)
                r = sd_event_source_set_priority(query->expiry, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_bus_message_rewind(query->message, true);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(connection, query->message);
        if (r < 0) {
                (void) sd_bus_reply_method_errno(query->message, r, NULL);
                query_free(query);
        }
        return 0;
}

static int on_cancelled(_unused_ sd_bus_message *reply, _unused_ void *userdata,
        _unused_ sd_bus_error *error)
{
        return 0; /* polkit may have answered meanwhile */
}

/* Takes the password dialogue away. */
static void cancel_polkit(const Query *query)
{
        sd_bus *connection = query->bouncer->connection;
        sd_bus_message *call = NULL;
        int r = sd_bus_message_new_method_call(connection, &call, POLKIT_NAME, POLKIT_PATH,
                POLKIT_INTERFACE, "CancelCheckAuthorization");

        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", query->cancellation);
        if (r >= 0)
                (void) sd_bus_call_async(connection, NULL, call, on_cancelled, NULL, 0);
        sd_bus_message_unref(call);
}

static int on_caller_gone(_unused_ sd_bus_message *message, void *userdata,
        _unused_ sd_bus_error *error)
{
        Query *query = userdata;

        if (query->asks_polkit)
                cancel_polkit(query);
        query_free(query);
        return 0;
}

static Verdict read_verdict(sd_bus_message *reply)
{
        int authorized, challenge;

        /* Every error is a "no": polkit absent, hanging, or failing. */
        if (sd_bus_message_is_method_error(reply, NULL)) {
                log_debug("polkit gave no answer: %s", sd_bus_message_get_error(reply)->name);
                return VERDICT_DENIED;
        }
        if (sd_bus_message_enter_container(reply, SD_BUS_TYPE_STRUCT, "bba{ss}") <= 0 ||
                sd_bus_message_read(reply, "bb", &authorized, &challenge) < 0)
                return VERDICT_DENIED;
        if (authorized)
                return VERDICT_ALLOWED;
        return challenge ? VERDICT_CHALLENGE : VERDICT_DENIED;
}

static int on_authorization(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Query *query = userdata;
        Verdict verdict = read_verdict(reply);

        if (sd_bus_message_is_method_error(reply, NULL))
                cancel_polkit(query); /* it may have been too slow, not absent */
        /* After a dialogue, "challenge" means that it was dismissed or failed. */
        if (verdict == VERDICT_CHALLENGE &&
                sd_bus_message_get_allow_interactive_authorization(query->message) > 0)
                verdict = VERDICT_DENIED;
        return query_answer(query, verdict);
}

static int append_details(sd_bus_message *message, const Query *query)
{
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{ss}");

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(detail_names); i++)
                if (query->details[i])
                        r = sd_bus_message_append(message, "{ss}", detail_names[i],
                                query->details[i]);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int ask_polkit(Query *query)
{
        Bouncer *bouncer = query->bouncer;
        sd_bus_message *call = NULL;
        bool interactive =
                sd_bus_message_get_allow_interactive_authorization(query->message) > 0;
        int r = sd_bus_message_new_method_call(bouncer->connection, &call, POLKIT_NAME,
                POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");

        if (r >= 0)
                r = sd_bus_message_append(call, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                        query->sender, query->action);
        if (r >= 0)
                r = append_details(call, query);
        if (r >= 0)
                r = sd_bus_message_append(call, "us", interactive ? ALLOW_USER_INTERACTION : 0U,
                        query->cancellation);
        if (r >= 0)
                r = sd_bus_call_async(bouncer->connection, &query->call_slot, call,
                        on_authorization, query, bouncer->options.timeout_usec);
        sd_bus_message_unref(call);
        if (r < 0)
                return r;
        query->asks_polkit = true;
        return 0;
}

/* Who may open any number of connections must not take the room of all others. */
static bool user_has_room(const Bouncer *bouncer, uint32_t uid)
{
        size_t n = 0, n_user = 0;

        for (const Query *query = bouncer->queries; query; query = query->next) {
                if (!query->asks_polkit || query->verdict != VERDICT_PENDING)
                        continue;
                n++;
                n_user += query->uid == uid;
        }
        return n < BOUNCER_PENDING_MAX && n_user < BOUNCER_PENDING_USER_MAX;
}

static int on_user(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Query *query = userdata;
        uint32_t uid;

        query->call_slot = sd_bus_slot_unref(query->call_slot);
        if (sd_bus_message_is_method_error(reply, DBUS_NAME ".Error.NameHasNoOwner")) {
                query_free(query);
                return 0;
        }
        if (sd_bus_message_is_method_error(reply, NULL) ||
                sd_bus_message_read(reply, "u", &uid) < 0)
                return query_answer(query, VERDICT_DENIED);
        if (uid == query->bouncer->options.trusted_uid)
                return query_answer(query, VERDICT_ALLOWED);
        if (!user_has_room(query->bouncer, uid))
                return query_answer(query, VERDICT_TOO_MANY);
        query->uid = uid;
        if (ask_polkit(query) < 0)
                return query_answer(query, VERDICT_DENIED);
        return 0;
}

static int on_watching(_unused_ sd_bus_message *reply, _unused_ void *userdata,
        _unused_ sd_bus_error *error)
{
        return 0; /* if the bus refuses, the question merely outlives its caller */
}

/* The caller is watched before anything is asked about it, so that it cannot vanish unseen. */
static int query_start(Query *query)
{
        Bouncer *bouncer = query->bouncer;
        _cleanup_free_ char *match = NULL;
        int r = format_string(&match,
                "type='signal',sender='" DBUS_NAME "',path='" DBUS_PATH
                "',interface='" DBUS_INTERFACE "',member='NameOwnerChanged',"
                "arg0='%s',arg2=''",
                query->sender);

        if (r < 0)
                return r;
        r = sd_bus_add_match_async(bouncer->connection, &query->gone_slot, match, on_caller_gone,
                on_watching, query);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(bouncer->connection, &query->call_slot, DBUS_NAME,
                DBUS_PATH, DBUS_INTERFACE, "GetConnectionUnixUser", on_user, query, "s",
                query->sender);
}

static int query_new(Bouncer *bouncer, sd_bus_message *message, const char *action,
        const BouncerDetails *details, Query **ret)
{
        const char *const values[] = { details->device, details->group, details->claim,
                details->driver };
        Query *query = calloc(1, sizeof(*query));
        int r;

        if (!query)
                return -ENOMEM;
        query->bouncer = bouncer;
        query->message = sd_bus_message_ref(message);
        query->sender = sd_bus_message_get_sender(message);
        query->instance = details->instance;
        snprintf(query->cancellation, sizeof(query->cancellation), "vfio-bindd-%" PRIu64,
                ++bouncer->n_asked);
        r = replace_string(&query->action, action);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(values); i++)
                r = replace_string(&query->details[i], values[i]);
        if (r < 0) {
                query_free(query);
                return r;
        }
        query->next = bouncer->queries;
        bouncer->queries = query;
        *ret = query;
        return 0;
}

static int too_many(sd_bus_error *error)
{
        return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                "Too many requests wait for authorization");
}

static bool is_same_question(const Query *query, const char *action,
        const BouncerDetails *details)
{
        return streq(query->action, action) && query->instance == details->instance &&
                streq_null(query->details[0], details->device) &&
                streq_null(query->details[1], details->group) &&
                streq_null(query->details[2], details->claim) &&
                streq_null(query->details[3], details->driver);
}

static int give_verdict(Query *query, const char *action, const BouncerDetails *details,
        sd_bus_error *error)
{
        Verdict verdict = query->verdict;
        bool same = is_same_question(query, action, details);

        query_free(query);
        if (!same)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                        "What the request means has changed since it was authorized");
        switch (verdict) {
        case VERDICT_ALLOWED:
                return 1;
        case VERDICT_TOO_MANY:
                return too_many(error);
        case VERDICT_CHALLENGE:
                return sd_bus_error_set(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                        "Interactive authentication is required");
        default:
                return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED,
                        "Not authorized for %s", action);
        }
}

/* What waits for polkit does not count here: it could be that the caller needs none. */
static bool has_room(const Bouncer *bouncer, const char *sender)
{
        size_t n = 0, n_sender = 0;

        for (const Query *query = bouncer->queries; query; query = query->next) {
                n += !query->asks_polkit;
                n_sender += streq(query->sender, sender);
        }
        return n < BOUNCER_UNKNOWN_MAX && n_sender < BOUNCER_PENDING_SENDER_MAX;
}

int bouncer_check(Bouncer *bouncer, sd_bus_message *message, const char *action,
        const BouncerDetails *details, sd_bus_error *error)
{
        const char *sender = sd_bus_message_get_sender(message);
        Query *query;
        int r;

        for (query = bouncer->queries; query; query = query->next)
                if (query->message == message)
                        return query->verdict == VERDICT_PENDING
                                ? 0
                                : give_verdict(query, action, details, error);
        if (!sender)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                        "The connection does not tell who is calling");
        if (!has_room(bouncer, sender))
                return too_many(error);
        r = query_new(bouncer, message, action, details, &query);
        if (r < 0)
                return r;
        r = query_start(query);
        if (r < 0) {
                query_free(query);
                return r;
        }
        return 0;
}
