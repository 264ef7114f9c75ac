/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/by-hand.h"

#include <errno.h>
#include <stdio.h>

#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/outcome.h"
#include "util/array.h"

/* One run. */
typedef struct Run {
        ByHand *by_hand;
        sd_bus *bus;
        Model *before, *after;
        char **addresses; /* of all functions concerned */
        ExitCode code;
        bool said_something;
} Run;

static void run_done(Run *run)
{
        string_list_free(run->addresses);
        model_free(run->before);
        model_free(run->after);
        sd_bus_flush_close_unref(run->bus);
}

int by_hand_add(ByHand *by_hand, const Model *model, const ModelDevice *device)
{
        int r;

        for (size_t i = 0; i < by_hand->n_targets; i++) {
                const ModelDevice *other = model_find_device(model, &by_hand->targets[i]);

                if (other == device || (other && other->group == device->group &&
                                               device->group >= 0))
                        return 0;
        }
        r = ARRAY_GROW(by_hand->targets, by_hand->n_targets);
        if (r < 0)
                return r;
        by_hand->targets[by_hand->n_targets++] = device->address;
        return 0;
}

static int get_model(Run *run, sd_bus_error *error, Model **ret)
{
        return run->bus ? client_get_model(run->bus, error, ret) : -ENOTCONN;
}

/* One group's failure does not keep the others from being asked for. */
static int request(Run *run, const PciAddress *address)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_string_list_ char **concerned = NULL;
        int r;

        r = run->by_hand->call(run->bus, address, !run->by_hand->options->no_ask_password, &error,
                &concerned);
        if (r < 0) {
                run->code = exit_code_join(run->code, call_complain(r, &error, NULL));
                return r == -ENOTCONN ? r : 0;
        }
        for (char **name = concerned; r >= 0 && name && *name; name++)
                r = string_list_append(&run->addresses, *name);
        return r;
}

static int say(Run *run, const ModelDevice *device)
{
        ApplyItem item = { .address = device->address, .state = device->text[DEVICE_STATE],
                           .reason = device->text[DEVICE_REASON] };
        Terminal terminal = terminal_of(stdout);
        _cleanup_outcome_ Outcome outcome = {};
        int r;

        r = outcome_of_item(run->before, run->after, &item, &outcome);
        if (r < 0)
                return r;
        run->code = exit_code_join(run->code, outcome.code);
        if (!outcome.line || run->by_hand->options->json != JSON_OFF)
                return 0;
        run->said_something = true;
        if (outcome.is_problem) {
                complain("%s", outcome.line);
                return 0;
        }
        return run->by_hand->options->quiet
                ? 0
                : terminal_print(&terminal, stdout, "%s", outcome.line);
}

/* All functions concerned, in the order of their addresses. */
static int report(Run *run)
{
        const Options *options = run->by_hand->options;
        _cleanup_json_ Json json = { .pretty = options->json == JSON_PRETTY };
        int r = 0;

        json_begin_document(&json, run->by_hand->kind);
        json_open_array(&json, "Devices");
        for (size_t i = 0; r >= 0 && i < run->after->n_devices; i++) {
                const ModelDevice *device = &run->after->devices[i];

                if (!string_list_contains(run->addresses, device->text[DEVICE_ADDRESS]))
                        continue;
                json_device(&json, device);
                r = say(run, device);
        }
        json_close_array(&json);
        json_close_object(&json);
        if (r >= 0 && options->json != JSON_OFF)
                return json_print(&json, stdout);
        if (r >= 0 && !run->said_something && run->code == EXIT_CODE_DONE && !options->quiet)
                puts("Nothing to do.");
        return r;
}

static int request_all(Run *run, sd_bus_error *error)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < run->by_hand->n_targets; i++)
                r = request(run, &run->by_hand->targets[i]);
        if (r == -ENOTCONN) /* it has been said */
                return 0;
        if (r >= 0)
                r = get_model(run, error, &run->after);
        return r < 0 ? r : report(run);
}

ExitCode by_hand_run(ByHand *by_hand)
{
        _cleanup_(run_done) Run run = { .by_hand = by_hand };
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        ExitCode code;
        int r;

        r = client_open(&run.bus);
        if (r >= 0)
                r = get_model(&run, &error, &run.before);
        if (r < 0)
                return call_complain(r, &error, NULL);
        code = by_hand->choose(by_hand, run.before);
        if (code == EXIT_CODE_DONE) {
                r = request_all(&run, &error);
                code = r < 0 ? call_complain(r, &error, NULL) : run.code;
        }
        free(by_hand->targets);
        return code;
}
