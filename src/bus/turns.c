/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/turns.h"

#include <errno.h>
#include <systemd/sd-event.h>

#include "bus/names.h"
#include "util/io.h"
#include "util/strings.h"

/*   call ── nobody's turn ──────────────> sd-bus answers ── over ── pause ── next? ── nobody's turn
 *     └──── somebody's turn ── waits ─────────^  as the message of a turn ──────┘  */

typedef struct Turn {
        struct Turn *next;
        sd_bus_message *message;
} Turn;

struct Turns {
        sd_bus *connection;
        sd_bus_slot *filter;
        Turn *first;
        sd_bus_message *current; /* queued again, on its way to be answered */
        bool is_somebodys;
        uint64_t begun_usec;
        sd_event_source *over, *pause;
};

/* NULL on a connection without a message bus: all are one then. */
static const char *sender_of(sd_bus_message *message)
{
        return sd_bus_message_get_sender(message);
}

static void turn_free(Turn *turn)
{
        sd_bus_message_unref(turn->message);
        free(turn);
}

/* The caller who was served comes after all others. */
static void move_behind(Turns *turns, const char *sender)
{
        Turn *others = NULL, *theirs = NULL, **others_end = &others, **theirs_end = &theirs;

        for (Turn *turn = turns->first, *next; turn; turn = next) {
                Turn ***end = streq_null(sender_of(turn->message), sender) ? &theirs_end
                                                                            : &others_end;
                next = turn->next;
                turn->next = NULL;
                **end = turn;
                *end = &turn->next;
        }
        *others_end = theirs;
        turns->first = others;
}

static void begin(Turns *turns)
{
        turns->is_somebodys = true;
        turns->begun_usec = now_monotonic();
        (void) sd_event_source_set_enabled(turns->over, SD_EVENT_ONESHOT);
}

/* Right after the answer: nothing is more important. */
static int on_over(_unused_ sd_event_source *source, void *userdata)
{
        Turns *turns = userdata;
        uint64_t now = now_monotonic();

        (void) sd_event_source_set_time(turns->pause, now + (now - turns->begun_usec));
        (void) sd_event_source_set_enabled(turns->pause, SD_EVENT_ONESHOT);
        return 0;
}

static int on_pause(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Turns *turns = userdata;
        Turn *turn = turns->first;
        int r;

        if (!turn) {
                turns->is_somebodys = false;
                return 0;
        }
        turns->first = turn->next;
        turns->current = sd_bus_message_ref(turn->message);
        move_behind(turns, sender_of(turn->message));
        turn_free(turn);
        r = sd_bus_enqueue_for_read(turns->connection, turns->current);
        if (r < 0) {
                (void) sd_bus_reply_method_errno(turns->current, r, NULL);
                turns->current = sd_bus_message_unref(turns->current);
                begin(turns);
        }
        return 0;
}

static bool has_room(const Turns *turns, const char *sender)
{
        size_t n = 0, n_sender = 0;

        for (const Turn *turn = turns->first; turn; turn = turn->next) {
                n++;
                n_sender += streq_null(sender_of(turn->message), sender);
        }
        return n < TURNS_MAX && n_sender < TURNS_SENDER_MAX;
}

static int wait_for_turn(Turns *turns, sd_bus_message *message)
{
        Turn **end = &turns->first, *turn;

        if (!has_room(turns, sender_of(message)))
                return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_LIMITS_EXCEEDED,
                        "Too many calls of %s wait for their answer",
                        sd_bus_message_get_member(message));
        turn = calloc(1, sizeof(*turn));
        if (!turn)
                return -ENOMEM;
        turn->message = sd_bus_message_ref(message);
        while (*end)
                end = &(*end)->next;
        *end = turn;
        return 1;
}

static int prepare(Turns *turns)
{
        sd_event *event = sd_bus_get_event(turns->connection);
        int r;

        if (turns->over)
                return 0;
        if (!event)
                return -ENOTCONN;
        r = sd_event_add_time(event, &turns->pause, CLOCK_MONOTONIC, 0, 1, on_pause, turns);
        if (r >= 0)
                r = sd_event_source_set_enabled(turns->pause, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &turns->over, on_over, turns);
        if (r >= 0)
                r = sd_event_source_set_enabled(turns->over, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(turns->over, SD_EVENT_PRIORITY_IMPORTANT);
        if (r < 0)
                turns->over = sd_event_source_disable_unref(turns->over);
        return r;
}

/* Is it a call that takes turns? */
static bool takes_turns(sd_bus_message *message)
{
        return (sd_bus_message_is_method_call(message, "org.freedesktop.DBus.ObjectManager",
                        "GetManagedObjects") ||
                       sd_bus_message_is_method_call(message, BUS_INTERFACE_MANAGER,
                               "ListDevices")) &&
                sd_bus_message_has_signature(message, ""); /* so that what waits is small */
}

/* Returns 1 if the message is dealt with, 0 to go on with it. */
static int on_message(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Turns *turns = userdata;

        if (message == turns->current) {
                turns->current = sd_bus_message_unref(turns->current);
                begin(turns);
                return 0;
        }
        if (!takes_turns(message) || prepare(turns) < 0)
                return 0;
        if (turns->is_somebodys)
                return wait_for_turn(turns, message);
        begin(turns);
        return 0;
}

int turns_new(sd_bus *connection, Turns **ret)
{
        _cleanup_(turns_freep) Turns *turns = calloc(1, sizeof(*turns));
        int r;

        if (!turns)
                return -ENOMEM;
        turns->connection = sd_bus_ref(connection);
        r = sd_bus_add_filter(connection, &turns->filter, on_message, turns);
        if (r < 0)
                return r;
        *ret = TAKE_POINTER(turns);
        return 0;
}

Turns *turns_free(Turns *turns)
{
        if (!turns)
                return NULL;
        for (Turn *turn = turns->first, *next; turn; turn = next) {
                next = turn->next;
                turn_free(turn);
        }
        sd_bus_message_unref(turns->current);
        sd_event_source_disable_unref(turns->over);
        sd_event_source_disable_unref(turns->pause);
        sd_bus_slot_unref(turns->filter);
        sd_bus_unref(turns->connection);
        free(turns);
        return NULL;
}
