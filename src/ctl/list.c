/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/list.h"

#include <errno.h>
#include <inttypes.h>

#include "ctl/sentence.h"
#include "ctl/table.h"
#include "util/buffer.h"

#define NONE "-"

enum {
        COLUMN_CLAIM,
        COLUMN_STATE,
        COLUMN_GROUP,
        COLUMN_DEVICE,
        COLUMN_DRIVER,
        COLUMN_NAME,
};

/* Address and state are never shortened. */
static const Column columns[] = {
        [COLUMN_CLAIM] = { "CLAIM", 8 },
        [COLUMN_STATE] = { "STATE", 0 },
        [COLUMN_GROUP] = { "GROUP", 0 },
        [COLUMN_DEVICE] = { "DEVICE", 0 },
        [COLUMN_DRIVER] = { "DRIVER", 6 },
        [COLUMN_NAME] = { "NAME", 4 },
};

/* In the order in which the summary counts them. */
static const struct {
        const char *state;
        Style style;
} states[] = {
        { "bound", STYLE_GOOD },       { "detached", STYLE_GOOD },   { "partial", STYLE_WAITING },
        { "pending", STYLE_WAITING },  { "binding", STYLE_WAITING }, { "releasing", STYLE_WAITING },
        { "drifted", STYLE_WAITING },  { "refused", STYLE_BAD },     { "failed", STYLE_BAD },
        { "stuck", STYLE_BAD },        { "error", STYLE_BAD },       { "gave-back", STYLE_BAD },
        { "released", STYLE_FAINT },   { "absent", STYLE_FAINT },    { "disabled", STYLE_FAINT },
        { "unclaimed", STYLE_FAINT },
};

Style state_style(const char *state)
{
        for (size_t i = 0; state && i < ELEMENTSOF(states); i++)
                if (streq(states[i].state, state))
                        return states[i].style;
        return STYLE_NONE;
}

static void set_state(Table *table, const char *state)
{
        table_set(table, COLUMN_STATE, state ?: "unknown", state_style(state));
}

static bool is_state(const ModelDevice *device, const char *state)
{
        return streq_null(device->text[DEVICE_STATE], state);
}

bool list_shows_unclaimed(const ModelDevice *device)
{
        return !device->claim && device->text[DEVICE_STATE] && !is_state(device, "unclaimed");
}

/* A companion that stays with the host (a bridge's neighbour of the platform) says nothing. */
static bool belongs_to(const ModelDevice *device, const ModelClaim *claim)
{
        if (!streq_null(device->claim, claim->text[CLAIM_NAME]))
                return false;
        return !is_state(device, "unclaimed") ||
                streq_null(device->text[DEVICE_ROLE], "selected");
}

const char *device_name(const ModelDevice *device, char ids[static 16])
{
        if (device->text[DEVICE_DEVICE_NAME])
                return device->text[DEVICE_DEVICE_NAME];
        (void) snprintf(ids, 16, "%.4s:%.4s", device->text[DEVICE_VENDOR_ID] ?: "",
                device->text[DEVICE_DEVICE_ID] ?: "");
        return ids;
}

static void set_device(Table *table, const ModelDevice *device)
{
        char group[24] = NONE, ids[16];

        if (device->group >= 0)
                (void) snprintf(group, sizeof(group), "%" PRIi64, device->group);
        table_set(table, COLUMN_GROUP, group, STYLE_NONE);
        table_set(table, COLUMN_DEVICE, device->text[DEVICE_ADDRESS], STYLE_NONE);
        table_set(table, COLUMN_DRIVER, device->text[DEVICE_DRIVER] ?: NONE, STYLE_NONE);
        table_set(table, COLUMN_NAME, device_name(device, ids), STYLE_NONE);
}

static void set_missing(Table *table, const char *selector)
{
        for (size_t i = COLUMN_GROUP; i <= COLUMN_DRIVER; i++)
                table_set(table, i, NONE, STYLE_NONE);
        table_set(table, COLUMN_NAME, selector ?: NONE, STYLE_NONE);
}

const char *device_cause(const ModelDevice *device)
{
        return device->text[DEVICE_REASON]
                ?: device->text[DEVICE_REASON_TEXT] ? device->text[DEVICE_STATE] : NULL;
}

const char *claim_cause(const ModelClaim *claim)
{
        return claim->text[CLAIM_REASON]
                ?: claim->text[CLAIM_REASON_TEXT] ? claim->text[CLAIM_STATE] : NULL;
}

/* "0000:01:00.0 in-use-network: eno1 carries the default route (/etc/vfio-bind.conf:14)" */
int format_reason(const char *subject, const char *reason, const char *text,
        const ModelClaim *claim, char **ret)
{
        _cleanup_free_ char *placed = NULL;
        int r;

        text = text ?: reason_explanation(reason);
        /* Without any text the place stands alone: "identity-mismatch (/etc/vfio-bind.conf:14)". */
        r = sentence_with_place(text ?: "", claim ? claim->file : NULL, claim ? claim->line : 0,
                false, &placed);
        if (r < 0)
                return r;
        return format_string(ret, "%s%s%s%s%s", subject ?: "", subject ? " " : "", reason,
                text ? ": " : "", placed);
}

static int add_reason(Table *table, const char *subject, const char *reason, const char *text,
        const ModelClaim *claim)
{
        _cleanup_free_ char *note = NULL;
        int r = format_reason(subject, reason, text, claim, &note);

        if (r < 0)
                return r;
        table_add_note(table, note);
        return 0;
}

/* What a function says beyond what its claim or its group says. */
static int add_device_reason(Table *table, const ModelDevice *device, const ModelClaim *claim,
        bool is_of_several)
{
        const char *reason = device_cause(device);

        if (!reason || streq(reason, "group-refused"))
                return 0;
        if (streq_null(reason, claim_cause(claim)) &&
            (!device->text[DEVICE_REASON_TEXT] ||
                    streq_null(device->text[DEVICE_REASON_TEXT], claim->text[CLAIM_REASON_TEXT])))
                return 0;
        return add_reason(table, is_of_several ? NULL : device->text[DEVICE_ADDRESS], reason,
                device->text[DEVICE_REASON_TEXT], claim);
}

/* That nothing matches is what the state and the selector in the row say already. */
static bool is_plainly_absent(const ModelClaim *claim)
{
        const char *text = claim->text[CLAIM_REASON_TEXT];

        return streq_null(claim->text[CLAIM_STATE], "absent") &&
                streq_null(claim->text[CLAIM_REASON], "absent") &&
                (!text || startswith(text, "nothing in this machine matches "));
}

static int add_claim_reason(Table *table, const ModelClaim *claim)
{
        const char *reason = claim_cause(claim);

        if (!reason || is_plainly_absent(claim))
                return 0;
        return add_reason(table, NULL, reason, claim->text[CLAIM_REASON_TEXT], claim);
}

static void begin_claim(Table *table, const ModelClaim *claim)
{
        table_add_row(table);
        table_set(table, COLUMN_CLAIM, claim->text[CLAIM_NAME], STYLE_NONE);
        set_state(table, claim->text[CLAIM_STATE]);
}

static bool says_the_same(const ModelDevice *a, const ModelDevice *b)
{
        return streq_null(a->text[DEVICE_REASON], b->text[DEVICE_REASON]) &&
                streq_null(a->text[DEVICE_REASON_TEXT], b->text[DEVICE_REASON_TEXT]);
}

/* The next function of the claim; NULL: there is none. */
static const ModelDevice *next_of(const Model *model, const ModelClaim *claim,
        const ModelDevice *device)
{
        while (++device < model->devices + model->n_devices)
                if (belongs_to(device, claim))
                        return device;
        return NULL;
}

/* What several functions in a row say stands below the last one. */
static int add_reason_of_run(Table *table, const Model *model, const ModelClaim *claim,
        const ModelDevice *previous, const ModelDevice *device)
{
        const ModelDevice *next = next_of(model, claim, device);

        if (next && says_the_same(device, next))
                return 0;
        return add_device_reason(table, device, claim,
                previous && says_the_same(previous, device));
}

/* The first function stands in the claim's row if it is in the claim's state; any other state than
 * the claim's is shown. */
static int add_claim_devices(Table *table, const Model *model, const ModelClaim *claim,
        size_t *ret_n)
{
        const ModelDevice *previous = NULL;
        const char *state = claim->text[CLAIM_STATE];
        size_t n = 0;

        for (size_t i = 0; i < model->n_devices; i++) {
                const ModelDevice *device = &model->devices[i];
                int r;

                if (!belongs_to(device, claim))
                        continue;
                if (n++ > 0 || !is_state(device, state))
                        table_add_row(table);
                set_device(table, device);
                if (!is_state(device, state))
                        set_state(table, device->text[DEVICE_STATE]);
                if (previous && previous->group == device->group && device->group >= 0)
                        table_set(table, COLUMN_GROUP, NULL, STYLE_NONE);
                r = add_reason_of_run(table, model, claim, previous, device);
                previous = device;
                if (r < 0)
                        return r;
        }
        *ret_n = n;
        return 0;
}

/* Lines that select nothing; in the claim's row if nothing else stands there. */
static void add_claim_missing(Table *table, const ModelClaim *claim, size_t n_devices)
{
        char *const *missing = claim->lists[CLAIM_MISSING];
        size_t n = string_list_length(missing);

        if (n_devices == 0)
                set_missing(table, n > 0                      ? missing[0]
                        : claim->lists[CLAIM_SELECTORS] ? claim->lists[CLAIM_SELECTORS][0]
                                                        : NULL);
        for (size_t i = n_devices == 0 ? 1 : 0; i < n; i++) {
                table_add_row(table);
                if (!streq_null(claim->text[CLAIM_STATE], "absent"))
                        set_state(table, "absent");
                set_missing(table, missing[i]);
        }
}

static int add_claim(Table *table, const Model *model, const ModelClaim *claim)
{
        size_t n_devices;
        int r;

        begin_claim(table, claim);
        r = add_claim_devices(table, model, claim, &n_devices);
        if (r < 0)
                return r;
        add_claim_missing(table, claim, n_devices);
        return add_claim_reason(table, claim);
}

static int add_unclaimed(Table *table, const Model *model)
{
        const ModelDevice *previous = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i <= model->n_devices; i++) {
                const ModelDevice *device = i < model->n_devices ? &model->devices[i] : NULL;

                if (device && !list_shows_unclaimed(device))
                        continue;
                /* A reason that several functions in a row have stands below the last one. */
                if (previous && device_cause(previous) &&
                    (!device || !says_the_same(previous, device)))
                        r = add_reason(table, NULL, device_cause(previous),
                                previous->text[DEVICE_REASON_TEXT], NULL);
                if (!device)
                        break;
                table_add_row(table);
                table_set(table, COLUMN_CLAIM, NONE, STYLE_NONE);
                set_state(table, device->text[DEVICE_STATE]);
                set_device(table, device);
                previous = device;
        }
        return r;
}

static void count_state(Buffer *buffer, const Model *model, const char *state, size_t *counted)
{
        size_t n = 0;

        for (size_t i = 0; i < model->n_claims; i++)
                if (streq_null(model->claims[i].text[CLAIM_STATE], state))
                        n++;
        if (n == 0)
                return;
        buffer_printf(buffer, "%s%zu %s", *counted > 0 ? ", " : ": ", n, state);
        *counted += n;
}

int summarize_claims(const Model *model, char **ret)
{
        _cleanup_buffer_ Buffer buffer = {};
        size_t counted = 0;

        buffer_printf(&buffer, "%zu claim%s", model->n_claims, model->n_claims == 1 ? "" : "s");
        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                count_state(&buffer, model, states[i].state, &counted);
        if (counted < model->n_claims)
                buffer_printf(&buffer, "%s%zu other", counted > 0 ? ", " : ": ",
                        model->n_claims - counted);
        buffer_append(&buffer, ".");
        return buffer_finish(&buffer, ret);
}

int print_configuration_errors(const Model *model, const Terminal *terminal, FILE *file)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_errors; i++) {
                const ModelError *error = &model->errors[i];

                if (error->line > 0)
                        r = terminal_print(terminal, file, "%s:%u:%u: %s", error->file ?: "",
                                error->line, error->column, error->message ?: "");
                else
                        r = terminal_print(terminal, file, "%s: %s", error->file ?: "",
                                error->message ?: "");
        }
        return r;
}

/* Is something not as a claim wants it, though it might be? */
static bool needs_explanation(const Model *model)
{
        static const char *const settled[] = { "bound", "absent", "disabled", "released" };

        for (size_t i = 0; i < model->n_claims; i++) {
                bool is_settled = false;

                for (size_t j = 0; j < ELEMENTSOF(settled); j++)
                        if (streq_null(model->claims[i].text[CLAIM_STATE], settled[j]))
                                is_settled = true;
                if (!is_settled)
                        return true;
        }
        return false;
}

static bool any_released(const Model *model)
{
        for (size_t i = 0; i < model->n_claims; i++)
                if (streq_null(model->claims[i].text[CLAIM_STATE], "released"))
                        return true;
        return false;
}

/* What to ask next. */
static const char *advice(const Model *model)
{
        if (needs_explanation(model))
                return " \"vfio-bindctl explain DEV\" tells why.";
        if (any_released(model))
                return " \"vfio-bindctl bind CLAIM\" takes back what was released.";
        if (model->n_claims > 0 || model->n_errors > 0 || streq_null(model->state, "starting"))
                return "";
        return " \"vfio-bindctl groups\" shows the devices, \"vfio-bindctl suggest NAME DEV\" "
               "prints a claim for one.";
}

int list_print(const Model *model, bool legend, const Terminal *terminal, FILE *file)
{
        _cleanup_table_ Table *table = table_new(terminal, columns, ELEMENTSOF(columns));
        _cleanup_free_ char *summary = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < model->n_claims; i++)
                r = add_claim(table, model, &model->claims[i]);
        if (r >= 0)
                r = add_unclaimed(table, model);
        if (r >= 0 && table_rows(table) > 0)
                r = table_print(table, legend, file);
        if (r >= 0 && model->n_errors > 0) {
                fputs(table_rows(table) > 0 ? "\n" : "", file);
                r = print_configuration_errors(model, terminal, file);
        }
        if (r < 0 || !legend)
                return r;

        r = summarize_claims(model, &summary);
        if (r < 0)
                return r;
        fputs(table_rows(table) > 0 || model->n_errors > 0 ? "\n" : "", file);
        return terminal_print(terminal, file, "%s%s", summary, advice(model));
}
