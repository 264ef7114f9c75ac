/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "ctl/call.h"
#include "ctl/complain.h"
#include "ctl/list.h"
#include "ctl/sentence.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"
#include "util/hash.h"
#include "util/io.h"

/* What was told of a device or claim last. */
typedef struct Seen {
        PciAddress address; /* of a device */
        char *name;         /* of a claim; NULL: a device */
        uint64_t digest;
} Seen;

typedef struct SeenList {
        Seen *items; /* in the order of the model */
        size_t n_items;
} SeenList;

typedef struct Monitor {
        const Options *options;
        Terminal terminal;
        SeenList devices, claims;
        bool is_running; /* the first state has been told */
} Monitor;

static void seen_list_done(SeenList *list)
{
        for (size_t i = 0; i < list->n_items; i++)
                free(list->items[i].name);
        free(list->items);
        *list = (SeenList){};
}

static void monitor_done(Monitor *monitor)
{
        seen_list_done(&monitor->devices);
        seen_list_done(&monitor->claims);
}

/* The terminating NUL is part of it. */
static uint64_t add_text(uint64_t digest, const char *text)
{
        return hash_update(digest, text ?: "", strlen(text ?: "") + 1);
}

static uint64_t add_number(uint64_t digest, int64_t number)
{
        char text[24];

        (void) snprintf(text, sizeof(text), "%lld", (long long) number);
        return add_text(digest, text);
}

/* People are told of what they would see in the list, programs of every property. */
static uint64_t device_digest(const ModelDevice *device, bool everything)
{
        static const DeviceText shown[] = { DEVICE_STATE, DEVICE_REASON, DEVICE_DRIVER };
        uint64_t digest = add_text(HASH_START, device->claim);

        for (size_t i = 0; !everything && i < ELEMENTSOF(shown); i++)
                digest = add_text(digest, device->text[shown[i]]);
        for (size_t i = 0; everything && i < _DEVICE_TEXT_MAX; i++)
                digest = add_text(digest, device->text[i]);
        for (size_t i = 0; everything && i < _DEVICE_NUMBER_MAX; i++)
                digest = add_number(digest, device->numbers[i]);
        return everything ? add_number(digest, device->group) : digest;
}

static uint64_t claim_digest(const ModelClaim *claim, bool everything)
{
        uint64_t digest = HASH_START;

        if (!everything)
                return add_text(add_text(digest, claim->text[CLAIM_STATE]),
                        claim->text[CLAIM_REASON]);
        for (size_t i = 0; i < _CLAIM_TEXT_MAX; i++)
                digest = add_text(digest, claim->text[i]);
        for (size_t i = 0; i < _CLAIM_LIST_MAX; i++)
                for (char **item = claim->lists[i]; item && *item; item++)
                        digest = add_text(digest, *item);
        return add_number(add_text(digest, claim->file), claim->line);
}

static void format_now(char text[static 16])
{
        time_t now = (time_t) (now_realtime() / USEC_PER_SEC);
        struct tm local;

        if (!localtime_r(&now, &local) || strftime(text, 16, "%H:%M:%S", &local) == 0)
                (void) strcpy(text, "--:--:--");
}

static int print_line(const Monitor *monitor, const char *subject, const char *state,
        const char *driver, const char *reason, const char *text)
{
        _cleanup_free_ char *why = NULL;
        char now[16];
        int r = 0;

        format_now(now);
        if (reason)
                r = format_reason(NULL, reason, streq_null(text, reason) ? NULL : text, NULL, &why);
        if (r < 0)
                return r;
        return terminal_print(&monitor->terminal, stdout, "%s %s %s%s%s%s%s", now, subject, state,
                driver ? ", " : "", driver ?: "", why ? ", " : "", why ?: "");
}

/* One object a line, whatever the format. `event`: "current" "added" "changed" "removed" "gone" */
static int print_json(const char *event, const ModelDevice *device, const Model *model,
        const ModelClaim *claim)
{
        _cleanup_json_ Json json = {};

        json_begin_document(&json, "monitor");
        json_string(&json, "Event", event);
        json_integer(&json, "Timestamp", (int64_t) now_realtime());
        json_key(&json, "Device");
        if (device)
                json_device_details(&json, device);
        else
                json_null(&json, NULL);
        json_key(&json, "Claim");
        if (claim)
                json_claim_alone(&json, claim);
        else
                json_null(&json, NULL);
        json_string(&json, "State", model ? model->state : NULL);
        json_close_object(&json);
        return json_print(&json, stdout);
}

static int tell_device(const Monitor *monitor, const Model *model, const char *event,
        const ModelDevice *device)
{
        const char *reason = device->text[DEVICE_REASON];
        _cleanup_free_ char *subject = NULL;
        int r;

        if (monitor->options->json != JSON_OFF)
                return print_json(event, device, model, NULL);
        /* The list has told it, or it is nobody's business. */
        if (!monitor->is_running)
                return 0;
        r = format_string(&subject, "%s%s%s%s", device->text[DEVICE_ADDRESS],
                device->claim ? " (" : "", device->claim ?: "", device->claim ? ")" : "");
        if (r < 0)
                return r;
        return print_line(monitor, subject, device->text[DEVICE_STATE] ?: "unknown",
                device->text[DEVICE_DRIVER] ?: "no driver", reason,
                reason ? model_explain(model, device, reason) : NULL);
}

static int tell_claim(const Monitor *monitor, const Model *model, const char *event,
        const ModelClaim *claim)
{
        _cleanup_free_ char *subject = NULL;
        int r;

        if (monitor->options->json != JSON_OFF)
                return print_json(event, NULL, model, claim);
        if (!monitor->is_running)
                return 0;
        r = format_string(&subject, "claim %s", claim->text[CLAIM_NAME]);
        return r < 0 ? r
                     : print_line(monitor, subject, claim->text[CLAIM_STATE] ?: "unknown", NULL,
                               claim->text[CLAIM_REASON], claim->text[CLAIM_REASON_TEXT]);
}

static int tell_removed(const Monitor *monitor, const Model *model, const Seen *seen)
{
        ModelDevice device = { .group = -1 };
        ModelClaim claim = {};
        char address[PCI_ADDRESS_TEXT_MAX], *subject = seen->name;

        for (size_t i = 0; i < _DEVICE_NUMBER_MAX; i++)
                device.numbers[i] = -1;
        if (seen->name)
                claim.text[CLAIM_NAME] = seen->name;
        else
                subject = device.text[DEVICE_ADDRESS] =
                        pci_address_format(&seen->address, address);
        if (monitor->options->json != JSON_OFF)
                return print_json("removed", seen->name ? NULL : &device, model,
                        seen->name ? &claim : NULL);
        return print_line(monitor, subject, "removed", NULL, NULL, NULL);
}

static const char *event_of(const Monitor *monitor, const Seen *before)
{
        return before ? "changed" : monitor->is_running ? "added" : "current";
}

/* Both lists are sorted by address. */
static int update_devices(Monitor *monitor, const Model *model)
{
        bool everything = monitor->options->json != JSON_OFF;
        SeenList old = monitor->devices;
        size_t j = 0;
        int r = 0;

        monitor->devices = (SeenList){ .items = calloc(model->n_devices + 1, sizeof(Seen)) };
        if (!monitor->devices.items)
                r = -ENOMEM;
        for (size_t i = 0; r >= 0 && i < model->n_devices; i++) {
                const ModelDevice *device = &model->devices[i];
                Seen seen = { .address = device->address,
                              .digest = device_digest(device, everything) };
                const Seen *before = NULL;

                while (r >= 0 && j < old.n_items &&
                       pci_address_compare(&old.items[j].address, &device->address) < 0)
                        r = tell_removed(monitor, model, &old.items[j++]);
                if (j < old.n_items && pci_address_equal(&old.items[j].address, &device->address))
                        before = &old.items[j++];
                if (r >= 0 && (!before || before->digest != seen.digest))
                        r = tell_device(monitor, model, event_of(monitor, before), device);
                monitor->devices.items[monitor->devices.n_items++] = seen;
        }
        while (r >= 0 && j < old.n_items)
                r = tell_removed(monitor, model, &old.items[j++]);
        seen_list_done(&old);
        return r;
}

static const Seen *find_claim(const SeenList *list, const char *name)
{
        for (size_t i = 0; i < list->n_items; i++)
                if (streq(list->items[i].name, name))
                        return &list->items[i];
        return NULL;
}

static int update_claims(Monitor *monitor, const Model *model)
{
        bool everything = monitor->options->json != JSON_OFF;
        SeenList old = monitor->claims;
        int r = 0;

        monitor->claims = (SeenList){ .items = calloc(model->n_claims + 1, sizeof(Seen)) };
        if (!monitor->claims.items)
                r = -ENOMEM;
        for (size_t i = 0; r >= 0 && i < model->n_claims; i++) {
                const ModelClaim *claim = &model->claims[i];
                const Seen *before = find_claim(&old, claim->text[CLAIM_NAME]);
                Seen *seen = &monitor->claims.items[monitor->claims.n_items];

                seen->digest = claim_digest(claim, everything);
                r = model_set(&seen->name, claim->text[CLAIM_NAME]);
                if (r < 0)
                        break;
                monitor->claims.n_items++;
                if (!before || before->digest != seen->digest)
                        r = tell_claim(monitor, model, event_of(monitor, before), claim);
        }
        for (size_t i = 0; r >= 0 && i < old.n_items; i++)
                if (!find_claim(&monitor->claims, old.items[i].name))
                        r = tell_removed(monitor, model, &old.items[i]);
        seen_list_done(&old);
        return r;
}

/* NULL: the daemon is gone; what it said last is remembered until it is back. */
static int update(Monitor *monitor, const Model *model)
{
        int r;

        if (!model && monitor->options->json != JSON_OFF)
                r = print_json("gone", NULL, NULL, NULL);
        else if (!model)
                r = print_line(monitor, "vfio-bindd", "went away", NULL, NULL, NULL);
        else
                r = update_devices(monitor, model);
        if (r >= 0 && model)
                r = update_claims(monitor, model);
        monitor->is_running = true;
        if (r >= 0 && fflush(stdout) != 0)
                return errno > 0 ? -errno : -EIO;
        return r;
}

static int follow(Monitor *monitor, Watch *watch)
{
        bool legend = !monitor->options->no_legend && !monitor->options->quiet;
        int r = 0;

        if (monitor->options->json == JSON_OFF)
                r = list_print(watch->model, legend, &monitor->terminal, stdout);
        while (r >= 0) {
                r = update(monitor, watch->model);
                if (r >= 0)
                        r = watch_next(watch, USEC_INFINITY);
        }
        return r;
}

static int run(const Options *options)
{
        _cleanup_(monitor_done) Monitor monitor = { .options = options,
                                                    .terminal = terminal_of(stdout) };
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_watch_ Watch watch = {};
        int r;

        r = client_open(&bus);
        if (r >= 0)
                r = bus ? watch_open(&watch, bus, &error) : -ENOTCONN;
        if (r < 0)
                return (int) call_complain(r, &error, "list");
        r = follow(&monitor, &watch);
        if (r == -EPIPE) /* nobody reads any more */
                return EXIT_CODE_DONE;
        complain_errno(r, "follow what vfio-bindd says");
        return EXIT_CODE_FAILED;
}

const Verb verb_monitor = {
        .name = "monitor",
        .summary = "What is, then every change as it comes",
        .help = "Shows the list, then a line for every device and claim whose state changes,\n"
                "until it is interrupted. With --json=short or --json=pretty every line is one\n"
                "object: \"Event\" is \"current\" for what is there at first, then \"added\",\n"
                "\"changed\", \"removed\", or \"gone\" while no daemon runs. States that lasted\n"
                "only for a moment may be left out.\n",
        .changes = true,
        .run = run,
};
